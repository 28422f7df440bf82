"""Owns the capped oligomer in which a repeat unit is charged, and the atoms of it that must carry equal charges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from rdkit import Chem

from polyomics.polymer.chain import chain, to_rdkit

if TYPE_CHECKING:
    from polyomics.polymer.psmiles import RepeatUnit
    from polyomics.polymer.topology import IntArray, Topology

_STEREO = {
    Chem.BondStereo.STEREOE: Chem.BondStereo.STEREOTRANS,
    Chem.BondStereo.STEREOTRANS: Chem.BondStereo.STEREOTRANS,
    Chem.BondStereo.STEREOZ: Chem.BondStereo.STEREOCIS,
    Chem.BondStereo.STEREOCIS: Chem.BondStereo.STEREOCIS,
}


@dataclass(frozen=True, eq=False)
class Oligomer:
    """A molecule whose atoms belong to repeat units.

    Parameters
    ----------
    name
        What to call it in messages: the unit as the user wrote it.
    mol
        Sanitised, every H explicit. Atoms ordered as in a chain topology: head cap, units, tail cap.
    residues
        Unit of each atom (caps belong to the unit they cap), shape (n,).
    classes
        Atoms with equal numbers must carry equal charges, shape (n,). All inner units share one set of numbers, so
        an inner charge does not depend on where in the oligomer its unit stands.
    """

    name: str
    mol: Chem.Mol
    residues: IntArray
    classes: IntArray

    @property
    def n_atoms(self) -> int:
        """Number of atoms."""
        return len(self.residues)

    @property
    def n_residues(self) -> int:
        """Number of repeat units."""
        return int(self.residues[-1]) + 1

    @property
    def middle(self) -> int:
        """Index of the unit that stands for any unit inside a long chain."""
        return self.n_residues // 2

    def atoms_of(self, residue: int) -> IntArray:
        """Return the atoms of one unit (with its cap at an end), in order."""
        return np.flatnonzero(self.residues == residue).astype(np.int64)


def capped_oligomer(unit: RepeatUnit, n_units: int, ends: tuple[str, str]) -> Oligomer:
    """Return a chain of ``n_units`` (odd, at least 3) copies of a unit.

    Chirality is dropped: charges stand for every stereo-isomer. Cis and trans double bonds of the unit are kept.

    Raises
    ------
    InputError
        A cap does not have exactly one star.
    """
    topology = chain(unit, n_units, ends)
    mol = to_rdkit(topology)
    inner = _classes_in_chain(unit.mol)
    _copy_double_bond_stereo(unit.mol, mol, topology.caps[0], n_units)
    classes = equivalence_classes(mol)
    start = classes.max() + 1
    for residue in range(1, n_units - 1):
        classes[topology.residues == residue] = inner + start
    return Oligomer(name=unit.text, mol=mol, residues=topology.residues, classes=classes)


def unit_between_groups(unit: RepeatUnit, ends: tuple[str, str]) -> tuple[Oligomer, Oligomer, Oligomer]:
    """Return one unit as the first, an inner and the last of its chain, its neighbour units cut to small groups.

    A group is the neighbour's first atom in its kind: methyl, methoxy, acetyl, phenyl and the like. It counts as a
    residue of its own, so that the unit is residue 0, 1 and 1 of the three molecules. For units whose oligomer is too
    large for quantum chemistry.

    Raises
    ------
    InputError
        A cap does not have exactly one star.
    """
    n = unit.mol.GetNumAtoms() - 2
    after, before = (_group_like(unit.mol.GetAtomWithIdx(_star_neighbour(unit.mol, star))) for star in (n, n + 1))
    first = _monomer(unit, (ends[0], after), cut=(False, True))
    inner = _monomer(unit, (before, after), cut=(True, True))
    last = _monomer(unit, (before, ends[1]), cut=(True, False))
    inner.classes[inner.atoms_of(1)] = _classes_in_chain(unit.mol) + inner.classes.max() + 1
    return first, inner, last


def _group_like(atom: Chem.Atom) -> str:
    number = atom.GetAtomicNum()
    oxo = sum(
        bond.GetBondType() == Chem.BondType.DOUBLE and bond.GetOtherAtom(atom).GetAtomicNum() == 8
        for bond in atom.GetBonds()
    )
    hydrogens = sum(near.GetAtomicNum() == 1 for near in atom.GetNeighbors())
    if atom.GetIsAromatic() and number == 6:
        return "*c1ccccc1"
    if number == 6:
        return "*C(C)=O" if oxo else "*C"
    if number == 7:
        return "*NC" if hydrogens else "*N(C)C"
    if number == 8:
        return "*OC"
    if number == 16:
        return "*S(C)(=O)=O" if oxo == 2 else "*SC"
    return "*C"


def _monomer(unit: RepeatUnit, caps: tuple[str, str], cut: tuple[bool, bool]) -> Oligomer:
    topology = chain(unit, 1, caps)
    mol = to_rdkit(topology)
    head, tail = topology.caps
    place = int(cut[0])
    sizes = [head, topology.n_atoms - head - tail, tail]
    residues = np.repeat(np.array([0, place, place + int(cut[1])], dtype=np.int64), sizes)
    _copy_double_bond_stereo(unit.mol, mol, head, 1)
    return Oligomer(unit.text, mol, residues, equivalence_classes(mol))


def oligomer_of_topology(topology: Topology) -> Oligomer:
    """Return a whole molecule as one residue: its charges are free but for symmetry and their sum."""
    mol = to_rdkit(topology)
    residues = np.zeros(topology.n_atoms, dtype=np.int64)
    return Oligomer(topology.name or "molecule", mol, residues, equivalence_classes(mol))


def units_around(unit: RepeatUnit, *, heavy_atoms: int = 0, bonds: int = 0) -> int:
    """Return how many units on each side give the middle one that many heavy atoms and main-chain bonds of context."""
    mol = unit.mol
    n = mol.GetNumAtoms()
    heavy = sum(atom.GetAtomicNum() > 1 for atom in mol.GetAtoms())
    backbone = len(Chem.GetShortestPath(mol, n - 2, n - 1)) - 2
    return max(1, -(-heavy_atoms // heavy), -(-bonds // backbone))


def equivalence_classes(mol: Chem.Mol) -> IntArray:
    """Return a class per atom, equal for topologically equivalent atoms, shape (n,).

    Colours (element, ring sizes) are refined over neighbours until they are stable. Bond orders and formal charges
    are left out on purpose: with every H explicit they add only the choice between resonance structures, and the
    two oxygens of a nitro group must come out equal.
    """
    edges = [(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in mol.GetBonds()]
    return _refine(_start_colours(mol), edges)


def _classes_in_chain(unit: Chem.Mol) -> IntArray:
    # The infinite chain covers the unit's graph closed by one head-tail edge, so refinement of that small graph gives
    # the classes of the chain, reflections and sub-periods included, without closing a ring in RDKit.
    n = unit.GetNumAtoms() - 2
    edges = [(b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in unit.GetBonds()]
    ends = [_star_neighbour(unit, star) for star in (n, n + 1)]
    closed = [(i, j) for i, j in edges if i < n and j < n] + [(ends[0], ends[1])]
    return _refine(_start_colours(unit)[:n], closed)


def _start_colours(mol: Chem.Mol) -> list[tuple[object, ...]]:
    Chem.FastFindRings(mol)
    rings = list(mol.GetRingInfo().AtomRings())
    return [
        (atom.GetAtomicNum(), tuple(sorted(len(ring) for ring in rings if atom.GetIdx() in ring)))
        for atom in mol.GetAtoms()
    ]


def _refine(start: list[tuple[object, ...]], edges: list[tuple[int, int]]) -> IntArray:
    colours = _numbered(start)
    neighbours: list[list[int]] = [[] for _ in start]
    for i, j in edges:
        neighbours[i].append(j)
        neighbours[j].append(i)
    while True:
        finer = _numbered([(colours[i], tuple(sorted(colours[j] for j in near))) for i, near in enumerate(neighbours)])
        if len(set(finer)) == len(set(colours)):
            return np.asarray(finer, dtype=np.int64)
        colours = finer


def _numbered(labels: list[tuple[object, ...]]) -> list[int]:
    number = {label: k for k, label in enumerate(sorted(set(labels)))}
    return [number[label] for label in labels]


def _star_neighbour(mol: Chem.Mol, star: int) -> int:
    (bond,) = mol.GetAtomWithIdx(star).GetBonds()
    return int(bond.GetOtherAtomIdx(star))


def _copy_double_bond_stereo(unit: Chem.Mol, mol: Chem.Mol, start: int, n_units: int) -> None:
    n = unit.GetNumAtoms() - 2
    first, last = (_star_neighbour(unit, star) for star in (n, n + 1))
    for bond in unit.GetBonds():
        if bond.GetStereo() not in _STEREO:
            continue
        for residue in range(n_units):
            offset = start + residue * n
            # The star on the left stands for the last atom of the unit before, the star on the right for the first
            # atom of the unit after; at the ends the references fall on caps, whose side does not matter here.
            place = {n: offset - n + last, n + 1: offset + n + first}
            references = [place.get(i, offset + i) for i in bond.GetStereoAtoms()]
            pair = (offset + bond.GetBeginAtomIdx(), offset + bond.GetEndAtomIdx())
            copy = mol.GetBondBetweenAtoms(*pair)
            if all(
                0 <= i < mol.GetNumAtoms() and mol.GetBondBetweenAtoms(i, j) is not None
                for i, j in zip(references, pair, strict=True)
            ):
                copy.SetStereoAtoms(*references)
                copy.SetStereo(_STEREO[bond.GetStereo()])
