"""Owns descriptors at rest: vectors by identity key in create-only Parquet objects of a store."""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from polyomics.learn.descriptors.kernel_mean import Floats
    from polyomics.store.interface import ObjectStore


class DescriptorCache:
    """Vectors of one store, below ``learn/descriptors/<family>-<version>/``.

    Objects are named by the keys they hold and never change, so that many writers can add at once.

    Parameters
    ----------
    store
        Where the objects live.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._known: dict[str, dict[str, Floats]] = {}

    def get(self, family: str, version: str, keys: Iterable[str]) -> dict[str, Floats]:
        """Return the vectors that are there, by key."""
        known = self._load(family, version)
        return {key: known[key] for key in keys if key in known}

    def put(self, family: str, version: str, vectors: Mapping[str, Floats]) -> None:
        """Keep vectors by key."""
        table = pa.table(
            {"key": list(vectors), "vector": pa.array([v.tolist() for v in vectors.values()], pa.list_(pa.float64()))}
        )
        sink = io.BytesIO()
        pq.write_table(table, sink, compression="zstd")
        data = sink.getvalue()
        name = hashlib.sha256("\n".join(sorted(vectors)).encode()).hexdigest()[:32]
        self._store.create(f"{_prefix(family, version)}{name}.parquet", data)
        self._load(family, version).update(vectors)

    def _load(self, family: str, version: str) -> dict[str, Floats]:
        prefix = _prefix(family, version)
        if prefix not in self._known:
            known: dict[str, Floats] = {}
            for info in self._store.list(prefix):
                table = pq.read_table(io.BytesIO(self._store.get(info.key)))
                flat = table["vector"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
                matrix = np.asarray(flat, dtype=np.float64).reshape(table.num_rows, -1)
                known.update(zip(table["key"].to_pylist(), matrix, strict=True))
            self._known[prefix] = known
        return self._known[prefix]


def _prefix(family: str, version: str) -> str:
    return f"learn/descriptors/{family}-{version}/"
