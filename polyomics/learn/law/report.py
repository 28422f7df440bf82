"""Owns the report of a law: from a curve to status, parameters, predictions and required n with 90 % intervals."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from polyomics.errors import InputError
from polyomics.learn.law.covariance import MeanCurve, mean_curve
from polyomics.learn.law.decision import (
    LEAST_REPLICATES,
    LEAST_SIZES,
    LEAST_SPAN,
    Candidates,
    HoldOut,
    Model,
    Status,
    Verdict,
    decide,
    hold_out,
    quantile,
)
from polyomics.learn.law.family import ALPHA_RANGE, Whitened
from polyomics.learn.law.profile import Posterior, Region

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from polyomics.learn.curves import Curve

    Floats = NDArray[np.float64]

FACTORS: Final = (1.0, 2.0, 5.0, 10.0)
"""Sizes predicted unless told otherwise, in units of the largest n."""
IMPROVEMENT: Final = 0.9
"""Target error unless told otherwise, in units of the fitted error at the largest n."""


@dataclass(frozen=True)
class Estimate:
    """A value with its 90 % interval; ``None`` where the data give none, infinite where it is unbounded."""

    value: float | None
    lower90: float | None
    upper90: float | None


UNKNOWN: Final = Estimate(None, None, None)


@dataclass(frozen=True)
class Prediction:
    """The error at a size."""

    n: float
    error: Estimate


@dataclass(frozen=True)
class Required:
    """The source size at which the error falls to ``target``; infinite: below the floor, no size reaches it."""

    target: float
    n: Estimate


@dataclass(frozen=True)
class LawReport:
    """What a learning curve says about more data.

    Parameters
    ----------
    status, model, metric
        The verdict, the curve on which the values rest, and what the errors are.
    prefactor, alpha, floor
        D, alpha and C of ``E(n) = D n^-alpha + C``. The values are there only with the status ``law``; with
        ``not_identifiable`` the intervals still hold if the curve is a power law.
    predicted, required
        E(n) at the sizes asked for, n for the target errors asked for.
    reasons
        Why this status, in words; then what was left out.
    mean
        The fitted points and their covariance; ``None`` if there were too few.
    held_out
        The test of the largest octave, if enough sizes remain without it.
    """

    status: Status
    model: Model | None
    metric: str
    prefactor: Estimate
    alpha: Estimate
    floor: Estimate
    predicted: tuple[Prediction, ...]
    required: tuple[Required, ...]
    reasons: tuple[str, ...]
    mean: MeanCurve | None = None
    held_out: HoldOut | None = None


def law_of(curve: Curve, *, at: Sequence[float] | None = None, targets: Sequence[float] | None = None) -> LawReport:
    """Fit, select and judge the law of a learning curve.

    Parameters
    ----------
    curve
        Errors by size and replicate.
    at
        Sizes n at which to predict the error; 1, 2, 5 and 10 times the largest n by default.
    targets
        Errors for which to give the required n, in the unit of the metric; by default 10 % below the present one.

    Raises
    ------
    InputError
        A size or target that is not positive.
    """
    sizes = _positive(at, "at", curve.subject) or tuple(factor * float(curve.n[-1]) for factor in FACTORS)
    wanted = _positive(targets, "target", curve.subject)
    short = _too_little(curve)
    if short:
        required = tuple(Required(target, UNKNOWN) for target in wanted)
        empty = tuple(Prediction(size, UNKNOWN) for size in sizes)
        reasons = (*short, *curve.notes)
        return LawReport(
            Status.NOT_IDENTIFIABLE, None, curve.metric, UNKNOWN, UNKNOWN, UNKNOWN, empty, required, reasons
        )
    mean = mean_curve(curve)
    white = Whitened.of(mean)
    candidates = Candidates.of(white)
    held = hold_out(mean, candidates.misfit[Model.POWER_FLOOR])
    verdict = decide(mean, white, candidates, held)
    if verdict.status is Status.NO_LAW and not verdict.flat:
        return _without_law(curve, mean, white, candidates, held, verdict, sizes, wanted)
    return _with_power(curve, mean, white, candidates, held, verdict, sizes, wanted)


def _with_power(
    curve: Curve,
    mean: MeanCurve,
    white: Whitened,
    candidates: Candidates,
    held: HoldOut | None,
    verdict: Verdict,
    sizes: tuple[float, ...],
    wanted: tuple[float, ...],
) -> LawReport:
    depth = quantile(mean.freedom)
    posterior = Posterior.of(white, depth, None if verdict.flat else verdict.selection)
    region = posterior.region(depth)
    # short of a law the selected candidate can lie outside the interval that holds given the refusal
    chosen = candidates.parameters(candidates.law) if verdict.status is Status.LAW else posterior.best()
    alpha, excess, floor = chosen
    best = Region(np.array([alpha]), np.array([excess]), np.array([floor]), white.n_max)

    def estimate(quantity: Callable[[Region], Floats]) -> Estimate:
        values, value = quantity(region), float(quantity(best)[0])
        low, high = float(values.min()), float(values.max())
        return Estimate(min(max(value, low), high), low, high)

    def required(target: float) -> Estimate:
        found = estimate(partial(Region.size_for, target=target))
        high = posterior.largest_size(target, depth)
        return Estimate(min(found.value or 0.0, high), min(found.lower90 or 0.0, high), high)

    wanted = wanted or (IMPROVEMENT * float(best.error_at(white.n_max)[0]),)
    bounded = float(region.alpha.max()) < ALPHA_RANGE[1] * 0.999
    status, reasons = verdict.status, verdict.reasons
    if status is Status.LAW and not bounded:
        status = Status.NOT_IDENTIFIABLE
        reasons = (
            f"alpha is not bounded below {ALPHA_RANGE[1]:g}: the error reaches its floor within the first sizes",
        )
    shapes = [
        estimate(lambda r: r.prefactor),
        estimate(lambda r: r.alpha),
        estimate(lambda r: r.floor),
    ]
    shapes[2] = _above(shapes[2], posterior.lowest_floor(depth))
    if status is Status.LAW and shapes[2].lower90 == 0:
        reasons = (*reasons, "the floor C cannot be told from 0")
    if status is Status.NO_LAW:
        shapes = [UNKNOWN] * 3
    elif status is Status.NOT_IDENTIFIABLE:
        shapes = [Estimate(None, shape.lower90, shape.upper90) for shape in shapes]
    return LawReport(
        status,
        verdict.model,
        curve.metric,
        shapes[0],
        shapes[1],
        shapes[2],
        tuple(Prediction(size, estimate(partial(Region.error_at, n=size))) for size in sizes),
        tuple(Required(target, required(target)) for target in wanted),
        (*reasons, *_held(held), *curve.notes),
        mean,
        held,
    )


def _without_law(
    curve: Curve,
    mean: MeanCurve,
    white: Whitened,
    candidates: Candidates,
    held: HoldOut | None,
    verdict: Verdict,
    sizes: tuple[float, ...],
    wanted: tuple[float, ...],
) -> LawReport:
    """Predict from the constant or the logarithm if that is what fits; give no predictions if nothing does."""
    predicted = [Prediction(size, UNKNOWN) for size in sizes]
    if verdict.model in (Model.CONSTANT, Model.LOG):
        fit = candidates.constant if verdict.model is Model.CONSTANT else candidates.log
        reach = math.sqrt(quantile(mean.freedom))
        for index, size in enumerate(sizes):
            row = np.array([1.0, math.log(size / white.n_max)])[: fit.coefficients.size]
            value, error = float(row @ fit.coefficients), reach * math.sqrt(float(row @ fit.covariance @ row))
            ends = (max(end, 0.0) for end in (value, value - error, value + error))
            predicted[index] = Prediction(size, Estimate(*ends))
    present = float(candidates.constant.coefficients[0])
    required = tuple(Required(target, UNKNOWN) for target in wanted or (IMPROVEMENT * present,))
    return LawReport(
        Status.NO_LAW,
        verdict.model,
        curve.metric,
        UNKNOWN,
        UNKNOWN,
        UNKNOWN,
        tuple(predicted),
        required,
        (*verdict.reasons, *_held(held), *curve.notes),
        mean,
        held,
    )


def _above(estimate: Estimate, lower: float) -> Estimate:
    return Estimate(max(estimate.value or 0.0, lower), lower, estimate.upper90)


def _held(held: HoldOut | None) -> tuple[str, ...]:
    if held is None:
        return ("too few sizes to hold out the largest octave",)
    return (
        f"largest octave held out: {held.value:.4g} [{held.lower90:.4g}, {held.upper90:.4g}] predicted at "
        f"n = {held.n:g}, seen {held.seen:.4g} ± {held.seen_error:.2g} (p = {held.p:.2g})",
    )


def _too_little(curve: Curve) -> list[str]:
    reasons = []
    if curve.n.size < LEAST_SIZES:
        reasons.append(f"{curve.n.size} source sizes; a law needs at least {LEAST_SIZES}")
    elif curve.n[-1] < LEAST_SPAN * curve.n[0]:
        reasons.append(f"n spans {curve.n[-1] / curve.n[0]:.1f}-fold; a law needs at least {LEAST_SPAN:g}-fold")
    if curve.replicates < LEAST_REPLICATES:
        reasons.append(
            f"{curve.replicates} replicate(s) with all sizes; {LEAST_REPLICATES} orderings or folds are needed "
            "to know how the errors scatter and correlate over n"
        )
    elif float(np.ptp(curve.errors / curve.errors.mean(axis=0), axis=0).max()) < 1e-9:
        reasons.append("the replicates are identical: their scatter says nothing about the error of the curve")
    return reasons


def _positive(values: Sequence[float] | None, field: str, subject: str) -> tuple[float, ...]:
    for value in values or ():
        if not (math.isfinite(value) and value > 0):
            raise InputError(
                f"{value!r} is not a positive number", subject=subject, field=field, remedy="give a positive number"
            )
    return tuple(float(value) for value in values or ())


def report_to_json(report: LawReport) -> str:
    """Write a report as one JSON object.

    ``required_n`` is ``{"target", "value", "lower90", "upper90"}`` for the first target; with several, ``"targets"``
    beside them lists all. An unbounded n is the text ``"inf"``, as JSON has no infinity; unknown is null.
    """
    required = [{"target": item.target, **_estimate(item.n)} for item in report.required]
    first: dict[str, object] = dict(required[0]) if required else {}
    if len(required) > 1:
        first["targets"] = required
    keys: dict[str, object] = {
        "status": report.status.value,
        "model": report.model.value if report.model else None,
        "metric": report.metric,
        "D": _estimate(report.prefactor),
        "alpha": _estimate(report.alpha),
        "C": _estimate(report.floor),
        "predicted": [{"n": item.n, **_estimate(item.error)} for item in report.predicted],
        "required_n": first,
        "reasons": list(report.reasons),
    }
    return json.dumps(keys, indent=2, allow_nan=False, ensure_ascii=False)


def _estimate(estimate: Estimate) -> dict[str, float | str | None]:
    named = {"value": estimate.value, "lower90": estimate.lower90, "upper90": estimate.upper90}
    return {name: "inf" if value == math.inf else value for name, value in named.items()}
