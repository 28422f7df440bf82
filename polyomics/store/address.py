"""From an address to an opened store, and the store's format object."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from polyomics.errors import InputError, NotFoundError, PlatformError
from polyomics.store import canonical
from polyomics.store.layout import FORMAT_KEY, FORMAT_VERSION
from polyomics.store.local import LocalStore

if TYPE_CHECKING:
    from polyomics.store.interface import ObjectStore


def open_store(address: str | os.PathLike[str], *, create: bool = True) -> ObjectStore:
    """Open a store by address.

    Parameters
    ----------
    address
        A directory, ``file:///directory`` or ``s3://bucket/prefix``. Another S3 server than Amazon's is named by
        ``POLYOMICS_S3_ENDPOINT``, read now.
    create
        Make the store where there is none; otherwise NotFoundError.

    Raises
    ------
    InputError
        The address is of no known kind.
    NotFoundError
        There is no store and ``create`` is false.
    PlatformError
        The store was written by a newer PolyOmics.
    """
    store = _connect(os.fspath(address))
    _check_format(store, create)
    return store


def data_root(store: ObjectStore) -> str:
    """Return the root as DuckDB spells it, with a closing slash: ``/directory/`` or ``s3://bucket/prefix/``."""
    return store.address.removeprefix("file://").rstrip("/") + "/"


def _connect(address: str) -> ObjectStore:
    if not address:
        raise InputError("the address is empty", field="store", remedy="a directory or s3://bucket/prefix")
    scheme, separator, rest = address.partition("://")
    if not separator:
        return LocalStore(address)
    if scheme == "file":
        return LocalStore(rest)
    if scheme == "s3":
        from polyomics.store.s3 import S3Store  # boto3 costs half a second that a directory store need not pay

        return S3Store(address)
    raise InputError(f"unknown scheme {scheme}://", field="store", remedy="a directory, file:// or s3://bucket/prefix")


def _check_format(store: ObjectStore, create: bool) -> None:
    if isinstance(store, LocalStore) and store.root.exists() and not store.root.is_dir():
        raise InputError("is a file, not a directory", subject=str(Path(store.root)), field="store")
    if store.head(FORMAT_KEY) is None:
        if not create:
            raise NotFoundError("no PolyOmics store here", subject=store.address, remedy="check the address")
        store.create(FORMAT_KEY, canonical.encode({"format": FORMAT_VERSION}))
    version = canonical.decode(store.get(FORMAT_KEY)).get("format")
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise PlatformError(
            f"the store has format {version}; this PolyOmics knows up to {FORMAT_VERSION}",
            subject=store.address,
            remedy="upgrade PolyOmics",
        )
