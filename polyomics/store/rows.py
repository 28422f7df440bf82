"""Rows on their way into a table: strict checks at commit, Arrow columns at fold, Parquet bytes for series."""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from polyomics.errors import InputError
from polyomics.store import canonical
from polyomics.store.schemas import PROPERTIES, Column, Kind, Table, table_named

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_SCALARS: dict[Kind, tuple[type, ...]] = {
    Kind.TEXT: (str,),
    Kind.FLOAT: (float, int),
    Kind.INTEGER: (int,),
    Kind.BOOLEAN: (bool,),
}
_ITEMS = {Kind.TEXTS: Kind.TEXT, Kind.FLOATS: Kind.FLOAT, Kind.INTEGERS: Kind.INTEGER}


def checked_rows(table: Table, rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return rows as plain JSON values that conform to a table.

    Raises
    ------
    InputError
        Names table, row number and column: an unknown or missing column, a wrong type, a value that is not among
        the column's choices, NaN or infinity.
    """
    columns = {column.name: column for column in table.columns}
    needed = [column.name for column in table.columns if column.required and not column.filled]
    checked = []
    for number, row in enumerate(rows):
        place = f"{table.name}[{number}]"
        unknown = [name for name in row if name not in columns or columns[name].filled]
        if unknown:
            raise _refusal(place, unknown[0], "no such column", f"columns are {', '.join(columns)}")
        missing = [name for name in needed if row.get(name) is None]
        if missing:
            raise _refusal(place, missing[0], "a value is required", "give the column a value")
        checked.append({name: _checked(columns[name], value, place) for name, value in row.items()})
    return checked


def arrow_table(table: Table, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return checked rows as an Arrow table with the table's schema; defaults and ``fact_id`` are filled in."""
    arrays: list[pa.Array] = []
    for column in table.columns:
        name, default = column.name, column.default
        values: list[Any] = [row.get(name) for row in rows]
        if default is not None:
            values = [default if value is None else value for value in values]
        if name == "fact_id":
            values = [fact_id(row) for row in rows]
        arrays.append(pa.array(values, type=column.kind.arrow))
    return pa.Table.from_arrays(arrays, schema=table.schema)


def fact_id(row: Mapping[str, Any]) -> int:
    """Return the 63-bit identity of what a property row speaks about, equal for its re-estimates."""
    defaults = {column.name: column.default for column in PROPERTIES.columns}
    parts = [row.get(name) if row.get(name) is not None else defaults[name] for name in PROPERTIES.identity]
    parts = [float(part) if isinstance(part, int) else part for part in parts]
    return int.from_bytes(hashlib.blake2b(repr(parts).encode(), digest_size=8).digest(), "big") >> 1


def series_bytes(name: str, columns: Mapping[str, Any]) -> bytes:
    """Return the Parquet bytes of a series table (``thermo``).

    Parameters
    ----------
    name
        A table whose rows come as files of their own.
    columns
        Column name to a sequence of n values; list columns take n rows, e.g. an array of shape (n, c) for ``rg2``
        (nm², per chain) or (n, c, 3) for ``end_vector`` and ``centers`` (nm), which is flattened per row. Float NaN
        becomes null. Columns left out are null.

    Raises
    ------
    InputError
        Unknown or missing columns, unequal lengths, wrong types.
    """
    table = table_named(name)
    unknown = [column for column in columns if table.column(column) is None]
    if unknown:
        raise _refusal(name, unknown[0], "no such column", f"columns are {', '.join(table.schema.names)}")
    lengths = {column: len(values) for column, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise InputError(f"columns differ in length: {lengths}", subject=name)
    length = next(iter(lengths.values()), 0)
    arrays = [_series_array(table, column, columns.get(column.name), length) for column in table.columns]
    return parquet_bytes(pa.Table.from_arrays(arrays, schema=table.schema))


def parquet_bytes(data: pa.Table) -> bytes:
    """Return an Arrow table as one Parquet file in memory."""
    buffer = io.BytesIO()
    pq.write_table(data, buffer, compression="zstd", row_group_size=131_072)
    return buffer.getvalue()


def series_rows(name: str, data: bytes) -> int:
    """Return the number of rows of a series file; raises InputError where its schema is not the table's."""
    table = table_named(name)
    try:
        file = pq.ParquetFile(io.BytesIO(data))
    except pa.ArrowInvalid as error:
        raise InputError(f"is not a Parquet file: {error}", subject=name) from error
    expected, found = table.schema, file.schema_arrow
    for field in expected:
        if field.name not in found.names or found.field(field.name).type != field.type:
            raise _refusal(name, field.name, "the file's schema differs from the table's", "write it by series_bytes")
    return int(file.metadata.num_rows)


def _series_array(table: Table, column: Column, values: Any, length: int) -> pa.Array:
    if values is None:
        if column.required:
            raise _refusal(table.name, column.name, "a value is required", "give the column a value")
        return pa.nulls(length, column.kind.arrow)
    if column.kind in _ITEMS:
        rows = [row.ravel() if hasattr(row, "ravel") else row for row in values]
        return pa.array(rows, type=column.kind.arrow, from_pandas=True)
    try:
        return pa.array(values, type=column.kind.arrow, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise _refusal(table.name, column.name, str(error), f"expected {column.kind.sql}") from error


def _checked(column: Column, value: Any, place: str) -> Any:
    if value is None:
        return None
    if column.kind is Kind.JSON:
        return canonical.encode(_json_value(value, column, place)).decode()
    value = canonical.plain(value, f"{place}.{column.name}")
    if column.kind in _ITEMS:
        if not isinstance(value, list) or not all(_fits(_ITEMS[column.kind], item) for item in value):
            raise _refusal(place, column.name, f"{value!r} is not a list of the column's type", column.kind.sql)
        return value
    if not _fits(column.kind, value):
        raise _refusal(place, column.name, f"{value!r} has the wrong type", f"expected {column.kind.sql}")
    if column.choices and value not in column.choices:
        raise _refusal(place, column.name, f"{value!r} is not allowed", f"one of {', '.join(column.choices)}")
    return float(value) if column.kind is Kind.FLOAT else value


def _json_value(value: Any, column: Column, place: str) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return canonical.decode(value.encode())
    except ValueError as error:
        raise _refusal(place, column.name, f"{value!r} is not JSON", "give a dict, a list or JSON text") from error


def _fits(kind: Kind, value: Any) -> bool:
    if isinstance(value, bool):
        return kind is Kind.BOOLEAN
    return isinstance(value, _SCALARS[kind])


def _refusal(place: str, column: str, reason: str, remedy: str) -> InputError:
    return InputError(reason, subject=place, field=column, remedy=remedy)
