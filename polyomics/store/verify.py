"""Checking a store: markers against catalog rows, catalog rows against markers, files against their hashes."""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from polyomics.store import layout
from polyomics.store.catalog import Snapshot, folded_sources, latest, load_snapshot
from polyomics.store.fold import bears_rows, source_rows
from polyomics.store.markers import decode_marker, read_many
from polyomics.store.schemas import TABLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from polyomics.store.interface import ObjectStore, StoredFile

_EXAMPLES = 5
_PER_STAGE = tuple(table.name for table in TABLES.values() if table.column("stage_key") and not table.series)


@dataclass
class _Stored:
    """What the create-only objects say."""

    sources: set[str] = field(default_factory=set)
    rows: Counter[tuple[str, str]] = field(default_factory=Counter)  # (table, stage key)
    series: Counter[str] = field(default_factory=Counter)  # rows by series table
    stages: set[str] = field(default_factory=set)
    files: dict[str, StoredFile] = field(default_factory=dict)


def verify(store: ObjectStore, *, hashes: bool = True) -> dict[str, Any]:
    """Check that the newest snapshot says exactly what the markers say and that every file is whole.

    Parameters
    ----------
    store
        The store.
    hashes
        Read every file and compare its hash; otherwise only sizes are compared.

    Returns
    -------
    dict
        ``ok`` and ``checks``: per check ``name``, ``ok``, ``count`` and up to five ``examples``. Unreferenced files
        and open attempts are counted, but are no inconsistency: an interrupted writer leaves them.
    """
    newest = latest(store)
    snapshot = load_snapshot(store, newest) if newest else Snapshot(0, ())
    stored = _read_sources(store)
    found, series = _catalog_rows(store, snapshot)
    folded = folded_sources(store, snapshot)
    broken, present = _broken_files(store, stored, snapshot, hashes)
    checks = [
        _check("marker_without_row", [*_unfolded(stored, folded), *_lacking(stored.rows, found)]),
        _check("row_without_marker", [*sorted(folded - stored.sources), *_lacking(found, stored.rows)]),
        _check("duplicate_stage", _duplicates(store, snapshot)),
        _check("series_rows", [f"{name}: {n} rows stored" for name, n in (stored.series - series).items()]),
        _check("missing_or_corrupt_file", broken),
        _check("unreferenced_file", _unreferenced(store, stored, present, newest), binding=False),
        _check("open_attempts", _open_attempts(store, snapshot), binding=False),
    ]
    return {"ok": all(check["ok"] for check in checks), "checks": checks}


def _check(name: str, found: Iterable[str], *, binding: bool = True) -> dict[str, Any]:
    items = list(found)
    return {"name": name, "ok": not (binding and items), "count": len(items), "examples": items[:_EXAMPLES]}


def _read_sources(store: ObjectStore) -> _Stored:
    stored = _Stored()
    keys = (info.key for prefix in (layout.CAMPAIGNS, layout.TASKS) for info in store.list(prefix))
    for key, data in read_many(store, (key for key in keys if bears_rows(key))):
        if data is None:
            continue
        stored.sources.add(key)
        for table, rows in source_rows(key, data).items():
            if table in _PER_STAGE:
                stored.rows.update((table, row.get("stage_key") or "") for row in rows)
        if key.endswith("/" + layout.MARKER_NAME):
            marker = decode_marker(data)
            stored.stages.add(marker.stage_key)
            for file in marker.files:
                stored.files[file.key] = file
                if file.kind in TABLES and TABLES[file.kind].series:
                    stored.series[file.kind] += file.rows
    return stored


def _catalog_rows(store: ObjectStore, snapshot: Snapshot) -> tuple[Counter[tuple[str, str]], Counter[str]]:
    """Count the catalog's rows per table and stage, straight from its files."""
    found: Counter[tuple[str, str]] = Counter()
    series: Counter[str] = Counter()
    for file in snapshot.files:
        if file.table in _PER_STAGE:
            for stage_key in _column(store, file.key, "stage_key"):
                found[file.table, stage_key or ""] += 1
        elif TABLES[file.table].series:
            series[file.table] += file.rows
    return found, series


def _column(store: ObjectStore, key: str, name: str) -> list[Any]:
    column: list[Any] = pq.read_table(io.BytesIO(store.get(key)), columns=[name]).column(name).to_pylist()
    return column


def _unfolded(stored: _Stored, folded: set[str]) -> list[str]:
    return sorted(stored.sources - folded)


def _lacking(there: Counter[tuple[str, str]], here: Counter[tuple[str, str]]) -> list[str]:
    """Name what is there more often than here."""
    return [f"{table} {stage_key}: {count} rows" for (table, stage_key), count in sorted((there - here).items())]


def _duplicates(store: ObjectStore, snapshot: Snapshot) -> list[str]:
    counts: Counter[str] = Counter()
    for file in snapshot.files:
        if file.table in ("stages", "sources"):
            counts.update(_column(store, file.key, TABLES[file.table].identity[0]))
    return sorted(name for name, count in counts.items() if count > 1)


def _broken_files(
    store: ObjectStore, stored: _Stored, snapshot: Snapshot, hashes: bool
) -> tuple[list[str], dict[str, int]]:
    """Return the files that are missing or damaged, and the sizes of all data objects."""
    present = {info.key: info.size for info in store.list(layout.DATA)}
    wanted = {file.key: (file.sha256, file.size) for file in stored.files.values()}
    wanted |= {file.key: (file.key.rpartition("/")[2].partition(".")[0], file.size) for file in snapshot.files}
    broken = [f"{key}: missing" for key in wanted if key not in present]
    broken += [f"{key}: size" for key, (_, size) in wanted.items() if present.get(key, size) != size]
    if hashes:
        whole = [key for key, (_, size) in wanted.items() if present.get(key) == size]
        broken += [f"{key}: hash" for key, data in read_many(store, whole) if not _matches(data, wanted[key][0])]
    return broken, present


def _matches(data: bytes | None, sha256: str) -> bool:
    return data is not None and hashlib.sha256(data).hexdigest() == sha256


def _unreferenced(store: ObjectStore, stored: _Stored, present: dict[str, int], newest: int) -> Iterator[str]:
    """Yield data objects that neither a marker nor any catalog names."""
    referenced = set(stored.files)
    sequences = (layout.catalog_sequence(info.key) for info in store.list(layout.CATALOG))
    for sequence in sequences:
        if sequence is not None and sequence <= newest:
            referenced.update(file.key for file in load_snapshot(store, sequence).files)
    yield from (key for key in present if key not in referenced)


def _open_attempts(store: ObjectStore, snapshot: Snapshot) -> list[str]:
    closed: dict[str, bool] = {}
    for file in snapshot.files:
        if file.table == "attempts":
            ends = zip(_column(store, file.key, "attempt_id"), _column(store, file.key, "closed"), strict=True)
            for attempt, end in ends:
                closed[attempt] = closed.get(attempt, False) or end is not None
    return sorted(attempt for attempt, done in closed.items() if not done)
