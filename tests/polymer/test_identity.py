"""Two units have one key exactly when their endless chains are one graph, judged by independent brute force."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from dataclasses import dataclass, field

import pytest
from poly_generator import block_unit, respelled, ring_unit
from poly_reference import Judge, periodic, same_polymer
from rdkit import Chem

from polyomics.polymer import certificate, key_of, parse, repeat_core

UNITS = int(os.environ.get("POLYOMICS_IDENTITY_UNITS", "2500"))
"""Generated units; the closing note's figure is made with 10000."""

EQUAL = [
    ("*CC*", "*CCCC*", "*C*", "[*]CC[*]", "[*:1]CC[*:2]", "[1*]CC[2*]", "[Ce]CC[Th]", "[3H]CC[3H]"),
    ("*CCO*", "*COC*", "*OCC*", "*CCOCCO*", "*OCCOCCOCC*"),
    ("*CC(*)C", "*C(C)C*", "*CC(C)CC(*)C"),
    ("*OC(=O)CCCC(=O)OCC*", "*CCOC(=O)CCCC(=O)O*", "*C(=O)OCCOC(=O)CCC*"),
    ("*c1ccc(*)cc1", "*C1=CC=C(*)C=C1", "*c1ccc(-c2ccc(*)cc2)cc1"),
    ("*C=C*", "*C=CC=C*", "*/C=C/*", r"*/C=C\*"),
    ("*c1ccc(*)s1", "*C1=CC=C(*)S1", "*c1ccc(-c2ccc(*)s2)s1"),
    ("*c1ccc(C=C*)cc1", "*C=CC1=CC=C(*)C=C1", "*c1ccc(cc1)C=Cc1ccc(cc1)C=C*"),
    ("*NC(=O)CCCCC*", "*CCC(=O)NCCC*", "*C(=O)CCCCCN*"),
    ("*CC(*)N(=O)=O", "*CC(*)[N+](=O)[O-]"),
    ("*c1cccc(*)c1", "*c1cccc(c1)-c1cccc(*)c1", "*C1=CC(*)=CC=C1"),
    ("*c1ccc2[nH]c(*)nc2c1", "*C1=CC2=C(C=C1)NC(*)=N2"),
]
UNEQUAL = [
    ("*C1CCC(*)CC1", "*CC1CCC1C*"),
    ("*C1CC(*)C1", "*CC1CC1*"),
    ("*CC(C)C(C)C*", "*CC(C)CC(C)*"),
    ("*CCO*", "*CCCO*"),
    ("*c1ccc(*)cc1", "*c1cccc(*)c1"),
    ("*OC(=O)c1ccc(cc1)C(=O)OCC*", "*C(=O)Oc1ccc(cc1)OC(=O)CC*"),
    ("*C=C*", "*CC*"),
    ("*C(=O)OCC*", "*C(=O)OCCC(=O)OC*"),
]

STEREO = [
    "[1*]C[C@H](C)[2*]",
    "[1*][C@H](C)[2*]",
    "[1*]O[C@H](C)C([2*])=O",
    "[1*][C@H]1CC[C@H]([2*])CC1",
    "[1*][C@H]1CC[C@@H]([2*])CC1",
    "[1*]/C=C/[C@H](C)[2*]",
    "[1*]/C=C\\[C@H](C)[2*]",
    "[1*]C[C@H](C)[C@@H](Cl)O[2*]",
    "[1*]C[C@@H](C)[C@@H](Cl)O[2*]",
    "[1*]C/C(C)=C/C[2*]",
    "[1*]C/C(C)=C\\C[2*]",
    "[1*]O[C@@H]1[C@@H](CO)O[C@@H]([2*])[C@H](O)[C@H]1O",
    "[1*]O[C@@H]1[C@@H](CO)O[C@H]([2*])[C@H](O)[C@H]1O",
]

