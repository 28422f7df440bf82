"""Spellings of the wild are read, everything out of scope is refused by name with field and remedy."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdkit import Chem

from polyomics.errors import InputError, UnsupportedError
from polyomics.polymer import ELEMENTS, parse, parse_molecule

SPELLINGS = ["*CC*", "[*]CC[*]", "[*:1]CC[*:2]", "[1*]CC[2*]", "[Ce]CC[Th]", "[3H]CC[3H]", "C(*)C*", " *CC* "]

REFUSED = {
    "*[Si](C)(C)O*": "silicon",
    "*C[Fe]C*": "Fe",
    "*CB(O)*": "element B ",
    "*CC([Na])*": "Na",
    "*CC(*)[Se]C": "Se",
    "*CC([NH3+])*": "net charge",
    "*CC(C(=O)[O-])*": "net charge",
    "*CC(*)C(=O)[O-].[Na+]": "salt",
    "*CC*.O": "fragments",
    "*CC*.*CC*": "fragments",
    "*CC(*)C[N+](C)(C)CCCS(=O)(=O)[O-]": "ionic",
    "*[CH]C*": "radical",
    "*CC(*)O[O]": "radical",
    "*C1C(*)CC(*)C(*)C1": "ladder",
    "*CC(*)C*": "3 connection points",
    "CC": "no connection point",
    "*CC": "one connection point",
    "*": "one connection point",
    "**": "nothing between",
    "*=CC=*": "double bond",
    "*#CC*": "triple bond",
    "*C1CC*C1": "exactly one bond",
    "*CC*C": "exactly one bond",
    "[*H]CC*": "exactly one bond",
    "[*+]CC*": "exactly one bond",
    "": "empty",
    "   ": "empty",
    "*CC* polyethylene": "white space",
    "*C(C": "not readable",
    "*C1CC*": "not readable",
    "poly(ethylene)": "not readable",
    "{[$]CC[$]}": "not readable",
    "*C(C)(C)(C)C*": "impossible chemistry",
    "*c1cccc1*": "impossible chemistry",
    "*c1ccc(*)#cc1": "impossible chemistry",
    "*CC(*)OC#C(:C)C": "impossible chemistry",
    "*C([2H])C*": "isotope",
    "*[13CH2]C*": "isotope",
    "*N->C*": "bond",
    "*C~C*": "bond",
    "*" + "C" * 170 + "*": "atoms in one unit",
    "*" + "C" * 2000 + "*": "atoms in one unit",
    "*" + "C" * 20000 + "*": "too long",
}


@pytest.mark.parametrize("text", SPELLINGS)
def test_every_spelling_of_the_ends_reads_as_the_same_unit(text):
    unit = parse(text)
    assert unit.canonical == "*C*"
    assert unit.mol.GetNumAtoms() == 8
    assert unit.mass == pytest.approx(28.054)


@pytest.mark.parametrize("text", REFUSED, ids=lambda t: t[:24] or "empty")
def test_out_of_scope_is_refused_with_polymer_field_reason_and_remedy(text):
    with pytest.raises(InputError) as caught:
        parse(text)
    error = caught.value
    assert REFUSED[text] in error.reason
    assert error.field == "psmiles"
    assert error.remedy
    assert error.subject
    assert len(error.subject) <= 300


def test_what_is_well_formed_but_not_computed_is_told_from_what_is_wrong():
    for text in ("*[Si](C)(C)O*", "*CC([NH3+])*", "*C1C(*)CC(*)C(*)C1", "*[CH]C*", "*CC*.O"):
        with pytest.raises(UnsupportedError):
            parse(text)
    for text in ("", "*CC", "*C(C"):
        with pytest.raises(InputError) as caught:
            parse(text)
        assert not isinstance(caught.value, UnsupportedError)


@pytest.mark.parametrize("bad", [None, 3, ["*CC*"]])
def test_a_value_that_is_not_text_is_an_input_error(bad):
    with pytest.raises(InputError, match="not a text"):
        parse(bad)


@pytest.mark.parametrize(
    "text", ["*CC(*)[N+](=O)[O-]", "*CC(*)N=[N+]=[N-]", "*CC(*)c1cc[n+]([O-])cc1", "*CC(*)C=[N+]=[N-]", "*CC(*)N(=O)=O"]
)
def test_neutral_groups_written_with_charges_are_accepted(text):
    assert sum(a.GetFormalCharge() for a in parse(text).mol.GetAtoms()) == 0


def test_atoms_are_heavy_atoms_as_written_then_hydrogens_then_head_and_tail_star():
    unit = parse("*C(=O)c1ccc(O*)cc1")
    numbers = [a.GetAtomicNum() for a in unit.mol.GetAtoms()]
    n = len(numbers) - 2
    assert numbers[n:] == [0, 0]
    assert numbers[:9] == [6, 8, 6, 6, 6, 6, 8, 6, 6]
    assert set(numbers[9:n]) == {1}
    head, tail = (unit.mol.GetAtomWithIdx(n + k).GetNeighbors()[0].GetIdx() for k in (0, 1))
    assert (head, tail) == (0, 6)
    parents = [unit.mol.GetAtomWithIdx(i).GetNeighbors()[0].GetIdx() for i in range(9, n)]
    assert parents == sorted(parents)


def test_the_first_star_of_the_text_is_the_head_even_inside_a_branch():
    unit = parse("C(*)(C)O*")
    n = unit.mol.GetNumAtoms() - 2
    assert unit.mol.GetAtomWithIdx(n).GetNeighbors()[0].GetAtomicNum() == 6
    assert unit.mol.GetAtomWithIdx(n + 1).GetNeighbors()[0].GetAtomicNum() == 8


def test_explicit_hydrogens_in_the_text_change_nothing_but_the_text():
    pairs = [("*CC(*)O", "*C([H])([H])C(*)([H])O[H]"), ("*/C=C/C*", "[H]/C(*)=C([H])/C*"), ("*CC#CC*", "*CC#CC([H])*")]
    for plain, explicit in ((parse(a), parse(b)) for a, b in pairs):
        assert explicit.key == plain.key
        assert [a.GetAtomicNum() for a in explicit.mol.GetAtoms()] == [a.GetAtomicNum() for a in plain.mol.GetAtoms()]


def test_stereo_marks_stay_on_the_unit_also_between_two_stars():
    tags = {a.GetIdx(): str(a.GetChiralTag()) for a in parse("*[C@H](C)*").mol.GetAtoms()}
    assert tags[0] != "CHI_UNSPECIFIED"


def test_parsing_is_deterministic_and_complete_on_the_md_data_set(pi1070):
    for row in pi1070[::10]:
        one, two = parse(row["psmiles"]), parse(row["psmiles"])
        assert one.mol.ToBinary() == two.mol.ToBinary()
        assert one.key == two.key
        assert {a.GetAtomicNum() for a in one.mol.GetAtoms()} <= ELEMENTS | {0}


def test_a_small_molecule_is_one_residue_without_caps():
    topology = parse_molecule("CC(=O)Nc1ccccc1")
    expected = Chem.AddHs(Chem.MolFromSmiles("CC(=O)Nc1ccccc1"))
    assert topology.numbers.tolist() == [a.GetAtomicNum() for a in expected.GetAtoms()]
    assert topology.n_residues == 1
    assert topology.units == ()
    assert topology.caps == (0, 0)
    assert np.array_equal(topology.template_atoms, np.arange(topology.n_atoms))
    assert sorted(topology.orders.tolist()).count(2) == 4
    for text in ("*CC*", "[Na+].[Cl-]", "C[Si](C)(C)C", "[NH4+]", ""):
        with pytest.raises(InputError) as caught:
            parse_molecule(text)
        assert caught.value.field == "smiles"


@given(st.text(alphabet="*CNOFScno1234=#()[]@+-/\\.HBrSi%:~ ", max_size=24))
@settings(max_examples=400, derandomize=True, deadline=None)
def test_any_text_is_either_a_unit_that_certifies_itself_or_an_input_error(text):
    with contextlib.suppress(InputError):
        unit = parse(text)
        assert parse(unit.canonical).key == unit.key
