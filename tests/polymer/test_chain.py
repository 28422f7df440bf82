"""Chains are the k-mers that RDKit itself builds from strings, in the documented order of atoms."""

from __future__ import annotations

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem.rdMolDescriptors import CalcMolFormula

from polyomics.errors import InputError
from polyomics.polymer import (
    backbone,
    capped_smiles,
    chain,
    copolymer_chain,
    degree_for_atoms,
    parse,
    smiles_order,
    to_rdkit,
)

KNOWN = [
    ("*CC*", 3, "CCCCCC"),
    ("*CC(*)c1ccccc1", 2, "CC(CCc1ccccc1)c1ccccc1"),
    ("*CCO*", 2, "CCOCCO"),
    ("*OC(=O)c1ccc(cc1)C(=O)OCC*", 1, "OC(=O)c1ccc(cc1)C(=O)OCC"),
    ("*c1ccc(*)s1", 3, "c1csc(c1)-c1ccc(s1)-c1cccs1"),
    ("*C=C*", 2, "C=CC=C"),
    ("*N=P(*)(F)F", 2, "N=P(F)(F)N=P(F)F"),
    ("*CC(*)[N+](=O)[O-]", 1, "CC[N+](=O)[O-]"),
]


def by_text(text: str, n: int) -> str:
    """Join n copies by editing an RDKit molecule: stars replaced by bonds, H at the ends."""
    unit = Chem.MolFromSmiles(text)
    Chem.RemoveStereochemistry(unit)
    size = unit.GetNumAtoms()
    stars = [a.GetIdx() for a in unit.GetAtoms() if a.GetAtomicNum() == 0]
    first, last = (unit.GetAtomWithIdx(s).GetNeighbors()[0].GetIdx() for s in stars)
    row = Chem.RWMol()
    for _ in range(n):
        row.InsertMol(unit)
    for c in range(n - 1):
        row.AddBond(c * size + last, (c + 1) * size + first, Chem.BondType.SINGLE)
    spent = [c * size + stars[1] for c in range(n - 1)] + [c * size + stars[0] for c in range(1, n)]
    for index in (stars[0], (n - 1) * size + stars[1]):
        row.GetAtomWithIdx(index).SetAtomicNum(1)
    for index in sorted(spent, reverse=True):
        row.RemoveAtom(index)
    mol = row.GetMol()
    Chem.SanitizeMol(mol)
    return Chem.MolToSmiles(Chem.RemoveHs(mol), isomericSmiles=False)


@pytest.mark.parametrize(("text", "n", "expected"), KNOWN, ids=lambda v: str(v)[:16])
def test_known_oligomers(text, n, expected):
    assert capped_smiles(chain(parse(text), n)) == Chem.CanonSmiles(expected)


def test_every_trimer_of_the_md_data_set_is_the_one_joined_by_hand(pi1070):
    for row in pi1070[::4]:
        assert capped_smiles(chain(parse(row["psmiles"]), 3)) == by_text(row["psmiles"], 3), row["psmiles"]


def test_atoms_come_as_head_cap_residues_tail_cap():
    unit = parse("*CC(*)C")
    topology = chain(unit, 4, ends=("*C", "*O"))
    size = unit.mol.GetNumAtoms() - 2
    assert topology.caps == (4, 2)
    assert topology.numbers[:4].tolist() == [6, 1, 1, 1]
    assert topology.numbers[-2:].tolist() == [8, 1]
    middle = slice(4, 4 + 4 * size)
    assert np.array_equal(topology.template_atoms[middle], np.tile(np.arange(size), 4))
    assert np.array_equal(topology.residues[middle], np.repeat(np.arange(4), size))
    assert topology.residues[:4].tolist() == [0] * 4
    assert topology.residues[-2:].tolist() == [3] * 2
    assert set(topology.template_atoms[:4]) | set(topology.template_atoms[-2:]) == {-1}
    template = [unit.mol.GetAtomWithIdx(int(i)).GetAtomicNum() for i in topology.template_atoms[middle]]
    assert topology.numbers[middle].tolist() == template
    assert capped_smiles(topology) == Chem.CanonSmiles("C" + "CC(C)" * 4 + "O")


