"""Molecular graphs without coordinates: the values that pass between polymer, forcefield, build and simulate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from polyomics.polymer.psmiles import RepeatUnit

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Topology:
    """One molecule as a graph.

    Atom order of a chain is: atoms of the head cap, then the residues one after another, each in the order of its
    unit's ``mol`` (explicit H, stars removed), then atoms of the tail cap. A small molecule is one residue without
    caps.

    Parameters
    ----------
    numbers
        Atomic numbers, shape (n,).
    bonds
        Atom pairs with ``i < j``, lexicographically sorted, shape (m, 2).
    orders
        Kekulé bond orders 1, 2 or 3, shape (m,).
    formal_charges
        Formal charges, shape (n,); they sum to zero.
    residues
        Index of the repeat unit an atom belongs to, shape (n,); cap atoms belong to the residue they cap.
    template_atoms
        Index of the atom inside its unit's ``mol`` without stars, shape (n,); -1 for cap atoms.
    sequence
        Index into ``units`` of each residue, shape (n_residues,).
    units
        The distinct repeat units; empty for a small molecule.
    caps
        Number of atoms of head cap and tail cap.
    name
        Free text for people.
    """

    numbers: IntArray
    bonds: IntArray
    orders: IntArray
    formal_charges: IntArray
    residues: IntArray
    template_atoms: IntArray
    sequence: IntArray
    units: tuple[RepeatUnit, ...]
    caps: tuple[int, int] = (0, 0)
    name: str = ""

    @property
    def n_atoms(self) -> int:
        """Number of atoms."""
        return len(self.numbers)

    @property
    def n_residues(self) -> int:
        """Number of repeat units."""
        return len(self.sequence)


@dataclass(frozen=True, eq=False)
class Assembly:
    """The molecules of a cell in storage order: ``species[k]`` occurs ``counts[k]`` times in a row.

    Parameters
    ----------
    species
        Distinct molecular graphs.
    counts
        Copies of each.
    """

    species: tuple[Topology, ...]
    counts: tuple[int, ...]

    @property
    def n_atoms(self) -> int:
        """Number of atoms in the cell."""
        return sum(t.n_atoms * c for t, c in zip(self.species, self.counts, strict=True))

    @property
    def n_molecules(self) -> int:
        """Number of molecules in the cell."""
        return sum(self.counts)

    def molecule_starts(self) -> IntArray:
        """Return the first atom of each molecule and, last, the number of atoms: shape (n_molecules + 1,)."""
        sizes = [t.n_atoms for t, c in zip(self.species, self.counts, strict=True) for _ in range(c)]
        return np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)]).astype(np.int64)

    def molecules(self) -> tuple[Topology, ...]:
        """Return the graph of each molecule in storage order, length n_molecules."""
        return tuple(t for t, c in zip(self.species, self.counts, strict=True) for _ in range(c))

    def bonds(self) -> IntArray:
        """Return all bonds with atom indices of the cell, shape (n_bonds, 2)."""
        starts = self.molecule_starts()
        blocks = [t.bonds + start for t, start in zip(self.molecules(), starts, strict=False)]
        return np.concatenate(blocks) if blocks else np.zeros((0, 2), dtype=np.int64)

    def numbers(self) -> IntArray:
        """Return the atomic numbers of all atoms, shape (n_atoms,)."""
        return np.concatenate([t.numbers for t in self.molecules()])
