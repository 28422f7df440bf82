"""Tables hold the published numbers; what they lack is borrowed with a record, or refused by name."""

from __future__ import annotations

import hashlib
import math
from importlib.resources import files

import numpy as np
import pytest
from rdkit import Chem

from polyomics.errors import InputError, UnsupportedError
from polyomics.forcefield.assign import assign
from polyomics.forcefield.gaff2 import GAFF2
from polyomics.forcefield.interface import ClassicalForceField, Parameters
from polyomics.forcefield.lookup import Character, Lookup
from polyomics.forcefield.registry import force_field_names, get_force_field
from polyomics.forcefield.report import type_report
from polyomics.forcefield.similarity import PARENTS, PARTNERS, substitutes
from polyomics.forcefield.tables import KJ, VERSIONS, bond_key, load_table
from polyomics.forcefield.terms import bridges, find_terms
from polyomics.polymer.psmiles import parse_molecule

DATA = files("polyomics.forcefield").joinpath("data")


def parameters(smiles: str, version: str = "2.2.20", **options) -> Parameters:
    topology = parse_molecule(smiles)
    types = GAFF2(version, **options).types(topology)
    return assign(types, topology, np.zeros(topology.n_atoms), load_table(version, **options))


@pytest.mark.parametrize("version", VERSIONS)
def test_table_files_are_the_public_ones(version):
    digest = hashlib.sha256(DATA.joinpath(f"gaff-{version}.dat").read_bytes()).hexdigest()
    assert digest in DATA.joinpath("README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("version", "counts"), [("2.1", (83, 840, 4614)), ("2.2.20", (99, 1335, 9712))])
def test_tables_are_read_completely(version, counts):
    table = load_table(version)
    assert (len(table.masses), len(table.bonds), len(table.angles)) == counts
    assert set(table.masses) - set(table.nonbonded) == {"hw", "ow"}, "water has its own models"


def test_numbers_of_the_file_arrive_in_openmm_units():
    table = load_table("2.2.20")
    c3 = table.nonbonded["c3"]
    assert c3.sigma * 10 == pytest.approx(2 * 1.9069 / 2 ** (1 / 6), rel=1e-12)
    assert c3.epsilon == pytest.approx(0.1078 * 4.184)
    assert table.bonds["c", "o"].x0 == pytest.approx(0.12183, abs=2e-4)
    (amide,) = table.propers["X", "c", "n", "X"]
    assert amide == (2, pytest.approx(math.pi), pytest.approx(10.0 / 4 * 4.184))
    assert table.impropers["X", "X", "c", "o"].k == pytest.approx(10.5 * 4.184)


def test_c3f_is_c3_with_torsions_of_its_own():
    plain, fluorinated = parameters("FC(F)(F)C(F)(F)F"), parameters("FC(F)(F)C(F)(F)F", fluorine_c3f=True)
    assert set(plain.types) == {"c3", "f"}
    assert set(fluorinated.types) == {"c3f", "f"}
    assert np.array_equal(plain.bond_k, fluorinated.bond_k)
    assert np.array_equal(plain.sigma, fluorinated.sigma)
    assert set(fluorinated.proper_k) == {0.1211 * KJ}
    assert set(plain.proper_k) != {0.1211 * KJ}


def test_types_younger_than_the_table_become_their_ancestors():
    young = parameters("C1CCCC1")
    assert "c5" in young.types
    assert set(parameters("C1CCCC1", "2.1").types) == {"c3", "hc"}


def test_ancestors_supply_missing_torsions_without_penalty():
    found = parameters("C1CCCCC1").analogies
    assert ("c6-c6-c6-c6", "c3-c3-c3-c3", 0.0) in [(a.wanted, a.used, a.penalty) for a in found]
    assert max(a.penalty for a in found) == 0.0


def test_a_row_of_four_types_replaces_the_wildcard():
    (only,) = Lookup(load_table("2.2.20")).proper(("f", "c3", "c3", "f"))
    assert only == (2, 0.0, pytest.approx(1.81 * KJ))


def test_a_single_bond_never_borrows_the_barrier_of_a_double_bond():
    found = {a.wanted: a for a in parameters("C=Cc1ccccc1").analogies}
    assert found["ca-ca-ce-ha"].used == "X-c2-ca-X"
    lookup = Lookup(load_table("2.2.20"))
    soft = lookup.proper(("ca", "ce", "n2", "c3"), Character.SINGLE)
    stiff = lookup.proper(("ca", "ce", "n2", "c3"), Character.DOUBLE)
    assert max(t.k for t in soft) < 3.3 * KJ < max(t.k for t in stiff)


@pytest.mark.parametrize(
    ("types", "barrier"),
    [
        (("c3", "ns", "c", "o"), 10.5),
        (("c3", "c3", "c", "o"), 10.5),
        (("c3", "o", "c", "os"), 1.1),
        (("c3", "o", "c", "oh"), 1.1),
        (("ca", "ca", "ca", "ha"), 1.1),
        (("c", "c3", "n", "hn"), 1.1),
        (("c3", "hc", "c2", "c2"), 1.1),
    ],
)
def test_planar_centres_have_the_impropers_of_parmchk2(types, barrier):
    assert Lookup(load_table("2.2.20")).improper(types).k == pytest.approx(barrier * KJ)


def test_pyramidal_centres_have_no_improper():
    assert Lookup(load_table("2.2.20")).improper(("c3", "c3", "n3", "c3")) is None
    assert not len(parameters("CN(C)C").impropers)


def test_carbonyl_impropers_of_esters_are_present():
    topology = parse_molecule("CC(=O)OC")
    centres = parameters("CC(=O)OC").impropers[:, 2]
    assert topology.numbers[centres].tolist() == [6]


def test_colours_are_exchanged_where_a_row_has_one_colouring_only():
    table = load_table("2.2.20")
    lookup = Lookup(table)
    for key, row in table.bonds.items():
        exchanged = bond_key(*(PARTNERS.get(name, name) for name in key))
        if exchanged not in table.bonds and not PARENTS.keys() & set(key):
            assert lookup.bond(exchanged) == row
            assert lookup.bond(exchanged[::-1]) == row
    assert lookup.analogies
    assert {a.penalty for a in lookup.analogies} == {0.0}


def test_terms_without_any_likeness_are_refused_by_name():
    topology = parse_molecule("C=CC")
    with pytest.raises(UnsupportedError, match="bond f-ha"):
        assign(["f", *GAFF2().types(topology)[1:]], topology, np.zeros(topology.n_atoms), load_table("2.2.20"))


def test_an_unknown_table_is_an_input_error():
    with pytest.raises(InputError, match=r"2\.2\.20"):
        GAFF2("9.9")


def test_every_substitute_and_ancestor_is_a_type_of_the_table():
    table = load_table("2.2.20", True)
    for name in table.nonbonded:
        assert {other for other, _ in substitutes(name)} <= set(table.nonbonded)
    assert set(PARENTS.values()) <= set(table.nonbonded)


def test_terms_of_a_ring_with_a_tail_are_counted_right():
    topology = parse_molecule("CC1CC1")
    terms = find_terms(topology.n_atoms, topology.bonds)
    degrees = np.bincount(topology.bonds.ravel())
    assert len(terms.angles) == int((degrees * (degrees - 1) // 2).sum())
    assert all(len(set(row)) == 4 for row in terms.propers.tolist())
    ring = {(a, b) for a, b in topology.bonds.tolist()} - bridges(topology.n_atoms, topology.bonds)
    assert len(ring) == 3


def test_force_fields_are_found_by_name():
    assert "gaff2" in force_field_names()
    found = get_force_field("gaff2", version="2.1")
    assert isinstance(found, ClassicalForceField)
    assert found.version.startswith("2.1")
    with pytest.raises(InputError, match="one of gaff2"):
        get_force_field("amber99")
    with pytest.raises(InputError, match="options"):
        get_force_field("gaff2", colour="blue")


def test_the_report_of_types_follows_the_atoms_of_its_smiles():
    good, bad = type_report(["*CC(*)C(=O)OC", "*C[Si](C)(C)*"])
    mol = Chem.AddHs(Chem.MolFromSmiles(good["capped_smiles"]))
    assert [a.GetSymbol() for a in mol.GetAtoms()] == [atom["element"] for atom in good["atoms"]]
    assert [atom["index"] for atom in good["atoms"]] == list(range(mol.GetNumAtoms()))
    hydrogens = {atom["type"] for atom, a in zip(good["atoms"], mol.GetAtoms(), strict=True) if a.GetSymbol() == "H"}
    assert hydrogens == {"hc", "h1"}
    assert sum(atom["charge"] for atom in good["atoms"]) == pytest.approx(0.0, abs=1e-9)
    assert set(bad) == {"input", "error"}
    assert "Si" in bad["error"]
