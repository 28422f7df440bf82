"""Claims about models: closed forms against brute force, coverage of intervals, networks, trees, domains."""

from __future__ import annotations

import numpy as np
import pytest

from polyomics.errors import InputError
from polyomics.learn.models import (
    METHODS,
    RECIPES,
    Boosted,
    Inputs,
    Labels,
    Recipe,
    Rows,
    choose,
    finetune_network,
    fit_domain,
    fit_gp,
    fit_scaler,
    fit_surrogate,
    learn,
    metric_of,
    plus_interval,
    pretrain_network,
)
from polyomics.learn.models.average import FLAT, averaged
from polyomics.learn.models.features import scaler_from
from polyomics.learn.models.gp import Hyper, gp_arrays, gp_from
from polyomics.learn.models.nets import network_arrays, network_from, pyramid
from polyomics.learn.models.surrogate import surrogate_from


def sample(n, seed=0, p=4):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, p))
    source = np.sin(x[:, 0]) + x[:, 1]
    y = 2.0 + 0.8 * source + 0.2 * x[:, 2] + 0.05 * rng.standard_normal(n)
    return Rows({"unit": x}, source), y


def test_left_out_predictions_of_the_process_are_those_of_refitting():
    rows, y = sample(25)
    hyper = Hyper((1.5,), 0.5, 0.05)
    whole = fit_gp(rows.blocks, y, hyper=hyper)
    mean, deviation = whole.left_out()
    for i in (0, 7, 24):
        keep = np.delete(np.arange(25), i)
        k = whole.hyper.covariance(whole.metric.between(rows.blocks, rows.blocks))
        z = (y - whole.centre) / whole.spread
        inner = k[np.ix_(keep, keep)] + hyper.noise * np.eye(24)
        expected = k[i, keep] @ np.linalg.solve(inner, z[keep])
        variance = k[i, i] - k[i, keep] @ np.linalg.solve(inner, k[i, keep])
        assert mean[i] == pytest.approx(whole.centre + whole.spread * expected, abs=1e-8)
        assert deviation[i] == pytest.approx(whole.spread * np.sqrt(variance), abs=1e-6)


def test_the_average_leaves_out_labels_as_refitting_does():
    rng = np.random.default_rng(1)
    x, t = rng.standard_normal((12, 2)), rng.standard_normal((3, 2))
    y = rng.standard_normal(12)
    k, cross = x @ x.T, x @ t.T
    found = averaged([(k, cross, np.sum(t**2, axis=1))], y)
    for i in (0, 5):
        keep = np.delete(np.arange(12), i)
        inner = k[np.ix_(keep, keep)] + FLAT + np.eye(11)
        weights = np.linalg.solve(inner, y[keep] - y.mean())
        assert found.left_out[i] == pytest.approx(y.mean() + (k[i, keep] + FLAT) @ weights)
        np.testing.assert_allclose(found.jackknife[i], y.mean() + (cross[keep].T + FLAT) @ weights)


def test_evidence_prefers_the_kernel_that_made_the_data():
    rng = np.random.default_rng(2)
    x = rng.standard_normal((40, 1))
    y = 3.0 * x[:, 0] + 0.1 * rng.standard_normal(40)
    linear, nothing = 100.0 * x @ x.T, np.zeros((40, 40))
    empty = np.zeros((40, 0))
    found = averaged([(linear, empty, np.zeros(0)), (nothing, empty, np.zeros(0))], y)
    assert found.weights[0] > 0.999


def test_jackknife_plus_is_the_order_statistic_of_its_definition():
    predictions = np.arange(20.0)[:, None] * 0.0 + 1.0
    residuals = np.arange(1.0, 21.0)
    lower, upper = plus_interval(predictions, residuals)
    assert upper[0] == 1.0 + 19.0
    assert lower[0] == 1.0 - 19.0


@pytest.mark.parametrize("method", ["delta", "direct", "linear"])
@pytest.mark.parametrize("m", [12, 25])
def test_intervals_cover_nine_in_ten_at_small_m(method, m):
    inside = []
    for seed in range(40):
        rows, y = sample(m + 40, seed)
        train, test = np.arange(m), np.arange(m, m + 40)
        outcome = learn(method, rows.take(train), Labels(y[train]), rows.take(test), metric_of(rows.blocks))
        lower, upper = outcome.interval(y[train])
        inside.append(np.mean((y[test] >= lower) & (y[test] <= upper)))
        assert np.mean(upper - lower) < np.ptp(y)
    assert 0.84 <= np.mean(inside) <= 0.97


