"""A force field that is not GAFF, beads on harmonic sticks: proof that the seam carries another one."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from polyomics.errors import UnsupportedError
from polyomics.forcefield.interface import Capabilities, Nonbonded, Parameters
from polyomics.forcefield.system import build_system

RADIUS = {1: 0.031, 6: 0.076, 8: 0.066}
MASS = {1: 1.008, 6: 12.011, 8: 15.999}


def neighbours(topology) -> list[list[int]]:
    near: list[list[int]] = [[] for _ in range(topology.n_atoms)]
    for a, b in topology.bonds.tolist():
        near[a].append(b)
        near[b].append(a)
    return near


class Toy:
    """Implements the ForceField protocol for C, H and O."""

    name = "toy"
    version = "1"
    capabilities = Capabilities(
        elements=frozenset({"H", "C", "O"}),
        stampable=False,
        needs_charges=False,
        constraints=frozenset({"hbonds", "none"}),
        largest_step_fs=2.0,
        nonbonded=Nonbonded(method="reaction_field", cutoff=0.9),
    )

    def parameters(self, topology, charges=()) -> Parameters:
        unknown = set(topology.numbers.tolist()) - set(RADIUS)
        if unknown:
            raise UnsupportedError(f"no bead for element {unknown}", subject=topology.name)
        near = neighbours(topology)
        n, bonds = topology.n_atoms, topology.bonds
        angles = [(a, j, b) for j in range(n) for a, b in combinations(near[j], 2)]
        propers = [
            (i, j, k, m) for j, k in bonds.tolist() for i in near[j] if i != k for m in near[k] if m not in (j, i)
        ]
        radius = np.array([RADIUS[z] for z in topology.numbers.tolist()])
        none = np.zeros(0)
        return Parameters(
            types=tuple(f"bead{z}" for z in topology.numbers.tolist()),
            masses=np.array([MASS[z] for z in topology.numbers.tolist()]),
            charges=np.zeros(n),
            sigma=np.full(n, 0.3),
            epsilon=np.full(n, 0.3),
            bonds=bonds,
            bond_r0=radius[bonds].sum(axis=1),
            bond_k=np.full(len(bonds), 250_000.0),
            angles=np.array(angles, dtype=np.int64).reshape(-1, 3),
            angle_theta0=np.full(len(angles), np.deg2rad(110.0)),
            angle_k=np.full(len(angles), 400.0),
            propers=np.array(propers, dtype=np.int64).reshape(-1, 4),
            proper_periodicity=np.full(len(propers), 3),
            proper_phase=np.zeros(len(propers)),
            proper_k=np.full(len(propers), 0.6),
            impropers=np.zeros((0, 4), dtype=np.int64),
            improper_periodicity=np.zeros(0, dtype=np.int64),
            improper_phase=none,
            improper_k=none,
        )

    def parametrise(self, assembly, charges, box, options):
        sets = [self.parameters(t) for t in assembly.species]
        return build_system(sets, assembly, box, options)
