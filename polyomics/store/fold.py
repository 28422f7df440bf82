"""From create-only objects to few large sorted Parquet files: folding new rows and merging small files."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from polyomics.errors import TransientError
from polyomics.store import canonical, layout
from polyomics.store.markers import decode_marker, read_many
from polyomics.store.rows import arrow_table, parquet_bytes
from polyomics.store.schemas import TABLES, Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from polyomics.store.interface import Marker, ObjectStore, StoredFile

BATCH = 10_000  # objects folded at once: bounds memory, not the snapshot
TARGET_BYTES = 128 * 1024**2  # a file of this size is final
SMALL_FILES = 8  # more small files than this in one table are merged

Rows = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class TableFile:
    """One immutable Parquet file of a table."""

    table: str
    key: str
    rows: int
    size: int


def bears_rows(key: str) -> bool:
    """Tell whether an object's content belongs into the catalog."""
    if key.startswith(layout.TASKS):
        return key.endswith("/" + layout.MARKER_NAME) or "/failures/" in key or "/retries/" in key
    return key.startswith(layout.CAMPAIGNS) and "/rows/" in key


def pending_sources(store: ObjectStore, folded: set[str]) -> Iterator[str]:
    """Yield the keys of row-bearing objects that are not folded yet."""
    for prefix in (layout.CAMPAIGNS, layout.TASKS):
        for info in store.list(prefix):
            if bears_rows(info.key) and info.key not in folded:
                yield info.key


def fold(store: ObjectStore, sources: Iterable[str]) -> Iterator[TableFile]:
    """Write the rows of sources as files, one per table and batch; yields what was written."""
    remaining = iter(sources)
    while batch := list(islice(remaining, BATCH)):
        rows: Rows = {name: [] for name in TABLES}
        series: dict[str, list[StoredFile]] = {}
        for key, data in read_many(store, batch):
            if data is None:
                raise TransientError("a create-only object vanished", subject=key, remedy="polyomics verify")
            _add(rows, series, key, data)
        for name, part in rows.items():
            if part:
                yield _write_rows(store, TABLES[name], arrow_table(TABLES[name], part))
            part.clear()
        for name, files in series.items():
            yield from _write_series(store, TABLES[name], [file.key for file in sorted(files, key=lambda f: f.key)])


def source_rows(key: str, data: bytes) -> Rows:
    """Return the rows by table that one object brings, its own line in ``sources`` included."""
    rows: Rows = {}
    _add({name: rows.setdefault(name, []) for name in TABLES}, {}, key, data)
    return {name: part for name, part in rows.items() if part}


