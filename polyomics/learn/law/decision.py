"""Owns the decision between law, no law and not identifiable, with its reasons in words.

A law needs three things: the error falls with n beyond its noise, it bends (in ln n) more than a logarithm does, and
the power law fits all points, those of the largest octave included when they are held out. Each is a test of its own;
what fails is said. The bend is the hard one: over 1.5 decades n^-0.1 is a straight line in ln n to within 1.5 %.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import stats

from polyomics.learn.law.family import ALPHA_RANGE, Linear, Sections, Whitened, fit_constant, fit_log, sections
from polyomics.learn.law.profile import Posterior, Selection

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from polyomics.learn.law.covariance import MeanCurve

    Floats = NDArray[np.float64]

LEAST_SIZES: Final = 5
LEAST_REPLICATES: Final = 3
LEAST_SPAN: Final = 4.0
COVERAGE: Final = 0.90
_FALSE_LAW: Final = 0.02
_MISFIT: Final = 0.005
_BEND_REFERENCE: Final = 1.5
_FAR: Final = 3.0


class Status(StrEnum):
    """What the data support."""

    LAW = "law"
    NO_LAW = "no_law"
    NOT_IDENTIFIABLE = "not_identifiable"


class Model(StrEnum):
    """The candidate curves."""

    CONSTANT = "constant"
    LOG = "log"
    POWER = "power"
    POWER_FLOOR = "power+floor"


@dataclass(frozen=True)
class Candidates:
    """The candidates fitted, with AICc (misfit plus penalty; known covariance) of each."""

    constant: Linear
    log: Linear
    power: tuple[float, float, float]
    power_floor: tuple[float, float, float]
    criterion: dict[Model, float]
    misfit: dict[Model, float]

    @staticmethod
    def of(white: Whitened) -> Candidates:
        """Fit all four; (alpha, A, C) of the two power laws."""
        constant, log = fit_constant(white), fit_log(white)
        free = sections(white, 1.0)
        at = int(np.argmin(free.misfit))
        excess, pure_misfit = _refined_pure(white)
        misfit = {
            Model.CONSTANT: constant.misfit,
            Model.LOG: log.misfit,
            Model.POWER: pure_misfit,
            Model.POWER_FLOOR: float(free.misfit[at]),
        }
        parameters = {Model.CONSTANT: 1, Model.LOG: 2, Model.POWER: 2, Model.POWER_FLOOR: 3}
        criterion = {model: _aicc(misfit[model], k, white.y.size) for model, k in parameters.items()}
        best = (float(free.alpha[at]), float(free.excess[at]), float(free.floor[at]))
        return Candidates(constant, log, excess, best, criterion, misfit)

    @property
    def law(self) -> Model:
        """The better of the two power laws."""
        simple = self.criterion[Model.POWER] <= self.criterion[Model.POWER_FLOOR]
        return Model.POWER if simple else Model.POWER_FLOOR

    @property
    def best(self) -> Model:
        """The candidate of least AICc."""
        return min(self.criterion, key=lambda model: self.criterion[model])

    def parameters(self, model: Model) -> tuple[float, float, float]:
        """Return (alpha, A, C) of a power law."""
        return self.power if model is Model.POWER else self.power_floor


def _refined_pure(white: Whitened) -> tuple[tuple[float, float, float], float]:
    grid = np.geomspace(*ALPHA_RANGE, 200)
    for _ in range(3):
        excess, misfit = Sections.at(white, grid).pure
        at = int(np.argmin(misfit))
        found = (float(grid[at]), float(excess[at]), 0.0)
        grid = np.geomspace(grid[max(at - 1, 0)], grid[min(at + 1, grid.size - 1)], 40)
    return found, float(misfit[at])


def _aicc(misfit: float, parameters: int, points: int) -> float:
    spare = points - parameters - 1
    return misfit + 2 * parameters + (2 * parameters * (parameters + 1) / spare if spare > 0 else np.inf)


@dataclass(frozen=True)
class HoldOut:
    """The largest octave held out: what the law fitted to the smaller n says of it.

    ``n, seen, seen_error`` at the largest n; ``value, lower90, upper90`` predicted there; ``p`` of all held-out points.
    """

    n: float
    seen: float
    seen_error: float
    value: float
    lower90: float
    upper90: float
    p: float


def hold_out(mean: MeanCurve, misfit: float) -> HoldOut | None:
    """Fit the law without the largest octave and test the held-out points (Chow 1960); None with too few sizes left."""
    keep = mean.n <= mean.n[-1] / 2
    if keep.sum() < LEAST_SIZES - 1 or keep.all():
        return None
    white = Whitened.of(mean.leave(keep))
    posterior = Posterior.of(white, quantile(mean.freedom))
    largest = float(mean.n[-1])
    low, high = posterior.interval(lambda region: region.error_at(largest), quantile(mean.freedom))
    alpha, excess, floor = posterior.best()
    held = int((~keep).sum())
    jump = max(misfit - float(sections(white, 1.0).misfit.min()), 0.0)
    return HoldOut(
        largest,
        float(mean.value[-1]),
        float(np.sqrt(mean.covariance[-1, -1])),
        float(excess * np.exp(-alpha * np.log(largest / white.n_max)) + floor),
        low,
        high,
        float(stats.f.sf(jump / held, held, max(mean.freedom, 1.0))),
    )


def quantile(freedom: float) -> float:
    """Return the depth of the 90 % region of one quantity: Student's quantile squared."""
    return float(stats.t.ppf(0.5 + 0.5 * COVERAGE, max(freedom, 1.0)) ** 2)


