"""Printing rows as a table, JSON or CSV: data on stdout, everything else on stderr."""

from __future__ import annotations

import csv
import json
import math
import sys
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

FORMATS = ("table", "json", "csv")


def format_option(default: str = "table") -> Callable[[Any], Any]:
    """Return the ``--format table|json|csv`` option that every printing verb carries."""
    return click.option(
        "--format", "form", type=click.Choice(FORMATS), default=default, show_default=True, help="How to print."
    )


def messages() -> Console:
    """Return the console for progress and messages: stderr."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def plain(value: Any) -> Any:
    """Return a JSON-serialisable twin of a value: NaN and infinities become null, times ISO-8601."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if hasattr(value, "item"):
        return plain(value.item())
    return value


def print_json(value: Any) -> None:
    """Write one JSON value to stdout."""
    click.echo(json.dumps(plain(value), indent=1))


def print_rows(
    rows: Sequence[Mapping[str, Any]], form: str, *, columns: Sequence[str] | None = None, title: str = ""
) -> None:
    """Write rows to stdout.

    Parameters
    ----------
    rows
        Mappings with the same keys.
    form
        ``table``, ``json`` or ``csv``.
    columns
        Columns and their order; default: those of the first row.
    title
        Heading of the table form.
    """
    names = list(columns) if columns is not None else list(rows[0]) if rows else []
    if form == "json":
        print_json([{name: row.get(name) for name in names} for row in rows])
    elif form == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([_cell_csv(row.get(name)) for name in names] for row in rows)
    else:
        _print_table(rows, names, title)


def _print_table(rows: Sequence[Mapping[str, Any]], names: Sequence[str], title: str) -> None:
    table = Table(title=title or None, title_justify="left", header_style="bold")
    for name in names:
        numeric = any(isinstance(row.get(name), int | float) for row in rows)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell_table(row.get(name)) for name in names))
    width = None if sys.stdout.isatty() else 160
    Console(file=sys.stdout, highlight=False, width=width).print(table)


def _cell_csv(value: Any) -> Any:
    value = plain(value)
    return json.dumps(value) if isinstance(value, dict | list) else value


def _cell_table(value: Any) -> str:
    value = plain(value)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, dict | list):
        return ", ".join(map(str, value)) if isinstance(value, list) else json.dumps(value)
    return str(value)
