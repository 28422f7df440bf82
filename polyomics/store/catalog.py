"""Publishing: the single committer that turns objects into numbered, immutable catalog files."""

from __future__ import annotations

import io
import resource
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from polyomics.errors import NotFoundError, TransientError
from polyomics.store import layout
from polyomics.store.address import data_root
from polyomics.store.engine import connect, identifier, literal, plain
from polyomics.store.fold import TableFile, compact, fold, pending_sources
from polyomics.store.schemas import TABLES
from polyomics.store.views import plain_sql, view_statements

if TYPE_CHECKING:
    import duckdb

    from polyomics.store.interface import ObjectStore

_TRIES = 20
_ALIAS = "polyomics_building"  # DuckLake replaces "alias." in view texts, so nothing else may end like it
_BLOCK_SIZE = 16384  # bytes; a catalog of a laptop is then 0.5 MB instead of 5 MB


@dataclass(frozen=True)
class Snapshot:
    """A published state of the catalog.

    Parameters
    ----------
    sequence
        Its number, from 1; 0 before the first.
    files
        Live files of all tables.
    """

    sequence: int
    files: tuple[TableFile, ...]

    @property
    def name(self) -> str:
        """The number in 20 digits."""
        return f"{self.sequence:020d}"


def publish(store: ObjectStore, rebuild: bool = False) -> dict[str, Any]:
    """Fold everything new into the catalog and publish a new snapshot; nothing new, no new snapshot.

    Parameters
    ----------
    store
        The store.
    rebuild
        Make the catalog from markers alone, whatever it says now.

    Returns
    -------
    dict
        ``snapshot``, ``seq``, live ``files``, ``rows`` and ``markers`` added now, ``pending`` objects left over,
        ``seconds``, ``s3`` requests by kind and ``peak_mb`` of this process.

    Raises
    ------
    TransientError
        Other committers were faster each time.
    """
    started, before = time.monotonic(), _requests(store)
    for _ in range(_TRIES):
        newest = latest(store)
        base = Snapshot(newest, ()) if rebuild or not newest else load_snapshot(store, newest)
        folded = folded_sources(store, base)
        sources = list(pending_sources(store, folded))
        if newest and not sources and not rebuild:
            _ensure_views(store, base)
            return _report(store, base, [], 0, started, before)
        added = list(fold(store, sources))
        snapshot = Snapshot(newest + 1, tuple(compact(store, _distinct([*base.files, *added]))))
        data, views = build_catalog(store, snapshot)
        if store.create(layout.catalog_key(snapshot.sequence), data):
            store.create(layout.views_key(snapshot.sequence), views)
            markers = sum(key.endswith("/" + layout.MARKER_NAME) for key in sources)
            return _report(store, snapshot, added, markers, started, before)
    raise TransientError("other committers were faster each time", subject=store.address, remedy="publish again")


def latest(store: ObjectStore) -> int:
    """Return the number of the newest snapshot, 0 where nothing has been published."""
    numbers = (layout.catalog_sequence(info.key) for info in store.list(layout.CATALOG))
    return max((number for number in numbers if number is not None), default=0)


def load_snapshot(store: ObjectStore, sequence: int) -> Snapshot:
    """Return the files of a snapshot as its catalog file names them; raises NotFoundError."""
    try:
        data = store.get(layout.catalog_key(sequence))
    except NotFoundError:
        raise NotFoundError(
            f"there is no snapshot {sequence}", subject=store.address, field="at", remedy="polyomics publish"
        ) from None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "catalog.ducklake"
        path.write_bytes(data)
        with plain(threads=1) as connection:
            connection.execute(f"ATTACH {literal(str(path))} AS meta (READ_ONLY)")
            rows = connection.execute(
                "SELECT t.table_name, f.path, f.record_count, f.file_size_bytes FROM meta.ducklake_data_file AS f "
                "JOIN meta.ducklake_table AS t USING (table_id) WHERE f.end_snapshot IS NULL ORDER BY ALL"
            ).fetchall()
    return Snapshot(sequence, tuple(TableFile(*row) for row in rows))


def folded_sources(store: ObjectStore, snapshot: Snapshot) -> set[str]:
    """Return the keys of the objects whose rows a snapshot holds."""
    folded: set[str] = set()
    for file in snapshot.files:
        if file.table == "sources":
            column = pq.read_table(io.BytesIO(store.get(file.key)), columns=["source"]).column("source")
            folded.update(column.to_pylist())
    return folded


