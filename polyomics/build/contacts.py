"""Closest contacts of a cell by the number of bonds between the atoms."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import coo_matrix, identity
from scipy.spatial import cKDTree

from polyomics.build.spearing import wrapped

if TYPE_CHECKING:
    from polyomics.build.cell import Cell
    from polyomics.polymer.topology import FloatArray, IntArray, Topology

FAR = 4
"""Separation that stands for four bonds or more, and for different molecules."""


@dataclass(frozen=True, eq=False)
class Contacts:
    """Close pairs of a cell.

    Parameters
    ----------
    pairs
        Atom indices, shape (p, 2).
    distances
        nm, nearest image, shape (p,).
    separations
        Bonds between the atoms: 1, 2, 3, or 4 for more and for different molecules, shape (p,).
    polar
        Whether one of the two is an H on N, O or S, shape (p,).
    """

    pairs: IntArray
    distances: FloatArray
    separations: IntArray
    polar: IntArray

    def closest(self, separation: int = FAR, polar: bool | None = None) -> float:
        """Return the smallest distance in nm at a separation; infinity where there is no close pair."""
        chosen = self.separations == separation
        if polar is not None:
            chosen &= self.polar.astype(bool) == polar
        return float(self.distances[chosen].min()) if chosen.any() else float("inf")


def close_contacts(cell: Cell, within: float = 0.25) -> Contacts:
    """Return all pairs of atoms nearer than ``within`` nm over periodic images."""
    tree = cKDTree(wrapped(cell.positions, cell.box), boxsize=cell.box)
    pairs = tree.query_pairs(within, output_type="ndarray").astype(np.int64)
    shift = cell.positions[pairs[:, 0]] - cell.positions[pairs[:, 1]]
    shift -= cell.box * np.round(shift / cell.box)
    molecules = cell.assembly.molecules()
    starts = cell.assembly.molecule_starts()
    owner = np.searchsorted(starts, pairs, side="right") - 1
    separations = np.full(len(pairs), FAR, dtype=np.int64)
    polar = np.zeros(cell.assembly.n_atoms, dtype=bool)
    for index, topology in enumerate(molecules):
        polar[starts[index] : starts[index + 1]] = polar_hydrogens(topology)
        mine = np.flatnonzero((owner == index).all(axis=1))
        local = pairs[mine] - starts[index]
        separations[mine] = _separations(topology, local)
    return Contacts(pairs, np.linalg.norm(shift, axis=1), separations, polar[pairs].any(axis=1).astype(np.int64))


@lru_cache(maxsize=64)
def _shells(topology: Topology) -> tuple[IntArray, ...]:
    """Return codes ``i * n + j`` (both orders, sorted) of pairs at most one, two and three bonds apart."""
    n = topology.n_atoms
    ends = np.concatenate([topology.bonds, topology.bonds[:, ::-1]])
    bonded = coo_matrix((np.ones(len(ends), dtype=np.int64), (ends[:, 0], ends[:, 1])), shape=(n, n)).tocsr()
    step = bonded + identity(n, dtype=np.int64, format="csr")
    shells, power = [], identity(n, dtype=np.int64, format="csr")
    for _ in range(FAR - 1):
        power = power @ step
        table = power.tocoo()
        shells.append(np.unique(table.row.astype(np.int64) * n + table.col))
    return tuple(shells)


def _separations(topology: Topology, pairs: IntArray) -> IntArray:
    result = np.full(len(pairs), FAR, dtype=np.int64)
    codes = pairs[:, 0] * topology.n_atoms + pairs[:, 1]
    for bonds, shell in reversed(list(enumerate(_shells(topology), start=1))):
        result[np.isin(codes, shell)] = bonds
    return result


@lru_cache(maxsize=64)
def polar_hydrogens(topology: Topology) -> IntArray:
    """Return which atoms are H bonded to N, O or S, shape (n,)."""
    polar = np.zeros(topology.n_atoms, dtype=bool)
    for one, two in ((0, 1), (1, 0)):
        hydrogen, heavy = topology.bonds[:, one], topology.bonds[:, two]
        chosen = (topology.numbers[hydrogen] == 1) & np.isin(topology.numbers[heavy], (7, 8, 16))
        polar[hydrogen[chosen]] = True
    return np.asarray(polar)
