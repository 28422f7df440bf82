"""The law on curves whose truth is known: parameters, refusals, correlation, and the form of the report."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize

from polyomics.errors import InputError
from polyomics.learn.curves import Curve
from polyomics.learn.law import LawReport, Model, Status, law_of, plot_law, report_to_json
from polyomics.learn.law.covariance import mean_curve
from polyomics.learn.law.family import Whitened, sections
from polyomics.learn.law.profile import Posterior

SIZES = np.geomspace(32, 32_000, 8)


def curve_with(
    truth: np.ndarray,
    *,
    noise: float = 0.05,
    folds: int = 1,
    orderings: int = 20,
    fold_effect: float = 0.0,
    seed: int = 1,
) -> Curve:
    """Errors with a part common to all n and an independent one, and a fold effect."""
    rng = np.random.default_rng(seed)
    shape = (folds, orderings, truth.size)
    scatter = noise * (np.sqrt(0.5) * rng.normal(size=(*shape[:2], 1)) + np.sqrt(0.5) * rng.normal(size=shape))
    scatter = scatter + fold_effect * rng.normal(size=(folds, 1, 1))
    errors = (truth * (1 + scatter)).reshape(-1, truth.size)
    fold, ordering = np.divmod(np.arange(folds * orderings), orderings)
    return Curve(SIZES[: truth.size], tuple(map(str, fold)), tuple(map(str, ordering)), errors)


def power(alpha: float, floor: float) -> np.ndarray:
    return (1 - floor) * (SIZES / SIZES[-1]) ** -alpha + floor


def test_a_law_is_found_with_its_parameters() -> None:
    report = law_of(curve_with(power(0.4, 0.3)))
    assert report.status is Status.LAW
    assert report.model is Model.POWER_FLOOR
    for estimate, truth in ((report.alpha, 0.4), (report.floor, 0.3), (report.prefactor, 0.7 * SIZES[-1] ** 0.4)):
        assert estimate.lower90 <= truth <= estimate.upper90
        assert estimate.lower90 <= estimate.value <= estimate.upper90


def test_without_a_floor_the_simple_power_law_is_chosen() -> None:
    report = law_of(curve_with(power(0.4, 0.0), noise=0.03))
    assert (report.status, report.model) == (Status.LAW, Model.POWER)
    assert report.floor.value == 0.0
    assert report.floor.lower90 == 0.0
    assert report.floor.upper90 > 0.0
    assert "the floor C cannot be told from 0" in report.reasons


@pytest.mark.parametrize("seed", range(3))
def test_a_flat_curve_is_no_law(seed: int) -> None:
    report = law_of(curve_with(np.ones(8), seed=seed))
    assert (report.status, report.model) == (Status.NO_LAW, Model.CONSTANT)
    assert "does not fall" in report.reasons[0]
    assert report.alpha.value is report.alpha.upper90 is None


def test_a_rising_curve_is_no_law_and_promises_no_gain() -> None:
    report = law_of(curve_with(1 + 0.1 * np.log(SIZES / SIZES[0])))
    assert report.status is Status.NO_LAW
    assert "rises" in report.reasons[0]
    assert report.required[0].n.value is None


def test_a_logarithm_is_not_reported_as_a_law() -> None:
    for seed in range(5):
        report = law_of(curve_with(1.2 - 0.1 * np.log(SIZES / SIZES[-1]), seed=seed))
        assert report.status is not Status.LAW
        assert any("logarithm" in reason for reason in report.reasons)
        assert report.alpha.value is None


def test_a_steep_curve_with_strong_fold_effects_is_not_taken_to_rise() -> None:
    for seed in range(4):
        steep = (SIZES / SIZES[-1]) ** -0.6
        report = law_of(curve_with(steep, noise=0.03, folds=5, orderings=4, fold_effect=0.1, seed=seed))
        assert report.status is Status.LAW, report.reasons


def test_a_curve_with_a_bump_fits_no_law() -> None:
    truth = power(0.4, 0.3)
    truth[4:6] *= 1.6
    report = law_of(curve_with(truth, noise=0.03))
    assert report.status is Status.NO_LAW
    assert "fits" in report.reasons[0]


def test_a_largest_octave_that_leaves_the_law_is_noticed_when_held_out() -> None:
    truth = power(0.4, 0.3)
    truth[-1] *= 0.7
    report = law_of(curve_with(truth, noise=0.03))
    assert report.status is Status.NO_LAW
    assert any("without the largest octave" in reason for reason in report.reasons)
    assert report.held_out.lower90 > report.held_out.seen


def test_the_held_out_octave_of_a_law_is_predicted() -> None:
    held = law_of(curve_with(power(0.4, 0.3))).held_out
    assert held.lower90 <= 1.0 <= held.upper90
    assert held.p > 0.01


def test_required_n_is_the_inverse_of_the_prediction_and_infinite_below_the_floor() -> None:
    curve = curve_with(power(0.4, 0.3))
    report = law_of(curve)
    ahead = report.predicted[-1]
    again = law_of(curve, targets=[ahead.error.value, 0.1])
    assert again.required[0].n.value == pytest.approx(ahead.n, rel=1e-6)
    assert again.required[0].n.lower90 < ahead.n < again.required[0].n.upper90
    assert again.required[1].n.value == np.inf
    assert json.loads(report_to_json(again))["required_n"]["targets"][1]["value"] == "inf"


def test_intervals_ignore_the_unit_of_error_and_of_n() -> None:
    curve = curve_with(power(0.3, 0.5))
    plain, scaled = law_of(curve), law_of(replace(curve, n=curve.n * 10, errors=curve.errors * 1e-6))
    assert scaled.alpha.lower90 == pytest.approx(plain.alpha.lower90, rel=0.02)
    assert scaled.floor.upper90 == pytest.approx(plain.floor.upper90 * 1e-6, rel=0.02)
    assert scaled.prefactor.value == pytest.approx(plain.prefactor.value * 1e-6 * 10**plain.alpha.value, rel=0.02)


def test_the_interval_is_the_profile_likelihood_of_a_numerical_optimiser() -> None:
    white = Whitened.of(mean_curve(curve_with(power(0.4, 0.3), noise=0.1)))
    posterior = Posterior.of(white, 2.7)
    low, high = posterior.interval(lambda region: region.error_at(10 * white.n_max), 2.7)

    def misfit(p: np.ndarray) -> float:
        rest = white.y - white.root @ (np.exp(p[0] - np.exp(p[1]) * white.x) + np.exp(p[2]))
        return float(rest @ rest)

    def ahead(p: np.ndarray) -> float:
        return float(np.exp(p[0] - np.exp(p[1]) * np.log(10)) + np.exp(p[2]))

    start = np.log([0.7, 0.4, 0.3])
    best = minimize(misfit, start, method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-8, "maxiter": 4000})
    assert posterior.deviance.min() == pytest.approx(best.fun, abs=0.02)
    within = {"type": "ineq", "fun": lambda p: best.fun + 2.7 - misfit(p)}
    for sign, found in ((1, low), (-1, high)):
        end = minimize(
            lambda p, s=sign: s * ahead(p), best.x, constraints=within, method="SLSQP", options={"maxiter": 500}
        )
        assert found == pytest.approx(ahead(end.x), abs=0.03 * (high - low))


def test_a_nearly_exact_curve_gives_its_parameters_sharply() -> None:
    report = law_of(curve_with(power(0.4, 0.3), noise=1e-5))
    assert report.alpha.value == pytest.approx(0.4, abs=1e-3)
    assert report.alpha.upper90 - report.alpha.lower90 < 1e-3
    assert report.floor.value == pytest.approx(0.3, abs=1e-3)


def test_common_scatter_moves_the_level_but_not_the_exponent() -> None:
    calm = curve_with(power(0.4, 0.0), noise=0.03)
    level = np.random.default_rng(5).normal(1, 0.2, size=(20, 1))
    wild = replace(calm, errors=calm.errors * level / level.mean())
    widths = [r.alpha.upper90 - r.alpha.lower90 for r in (law_of(calm), law_of(wild))]
    assert widths[1] < 1.5 * widths[0]
    ends = [r.predicted[0].error for r in (law_of(calm), law_of(wild))]
    assert ends[1].upper90 - ends[1].lower90 > 3 * (ends[0].upper90 - ends[0].lower90)


def test_a_fold_effect_widens_the_mean_beyond_the_number_of_cells() -> None:
    plain = mean_curve(curve_with(power(0.4, 0.3), folds=5, orderings=20))
    folds = mean_curve(curve_with(power(0.4, 0.3), folds=5, orderings=20, fold_effect=0.1))
    relative = np.sqrt(np.diag(folds.covariance)) / folds.value
    assert 0.02 < relative.mean() < 0.12
    assert np.sqrt(np.diag(plain.covariance)).mean() < 0.5 * np.sqrt(np.diag(folds.covariance)).mean()
    assert folds.freedom < 8


def test_the_covariance_is_that_of_the_mean_over_many_studies() -> None:
    means, covariances = [], []
    for seed in range(150):
        mean = mean_curve(curve_with(power(0.4, 0.3), folds=4, orderings=6, fold_effect=0.03, seed=seed))
        means.append(mean.value)
        covariances.append(mean.covariance)
    for contrast in (np.ones(8) / 8, np.linspace(-1, 1, 8) / 8):
        contrast = contrast / power(0.4, 0.3)
        seen = np.var(np.array(means) @ contrast, ddof=1)
        claimed = contrast @ np.mean(covariances, axis=0) @ contrast
        assert claimed == pytest.approx(seen, rel=0.4)


def test_sizes_that_share_their_data_weigh_less() -> None:
    curve = curve_with(power(0.4, 0.3))
    plain, shared = mean_curve(curve), mean_curve(replace(curve, source_size=float(SIZES[-1])))
    ratio = np.diag(shared.covariance) / np.diag(plain.covariance)
    assert ratio[:-1] == pytest.approx(np.ones(7))
    assert ratio[-1] == pytest.approx(10.0)


def test_root_and_absolute_errors_have_laws_of_their_own() -> None:
    curve = curve_with(power(0.4, 0.3))
    root = law_of(replace(curve, errors=np.sqrt(curve.errors), metric="rmse"))
    squared = law_of(curve)
    assert root.metric == "rmse"
    assert root.predicted[0].error.value == pytest.approx(np.sqrt(squared.predicted[0].error.value), rel=0.02)
    assert law_of(replace(curve, metric="mae")).metric == "mae"


def test_more_replicates_narrow_the_interval() -> None:
    few, many = (law_of(curve_with(power(0.4, 0.3), orderings=r)).predicted[-1].error for r in (5, 80))
    assert many.upper90 - many.lower90 < 0.5 * (few.upper90 - few.lower90)


def test_the_order_of_replicates_does_not_matter() -> None:
    curve = curve_with(power(0.4, 0.3), folds=4, orderings=5)
    turn = np.random.default_rng(0).permutation(20)
    turned = replace(
        curve,
        folds=tuple(curve.folds[i] for i in turn),
        orderings=tuple(curve.orderings[i] for i in turn),
        errors=curve.errors[turn],
    )
    assert law_of(turned).alpha.upper90 == pytest.approx(law_of(curve).alpha.upper90, rel=1e-3)


def first(curve: Curve, *, sizes: int = 8, replicates: int = 20) -> Curve:
    return replace(
        curve,
        n=curve.n[:sizes],
        errors=curve.errors[:replicates, :sizes],
        folds=curve.folds[:replicates],
        orderings=curve.orderings[:replicates],
    )


@pytest.mark.parametrize(
    ("sizes", "replicates", "word"),
    [(4, 20, "source sizes"), (8, 1, "1 replicate"), (8, 2, "2 replicate"), (1, 1, "sizes")],
)
def test_too_little_data_is_not_identifiable_and_says_what_is_missing(sizes: int, replicates: int, word: str) -> None:
    report = law_of(first(curve_with(power(0.4, 0.3)), sizes=sizes, replicates=replicates))
    assert report.status is Status.NOT_IDENTIFIABLE
    assert any(word in reason for reason in report.reasons)
    assert report.alpha.value is None
    json.loads(report_to_json(report))


def test_identical_replicates_and_a_narrow_range_are_not_identifiable() -> None:
    curve = curve_with(power(0.4, 0.3))
    same = replace(curve, errors=np.broadcast_to(power(0.4, 0.3), curve.errors.shape).copy())
    narrow = replace(curve, n=np.linspace(100, 300, 8))
    for given, word in ((same, "identical"), (narrow, "spans")):
        report = law_of(given)
        assert report.status is Status.NOT_IDENTIFIABLE
        assert any(word in reason for reason in report.reasons)


def test_a_size_or_target_that_is_not_positive_is_refused() -> None:
    curve = curve_with(power(0.4, 0.3))
    with pytest.raises(InputError, match="target"):
        law_of(curve, targets=[-1.0])
    with pytest.raises(InputError, match="at"):
        law_of(curve, at=[float("nan")])


def test_the_json_has_the_promised_keys() -> None:
    found = json.loads(report_to_json(law_of(curve_with(power(0.4, 0.3)))))
    assert list(found) == ["status", "model", "metric", "D", "alpha", "C", "predicted", "required_n", "reasons"]
    assert found["status"] == "law"
    for name in ("D", "alpha", "C"):
        assert list(found[name]) == ["value", "lower90", "upper90"]
    assert [list(item) for item in found["predicted"]] == [["n", "value", "lower90", "upper90"]] * 4
    assert found["predicted"][-1]["n"] == pytest.approx(10 * SIZES[-1])
    assert list(found["required_n"]) == ["target", "value", "lower90", "upper90"]


@pytest.mark.parametrize("truth", [power(0.4, 0.3), np.ones(8), 1.2 - 0.1 * np.log(SIZES / SIZES[-1])])
def test_the_picture_shows_the_band_only_around_what_is_predicted(truth: np.ndarray, tmp_path) -> None:
    from matplotlib.figure import Figure

    curve = curve_with(truth)
    report: LawReport = law_of(curve)
    axes = Figure().subplots()
    plot_law(curve, report, axes)
    assert axes.get_xscale() == axes.get_yscale() == "log"
    assert axes.collections
    assert ("alpha" in axes.get_title()) == (report.status is Status.LAW)
    plot_law(curve, report, tmp_path / "law.png")
    assert (tmp_path / "law.png").stat().st_size > 10_000


def test_sections_solve_the_bounded_least_squares_of_scipy() -> None:
    from scipy.optimize import nnls

    white = Whitened.of(mean_curve(curve_with(power(0.1, 0.0), noise=0.2)))
    parts = sections(white, 4.0)
    for at in range(0, parts.alpha.size, 16):
        columns = np.stack([white.decay(parts.alpha[at : at + 1])[0], white.one], axis=1)
        found, rest = nnls(columns, white.y)
        assert (parts.excess[at], parts.floor[at]) == pytest.approx(tuple(found), abs=1e-6)
        assert parts.misfit[at] == pytest.approx(rest**2, rel=1e-6)