@dataclass(frozen=True)
class Verdict:
    """The status, why, and the test of the bend on which the intervals are conditional.

    ``flat``: no fall was seen, but none is excluded either; predictions still come from the power law.
    """

    status: Status
    model: Model
    reasons: tuple[str, ...]
    selection: Selection
    flat: bool = False


def decide(mean: MeanCurve, white: Whitened, candidates: Candidates, held: HoldOut | None) -> Verdict:
    """Test fall, fit and bend in this order; the first that fails decides."""
    threshold = float(stats.t.ppf(1 - _FALSE_LAW, max(white.freedom, 1.0)))
    selection = _bend(mean)
    bend = selection.score
    fall = _fall(mean)
    if fall <= threshold:
        way = "rises" if fall < -threshold else "does not fall"
        text = f"the error {way} with n beyond its noise: {fall:.1f} standard errors, {threshold:.1f} needed"
        return Verdict(Status.NO_LAW, Model.CONSTANT, (text,), selection, flat=fall >= -threshold)
    ill = _misfits(white, candidates, held)
    if ill:
        model = Model.LOG if candidates.best is Model.LOG else candidates.law
        return Verdict(Status.NO_LAW, model, tuple(ill), selection)
    if bend <= threshold:
        return Verdict(
            Status.NOT_IDENTIFIABLE, candidates.best, (_straight(mean, candidates, bend, threshold),), selection
        )
    text = (
        f"the error falls ({fall:.1f} standard errors) and bends more than a logarithm ({bend:.1f}; {threshold:.1f} "
        f"needed); AICc {_criteria(candidates)}"
    )
    return Verdict(Status.LAW, candidates.law, (text,), selection)


def _fall(mean: MeanCurve) -> float:
    """Return the slope of -ln E over ln n in standard errors.

    On the logarithm an effect common to all n is a constant. On E itself it grows with E, and the generalised slope of
    a steep curve then comes out with the wrong sign (Peelle's pertinent puzzle).
    """
    root = np.linalg.inv(np.linalg.cholesky(mean.covariance / np.outer(mean.value, mean.value)))
    columns = root @ np.stack([np.ones(mean.n.size), np.log(mean.n)], axis=1)
    normal = np.linalg.inv(columns.T @ columns)
    slope = (normal @ columns.T @ root @ np.log(mean.value))[1]
    return -float(slope / np.sqrt(normal[1, 1]))


def _bend(mean: MeanCurve) -> Selection:
    """Return the test of the bend beyond a logarithm: its score in standard errors, and what it takes.

    The score is a contrast of E blind to constant and logarithm, with unit variance if the truth is a logarithm: the
    covariance is scaled to the logarithm that comes nearest, so that an effect common to all n stays one.
    """
    x = np.log(mean.n / mean.n[-1])
    straight = np.stack([np.ones_like(x), x], axis=1)
    relative = straight / mean.value[:, None]
    level = straight @ np.linalg.lstsq(relative, np.ones_like(x), rcond=None)[0] / mean.value
    scale = np.clip(level, 1 / _FAR, _FAR)
    root = np.linalg.inv(np.linalg.cholesky(mean.covariance * np.outer(scale, scale)))
    columns, curved = root @ straight, root @ np.exp(_BEND_REFERENCE * x / x[0])
    rest = curved - columns @ np.linalg.lstsq(columns, curved, rcond=None)[0]
    contrast = root.T @ rest / np.sqrt(rest @ rest)
    threshold = float(stats.t.ppf(1 - _FALSE_LAW, max(mean.freedom, 1.0)))
    score, spread = float(contrast @ mean.value), float(np.sqrt(contrast @ mean.covariance @ contrast))
    return Selection(contrast, spread, score, threshold)


def _misfits(white: Whitened, candidates: Candidates, held: HoldOut | None) -> list[str]:
    reasons = []
    freedom = max(white.freedom, 1.0)
    misfit, spare = candidates.misfit[Model.POWER_FLOOR], white.y.size - 3
    if stats.f.sf(misfit / spare, spare, freedom) < _MISFIT:
        reasons.append(
            f"no curve D n^-alpha + C fits: generalised sum of squares {misfit:.1f} for {spare} spare points"
        )
    excess = misfit - candidates.misfit[Model.LOG]
    if excess > 0 and stats.t.sf(np.sqrt(excess), freedom) < _FALSE_LAW:
        reasons.append(
            f"the curve bends less than any power law: a logarithm fits better (AICc {_criteria(candidates)})"
        )
    if held is not None and held.p < _MISFIT:
        reasons.append(
            f"fitted without the largest octave it predicts {held.value:.4g} [{held.lower90:.4g}, {held.upper90:.4g}] "
            f"at n = {held.n:g}, seen {held.seen:.4g} ± {held.seen_error:.2g} (p = {held.p:.1g})"
        )
    return reasons


def _straight(mean: MeanCurve, candidates: Candidates, bend: float, threshold: float) -> str:
    level, slope = candidates.log.coefficients
    ten = level + slope * np.log(10.0)
    return (
        f"power law and logarithm cannot be told apart: bend of {bend:.1f} standard errors, {threshold:.1f} needed "
        f"(AICc {_criteria(candidates)}); at ten times the largest n a logarithm would give {max(ten, 0.0):.4g}; "
        f"the predictions assume a power law; more orderings or a range wider than {mean.n[-1] / mean.n[0]:.0f}-fold "
        "would decide"
    )


def _criteria(candidates: Candidates) -> str:
    least = min(candidates.criterion.values())
    return ", ".join(f"{model} +{value - least:.1f}" for model, value in candidates.criterion.items())
