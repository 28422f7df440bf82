"""Equivalent sample sizes on surfaces whose answer is known in closed form."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from polyomics.errors import InputError
from polyomics.learn.law import Surface, labels_worth, simulations_worth
from polyomics.learn.law.equivalent import _monotone

N = np.geomspace(100, 10_000, 7)
M = np.geomspace(10, 160, 5)
DIRECT_M = np.geomspace(10, 1280, 8)


def surface(noise: float = 0.0, seed: int = 0, level: float = 1.0) -> Surface:
    """E(n, m) = n^-0.2 m^-0.4 against E0(m) = level m^-0.5; 4 folds x 6 orderings."""
    rng = np.random.default_rng(seed)
    truth, direct = N[:, None] ** -0.2 * M**-0.4, level * DIRECT_M**-0.5
    fold, ordering = np.divmod(np.arange(24), 6)

    def scattered(values: np.ndarray) -> np.ndarray:
        return values * (1 + noise * rng.normal(size=(24, *values.shape)))

    return Surface(
        N, M, scattered(truth), DIRECT_M, {"gbm": scattered(direct)}, tuple(map(str, fold)), tuple(map(str, ordering))
    )


def test_labels_that_simulations_replace_are_those_of_the_direct_curve() -> None:
    for n, m in ((1000.0, 20.0), (3000.0, 50.0)):
        found = labels_worth(surface(), n, m, draws=20)
        assert found.value == pytest.approx(n**0.4 * m**0.8 - m, rel=1e-6)
        assert found.lower90 == pytest.approx(found.upper90)


def test_simulations_that_one_more_measurement_is_worth_follow_the_surface() -> None:
    found = simulations_worth(surface(), 1000.0, 20.0, draws=20)
    assert found.value == pytest.approx(1000 * ((21 / 20) ** 2 - 1), rel=1e-6)
    ten = simulations_worth(surface(), 1000.0, 20.0, measurements=10, draws=20)
    assert ten.value == pytest.approx(1000 * ((30 / 20) ** 2 - 1) / 10, rel=1e-6)


def test_beyond_the_measured_range_there_is_no_number() -> None:
    beyond = labels_worth(surface(), 10_000.0, 160.0, draws=20)
    assert beyond.value == np.inf
    assert beyond.text() == "> max [> max, > max]"
    assert beyond.share == 0.0
    assert simulations_worth(surface(), 9_990.0, 20.0, draws=20).text().startswith("> max")


def test_simulations_that_hurt_are_worth_less_than_nothing() -> None:
    found = labels_worth(surface(level=0.25), 1000.0, 100.0, draws=20)
    assert found.value == pytest.approx((1000**-0.2 * 100**-0.4 / 0.25) ** -2 - 100, rel=1e-6)
    assert found.value < 0
    assert labels_worth(surface(level=0.1), 100.0, 10.0, draws=20).text().startswith("< min")


def test_the_best_direct_learner_is_the_yardstick() -> None:
    plain = surface()
    both = replace(plain, direct={"weak": 3 * plain.direct["gbm"], **plain.direct})
    found = labels_worth(both, 1000.0, 20.0, draws=20)
    assert found.against == "gbm"
    assert found.value == labels_worth(plain, 1000.0, 20.0, draws=20).value


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    truth = {"labels": 1000**0.4 * 20**0.8 - 20, "simulations": 1000 * ((30 / 20) ** 2 - 1) / 10}
    covered = dict.fromkeys(truth, 0)
    for seed in range(30):
        noisy = surface(0.05, seed)
        found = {
            "labels": labels_worth(noisy, 1000.0, 20.0, draws=40, seed=seed),
            "simulations": simulations_worth(noisy, 1000.0, 20.0, measurements=10, draws=40, seed=seed),
        }
        for name, value in truth.items():
            covered[name] += found[name].lower90 <= value <= found[name].upper90
    assert all(21 <= count <= 30 for count in covered.values()), covered


def test_the_smoothed_surface_falls_along_both_axes_and_leaves_a_falling_one_alone() -> None:
    rng = np.random.default_rng(1)
    smooth = _monotone(rng.normal(size=(6, 5)))
    assert np.diff(smooth, axis=0).max() < 0.05  # a few sweeps of an iteration that converges
    assert np.diff(smooth, axis=1).max() < 1e-9
    falling = -np.add.outer(np.arange(6.0), np.arange(5.0))
    assert _monotone(falling) == pytest.approx(falling)


def test_points_and_tables_outside_the_measurement_are_refused() -> None:
    good = surface()
    with pytest.raises(InputError, match="outside") as caught:
        labels_worth(good, 50.0, 20.0)
    assert caught.value.field == "n"
    with pytest.raises(InputError, match="outside"):
        simulations_worth(good, 1000.0, 160.0)
    with pytest.raises(InputError, match="shape"):
        replace(good, errors=good.errors[:, :3])
    with pytest.raises(InputError, match="increasing"):
        replace(good, m=good.m[::-1])
    with pytest.raises(InputError, match="direct"):
        replace(good, direct={})
