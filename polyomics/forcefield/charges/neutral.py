"""Owns the correction that makes the charges of a method without constraints symmetric and every unit neutral."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from polyomics.forcefield.charges.oligomer import Oligomer
    from polyomics.polymer.topology import FloatArray

POLARIZABILITY = {1: 0.667, 6: 1.76, 7: 1.10, 8: 0.802, 9: 0.557, 15: 3.63, 16: 2.90, 17: 2.18, 35: 3.05, 53: 5.35}
"""Static polarizabilities of the free atoms, Å³ (CRC Handbook of Chemistry and Physics)."""


def neutral_units(oligomer: Oligomer, raw: FloatArray) -> FloatArray:
    """Return the charges closest to ``raw`` in which equivalent atoms are equal and each unit sums to zero.

    Minimises ``Σ (q - raw)² / α`` with α the polarizability of the free atom, so that soft atoms take more of the
    correction. Averaging over equivalent atoms of a unit first and then adding ``-Q α_i / Σα`` is the exact solution,
    since equivalent atoms share α. Inside a chain Q is zero but for the finite context: what crosses one junction
    comes back over the next. At an end Q is what the bond to the neighbour unit moved across the cut.

    Parameters
    ----------
    oligomer
        Gives units, elements and equivalent atoms.
    raw
        Charges of the method, e, shape (n,).

    Returns
    -------
    Charges in e, shape (n,), summing to zero (to rounding) over every unit, caps included.
    """
    soft = np.array([POLARIZABILITY[atom.GetAtomicNum()] for atom in oligomer.mol.GetAtoms()])
    charges = np.array(raw, dtype=np.float64)
    for residue in range(oligomer.n_residues):
        atoms = oligomer.atoms_of(residue)
        charges[atoms] = class_means(charges[atoms], oligomer.classes[atoms])
        charges[atoms] -= charges[atoms].sum() * soft[atoms] / soft[atoms].sum()
    return charges


def class_means(values: FloatArray, classes: np.ndarray) -> FloatArray:
    """Return each value replaced by the mean of its class, shape as ``values``."""
    _, member = np.unique(classes, return_inverse=True)
    means = np.bincount(member, weights=values) / np.bincount(member)
    return np.asarray(means[member], dtype=np.float64)
