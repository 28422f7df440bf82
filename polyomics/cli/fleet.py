"""Verbs of campaigns that many machines share: plan, worker, status, errors, attempts, cost, logs, cancel, resume."""

from __future__ import annotations

import os
import sys
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
@click.option("--stall", type=click.FloatRange(1.0), default=1800.0, show_default=True,
              help="End a task's process after so many seconds without progress.")
@click.option("--allow-synthetic", is_flag=True, help="Accept protocol: synthetic.")
def worker(
    manifest: str, shard: int, checkpoint_interval: float | None, max_seconds: float | None, attempt_id: str | None,
    processes: int | None, heartbeat: float, stall: float, allow_synthetic: bool,
) -> None:  # fmt: skip
    """Do one shard of a manifest: what a pod runs, and the same on a laptop."""
    from polyomics.campaign.worker import Facts, Options, work

    options = Options(
        checkpoint_interval, max_seconds, attempt_id, processes, heartbeat, stall, allow_synthetic
    )
    code = work(manifest, shard, options, Facts.from_environment(os.environ))
    if code:
        sys.exit(code)


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


VERBS: tuple[click.Command, ...] = (plan, worker)
