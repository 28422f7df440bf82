"""Error bars mean what they say: value ± stderr holds the truth 68 times in 100, for means and fluctuation formulas."""

from __future__ import annotations

import numpy as np
import pytest
from pymbar import timeseries
from synthetic_records import AR1, TWO_SCALES, inefficiency_of_mean, inefficiency_of_squares, make_records, mixture

from polyomics.properties.cohesion import CohesionRecord, cohesion
from polyomics.properties.correlation import covariances, statistical_inefficiency
from polyomics.properties.statistics import few_samples_reason, functions_of_fluctuations, mean_of
from polyomics.properties.thermodynamic import FLUCTUATION_PROPERTIES, density, fluctuations
from polyomics.properties.units import AMU, BOLTZMANN, KJ_PER_MOL, NM3

SERIES = 3000
SIGMA_V, SIGMA_H, CORRELATION = 0.1, 40.0, 0.6
CASES = [
    pytest.param(shares, samples, tolerance, id=f"{name}-{samples}")
    for name, shares in (("ar1", AR1), ("two-scales", TWO_SCALES))
    for samples, tolerance in ((20, 0.08), (100, 0.04))
]


def coverage(estimates, truth):
    z = np.array([abs(e.value - truth) / e.stderr for e in estimates if e.value is not None])
    return float(np.mean(z < 1.0)), len(z)


def true_values():
    """The formulas of Allen and Tildesley with the covariances that the synthetic records are drawn from, in SI."""
    kt = BOLTZMANN * 300.0 * KJ_PER_MOL
    var_v, var_h = (SIGMA_V * NM3) ** 2, (SIGMA_H * KJ_PER_MOL) ** 2
    cov = CORRELATION * SIGMA_V * NM3 * SIGMA_H * KJ_PER_MOL
    mass, volume = 6000.0 * AMU, 10.0 * NM3
    cp = var_h / (mass * kt * 300.0)
    alpha = cov / (volume * kt * 300.0)
    kappa = var_v / (volume * kt)
    cv = cp - volume * 300.0 * alpha**2 / (kappa * mass)
    kappa_s = kappa * cv / cp
    values = (cp, cv, alpha, alpha / 3, kappa, kappa_s, 1 / kappa, 1 / kappa_s)
    return dict(zip(FLUCTUATION_PROPERTIES, values, strict=True))


def synthetic_npt(rng, shares, n, count):
    a, b = mixture(rng, shares, count, n), mixture(rng, shares, count, n)
    volume = 10.0 + SIGMA_V * a
    enthalpy = -500.0 + SIGMA_H * (CORRELATION * a + np.sqrt(1 - CORRELATION**2) * b)
    return [make_records(volume=v, enthalpy=h) for v, h in zip(volume, enthalpy, strict=True)]


@pytest.mark.parametrize(("shares", "samples", "tolerance"), CASES)
def test_interval_of_a_mean_covers(shares, samples, tolerance):
    rng = np.random.default_rng(samples)
    n = round(samples * inefficiency_of_mean(shares))
    found = [mean_of(x, minimum=0.0) for x in mixture(rng, shares, SERIES, n)]
    share, count = coverage(found, 0.0)
    print(f"coverage of the mean: {share:.3f} of {count}")
    assert abs(share - 0.68) <= tolerance


@pytest.mark.slow
@pytest.mark.parametrize(("shares", "samples", "tolerance"), CASES)
def test_interval_of_every_fluctuation_formula_covers(shares, samples, tolerance):
    rng = np.random.default_rng(samples)
    n = round(samples * inefficiency_of_squares(shares))
    found = [fluctuations(r, minimum=0.0) for r in synthetic_npt(rng, shares, n, SERIES)]
    by_name = {e[0].property: coverage(e, true_values()[e[0].property])[0] for e in zip(*found, strict=True)}
    print("coverage:", {name: round(share, 3) for name, share in by_name.items()})
    assert set(by_name) == set(FLUCTUATION_PROPERTIES)
    assert max(abs(share - 0.68) for share in by_name.values()) <= tolerance


