"""Owns the candidate curves (constant, log, power law, power law with floor) and their generalised least squares fits.

The law is ``E(n) = D n^-alpha + C`` with D, alpha, C >= 0. It is computed as ``A exp(-alpha x) + C`` with
``x = ln(n / n_max)`` and ``A = D n_max^-alpha`` the part of the error at the largest n that more data would remove.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from polyomics.learn.law.covariance import MeanCurve

    Floats = NDArray[np.float64]

ALPHA_RANGE: Final = (0.005, 3.0)
"""Exponents considered: below, a power law cannot be told from a constant; above, from a step."""
_COARSE: Final = 240
_FINE: Final = 160
_REFINEMENTS: Final = 6


@dataclass(frozen=True)
class Whitened:
    """The curve in units in which its errors are independent with unit variance.

    ``x`` is ln(n / n_max); ``root`` (K, K) whitens; ``y`` and ``one`` are the whitened values and constant.
    """

    x: Floats
    root: Floats
    y: Floats
    one: Floats
    n_max: float
    freedom: float

    @staticmethod
    def of(mean: MeanCurve) -> Whitened:
        """Whiten a mean curve by the inverse Cholesky factor of its covariance."""
        root = np.linalg.inv(np.linalg.cholesky(mean.covariance))
        n_max = float(mean.n[-1])
        return Whitened(
            np.log(mean.n / n_max), root, root @ mean.value, root @ np.ones(mean.n.size), n_max, mean.freedom
        )

    def decay(self, alpha: Floats) -> Floats:
        """Return the whitened ``exp(-alpha x)``, shape (len(alpha), K)."""
        return np.asarray(np.exp(-alpha[:, None] * self.x[None, :]) @ self.root.T)


@dataclass(frozen=True)
class Linear:
    """A curve linear in its parameters, fitted: ``misfit`` is the generalised sum of squares."""

    coefficients: Floats
    covariance: Floats
    misfit: float


def fit_linear(white: Whitened, columns: Floats) -> Linear:
    """Fit ``y = columns @ c`` where ``columns`` (K, P) are already whitened."""
    normal = np.asarray(np.linalg.inv(columns.T @ columns), dtype=np.float64)
    coefficients = normal @ columns.T @ white.y
    rest = white.y - columns @ coefficients
    return Linear(np.asarray(coefficients, dtype=np.float64), normal, float(rest @ rest))


def fit_constant(white: Whitened) -> Linear:
    """Fit E = a."""
    return fit_linear(white, white.one[:, None])


def fit_log(white: Whitened) -> Linear:
    """Fit E = a + b ln(n / n_max); a falling curve has b < 0."""
    return fit_linear(white, np.stack([white.one, white.root @ white.x], axis=1))


@dataclass(frozen=True)
class Sections:
    """The law's sum of squares on a grid of exponents: at each alpha a quadratic in (A, C).

    ``hh, h1, hy`` (M,) are products of the whitened decay with itself, the constant and the data, ``oo, oy, yy``
    those without it; ``excess`` and ``floor`` (M,) the best A, C >= 0 at each alpha, ``misfit`` (M,) the sum there.
    """

    alpha: Floats
    hh: Floats
    h1: Floats
    hy: Floats
    oo: float
    oy: float
    yy: float
    excess: Floats
    floor: Floats
    misfit: Floats

    @staticmethod
    def at(white: Whitened, alpha: Floats) -> Sections:
        """Solve the two-parameter non-negative problem in closed form at every alpha."""
        decay = white.decay(alpha)
        hh, h1, hy = np.sum(decay * decay, axis=1), decay @ white.one, decay @ white.y
        oo, oy, yy = float(white.one @ white.one), float(white.one @ white.y), float(white.y @ white.y)
        determinant = np.maximum(hh * oo - h1 * h1, 1e-300)
        excess = (hy * oo - h1 * oy) / determinant
        floor = (hh * oy - h1 * hy) / determinant
        floor = np.where(excess < 0, max(oy / oo, 0.0), floor)
        excess = np.where(floor < 0, np.maximum(hy / hh, 0.0), np.maximum(excess, 0.0))
        floor = np.maximum(floor, 0.0)
        misfit = yy - 2 * (excess * hy + floor * oy) + excess**2 * hh + 2 * excess * floor * h1 + floor**2 * oo
        return Sections(alpha, hh, h1, hy, oo, oy, yy, excess, floor, misfit)

    @property
    def pure(self) -> tuple[Floats, Floats]:
        """A and the sum of squares of the law without floor at every alpha."""
        excess = np.maximum(self.hy / self.hh, 0.0)
        return excess, self.yy - 2 * excess * self.hy + excess**2 * self.hh


def sections(white: Whitened, depth: float) -> Sections:
    """Return the sections on a grid of alpha that resolves the region within ``depth`` of the least sum of squares."""
    alpha = np.geomspace(*ALPHA_RANGE, _COARSE)
    for _ in range(_REFINEMENTS):
        found = Sections.at(white, alpha)
        inside = np.flatnonzero(found.misfit <= found.misfit.min() + depth)
        if inside.size > alpha.size // 2:
            break
        low, high = max(int(inside[0]) - 1, 0), min(int(inside[-1]) + 1, alpha.size - 1)
        alpha = np.geomspace(alpha[low], alpha[high], _FINE)
    return found