def compact(store: ObjectStore, files: Sequence[TableFile]) -> list[TableFile]:
    """Return the files with tables of many small files merged; the old files stay where they are."""
    kept: list[TableFile] = []
    for name in TABLES:
        own = [file for file in files if file.table == name]
        small = sorted((file for file in own if file.size < TARGET_BYTES // 2), key=lambda file: file.key)
        if len(small) <= SMALL_FILES:
            kept.extend(own)
            continue
        kept.extend(file for file in own if file not in small)
        for group in _groups(small):
            kept.extend(_merge(store, TABLES[name], group))
    return kept


def _add(rows: Rows, series: dict[str, list[StoredFile]], key: str, data: bytes) -> None:
    value = canonical.decode(data)
    if key.startswith(layout.CAMPAIGNS):
        brought: Rows = value["rows"]
    elif key.endswith(layout.MARKER_NAME):
        marker = decode_marker(data)
        brought = _marker_rows(marker)
        for file in marker.files:
            if file.kind in TABLES and TABLES[file.kind].series:
                series.setdefault(file.kind, []).append(file)
    else:
        table = "errors" if "/failures/" in key else "retries"
        number = int(key.rpartition("/")[2].removesuffix(".json"))
        brought = {table: [{**value, "stage_key": layout.stage_of(key), "number": number}]}
    total = 0
    for name, part in brought.items():
        if name in rows:  # a table that a newer writer knows is left to a newer committer
            rows[name].extend(part)
            total += len(part)
    rows["sources"].append({"source": key, "n_rows": total})


def _marker_rows(marker: Marker) -> Rows:
    rows: Rows = {name: [{**row, "stage_key": marker.stage_key} for row in part] for name, part in marker.rows.items()}
    provenance = marker.provenance
    rows["stages"] = [
        {
            "stage_key": marker.stage_key,
            "stage": marker.stage,
            "version": marker.version,
            "parameters": canonical.encode(marker.parameters).decode(),
            "inputs": canonical.encode(marker.inputs).decode(),
            "outputs": canonical.encode(marker.outputs).decode(),
            "n_rows": sum(len(part) for part in marker.rows.values()),
            "n_files": len(marker.files),
            "bytes": sum(file.size for file in marker.files),
            **{name: _text(provenance.get(name)) for name in ("platform", "host", "started", "ended")},
            "wall_seconds": _number(provenance.get("wall_seconds")),
            "provenance": canonical.encode(provenance).decode(),
        }
    ]
    rows["files"] = [
        {
            "stage_key": marker.stage_key,
            "kind": file.kind,
            "file": file.key,
            "sha256": file.sha256,
            "size": file.size,
            "n_rows": file.rows,
        }
        for file in marker.files
    ]
    return rows


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None


def _write_rows(store: ObjectStore, table: Table, data: pa.Table) -> TableFile:
    data = data.sort_by([(name, "ascending") for name in table.order])
    return _store(store, table, parquet_bytes(data), data.num_rows)


def _write_series(store: ObjectStore, table: Table, keys: Sequence[str]) -> Iterator[TableFile]:
    """Join series files into files near the target size, one row group per source, so that a stage is found fast."""
    buffer, writer, rows = io.BytesIO(), None, 0
    for _, data in read_many(store, keys):
        if data is None:
            raise TransientError("a data object vanished", subject=table.name, remedy="polyomics verify")
        file = pq.ParquetFile(io.BytesIO(data))
        for group in range(file.num_row_groups):
            if writer is None:
                buffer = io.BytesIO()
                writer, rows = pq.ParquetWriter(buffer, table.schema, compression="zstd"), 0
            part = conformed(table, file.read_row_group(group))
            writer.write_table(part, row_group_size=max(part.num_rows, 1))
            rows += part.num_rows
        if writer is not None and buffer.tell() >= TARGET_BYTES:
            writer.close()
            writer = None
            yield _store(store, table, buffer.getvalue(), rows)
    if writer is not None:
        writer.close()
        yield _store(store, table, buffer.getvalue(), rows)


def conformed(table: Table, data: pa.Table) -> pa.Table:
    """Return an older file's rows in the table's present schema: columns added since are null."""
    arrays = []
    for column in table.columns:
        if column.name in data.column_names:
            arrays.append(data.column(column.name).combine_chunks())
        else:
            arrays.append(pa.nulls(data.num_rows, column.kind.arrow))
    return pa.Table.from_arrays(arrays, schema=table.schema)


def _groups(files: Sequence[TableFile]) -> Iterator[list[TableFile]]:
    group: list[TableFile] = []
    for file in files:
        if group and sum(member.size for member in group) + file.size > TARGET_BYTES:
            yield group
            group = []
        group.append(file)
    if group:
        yield group


def _merge(store: ObjectStore, table: Table, group: Sequence[TableFile]) -> Iterator[TableFile]:
    if len(group) == 1:
        yield group[0]
    elif table.series:
        yield from _write_series(store, table, [file.key for file in group])
    else:
        parts = [conformed(table, pq.read_table(io.BytesIO(store.get(file.key)))) for file in group]
        yield _write_rows(store, table, pa.concat_tables(parts))


def _store(store: ObjectStore, table: Table, data: bytes, rows: int) -> TableFile:
    key = layout.table_key(table.name, hashlib.sha256(data).hexdigest())
    store.create(key, data)
    return TableFile(table.name, key, rows, len(data))