def test_cross_validated_intervals_of_trees_cover():
    inside = []
    for seed in range(2):
        rows, y = sample(90, seed)
        outcome = learn(
            "gbm", rows.take(np.arange(40)), Labels(y[:40]), rows.take(np.arange(40, 90)), metric_of(rows.blocks)
        )
        lower, upper = outcome.interval(y[:40])
        inside.append(np.mean((y[40:] >= lower) & (y[40:] <= upper)))
    assert 0.84 <= np.mean(inside) <= 1.0


def test_the_source_helps_when_it_is_true_and_not_when_it_is_noise():
    errors = {name: [] for name in ("true", "noise", "direct")}
    for seed in range(30):
        rows, y = sample(80, seed)
        spoilt = Rows(rows.blocks, np.random.default_rng(100 + seed).standard_normal(80))
        train, test = np.arange(15), np.arange(15, 80)
        for name, given, method in (("true", rows, "delta"), ("noise", spoilt, "delta"), ("direct", rows, "direct")):
            out = learn(method, given.take(train), Labels(y[train]), given.take(test), metric_of(rows.blocks))
            errors[name].append(np.abs(out.mean - y[test]).mean())
    mean = {name: np.mean(e) for name, e in errors.items()}
    assert mean["true"] < 0.7 * mean["direct"]
    assert mean["noise"] > 0.97 * mean["direct"]


def test_labels_with_large_errors_count_less():
    rows, y = sample(30)
    wrong = y.copy()
    wrong[0] += 5.0
    noise = np.ones(30)
    noise[0] = 1e4
    train = np.arange(30)
    metric = metric_of(rows.blocks)
    plain = learn("delta", rows, Labels(wrong), rows.take(train), metric).mean
    weighted = learn("delta", rows, Labels(wrong, noise), rows.take(train), metric).mean
    assert np.abs(weighted - y)[1:].mean() < 0.5 * np.abs(plain - y)[1:].mean()


def test_automatic_choice_follows_the_labels():
    rows, y = sample(40)
    best, errors = choose(("delta", "linear", "direct"), rows, Labels(y), metric_of(rows.blocks), seed=0)
    assert best == "delta"
    assert errors["delta"] < errors["direct"]
    noise = Rows(rows.blocks, np.random.default_rng(0).standard_normal(40))
    best, errors = choose(("linear", "direct"), noise, Labels(y), metric_of(rows.blocks), seed=0)
    assert best == "direct"


def test_many_labels_are_learnt_with_one_member():
    rows, y = sample(270)
    out = learn(
        "delta", rows.take(np.arange(250)), Labels(y[:250]), rows.take(np.arange(250, 270)), metric_of(rows.blocks)
    )
    assert np.abs(out.mean - y[250:]).mean() < 0.06


def test_unknown_methods_and_too_few_labels_are_refused():
    rows, y = sample(10)
    metric = metric_of(rows.blocks)
    with pytest.raises(InputError, match="no method"):
        learn("magic", rows, Labels(y), rows, metric)
    with pytest.raises(InputError, match="2 labels"):
        learn("delta", rows.take(np.arange(2)), Labels(y[:2]), rows, metric)
    with pytest.raises(InputError, match="no network"):
        learn("finetune", rows, Labels(y), rows, metric)
    assert set(METHODS) == {"delta", "finetune", "linear", "gbm", "gp", "direct"}


def test_recipes_are_those_published():
    tutorial = RECIPES["ecfp-mlp"]
    assert tutorial.widths == (1024, 512, 256)
    assert (tutorial.dropout, tutorial.decay, tutorial.batch) == (0.05, 1e-4, 256)
    assert (tutorial.rate, tutorial.tuned_rate, tutorial.epochs, tutorial.tuned_epochs) == (1e-3, 3e-4, 20, 60)
    assert pyramid(190, 1, 3) == RECIPES["ffkm-pyramid"].widths == (143, 96, 48)


