"""Markers, failures and retries: the create-only objects that say what became of every stage."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from datetime import UTC, datetime
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING, Any

from polyomics.errors import ConflictError, InputError, NotFoundError, TransientError
from polyomics.store import canonical, layout
from polyomics.store.interface import Marker, StoredFile
from polyomics.store.rows import checked_rows, series_rows
from polyomics.store.schemas import ERRORS, MARKER_TABLES, TABLES, table_named

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from polyomics.store.interface import ObjectStore

_FORMAT = 1
_EXTENSIONS = {"thermo": "parquet"}
_MAX_FAILURES = 9999


class StageState(StrEnum):
    """What is known of a stage."""

    OPEN = "open"
    DONE = "done"
    FAILED = "failed"


class MarkerStore:
    """Completed and failed stages of one store.

    Parameters
    ----------
    store
        The object store.
    """

    def __init__(self, store: ObjectStore) -> None:
        self.store = store

    def get(self, stage_key: str) -> Marker | None:
        """Return the marker of a stage, or None where it has not completed."""
        try:
            return decode_marker(self.store.get(layout.marker_key(stage_key)))
        except NotFoundError:
            return None

    def get_many(self, stage_keys: Iterable[str]) -> Iterator[Marker]:
        """Yield the markers of completed stages in the order of their keys; absent ones are left out."""
        for _, data in read_many(self.store, (layout.marker_key(key) for key in stage_keys)):
            if data is not None:
                yield decode_marker(data)

    def done(self) -> Iterator[str]:
        """Yield the stage keys of all markers, in order."""
        for info in self.store.list(layout.TASKS):
            if info.key.endswith("/" + layout.MARKER_NAME):
                yield layout.stage_of(info.key)

    def write_file(self, name: str, data: bytes) -> StoredFile:
        """Store a data object under its content's hash, before the marker that will mention it.

        Parameters
        ----------
        name
            ``kind`` or ``kind.extension``, e.g. ``thermo``, ``snapshot.xml.gz``.
        data
            The bytes; a series table (``thermo``) must have the table's schema, see ``series_bytes``.
        """
        kind, _, extension = name.partition(".")
        table = TABLES.get(kind)
        rows = series_rows(kind, data) if table is not None and table.series else 0
        sha256 = hashlib.sha256(data).hexdigest()
        key = layout.data_key(kind, sha256, extension or _EXTENSIONS.get(kind, "bin"))
        self.store.create(key, data)  # taken means: the same bytes are already there
        return StoredFile(key=key, kind=kind, sha256=sha256, size=len(data), rows=rows)

    def read_file(self, file: StoredFile) -> bytes:
        """Return a stored file after checking its hash; raises NotFoundError, or TransientError where it is damaged."""
        data = self.store.get(file.key)
        if hashlib.sha256(data).hexdigest() != file.sha256:
            raise TransientError("the bytes do not match their hash", subject=file.key, remedy="polyomics verify")
        return data

    def commit(
        self, marker: Marker, files: Mapping[str, bytes] | None = None, *, deterministic: bool = False
    ) -> Marker:
        """Complete a stage: write its files, then its marker, which only the first writer creates.

        Parameters
        ----------
        marker
            The stage's result; ``files`` may already name what ``write_file`` stored.
        files
            Further files by ``kind`` or ``kind.extension``.
        deterministic
            Every run of this stage must give the same content.

        Returns
        -------
        Marker
            The marker in the store: this one, or that of whoever came first.

        Raises
        ------
        InputError
            A row does not fit its table; nothing is written.
        ConflictError
            A deterministic stage gave two different results; the first one stays.
        """
        marker = replace(marker, rows=_checked(marker))
        stored = tuple(self.write_file(name, data) for name, data in (files or {}).items())
        marker = replace(marker, files=(*marker.files, *stored))
        data = encode_marker(marker)
        if self.store.create(layout.marker_key(marker.stage_key), data):
            return decode_marker(data)
        winner = self.get(marker.stage_key)
        if winner is None:
            raise TransientError("the marker vanished while it was compared", subject=marker.stage_key)
        if deterministic and content_digest(winner) != content_digest(marker):
            raise ConflictError(
                "a deterministic stage gave another result than the one stored",
                subject=f"{marker.stage} {marker.stage_key}",
                remedy="compare the two machines' versions; the stored result stays",
            )
        return winner

    def fail(self, stage_key: str, failure: Mapping[str, Any]) -> int:
        """Record that a stage failed; returns the number of the failure, from 1.

        Parameters
        ----------
        stage_key
            The stage.
        failure
            A row of table ``errors``: at least ``class`` and ``message``; ``time`` is filled in.
        """
        row = checked_rows(ERRORS, [{"time": now(), **failure}])[0]
        return self._numbered(stage_key, row, len(self.failures(stage_key)) + 1)

    def failures(self, stage_key: str) -> list[dict[str, Any]]:
        """Return the failures of a stage in order, each with ``number`` and whether it was ``retried``."""
        names = [info.key for info in self.store.list(layout.stage_prefix(stage_key))]
        found = []
        for key in names:
            if "/failures/" in key:
                number = _number(key)
                row = canonical.decode(self.store.get(key))
                found.append({**row, "number": number, "retried": layout.retry_key(stage_key, number) in names})
        return found

    def retry(self, stage_key: str, reason: str = "") -> bool:
        """Lift the standing failure of a stage, so that it is open again; False where none stands."""
        standing = [row["number"] for row in self.failures(stage_key) if not row["retried"]]
        for number in standing:
            self.store.create(layout.retry_key(stage_key, number), canonical.encode({"reason": reason, "time": now()}))
        return bool(standing)

    def state(self, stage_key: str) -> StageState:
        """Return whether a stage is done, failed (a failure that nobody lifted) or open: one listing."""
        names = {info.key for info in self.store.list(layout.stage_prefix(stage_key))}
        if layout.marker_key(stage_key) in names:
            return StageState.DONE
        failed = {_number(key) for key in names if "/failures/" in key}
        lifted = {_number(key) for key in names if "/retries/" in key}
        return StageState.FAILED if failed - lifted else StageState.OPEN

    def announce(self, campaign: str, rows: Mapping[str, list[dict[str, Any]]]) -> str:
        """State rows of a campaign before any stage has run (``campaigns``, ``tasks``); returns the object's key.

        Announcing the same rows again changes nothing.
        """
        checked = {name: checked_rows(_open_table(name), part) for name, part in rows.items()}
        data = canonical.encode({"format": _FORMAT, "rows": checked})
        key = layout.announcement_key(campaign, hashlib.sha256(data).hexdigest())
        self.store.create(key, data)
        return key

    def _numbered(self, stage_key: str, row: Mapping[str, Any], first: int) -> int:
        data = canonical.encode(row)
        for number in range(first, _MAX_FAILURES + 1):
            if self.store.create(layout.failure_key(stage_key, number), data):
                return number
        raise InputError(f"more than {_MAX_FAILURES} failures", subject=stage_key, remedy="look at polyomics errors")


def encode_marker(marker: Marker) -> bytes:
    """Return the bytes of a marker object."""
    return canonical.encode({"format": _FORMAT, **asdict(marker)})


def decode_marker(data: bytes) -> Marker:
    """Return the marker behind its bytes; fields that a newer writer added are left out."""
    value = canonical.decode(data)
    files = tuple(StoredFile(**file) for file in value.get("files", []))
    known = {name: value[name] for name in Marker.__dataclass_fields__ if name in value and name != "files"}
    return Marker(**known, files=files)


def content_digest(marker: Marker) -> str:
    """Return the hash of what a marker says, without its provenance."""
    value = asdict(marker)
    del value["provenance"]
    value["files"] = sorted((file.kind, file.sha256) for file in marker.files)
    return canonical.digest(value)


def read_many(store: ObjectStore, keys: Iterable[str], threads: int = 32) -> Iterator[tuple[str, bytes | None]]:
    """Yield ``(key, bytes)`` in the order of the keys, reading ahead in threads; absent objects give None."""

    def read(key: str) -> tuple[str, bytes | None]:
        try:
            return key, store.get(key)
        except NotFoundError:
            return key, None

    if store.address.startswith("file:"):  # a page cache answers faster than a thread starts
        yield from map(read, keys)
        return
    pending = iter(keys)
    with ThreadPoolExecutor(threads) as pool:
        while batch := list(islice(pending, threads * 8)):
            yield from pool.map(read, batch)


def now() -> str:
    """Return the time as ISO-8601 UTC."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _checked(marker: Marker) -> dict[str, list[dict[str, Any]]]:
    return {name: checked_rows(_open_table(name), rows) for name, rows in marker.rows.items()}


def _open_table(name: str) -> Any:
    table = table_named(name)
    if name not in MARKER_TABLES:
        raise InputError("is filled by the store itself", subject=name, remedy=f"one of {', '.join(MARKER_TABLES)}")
    return table


def _number(key: str) -> int:
    return int(key.rpartition("/")[2].removesuffix(".json"))
