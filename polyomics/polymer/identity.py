"""Polymer identity: the exact certificate of a polymer's periodic graph and the key made of it (design decision 1).

Why it is exact. Call a *cut* a single, acyclic bond on the path between the two stars, the bond between units included.
Cutting an endless chain at all its cuts leaves an endless row of blocks, each with a head and a tail. A cut separates
the chain into two endless halves, and only backbone bonds do, so every isomorphism of two chains maps cuts to cuts and
blocks to blocks, keeping the order of the row or reversing it. Two polymers are therefore the same graph exactly when
their rows of blocks are: blocks are letters, a polymer is a periodic word, and its primitive period is that of the
word. The certificate is the smallest canonical PSMILES over the cuts of one primitive period. With both stars written
alike it stands for both directions, and since it decodes to one periodic graph, two polymers cannot share it.
"""

from __future__ import annotations

import hashlib
from itertools import pairwise
from typing import TYPE_CHECKING

from rdkit import Chem
from rdkit.Chem import rdqueries

if TYPE_CHECKING:
    from collections.abc import Sequence

SCHEME = "polyomics-identity-1"
"""Version of the certificate; enters every key, so that keys of two schemes never meet."""

KEY_LENGTH = 24
"""Hexadecimal characters of a key: 96 bits, a chance below 1e-16 of any clash among a million polymers."""

_Cut = tuple[int, int]
_STAR = rdqueries.AtomNumEqualsQueryAtom(0)


def certificate(mol: Chem.Mol, *, stereo: bool = False) -> str:
    """Return the canonical form of the polymer that a repeat unit stands for.

    Parameters
    ----------
    mol
        Sanitised repeat unit with implicit H and two dummy atoms, each with one single bond.
    stereo
        False (the identity of the store): R/S and E/Z marks are dropped on purpose, since tacticity and cis content are
        properties of a sample and enter through ``SystemSpec``. True: marks are kept, and the certificate is the
        smallest row of blocks ``[1*]..[2*]`` read in either direction.

    Returns
    -------
    str
        Canonical PSMILES of the primitive period; with ``stereo`` the blocks of one period joined by dots.
    """
    if stereo:
        return _word_certificate(mol)
    flat = Chem.Mol(mol)
    Chem.RemoveStereochemistry(flat)
    cuts = _cuts(flat)
    period = _primitive_period(flat, cuts)
    if period <= len(cuts):
        flat = _first_blocks(flat, cuts, period)
        cuts = _cuts(flat)
    head, tail = _ends(flat)
    return min([_smiles(flat), *(_smiles(_shifted(flat, cut, head, tail)) for cut in cuts)])


def key_of(text: str) -> str:
    """Return the identity key of a certificate: the first 24 hexadecimal characters of SHA-256 over scheme and text."""
    return hashlib.sha256(f"{SCHEME}\n{text}".encode()).hexdigest()[:KEY_LENGTH]


def _smiles(mol: Chem.Mol) -> str:
    return str(Chem.MolToSmiles(mol, isomericSmiles=False))


def _stars(mol: Chem.Mol) -> tuple[int, int]:
    head, tail = (atom.GetIdx() for atom in mol.GetAtomsMatchingQuery(_STAR))
    return head, tail


def _ends(mol: Chem.Mol) -> tuple[_Cut, _Cut]:
    """Return ``(star, atom bonded to it)`` of head and tail."""
    pairs = [(star, mol.GetAtomWithIdx(star).GetNeighbors()[0].GetIdx()) for star in _stars(mol)]
    return pairs[0], pairs[1]


def _cuts(mol: Chem.Mol) -> list[_Cut]:
    """Return the cuts inside the unit from head to tail, each as (atom before, atom after)."""
    path = Chem.GetShortestPath(mol, *_stars(mol))[1:-1]
    found = []
    for before, after in pairwise(path):
        bond = mol.GetBondBetweenAtoms(before, after)
        if bond.GetBondType() == Chem.BondType.SINGLE and not bond.IsInRing():
            found.append((before, after))
    return found


