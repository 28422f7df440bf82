"""The binding tests of a run at rest: each of them can fail a run by itself, and the advisory numbers never do."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from synthetic_records import AR1, make_records, make_snapshot, mixture

from polyomics.properties.stationarity import Limits, assess, classify_state, drift_of


@pytest.fixture(scope="module")
def melt():
    """Evenly filled and without order: the points of a lattice, shuffled into 40 chains."""
    grid = np.stack(np.meshgrid(*[np.arange(16) * 0.3125 + 0.1] * 3, indexing="ij"), -1).reshape(-1, 3)
    return make_snapshot(np.random.default_rng(1).permutation(grid)[:4000].reshape(40, 100, 3))


def quiet(n=4000, seed=2):
    """Volume fluctuates by 0.5 %, energy by 10 kJ/mol: noise of the drift is far below 0.3 %."""
    rng = np.random.default_rng(seed)
    a, b = mixture(rng, AR1, 2, n)
    return make_records(volume=10 * (1 + 0.005 * a), enthalpy=-3000.0 + 10.0 * b)


def test_a_run_at_rest_is_stationary_and_says_so_with_numbers(melt):
    verdict = assess(quiet(), melt)
    assert verdict.stationary, verdict.reasons
    assert verdict.reasons == ()
    assert set(verdict.numbers) == {
        "density_drift", "density_drift_error", "energy_drift", "energy_drift_error", "nematic_order",
        "nematic_order_noise", "density_spread",
        "density_spread_ideal_gas", "end_vector_relaxation_ps", "end_vector_remaining", "internal_distance_slope",
        "msd_over_rg2", "duration_ps",
    }  # fmt: skip


def test_runs_at_rest_fail_the_two_drift_tests_as_often_as_two_standard_errors_allow(melt):
    verdicts = [assess(quiet(1000, seed), melt) for seed in range(100)]
    failed = np.mean([not v.stationary for v in verdicts])
    assert 0.01 < failed < 0.18


@pytest.mark.parametrize("which", ["density", "energy"])
def test_a_drift_of_half_a_percent_over_the_last_half_fails(melt, which):
    records = quiet()
    ramp = 1 + 0.01 * np.linspace(-1, 1, 4000)
    if which == "density":
        records = replace(records, box=records.box / np.cbrt(ramp)[:, None])
    else:
        records = replace(records, potential=records.potential - 3000.0 * (ramp - 1))
    verdict = assess(records, melt)
    assert not verdict.stationary
    assert all(reason.startswith(which) for reason in verdict.reasons)
    assert abs(verdict.numbers[f"{which}_drift"]) == pytest.approx(0.005, rel=0.25)


@pytest.mark.parametrize("percent", [0.1, 2.0])
def test_a_steady_drift_fails_whether_small_or_large(melt, percent):
    """Against hardly any noise: 0.1 % is significant, and 2 % must not pass for noise of its own making."""
    n = 4000
    volume = 10 * (1 + 1e-4 * np.random.default_rng(3).standard_normal(n) + percent / 100 * np.linspace(-2, 2, n))
    verdict = assess(replace(quiet(), box=np.repeat(np.cbrt(volume)[:, None], 3, axis=1)), melt)
    assert not verdict.stationary
    assert "standard errors (limit 2)" in verdict.reasons[0]


def test_a_cell_too_small_to_show_rest_is_told_from_one_that_drifts(melt):
    """5 % noise over 400 ps: the drift is within its noise, yet far above 0.3 %."""
    volume = 10 * (1 + 0.05 * mixture(np.random.default_rng(5), AR1, 1, 400)[0])
    noisy = replace(quiet(400), box=np.repeat(np.cbrt(volume)[:, None], 3, axis=1))
    verdict = assess(noisy, melt)
    assert verdict.stationary
    assert len(verdict.unresolved) == 1
    assert "rest is not shown to 0.30%" in verdict.unresolved[0]
    assert assess(noisy, melt, Limits(drift_relative=0.05)).unresolved == ()


def test_order_and_holes_fail_a_cell():
    rods = [np.random.default_rng(i).uniform(0, 5, 3) + np.arange(60)[:, None] * [0, 0, 0.083] for i in range(40)]
    ordered = assess(quiet(), make_snapshot(rods))
    assert any(reason.startswith("nematic order") for reason in ordered.reasons)
    points = np.random.default_rng(6).uniform(0, 5, (3000, 3))
    holed = assess(quiet(), make_snapshot([points[~np.all(points < 2.5, axis=1)]], residues=None))
    assert any(reason.startswith("local density") for reason in holed.reasons)


def test_the_first_half_does_not_count(melt):
    records = quiet()
    early = np.where(np.arange(4000) < 1900, 1.2, 1.0)
    assert assess(replace(records, box=records.box * np.cbrt(early)[:, None]), melt).stationary


def test_too_short_or_broken_records_are_not_stationary(melt):
    assert assess(quiet(30), melt).reasons[0] == "density: records too few or not finite"
    broken = replace(quiet(), potential=np.full(4000, np.nan))
    assert assess(broken, melt).reasons == ("energy: records too few or not finite",)
    assert math.isnan(assess(broken, melt).numbers["energy_drift"])


def test_a_constant_density_does_not_drift():
    assert drift_of(np.full(400, 0.1), 0.1).change == 0.0


@pytest.mark.parametrize(
    ("temperature", "glass_transition", "relaxed", "state"),
    [
        (450, 400, True, "equilibrated"),
        (449, 400, True, "glass"),
        (600, 400, False, "glass"),
        (300, None, True, "equilibrated"),
        (300, None, False, "glass"),
    ],
)
def test_equilibrated_means_50_K_above_tg_and_relaxed(temperature, glass_transition, relaxed, state):
    assert classify_state(temperature, glass_transition, relaxed) == state
