"""Claims about charges from rules and from AM1-BCC: neutrality, symmetry, locality, independence of spelling."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from rdkit import Chem

from polyomics.errors import InputError, PlatformError, UnsupportedError
from polyomics.forcefield.charges import (
    METHODS,
    charge_set_from_json,
    charge_set_to_json,
    molecule_charges,
    unit_charges,
)
from polyomics.forcefield.charges.neutral import POLARIZABILITY, neutral_units
from polyomics.forcefield.charges.oligomer import capped_oligomer
from polyomics.polymer.chain import chain
from polyomics.polymer.psmiles import RepeatUnit, parse, parse_molecule

UNITS = [
    "*CC*",
    "*CC(*)c1ccccc1",
    "*CC(C)(*)C(=O)OC",
    "*CCO*",
    "*C*",
    "*O*",
    "*C(F)(F)C(*)(F)F",
    "*CC(*)Cl",
    "*CC(*)C#N",
    "*C=C*",
    "*c1ccc(*)s1",
    "*CC(*)c1ccc([N+](=O)[O-])cc1",
    "*OCCOC(=O)c1ccc(cc1)C(*)=O",
    "*NCCCCCC(*)=O",
    "*Oc1ccc(cc1)S(=O)(=O)c1ccc(*)cc1",
    "*CC(*)Br",
    "*CC(*)I",
]
CHEAP = ["gasteiger", "mmff94"]


@pytest.mark.parametrize("method", CHEAP)
@pytest.mark.parametrize("psmiles", UNITS)
@pytest.mark.parametrize("ends", [("*[H]", "*[H]"), ("*C", "*O")])
def test_each_place_of_a_unit_is_neutral_and_has_its_atoms(psmiles, method, ends):
    unit = parse(psmiles)
    charges = unit_charges(unit, method, ends)
    n = unit.mol.GetNumAtoms() - 2
    caps = {"*[H]": 1, "*C": 4, "*O": 2}
    assert (len(charges.head), len(charges.middle), len(charges.tail)) == (n + caps[ends[0]], n, n + caps[ends[1]])
    for place in (charges.head, charges.middle, charges.tail):
        assert abs(place.sum()) < 1e-12
        assert np.abs(place).max() < 1.5


@pytest.mark.parametrize("method", CHEAP)
@pytest.mark.parametrize("psmiles", ["*CC*", "*CC(*)c1ccccc1", "*CCO*", "*C=C*", "*c1ccc(*)s1", "*NCCCCCC(*)=O"])
def test_the_middle_unit_does_not_feel_the_ends(psmiles, method):
    unit = parse(psmiles)
    middle = unit_charges(unit, method).middle
    longer = unit_charges(parse(psmiles), method, ("*C", "*C")).middle
    assert np.abs(middle - longer).max() < 1e-6
    for n_units in (3, 5):
        oligomer = capped_oligomer(unit, n_units, ("*[H]", "*[H]"))
        raw, _ = METHODS[method].compute(oligomer, 0)
        # A trimer of a two-atom unit is short: what is left of its ends must still be small.
        assert np.abs(raw[oligomer.atoms_of(n_units // 2)] - middle).max() < 2e-3


@pytest.mark.parametrize("method", CHEAP)
def test_trimer_and_pentamer_agree_where_the_unit_is_long(method):
    unit = parse("*OCCOC(=O)c1ccc(cc1)C(*)=O")
    short, long = (capped_oligomer(unit, n, ("*[H]", "*[H]")) for n in (3, 5))
    middle = [METHODS[method].compute(o, 0)[0][o.atoms_of(o.middle)] for o in (short, long)]
    assert np.abs(middle[0] - middle[1]).max() < 1e-6


@pytest.mark.parametrize("method", CHEAP)
@pytest.mark.parametrize(
    ("psmiles", "atoms"),
    [
        ("*CC*", [(0, 1), (2, 3, 4, 5)]),
        ("*CC(*)c1ccccc1", [(3, 7), (4, 6), (8, 9)]),
        ("*CC(C)(*)C(=O)OC", [(7, 8), (9, 10, 11), (12, 13, 14)]),
        ("*CC(*)c1ccc([N+](=O)[O-])cc1", [(7, 8), (3, 10), (4, 9)]),
        ("*OCCOC(=O)c1ccc(cc1)C(*)=O", [(0, 3), (1, 2), (4, 12), (6, 9), (7, 8, 10, 11)]),
        ("*C=C*", [(0, 1), (2, 3)]),
    ],
)
def test_equivalent_atoms_of_the_chain_have_equal_charges(psmiles, atoms, method):
    unit = parse(psmiles)
    middle = unit_charges(unit, method).middle
    for group in atoms:
        assert len({unit.mol.GetAtomWithIdx(i).GetAtomicNum() for i in group}) == 1
        assert np.ptp(middle[list(group)]) < 1e-12


def test_symmetry_of_the_chain_is_not_invented():
    # Cis-trans partners and look-alike atoms aside, the two CH2 of poly(vinylidene fluoride)-like units differ.
    middle = unit_charges(parse("*CC(F)(F)CCC(*)(F)F"), "gasteiger").middle
    assert abs(middle[0] - middle[1]) > 0.05


@pytest.mark.parametrize("method", CHEAP)
def test_charges_do_not_depend_on_the_spelling(method):
    forward = unit_charges(parse("*CC(*)C(=O)OC"), method)
    # The same unit, written backwards and with other atom order; places of heavy atoms of the first in the second.
    backward = unit_charges(parse("*C(C(=O)OC)C*"), method)
    place = [5, 0, 1, 2, 3, 4]
    assert np.abs(forward.middle[:6] - backward.middle[place]).max() < 1e-12
    assert np.abs(forward.head[1:7] - backward.tail[place]).max() < 1e-12
    assert np.abs(np.sort(forward.tail) - np.sort(backward.head)).max() < 1e-12


@pytest.mark.parametrize("method", CHEAP)
def test_charges_do_not_depend_on_the_frame(method):
    first = unit_charges(parse("*OCCOC(=O)c1ccc(cc1)C(*)=O"), method).middle
    second = unit_charges(parse("*CCOC(=O)c1ccc(cc1)C(=O)O*"), method).middle
    assert np.abs(np.sort(first) - np.sort(second)).max() < 1e-6


@pytest.mark.parametrize("method", CHEAP)
def test_charges_do_not_depend_on_the_order_of_hydrogens(method):
    unit = parse("*CC(*)c1ccccc1")
    n = unit.mol.GetNumAtoms()
    order = np.concatenate([np.random.default_rng(1).permutation(n - 2), [n - 2, n - 1]])
    shuffled = RepeatUnit(
        unit.text,
        Chem.RenumberAtoms(unit.mol, order.tolist()),
        unit.canonical,
        unit.key,
        unit.polymer_class,
        unit.mass,
    )
    plain, mixed = unit_charges(unit, method), unit_charges(shuffled, method)
    assert np.abs(plain.middle[order[:-2]] - mixed.middle).max() < 1e-12
    assert np.abs(plain.head[1:][order[:-2]] - mixed.head[1:]).max() < 1e-12


def test_a_doubled_unit_has_the_charges_of_the_unit():
    once, twice = (unit_charges(parse(p), "gasteiger").middle for p in ("*CCO*", "*CCOCCO*"))
    assert np.abs(twice[:6] - np.tile(once[:3], 2)).max() < 1e-6


def test_mmff94_has_the_published_charges_of_its_bond_increments():
    # Halgren 1996: bci(CR-OR) = 0.28 e, so an ether oxygen has -0.56 e.
    middle = unit_charges(parse("*CCO*"), "mmff94").middle
    assert middle[:3] == pytest.approx([0.28, 0.28, -0.56], abs=1e-9)


def test_the_correction_is_the_smallest_in_its_norm():
    oligomer = capped_oligomer(parse("*CCO*"), 3, ("*[H]", "*[H]"))
    rng = np.random.default_rng(3)
    raw = rng.normal(size=oligomer.n_atoms) * 0.2
    ours = neutral_units(oligomer, raw)
    weight = np.array([1 / POLARIZABILITY[a.GetAtomicNum()] for a in oligomer.mol.GetAtoms()])
    for residue in range(3):
        atoms = oligomer.atoms_of(residue)
        classes = oligomer.classes[atoms]
        rows = [np.ones(len(atoms))]
        rows += [np.eye(len(atoms))[i] - np.eye(len(atoms))[list(classes).index(c)] for i, c in enumerate(classes)]
        constraint = np.array(rows)
        # Reference: the stationarity (KKT) equations of the constrained problem solved as they stand.
        n, m = len(atoms), len(constraint)
        kkt = np.block([[np.diag(weight[atoms]), constraint.T], [constraint, np.zeros((m, m))]])
        right = np.concatenate([weight[atoms] * raw[atoms], np.zeros(m)])
        assert np.abs(np.linalg.lstsq(kkt, right, rcond=None)[0][:n] - ours[atoms]).max() < 1e-9


def test_a_small_molecule_has_its_charges_in_the_middle():
    charges = molecule_charges(parse_molecule("CO"), "mmff94")
    assert len(charges.head) == len(charges.tail) == 0
    assert charges.middle[:2] == pytest.approx([0.28, -0.68], abs=1e-9)
    assert np.ptp(charges.middle[2:5]) < 1e-12
    assert abs(charges.middle.sum()) < 1e-12


@pytest.mark.parametrize("method", CHEAP)
def test_stamped_charges_are_those_of_the_whole_chain(method):
    unit = parse("*CC(*)C(=O)OC")
    topology = chain(unit, 15)
    whole = molecule_charges(topology, method).middle
    charges = unit_charges(unit, method)
    stamped = np.concatenate([charges.head, *[charges.middle] * 13, charges.tail])
    inner = (topology.residues > 6) & (topology.residues < 8)
    assert np.abs(whole - stamped)[inner].max() < 1e-6
    # At the ends only the correction to neutral end units may differ: carbon-carbon links move little charge.
    assert np.abs(whole - stamped).max() < 0.01


def test_a_charge_set_survives_json():
    charges = unit_charges(parse("*CCO*"), "gasteiger")
    back = charge_set_from_json(json.loads(json.dumps(charge_set_to_json(charges))))
    assert back.method == charges.method
    assert back.spread is None
    for name in ("head", "middle", "tail"):
        assert np.array_equal(getattr(back, name), getattr(charges, name))


@pytest.mark.parametrize("ends", [("*[H]", "*[H]"), ("*C", "*O")])
def test_a_unit_too_large_for_its_method_is_charged_between_small_groups(monkeypatch, ends):
    unit = parse("*OCCOC(=O)c1ccc(cc1)C(*)=O")
    whole = unit_charges(unit, "gasteiger", ends)
    monkeypatch.setitem(METHODS, "gasteiger", dataclasses.replace(METHODS["gasteiger"], most_heavy_atoms=10))
    cut = unit_charges(unit, "gasteiger", ends)
    assert "small groups" in cut.note
    assert not whole.note
    for name in ("head", "middle", "tail"):
        ours, reference = getattr(cut, name), getattr(whole, name)
        assert ours.shape == reference.shape
        assert abs(ours.sum()) < 1e-12
        assert np.abs(ours - reference).max() < 0.03
    assert np.ptp(cut.middle[[7, 8, 10, 11]]) < 1e-12


def test_unknown_methods_and_bad_caps_are_refused_by_name():
    unit = parse("*CCO*")
    with pytest.raises(InputError, match=r"\*CCO\*: charges: unknown charge method 'resp2'.*gasteiger"):
        unit_charges(unit, "resp2")
    with pytest.raises(InputError, match=r"\*C\*.*star"):
        unit_charges(unit, "gasteiger", ("*[H]", "*C*"))


def test_an_atom_without_parameters_is_refused_by_name():
    with pytest.raises(UnsupportedError, match="mmff94 has no parameters"):
        unit_charges(parse("*S(F)(F)(F)(F)C*"), "mmff94")


def test_a_method_that_is_not_installed_names_its_extra(monkeypatch):
    present = METHODS["resp"]
    reason = "PySCF is not installed: install the extra 'qm' (pip install 'polyomics[qm]')"
    absent = dataclasses.replace(present, available=lambda: reason)
    monkeypatch.setitem(METHODS, "resp", absent)
    with pytest.raises(PlatformError, match=r"charges resp: PySCF is not installed.*remedy: install the extra 'qm'"):
        unit_charges(parse("*CCO*"), "resp")


def test_am1bcc_without_ambertools_says_what_to_install(monkeypatch):
    monkeypatch.setattr("polyomics.forcefield.charges.am1bcc._amber_home", lambda: None)
    with pytest.raises(PlatformError, match=r"antechamber.*not installed.*remedy: install AmberTools"):
        unit_charges(parse("*CCO*"), "am1bcc")


@pytest.mark.skipif(METHODS["am1bcc"].available() is not None, reason=str(METHODS["am1bcc"].available()))
def test_am1bcc_of_polyethylene_oxide_is_neutral_symmetric_and_repeatable():
    unit = parse("*CCO*")
    charges = unit_charges(unit, "am1bcc")
    again = unit_charges(parse("*OCC*"), "am1bcc")
    for place in (charges.head, charges.middle, charges.tail):
        assert abs(place.sum()) < 1e-12
    assert charges.spread is not None
    assert 0 < charges.spread < 0.05
    assert np.ptp(charges.middle[:2]) < 1e-12
    assert np.ptp(charges.middle[3:]) < 1e-12
    # Written backwards the capped trimer is the same molecule read from its other end.
    assert np.abs(charges.middle[[2, 1, 0]] - again.middle[[0, 1, 2]]).max() < 1e-12
