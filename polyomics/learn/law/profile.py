"""Owns confidence regions of the law by profile likelihood, and the interval of anything computed from it.

(alpha, C) lie on a long curved ridge that ends at the bound C = 0, where resampled fits pile up and percentile
intervals cover too little. The region of all (A, alpha, C) whose sum of squares exceeds the least by less than a
quantile needs no such assumption; the interval of D, alpha, C, E(n) or n(E) is the range of that quantity over the
region (Venzon and Moolgavkar 1988). At each (alpha, A) the allowed C are an interval in closed form, and all
quantities are monotone in C, so the range needs only its two ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.special import log_ndtr, ndtr, ndtri

from polyomics.learn.law.family import Sections, Whitened, sections

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_STEPS: Final = 72
_SPARE: Final = 0.5
_MARGIN: Final = 9.0
_CLOSE: Final = 4.0
_REFUSED: Final = 0.5
_TWO_SIDED: Final = float(ndtri(0.95))


def _feldman_cousins() -> tuple[Floats, Floats]:
    """Tabulate, for means mu >= 0 of unit normals, the seen value mu + reach that just still accepts mu, and reach."""
    mean = np.linspace(1e-3, _TWO_SIDED, 60)
    low, high = np.full_like(mean, 1.0), np.full_like(mean, _TWO_SIDED)
    for _ in range(40):
        reach = 0.5 * (low + high)
        below = np.where(mean > reach, -reach, -(mean**2 + reach**2) / (2 * mean))
        inside = ndtr(reach) - ndtr(below)
        low, high = np.where(inside < 0.90, reach, low), np.where(inside < 0.90, high, reach)
    return mean + reach, reach


_SEEN, _REACH = _feldman_cousins()


@dataclass(frozen=True)
class Selection:
    """A test that the data had to pass (or fail) before this interval was looked at: ``score`` versus ``threshold``.

    The score is ``contrast`` (K,) times the mean curve, blind to a constant; ``spread`` is its standard deviation.
    """

    contrast: Floats
    spread: float
    score: float
    threshold: float

    def penalty(self, white: Whitened, alpha: Floats, excess: Floats) -> Floats:
        """Return 2 log P(outcome | A, alpha), shape of ``excess`` (len(alpha), S); the deviance conditional on it."""
        expected = (np.exp(-alpha[:, None] * white.x) @ self.contrast)[:, None] * excess
        margin = (expected - self.threshold) / self.spread
        return np.asarray(2.0 * log_ndtr(margin) if self.passed else 2.0 * _REFUSED * log_ndtr(-margin))

    @property
    def passed(self) -> bool:
        """Whether the score exceeds the threshold."""
        return self.score > self.threshold

    @property
    def margin(self) -> float:
        """How much deeper than asked to tabulate, as the condition can move the region if the score was close."""
        close = abs(self.score - self.threshold) < _CLOSE * self.spread
        return _MARGIN if close else 0.0


@dataclass(frozen=True)
class Region:
    """Points on the surface of a confidence region, flat arrays of equal length; ``edge_*``: alpha at its bounds."""

    alpha: Floats
    excess: Floats
    floor: Floats
    n_max: float

    def error_at(self, n: float) -> Floats:
        """Return E(n) at the points."""
        return np.asarray(self.excess * np.exp(-self.alpha * np.log(n / self.n_max)) + self.floor)

    def size_for(self, target: float) -> Floats:
        """Return the n at which E(n) falls to ``target``; infinite at or below the floor."""
        left = target - self.floor
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            size = self.n_max * np.exp((np.log(self.excess) - np.log(left)) / self.alpha)
        return np.asarray(np.where(left > 0, size, np.inf))

    @property
    def prefactor(self) -> Floats:
        """D at the points."""
        return np.asarray(self.excess * self.n_max**self.alpha)


@dataclass(frozen=True)
class Posterior:
    """The deviance of the law over (alpha, A), with C profiled in closed form: regions of any depth."""

    parts: Sections
    excess: Floats
    best_floor: Floats
    deviance: Floats
    n_max: float

    @staticmethod
    def of(white: Whitened, depth: float, selection: Selection | None = None) -> Posterior:
        """Tabulate the deviance within ``depth`` of its least value."""
        reach = depth + _SPARE + (selection.margin if selection else 0.0)
        parts = sections(white, reach)
        excess = _excess_grid(parts, reach)
        floor = np.maximum((parts.oy - parts.h1[:, None] * excess) / parts.oo, 0.0)
        deviance = _misfit(parts, excess, floor)
        if selection is not None:
            deviance = deviance + selection.penalty(white, parts.alpha, excess)
        return Posterior(parts, excess, floor, deviance, white.n_max)

    def region(self, cut: float) -> Region:
        """Return the surface of the region within ``cut`` of the least deviance."""
        spare = cut - (self.deviance - self.deviance.min())
        inside = spare >= 0
        free = (self.parts.oy - self.parts.h1[:, None] * self.excess) / self.parts.oo
        reach = np.sqrt(np.maximum(spare, 0.0) / self.parts.oo + np.maximum(-free, 0.0) ** 2)
        alpha = np.broadcast_to(self.parts.alpha[:, None], self.excess.shape)[inside]
        low, high = np.maximum(free - reach, 0.0)[inside], np.maximum(free + reach, 0.0)[inside]
        excess = self.excess[inside]
        return Region(np.tile(alpha, 2), np.tile(excess, 2), np.concatenate([low, high]), self.n_max)

    def best(self) -> tuple[float, float, float]:
        """Return (alpha, A, C) of the least deviance."""
        row, column = np.unravel_index(int(np.argmin(self.deviance)), self.deviance.shape)
        return (
            float(self.parts.alpha[row]),
            float(self.excess[row, column]),
            float(self.best_floor[row, column]),
        )

    def lowest_floor(self, cut: float) -> float:
        """Return the lower end of C's interval, with C = 0 as its bound."""
        depth = self._bounded_depth(0.0, cut, above=False)
        return 0.0 if depth is None else float(self.region(depth).floor.min())

    def largest_size(self, target: float, cut: float) -> float:
        """Return the upper end of the interval of n(target), with infinity (target at or below C) as its bound."""
        depth = self._bounded_depth(target, cut, above=True)
        return np.inf if depth is None else float(self.region(depth).size_for(target).max())

    def _bounded_depth(self, floor: float, cut: float, *, above: bool) -> float | None:
        """Return the depth at which an interval ends that is bounded where C is ``floor`` (or above); None: it reaches.

        Ordered by likelihood ratio at the bound (Feldman and Cousins 1998). A two-sided cut would let the bound pass
        in 95 % of the curves whose truth lies on it, instead of the 90 % that is claimed.
        """
        free = (self.parts.oy - self.parts.h1[:, None] * self.excess) / self.parts.oo
        moved = np.maximum(floor - free, 0.0) if above else free - floor
        best = np.maximum(free, 0.0)
        bound = self.deviance + self.parts.oo * (moved**2 - (best - free) ** 2)
        distance = float(np.sqrt(max(bound.min() - self.deviance.min(), 0.0)))
        stretch = np.sqrt(cut) / _TWO_SIDED
        reach = float(np.interp(distance / stretch, _SEEN, _REACH, left=np.inf)) * stretch
        return None if reach >= distance else reach**2

    def interval(self, quantity: Callable[[Region], Floats], cut: float) -> tuple[float, float]:
        """Return the range of a quantity over the region."""
        values = quantity(self.region(cut))
        return float(np.min(values)), float(np.max(values))


