"""Owns the algebra of the restrained fit of charges to a potential (RESP): pure numpy, no chemistry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import linalg

from polyomics.errors import NumericsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from polyomics.polymer.topology import FloatArray, IntArray

RESTRAINT = (0.0005, 0.001)
"""Strength ``a`` of the hyperbolic restraint in stages one and two, atomic units."""
TIGHTNESS = 0.1
"""Width ``b`` of the hyperbola, e."""

_ROUNDS = 200
_CONVERGED = 1e-10


@dataclass(frozen=True, eq=False)
class NormalEquations:
    """Least-squares equations of one or more conformers: they add.

    Parameters
    ----------
    matrix
        ``Σ AᵀA`` with A the inverse distances in 1/bohr, shape (n, n).
    right
        ``Σ AᵀV`` with V the potential in hartree/e, shape (n,).
    conformers
        How many were added; the restraint is scaled by it.
    """

    matrix: FloatArray
    right: FloatArray
    conformers: int

    @staticmethod
    def of(inverse_distances: FloatArray, potential: FloatArray) -> NormalEquations:
        """Return the equations of one conformer from A, shape (m, n), and V, shape (m,)."""
        return NormalEquations(inverse_distances.T @ inverse_distances, inverse_distances.T @ potential, 1)

    @staticmethod
    def total(parts: Sequence[NormalEquations]) -> NormalEquations:
        """Return the sum over conformers."""
        return NormalEquations(
            np.sum([p.matrix for p in parts], axis=0),
            np.sum([p.right for p in parts], axis=0),
            sum(p.conformers for p in parts),
        )


@dataclass(frozen=True, eq=False)
class FitProblem:
    """What the charges must satisfy.

    Parameters
    ----------
    classes
        Equal numbers mean equal charges, shape (n,).
    groups
        Group of each atom, shape (n,): the charges of every group sum to zero.
    heavy
        Atoms that feel the restraint (all but H), shape (n,).
    refitted
        Atoms of methyl and methylene groups, shape (n,): free of ``classes`` in stage one and fitted again, with
        ``classes``, in stage two while all others stay (Bayly et al. 1993).
    """

    classes: IntArray
    groups: IntArray
    heavy: NDArray[np.bool_]
    refitted: NDArray[np.bool_]


def two_stage_fit(
    equations: NormalEquations, problem: FitProblem, restraint: tuple[float, float] = RESTRAINT
) -> FloatArray:
    """Return RESP charges (Bayly, Cieplak, Cornell and Kollman 1993, doi:10.1021/j100142a004), e, shape (n,).

    The sum of each group is a constraint of both stages, not a correction afterwards.

    Parameters
    ----------
    equations
        Sum over conformers.
    problem
        Constraints.
    restraint
        Strength in each stage.

    Raises
    ------
    NumericsError
        The restraint did not become self-consistent.
    """
    n = len(equations.right)
    loose = problem.classes.copy()
    loose[problem.refitted] = problem.classes.max() + 1 + np.arange(problem.refitted.sum())
    everything = np.ones(n, dtype=np.bool_)
    first = _stage(equations, problem, loose, everything, np.zeros(n), restraint[0])
    if not problem.refitted.any():
        return first
    return _stage(equations, problem, problem.classes, problem.refitted, first, restraint[1])


def _stage(
    equations: NormalEquations,
    problem: FitProblem,
    classes: IntArray,
    free: NDArray[np.bool_],
    start: FloatArray,
    strength: float,
) -> FloatArray:
    fixed = np.where(free, 0.0, start)
    expand = _expansion(classes, free)
    groups = (problem.groups == np.unique(problem.groups)[:, None]).astype(np.float64)
    # Charges are particular + basis @ y: y is unconstrained, whatever constraints coincide by symmetry.
    constraint = groups @ expand
    particular: FloatArray = fixed + expand @ linalg.lstsq(constraint, -groups @ fixed)[0]
    basis = expand @ linalg.null_space(constraint)
    if basis.shape[1] == 0:
        return particular
    charges: FloatArray = start
    weight = strength * equations.conformers * problem.heavy
    for _ in range(_ROUNDS):
        pull = np.diag(weight / np.sqrt(charges**2 + TIGHTNESS**2))
        matrix = equations.matrix + pull
        right = basis.T @ (equations.right - matrix @ particular)
        new: FloatArray = particular + basis @ linalg.lstsq(basis.T @ matrix @ basis, right)[0]
        change = float(np.abs(new - charges).max())
        charges = new
        if change < _CONVERGED:
            return charges
    reason = f"the RESP restraint did not become self-consistent in {_ROUNDS} rounds (last change {change:.1e} e)"
    raise NumericsError(reason, field="charges", remedy="another seed, or charges: mmff94")


def _expansion(classes: IntArray, free: NDArray[np.bool_]) -> FloatArray:
    _, member = np.unique(classes[free], return_inverse=True)
    expand = np.zeros((len(classes), int(member.max()) + 1))
    expand[np.flatnonzero(free), member] = 1.0
    return expand
