"""SQL over a published snapshot: opening it read-only, running queries, explaining mistakes."""

from __future__ import annotations

import difflib
import re
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from polyomics.errors import InputError, NotFoundError, PolyOmicsError, TransientError
from polyomics.store import layout
from polyomics.store.address import data_root, open_store
from polyomics.store.catalog import latest
from polyomics.store.engine import connect, literal

if TYPE_CHECKING:
    import os

    import pandas as pd
    import pyarrow as pa

    from polyomics.store.interface import ObjectStore

_CATALOG = "polyomics"


class Result:
    """The answer to one query.

    Parameters
    ----------
    table
        The rows.
    stats
        ``snapshot``, ``rows``, ``seconds``, ``s3_requests``.
    """

    def __init__(self, table: pa.Table, stats: dict[str, Any]) -> None:
        self._table = table
        self.stats = stats

    @property
    def columns(self) -> list[str]:
        """Column names."""
        return list(self._table.column_names)

    def arrow(self) -> pa.Table:
        """Return the rows as an Arrow table."""
        return self._table

    def df(self) -> pd.DataFrame:
        """Return the rows as a pandas data frame."""
        frame: pd.DataFrame = self._table.to_pandas()
        return frame

    def rows(self) -> list[tuple[Any, ...]]:
        """Return the rows as tuples of Python values."""
        return list(zip(*(column.to_pylist() for column in self._table.columns), strict=True))

    def dicts(self) -> list[dict[str, Any]]:
        """Return the rows as dicts, as JSON output prints them."""
        return list(self._table.to_pylist())

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def __repr__(self) -> str:
        return str(self.df())


class Database:
    """A snapshot of a store, attached read-only.

    Parameters
    ----------
    store
        The store.
    at
        Snapshot number, or None for the newest.
    """

    def __init__(self, store: ObjectStore, at: int | str | None = None) -> None:
        self.store = store
        self.sequence = _sequence(store, at)
        self._folder = tempfile.TemporaryDirectory(prefix="polyomics-")
        path = Path(self._folder.name) / "catalog.ducklake"
        path.write_bytes(_catalog_bytes(store, self.sequence))
        self._connection = connect(store)
        self._connection.execute(
            f"ATTACH {literal(f'ducklake:{path}')} AS {_CATALOG} "
            f"(READ_ONLY, DATA_PATH {literal(data_root(store))}, OVERRIDE_DATA_PATH true)"
        )
        self._connection.execute(f"USE {_CATALOG}")
        self._remote = store.address.startswith("s3://")
        if self._remote:
            self._connection.execute("CALL enable_logging('HTTP')")

    @property
    def snapshot(self) -> str:
        """The snapshot's name, which a citation gives."""
        return f"{self.sequence:020d}"

    def sql(self, query: str) -> Result:
        """Run a query.

        Raises
        ------
        InputError
            The query is wrong; the remedy names tables or columns that exist.
        TransientError
            A file could not be read.
        """
        started, before = time.monotonic(), self._requests()
        try:
            table = self._connection.execute(query).to_arrow_table()
        except duckdb.Error as error:
            raise self._explained(error) from error
        stats = {
            "snapshot": self.snapshot,
            "rows": table.num_rows,
            "seconds": round(time.monotonic() - started, 4),
            "s3_requests": self._requests() - before,
        }
        return Result(table, stats)

    def tables(self) -> dict[str, list[str]]:
        """Return the views and their columns."""
        found: dict[str, list[str]] = {}
        rows = self._connection.execute(
            "SELECT table_name, column_name FROM duckdb_columns() "
            f"WHERE database_name = '{_CATALOG}' AND schema_name = 'main' ORDER BY table_name, column_index"
        ).fetchall()
        for name, column in rows:
            found.setdefault(name, []).append(column)
        return found

    def close(self) -> None:
        """Release the connection and the copy of the catalog."""
        self._connection.close()
        self._folder.cleanup()

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _requests(self) -> int:
        if not self._remote:
            return 0
        row = self._connection.execute("SELECT count(*) FROM duckdb_logs WHERE type = 'HTTP'").fetchone()
        return int(row[0]) if row else 0

    def _explained(self, error: duckdb.Error) -> PolyOmicsError:
        message = str(error).split("\n\nLINE")[0].strip()
        if isinstance(error, (duckdb.IOException, duckdb.HTTPException)):
            return TransientError(
                message, subject=self.store.address, remedy="polyomics verify, then publish --rebuild"
            )
        return InputError(message.split("\n")[0], subject="query", remedy=self._remedy(message))

    def _remedy(self, message: str) -> str:
        tables = self.tables()
        missing = re.search(r'Referenced column "([^"]+)"', message)
        if missing:
            everything = sorted({column for columns in tables.values() for column in columns})
            near = difflib.get_close_matches(missing.group(1), everything, n=4, cutoff=0.5)
            places = [f"{name} (in {', '.join(t for t in tables if name in tables[t])})" for name in near]
            return f"columns like it: {'; '.join(places)}" if places else "DESCRIBE <table> lists the columns"
        if "does not exist" in message:
            return f"tables are {', '.join(tables)}"
        return "check the SQL (DuckDB's dialect)"


def open(address: str | os.PathLike[str], at: int | str | None = None) -> Database:
    """Open a store for SQL; raises NotFoundError where there is no store or nothing has been published."""
    return Database(open_store(address, create=False), at)


def _sequence(store: ObjectStore, at: int | str | None) -> int:
    if at is None:
        newest = latest(store)
        if not newest:
            raise NotFoundError("nothing has been published yet", subject=store.address, remedy="polyomics publish")
        return newest
    try:
        return int(at)
    except ValueError:
        raise InputError(f"{at!r} is not a snapshot number", field="at", remedy="e.g. 3") from None


def _catalog_bytes(store: ObjectStore, sequence: int) -> bytes:
    try:
        return store.get(layout.catalog_key(sequence))
    except NotFoundError:
        raise NotFoundError(
            f"there is no snapshot {sequence}", subject=store.address, field="at", remedy=f"1 to {latest(store)}"
        ) from None
