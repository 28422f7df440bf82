"""Correlation functions of equally spaced series: sums, windows and long-run covariances."""

from __future__ import annotations

import logging
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from polyomics.properties.records import FloatArray

_SHORTEST_WINDOW = 4
"""A zero of the correlation function before this lag is not the end of it (pymbar's ``mintime``)."""


def covariances(series: FloatArray) -> FloatArray:
    """Return the covariance functions of centred series, symmetrised in time.

    Parameters
    ----------
    series
        Shape (n, d).

    Returns
    -------
    ndarray
        Shape (n, d, d): ``C[t, a, b] = sum_i (x_a(i) x_b(i+t) + x_b(i) x_a(i+t)) / 2n`` of the centred series.
    """
    n = len(series)
    centred = series - series.mean(axis=0)
    transform = rfft(centred, next_fast_len(2 * n, real=True), axis=0)
    spectrum = (transform[:, :, None] * transform.conj()[:, None, :]).real
    return np.asarray(irfft(spectrum, next_fast_len(2 * n, real=True), axis=0)[:n] / n, dtype=np.float64)


def window(correlation: FloatArray) -> int:
    """Return the lag at which a correlation function, shape (n,), first falls to zero: all beyond is noise."""
    below = np.flatnonzero(correlation[_SHORTEST_WINDOW:] <= 0.0)
    return int(below[0]) + _SHORTEST_WINDOW if len(below) else len(correlation)


def short_series_factor(lags: int, n: int) -> float:
    """Return the factor by which a correlation sum over ``lags`` lags is low, because the series has n records only.

    Fluctuations are taken about the sample mean, which lowers every covariance by the variance of that mean (Wolff,
    Comput. Phys. Commun. 156 (2004) 143, eq. 49).
    """
    return 1.0 + (2 * lags - 1) / n


def statistical_inefficiency(series: FloatArray) -> tuple[float, int]:
    """Return the records per independent sample of a series and the lag at which its correlation ends.

    The inefficiency is pymbar's, times :func:`short_series_factor`.

    Parameters
    ----------
    series
        Shape (n,), not constant.
    """
    n = len(series)
    lags = window(covariances(series[:, None])[:, 0, 0])
    corrected = _pymbar_inefficiency(series) * short_series_factor(lags, n)
    return float(min(max(corrected, 1.0), n)), lags


def _pymbar_inefficiency(series: FloatArray) -> float:
    return float(_pymbar_timeseries().statistical_inefficiency(series))


@cache
def _pymbar_timeseries() -> Any:
    # pymbar announces itself through the log on import; an estimate is no place for that
    logger = logging.getLogger("pymbar")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        from pymbar import timeseries
    finally:
        logger.setLevel(level)
    return timeseries


def long_run(functions: FloatArray) -> tuple[FloatArray, NDArray[np.int64]]:
    """Return the summed covariance matrix of series (n times the covariance of their means) and the windows.

    Parameters
    ----------
    functions
        Covariance functions, shape (n, d, d).

    Returns
    -------
    matrix, windows
        Shapes (d, d) and (d,); a mixed element is summed over the longer of the two windows.
    """
    n, d = functions.shape[:2]
    ends = np.array([window(functions[:, a, a]) for a in range(d)], dtype=np.int64)
    pairs = np.maximum(ends[:, None], ends[None, :])
    summed = 2.0 * np.cumsum(functions, axis=0) - functions[0]
    matrix = np.take_along_axis(summed, (pairs - 1)[None], axis=0)[0]
    return matrix * (1.0 + (2 * pairs - 1) / n), ends
