"""The tables of the catalog: every column with its permanent Parquet field id, type and meaning."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import pyarrow as pa

from polyomics.errors import NotFoundError


class Kind(StrEnum):
    """Column types, by their DuckDB names; JSON is text that holds canonical JSON."""

    TEXT = "VARCHAR"
    JSON = "JSON"
    FLOAT = "DOUBLE"
    INTEGER = "BIGINT"
    BOOLEAN = "BOOLEAN"
    TEXTS = "VARCHAR[]"
    FLOATS = "DOUBLE[]"
    INTEGERS = "BIGINT[]"

    @property
    def sql(self) -> str:
        """The type in DuckDB (JSON is stored as VARCHAR, so that reading needs no extension)."""
        return "VARCHAR" if self is Kind.JSON else self.value

    @property
    def arrow(self) -> pa.DataType:
        """The type in Arrow."""
        return _ARROW[self]


_ARROW = {
    Kind.TEXT: pa.string(),
    Kind.JSON: pa.string(),
    Kind.FLOAT: pa.float64(),
    Kind.INTEGER: pa.int64(),
    Kind.BOOLEAN: pa.bool_(),
    Kind.TEXTS: pa.list_(pa.string()),
    Kind.FLOATS: pa.list_(pa.float64()),
    Kind.INTEGERS: pa.list_(pa.int64()),
}


@dataclass(frozen=True)
class Column:
    """One column.

    Parameters
    ----------
    name, kind
        Name and type.
    required
        A row without it is refused.
    default
        What a missing value becomes. Only columns of a table's first release have one: older files lack later
        columns, which are then null.
    choices
        Allowed values of a text, if limited.
    filled
        The store fills it; a row that brings it is refused.
    """

    name: str
    kind: Kind
    required: bool = False
    default: Any = None
    choices: tuple[str, ...] = ()
    filled: bool = False


@dataclass(frozen=True)
class Table:
    """One table; the n-th column has field id n + 1 for ever, so columns are only ever appended.

    Parameters
    ----------
    name, columns
        Name and columns.
    order
        Columns that files are sorted by.
    identity
        Columns that make two rows statements about the same thing.
    series
        Rows come as Parquet files of their own, beside the markers, instead of inside them.
    """

    name: str
    columns: tuple[Column, ...]
    order: tuple[str, ...]
    identity: tuple[str, ...] = ()
    series: bool = False

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema, with field ids."""
        return pa.schema(
            [
                pa.field(column.name, column.kind.arrow, metadata={"PARQUET:field_id": str(number)})
                for number, column in enumerate(self.columns, start=1)
            ]
        )

    def column(self, name: str) -> Column | None:
        """Return a column by name, or None."""
        return next((column for column in self.columns if column.name == name), None)


QUALITIES = ("accepted", "provisional", "rejected")


def _text(*names: str, required: bool = False, default: str | None = None) -> tuple[Column, ...]:
    return tuple(Column(name, Kind.TEXT, required=required, default=default) for name in names)


def _need(*names: str) -> tuple[Column, ...]:
    return _text(*names, required=True)


def _floats(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name, Kind.FLOAT) for name in names)


def _integers(*names: str, required: bool = False) -> tuple[Column, ...]:
    return tuple(Column(name, Kind.INTEGER, required=required) for name in names)


def _json(*names: str, default: str | None = None) -> tuple[Column, ...]:
    return tuple(Column(name, Kind.JSON, default=default) for name in names)


_STAGE_KEY = (Column("stage_key", Kind.TEXT, filled=True),)
_QUALITY = (Column("quality", Kind.TEXT, required=True, choices=QUALITIES), Column("reasons", Kind.TEXTS, default=[]))
_ORIGIN = _text("contributor", "licence", "embargo_until")

POLYMERS = Table(
    "polymers",
    (
        *_need("key", "polymer"),
        *_text("name", "class", "formula", "input"),
        *_floats("mass"),
        *_json("details"),
        *_STAGE_KEY,
    ),
    order=("key",),
    identity=("key",),
)

