"""Energies and terms equal those of parmchk2 and tleap (AmberTools) for the same types and charges."""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import files

import numpy as np
import openmm
import pytest
from amber import Amber, Reference
from ff_molecules import conformer
from openmm import unit

from polyomics.forcefield.assign import assign
from polyomics.forcefield.gaff2 import GAFF2
from polyomics.forcefield.interface import Nonbonded, Parameters, SystemOptions
from polyomics.forcefield.system import build_system
from polyomics.forcefield.tables import VERSIONS, load_table
from polyomics.polymer.chain import chain, to_rdkit
from polyomics.polymer.psmiles import parse, parse_molecule
from polyomics.polymer.topology import Assembly, Topology

LEAP_PI = 3.141594
"""tleap's pi: its equilibrium angles are larger than the table's by 4e-7, which costs up to 1e-4 kcal/mol."""
MOLECULES = [
    "CCCC",
    "CC(C)(C)C(=O)OC",
    "CCN(C)C(C)=O",
    "CC(=O)O",
    "CCOCC",
    "OCCO",
    "CC(=O)CC(C)=O",
    "CCS",
    "CS(C)(=O)=O",
]
MOLECULES += ["Nc1ccccc1", "CCCl", "FC(F)(F)C(F)(F)F", "C=CC=C", "c1cnc[nH]1", "CC#N", "C[N+](=O)[O-]"]
# No molecule with a carbonyl as its only planar centre: there parmchk2 misses its own row X-X-c-o (10.5 kcal/mol) and
# writes its default (1.1), while the same carbonyl beside another planar centre gets the row.
TRIMERS = ["*CC*", "*CC(*)c1ccccc1", "*CC(*)(C)C(=O)OC", "*CCO*", "*NCCCCCC(*)=O", "*c1ccc(C*)cc1", "*C=C*", "*CC(*)Cl"]
TRIMERS += ["*C(F)(F)C(*)(F)F", "*c1ccc(*)cc1", "*Nc1ccc(*)cc1", "*CC(*)C#N", "*CC=CC*", "*CC(*)C1CCCCC1", "*OC(=O)O*"]
TRIMERS += ["*OCCOC(=O)c1ccc(C(*)=O)cc1", "*c1ccc(N2C(=O)c3cc4C(=O)N(*)C(=O)c4cc3C2=O)cc1", "*CC(*)C(=O)O"]


@pytest.fixture(scope="module")
def amber(tmp_path_factory):
    return Amber(tmp_path_factory.mktemp("amber"))


def topology_of(text: str) -> Topology:
    return chain(parse(text), 3) if "*" in text else parse_molecule(text)


def parameters_of(topology: Topology, version: str = "2.2.20") -> Parameters:
    """Types and terms of our own, charges of any kind: rounded as a mol2 file rounds them, no symmetry."""
    charges = np.round(0.1 * np.sin(np.arange(topology.n_atoms) + 1.0), 6)
    return assign(GAFF2(version).types(topology), topology, charges, load_table(version))


def as_written_by(reference: Reference, own: Parameters) -> Parameters:
    """Our parameters with tleap's pi, and impropers in its order, which depends on what it met before.

    Centres, outer atoms and constants must agree.
    """
    theirs = {(q[2], frozenset(q)): (q, terms) for q, terms in reference.torsions(improper=True).items()}
    mine = {(q[2], frozenset(q)): n for n, q in enumerate(own.impropers.tolist())}
    assert set(mine) == set(theirs)
    order = own.impropers.copy()
    for key, (atoms, terms) in theirs.items():
        n = mine[key]
        ((periodicity, phase, k),) = terms
        assert (periodicity, phase, k) == pytest.approx(
            (own.improper_periodicity[n], own.improper_phase[n], own.improper_k[n]), rel=2e-3
        )
        order[n] = atoms
    scale = LEAP_PI / np.pi
    return replace(
        own,
        impropers=order,
        angle_theta0=own.angle_theta0 * scale,
        proper_phase=own.proper_phase * scale,
        improper_phase=own.improper_phase * scale,
    )


def energies(system: openmm.System, xyz: np.ndarray) -> dict[str, float]:
    """Energy by kind of force, kcal/mol."""
    kinds = (openmm.HarmonicBondForce, openmm.HarmonicAngleForce, openmm.PeriodicTorsionForce, openmm.NonbondedForce)
    for force in system.getForces():
        force.setForceGroup(next(n for n, kind in enumerate(kinds) if isinstance(force, kind)))
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference"))
    context.setPositions(xyz)
    return {
        name: context.getState(getEnergy=True, groups={n}).getPotentialEnergy().value_in_unit(unit.kilocalorie_per_mole)
        for n, name in enumerate(("bond", "angle", "torsion", "nonbonded"))
    }


@pytest.mark.parametrize("text", MOLECULES + TRIMERS)
def test_energy_of_every_kind_of_term_is_that_of_tleap(amber, text):
    topology = topology_of(text)
    own = parameters_of(topology)
    assert not [a for a in own.analogies if a.penalty > 0], "choose molecules without analogies here"
    reference = amber.reference(topology, own.types, own.charges)
    own = as_written_by(reference, own)
    xyz = conformer(to_rdkit(topology)) + np.random.default_rng(5).normal(0.0, 0.005, (topology.n_atoms, 3))
    options = SystemOptions(Nonbonded(method="none"), constraints="none", group_molecules=False)
    got = energies(build_system([own], Assembly((topology,), (1,)), np.zeros(3), options), xyz)
    expected = energies(reference.system(), xyz)
    for kind in ("bond", "angle", "torsion"):
        assert got[kind] == pytest.approx(expected[kind], abs=1e-5), kind
    assert got["nonbonded"] == pytest.approx(expected["nonbonded"], abs=2e-4)
    assert min(got["bond"], got["angle"]) > 0.1, "the geometry must strain bonds and angles"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("smiles", "types"),
    [
        ("CCN(C)C(C)=O", ("c3", "c3", "n", "c")),
        ("CCCOC", ("c3", "c3", "os", "c3")),
        ("CCCC(C)=O", ("c3", "c3", "c", "o")),
        ("C=Cc1ccccc1", ("c2", "ce", "ca", "ca")),
        ("CCC", ("c3", "c3", "c3", "hc")),
    ],
)
def test_torsions_that_a_table_defines_twice_are_read_as_tleap_reads_them(tmp_path, version, smiles, types):
    dat = files("polyomics.forcefield").joinpath("data", f"gaff-{version}.dat")
    topology = parse_molecule(smiles)
    own = parameters_of(topology, version)
    theirs = Amber(tmp_path, dat).reference(topology, own.types, own.charges).torsions(improper=False)
    where = [tuple(own.types[a] for a in q) in (types, types[::-1]) for q in own.propers.tolist()]
    assert any(where)
    for n in np.flatnonzero(np.array(where) & (own.proper_k > 0.0)):
        row = tuple(own.propers[n].tolist())
        term = (own.proper_periodicity[n], own.proper_phase[n], own.proper_k[n])
        assert any(term == pytest.approx(other, rel=2e-3) for other in theirs[min(row, row[::-1])])