def _misfit(parts: Sections, excess: Floats, floor: Floats) -> Floats:
    hh, h1, hy = parts.hh[:, None], parts.h1[:, None], parts.hy[:, None]
    return np.asarray(
        parts.yy - 2 * (excess * hy + floor * parts.oy) + excess**2 * hh + 2 * excess * floor * h1 + floor**2 * parts.oo
    )


def _excess_grid(parts: Sections, depth: float) -> Floats:
    """Return values of A spanning the region at each alpha, shape (len(alpha), S), denser towards its ends."""
    least = float(parts.misfit.min())
    determinant = np.maximum(parts.hh - parts.h1**2 / parts.oo, 1e-300)
    centre = (parts.hy - parts.h1 * parts.oy / parts.oo) / determinant
    rest = parts.yy - parts.oy**2 / parts.oo - centre**2 * determinant
    low, high = _ends(centre, rest, determinant, least + depth)
    floor_high = (parts.oy - parts.h1 * high) / parts.oo
    pure, pure_misfit = parts.hy / parts.hh, parts.yy - parts.hy**2 / parts.hh
    pure_low, pure_high = _ends(pure, pure_misfit, parts.hh, least + depth)
    high = np.where(floor_high < 0, np.maximum(pure_high, 0.0), high)
    floor_low = (parts.oy - parts.h1 * low) / parts.oo
    low = np.where(floor_low < 0, pure_low, low)
    low, high = np.maximum(low, 0.0), np.maximum(high, 0.0)
    steps = 0.5 - 0.5 * np.cos(np.linspace(0.0, np.pi, _STEPS))
    return np.asarray(low[:, None] + (high - low)[:, None] * steps[None, :])


def _ends(centre: Floats, least: Floats, curvature: Floats, level: float) -> tuple[Floats, Floats]:
    reach = np.sqrt(np.maximum(level - least, 0.0) / curvature)
    return centre - reach, centre + reach
