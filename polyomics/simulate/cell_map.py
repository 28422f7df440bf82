"""What records need to know of a cell: its molecules, their ends, masses and charges, and its constrained groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import openmm
from openmm.app import element
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components, shortest_path

from polyomics.errors import InputError
from polyomics.polymer.chain import backbone
from polyomics.simulate.unwrap import BondTree

if TYPE_CHECKING:
    from polyomics.polymer.topology import Assembly, FloatArray, IntArray, Topology


@dataclass(frozen=True, eq=False)
class CellMap:
    """The invariable part of a cell.

    Parameters
    ----------
    starts
        First atom of each molecule, shape (c,).
    masses
        True atomic masses, amu, shape (n,): repartitioned ones would shift radii of gyration.
    charges
        Partial charges, e, shape (n,); zero where the System has no NonbondedForce.
    ends
        First and last backbone atom of each molecule, shape (c, 2); for a small molecule its two most distant atoms.
    tree
        Spanning forest of the bonds.
    groups
        Index of the constrained group of each atom, shape (n,).
    group_masses
        Masses that the System moves with, amu, shape (n,): group centres refer to these.
    constraints, lengths
        Constrained pairs (k, 2) and their distances, nm, (k,).
    """

    starts: IntArray
    masses: FloatArray
    charges: FloatArray
    ends: IntArray
    tree: BondTree
    groups: IntArray
    group_masses: FloatArray
    constraints: IntArray
    lengths: FloatArray

    @classmethod
    def of(cls, assembly: Assembly, system: openmm.System) -> CellMap:
        """Return the map of a cell.

        Raises
        ------
        polyomics.errors.InputError
            The System has another number of particles than the assembly has atoms.
        """
        count = system.getNumParticles()
        if count != assembly.n_atoms:
            raise InputError(f"a System of {count} particles for a cell of {assembly.n_atoms} atoms", field="system")
        starts = assembly.molecule_starts()[:-1]
        numbers = assembly.numbers()
        weight = {z: element.Element.getByAtomicNumber(int(z)).mass._value for z in np.unique(numbers)}
        rows = [system.getConstraintParameters(i) for i in range(system.getNumConstraints())]
        pairs = np.array([row[:2] for row in rows], dtype=np.int64).reshape(-1, 2)
        ends = np.concatenate(
            [np.tile(_ends(t), (c, 1)) for t, c in zip(assembly.species, assembly.counts, strict=True)]
        )
        return cls(
            starts=starts,
            masses=np.array([weight[z] for z in numbers.tolist()]),
            charges=_charges(system),
            ends=ends + starts[:, None],
            tree=BondTree.from_bonds(count, assembly.bonds()),
            groups=_components(count, pairs),
            group_masses=np.array([system.getParticleMass(i)._value for i in range(count)]),
            constraints=pairs,
            lengths=np.array([row[2]._value for row in rows]),
        )

    @property
    def n_molecules(self) -> int:
        """Number of molecules."""
        return len(self.starts)

    @property
    def mass(self) -> float:
        """Mass of the cell, amu."""
        return float(self.masses.sum())

    @property
    def n_degrees(self) -> int:
        """Degrees of freedom after constraints; Langevin noise does not conserve momentum, so none is removed."""
        return 3 * len(self.masses) - len(self.constraints)

    def per_molecule(self, values: FloatArray) -> FloatArray:
        """Return sums over the atoms of each molecule, shape (n, ...) to (c, ...)."""
        sums: FloatArray = np.add.reduceat(values, self.starts, axis=0)
        return sums

    def centers(self, whole: FloatArray) -> FloatArray:
        """Return the centre of mass of each molecule from whole coordinates, nm, shape (c, 3)."""
        return self.per_molecule(self.masses[:, None] * whole) / self.per_molecule(self.masses)[:, None]

    def spread(self, per_molecule: FloatArray) -> FloatArray:
        """Return a value per molecule repeated for each of its atoms."""
        sizes = np.diff(np.append(self.starts, len(self.masses)))
        return np.repeat(per_molecule, sizes, axis=0)

    def scale_groups(self, whole: FloatArray, factor: float) -> FloatArray:
        """Return whole coordinates with the constrained groups moved apart by ``factor``, each kept rigid."""
        total = np.bincount(self.groups, self.group_masses)
        weighted = [np.bincount(self.groups, self.group_masses * whole[:, k]) / total for k in range(3)]
        moved: FloatArray = whole + (factor - 1.0) * np.stack(weighted, axis=1)[self.groups]
        return moved

    def worst_constraint(self, whole: FloatArray) -> float:
        """Return the largest relative error of a constrained distance; 0 without constraints."""
        if not len(self.constraints):
            return 0.0
        found = np.linalg.norm(whole[self.constraints[:, 0]] - whole[self.constraints[:, 1]], axis=1)
        return float(np.max(np.abs(found / self.lengths - 1.0)))


def _ends(topology: Topology) -> IntArray:
    if topology.units:
        spine = backbone(topology)
        return np.array([spine.first, spine.last], dtype=np.int64)
    if topology.n_atoms == 1:
        return np.zeros(2, dtype=np.int64)
    # Heavy atoms where there are two of them: terminal hydrogens spin and say little of the molecule's extent.
    heavy = np.flatnonzero(topology.numbers > 1)
    chosen = heavy if len(heavy) > 1 else np.arange(topology.n_atoms)
    graph = coo_matrix((np.ones(len(topology.bonds)), topology.bonds.T), shape=(topology.n_atoms, topology.n_atoms))
    distance = shortest_path(graph.tocsr(), directed=False, unweighted=True, indices=chosen)[:, chosen]
    first, last = np.unravel_index(int(np.argmax(distance)), distance.shape)
    return chosen[[first, last]].astype(np.int64)


def _components(count: int, pairs: IntArray) -> IntArray:
    graph = coo_matrix((np.ones(len(pairs)), pairs.T), shape=(count, count))
    labels: IntArray = connected_components(graph, directed=False)[1].astype(np.int64)
    return labels


def _charges(system: openmm.System) -> FloatArray:
    for force in system.getForces():
        if isinstance(force, openmm.NonbondedForce):
            return np.array([force.getParticleParameters(i)[0]._value for i in range(force.getNumParticles())])
    return np.zeros(system.getNumParticles())