def _primitive_period(mol: Chem.Mol, cuts: Sequence[_Cut]) -> int:
    """Return the number of blocks in the primitive period."""
    letters: Sequence[object] = _marks(mol, cuts)
    if _smallest_period(letters) < len(letters):
        letters = [_smiles_labelled(block) for block in _blocks(mol, cuts)]
    return _smallest_period(letters)


def _marks(mol: Chem.Mol, cuts: Sequence[_Cut]) -> list[tuple[int, int]]:
    """Return (atomic number, neighbours) of the first atom of each block: cheap, and unequal only if the blocks are."""
    starts = [mol.GetAtomWithIdx(i) for i in (_ends(mol)[0][1], *(after for _, after in cuts))]
    return [(atom.GetAtomicNum(), atom.GetDegree()) for atom in starts]


def _smallest_period(word: Sequence[object]) -> int:
    n = len(word)
    return next(p for p in range(1, n + 1) if n % p == 0 and word[p:] == word[: n - p])


def _labelled(mol: Chem.Mol) -> Chem.Mol:
    """Return a copy whose head star is [1*] and whose tail star is [2*]."""
    copy = Chem.Mol(mol)
    for label, star in enumerate(_stars(mol), start=1):
        copy.GetAtomWithIdx(star).SetIsotope(label)
    return copy


def _blocks(mol: Chem.Mol, cuts: Sequence[_Cut]) -> list[Chem.Mol]:
    """Return the blocks from head to tail, head stars [1*] and tail stars [2*]."""
    whole = _labelled(mol)
    if not cuts:
        return [whole]
    bonds = [mol.GetBondBetweenAtoms(*cut) for cut in cuts]
    # FragmentOnBonds labels the star that replaces a bond's begin atom first, its end atom second.
    labels = [
        (1, 2) if bond.GetBeginAtomIdx() == before else (2, 1) for bond, (before, _) in zip(bonds, cuts, strict=True)
    ]
    pieces = Chem.FragmentOnBonds(whole, [bond.GetIdx() for bond in bonds], dummyLabels=labels)
    members: list[tuple[int, ...]] = []
    fragments = Chem.GetMolFrags(pieces, asMols=True, sanitizeFrags=False, fragsMolAtomMapping=members)
    fragment_of = {atom: index for index, atoms in enumerate(members) for atom in atoms}
    first = _ends(mol)[0][1]
    return [fragments[fragment_of[start]] for start in [first, *(after for _, after in cuts)]]


def _smiles_labelled(mol: Chem.Mol) -> str:
    return str(Chem.MolToSmiles(mol))


def _first_blocks(mol: Chem.Mol, cuts: Sequence[_Cut], period: int) -> Chem.Mol:
    """Return the repeat unit made of the first ``period`` blocks."""
    (first,) = _blocks(mol, [cuts[period - 1]])[:1]
    for atom in first.GetAtoms():
        if atom.GetAtomicNum() == 0:
            atom.SetIsotope(0)
    return first


def _shifted(mol: Chem.Mol, cut: _Cut, head: _Cut, tail: _Cut) -> Chem.Mol:
    """Return the same polymer with its unit beginning after ``cut``."""
    before, after = cut
    frame = Chem.RWMol(mol)
    frame.RemoveBond(before, after)
    frame.RemoveBond(*head)
    frame.RemoveBond(*tail)
    frame.AddBond(head[1], tail[1], Chem.BondType.SINGLE)
    frame.AddBond(head[0], after, Chem.BondType.SINGLE)
    frame.AddBond(tail[0], before, Chem.BondType.SINGLE)
    return frame


def _word_certificate(mol: Chem.Mol) -> str:
    forward = _blocks(mol, _cuts(mol))
    words = []
    for blocks, swap in ((forward, False), (forward[::-1], True)):
        letters = [_smiles_labelled(_swapped(block) if swap else block) for block in blocks]
        letters = letters[: _smallest_period(letters)]
        words += [letters[k:] + letters[:k] for k in range(len(letters))]
    return ".".join(min(words))


def _swapped(block: Chem.Mol) -> Chem.Mol:
    turned = Chem.Mol(block)
    for atom in turned.GetAtoms():
        if atom.GetAtomicNum() == 0:
            atom.SetIsotope(3 - atom.GetIsotope())
    return turned