def test_bonds_are_ordered_pairs_sorted_and_form_one_chain():
    topology = chain(parse("*c1ccc(*)cc1"), 5)
    bonds = topology.bonds
    assert (bonds[:, 0] < bonds[:, 1]).all()
    assert np.array_equal(bonds, bonds[np.lexsort((bonds[:, 1], bonds[:, 0]))])
    assert len(np.unique(bonds, axis=0)) == len(bonds)
    assert len(Chem.GetMolFrags(to_rdkit(topology))) == 1
    assert topology.formal_charges.sum() == 0


def test_kekule_orders_repeat_from_unit_to_unit():
    unit = parse("*c1ccc(*)cc1")
    topology = chain(unit, 6)
    size = unit.mol.GetNumAtoms() - 2
    inside = topology.residues[topology.bonds[:, 0]] == topology.residues[topology.bonds[:, 1]]
    real = (topology.template_atoms[topology.bonds] >= 0).all(axis=1) & inside
    rows = {
        k: sorted(
            (*topology.template_atoms[bond].tolist(), order)
            for bond, order in zip(topology.bonds[real], topology.orders[real].tolist(), strict=True)
            if topology.residues[bond[0]] == k
        )
        for k in range(6)
    }
    assert all(rows[k] == rows[0] for k in rows)
    assert sum(order == 2 for *_, order in rows[0]) == 3
    assert size == 10


def test_copolymers_follow_their_sequence():
    units = (parse("*CC*"), parse("*CCO*"))
    topology = copolymer_chain(units, [0, 1, 1, 0])
    assert capped_smiles(topology) == Chem.CanonSmiles("CC" + "CCO" + "CCO" + "CC")
    assert topology.sequence.tolist() == [0, 1, 1, 0]
    assert CalcMolFormula(to_rdkit(topology)) == "C8H18O2"
    for sequence in ([], [0, 2], [-1], [[0]]):
        with pytest.raises(InputError, match="sequence"):
            copolymer_chain(units, sequence)


def test_capped_smiles_give_the_atoms_back_in_the_order_promised(pi1070):
    for row in pi1070[::25]:
        topology = chain(parse(row["psmiles"]), 2)
        smiles, order = smiles_order(topology)
        read = Chem.AddHs(Chem.MolFromSmiles(smiles))
        assert [a.GetAtomicNum() for a in read.GetAtoms()] == topology.numbers[order].tolist()
        place = np.argsort(order)
        expected = {tuple(sorted(pair)) for pair in place[topology.bonds].tolist()}
        assert {tuple(sorted((b.GetBeginAtomIdx(), b.GetEndAtomIdx()))) for b in read.GetBonds()} == expected


def test_backbone_runs_from_the_first_to_the_last_unit_along_bonds():
    for text, per_unit in (("*CC(*)c1ccccc1", 2), ("*c1ccc(*)cc1", 4), ("*CCO*", 3), ("*C*", 1)):
        topology = chain(parse(text), 7)
        first, last, path = backbone(topology)
        assert (first, last) == (path[0], path[-1])
        assert len(path) == 7 * per_unit
        assert (topology.numbers[path] > 1).all()
        bonds = {tuple(pair) for pair in topology.bonds.tolist()}
        assert all(tuple(sorted(step)) in bonds for step in zip(path[:-1].tolist(), path[1:].tolist(), strict=True))


def test_number_of_units_follows_the_published_rule():
    styrene = parse("*CC(*)c1ccccc1")  # 16 atoms, terminal H 2
    assert degree_for_atoms(styrene, 1000) == 62
    assert chain(styrene, 62).n_atoms == 994
    assert degree_for_atoms(styrene, 1000, ends=("*C", "*C")) == int((1000 - 8) / 16 + 0.5)
    assert degree_for_atoms(styrene, 5) == 1


@pytest.mark.parametrize("end", ["C", "*C*", "*", "*[Si](C)C", "*C[O-]", "*[CH2]", "*=O", "x", "*C.C"])
def test_end_groups_out_of_scope_are_refused(end):
    with pytest.raises(InputError) as caught:
        chain(parse("*CC*"), 2, ends=(end, "*[H]"))
    assert caught.value.field == "end_groups"


def test_a_chain_has_at_least_one_unit():
    with pytest.raises(InputError, match="at least 1"):
        chain(parse("*CC*"), 0)
