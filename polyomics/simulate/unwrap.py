"""Whole molecules from wrapped coordinates: OpenMM wraps each constrained group by itself, this joins chains again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import breadth_first_order, connected_components

if TYPE_CHECKING:
    from polyomics.polymer.topology import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class BondTree:
    """A spanning forest of the bond graph, prepared for unwrapping in O(n log depth) array operations.

    Parameters
    ----------
    parents
        Parent of each atom, shape (n,); a root is its own parent.
    jumps
        Ancestors at distance 1, 2, 4, ... of each atom, shape (levels, n).
    """

    parents: IntArray
    jumps: IntArray

    @classmethod
    def from_bonds(cls, n_atoms: int, bonds: IntArray) -> BondTree:
        """Return the forest of a graph.

        Parameters
        ----------
        n_atoms
            Number of atoms.
        bonds
            Atom pairs, shape (m, 2).
        """
        pairs = np.asarray(bonds, dtype=np.int64).reshape(-1, 2)
        graph = coo_matrix((np.ones(len(pairs)), pairs.T), shape=(n_atoms, n_atoms))
        _, labels = connected_components(graph, directed=False)
        roots = np.unique(labels, return_index=True)[1]
        # One virtual atom joined to every root makes the forest a tree, so that a single search finds all parents.
        rows = np.concatenate([pairs[:, 0], np.full(len(roots), n_atoms)])
        columns = np.concatenate([pairs[:, 1], roots])
        joined = coo_matrix((np.ones(len(rows)), (rows, columns)), shape=(n_atoms + 1, n_atoms + 1)).tocsr()
        _, found = breadth_first_order(joined, n_atoms, directed=False)
        parents = found[:n_atoms].astype(np.int64)
        parents[roots] = roots
        jumps = [parents]
        while np.any(jumps[-1] != jumps[-1][jumps[-1]]):
            jumps.append(jumps[-1][jumps[-1]])
        return cls(parents, np.stack(jumps))

    def unwrap(self, positions: FloatArray, box: FloatArray) -> FloatArray:
        """Return positions in which every bond of the tree is its shortest image; roots stay where they are.

        Parameters
        ----------
        positions
            nm, wrapped in any way, shape (..., n, 3).
        box
            Edges of the rectangular cell, nm, shape (3,) or broadcastable to the leading shape of ``positions``.

        Returns
        -------
        FloatArray
            nm, shape (..., n, 3).
        """
        edges = np.asarray(box, dtype=np.float64)
        edges = edges[..., None, :]
        images = -np.rint((positions - positions[..., self.parents, :]) / edges)
        for jump in self.jumps:
            images = images + images[..., jump, :]
        whole: FloatArray = positions + images * edges
        return whole
