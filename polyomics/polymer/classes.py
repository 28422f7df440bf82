"""PoLyInfo-style polymer classes: 21 labels, decided by functional groups of the main chain, then by side groups.

The order of decision is that of RadonPy's emulator of PoLyInfo, on which the PolyOmics tables rest; the patterns are
our own. One label is given, that of highest rank: a poly(ether sulfone) is a polysulfone. Patterns are matched on an
open piece of chain, so that groups which cross the cut between units are whole and no ring is closed.
"""

from __future__ import annotations

from functools import cache

from rdkit import Chem

CLASS_LABELS: dict[int, str] = {
    1: "polyhydrocarbon",
    2: "polystyrene",
    3: "polyvinyl",
    4: "polyacryl",
    5: "polyhaloolefin",
    6: "polydiene",
    7: "polyether",
    8: "polysulfide",
    9: "polyester",
    10: "polyamide",
    11: "polyurethane",
    12: "polyurea",
    13: "polyimide",
    14: "polyanhydride",
    15: "polycarbonate",
    16: "polyamine",
    17: "polysilane",
    18: "polyphosphazene",
    19: "polyketone",
    20: "polysulfone",
    21: "polyphenylene",
}
"""Number used by RadonPy and PolyOmics tables, and readable label, of each class."""

CLASS_NUMBERS: dict[str, int] = {label: number for number, label in CLASS_LABELS.items()}
"""Number of each label."""

_RULES: tuple[tuple[int, str], ...] = (
    (11, "[M#7][M#6](=[#8,#16])[M#8,M#16]"),
    (12, "[M#7][M#6](=[#8,#16])[M#7]"),
    (13, "[M#6](=[#8,#16])[M#7][M#6]=[#8,#16]"),
    (13, "[M#6]@[#6](=[#8,#16])@[#7]@[#6](=[#8,#16])@[M#6]"),
    (14, "[M#6](=[#8,#16])[M#8,M#16][M#6]=[#8,#16]"),
    (15, "[M#8,M#16][M#6](=[#8,#16])[M#8,M#16]"),
    (9, "[#6][M#6](=[#8,#16])[M#8,M#16]"),
    (10, "[M#6](=[#8,#16])[M#7]"),
    (17, "[M#14]"),
    (18, "[M#15]~[M#7]"),
    (19, "[#6][M#6](=[#8,#16])[#6]"),
    (20, "[M#16](=O)=O"),
    (7, "[M#8]"),
    (8, "[M#16]"),
    (16, "[M#7]"),
    (21, "[Mc]1[Mc][Mc][Mc][Mc][Mc]1"),
    (2, "[MCX4;!R]-!@[a;!M]1aaaaa1"),
    (4, "[MCX4]-[#6;!M](=[#8,#16])[#7,#8,#16]"),
    (3, "[!#6;!#1;!#0;!F;!Cl;!Br;!I]"),
    (5, "[M#6][F,Cl,Br,I]"),
    (3, "[F,Cl,Br,I]"),
)
"""Class and the group that decides it, in order; M marks an atom of the main chain. What is left is a hydrocarbon."""

_UNSATURATED = "[#6;!a]=,#[#6;!a]"
_AROMATIC = "a"
_CONTEXT = 4
"""Main-chain atoms that a group may reach into the next unit."""


def classify(core: Chem.Mol) -> str:
    """Return the class label of a repeat unit.

    Parameters
    ----------
    core
        Sanitised repeat unit with implicit H and two dummy atoms.

    Returns
    -------
    str
        One of ``CLASS_LABELS``: the first class, in the order of the rules, whose group occurs in the endless chain;
        a hydrocarbon without any is a polydiene (C=C or C#C, nothing aromatic) or a polyhydrocarbon.
    """
    piece = _marked(_piece(core))
    for number, group in _rules():
        if piece.HasSubstructMatch(group):
            return CLASS_LABELS[number]
    if piece.HasSubstructMatch(_pattern(_UNSATURATED)) and not piece.HasSubstructMatch(_pattern(_AROMATIC)):
        return CLASS_LABELS[6]
    return CLASS_LABELS[1]


@cache
def _pattern(smarts: str) -> Chem.Mol:
    # The mark of a main-chain atom is isotope 1, which no validated unit carries.
    return Chem.MolFromSmarts(smarts.replace("M", "1"))


@cache
def _rules() -> tuple[tuple[int, Chem.Mol], ...]:
    return tuple((number, _pattern(smarts)) for number, smarts in _RULES)


def _stars(mol: Chem.Mol) -> list[Chem.Atom]:
    return [atom for atom in mol.GetAtoms() if atom.GetAtomicNum() == 0]


def _piece(core: Chem.Mol) -> Chem.Mol:
    """Return enough units in a row, stars at the ends, for every group of the chain to occur whole."""
    head, tail = _stars(core)
    first, last = (star.GetNeighbors()[0].GetIdx() for star in (head, tail))
    length = len(Chem.GetShortestPath(core, first, last)) if first != last else 1
    copies = 1 - (-_CONTEXT // length)
    n = core.GetNumAtoms()
    piece = Chem.RWMol(core)
    for _ in range(copies - 1):
        piece.InsertMol(core)
    for k in range(copies - 1):
        piece.AddBond(k * n + last, (k + 1) * n + first, Chem.BondType.SINGLE)
    inner = [k * n + tail.GetIdx() for k in range(copies - 1)] + [k * n + head.GetIdx() for k in range(1, copies)]
    for index in sorted(inner, reverse=True):
        piece.RemoveAtom(index)
    piece.UpdatePropertyCache(strict=False)
    Chem.GetSymmSSSR(piece)
    return piece.GetMol()


def _marked(piece: Chem.Mol) -> Chem.Mol:
    """Mark the main chain: the shortest path between the stars and the rings that it runs through."""
    path = set(Chem.GetShortestPath(piece, *(star.GetIdx() for star in _stars(piece)))[1:-1])
    rings = (ring for ring in piece.GetRingInfo().AtomRings() if len(path.intersection(ring)) > 1)
    for index in path.union(*rings):
        piece.GetAtomWithIdx(index).SetIsotope(1)
    return piece
