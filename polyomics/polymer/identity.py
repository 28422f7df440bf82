"""Polymer identity: the exact certificate of the periodic graph and the key made of it."""

from __future__ import annotations

import hashlib

from rdkit import Chem


def certificate(mol: Chem.Mol) -> str:
    """Return the canonical PSMILES."""
    return str(Chem.MolToSmiles(mol, isomericSmiles=False))


def key_of(text: str) -> str:
    """Return the key of a certificate."""
    return hashlib.sha256(b"polyomics-identity-1\n" + text.encode()).hexdigest()[:24]
