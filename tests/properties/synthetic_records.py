"""Synthetic series, records and configurations whose true answers are known."""

from __future__ import annotations

import numpy as np
from scipy.signal import lfilter

from polyomics.properties.records import Records, Snapshot
from polyomics.properties.units import BAR_NM3

AR1 = ((1.0, 0.8),)
TWO_SCALES = ((0.7, 0.5), (0.3, 0.95))
"""Mixtures of unit variance: (share of the variance, correlation from one record to the next)."""


def mixture(rng, shares, m, n):
    """m stationary Gaussian series of n records with autocorrelation sum_k w_k r_k^t; shape (m, n)."""
    total = np.zeros((m, n))
    for weight, r in shares:
        noise = rng.standard_normal((m, n))
        noise[:, 1:] *= np.sqrt(1 - r * r)
        total += np.sqrt(weight) * lfilter([1.0], [1.0, -r], noise, axis=1)
    return total


def inefficiency_of_mean(shares):
    return sum(w * (1 + r) / (1 - r) for w, r in shares)


def inefficiency_of_squares(shares):
    """Gaussian series: the autocorrelation of squares (and products of two alike) is that of the series, squared."""
    return sum(w * v * (1 + r * s) / (1 - r * s) for w, r in shares for v, s in shares)


def make_records(n=200, chains=4, *, volume=None, enthalpy=None, ensemble="npt", centers=None, rg2=None, ends=None):
    """NPT records at 300 K and 1 bar, mass 6,000 amu; given volume (nm³) and enthalpy (kJ/mol) are met exactly."""
    volume = np.full(n, 10.0) if volume is None else volume
    n = len(volume) if centers is None else len(centers)
    volume = np.full(n, 10.0) if len(volume) != n else volume
    enthalpy = np.zeros(n) if enthalpy is None else enthalpy
    kinetic = np.full(n, 700.0)
    chains = chains if centers is None else centers.shape[1]
    return Records(
        ensemble=ensemble,
        temperature=300.0,
        pressure=1.0,
        time=1.0 + np.arange(n, dtype=float),
        box=np.repeat(np.cbrt(volume)[:, None], 3, axis=1),
        potential=enthalpy - kinetic - 1.0 * BAR_NM3 * volume,
        kinetic=kinetic,
        energies={},
        pressure_bar=np.full(n, np.nan),
        dipole=np.zeros((n, 3)),
        rg2=np.full((n, chains), 0.25) if rg2 is None else rg2,
        end_vector=np.zeros((n, chains, 3)) if ends is None else ends,
        centers=np.zeros((n, chains, 3)) if centers is None else centers,
        mass=6000.0,
        n_degrees=560,
    )


def make_snapshot(molecules, box=(5.0, 5.0, 5.0), numbers=6, residues=None):
    """A snapshot of molecules given as coordinate arrays; by default one carbon atom is one residue."""
    sizes = [len(m) for m in molecules]
    positions = np.concatenate(molecules).astype(float)
    labels = np.concatenate([np.arange(k) for k in sizes]) if residues is None else residues
    kinds = np.full(len(positions), numbers) if np.isscalar(numbers) else np.asarray(numbers)
    return Snapshot(
        positions=positions,
        box=np.asarray(box, dtype=float),
        numbers=kinds.astype(np.int64),
        masses=np.where(kinds == 1, 1.008, 12.011),
        starts=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        bonds=np.zeros((0, 2), dtype=np.int64),
        residues=labels.astype(np.int64),
    )


def random_walks(rng, chains, beads, step=0.15):
    """Ideal chains: Gaussian steps of mean square step²."""
    steps = rng.standard_normal((chains, beads, 3)) * step / np.sqrt(3)
    return list(np.cumsum(steps, axis=1))
