"""Checkpoints of running stages: numbered generations of opaque bytes, at most two kept."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING
from uuid import uuid4

from polyomics.errors import NotFoundError
from polyomics.store.layout import checkpoint_prefix

if TYPE_CHECKING:
    from polyomics.store.interface import ObjectStore

_KEPT = 2


class StoreCheckpoints:
    """Checkpoints of one stage in the object store.

    Parameters
    ----------
    store
        The object store.
    stage_key
        The stage.
    """

    def __init__(self, store: ObjectStore, stage_key: str) -> None:
        self.store = store
        self._prefix = checkpoint_prefix(stage_key)

    def save(self, data: bytes) -> int:
        """Store a new generation and drop all but the newest two; returns its number, from 1.

        Two writers never overwrite each other: every generation has a name of its own.
        """
        generation = max(self._generations(), default=0) + 1
        digest = hashlib.sha256(data).hexdigest()
        self.store.put(f"{self._prefix}{generation:010d}-{uuid4().hex[:12]}", digest.encode() + b"\n" + data)
        for key in self._keys()[:-_KEPT]:
            self.store.delete(key)
        return generation

    def load(self) -> bytes | None:
        """Return the newest checkpoint that is whole, or None; a damaged one is passed over."""
        for key in reversed(self._keys()):
            try:
                head, _, data = self.store.get(key).partition(b"\n")
            except NotFoundError:
                continue
            if hashlib.sha256(data).hexdigest().encode() == head:
                return data
        return None

    def clear(self) -> None:
        """Delete all checkpoints, once the stage's marker exists."""
        for key in self._keys():
            self.store.delete(key)

    def _keys(self) -> list[str]:
        return [info.key for info in self.store.list(self._prefix)]

    def _generations(self) -> list[int]:
        return [int(key.removeprefix(self._prefix).partition("-")[0]) for key in self._keys()]
