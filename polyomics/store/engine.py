"""DuckDB with the extensions of this installation, and its way to the store's files."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import duckdb

from polyomics.errors import PlatformError

if TYPE_CHECKING:
    from polyomics.store.interface import ObjectStore


def plain(threads: int | None = None) -> duckdb.DuckDBPyConnection:
    """Return an in-memory connection without extensions; it downloads nothing.

    Parameters
    ----------
    threads
        Threads of DuckDB; by default one per core. Work on catalogs is small, and faster with one.
    """
    config: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
    }
    if threads:
        config["threads"] = threads
    return duckdb.connect(config=config)


def connect(store: ObjectStore, threads: int | None = None) -> duckdb.DuckDBPyConnection:
    """Return an in-memory connection that knows DuckLake and can read the store's files.

    Raises
    ------
    PlatformError
        An extension wheel is missing or of another version than DuckDB.
    """
    connection = plain(threads)
    load(connection, "ducklake")
    if store.address.startswith("s3://"):
        load(connection, "httpfs")
        connection.execute("SET enable_http_metadata_cache = true")
        _use_credentials(connection, store)
    connection.execute("SET parquet_metadata_cache = true")  # files never change under their names
    return connection


def load(connection: duckdb.DuckDBPyConnection, extension: str) -> None:
    """Load an extension from its wheel in site-packages."""
    try:
        connection.execute(f"LOAD {literal(str(extension_path(extension)))}")
    except duckdb.Error as error:
        raise PlatformError(
            f"DuckDB {duckdb.__version__} cannot load {extension}: {error}",
            subject="duckdb",
            remedy=f"install duckdb-extension-{extension}=={duckdb.__version__}",
        ) from error


def extension_path(extension: str) -> Path:
    """Return where the wheel of an extension keeps its binary."""
    try:
        module = importlib.import_module(f"duckdb_extension_{extension}")
        return next(Path(str(module.__file__)).parent.rglob(f"{extension}.duckdb_extension"))
    except (ImportError, StopIteration) as error:
        raise PlatformError(
            f"the DuckDB extension {extension} is not installed",
            subject="duckdb",
            remedy=f"install duckdb-extension-{extension}=={duckdb.__version__}",
        ) from error


def literal(text: str) -> str:
    """Return a SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Return a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def _use_credentials(connection: duckdb.DuckDBPyConnection, store: Any) -> None:
    """Hand the session's present credentials to httpfs; without any, requests go unsigned (public stores)."""
    options: dict[str, str] = {"TYPE": "s3", "REGION": literal(store.region), "SCOPE": literal(f"s3://{store.bucket}")}
    credentials = store.session.get_credentials()
    if credentials is not None:
        frozen = credentials.get_frozen_credentials()
        options |= {"KEY_ID": literal(frozen.access_key), "SECRET": literal(frozen.secret_key)}
        if frozen.token:
            options["SESSION_TOKEN"] = literal(frozen.token)
    if store.endpoint:
        url = urlsplit(store.endpoint)
        options |= {
            "ENDPOINT": literal(url.netloc),
            "USE_SSL": "true" if url.scheme == "https" else "false",
            "URL_STYLE": literal("path"),
        }
    connection.execute(f"CREATE SECRET polyomics ({', '.join(f'{name} {value}' for name, value in options.items())})")
