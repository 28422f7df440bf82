"""Atoms already in a periodic box, and quick answers to which of them are near a point."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from polyomics.build.spearing import wrapped

if TYPE_CHECKING:
    from polyomics.polymer.topology import FloatArray

_PENDING = 600


class Periodic:
    """Atoms in a rectangular periodic box.

    Parameters
    ----------
    box
        Edges, Å, shape (3,).
    """

    def __init__(self, box: FloatArray) -> None:
        self.box = box
        self._points = np.zeros((0, 3))
        self._radius = np.zeros(0)
        self._depth = np.zeros(0)
        self._tree: cKDTree | None = None
        self._indexed = 0

    def add(self, points: FloatArray, radius: FloatArray, depth: FloatArray) -> None:
        """Add atoms: positions (n, 3) in Å, minimum distances (Å) and depths (kcal/mol) (n,)."""
        self._points = np.concatenate([self._points, wrapped(points, self.box)])
        self._radius = np.concatenate([self._radius, radius])
        self._depth = np.concatenate([self._depth, depth])
        if len(self._points) - self._indexed > _PENDING:
            self._tree = cKDTree(self._points, boxsize=self.box)
            self._indexed = len(self._points)

    def near(self, centre: FloatArray, radius: float) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return positions (n, 3) in the image nearest to ``centre``, minimum distances and depths (n,)."""
        recent = self.images(self._points[self._indexed :] - centre)
        chosen = np.flatnonzero(np.einsum("ij,ij->i", recent, recent) < radius * radius) + self._indexed
        if self._tree is not None:
            inside = min(radius, 0.499 * float(self.box.min()))
            found = sorted(self._tree.query_ball_point(wrapped(centre[None], self.box)[0], inside))
            chosen = np.concatenate([np.array(found, dtype=np.int64), chosen])
        return self.images(self._points[chosen] - centre) + centre, self._radius[chosen], self._depth[chosen]

    def images(self, shifts: FloatArray) -> FloatArray:
        """Return ``shifts`` (n, 3) reduced to the nearest periodic image."""
        return np.asarray(shifts - self.box * np.round(shifts / self.box), dtype=np.float64)
