"""Owns covariances between rows: one squared distance per descriptor block, joined into a few kernels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from polyomics.learn.models.features import Floats


def squared_distances(a: Floats, b: Floats) -> Floats:
    """Return mean squared differences over columns, shape (n, m)."""
    if not a.shape[1]:
        return np.zeros((len(a), len(b)))
    d2 = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None] - 2.0 * a @ b.T
    return np.asarray(np.maximum(d2, 0.0) / a.shape[1])


@dataclass(frozen=True, eq=False)
class Geometry:
    """Squared distances and linear products between two sets of rows.

    Parameters
    ----------
    distances
        Per block, shape (n, m), in units of the block's mean distance in the reference set.
    linear
        Inner product of the first block, shape (n, m), divided by its number of columns.
    """

    distances: dict[str, Floats]
    linear: Floats


@dataclass(frozen=True, eq=False)
class Metric:
    """The mean squared distance of each block in a reference set: what distances are measured in."""

    unit: dict[str, float]

    def between(self, a: Mapping[str, Floats], b: Mapping[str, Floats]) -> Geometry:
        """Return the geometry of rows ``a`` against rows ``b``; both are scaled blocks."""
        distances = {name: squared_distances(a[name], b[name]) / unit for name, unit in self.unit.items()}
        first = next(iter(self.unit))
        return Geometry(distances, a[first] @ b[first].T / max(1, a[first].shape[1]))


def metric_of(blocks: Mapping[str, Floats], most: int = 1000) -> Metric:
    """Return the metric of scaled blocks, measured on at most ``most`` evenly chosen rows."""
    n = len(next(iter(blocks.values())))
    rows = np.unique(np.linspace(0, n - 1, min(n, most)).astype(np.int64))
    units = {name: float(squared_distances(b[rows], b[rows]).mean()) or 1.0 for name, b in blocks.items()}
    return Metric(units)


def radial(geometry: Geometry, lengths: Mapping[str, float], shape: str = "matern52") -> Floats:
    """Return a stationary kernel of the summed block distances, each divided by its length squared.

    ``matern52`` or ``rbf``; blocks without a length do not count.
    """
    parts = [geometry.distances[name] / length**2 for name, length in lengths.items() if name in geometry.distances]
    d2 = np.sum(parts, axis=0)
    if shape == "rbf":
        return np.asarray(np.exp(-0.5 * d2))
    d = np.sqrt(5.0 * d2)
    return np.asarray((1.0 + d + d**2 / 3.0) * np.exp(-d))
