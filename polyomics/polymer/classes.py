"""PoLyInfo-style polymer classes: 21 labels decided on the main chain."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rdkit import Chem


def classify(mol: Chem.Mol) -> str:
    """Return the class label of a repeat unit."""
    return ""
