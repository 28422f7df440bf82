"""Owns the question whether a row lies where a model has seen data: its nearest neighbour in descriptor space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from polyomics.learn.models.kernels import Metric, metric_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from polyomics.learn.models.features import Floats

SHARE = 0.99
"""A row is inside if it is no further from the training rows than this share of them are from one another."""
MOST = 5000


@dataclass(frozen=True, eq=False)
class Domain:
    """Training rows and the distance up to which a row counts as inside.

    Parameters
    ----------
    blocks
        Scaled training rows (at most 5,000, evenly chosen).
    metric
        Of the distances.
    limit
        Largest squared distance.
    """

    blocks: dict[str, Floats]
    metric: Metric
    limit: float

    def nearest(self, blocks: Mapping[str, Floats]) -> Floats:
        """Return the squared distance of each row to its nearest training row, shape (t,)."""
        n = len(next(iter(blocks.values())))
        parts = [
            _joint(self.metric, {k: b[start : start + 1000] for k, b in blocks.items()}, self.blocks).min(axis=1)
            for start in range(0, n, 1000)
        ]
        return np.concatenate(parts) if parts else np.zeros(0)

    def inside(self, blocks: Mapping[str, Floats]) -> NDArray[np.bool_]:
        """Tell which rows are inside, shape (t,)."""
        return np.asarray(self.nearest(blocks) <= self.limit)


def fit_domain(blocks: Mapping[str, Floats]) -> Domain:
    """Return the domain of training rows."""
    n = len(next(iter(blocks.values())))
    rows = np.unique(np.linspace(0, n - 1, min(n, MOST)).astype(np.int64))
    kept = {name: block[rows] for name, block in blocks.items()}
    metric = metric_of(kept)
    probe = np.arange(0, len(rows), max(1, len(rows) // 1000))
    distances = _joint(metric, {name: block[probe] for name, block in kept.items()}, kept)
    distances[np.arange(len(probe)), probe] = np.inf
    return Domain(kept, metric, float(np.quantile(distances.min(axis=1), SHARE)) if len(rows) > 1 else 0.0)


def _joint(metric: Metric, a: Mapping[str, Floats], b: Mapping[str, Floats]) -> Floats:
    return np.asarray(np.mean(list(metric.between(a, b).distances.values()), axis=0))
