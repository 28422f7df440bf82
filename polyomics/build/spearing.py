"""Bonds that pass through rings: a knot that no dynamics undoes and that must not be built."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from rdkit import Chem
from scipy.spatial import cKDTree

from polyomics.polymer.chain import to_rdkit

if TYPE_CHECKING:
    from polyomics.build.cell import Cell
    from polyomics.polymer.topology import Assembly, FloatArray, IntArray, Topology

LARGEST_RING = 8
_HALF_BOND = 0.12


@lru_cache(maxsize=64)
def rings_of(topology: Topology) -> tuple[tuple[int, ...], ...]:
    """Return the smallest rings of a molecule with up to eight members, atoms in order around the ring."""
    found = Chem.GetSSSR(to_rdkit(topology))
    return tuple(tuple(int(a) for a in ring) for ring in found if len(ring) <= LARGEST_RING)


def speared_rings(cell: Cell) -> list[tuple[tuple[int, ...], tuple[int, int]]]:
    """Return every ring with a bond through it: (atoms of the ring, atoms of the bond), empty in a sound cell.

    Bonds and rings are taken by their nearest periodic images, so crossings over the boundary count. A ring is the fan
    of triangles from its centre to its edges.

    Parameters
    ----------
    cell
        Positions in nm, wrapped or not.
    """
    rings = _all_rings(cell.assembly)
    if not rings:
        return []
    bonds, box = cell.assembly.bonds(), cell.box
    start = cell.positions[bonds[:, 0]]
    along = cell.positions[bonds[:, 1]] - start
    along -= box * np.round(along / box)
    tree = cKDTree(wrapped(start + 0.5 * along, box), boxsize=box)
    found = []
    for ring in rings:
        shifts = cell.positions[list(ring)] - cell.positions[ring[0]]
        shifts -= box * np.round(shifts / box)
        centre = cell.positions[ring[0]] + shifts.mean(axis=0)
        corners = shifts - shifts.mean(axis=0)
        reach = float(np.linalg.norm(corners, axis=1).max()) + _HALF_BOND
        near = np.array(tree.query_ball_point(wrapped(centre[None], box)[0], reach), dtype=np.int64)
        near = near[~np.isin(bonds[near], ring).any(axis=1)]
        begin = start[near] + 0.5 * along[near] - centre
        begin -= box * np.round(begin / box) + 0.5 * along[near]
        for index in near[_crosses(begin, along[near], corners)]:
            found.append((ring, (int(bonds[index, 0]), int(bonds[index, 1]))))
    return found


def _all_rings(assembly: Assembly) -> list[tuple[int, ...]]:
    starts = assembly.molecule_starts()
    return [
        tuple(int(start) + a for a in ring)
        for topology, start in zip(assembly.molecules(), starts, strict=False)
        for ring in rings_of(topology)
    ]


def wrapped(points: FloatArray, box: FloatArray) -> FloatArray:
    """Return points inside the box; rounding may put a point on the upper edge, which the tree refuses."""
    inside = points - box * np.floor(points / box)
    return np.asarray(np.where(inside >= box, 0.0, inside), dtype=np.float64)


def _crosses(begin: FloatArray, along: FloatArray, corners: FloatArray) -> IntArray:
    """Return which segments (b, 3) cross the fan of triangles (centre at the origin): Möller-Trumbore, shape (b,)."""
    one, two = corners[None], np.roll(corners, -1, axis=0)[None]
    direction = np.broadcast_to(along[:, None], (len(along), len(corners), 3))
    p = np.cross(direction, two)
    determinant = np.sum(one * p, axis=-1)
    safe = np.where(np.abs(determinant) < 1e-14, np.inf, determinant)
    u = np.sum(begin[:, None] * p, axis=-1) / safe
    q = np.cross(np.broadcast_to(begin[:, None], direction.shape), np.broadcast_to(one, direction.shape))
    v = np.sum(direction * q, axis=-1) / safe
    t = np.sum(two * q, axis=-1) / safe
    inside = (u >= 0) & (v >= 0) & (u + v <= 1) & (t >= 0) & (t <= 1) & np.isfinite(safe)
    return np.flatnonzero(inside.any(axis=1))
