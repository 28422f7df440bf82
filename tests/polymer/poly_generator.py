"""Random repeat units, and random ways of writing one polymer: frame, multiple, direction, atom order, Kekulé form."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from rdkit import Chem, rdBase

if TYPE_CHECKING:
    import random

BLOCKS = (
    *("C", "C", "C", "C(C)", "C(C)(C)", "C(F)(F)", "C(=O)", "O", "O", "N", "S", "C(c1ccccc1)", "C(C(=O)OC)", "C(Cl)"),
    *("c1ccc(cc1)", "c1cccc(c1)", "c1ccccc1", "C1CCC(CC1)", "C1CCCC(C1)", "C1CC(C1)", "C1CCC1", "C1CC1", "C1CCCC1"),
    *("C=C", "C(C)=C", "C#C", "c1ccc(o1)", "c1ccc(s1)", "c1cc(sc1)", "n1ccc(c1)", "c1ccc2cc(ccc2c1)", "S(=O)(=O)"),
    *("N1C(=O)c2cc3C(=O)N(C(=O)c3cc2C1=O)", "C1C2CC(C1)C(C2)", "C12CCC(CC1)(CC2)", "C(C#N)", "C([N+](=O)[O-])"),
    *(
        "C(=O)O",
        "C(=O)N",
        "N(C)C(=O)",
        "OC(=O)O",
        "C1OCOC(C1)",
        "c1ccc2[nH]c(nc2c1)",
        "P(=O)(c1ccccc1)",
        "C(Br)",
        "C(I)",
    ),
)


def block_unit(rng: random.Random) -> str:
    """Return a chain of one to five random blocks; each block joins at its first atom and its last open one."""
    while True:
        unit = "*" + "".join(rng.choice(BLOCKS) for _ in range(rng.choice((1, 1, 2, 2, 3, 3, 4, 5)))) + "*"
        if _sound(unit):
            return unit


def ring_unit(rng: random.Random) -> str:
    """Return a random connected graph of 2-9 atoms, up to three rings and two stars: rich in near-identical pairs."""
    while True:
        n = rng.randint(2, 9)
        mol = Chem.RWMol()
        for _ in range(n):
            mol.AddAtom(Chem.Atom(rng.choice((6,) * 12 + (7, 8))))
        for i in range(1, n):
            mol.AddBond(i, rng.randrange(i), Chem.BondType.SINGLE)
        for _ in range(rng.choice((0, 1, 1, 2, 2, 3))):
            i, j = rng.sample(range(n), 2)
            if mol.GetBondBetweenAtoms(i, j) is None:
                mol.AddBond(i, j, rng.choice((Chem.BondType.SINGLE,) * 4 + (Chem.BondType.DOUBLE,)))
        for _ in range(2):
            star = mol.AddAtom(Chem.Atom(0))
            mol.AddBond(star, rng.randrange(n), Chem.BondType.SINGLE)
        with rdBase.BlockLogs():
            failed = Chem.SanitizeMol(mol, catchErrors=True)
        if failed == Chem.SanitizeFlags.SANITIZE_NONE:
            return Chem.MolToSmiles(mol)


def _sound(text: str) -> bool:
    with rdBase.BlockLogs():
        mol = Chem.MolFromSmiles(text)
    return (
        mol is not None
        and mol.GetNumAtoms() > 2
        and all(a.GetDegree() == 1 for a in mol.GetAtoms() if not a.GetAtomicNum())
    )


def respelled(text: str, rng: random.Random, most: int = 3) -> str:
    """Return another text of the same polymer, of one to ``most`` units."""
    unit = Chem.MolFromSmiles(text)
    copies = rng.randint(1, most)
    row = _row(unit, copies + 1)
    n = unit.GetNumAtoms()
    head, tail = _star_indices(unit)
    bonds = []
    path = Chem.GetShortestPath(unit, head, tail)
    for i, j in pairwise(path[1:-1]):
        bond = unit.GetBondBetweenAtoms(i, j)
        if bond.GetBondType() == Chem.BondType.SINGLE and not bond.IsInRing():
            bonds.append((i, j))
    keep = set(range(n * copies))
    if bonds and rng.random() < 0.85:
        i, j = rng.choice(bonds)
        cuts = [row.GetBondBetweenAtoms(c * n + i, c * n + j).GetIdx() for c in (0, copies)]
        row = Chem.FragmentOnBonds(row, cuts, dummyLabels=[(0, 0), (0, 0)])
        keep = next(set(f) for f in Chem.GetMolFrags(row) if n + path[1] in f)
    else:
        row = _row(unit, copies)
    edit = Chem.RWMol(row)
    for atom in reversed(list(row.GetAtoms())):
        if atom.GetIdx() not in keep or atom.GetDegree() == 0:
            edit.RemoveAtom(atom.GetIdx())
    mol = edit.GetMol()
    Chem.SanitizeMol(mol)
    kekule = rng.random() < 0.3
    if kekule:
        Chem.Kekulize(mol, clearAromaticFlags=True)
    order = list(range(mol.GetNumAtoms()))
    rng.shuffle(order)
    return Chem.MolToSmiles(Chem.RenumberAtoms(mol, order), canonical=False, kekuleSmiles=kekule, isomericSmiles=False)


def _star_indices(mol: Chem.Mol) -> list[int]:
    return [a.GetIdx() for a in mol.GetAtoms() if a.GetAtomicNum() == 0]


def _row(unit: Chem.Mol, copies: int) -> Chem.Mol:
    """Return ``copies`` units joined head to tail: atom i of copy c is c * n + i, spent stars are left unbonded."""
    n = unit.GetNumAtoms()
    head, tail = _star_indices(unit)
    first, last = (unit.GetAtomWithIdx(s).GetNeighbors()[0].GetIdx() for s in (head, tail))
    row = Chem.RWMol(unit)
    for _ in range(copies - 1):
        row.InsertMol(unit)
    for c in range(copies - 1):
        row.AddBond(c * n + last, (c + 1) * n + first, Chem.BondType.SINGLE)
        row.RemoveBond(c * n + tail, c * n + last)
        row.RemoveBond((c + 1) * n + head, (c + 1) * n + first)
    return row
