"""PSMILES in, repeat units out: the value RepeatUnit and the functions that make it and small molecules from text."""

from __future__ import annotations

from dataclasses import dataclass
from math import fsum

import numpy as np
from rdkit import Chem

from polyomics.polymer.classes import classify
from polyomics.polymer.identity import certificate, key_of
from polyomics.polymer.reading import molecule_core, repeat_core
from polyomics.polymer.topology import IntArray, Topology


@dataclass(frozen=True, eq=False)
class RepeatUnit:
    """A repeat unit as written, validated.

    Parameters
    ----------
    text
        The input string.
    mol
        Heavy atoms and explicit H, two dummy atoms (atomic number 0) being the last two atoms: head star, then tail
        star. The first star of ``text`` is the head. Chains are joined head to tail.
    canonical
        The certificate: canonical PSMILES of the primitive period (design decision 1).
    key
        Identity key derived from ``canonical``.
    polymer_class
        PoLyInfo-style class label, one of the 21.
    mass
        Mass of the repeat unit as written, g/mol.
    """

    text: str
    mol: Chem.Mol
    canonical: str
    key: str
    polymer_class: str
    mass: float


def parse(text: str) -> RepeatUnit:
    """Read a polymer SMILES with two connection points and refuse what cannot be computed.

    Parameters
    ----------
    text
        A repeat unit with its ends written ``*``, ``[*]``, ``[*:1]``, ``[1*]``, ``[Ce]``/``[Th]`` or ``[3H]``.

    Returns
    -------
    RepeatUnit
        Atom order of ``mol``: heavy atoms as written, then explicit H grouped by heavy atom, then head and tail star.

    Raises
    ------
    InputError
        The text is not a repeat unit (empty, not SMILES, impossible valence, wrong number of connection points).
    UnsupportedError
        A repeat unit outside the scope (elements, charges, radicals, isotopes, ladders, double-bond links, size).
    """
    core = repeat_core(text)
    canonical = certificate(core)
    full = Chem.AddHs(core)
    numbers = [atom.GetAtomicNum() for atom in core.GetAtoms()]
    stars = [index for index, number in enumerate(numbers) if number == 0]
    real = [index for index in range(full.GetNumAtoms()) if index not in stars]
    return RepeatUnit(
        text=text,
        mol=Chem.RenumberAtoms(full, real + stars),
        canonical=canonical,
        key=key_of(canonical),
        polymer_class=classify(core),
        mass=fsum(atom.GetMass() for atom in full.GetAtoms()),
    )


def parse_molecule(smiles: str) -> Topology:
    """Read the SMILES of a small molecule under the element and charge rules of :func:`parse`.

    Returns
    -------
    Topology
        One residue without caps, heavy atoms as written, then explicit H grouped by heavy atom.

    Raises
    ------
    InputError, UnsupportedError
        As :func:`parse`; connection points are refused.
    """
    arrays = mol_arrays(Chem.AddHs(molecule_core(smiles)))
    n = len(arrays.numbers)
    return Topology(
        numbers=arrays.numbers,
        bonds=arrays.bonds,
        orders=arrays.orders,
        formal_charges=arrays.formal_charges,
        residues=np.zeros(n, dtype=np.int64),
        template_atoms=np.arange(n, dtype=np.int64),
        sequence=np.zeros(1, dtype=np.int64),
        units=(),
        name=smiles,
    )


@dataclass(frozen=True, eq=False)
class MolArrays:
    """The Kekulé graph of a molecule: atomic numbers (n,), bonds (m, 2) sorted, orders (m,), formal charges (n,)."""

    numbers: IntArray
    bonds: IntArray
    orders: IntArray
    formal_charges: IntArray


def mol_arrays(mol: Chem.Mol) -> MolArrays:
    """Kekulise a copy of ``mol`` and return its graph; dummy atoms have number 0."""
    kekule = Chem.Mol(mol)
    Chem.Kekulize(kekule, clearAromaticFlags=True)
    rows = sorted(
        (*sorted((b.GetBeginAtomIdx(), b.GetEndAtomIdx())), int(b.GetBondTypeAsDouble())) for b in kekule.GetBonds()
    )
    table = np.array(rows, dtype=np.int64).reshape(-1, 3)
    return MolArrays(
        numbers=np.array([a.GetAtomicNum() for a in kekule.GetAtoms()], dtype=np.int64),
        bonds=table[:, :2].copy(),
        orders=table[:, 2].copy(),
        formal_charges=np.array([a.GetFormalCharge() for a in kekule.GetAtoms()], dtype=np.int64),
    )