FROZEN = {
    "*CC*": ("*C*", "0693d745d1007155a5e20159"),
    "*CC(*)C": ("*CC(*)C", "c256e97b759b8c851e946657"),
    "*CC(*)c1ccccc1": ("*CC(*)c1ccccc1", "3e0a71bb45c1a50fb38128f3"),
    "*CC(*)(C)C(=O)OC": ("*CC(*)(C)C(=O)OC", "b74af1139459c8dc74a5a592"),
    "*CCO*": ("*CCO*", "1b4ebf338fecea9b00714213"),
    "*OC(C)C(*)=O": ("*C(=O)OC(*)C", "0cc7be2f480e793c95f99e9d"),
    "*CCOC(=O)c1ccc(cc1)C(=O)O*": ("*C(=O)OCCOC(=O)c1ccc(*)cc1", "4c4bebb8175e14efee2c82d5"),
    "*NC(=O)CCCCC*": ("*CCCC(=O)NCC*", "d72f5596a070a479b7673c12"),
    "*c1ccc(*)s1": ("*c1ccc(*)s1", "5416bcd2bd4b3879879a8023"),
    "*Oc1ccc(cc1)C(C)(C)c1ccc(cc1)OC(*)=O": ("*OC(=O)Oc1ccc(C(C)(C)c2ccc(*)cc2)cc1", "502932bccfff6e24eee0cfdb"),
    "*c1ccc(cc1)Oc1ccc(cc1)N1C(=O)c2cc3C(=O)N(*)C(=O)c3cc2C1=O": (
        "*Oc1ccc(-n2c(=O)c3cc4c(=O)n(-c5ccc(*)cc5)c(=O)c4cc3c2=O)cc1",
        "887fed4ae9e656c11b3102ea",
    ),
}


def key(text: str) -> str:
    return key_of(certificate(repeat_core(text)))


@pytest.mark.parametrize("texts", EQUAL, ids=lambda t: t[0])
def test_all_spellings_of_one_polymer_have_one_key(texts):
    assert len({key(text) for text in texts}) == 1


@pytest.mark.parametrize("pair", UNEQUAL, ids=lambda t: t[0])
def test_different_polymers_differ_also_where_a_colouring_cannot_tell(pair):
    assert key(pair[0]) != key(pair[1])


def test_the_judge_itself_tells_the_pairs_that_colour_refinement_cannot():
    judge = Judge()
    assert judge.class_of("*C1CCC(*)CC1") != judge.class_of("*CC1CCC1C*")
    assert judge.class_of("*C1CC(*)C1") != judge.class_of("*CC1CC1*")
    assert judge.colour_ties == 2
    assert same_polymer(periodic("*CCO*"), periodic("*OCCOCC*"))


@dataclass
class Survey:
    units: int = 0
    writings: int = 0
    polymers: set = field(default_factory=set)
    misses: list = field(default_factory=list)
    collisions: list = field(default_factory=list)

    def __str__(self):
        return (
            f"{self.units} units, {self.writings} writings, {len(self.polymers)} polymers: "
            f"{len(self.misses)} misses, {len(self.collisions)} collisions"
        )


def survey(units, rng: random.Random, rewrites: int) -> tuple[Survey, Judge]:
    """Compare key and judge on every unit and on random other writings of it."""
    result, judge = Survey(), Judge()
    key_of_class: dict[int, str] = {}
    class_of_key: dict[str, int] = {}
    for index, unit in enumerate(units):
        own, truth = key(unit), judge.class_of(unit)
        others = [respelled(unit, rng) for _ in range(rewrites)]
        result.units += 1
        result.writings += 1 + len(others)
        result.polymers.add(truth)
        result.misses += [(unit, other) for other in others if key(other) != own]
        if index % 20 == 0:  # the rewriting is checked by the judge too, on a sample
            assert all(judge.class_of(other) == truth for other in others), (unit, others)
        if key_of_class.setdefault(truth, own) != own:
            result.misses.append(unit)
        if class_of_key.setdefault(own, truth) != truth:
            result.collisions.append(unit)
    return result, judge