def build_catalog(store: ObjectStore, snapshot: Snapshot) -> tuple[bytes, bytes]:
    """Return a DuckLake catalog file over a snapshot's files, and its views as plain SQL.

    The catalog is made afresh each time: registering a file twice cannot happen, and a snapshot is one file that
    stays as it is. Paths are kept relative to the root, so that a moved store needs no new catalog.
    """
    names = {table: [file.key for file in snapshot.files if file.table == table] for table in TABLES}
    root = data_root(store)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "catalog.ducklake"
        with connect(store, threads=1) as connection:
            connection.execute(
                f"ATTACH {literal(f'ducklake:{path}')} AS {_ALIAS} (DATA_PATH {literal(root)}, "
                f"META_BLOCK_SIZE {_BLOCK_SIZE}, DATA_INLINING_ROW_LIMIT 0)"
            )
            connection.execute("BEGIN")
            _register(connection, root, names)
            wide = _wide_columns(connection)
            for name, select in view_statements(f"{_ALIAS}.raw.", f"{_ALIAS}.main.", wide).items():
                connection.execute(f"CREATE VIEW {_ALIAS}.main.{name} AS {select}")
            connection.execute("COMMIT")
            connection.execute(f"DETACH {_ALIAS}")
            _finish(connection, path, root)
        data = path.read_bytes()
    return data, plain_sql(root if root.startswith("s3://") else "", names, wide).encode()


def _register(connection: duckdb.DuckDBPyConnection, root: str, names: dict[str, list[str]]) -> None:
    connection.execute(f"CREATE SCHEMA {_ALIAS}.raw")
    for table in TABLES.values():
        columns = ", ".join(f"{identifier(column.name)} {column.kind.sql}" for column in table.columns)
        connection.execute(f"CREATE TABLE {_ALIAS}.raw.{table.name} ({columns})")
        if names[table.name]:
            files = ", ".join(literal(root + key) for key in names[table.name])
            connection.execute(
                f"CALL ducklake_add_data_files({literal(_ALIAS)}, {literal(table.name)}, [{files}], "
                "schema => 'raw', allow_missing => true)"
            )


def _wide_columns(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    """Return the (property, component) pairs that are in the default view, in order."""
    return connection.execute(
        f"SELECT DISTINCT property, component FROM {_ALIAS}.raw.properties "
        "WHERE default_view AND quality <> 'rejected' AND value IS NOT NULL ORDER BY ALL"
    ).fetchall()


def _finish(connection: duckdb.DuckDBPyConnection, path: Path, root: str) -> None:
    """Correct what ``ducklake_add_data_files`` of DuckLake 1.5.5 writes into the catalog.

    Absolute paths become DuckLake's relative ones (``path_is_relative``, below ``data_path``). And every column may
    hold nulls: it derives "no nulls" from the files that have the column, so that for files older than the column
    DuckDB's optimiser returns garbage in GROUP BY.
    """
    connection.execute(f"ATTACH {literal(str(path))} AS meta")
    connection.execute("UPDATE meta.ducklake_schema SET path = '', path_is_relative = true")
    connection.execute("UPDATE meta.ducklake_table SET path = '', path_is_relative = true")
    connection.execute(
        "UPDATE meta.ducklake_data_file SET path = substr(path, ?), path_is_relative = true", [len(root) + 1]
    )
    connection.execute("UPDATE meta.ducklake_table_column_stats SET contains_null = true")
    connection.execute("DETACH meta")


def _distinct(files: list[TableFile]) -> list[TableFile]:
    """Return each file once: equal rows folded twice have one name, and DuckLake would count them twice."""
    return list({file.key: file for file in files}.values())


def _ensure_views(store: ObjectStore, snapshot: Snapshot) -> None:
    """Write the plain views of a snapshot whose committer died before it could."""
    key = layout.views_key(snapshot.sequence)
    if store.head(key) is None:
        store.create(key, build_catalog(store, snapshot)[1])


def _requests(store: ObjectStore) -> Counter[str]:
    return Counter(getattr(store, "requests", {}))


def _report(
    store: ObjectStore,
    snapshot: Snapshot,
    added: list[TableFile],
    markers: int,
    started: float,
    before: Counter[str],
) -> dict[str, Any]:
    spent = _requests(store) - before
    return {
        "snapshot": snapshot.name,
        "seq": snapshot.sequence,
        "files": len(snapshot.files),
        "rows": sum(file.rows for file in added if file.table != "sources"),
        "markers": markers,
        "pending": 0,
        "seconds": round(time.monotonic() - started, 3),
        "s3": {kind: spent.get(kind, 0) for kind in ("GET", "PUT", "LIST", "HEAD")},
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }
