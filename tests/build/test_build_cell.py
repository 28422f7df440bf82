"""Cells: no overlaps, no threaded rings, reproducible, refused where too small, and readable by others."""

from __future__ import annotations

import io
from itertools import pairwise

import numpy as np
import openmm
import pytest
from build_molecules import KAPTON, POLYCARBONATE, POLYSTYRENE, cell, characteristic_ratio, charges_of
from openmm import app

from polyomics.build import (
    Cell,
    Component,
    SystemSpec,
    UnitShare,
    assembly_of,
    build_cell,
    build_command,
    cell_from_bytes,
    cell_to_bytes,
    check_edge,
    close_contacts,
    homopolymer_spec,
    minimum_edge,
    speared_rings,
    to_pdb,
)
from polyomics.build.place import place_molecules
from polyomics.errors import InputError, UnsupportedError
from polyomics.forcefield.charges import molecule_charges
from polyomics.forcefield.gaff2 import GAFF2
from polyomics.polymer.psmiles import parse_molecule
from polyomics.polymer.topology import Assembly


@pytest.mark.parametrize("psmiles", [POLYSTYRENE, POLYCARBONATE, KAPTON, "*NCCCCCC(=O)*"])
def test_relaxed_cells_have_no_overlap_no_strained_bond_and_no_threaded_ring(psmiles):
    built = cell(psmiles)
    contacts = close_contacts(built)
    assert contacts.closest(polar=False) >= 0.200
    assert contacts.closest(polar=True) >= 0.150
    parameters = GAFF2().parameters(built.assembly.species[0], charges_of(psmiles)[0])
    for start in built.assembly.molecule_starts()[:-1]:
        pairs = parameters.bonds + start
        length = np.linalg.norm(built.positions[pairs[:, 0]] - built.positions[pairs[:, 1]], axis=1)
        assert np.abs(length - parameters.bond_r0).max() < 0.015
    assert speared_rings(built) == []


def test_chains_of_a_cell_are_distinct():
    built = cell(POLYSTYRENE)
    starts = built.assembly.molecule_starts()
    chains = [built.positions[a:b] for a, b in pairwise(starts)]
    spans = [np.linalg.norm(c[:, None] - c[None], axis=-1) for c in chains]
    assert min(np.abs(spans[i] - spans[j]).max() for i in range(4) for j in range(i)) > 0.3


def test_the_same_seed_gives_the_same_bits_and_another_seed_another_cell():
    spec = homopolymer_spec(POLYSTYRENE, 2, 150)
    one, two, other = (build_cell(spec, GAFF2(), charges_of(POLYSTYRENE), seed) for seed in (3, 3, 4))
    assert np.array_equal(one.positions, two.positions)
    assert np.array_equal(one.box, two.box)
    assert not np.allclose(one.positions, other.positions)


def test_cells_start_at_the_density_asked_for():
    spec = homopolymer_spec(POLYSTYRENE, 2, 150, start_density=0.1)
    built = place_molecules(spec, np.random.default_rng(0))
    assert np.allclose(built.box, minimum_edge(spec, 0.1))
    grams = 2 * (9 * 104.152 + 2.016) / 6.02214e23
    assert grams / np.prod(built.box * 1e-7) == pytest.approx(0.1, rel=1e-4)


def test_a_bond_through_a_ring_is_seen_also_across_the_boundary():
    benzene, ethane = parse_molecule("c1ccccc1"), parse_molecule("CC")
    angles = np.arange(6) * np.pi / 3
    ring = 0.139 * np.column_stack([np.cos(angles), np.sin(angles), np.zeros(6)])
    hydrogens = ring * 2.48 / 1.39
    through = np.array([[0, 0, -0.077], [0, 0, 0.077], *[[0.1 * k, 0, -0.12] for k in (1, -1, 0)]])
    through = np.vstack([through, through[2:] * [1, 1, -1]])
    assembly = Assembly((benzene, ethane), (1, 1))
    box = np.full(3, 2.0)
    for shift in (np.array([1.0, 1.0, 1.0]), np.array([0.02, 1.99, 2.0])):
        points = np.vstack([ring, hydrogens, through]) + shift
        for positions in (points, points - box * np.floor(points / box)):
            assert len(speared_rings(Cell(assembly, positions, box))) == 1
        aside = points.copy()
        aside[12:] += [0.3, 0.0, 0.0]
        assert speared_rings(Cell(assembly, aside, box)) == []


def test_a_liquid_of_small_molecules_is_built_by_the_same_code():
    smiles = "CCc1ccccc1"
    component = Component(kind="molecule", units=(UnitShare(psmiles=smiles),), n_chains=55, degrees=(1,) * 55)
    spec = SystemSpec(components=(component,), start_density=0.1)
    charges = [[molecule_charges(parse_molecule(smiles), "gasteiger")]]
    built = build_cell(spec, GAFF2(), charges, 1)
    assert built.assembly.n_molecules == 55
    assert close_contacts(built).closest() >= 0.200


def test_chains_of_different_lengths_and_a_solvent_share_a_cell():
    polymer = Component(units=(UnitShare(psmiles="*CC*"),), n_chains=3, degrees=(5, 8, 5))
    solvent = Component(kind="molecule", units=(UnitShare(psmiles="CCO"),), n_chains=4, degrees=(1,) * 4)
    spec = SystemSpec(components=(solvent, polymer))
    assembly = assembly_of(spec)
    assert assembly.counts == (4, 2, 1)
    assert [t.n_atoms for t in assembly.species] == [9, 32, 50]
    placed = place_molecules(spec, np.random.default_rng(0))
    assert placed.positions.shape == (assembly.n_atoms, 3)
    lengths = placed.positions[assembly.bonds()]
    assert np.linalg.norm(lengths[:, 0] - lengths[:, 1], axis=1).max() < 0.17


def test_copolymers_are_refused_by_name():
    component = Component(
        units=(UnitShare(psmiles="*CC*"), UnitShare(psmiles="*CO*")), sequence="random", degrees=(5,) * 10
    )
    with pytest.raises(UnsupportedError, match="sequence"):
        assembly_of(SystemSpec(components=(component,)))


def test_a_cell_too_small_for_its_cutoff_is_refused_with_the_atoms_it_needs():
    small, large = (homopolymer_spec(POLYSTYRENE, 2, n) for n in (100, 2000))
    with pytest.raises(InputError, match=r"2\.2 cutoffs.*about \d+ atoms"):
        check_edge(small, 0.9, 1.05)
    check_edge(large, 0.9, 1.05)
    assert minimum_edge(large, 1.05) > 2.2 * 0.9


def test_bytes_give_the_cell_back_exactly():
    built = cell(POLYSTYRENE)
    again = cell_from_bytes(cell_to_bytes(built), assembly_of(homopolymer_spec(POLYSTYRENE, 4, 250)))
    assert np.array_equal(again.positions, built.positions)
    assert np.array_equal(again.box, built.box)
    with pytest.raises(InputError, match="cell"):
        cell_from_bytes(cell_to_bytes(built), assembly_of(homopolymer_spec(POLYSTYRENE, 3, 250)))


def test_openmm_reads_the_pdb_with_every_atom_bond_residue_and_the_box():
    built = cell(POLYSTYRENE)
    pdb = app.PDBFile(io.StringIO(to_pdb(built)))
    assert [a.element.atomic_number for a in pdb.topology.atoms()] == built.assembly.numbers().tolist()
    bonds = sorted(tuple(sorted((a.index, b.index))) for a, b in pdb.topology.bonds())
    assert bonds == sorted(map(tuple, built.assembly.bonds().tolist()))
    assert pdb.topology.getNumChains() == 4
    assert pdb.topology.getNumResidues() == sum(t.n_residues for t in built.assembly.molecules())
    positions = np.array(pdb.getPositions(asNumpy=True)._value)
    assert np.abs(positions - built.positions).max() < 1e-4
    box = np.diag(np.array(pdb.topology.getPeriodicBoxVectors()._value))
    assert np.allclose(box, built.box, atol=1e-4)


def test_the_build_command_writes_files_that_openmm_runs(tmp_path):
    result = build_command(POLYSTYRENE, chains=2, atoms=150, seed=5, out=tmp_path)
    system = openmm.XmlSerializer.deserialize((tmp_path / "system.xml").read_text())
    state = openmm.XmlSerializer.deserialize((tmp_path / "state.xml").read_text())
    assert system.getNumParticles() == result["atoms"] == len(state.getPositions())
    assert {"growth", "typing", "relaxation", "files", "total"} <= set(result["seconds"])
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference"))
    context.setPeriodicBoxVectors(*state.getPeriodicBoxVectors())
    context.setPositions(state.getPositions())
    energy = context.getState(getEnergy=True).getPotentialEnergy()._value
    assert np.isfinite(energy)


@pytest.mark.parametrize(
    ("psmiles", "units", "band"),
    [("*CC*", 80, (5.0, 9.0)), ("*CC(*)c1ccccc1", 40, (6.0, 12.0)), ("*CCO*", 50, (3.5, 7.5))],
)
def test_grown_chains_are_as_stiff_as_in_melts(psmiles, units, band):
    """Sixty bonds of polyethylene, polystyrene, poly(ethylene oxide): 7.0, 9.0 and 4.5 in melts; 15 % noise."""
    assert band[0] < characteristic_ratio(psmiles, units, 30, 60) < band[1]
