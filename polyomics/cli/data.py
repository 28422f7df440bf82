"""Verbs over results: sql, show, publish, verify."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from polyomics.cli.output import format_option, messages, print_json, print_rows
from polyomics.errors import FAILURES, FailureClass, InputError

STORE = click.option(
    "--store", default=None, help="Directory or s3:// address; default: the store in or above this folder."
)


def find_store(given: str | None) -> str:
    """Return the store address: as given, from the folder, or the only one directly below it."""
    if given:
        return given
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "_polyomics.json").exists():
            return str(folder)
    below = sorted(path.parent for path in here.glob("*/_polyomics.json"))
    if len(below) == 1:
        return str(below[0])
    found = f"{len(below)} stores here: {', '.join(p.name for p in below)}" if below else "no store here"
    raise InputError(found, field="--store", remedy="name one with --store")


@click.command()
@click.argument("query", required=False)
@STORE
@click.option("--at", default=None, help="A snapshot: its number.")
@click.option("--stats", is_flag=True, help="Snapshot, rows, seconds and S3 requests, on stderr.")
@format_option()
def sql(query: str | None, store: str | None, at: str | None, stats: bool, form: str) -> None:
    """Query the published results; without a query, a shell."""
    from polyomics.store.shell import shell
    from polyomics.store.sql import open as open_database

    address = find_store(store)
    if query is None:
        shell(address, at)
        return
    with open_database(address, at) as database:
        result = database.sql(query)
    print_rows(result.dicts(), form, columns=result.columns)
    if stats:
        click.echo(json.dumps(result.stats), err=True)


@click.command()
@click.argument("task")
@STORE
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=None, help="Folder for the plots.")
@format_option()
def show(task: str, store: str | None, out: Path | None, form: str) -> None:
    """Plot density and energy against time, and the cell, of a task (its key, or a polymer's name)."""
    from polyomics.campaign.show import show_task

    result = show_task(find_store(store), task, out or Path("plots"))
    if form == "json":
        print_json(result)
        return
    print_rows([{"stage": s["stage"], **s} for s in result["stages"]], form)
    for path in result["files"]:
        messages().print(path)


@click.command()
@click.argument("store")
@click.option("--rebuild", is_flag=True, help="Make the catalog again from markers alone.")
@format_option()
def publish(store: str, rebuild: bool, form: str) -> None:
    """Fold finished stages into a new snapshot of the catalog."""
    from polyomics.store.address import open_store
    from polyomics.store.catalog import publish as fold

    print_rows([fold(open_store(store, create=False), rebuild)], form)


@click.command()
@click.argument("store")
@format_option()
def verify(store: str, form: str) -> None:
    """Check that markers, files and catalog agree."""
    from polyomics.store.address import open_store
    from polyomics.store.verify import verify as examine

    result = examine(open_store(store, create=False))
    if form == "json":
        print_json(result)
    else:
        print_rows(result["checks"], form)
    if not result["ok"]:
        sys.exit(FAILURES[FailureClass.BUG].exit_code)


VERBS = (sql, show, publish, verify)