SYSTEMS = Table(
    "systems",
    (
        *_need("system_key", "polymer"),
        *_text("key"),
        *_json("components"),
        *_integers("n_chains", "n_atoms"),
        Column("dp", Kind.INTEGERS),
        *_text("tacticity", "sequence", "end_groups"),
        *_floats("mass"),
        *_integers("seed"),
        *_text("forcefield", "charges"),
        *_json("details"),
        *_STAGE_KEY,
    ),
    order=("polymer", "system_key"),
    identity=("system_key",),
)

UNITS = Table(
    "units",
    (
        *_need("unit_key", "key", "polymer"),
        *_text("forcefield", "forcefield_version", "charges"),
        *_integers("n_atoms"),
        *_floats("mass"),
        Column("atom_types", Kind.TEXTS),
        Column("atom_charges", Kind.FLOATS),
        *_floats("penalty"),
        *_json("analogies", "details"),
        *_STAGE_KEY,
    ),
    order=("key", "unit_key"),
    identity=("unit_key",),
)

RUNS = Table(
    "runs",
    (
        *_need("run_key", "system_key", "polymer"),
        *_text("key", "name", "campaign"),
        *_need("protocol"),
        *_floats("T_K", "P_Pa"),
        *_integers("replica", "seed"),
        *_text("state"),
        *_QUALITY,
        *_integers("stage_version", "n_atoms", "steps"),
        *_floats("time_ps", "cooling_rate"),
        *_json("stationarity", "relaxation", "details"),
        *_STAGE_KEY,
    ),
    order=("polymer", "run_key"),
    identity=("run_key", "replica"),
)

STAGES = Table(
    "stages",
    (
        Column("stage_key", Kind.TEXT, filled=True),
        *_need("stage"),
        *_integers("version", required=True),
        *_json("parameters", "inputs", "outputs"),
        *_integers("n_rows", "n_files", "bytes"),
        *_text("platform", "host", "started", "ended"),
        *_floats("wall_seconds"),
        *_json("provenance"),
    ),
    order=("stage", "stage_key"),
    identity=("stage_key",),
)

FILES = Table(
    "files",
    (Column("stage_key", Kind.TEXT, filled=True), *_need("kind", "file", "sha256"), *_integers("size", "n_rows")),
    order=("kind", "stage_key"),
)

TASKS = Table(
    "tasks",
    (
        *_need("task_key", "polymer"),
        *_text("key", "name", "campaign", "system_key", "run_key", "protocol"),
        *_floats("T_K", "P_Pa"),
        *_integers("replica"),
        Column("stage_keys", Kind.TEXTS, default=[]),
        *_integers("wave", "shard"),
        *_floats("predicted_gpu_seconds"),
        *_json("details"),
        *_STAGE_KEY,
    ),
    order=("campaign", "polymer", "task_key"),
    identity=("campaign", "task_key"),
)

PROPERTIES = Table(
    "properties",
    (
        *_need("system_key", "polymer", "property"),
        Column("component", Kind.TEXT, default=""),
        *_floats("T_K", "P_Pa"),
        *_json("conditions", default="{}"),
        *_floats("value"),
        *_need("unit"),
        *_floats("stderr"),
        Column("stderr_kind", Kind.TEXT, choices=("within", "between", "")),
        *_floats("n_eff"),
        *_integers("n_replicas"),
        *_QUALITY,
        *_need("protocol"),
        *_integers("stage_version", required=True),
        *_need("run_key"),
        *_text("series_id"),
        *_text("key", "name", "campaign", "state"),
        Column("default_view", Kind.BOOLEAN, default=True),
        *_ORIGIN,
        *_json("details"),
        *_STAGE_KEY,
        Column("fact_id", Kind.INTEGER, filled=True),
    ),
    order=("property", "polymer", "T_K", "run_key"),
    identity=("run_key", "property", "component", "conditions", "T_K", "P_Pa"),
)

