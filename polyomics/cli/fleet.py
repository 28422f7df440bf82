"""Verbs of campaigns that many machines share: plan, worker, status, errors, attempts, cost, logs, cancel, resume."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import click

from polyomics.cli.output import format_option, messages, print_json, print_rows

PATH = click.Path(dir_okay=False, path_type=Path)
REFUSED = 3


@click.command()
@click.argument("file", type=PATH)
@click.option("--write", is_flag=True, help="Store the manifest that workers are given.")
@click.option("--allow-synthetic", is_flag=True, help="Accept protocol: synthetic (invented numbers, for tests).")
@format_option()
def plan(file: Path, write: bool, allow_synthetic: bool, form: str) -> None:
    """Say what a campaign takes, tasks to price, before anything is spent; exit 3 above its budget."""
    from polyomics.campaign.planner import plan as make

    result = make(file, write=write, allow_synthetic=allow_synthetic)
    _print_one(result, form, tables=("rejected", "price_regions"))
    if result["over_budget"]:
        messages().print("refused: the predicted on-demand price is above the budget in the file")
        sys.exit(REFUSED)


@click.command()
@click.option("--manifest", required=True, help="Address that plan --write printed.")
@click.option("--shard", type=click.IntRange(0), required=True, help="Number of the shard, from 0.")
@click.option("--checkpoint-interval", type=click.FloatRange(0.1), default=None, help="Seconds; default: measured.")
@click.option("--max-seconds", type=click.FloatRange(1.0), default=None, help="Save and stop after so long.")
@click.option("--attempt-id", default=None, help="Name of this attempt; default: a new one.")
@click.option("--processes", type=click.IntRange(1), default=None, help="Tasks at once; default: by machine.")
@click.option("--heartbeat", type=click.FloatRange(0.1), default=60.0, show_default=True, help="Seconds.")
@click.option(
    "--stall",
    type=click.FloatRange(1.0),
    default=1800.0,
    show_default=True,
    help="End a task's process after so many seconds without progress.",
)
@click.option("--allow-synthetic", is_flag=True, help="Accept protocol: synthetic.")
def worker(
    manifest: str, shard: int, checkpoint_interval: float | None, max_seconds: float | None, attempt_id: str | None,
    processes: int | None, heartbeat: float, stall: float, allow_synthetic: bool,
) -> None:  # fmt: skip
    """Do one shard of a manifest: what a pod runs, and the same on a laptop."""
    from polyomics.campaign.worker import Facts, Options, work

    options = Options(checkpoint_interval, max_seconds, attempt_id, processes, heartbeat, stall, allow_synthetic)
    code = work(manifest, shard, options, Facts.from_environment(os.environ))
    if code:
        sys.exit(code)


def _store_option(command: Any) -> Any:
    return click.option("--store", default=None, help="Where the campaign lives; default: its file's store.")(command)


def _where(campaign: str, store: str | None) -> tuple[Any, str]:
    """Return the opened store and the name of a campaign given by file or by name."""
    from polyomics.campaign.file import read_campaign
    from polyomics.campaign.run import store_address
    from polyomics.store.address import open_store

    path = Path(campaign)
    if path.suffix in (".yaml", ".yml"):
        file = read_campaign(path)
        return open_store(store or store_address(file, path.resolve().parent), create=False), file.name
    if store is None:
        raise click.UsageError("a campaign given by name needs --store; or give its file")
    return open_store(store, create=False), campaign


@click.command()
@click.argument("campaign")
@_store_option
@click.option("--watch", is_flag=True, help="Print again every 30 s until the campaign is at rest.")
@format_option()
def status(campaign: str, store: str | None, watch: bool, form: str) -> None:
    """Say how far a campaign (file or name) is, from its ledger alone."""
    from polyomics.campaign.status import status as look

    opened, name = _where(campaign, store)
    while True:
        result = look(opened, name)
        _print_one(result, form)
        if not watch or result["state"] in ("done", "done with failures", "cancelled"):
            return
        time.sleep(30)


@click.command()
@click.argument("campaign")
@_store_option
@format_option()
def errors(campaign: str, store: str | None, form: str) -> None:
    """Group a campaign's failures by class and message, each with one example and its log."""
    from polyomics.campaign.status import errors as look

    rows = look(*_where(campaign, store))
    print_rows(rows, form, columns=("class", "code", "message", "count", "task", "attempt", "log"))


