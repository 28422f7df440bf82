"""Owns RESP charges: conformers, quantum chemistry and restrained fit put together for one oligomer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from polyomics.forcefield.charges.conformers import diverse_conformers
from polyomics.forcefield.charges.fit import FitProblem, NormalEquations, two_stage_fit
from polyomics.forcefield.charges.neutral import neutral_units
from polyomics.forcefield.charges.quantum import hartree_fock
from polyomics.forcefield.charges.surface import inverse_distances, shell_points

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from rdkit import Chem

    from polyomics.forcefield.charges.oligomer import Oligomer
    from polyomics.polymer.topology import FloatArray

CONFORMERS = 3


def resp(oligomer: Oligomer, seed: int) -> tuple[FloatArray, float]:
    """Return RESP charges fitted jointly to the HF/6-31G* potential of diverse conformers.

    Parameters
    ----------
    oligomer
        The molecule.
    seed
        Of the conformer search.

    Returns
    -------
    Charges in e, shape (n,), every unit summing to zero in the fit, and the largest standard deviation of a charge
    of the middle unit between fits to one conformer each.

    Raises
    ------
    NumericsError
        No conformer, or no convergence.
    """
    conformers = diverse_conformers(oligomer, CONFORMERS, seed)
    numbers = np.array([atom.GetAtomicNum() for atom in conformers.mol.GetAtoms()], dtype=np.int64)
    parts = []
    for positions in conformers.positions:
        points = shell_points(numbers, positions)
        electrons = hartree_fock(numbers, positions, points, oligomer.name)
        inverse = conformers.in_order(inverse_distances(points, positions))
        parts.append(NormalEquations.of(inverse, electrons.potential))
    alone = np.array([fit_units(part, oligomer) for part in parts])
    middle = oligomer.atoms_of(oligomer.middle)
    return fit_units(NormalEquations.total(parts), oligomer), float(alone[:, middle].std(axis=0).max())


def fit_units(equations: NormalEquations, oligomer: Oligomer) -> FloatArray:
    """Return the charges of an oligomer, e, shape (n,), each inner unit summing to zero by constraint of the fit.

    The two ends are neutral together in the fit. A polar link between units gives them opposite charges (0.18 e in
    poly(ethylene oxide)); forcing each to zero in the fit moves that charge as far away as it can and gives carbon
    charges beyond 1 e. So the ends alone are corrected afterwards, by the smallest change (:func:`neutral_units`).
    """
    numbers = np.array([atom.GetAtomicNum() for atom in oligomer.mol.GetAtoms()])
    groups = np.where(oligomer.residues == oligomer.n_residues - 1, 0, oligomer.residues)
    problem = FitProblem(oligomer.classes, groups, numbers > 1, _methyl_and_methylene(oligomer.mol))
    return neutral_units(oligomer, two_stage_fit(equations, problem))


def _methyl_and_methylene(mol: Chem.Mol) -> NDArray[np.bool_]:
    chosen = np.zeros(mol.GetNumAtoms(), dtype=np.bool_)
    for atom in mol.GetAtoms():
        hydrogens = [near.GetIdx() for near in atom.GetNeighbors() if near.GetAtomicNum() == 1]
        if atom.GetAtomicNum() == 6 and atom.GetDegree() == 4 and len(hydrogens) >= 2:
            chosen[[atom.GetIdx(), *hydrogens]] = True
    return chosen
