"""The terms of a molecular graph: which atoms form bonds, angles, torsions and planar centres."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polyomics.polymer.topology import IntArray


@dataclass(frozen=True, eq=False)
class Terms:
    """Atom tuples of a graph.

    Parameters
    ----------
    bonds, angles, propers
        Shapes (m, 2), (a, 3) and (p, 4), each term once, its lower end first.
    centres
        Atoms with exactly three neighbours, then those neighbours ascending: shape (c, 4).
    """

    bonds: IntArray
    angles: IntArray
    propers: IntArray
    centres: IntArray


def find_terms(n_atoms: int, bonds: IntArray) -> Terms:
    """Return all terms of a graph.

    Parameters
    ----------
    n_atoms
        Number of atoms.
    bonds
        Atom pairs, shape (m, 2).
    """
    near = neighbours(n_atoms, bonds)
    angles = [(a, j, b) for j, around in enumerate(near) for a, b in combinations(around, 2)]
    propers = []
    for j, k in bonds.tolist():
        for i in near[j]:
            for m in near[k]:
                if i not in (k, m) and m != j:
                    propers.append((i, j, k, m) if i < m else (m, k, j, i))
    centres = [(j, *around) for j, around in enumerate(near) if len(around) == 3]
    return Terms(bonds, _array(angles, 3), _array(propers, 4), _array(centres, 4))


def neighbours(n_atoms: int, bonds: IntArray) -> list[list[int]]:
    """Return the bonded atoms of each atom, ascending."""
    near: list[list[int]] = [[] for _ in range(n_atoms)]
    for a, b in bonds.tolist():
        near[a].append(b)
        near[b].append(a)
    return [sorted(around) for around in near]


def bridges(n_atoms: int, bonds: IntArray) -> set[tuple[int, int]]:
    """Return the bonds that belong to no ring, lower atom first (lowest-link search, Tarjan 1974)."""
    near = neighbours(n_atoms, bonds)
    order = [-1] * n_atoms
    lowest = [0] * n_atoms
    found = set()
    count = 0
    for root in range(n_atoms):
        if order[root] >= 0:
            continue
        order[root] = lowest[root] = count
        count += 1
        stack = [(root, -1, iter(near[root]))]
        while stack:
            atom, parent, rest = stack[-1]
            for other in rest:
                if order[other] < 0:
                    order[other] = lowest[other] = count
                    count += 1
                    stack.append((other, atom, iter(near[other])))
                    break
                if other != parent:
                    lowest[atom] = min(lowest[atom], order[other])
            else:
                stack.pop()
                if parent >= 0:
                    lowest[parent] = min(lowest[parent], lowest[atom])
                    if lowest[atom] > order[parent]:
                        found.add((min(atom, parent), max(atom, parent)))
    return found


def _array(rows: Sequence[tuple[int, ...]], width: int) -> IntArray:
    return np.array(rows, dtype=np.int64).reshape(-1, width)
