"""Owns where the electrostatic potential is sampled: Merz–Kollman shells around a molecule."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial.distance import cdist

if TYPE_CHECKING:
    from polyomics.polymer.topology import FloatArray, IntArray

BOHR = 0.529177210903
"""Å per bohr."""

RADII = {1: 1.20, 6: 1.50, 7: 1.50, 8: 1.40, 9: 1.35, 15: 1.80, 16: 1.75, 17: 1.70, 35: 1.85, 53: 1.98}
"""Radii in Å: Singh and Kollman 1984 (doi:10.1002/jcc.540050204) as used by Merz and Kollman; Br and I from Bondi."""

SHELLS = (1.4, 1.6, 1.8, 2.0)
"""Radii of the four shells in units of :data:`RADII`."""

DENSITY = 1.0
"""Points per Å² on each shell."""


def shell_points(numbers: IntArray, positions: FloatArray) -> FloatArray:
    """Return points on the fused-sphere surfaces of the four shells.

    Parameters
    ----------
    numbers
        Atomic numbers, shape (n,).
    positions
        Å, shape (n, 3).

    Returns
    -------
    Points in Å, shape (m, 3): of each atom's spherical (Fibonacci) lattice those outside all other spheres.
    """
    radii = np.array([RADII[int(z)] for z in numbers])
    blocks = []
    for scale in SHELLS:
        for k, radius in enumerate(scale * radii):
            points = positions[k] + radius * _sphere(max(1, round(4 * np.pi * radius**2 * DENSITY)))
            apart = cdist(points, positions)
            apart[:, k] = np.inf
            blocks.append(points[(apart >= scale * radii).all(axis=1)])
    return np.concatenate(blocks)


def inverse_distances(points: FloatArray, positions: FloatArray) -> FloatArray:
    """Return 1/r in 1/bohr between points and atoms (both Å), shape (m, n): the potential of unit charges."""
    return np.asarray(BOHR / cdist(points, positions), dtype=np.float64)


def _sphere(count: int) -> FloatArray:
    k = np.arange(count) + 0.5
    height = 1 - 2 * k / count
    turn = np.pi * (1 + np.sqrt(5)) * k
    radius = np.sqrt(1 - height**2)
    return np.stack([radius * np.cos(turn), radius * np.sin(turn), height], axis=1)
