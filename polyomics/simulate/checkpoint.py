"""Checkpoints: everything a killed stage needs to go on, portable between platforms, written atomically."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from polyomics.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

_MAGIC = b"POCP1\n"
_GENERATIONS = 2


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A stage in the middle.

    Parameters
    ----------
    plan
        Digest of the plan and seed it belongs to; a checkpoint of another plan is not used.
    step
        Steps done in the stage.
    state
        Portable state (OpenMM State XML).
    progress
        JSON-serialisable: target, attempts, incidents, engine memory.
    arrays
        Records and frames so far.
    blobs
        Snapshots at the ends of blocks.
    """

    plan: str
    step: int
    state: bytes
    progress: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    blobs: tuple[bytes, ...] = ()

    def to_bytes(self) -> bytes:
        """Return the checkpoint as bytes that carry their own checksum."""
        header = {"plan": self.plan, "step": self.step, "progress": dict(self.progress), "blobs": len(self.blobs)}
        buffer = io.BytesIO()
        pieces: dict[str, Any] = {f"array:{name}": array for name, array in self.arrays.items()}
        pieces |= {f"blob:{i}": np.frombuffer(blob, dtype=np.uint8) for i, blob in enumerate(self.blobs)}
        pieces["state"] = np.frombuffer(self.state, dtype=np.uint8)
        pieces["header"] = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
        np.savez(buffer, **pieces)
        body = buffer.getvalue()
        return _MAGIC + hashlib.sha256(body).digest() + body

    @classmethod
    def from_bytes(cls, data: bytes) -> Checkpoint:
        """Return a checkpoint.

        Raises
        ------
        polyomics.errors.InputError
            Truncated or damaged.
        """
        head = len(_MAGIC)
        body = data[head + 32 :]
        if data[:head] != _MAGIC or data[head : head + 32] != hashlib.sha256(body).digest():
            raise InputError("the checkpoint is truncated or damaged", field="checkpoint")
        with np.load(io.BytesIO(body)) as pieces:
            header = json.loads(pieces["header"].tobytes())
            arrays = {name[6:]: pieces[name] for name in pieces.files if name.startswith("array:")}
            blobs = tuple(pieces[f"blob:{i}"].tobytes() for i in range(header["blobs"]))
            state = pieces["state"].tobytes()
        return cls(header["plan"], header["step"], state, header["progress"], arrays, blobs)


class CheckpointSink(Protocol):
    """Where checkpoints go; the newest readable one comes back."""

    def save(self, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint; on return it survives a kill."""

    def load(self) -> Checkpoint | None:
        """Return the newest readable checkpoint, or None."""

    def clear(self) -> None:
        """Forget all checkpoints, after the stage's results are safe."""


class NoCheckpoints:
    """Keeps nothing."""

    def save(self, checkpoint: Checkpoint) -> None:
        """Drop it."""

    def load(self) -> Checkpoint | None:
        """Return None."""
        return None

    def clear(self) -> None:
        """Nothing to forget."""


class FileCheckpoints:
    """Checkpoints of one stage in one directory: at most two generations, each written whole or not at all.

    Parameters
    ----------
    directory
        Made where absent; belongs to one stage.
    """

    def __init__(self, directory: str | Path) -> None:
        self._directory = Path(directory)

    def save(self, checkpoint: Checkpoint) -> None:
        """Write to a temporary file, flush it to the disk, rename it, then drop all but two generations."""
        self._directory.mkdir(parents=True, exist_ok=True)
        self._prune()  # a kill between renaming and pruning may have left a third
        generations = self._generations()
        number = 1 + (self._number(generations[-1]) if generations else 0)
        handle, name = tempfile.mkstemp(dir=self._directory, prefix=".writing-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(checkpoint.to_bytes())
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, self._directory / f"checkpoint-{number:08d}.npz")
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        self._sync_directory()
        self._prune()

    def load(self) -> Checkpoint | None:
        """Return the newest readable checkpoint; a damaged one is passed over for the one before."""
        for path in reversed(self._generations()):
            try:
                return Checkpoint.from_bytes(path.read_bytes())
            except (InputError, OSError, ValueError, KeyError):
                continue
        return None

    def clear(self) -> None:
        """Remove all generations and leftovers."""
        for path in [*self._generations(), *self._directory.glob(".writing-*")]:
            path.unlink(missing_ok=True)

    def _prune(self) -> None:
        for path in [*self._generations()[:-_GENERATIONS], *self._directory.glob(".writing-*")]:
            path.unlink(missing_ok=True)

    def _generations(self) -> list[Path]:
        return sorted(self._directory.glob("checkpoint-*.npz"))

    @staticmethod
    def _number(path: Path) -> int:
        return int(path.stem.removeprefix("checkpoint-"))

    def _sync_directory(self) -> None:
        descriptor = os.open(self._directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
