"""Size and relaxation of chains: radius of gyration, end-to-end distance, end-vector relaxation, internal distances."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

from polyomics.properties.estimates import as_estimate, refusal
from polyomics.properties.statistics import MINIMUM_SAMPLES, Sampled, is_constant, mean_of, student_factor
from polyomics.properties.thermodynamic import duration_of
from polyomics.properties.units import NM

if TYPE_CHECKING:
    from polyomics.properties.records import Estimate, FloatArray, Records, Snapshot

SIZE_PROPERTIES = (
    "radius_of_gyration",
    "radius_of_gyration_squared",
    "end_to_end_distance",
    "end_to_end_distance_squared",
)


def sizes(records: Records, minimum: float = MINIMUM_SAMPLES) -> tuple[Estimate, ...]:
    """Return mean radius of gyration and end-to-end distance of the chains and their mean squares, m and m².

    Means run over records and chains; the plain means are those of the distances themselves, as RadonPy reports them.
    The error is the larger of two: that of the time series of the chain average, and that of the chains as independent
    samples of one another (which is all there is where chains do not move).

    Parameters
    ----------
    records
        Any stage.
    minimum
        Independent samples of the time series below which there is no value.
    """
    squared_end = np.einsum("nck,nck->nc", records.end_vector, records.end_vector)
    columns = (np.sqrt(records.rg2), records.rg2, np.sqrt(squared_end), squared_end)
    powers = (1, 2, 1, 2)
    return tuple(
        _size(name, column, NM**power, duration_of(records), minimum)
        for name, column, power in zip(SIZE_PROPERTIES, columns, powers, strict=True)
    )


def _size(name: str, per_chain: FloatArray, unit: float, duration: float, minimum: float) -> Estimate:
    if per_chain.size == 0 or not np.all(np.isfinite(per_chain)):
        return refusal(name, "the records hold no finite chain sizes", "not_finite")
    series = per_chain.mean(axis=1)
    if len(series) > 1 and is_constant(series):
        return refusal(name, "the chains do not move", "constant")
    sampled = mean_of(series, minimum)
    chains = per_chain.shape[1]
    between = 0.0
    if chains > 1:
        spread = float(np.std(per_chain.mean(axis=0), ddof=1))
        between = spread / math.sqrt(chains) * student_factor(chains - 1)
    error = max(sampled.stderr, between) * unit
    return as_estimate(name, Sampled(sampled.value * unit, error, sampled.n_eff), duration, minimum)


def time_correlation(vectors: FloatArray) -> FloatArray:
    """Return the mean correlation of vectors with themselves a lag later, not normalised.

    Parameters
    ----------
    vectors
        Shape (n, c, 3).

    Returns
    -------
    ndarray
        Shape (n,): average over chains and time origins of v(t0)·v(t0 + t).
    """
    n = len(vectors)
    size = next_fast_len(2 * n, real=True)
    transform = rfft(vectors, size, axis=0)
    power = (transform * transform.conj()).real.sum(axis=(1, 2))
    summed = irfft(power, size)[:n]
    return np.asarray(summed / (n - np.arange(n)) / vectors.shape[1], dtype=np.float64)


@dataclass(frozen=True)
class Relaxation:
    """How far the end-to-end vectors have turned.

    Parameters
    ----------
    time
        When the correlation first falls to 1/e, ps; None where it does not within half of the run.
    remaining
        Correlation left at half of the run (1 at the start).
    relaxed
        Whether the run is at least three times ``time`` long.
    """

    time: float | None
    remaining: float
    relaxed: bool


def end_vector_relaxation(records: Records) -> Relaxation:
    """Return the relaxation of the end-to-end vectors, from their normalised time correlation.

    The correlation is only read up to half of the run: beyond, too few time origins are left.
    """
    n = len(records.time)
    if n < 4 or records.end_vector.size == 0:
        return Relaxation(None, 1.0, False)
    correlation = time_correlation(records.end_vector)
    if correlation[0] <= 0.0:
        return Relaxation(None, 1.0, False)
    correlation = correlation[: n // 2 + 1] / correlation[0]
    remaining = float(correlation[-1])
    below = np.flatnonzero(correlation <= 1.0 / math.e)
    if len(below) == 0:
        return Relaxation(None, remaining, False)
    after = int(below[0])
    step = (correlation[after - 1] - 1.0 / math.e) / (correlation[after - 1] - correlation[after])
    time = float((after - 1 + step) * (records.time[-1] - records.time[0]) / (n - 1))
    return Relaxation(time, remaining, duration_of(records) >= 3.0 * time)


def residue_centers(snapshot: Snapshot) -> list[FloatArray]:
    """Return the centres of mass of the residues of each molecule, nm: one array of shape (n_residues, 3) each."""
    found = []
    for start, end in zip(snapshot.starts[:-1], snapshot.starts[1:], strict=True):
        label = snapshot.residues[start:end]
        mass = snapshot.masses[start:end]
        total = np.bincount(label, weights=mass)
        moments = [np.bincount(label, weights=mass * x) for x in snapshot.positions[start:end].T]
        found.append(np.stack(moments, axis=1)[total > 0] / total[total > 0, None])
    return found


def internal_distances(snapshot: Snapshot) -> FloatArray:
    """Return the mean squared distance of residues s apart along their chain, nm², shape (longest chain - 1,).

    Element s - 1 belongs to separation s. ``<R²(s)>/s`` levels off in a relaxed melt (Auhl et al., J. Chem. Phys. 119
    (2003) 12718); a maximum shows chains deformed by the push-off.
    """
    chains = residue_centers(snapshot)
    longest = max((len(chain) for chain in chains), default=0)
    total, count = np.zeros(max(longest - 1, 0)), np.zeros(max(longest - 1, 0))
    for chain in chains:
        for s in range(1, len(chain)):
            step = chain[s:] - chain[:-s]
            total[s - 1] += np.einsum("ik,ik->", step, step)
            count[s - 1] += len(step)
    return np.asarray(total / np.maximum(count, 1.0), dtype=np.float64)


def internal_distance_slope(snapshot: Snapshot) -> float | None:
    """Return d ln<R²(s)> / d ln s over the middle of the chain (a quarter to three quarters): 1 for ideal chains.

    None where chains have fewer than 12 residues.
    """
    squared = internal_distances(snapshot)
    n = len(squared) + 1
    if n < 12:
        return None
    s = np.arange(n // 4, 3 * n // 4 + 1)
    return float(np.polyfit(np.log(s), np.log(squared[s - 1]), 1)[0])
