"""The object-store seam and the marker: what pipeline, campaign and committer share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class ObjectInfo:
    """One listed object."""

    key: str
    size: int
    etag: str
    modified: float


class ObjectStore(Protocol):
    """Flat keys with '/' below one root (``file://`` or ``s3://``)."""

    @property
    def address(self) -> str:
        """Root address, e.g. ``file:///data/first`` or ``s3://bucket/prefix``."""

    def get(self, key: str) -> bytes:
        """Return an object; raises NotFoundError."""

    def get_range(self, key: str, start: int, length: int) -> bytes:
        """Return ``length`` bytes from ``start``."""

    def head(self, key: str) -> ObjectInfo | None:
        """Return what is known of an object, or None."""

    def create(self, key: str, data: bytes) -> bool:
        """Write only if the key is free; True if this very call (or a retry of it) created it, False if taken."""

    def put(self, key: str, data: bytes) -> str:
        """Write unconditionally (heartbeats, checkpoints); returns the etag."""

    def replace(self, key: str, data: bytes, etag: str) -> str | None:
        """Compare and swap; returns the new etag, or None if the object changed meanwhile."""

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """Yield objects below a prefix in key order."""

    def delete(self, key: str) -> None:
        """Delete; deleting what is absent is no error."""


@dataclass(frozen=True)
class StoredFile:
    """A file that a stage wrote before its marker.

    Parameters
    ----------
    key
        Object key, content-addressed: ``data/<kind>/<k2>/<sha256>.<ext>``.
    kind
        ``thermo``, ``snapshot``, ``topology``, ``system``, ``frames`` …
    sha256, size
        Of the stored bytes.
    rows
        Rows of a Parquet file, else 0.
    """

    key: str
    kind: str
    sha256: str
    size: int
    rows: int = 0


@dataclass(frozen=True)
class Marker:
    """The create-only object that says a stage is complete, with its small rows inside (design decision 2).

    Parameters
    ----------
    stage_key
        ``H(stage, version, parameters, input keys)``.
    stage
        Stage name (unit, build, equilibrate, sample, dynamics, estimate …).
    version
        Algorithm version of the stage.
    parameters
        The stage's own parameters, as hashed.
    inputs
        Stage keys of its inputs by role.
    rows
        Small rows by table name; each conforms to the table's registered schema.
    files
        Files written before.
    outputs
        Small JSON outputs that later stages read.
    provenance
        Platform, host, versions, wall seconds: not part of the key.
    """

    stage_key: str
    stage: str
    version: int
    parameters: dict[str, Any]
    inputs: dict[str, str]
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    files: tuple[StoredFile, ...] = ()
    outputs: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