@pytest.mark.parametrize(("shares", "samples", "tolerance"), CASES)
def test_intervals_of_cohesion_and_solubility_cover(shares, samples, tolerance):
    rng = np.random.default_rng(samples + 1)
    n = round(samples * inefficiency_of_mean(shares))
    per_volume = 1e8 * NM3 / KJ_PER_MOL
    time, volume, isolated = np.arange(n, dtype=float), np.full(n, 10.0), np.zeros((n, 1))
    energies = -10.0 * per_volume * (1.0 + 0.05 * mixture(rng, shares, SERIES // 2, n))
    found = zip(*[cohesion(CohesionRecord(time, volume, e, isolated), minimum=0.0) for e in energies], strict=True)
    by_name = {e[0].property: coverage(e, truth)[0] for e, truth in zip(found, (1e8, 1e4), strict=True)}
    print("coverage:", {name: round(share, 3) for name, share in by_name.items()})
    assert max(abs(share - 0.68) for share in by_name.values()) <= tolerance


@pytest.mark.slow
@pytest.mark.parametrize("shares", [AR1, TWO_SCALES], ids=["ar1", "two-scales"])
def test_what_is_reported_near_the_limit_of_20_samples_still_covers(shares):
    """Only series that look better than they are pass the limit; their intervals must not be the too short ones."""
    rng = np.random.default_rng(3)
    means = mixture(rng, shares, SERIES, round(20 * inefficiency_of_mean(shares)))
    found = [s for s in map(mean_of, means) if s.n_eff >= 20]
    shares_of = {"mean": coverage(found, 0.0)}
    records = synthetic_npt(rng, shares, round(20 * inefficiency_of_squares(shares)), SERIES // 2)
    for estimates in zip(*[fluctuations(r) for r in records], strict=True):
        name = estimates[0].property
        shares_of[name] = coverage(estimates, true_values()[name])
    print("reported coverage (of):", {k: (round(c, 3), m) for k, (c, m) in shares_of.items()})
    assert min(m for _, m in shares_of.values()) > 0.2 * SERIES
    assert max(abs(c - 0.68) for c, _ in shares_of.values()) <= 0.08


def test_long_series_agree_with_pymbar_and_the_textbook_error():
    x = mixture(np.random.default_rng(1), AR1, 1, 200_000)[0]
    sampled = mean_of(x)
    assert statistical_inefficiency(x)[0] == pytest.approx(timeseries.statistical_inefficiency(x), rel=0.01)
    assert sampled.n_eff == pytest.approx(200_000 / 9.0, rel=0.1)
    assert sampled.stderr == pytest.approx(np.sqrt(9.0 / 200_000), rel=0.1)


def test_covariance_functions_equal_the_plain_sums():
    x = np.random.default_rng(2).standard_normal((50, 2)).cumsum(axis=0)
    d, functions = x - x.mean(axis=0), covariances(x)
    for lag in (0, 1, 7):
        plain = d[: 50 - lag].T @ d[lag:]
        np.testing.assert_allclose(functions[lag], (plain + plain.T) / 100, rtol=1e-10)


def test_heavy_tails_widen_the_interval_of_a_variance():
    """Student-t noise of 5 degrees has kurtosis 9: a Gaussian formula alone would give half of the error."""
    rng = np.random.default_rng(4)
    truth, gaussian = 5 / 3, np.sqrt(2 / 2000) * 5 / 3
    formula = {"variance": lambda mean, cov: float(cov[0, 0])}
    found = [functions_of_fluctuations(rng.standard_t(5, (2000, 1)), formula)["variance"] for _ in range(300)]
    assert np.median([s.stderr for s in found]) > 1.4 * gaussian
    assert coverage(found, truth)[0] > 0.6


def test_below_20_samples_there_is_a_reason_and_no_number():
    slow = mixture(np.random.default_rng(5), ((1.0, 0.98),), 1, 400)[0]
    for estimate in (
        density(make_records(volume=10 + 0.1 * slow)),
        *fluctuations(make_records(volume=10 + 0.1 * slow, enthalpy=slow)),
    ):
        assert estimate.value is None
        assert estimate.stderr is None
        assert estimate.flags == ("few_samples",)
        assert "independent samples, 20 needed: about" in estimate.reason


def test_the_reason_says_how_much_longer_to_run():
    assert few_samples_reason(8.0, 400.0) == "8.0 independent samples, 20 needed: about 600 ps more"
