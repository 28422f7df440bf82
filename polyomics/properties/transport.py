"""Self-diffusion of chain centres, given only where their motion is diffusive."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from polyomics.properties.chains import time_correlation
from polyomics.properties.estimates import as_estimate, refusal
from polyomics.properties.statistics import MINIMUM_SAMPLES, Sampled, few_samples_reason, student_factor
from polyomics.properties.thermodynamic import duration_of
from polyomics.properties.units import NM, PS

if TYPE_CHECKING:
    from collections.abc import Callable

    from polyomics.properties.records import Estimate, FloatArray, Records

LARGEST_LAG = 0.25
"""Longest lag used, as a share of the run: each block then holds at least four lags."""

EXPONENT_TOLERANCE = 0.1
"""Deviation of the exponent of the mean squared displacement from 1 that still counts as diffusive."""

_FEWEST_UNITS = 5


@dataclass(frozen=True)
class Window:
    """Lags, in records, over which the mean squared displacement is fitted."""

    first: int
    last: int


def mean_squared_displacement(centers: FloatArray) -> FloatArray:
    """Return the mean squared displacement of centres, nm², by lag: shape (n,).

    Average over centres and all time origins, by Fourier transform (Calandrini et al., Collection SFN 12 (2011) 201).

    Parameters
    ----------
    centers
        Continuous in time, nm, shape (n, c, 3).
    """
    n = len(centers)
    shifted = centers - centers.mean(axis=0)
    squares = np.einsum("nck,nck->n", shifted, shifted) / centers.shape[1]
    forward = np.concatenate([[0.0], np.cumsum(squares)])
    lags = np.arange(n)
    heads, tails = forward[n - lags], forward[n] - forward[lags]
    msd = (heads + tails) / (n - lags) - 2.0 * time_correlation(shifted)
    return np.asarray(np.maximum(msd, 0.0), dtype=np.float64)


def self_diffusion(records: Records, minimum: float = MINIMUM_SAMPLES) -> Estimate:
    """Return the self-diffusion coefficient of the chain centres, m²/s: slope of their mean squared displacement / 6.

    A value is given only where the motion is diffusive: the displacement passes the mean squared radius of gyration
    (a chain has left its own volume; entangled or caged motion is subdiffusive before that) within an eighth of the
    run, and from there to four times that lag, where the slope is fitted, the exponent of the displacement is 1 within
    0.1 or two standard errors. Otherwise the estimate is refused with the flag ``caged``.

    The error is the spread over chains (and over blocks of time where chains are few). The value holds for this cell:
    no hydrodynamic size correction (Yeh and Hummer, J. Phys. Chem. B 108 (2004) 15873) is applied, which the condition
    ``finite_size`` says.

    Parameters
    ----------
    records
        A stage without volume moves and with weak friction (``nvt`` or ``nve``).
    minimum
        Independent displacements below which there is no value.
    """
    name = "self_diffusion"
    if records.ensemble == "npt":
        return refusal(name, "needs records without volume moves, these are npt", "wrong_ensemble")
    n, chains = records.centers.shape[:2]
    if n < MINIMUM_SAMPLES or chains == 0:
        return refusal(name, few_samples_reason(float(min(n, chains)), duration_of(records), minimum), "few_samples")
    if not np.all(np.isfinite(records.centers)):
        return refusal(name, "records hold values that are not finite", "not_finite")
    msd = mean_squared_displacement(records.centers)
    window = _window(msd, float(np.mean(records.rg2)))
    if isinstance(window, str):
        return refusal(name, window, "caged")
    return _fitted(name, records, window, minimum)


def _window(msd: FloatArray, rg2: float) -> Window | str:
    """Return the fit window, or why there is none."""
    last = int(LARGEST_LAG * len(msd))
    beyond = np.flatnonzero(msd[1 : last + 1] >= rg2)
    if len(beyond) == 0:
        return f"caged: chains moved {math.sqrt(msd[last] / rg2):.2f} of their radius of gyration in {last} records"
    first = int(beyond[0]) + 1
    if 2 * first > last:
        return f"caged: chains left their own volume only after {first} of the {last} records that can be used"
    return Window(first, min(last, max(4 * first, 10)))


def _fitted(name: str, records: Records, window: Window, minimum: float) -> Estimate:
    n, chains = records.centers.shape[:2]
    step = float(records.time[-1] - records.time[0]) / (n - 1)
    blocks = 1 if chains >= _FEWEST_UNITS else max(1, n // (4 * window.last))
    if chains * blocks < 2:
        return refusal(name, "a single chain in too short a run gives no error", "few_samples", float(chains * blocks))
    length = n // blocks
    units = [
        mean_squared_displacement(records.centers[b * length : (b + 1) * length, c : c + 1])
        for b in range(blocks)
        for c in range(chains)
    ]
    lags = np.unique(np.linspace(window.first, window.last, 50).astype(int))
    curves = np.stack([unit[lags] for unit in units])
    exponent, exponent_error = _jackknife(curves, lambda m: float(np.polyfit(np.log(lags), np.log(m), 1)[0]))
    if abs(exponent - 1.0) > max(EXPONENT_TOLERANCE, 2.0 * exponent_error):
        return refusal(name, f"caged: displacement grows as time^{exponent:.2f} +- {exponent_error:.2f}", "caged")
    slope, slope_error = _jackknife(curves, lambda m: float(np.polyfit(lags, m, 1)[0]))
    factor = NM**2 / PS / (6.0 * step)
    n_eff = chains * n / window.first
    sampled = Sampled(slope * factor, slope_error * factor, n_eff)
    estimate = as_estimate(name, sampled, duration_of(records), minimum)
    return replace(estimate, conditions=(("finite_size", "uncorrected"),)) if estimate.value is not None else estimate


def _jackknife(curves: FloatArray, statistic: Callable[[FloatArray], float]) -> tuple[float, float]:
    """Return a statistic of the mean curve and its 68.27 % half width, leaving one curve out at a time."""
    m = len(curves)
    total = curves.sum(axis=0)
    left_out = np.array([statistic((total - curve) / (m - 1)) for curve in curves])
    error = math.sqrt((m - 1) * float(np.var(left_out)))
    return statistic(total / m), error * student_factor(m - 1)
