"""The conformational energy that guides growth: MMFF94 torsions and van der Waals terms, read from RDKit.

Growth has to know which torsions a chain prefers before any force field is chosen. MMFF94 (Halgren, J. Comput. Chem.
17, 490 (1996)) covers organic chemistry, is at hand in RDKit, and its buffered 14-7 repulsion suits rigid fragments.
Energies in kcal/mol, lengths in Å.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from rdkit import Chem
from rdkit.Chem import rdForceFieldHelpers

if TYPE_CHECKING:
    from polyomics.polymer.topology import FloatArray, IntArray

KT = 0.0019872 * 450.0
"""Thermal energy of sampling, kcal/mol: a polymer melt at 450 K."""

ATTRACTED = 5
"""Bonds up to which attraction is felt; between atoms farther apart along the chain a melt screens it."""

_YIELD = 0.5

_GENERIC_RADIUS = {1: 2.97, 6: 3.94, 7: 3.70, 8: 3.50, 9: 3.25, 15: 4.30, 16: 4.20, 17: 4.10, 35: 4.30, 53: 4.60}
_GENERIC_DEPTH = {1: 0.022, 6: 0.068, 7: 0.07, 8: 0.07, 9: 0.06, 15: 0.2, 16: 0.25, 17: 0.25, 35: 0.32, 53: 0.4}


class TorsionTerms(NamedTuple):
    """Fourier terms: atom quadruples (t, 4) and V1, V2, V3 in kcal/mol, shape (t, 3)."""

    atoms: IntArray
    barriers: FloatArray


class Typing:
    """MMFF94 parameters of one molecule; generic ones per element where MMFF94 knows a type not.

    Parameters
    ----------
    mol
        A sanitised molecule with explicit H.
    """

    def __init__(self, mol: Chem.Mol) -> None:
        self._mol = mol
        known = rdForceFieldHelpers.MMFFHasAllMoleculeParams(mol)
        self._properties = rdForceFieldHelpers.MMFFGetMoleculeProperties(mol) if known else None

    @property
    def complete(self) -> bool:
        """Whether MMFF94 covers the whole molecule."""
        return self._properties is not None

    def size(self, atom: int) -> tuple[float, float]:
        """Return the distance of the minimum (Å) and the well depth (kcal/mol) of an atom with its like."""
        number = self._mol.GetAtomWithIdx(atom).GetAtomicNum()
        if self._properties is not None:
            values = self._properties.GetMMFFVdWParams(atom, atom)
            if values is not None:
                return float(values[2]), float(values[3])
        return _GENERIC_RADIUS[number], _GENERIC_DEPTH[number]

    def barriers(self, i: int, j: int, k: int, m: int) -> tuple[float, float, float]:
        """Return V1, V2, V3 of a torsion."""
        if self._properties is not None:
            values = self._properties.GetMMFFTorsionParams(self._mol, i, j, k, m)
            return (float(values[1]), float(values[2]), float(values[3])) if values else (0.0, 0.0, 0.0)
        kinds = {self._mol.GetAtomWithIdx(a).GetHybridization() for a in (j, k)}
        if kinds == {Chem.HybridizationType.SP3}:
            return 0.0, 0.0, 0.3
        return (0.0, 1.5, 0.0) if kinds == {Chem.HybridizationType.SP2} else (0.0, 0.0, 0.0)

    def terms(self, j: int, k: int) -> TorsionTerms:
        """Return all torsion terms about the bond ``j``-``k``."""
        one, two = (self._mol.GetAtomWithIdx(a) for a in (j, k))
        rows = [
            (a.GetIdx(), j, k, b.GetIdx())
            for a in one.GetNeighbors()
            for b in two.GetNeighbors()
            if a.GetIdx() != k and b.GetIdx() not in (j, a.GetIdx())
        ]
        return TorsionTerms(
            np.array(rows, dtype=np.int64).reshape(-1, 4),
            np.array([self.barriers(*row) for row in rows], dtype=np.float64).reshape(-1, 3),
        )


def torsion_energy(angles: FloatArray, barriers: FloatArray) -> FloatArray:
    """Return ``Σ V1/2 (1 + cos φ) + V2/2 (1 - cos 2φ) + V3/2 (1 + cos 3φ)`` over the last axis of ``angles``."""
    cosine = np.cos(angles)
    double = 2.0 * cosine * cosine - 1.0
    triple = (4.0 * cosine * cosine - 3.0) * cosine
    v1, v2, v3 = (barriers[:, k] for k in range(3))
    return np.asarray(0.5 * ((1 + cosine) * v1 + (1 - double) * v2 + (1 + triple) * v3).sum(axis=-1), dtype=np.float64)


def contact_energy(ratio: FloatArray, depth: FloatArray) -> FloatArray:
    """Return the buffered 14-7 energy at ``ratio``, the distance in units of the distance of the minimum."""
    near = 1.07 / (ratio + 0.07)
    near2 = near * near
    ratio2 = ratio * ratio
    seventh = ratio2 * ratio2 * ratio2 * ratio
    return np.asarray(depth * near2 * near2 * near2 * near * (1.12 / (seventh + 0.12) - 2.0), dtype=np.float64)


def relaxed(energy: FloatArray) -> FloatArray:
    """Return what remains of a local repulsion once bond angles have given way: ``E0 ln(1 + E/E0)`` for positive ``E``.

    Rigid fragments overrate crowding between near neighbours (a rigid g+g- pentane costs 6 kcal/mol, a relaxed one 3).
    """
    return np.asarray(
        np.where(energy > 0.0, _YIELD * np.log1p(np.maximum(energy, 0.0) / _YIELD), energy), dtype=np.float64
    )


def dihedrals(points: FloatArray, atoms: IntArray) -> FloatArray:
    """Return IUPAC dihedral angles in rad of quadruples ``atoms`` (t, 4) in ``points`` (..., n, 3): shape (..., t)."""
    a, b, c, d = (points[..., atoms[:, k], :] for k in range(4))
    axis = c - b
    first = np.cross(b - a, axis)
    second = np.cross(axis, d - c)
    length = np.linalg.norm(axis, axis=-1)
    return np.asarray(
        np.arctan2(np.sum((b - a) * second, axis=-1) * length, np.sum(first * second, axis=-1)), dtype=np.float64
    )
