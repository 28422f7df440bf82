"""Which stereo choices a repeat unit leaves open: backbone stereocentres, and backbone bonds that are planar."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from rdkit import Chem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polyomics.polymer.psmiles import RepeatUnit
    from polyomics.polymer.topology import FloatArray, IntArray

_TAGS = {Chem.ChiralType.CHI_TETRAHEDRAL_CCW: -1, Chem.ChiralType.CHI_TETRAHEDRAL_CW: 1}
_CIS = (Chem.BondStereo.STEREOZ, Chem.BondStereo.STEREOCIS)
_TRANS = (Chem.BondStereo.STEREOE, Chem.BondStereo.STEREOTRANS)


@dataclass(frozen=True)
class Centre:
    """A backbone stereocentre of a repeat unit.

    Parameters
    ----------
    atom, position
        Index in the unit (stars removed) and place along the unit's backbone.
    substituent, other
        Its two neighbours beside the backbone, the senior one first.
    kind
        Equal for centres that the periodic chain cannot tell apart (up to its direction).
    written
        Handedness demanded by the PSMILES, +1 or -1; 0 where it leaves it open.
    """

    atom: int
    position: int
    substituent: int
    other: int
    kind: int
    written: int


@dataclass(frozen=True)
class Planar:
    """A backbone bond that does not rotate: between ``path[position]`` and the next backbone atom.

    Parameters
    ----------
    position
        Place of its first atom along the unit's backbone; the last place is the bond to the next unit.
    kind
        ``double`` or ``amide``.
    trans
        Whether its backbone neighbours are trans.
    """

    position: int
    kind: str
    trans: bool


@dataclass(frozen=True, eq=False)
class UnitStereo:
    """Stereo description of one repeat unit.

    Parameters
    ----------
    path
        Backbone atoms from head to tail, indices in the unit, shape (length,).
    centres
        Backbone stereocentres in order along the path.
    planar
        Planar backbone bonds.
    mirrorable
        Whether a mirror image of the unit's side chains is as good as the original (nothing is written there).
    """

    path: IntArray
    centres: tuple[Centre, ...]
    planar: tuple[Planar, ...]
    mirrorable: bool


@lru_cache(maxsize=256)
def unit_stereo(unit: RepeatUnit) -> UnitStereo:
    """Return the stereo description of ``unit``."""
    mol = unit.mol
    n = mol.GetNumAtoms() - 2
    path = [int(i) for i in Chem.GetShortestPath(mol, n, n + 1)]
    colours = _periodic_colours(mol, path[1], path[-2])
    centres = tuple(_centres(mol, path, colours))
    tagged = {a.GetIdx() for a in mol.GetAtoms() if a.GetChiralTag() in _TAGS}
    return UnitStereo(
        path=np.array(path[1:-1], dtype=np.int64),
        centres=centres,
        planar=tuple(_planar(mol, path)),
        mirrorable=not tagged,
    )


def handedness(before: FloatArray, centre: FloatArray, after: FloatArray, substituent: FloatArray) -> FloatArray:
    """Return the signed volume that tells the two configurations of a backbone stereocentre apart.

    The sign of ``(c - before) × (after - c) · (substituent - c)``. It turns over when the chain is read backwards and
    when it is mirrored, so two centres related by a mirror plane between them, a meso dyad, have equal signs however
    many bonds lie between them and whatever the torsions are; CIP labels alternate along such a chain.

    Parameters
    ----------
    before, centre, after, substituent
        Coordinates, each shape (..., 3).
    """
    normal = np.cross(centre - before, after - centre)
    return np.asarray(np.sum(normal * (substituent - centre), axis=-1), dtype=np.float64)


def tag_for(order: Sequence[int], before: int, after: int, substituent: int, other: int, sign: int) -> Chem.ChiralType:
    """Return the RDKit chiral tag giving ``sign`` (see :func:`handedness`) at an atom with neighbours in ``order``."""
    parity = _parity([order.index(i) for i in (other, before, after, substituent)])
    return Chem.ChiralType.CHI_TETRAHEDRAL_CCW if sign * parity > 0 else Chem.ChiralType.CHI_TETRAHEDRAL_CW


def retagged(tag: Chem.ChiralType, order: Sequence[int], new_order: Sequence[int]) -> Chem.ChiralType:
    """Return the tag that keeps the configuration when the neighbours of an atom are listed in another order."""
    if _parity([order.index(i) for i in new_order]) > 0:
        return tag
    ccw, cw = Chem.ChiralType.CHI_TETRAHEDRAL_CCW, Chem.ChiralType.CHI_TETRAHEDRAL_CW
    return cw if tag == ccw else ccw


def _parity(permutation: Sequence[int]) -> int:
    flips = sum(a > b for k, a in enumerate(permutation) for b in permutation[k + 1 :])
    return -1 if flips % 2 else 1


def _centres(mol: Chem.Mol, path: list[int], colours: list[int]) -> list[Centre]:
    found = []
    for position in range(1, len(path) - 1):
        atom = mol.GetAtomWithIdx(path[position])
        near = [a.GetIdx() for a in atom.GetNeighbors()]
        if len(near) != 4:
            continue
        before, after = path[position - 1], path[position + 1]
        one, two = (i for i in near if i not in (before, after))
        if colours[one] == colours[two]:
            continue
        weights = [(mol.GetAtomWithIdx(i).GetAtomicNum(), colours[i]) for i in (one, two)]
        senior, junior = (one, two) if weights[0] > weights[1] else (two, one)
        tag = _TAGS.get(atom.GetChiralTag(), 0)
        # CCW seen from the first neighbour means a negative determinant of the others, and the sign of `handedness` is
        # minus the determinant of (before, after, substituent).
        written = -tag * _parity([near.index(i) for i in (junior, before, after, senior)])
        found.append(Centre(path[position], position - 1, senior, junior, colours[path[position]], written))
    return found


def _periodic_colours(mol: Chem.Mol, head: int, tail: int) -> list[int]:
    """Return equal numbers for atoms of the infinite chain that eight rounds of neighbour colours cannot tell apart."""
    n = mol.GetNumAtoms() - 2
    edges = [
        (b.GetBeginAtomIdx(), b.GetEndAtomIdx(), int(2 * b.GetBondTypeAsDouble()))
        for b in mol.GetBonds()
        if max(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) < n
    ]
    near: list[list[tuple[int, int]]] = [[] for _ in range(n)]
    for i, j, order in [*edges, (tail, head, 2)]:
        near[i].append((order, j))
        near[j].append((order, i))
    colours = [mol.GetAtomWithIdx(i).GetAtomicNum() for i in range(n)]
    for _ in range(8):
        signatures = [(colours[i], tuple(sorted((o, colours[j]) for o, j in near[i]))) for i in range(n)]
        rank = {s: k for k, s in enumerate(sorted(set(signatures)))}
        colours = [rank[s] for s in signatures]
    return [*colours, -1, -1]


def _planar(mol: Chem.Mol, path: list[int]) -> list[Planar]:
    found = []
    for position in range(1, len(path) - 2):
        bond = mol.GetBondBetweenAtoms(path[position], path[position + 1])
        if bond.IsInRing():
            continue
        if bond.GetBondType() == Chem.BondType.DOUBLE:
            found.append(Planar(position - 1, "double", _is_trans(bond, path, position)))
        elif _amide(bond.GetBeginAtom(), bond.GetEndAtom()):
            found.append(Planar(position - 1, "amide", True))
    if _amide(mol.GetAtomWithIdx(path[-2]), mol.GetAtomWithIdx(path[1])):
        found.append(Planar(len(path) - 3, "amide", True))
    return [p for p in found if not _linear(mol, path, p)]


def _linear(mol: Chem.Mol, path: list[int], planar: Planar) -> bool:
    """Whether a double bond is part of a cumulene, which has no cis and trans."""
    ends = [mol.GetAtomWithIdx(path[planar.position + k]) for k in (1, 2)] if planar.kind == "double" else []
    return any(a.GetHybridization() == Chem.HybridizationType.SP for a in ends)


def _is_trans(bond: Chem.Bond, path: list[int], position: int) -> bool:
    """Whether the backbone is trans at a double bond; unspecified means trans."""
    if bond.GetStereo() not in (*_CIS, *_TRANS):
        return True
    ends = {path[position]: path[position - 1], path[position + 1]: path[position + 2]}
    first, second = bond.GetStereoAtoms()
    on_path = (ends[bond.GetBeginAtomIdx()] == first) == (ends[bond.GetEndAtomIdx()] == second)
    return bool((bond.GetStereo() in _TRANS) == on_path)


def _amide(one: Chem.Atom, two: Chem.Atom) -> bool:
    """Whether a single bond joins an NH to C=O or C=S."""
    carbon, nitrogen = (one, two) if one.GetAtomicNum() == 6 else (two, one)
    if carbon.GetAtomicNum() != 6 or nitrogen.GetAtomicNum() != 7 or nitrogen.GetIsAromatic():
        return False
    acyl = any(
        b.GetBondType() == Chem.BondType.DOUBLE and b.GetOtherAtom(carbon).GetAtomicNum() in (8, 16)
        for b in carbon.GetBonds()
    )
    return acyl and nitrogen.GetDegree() == 3 and any(a.GetAtomicNum() == 1 for a in nitrogen.GetNeighbors())