def test_networks_learn_transfer_and_are_the_same_for_the_same_seed():
    rows, y = sample(200)
    recipe = Recipe((24, 12), rate=1e-2, tuned_rate=3e-3, batch=32, epochs=40, tuned_epochs=40)
    net = pretrain_network(rows.blocks["unit"][:180], rows.source[:180, None], recipe, seed=1)
    test = rows.blocks["unit"][180:]
    assert np.abs(net.predict(test)[:, 0] - rows.source[180:]).mean() < 0.25
    tuned = finetune_network(net, rows.blocks["unit"][:20], y[:20], seed=1)
    scratch = pretrain_network(rows.blocks["unit"][:20], y[:20, None], recipe, seed=1)
    assert np.abs(tuned.predict(test)[:, 0] - y[180:]).mean() < np.abs(scratch.predict(test)[:, 0] - y[180:]).mean()
    again = pretrain_network(rows.blocks["unit"][:180], rows.source[:180, None], recipe, seed=1)
    np.testing.assert_array_equal(net.predict(test), again.predict(test))
    np.testing.assert_array_equal(network_from(network_arrays(net), recipe).predict(test), net.predict(test))


def test_multitask_training_lets_rows_lack_properties():
    rows, _ = sample(150)
    labels = np.stack([rows.source, 3.0 - rows.source], axis=1)
    labels[::2, 1] = np.nan
    recipe = Recipe((24, 12), rate=1e-2, batch=32, epochs=40)
    net = pretrain_network(rows.blocks["unit"], labels, recipe, seed=0)
    predicted = net.predict(rows.blocks["unit"])
    assert predicted.shape == (150, 2)
    assert np.abs(predicted[::2, 1] - (3.0 - rows.source[::2])).mean() < 0.3
    tuned = finetune_network(net, rows.blocks["unit"][:10], rows.source[:10], seed=0, task=1)
    assert tuned.predict(rows.blocks["unit"]).shape == (150, 1)


def test_trees_are_the_same_for_the_same_seed():
    rows, y = sample(120)
    x = rows.dense()
    np.testing.assert_array_equal(Boosted(x, y, 3).predict(x), Boosted(x, y, 3).predict(x))
    assert np.abs(Boosted(x[:100], y[:100]).predict(x[100:]) - y[100:]).mean() < np.abs(y[100:] - y.mean()).mean()


def test_a_large_source_gets_trees_with_left_out_values(monkeypatch):
    from polyomics.learn.models import surrogate

    monkeypatch.setattr(surrogate, "LARGEST_GP", 50)
    rows, _ = sample(120)
    found = fit_surrogate(rows.blocks, rows.source, seed=0)
    assert found.kind == "boosted"
    assert np.isfinite(found.left_out).all()
    assert found.error > np.sqrt(np.mean((found.predict(rows.blocks) - rows.source) ** 2))
    np.testing.assert_array_equal(surrogate_from(found.arrays()).left_out, found.left_out)


def test_processes_and_scalers_are_read_back_as_they_were():
    rows, y = sample(30)
    gp = fit_gp(rows.blocks, y)
    again = gp_from(gp_arrays(gp))
    np.testing.assert_allclose(gp.predict(rows.blocks)[0], again.predict(rows.blocks)[0], atol=1e-8)
    raw = Inputs({"unit": np.abs(rows.blocks["unit"]), "morgan": np.abs(rows.blocks["unit"])}, ("",) * 30)
    scaler = fit_scaler(raw)
    for name, block in scaler(raw).items():
        np.testing.assert_array_equal(block, scaler_from(scaler.arrays())(raw)[name])


def test_the_domain_ends_where_the_data_end_and_foreign_columns_are_strange():
    rows, _ = sample(200)
    domain = fit_domain(rows.blocks)
    assert domain.inside(rows.blocks).mean() > 0.98
    far = {"unit": rows.blocks["unit"][:5] + 20.0}
    assert not domain.inside(far).any()
    block = np.column_stack([np.random.default_rng(0).random(20), np.zeros(20)])
    scaler = fit_scaler(Inputs({"unit": block}, ("",) * 20))
    odd = block.copy()
    odd[3, 1] = 0.25
    strange = scaler.strange(Inputs({"unit": odd}, ("",) * 20))
    assert strange.tolist() == [i == 3 for i in range(20)]
