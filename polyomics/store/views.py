"""The views users query, as SQL over the raw tables; the same text serves the catalog file and the plain views."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polyomics.store.engine import identifier, literal
from polyomics.store.schemas import PROPERTIES, RUNS, TABLES, Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PROPERTY_COLUMNS = tuple(column.name for column in PROPERTIES.columns if column.name != "fact_id")

_PLAIN = ("stages", "files", "series", "thermo", "retries")  # one row per statement already
_WIDE_SUFFIXES = {"": "value", "_stderr": "stderr", "_quality": "quality"}
_NEWEST = ("polymers", "systems", "units", "campaigns", "attempts")


def view_statements(raw: str, main: str, wide: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return the SELECT of every view, in an order in which each one only needs those before.

    Parameters
    ----------
    raw, main
        Schema of the tables and of the views, with the closing dot, e.g. ``lake.raw.``.
    wide
        The ``(property, component)`` pairs that ``properties_wide`` has columns for.
    """
    views = {name: f"SELECT * FROM {raw}{name}" for name in _PLAIN}
    views |= {name: _newest(raw, TABLES[name], "stage_key DESC NULLS LAST") for name in _NEWEST}
    views["runs"] = _newest(raw, RUNS, "stage_version DESC NULLS LAST, stage_key DESC NULLS LAST")
    views["errors"] = _errors(raw)
    views["tasks"] = _tasks(raw, main)
    # polymer and property follow from fact_id; they are named so that filters on them reach the files
    views["properties_all"] = (
        f"SELECT {', '.join(identifier(name) for name in PROPERTY_COLUMNS)} FROM {raw}properties "
        "QUALIFY row_number() OVER "
        "(PARTITION BY polymer, property, fact_id "
        "ORDER BY stage_version DESC, n_replicas DESC NULLS LAST, stage_key DESC) = 1"
    )
    views["properties"] = (
        f"SELECT * FROM {main}properties_all WHERE quality IN ('accepted', 'provisional') AND default_view"
    )
    views["properties_accepted"] = f"SELECT * FROM {main}properties_all WHERE quality = 'accepted' AND default_view"
    views["properties_wide"] = _wide(main, wide)
    views["class_statistics"] = _statistics(main)
    return views


def plain_sql(root: str, files: Mapping[str, Sequence[str]], wide: Sequence[tuple[str, str]]) -> str:
    """Return the views of a snapshot as SQL that needs DuckDB alone: no catalog format and no package.

    Parameters
    ----------
    root
        What the file names are below: empty for names relative to the store, else an ``s3://…/`` address.
    files
        Keys of the live Parquet files by table.
    wide
        See ``view_statements``.
    """
    lines = [
        "-- PolyOmics views over immutable Parquet files; run with DuckDB 1.4 or later"
        + (", in the store's directory." if not root else "."),
        "CREATE SCHEMA IF NOT EXISTS raw;",
    ]
    for table in TABLES.values():
        names = [root + key for key in files.get(table.name, ())]
        lines.append(f"CREATE OR REPLACE VIEW raw.{table.name} AS {_scan(table, names)};")
    for name, select in view_statements("raw.", "main.", wide).items():
        lines.append(f"CREATE OR REPLACE VIEW main.{name} AS {select};")
    return "\n".join(lines) + "\n"


def _scan(table: Table, names: Sequence[str]) -> str:
    if not names:
        columns = ", ".join(f"NULL::{column.kind.sql} AS {identifier(column.name)}" for column in table.columns)
        return f"SELECT {columns} WHERE false"
    fields = ", ".join(
        f"{number}: {{name: {literal(column.name)}, type: {literal(column.kind.sql)}, default_value: NULL}}"
        for number, column in enumerate(table.columns, start=1)
    )
    return f"SELECT * FROM read_parquet([{', '.join(literal(name) for name in names)}], schema = MAP {{{fields}}})"


def _newest(raw: str, table: Table, order: str) -> str:
    keys = ", ".join(identifier(name) for name in table.identity)
    return f"SELECT * FROM {raw}{table.name} QUALIFY row_number() OVER (PARTITION BY {keys} ORDER BY {order}) = 1"


def _errors(raw: str) -> str:
    return f"""SELECT e.*, CASE WHEN s.stage_key IS NOT NULL THEN 'resolved'
    WHEN r.stage_key IS NOT NULL THEN 'retried' ELSE 'standing' END AS state
FROM {raw}errors AS e
LEFT JOIN {raw}stages AS s ON s.stage_key = e.stage_key
LEFT JOIN {raw}retries AS r ON r.stage_key = e.stage_key AND r.number = e.number"""


def _tasks(raw: str, main: str) -> str:
    return f"""WITH task AS (
    SELECT * FROM {raw}tasks
    QUALIFY row_number() OVER (PARTITION BY campaign, task_key ORDER BY stage_key DESC NULLS LAST) = 1
), step AS (
    SELECT DISTINCT task_key, unnest(stage_keys) AS stage_key FROM task
), failed AS (
    SELECT DISTINCT stage_key FROM {main}errors AS e WHERE e.state = 'standing'
), progress AS (
    SELECT step.task_key, count(*) AS n_stages, count(done.stage_key) AS n_done, count(failed.stage_key) AS n_failed
    FROM step LEFT JOIN {raw}stages AS done ON done.stage_key = step.stage_key
    LEFT JOIN failed ON failed.stage_key = step.stage_key GROUP BY step.task_key
)
SELECT task.*, CASE WHEN progress.task_key IS NULL THEN if(task.stage_key IS NULL, 'waiting', 'done')
    WHEN n_done = n_stages THEN 'done' WHEN n_failed > 0 THEN 'failed' ELSE 'waiting' END AS state,
    coalesce(n_stages, 0) AS n_stages, coalesce(n_done, 0) AS n_done
FROM task LEFT JOIN progress ON progress.task_key = task.task_key"""


def _wide(main: str, wide: Sequence[tuple[str, str]]) -> str:
    """One row per polymer, temperature, pressure and protocol: of several runs, the one with most behind it."""
    columns = ""
    taken = {"polymer", "key", "name", "t_k", "p_pa", "protocol"}
    for name, component in wide:
        label = f"{name}_{component}" if component else name
        while taken & {(label + suffix).lower() for suffix in _WIDE_SUFFIXES}:  # SQL names ignore case
            label += "_"
        where = f"FILTER (WHERE property = {literal(name)} AND component = {literal(component)})"
        for suffix, value in _WIDE_SUFFIXES.items():
            columns += f",\n    max({value}) {where} AS {identifier(label + suffix)}"
            taken.add((label + suffix).lower())
    return f"""WITH best AS (
    SELECT * FROM {main}properties WHERE value IS NOT NULL QUALIFY row_number() OVER (
        PARTITION BY polymer, T_K, P_Pa, protocol, property, component
        ORDER BY quality, n_replicas DESC NULLS LAST, n_eff DESC NULLS LAST, conditions, run_key) = 1
)
SELECT polymer, max(key) AS key, max(name) AS name, T_K, P_Pa, protocol{columns}
FROM best GROUP BY polymer, T_K, P_Pa, protocol"""


def _statistics(main: str) -> str:
    return f"""SELECT q.class, p.property, p.component, p.protocol, p.unit, count(*) AS n, avg(p.value) AS mean,
    stddev_samp(p.value) AS std, min(p.value) AS minimum, median(p.value) AS median, max(p.value) AS maximum
FROM {main}properties AS p LEFT JOIN {main}polymers AS q ON q.key = p.key
WHERE p.value IS NOT NULL GROUP BY ALL"""