@pytest.mark.slow
def test_keys_agree_with_brute_force_on_the_whole_md_data_set(pi1070):
    result, judge = survey([row["psmiles"] for row in pi1070], random.Random(1070), rewrites=2)
    print(f"\nPI1070: {result}; {judge.comparisons} graph comparisons")
    assert not result.misses
    assert not result.collisions
    assert result.units == 1075


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_keys_agree_with_brute_force_on_generated_units():
    rng = random.Random(20261124)
    units = [(block_unit, ring_unit)[i % 2](rng) for i in range(UNITS)]
    result, judge = survey(units, rng, rewrites=3)
    print(f"\ngenerated: {result}; {judge.comparisons} graph comparisons, {judge.colour_ties} ties of colourings")
    assert not result.misses
    assert not result.collisions
    assert judge.comparisons > UNITS / 10, "the generator meets the same polymer too rarely to test equality"


def test_the_certificate_is_a_repeat_unit_that_certifies_itself(pi1070):
    for row in pi1070[::7]:
        unit = parse(row["psmiles"])
        assert parse(unit.canonical).canonical == unit.canonical


def test_stereo_is_dropped_by_default_and_kept_on_request():
    isotactic, mirror = "*C[C@H](C)*", "*C[C@@H](C)*"
    syndiotactic = "*C[C@H](C)C[C@@H](C)*"
    assert key(isotactic) == key(syndiotactic) == key("*CC(*)C")
    with_marks = [certificate(repeat_core(text), stereo=True) for text in (isotactic, mirror, syndiotactic, "*CC(*)C")]
    assert with_marks[0] == with_marks[1], "read from the other end, an isotactic chain is its mirror image"
    assert len(set(with_marks)) == 3
    cis, trans = (certificate(repeat_core(text), stereo=True) for text in (r"*C/C=C\C*", "*C/C=C/C*"))
    assert cis != trans
    assert certificate(repeat_core("*/C=C/CC*"), stereo=True) == trans
    assert certificate(repeat_core("*[C@H](C)*"), stereo=True) == certificate(repeat_core("*[C@@H](C)*"), stereo=True)


@pytest.mark.parametrize("text", STEREO)
def test_with_stereo_a_certificate_does_not_depend_on_the_order_of_atoms(text):
    mol = Chem.MolFromSmiles(text)
    order = list(range(mol.GetNumAtoms()))
    writings = {text}
    rng = random.Random(text)
    for _ in range(25):
        rng.shuffle(order)
        writings.add(Chem.MolToSmiles(Chem.RenumberAtoms(mol, order), canonical=False))
    assert len(writings) > 3
    assert len({certificate(repeat_core(writing), stereo=True) for writing in writings}) == 1


def test_with_stereo_all_these_are_different():
    assert len({certificate(repeat_core(text), stereo=True) for text in STEREO}) == len(STEREO)


def test_keys_do_not_depend_on_the_process():
    code = "from polyomics.polymer import parse; print(parse('*CC(*)c1ccccc1').key)"
    env = {**os.environ, "PYTHONHASHSEED": "7"}
    other = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env, timeout=120
    )
    assert other.stdout.strip() == parse("*CC(*)c1ccccc1").key
    assert len(other.stdout.strip()) == 24


def test_keys_are_those_of_this_scheme():
    """Keys outlive processes and releases: if RDKit ever writes another canonical form, SCHEME must change with it."""
    assert {text: (parse(text).canonical, parse(text).key) for text in FROZEN} == FROZEN


def test_a_row_of_para_arylenes_costs_no_more_than_its_atoms():
    """A macro-ring of 20 arylenes would have 2^20 smallest rings; the certificate closes none."""
    unit = "*" + "c1ccc(cc1)" * 20 + "O*"
    assert key(unit) == key("*O" + "c1ccc(cc1)" * 20 + "*")
