"""Filling a cell: every molecule grown or set where it overlaps nothing, reproducibly from one seed."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from rdkit import Chem
from rdkit.Chem import rdDistGeom, rdForceFieldHelpers

from polyomics.build.blocks import LIBRARY_SEED
from polyomics.build.cell import Cell
from polyomics.build.grow import grow_chain, random_rotations
from polyomics.build.library import Library, library_of
from polyomics.build.potential import Typing
from polyomics.build.spec import assembly_of, cell_mass, component_of_species, edge_at
from polyomics.build.surroundings import Periodic
from polyomics.errors import InputError, NumericsError
from polyomics.polymer.chain import to_rdkit

if TYPE_CHECKING:
    from polyomics.build.stereo import UnitStereo
    from polyomics.build.system import Component, SystemSpec
    from polyomics.polymer.topology import FloatArray, IntArray, Topology

_STARTS, _TRIES = 20, 200
_CLEAR = 2.4
"""Least distance in Å between atoms of a small molecule and what is already there."""


def place_molecules(spec: SystemSpec, rng: np.random.Generator) -> Cell:
    """Return a cell with all molecules in it, at the start density and not yet relaxed.

    Chains are grown one after another inside the periodic box, around those that are there (their own images too);
    small molecules are set at random. No two chains are alike.

    Parameters
    ----------
    spec
        What is in the cell.
    rng
        Source of randomness.

    Raises
    ------
    polyomics.errors.InputError
        The tacticity contradicts a written stereocentre.
    polyomics.errors.NumericsError
        No room was found.
    """
    assembly = assembly_of(spec)
    edge = 10.0 * edge_at(cell_mass(assembly), spec.start_density)
    box = np.full(3, edge)
    around = Periodic(box)
    owners = component_of_species(spec)
    libraries: dict[tuple[str, tuple[str, str]], Library] = {}
    blocks: list[list[FloatArray]] = [[] for _ in assembly.species]
    # Chains first: small molecules find room in what is left.
    order = sorted(range(len(assembly.species)), key=lambda k: (owners[k].kind == "molecule", k))
    for index in order:
        topology, component = assembly.species[index], owners[index]
        for _ in range(assembly.counts[index]):
            if component.kind == "molecule":
                points = _set_molecule(topology, rng, around)
            else:
                name = component.units[0].psmiles, component.end_groups
                library = libraries.setdefault(name, cached_library(topology, component.end_groups))
                points = _set_chain(library, topology, component, rng, around)
            blocks[index].append(points)
    positions = np.concatenate([points for group in blocks for points in group])
    return Cell(assembly, 0.1 * positions, 0.1 * box)


@lru_cache(maxsize=32)
def _library(text: str, ends: tuple[str, str]) -> list[Library]:
    return []


def cached_library(topology: Topology, ends: tuple[str, str]) -> Library:
    """Return the conformer library of a chain's unit, made once per process: it does not depend on any seed."""
    slot = _library(topology.units[0].text, ends)
    if not slot:
        slot.append(library_of(topology, ends))
    return slot[0]


def _set_chain(
    library: Library, topology: Topology, component: Component, rng: np.random.Generator, around: Periodic
) -> FloatArray:
    signs = centre_signs(library.stereo, topology.n_residues, component, rng)
    for attempt in range(_STARTS):
        try:
            grown = grow_chain(library, signs, rng, around, rng.uniform(size=3) * around.box)
            break
        except NumericsError:
            if attempt == _STARTS - 1:
                raise
    around.add(grown.points, grown.radius, grown.depth)
    return grown.points


def centre_signs(stereo: UnitStereo, n_units: int, component: Component, rng: np.random.Generator) -> IntArray:
    """Return the handedness of each unit's backbone centres, shape (n_units, n_centres).

    Isotactic: successive centres of one kind are equal; syndiotactic: they alternate; atactic: independent and even.
    What the PSMILES writes stays as written.

    Raises
    ------
    polyomics.errors.InputError
        Syndiotactic is asked of a centre whose configuration is written.
    """
    signs = rng.choice(np.array([-1, 1]), size=(n_units, len(stereo.centres)))
    kinds = np.array([c.kind for c in stereo.centres], dtype=np.int64)
    written = np.array([c.written for c in stereo.centres], dtype=np.int64)
    if component.tacticity != "atactic":
        for kind in np.unique(kinds):
            columns = np.flatnonzero(kinds == kind)
            run = np.full(n_units * len(columns), rng.choice([-1, 1]))
            if component.tacticity == "syndiotactic":
                run[1::2] *= -1
            signs[:, columns] = run.reshape(n_units, len(columns))
    if component.tacticity == "syndiotactic" and written.any():
        raise InputError(
            "syndiotactic contradicts the stereocentre written in the unit, which is the same in every unit",
            subject=component.units[0].psmiles,
            field="tacticity",
            remedy="isotactic or atactic, or leave out the @ marks",
        )
    return np.where(written != 0, written, signs).astype(np.int64)


@lru_cache(maxsize=32)
def _molecule_conformers(topology: Topology) -> tuple[FloatArray, FloatArray]:
    """Return relaxed conformers (m, n, 3) in Å and sizes (n, 2) of a small molecule."""
    mol = Chem.AddHs(Chem.MolFromSmiles(topology.name))
    if [a.GetAtomicNum() for a in mol.GetAtoms()] != topology.numbers.tolist():
        mol = to_rdkit(topology)
    settings: Any = rdDistGeom.ETKDGv3()
    settings.randomSeed = LIBRARY_SEED
    if not list(rdDistGeom.EmbedMultipleConfs(mol, 10, settings)):
        raise NumericsError("no conformer could be embedded", subject=topology.name, remedy="check its stereo marks")
    if rdForceFieldHelpers.MMFFHasAllMoleculeParams(mol):
        rdForceFieldHelpers.MMFFOptimizeMoleculeConfs(mol, maxIters=200)
    typing = Typing(mol)
    sizes = np.array([typing.size(k) for k in range(mol.GetNumAtoms())])
    points = np.stack([c.GetPositions() for c in mol.GetConformers()])
    return np.asarray(points - points.mean(axis=1, keepdims=True)), sizes


def _set_molecule(topology: Topology, rng: np.random.Generator, around: Periodic) -> FloatArray:
    conformers, sizes = _molecule_conformers(topology)
    reach = float(np.linalg.norm(conformers, axis=-1).max()) + _CLEAR
    for _ in range(_TRIES):
        centre = rng.uniform(size=3) * around.box
        turned = conformers[rng.integers(len(conformers))] @ random_rotations(rng, 1)[0] + centre
        others, _radius, _depth = around.near(centre, reach)
        gaps = np.linalg.norm(turned[:, None] - others[None], axis=-1)
        if not gaps.size or gaps.min() > _CLEAR:
            around.add(turned, sizes[:, 0], sizes[:, 1])
            return np.asarray(turned, dtype=np.float64)
    raise NumericsError(
        f"no room for a molecule in {_TRIES} tries", subject=topology.name, remedy="a lower start density"
    )