ATTEMPTS = Table(
    "attempts",
    (
        *_need("attempt_id"),
        *_text("campaign", "task", "shard", "node", "instance_type", "capacity_type", "platform", "region"),
        *_text("opened", "closed", "ended_by", "class", "message", "log"),
        *_integers("steps_done", "steps_lost"),
        *_floats("ns_per_day", "queue_s", "pull_s", "startup_s", "calibration_s", "gpu_seconds", "wall_seconds"),
        *_floats("price_per_hour", "cost"),
        *_text("currency", "price_date"),
        *_json("details"),
        *_STAGE_KEY,
    ),
    order=("campaign", "opened", "attempt_id"),
    identity=("attempt_id",),
)

ERRORS = Table(
    "errors",
    (
        Column("stage_key", Kind.TEXT, filled=True),
        Column("number", Kind.INTEGER, filled=True),
        *_need("class", "message"),
        *_text("code", "stage", "task", "polymer", "key", "name", "campaign", "field", "remedy", "traceback"),
        *_text("time", "host", "platform", "attempt", "log"),
        *_json("details"),
    ),
    order=("class", "stage_key", "number"),
    identity=("stage_key", "number"),
)

RETRIES = Table(
    "retries",
    (
        Column("stage_key", Kind.TEXT, filled=True),
        Column("number", Kind.INTEGER, filled=True),
        *_text("reason", "time"),
    ),
    order=("stage_key", "number"),
    identity=("stage_key", "number"),
)

CAMPAIGNS = Table(
    "campaigns",
    (
        *_need("campaign"),
        *_text("organisation", "contributor", "licence", "embargo_until", "created"),
        *_integers("n_polymers", "n_tasks"),
        *_json("spec", "details"),
        *_STAGE_KEY,
    ),
    order=("campaign",),
    identity=("campaign",),
)

SERIES = Table(
    "series",
    (
        *_need("series_id", "system_key", "polymer"),
        *_text("key", "run_key"),
        *_need("quantity"),
        Column("component", Kind.TEXT, default=""),
        *_need("x_quantity", "x_unit"),
        Column("x", Kind.FLOAT, required=True),
        *_floats("value"),
        *_need("unit"),
        *_floats("stderr", "T_K", "P_Pa"),
        *_text("protocol", "quality"),
        *_integers("stage_version"),
        *_json("details"),
        *_STAGE_KEY,
    ),
    order=("quantity", "series_id", "x"),
)

THERMO = Table(
    "thermo",
    (
        *_need("stage_key"),
        *_integers("step", required=True),
        *_floats("time_ps", "box_x", "box_y", "box_z", "potential", "kinetic"),
        *_floats("e_bond", "e_angle", "e_proper", "e_improper", "e_nonbonded", "e_reciprocal"),
        *_floats("pressure_bar", "dipole_x", "dipole_y", "dipole_z"),
        Column("rg2", Kind.FLOATS),
        Column("end_vector", Kind.FLOATS),
        Column("centers", Kind.FLOATS),
        *_floats("temperature"),
        *_json("virial"),
    ),
    order=("stage_key", "step"),
    series=True,
)

SOURCES = Table(
    "sources",
    (Column("source", Kind.TEXT, required=True), *_integers("n_rows")),
    order=("source",),
    identity=("source",),
)

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        POLYMERS,
        SYSTEMS,
        UNITS,
        RUNS,
        STAGES,
        FILES,
        TASKS,
        PROPERTIES,
        ATTEMPTS,
        ERRORS,
        RETRIES,
        CAMPAIGNS,
        SERIES,
        THERMO,
        SOURCES,
    )
}

MARKER_TABLES = tuple(
    table.name for table in TABLES.values() if table not in (STAGES, FILES, ERRORS, RETRIES, SOURCES, THERMO)
)
"""Tables whose rows a marker or a campaign may bring."""


def table_named(name: str) -> Table:
    """Return a table; raises NotFoundError with the known names."""
    table = TABLES.get(name)
    if table is None:
        raise NotFoundError(f"there is no table {name!r}", remedy=f"one of {', '.join(TABLES)}")
    return table
