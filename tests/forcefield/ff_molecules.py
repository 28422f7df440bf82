"""Topologies and coordinates of small molecules straight from RDKit, for the tests of this room."""

from __future__ import annotations

import numpy as np
from rdkit import Chem
from rdkit.Chem import AllChem

from polyomics.polymer.topology import Topology


def explicit(smiles: str) -> Chem.Mol:
    """Return the molecule with all H explicit, in AddHs order."""
    return Chem.AddHs(Chem.MolFromSmiles(smiles))


def topology_of(mol: Chem.Mol, name: str = "") -> Topology:
    """Return a molecule with explicit H as one residue without caps."""
    kekule = Chem.Mol(mol)
    Chem.Kekulize(kekule, clearAromaticFlags=True)
    bonds = sorted(
        (
            min(b.GetBeginAtomIdx(), b.GetEndAtomIdx()),
            max(b.GetBeginAtomIdx(), b.GetEndAtomIdx()),
            int(b.GetBondTypeAsDouble()),
        )
        for b in kekule.GetBonds()
    )
    table = np.array(bonds, dtype=np.int64).reshape(-1, 3)
    n = mol.GetNumAtoms()
    return Topology(
        numbers=np.array([a.GetAtomicNum() for a in mol.GetAtoms()], dtype=np.int64),
        bonds=table[:, :2],
        orders=table[:, 2],
        formal_charges=np.array([a.GetFormalCharge() for a in mol.GetAtoms()], dtype=np.int64),
        residues=np.zeros(n, dtype=np.int64),
        template_atoms=np.arange(n),
        sequence=np.zeros(1, dtype=np.int64),
        units=(),
        name=name,
    )


def conformer(mol: Chem.Mol, seed: int = 7) -> np.ndarray:
    """Return embedded coordinates, nm, shape (n, 3)."""
    copy = Chem.Mol(mol)
    assert AllChem.EmbedMolecule(copy, randomSeed=seed) == 0
    return copy.GetConformer().GetPositions() / 10.0