@click.command()
@click.argument("campaign")
@_store_option
@click.option("--task", default=None, help="Only those that worked on this task (key, or its beginning).")
@format_option()
def attempts(campaign: str, store: str | None, task: str | None, form: str) -> None:
    """List a campaign's attempts: where, how long, how they ended, what they cost."""
    from polyomics.campaign.status import ATTEMPT_COLUMNS, attempts_of

    brief = ("attempt_id", "shard", "state", "ended_by", "class", "node", "steps_done", "steps_lost", "gpu_seconds")
    rows = attempts_of(*_where(campaign, store), task)
    print_rows(rows, form, columns=brief if form == "table" else ATTEMPT_COLUMNS)


@click.command()
@click.argument("campaign")
@_store_option
@click.option("--by", type=click.Choice(["polymer", "stage", "class", "organisation"]), default="polymer")
@format_option()
def cost(campaign: str, store: str | None, by: str, form: str) -> None:
    """Sum up what a campaign has cost so far."""
    from polyomics.campaign.status import cost as look

    print_rows(look(*_where(campaign, store), by), form, columns=(by, "attempts", "gpu_seconds", "cost"))


@click.command()
@click.argument("task")
@click.option("--store", required=True, help="Where the campaign lives.")
@click.option("--campaign", default=None, help="Only there.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def logs(task: str, store: str, campaign: str | None, form: str) -> None:
    """Show the shipped log of a task, also when the machines are gone."""
    from polyomics.campaign.status import logs as look
    from polyomics.store.address import open_store

    lines = look(open_store(store, create=False), task, campaign)
    if form == "json":
        print_json(lines)
        return
    for line in lines:
        click.echo(f"{line['time']} {line['level']:7} {line['node']} {line['stage']:12} {line['message']}")


@click.command()
@click.argument("campaign")
@_store_option
@click.option("--wait", is_flag=True, help="Wait, up to ten minutes, until the running attempts have ended.")
@format_option()
def cancel(campaign: str, store: str | None, wait: bool, form: str) -> None:
    """Ask all workers of a campaign to save and stop."""
    from polyomics.campaign.control import cancel as ask

    print_rows([ask(*_where(campaign, store), wait=600.0 if wait else 0.0)], form)


@click.command()
@click.argument("campaign")
@_store_option
@format_option()
def resume(campaign: str, store: str | None, form: str) -> None:
    """Let a cancelled campaign run again."""
    from polyomics.campaign.control import resume as let

    print_rows([let(*_where(campaign, store))], form)


@click.group("import")
def import_() -> None:
    """Bring tables of others into a store."""


@import_.command("radonpy")
@click.argument("file", type=PATH)
@click.option("--store", required=True, help="Where to.")
@format_option()
def import_radonpy(file: Path, store: str, form: str) -> None:
    """Import a table with RadonPy's or PolyOmics' header; its known defects are flagged."""
    from polyomics.campaign.radonpy import import_radonpy as bring
    from polyomics.store.address import open_store

    _print_one(bring(open_store(store), file), form)


def _print_one(value: dict[str, Any], form: str, tables: tuple[str, ...] = ()) -> None:
    """Print one object: as JSON, as one line of CSV, or as a table of its keys with lists as tables below."""
    if form == "json":
        print_json(value)
    elif form == "csv":
        print_rows([value], form)
    else:
        rows = [{"": key, "value": item} for key, item in value.items() if key not in tables]
        print_rows(rows, form)
        for name in tables:
            if value.get(name):
                print_rows(value[name][:20], form, title=name)


VERBS: tuple[click.Command, ...] = (plan, worker, status, errors, attempts, cost, logs, cancel, resume, import_)
