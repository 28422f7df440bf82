"""Standard errors over correlated series, such that value ± stderr covers the truth 68 times in 100.

Two cases: the mean of a series, and a smooth function of means and covariances of several (every fluctuation formula).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from polyomics.properties.correlation import covariances, long_run, short_series_factor, statistical_inefficiency
from polyomics.properties.records import FloatArray

MINIMUM_SAMPLES = 20.0
"""Fewer independent samples than this give no value, only a reason."""

MEAN_SELECTION = 0.8
FLUCTUATION_SELECTION = 2.4
RECIPROCAL_SELECTION = 0.5
"""Strengths of :func:`selection_factor`, calibrated on synthetic series (tests/properties/test_error_bars.py)."""

HEAVY_TAILS = 1.5
"""A direct estimate of the variance this much above the Gaussian one (more than its noise) replaces it."""

_ONE_SIGMA = 0.841344746
"""Upper quantile of the central 68.27 % interval."""

Function = Callable[[FloatArray, FloatArray], float]
"""A formula: means, shape (d,), and covariances, shape (d, d), to one number."""


@dataclass(frozen=True)
class Sampled:
    """A value with its sampling error.

    Parameters
    ----------
    value
        The estimate.
    stderr
        Half width of a 68.27 % interval about it; for many samples the usual standard error.
    n_eff
        Independent samples behind it.
    """

    value: float
    stderr: float
    n_eff: float


def student_factor(degrees: float) -> float:
    """Return the half width of a 68.27 % interval in standard errors, for an error known to ``degrees`` of freedom."""
    return float(stdtrit(max(degrees, 1.0), _ONE_SIGMA))


def selection_factor(n_eff: float, minimum: float, strength: float) -> float:
    """Return the factor that makes up for reporting only those series whose ``n_eff`` came out above ``minimum``.

    Near the limit the reported series are those whose correlation was underestimated, so their plain errors are too
    small; the effect dies out well above the limit.
    """
    return 1.0 + strength * (minimum / max(n_eff, minimum)) ** 4 if minimum > 0 else 1.0


def mean_of(series: FloatArray, minimum: float = MINIMUM_SAMPLES) -> Sampled:
    """Return the mean of a correlated series with its 68.27 % half width.

    The error of the error comes from the width W of the summed correlation function: such a sum over n records has
    about n/(2 W - 1) degrees of freedom, which is what Student's t is given.

    Parameters
    ----------
    series
        Shape (n,), equally spaced, finite.
    minimum
        Limit below which the caller refuses the value (it shapes the interval near that limit); 0 for none.
    """
    values = np.asarray(series, dtype=np.float64)
    n, mean, spread = len(values), float(np.mean(values)), float(np.var(values))
    if is_constant(values):
        return Sampled(mean, 0.0, float(n))
    inefficiency, lags = statistical_inefficiency(values)
    n_eff = n / inefficiency
    raw = math.sqrt(spread / max(n_eff - 1.0, 1.0))
    factor = student_factor(max(n / (2 * lags - 1), 2.0)) * selection_factor(n_eff, minimum, MEAN_SELECTION)
    return Sampled(mean, raw * factor, n_eff)


def is_constant(series: FloatArray) -> bool:
    """Return whether a series only varies by rounding."""
    return bool(np.ptp(series) <= 1e-12 * np.max(np.abs(series)))


def functions_of_fluctuations(
    series: FloatArray, formulas: Mapping[str, Function], minimum: float = MINIMUM_SAMPLES
) -> dict[str, Sampled]:
    """Return smooth functions of means and covariances of correlated series with their 68.27 % half widths, by name.

    A formula is linearised (delta method). The linear form has a part in the means and a quadratic part in the
    fluctuations; the summed correlation of the quadratic part follows from products of the covariance functions
    (Wick's theorem: fluctuations of a large cell are Gaussian), which at 20 samples is far less biased than
    correlating the squares themselves. Where pymbar's direct estimate from the linear form is clearly larger, the tails
    are heavier than Gaussian and it counts. Covariances are corrected for the variance of the sample mean, the value
    for the curvature of the formula. The degrees of freedom of the error, (n_eff/10)², are calibrated on synthetic
    series.

    Parameters
    ----------
    series
        Shape (n, d), none of them constant.
    formulas
        The functions; they are evaluated near the sample values only. The error of one that no fluctuation moves is
        NaN: such records say nothing about it.
    minimum
        As in :func:`mean_of`.
    """
    n = len(series)
    scales, means = series.std(axis=0), series.mean(axis=0)
    unit = (series - means) / scales
    functions = covariances(unit)
    summed, ends = long_run(functions)
    of_means = np.clip(summed / n, -0.5, 0.5)
    covariance = functions[0] + of_means
    square = np.outer(scales, scales)
    found = {}
    for name, formula in formulas.items():
        scaled = _Scaled(formula, means, scales, square)
        linear, quadratic = _gradient(scaled, covariance)
        variance, total = _wick(functions, ends, of_means, linear, quadratic)
        influence = unit @ linear + np.einsum("ia,ia->i", unit @ quadratic, unit)
        if variance <= 0.0 or is_constant(influence):
            found[name] = Sampled(scaled(np.zeros(len(means)), covariance), math.nan, float(n))
            continue
        direct = float(np.var(influence)) * statistical_inefficiency(influence)[0]
        total = direct if direct > HEAVY_TAILS * total else total
        n_eff = n * variance / total
        factor = student_factor((n_eff / 10.0) ** 2) * selection_factor(n_eff, minimum, FLUCTUATION_SELECTION)
        value = scaled(np.zeros(len(means)), covariance) - _curvature_bias(scaled, covariance) / n_eff
        found[name] = Sampled(value, math.sqrt(total / n) * factor, n_eff)
    return found


def reciprocal(sampled: Sampled, minimum: float = MINIMUM_SAMPLES) -> Sampled:
    """Return 1/value of a result of :func:`functions_of_fluctuations` with its half width.

    Series that look longer than they are also fluctuate too little: near the limit that leaves the interval of a
    variance too narrow, but that of its reciprocal less so.
    """
    if sampled.value == 0.0:
        return Sampled(math.inf, math.nan, sampled.n_eff)
    selection = selection_factor(sampled.n_eff, minimum, FLUCTUATION_SELECTION)
    own = selection_factor(sampled.n_eff, minimum, RECIPROCAL_SELECTION)
    value = 1.0 / sampled.value
    return Sampled(value, sampled.stderr * value**2 * own / selection, sampled.n_eff)


@dataclass(frozen=True, eq=False)
class _Scaled:
    """A formula of series of zero mean and unit variance."""

    formula: Function
    means: FloatArray
    scales: FloatArray
    square: FloatArray

    def __call__(self, shift: FloatArray, matrix: FloatArray) -> float:
        return self.formula(self.means + self.scales * shift, matrix * self.square)


def _gradient(formula: Function, covariance: FloatArray, step: float = 1e-4) -> tuple[FloatArray, FloatArray]:
    """Return the derivatives with respect to means, shape (d,), and covariances, shape (d, d), numerically."""
    d = len(covariance)
    zero = np.zeros(d)
    linear = np.array([(formula(e, covariance) - formula(-e, covariance)) / (2 * step) for e in step * np.eye(d)])
    quadratic = np.zeros((d, d))
    for a in range(d):
        for b in range(a, d):
            move = np.zeros((d, d))
            move[a, b] = move[b, a] = step
            slope = (formula(zero, covariance + move) - formula(zero, covariance - move)) / (2 * step)
            quadratic[a, b] = quadratic[b, a] = slope if a == b else slope / 2.0
    return linear, quadratic


def _curvature_bias(formula: Function, covariance: FloatArray, step: float = 1e-3) -> float:
    """Return n_eff times the mean error of a curved formula of sampled covariances, to second order.

    Covariances of n_eff Gaussian samples follow a Wishart distribution: in coordinates where the matrix is the identity
    its diagonal elements vary by 2/n_eff and the others by 1/n_eff, independently. (This is the lost degree of freedom
    of a residual variance, for one.)
    """
    d = len(covariance)
    zero = np.zeros(d)
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    centre = formula(zero, covariance)
    bias = 0.0
    for a in range(d):
        for b in range(a, d):
            move = np.zeros((d, d))
            move[a, b] = move[b, a] = step
            move = root @ move @ root.T
            second = (formula(zero, covariance + move) + formula(zero, covariance - move) - 2.0 * centre) / step**2
            bias += second if a == b else 0.5 * second
    return float(bias)


def _wick(
    functions: FloatArray, ends: np.ndarray, of_means: FloatArray, linear: FloatArray, quadratic: FloatArray
) -> tuple[float, float]:
    """Return variance and summed covariance of ``linear·x + x·quadratic·x`` for Gaussian x with these covariances."""
    n = len(functions)
    lags = int(ends.max())
    time = np.arange(lags)
    corrected = functions[:lags] * (n / (n - time))[:, None, None] + of_means
    corrected *= time[:, None, None] < np.maximum(ends[:, None], ends[None, :])
    product = quadratic @ corrected
    squares = 2.0 * np.einsum("tab,tba->t", product, product)
    weights = np.where(time == 0, 1.0, 2.0) * (1.0 - time / n)
    straight = np.einsum("a,tab,b->t", linear, functions[:lags], linear)
    factor = short_series_factor(lags, n)
    variance = float(squares[0] + straight[0])
    return variance, max(float(weights @ squares) + factor * float((weights / (1.0 - time / n)) @ straight), variance)


def few_samples_reason(n_eff: float, duration: float, minimum: float = MINIMUM_SAMPLES) -> str:
    """Return why a value is refused: how many independent samples there are and how much longer to run.

    Parameters
    ----------
    n_eff
        Independent samples found.
    duration
        Length of the series, ps.
    minimum
        Samples required.
    """
    more = math.ceil(duration * (minimum / max(n_eff, 1.0) - 1.0))
    return f"{n_eff:.1f} independent samples, {minimum:.0f} needed: about {max(more, 1)} ps more"
