"""Alkane cells made by hand (GAFF2's c3 and hc), so that simulation is tested without the builder and the typer."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np

from polyomics.forcefield.interface import Nonbonded, Parameters, SystemOptions
from polyomics.forcefield.system import build_system
from polyomics.polymer.topology import Assembly, Topology
from polyomics.simulate.engine import Start

KCAL = 4.184
OPTIONS = SystemOptions(Nonbonded(cutoff=0.7), hydrogen_mass=3.0)


def alkane(n_carbons):
    """All-trans CnH2n+2 along x: topology and positions (nm)."""
    index = np.arange(n_carbons)
    carbons = np.stack([0.1256 * index, 0.0445 * (-1.0) ** index, 0.0 * index], axis=1)
    atoms, positions, bonds = [6] * n_carbons, list(carbons), [(i, i + 1) for i in range(n_carbons - 1)]
    for i, at in enumerate(carbons):
        side = (-1.0) ** i
        offsets = [(0.0, 0.063 * side, 0.09), (0.0, 0.063 * side, -0.09)]
        if i in (0, n_carbons - 1):
            offsets.append((-0.09 if i == 0 else 0.09, -0.063 * side, 0.0))
        for offset in offsets:
            bonds.append((i, len(atoms)))
            atoms.append(1)
            positions.append(at + np.array(offset))
    n = len(atoms)
    zeros = np.zeros(n, dtype=np.int64)
    topology = Topology(
        np.array(atoms, dtype=np.int64), np.array(sorted(bonds), dtype=np.int64), np.ones(len(bonds), dtype=np.int64),
        zeros, zeros, np.arange(n, dtype=np.int64), np.zeros(1, dtype=np.int64), (), name=f"C{n_carbons}",
    )  # fmt: skip
    return topology, np.array(positions)


def parameters(topology):
    z, bonds = topology.numbers, topology.bonds
    neighbours = [[] for _ in z]
    for i, j in bonds:
        neighbours[i].append(int(j))
        neighbours[j].append(int(i))
    ch = np.any(z[bonds] == 1, axis=1)
    angles = [(a, j, b) for j in range(len(z)) for a, b in combinations(neighbours[j], 2)]
    outer = np.array([int(z[a] == 1) + int(z[b] == 1) for a, _, b in angles])
    propers, periodicity, phase, k = [], [], [], []
    for i, j in bonds[~ch]:
        for a in neighbours[i]:
            for b in neighbours[j]:
                if a == j or b == i:
                    continue
                terms = {
                    0: [(3, 0.0, 0.13), (2, np.pi, 0.29), (1, 0.0, 0.11)],
                    1: [(3, 0.0, 0.08)],
                    2: [(3, 0.0, 0.12)],
                }
                for n, delta, height in terms[int(z[a] == 1) + int(z[b] == 1)]:
                    propers.append((a, i, j, b))
                    periodicity.append(n)
                    phase.append(delta)
                    k.append(height * KCAL)
    hydrogens = np.array([sum(z[n] == 1 for n in neighbours[i]) for i in range(len(z))])
    none = np.zeros(0)
    return Parameters(
        types=tuple("c3" if n == 6 else "hc" for n in z), masses=np.where(z == 6, 12.011, 1.008),
        charges=np.where(z == 6, -0.05 * hydrogens, 0.05), sigma=np.where(z == 6, 0.33977, 0.26002),
        epsilon=np.where(z == 6, 0.1078, 0.0208) * KCAL,
        bonds=bonds, bond_r0=np.where(ch, 0.1097, 0.1538), bond_k=np.where(ch, 375.92, 232.52) * 2 * KCAL * 100,
        angles=np.array(angles), angle_theta0=np.radians(np.array([111.51, 109.8, 107.58])[outer]),
        angle_k=np.array([64.9, 46.8, 39.0])[outer] * 2 * KCAL,
        propers=np.array(propers), proper_periodicity=np.array(periodicity), proper_phase=np.array(phase),
        proper_k=np.array(k), impropers=np.zeros((0, 4), dtype=np.int64),
        improper_periodicity=np.zeros(0, dtype=np.int64), improper_phase=none, improper_k=none,
    )  # fmt: skip


def cell(n_chains=12, n_carbons=8, options=OPTIONS, edge=None, seed=1):
    """Chains on a lattice in a dilute box, turned at random about x: assembly, System and start."""
    topology, shape = alkane(n_carbons)
    assembly = Assembly((topology,), (n_chains,))
    side = int(np.ceil(np.sqrt(n_chains)))
    edge = edge or max(0.13 * n_carbons + 0.6, 0.75 * side)
    rng = np.random.default_rng(seed)
    blocks = []
    for index in range(n_chains):
        angle = rng.uniform(0, 2 * np.pi)
        turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
        shift = np.array([0.3, (index // side + 0.5) * edge / side, (index % side + 0.5) * edge / side])
        blocks.append(shape @ turn.T + shift)
    box = np.full(3, edge)
    return assembly, build_system([parameters(topology)], assembly, box, options), Start(np.concatenate(blocks), box)


def with_options(**changes):
    return replace(OPTIONS, **changes)
