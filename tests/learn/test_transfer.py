"""Claims about pretraining, fine-tuning and prediction from files to rows, and about the verbs."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from polyomics.cli.learn import learn
from polyomics.errors import InputError
from polyomics.learn.data import keys_hash, merged, read_table
from polyomics.learn.descriptors import families, read_polymer
from polyomics.learn.finetune import finetune, load_tuned
from polyomics.learn.predict import predict
from polyomics.learn.pretrain import load_source, pretrain


@pytest.fixture(scope="module", autouse=True)
def remembered():
    """Compute each descriptor once for all tests here: they are about models."""
    known: dict[tuple[str, str], np.ndarray] = {}
    whole = dict(families.FAMILIES)

    def memory(family):
        def compute(polymer):
            place = (family.name, polymer.key)
            if place not in known:
                known[place] = family.compute(polymer)
            return known[place]

        return replace(family, compute=compute)

    families.FAMILIES.update({name: memory(family) for name, family in whole.items()})
    yield
    families.FAMILIES.update(whole)


@pytest.fixture(scope="module")
def strict(remembered, tables, tmp_path_factory):
    """A source model without the target's polymers, and a delta model tuned on it."""
    folder = tmp_path_factory.mktemp("models")
    card = pretrain(tables["source"], "density", folder / "source", exclude=str(tables["target"]), networks=1)
    tuned = finetune(folder / "source", tables["target"], "density", folder / "tuned", method="delta")
    return folder, card, tuned


def test_target_polymers_are_out_of_the_source_and_their_hash_is_on_the_card(strict, tables):
    folder, card, tuned = strict
    keys = [read_polymer(p).key for p in pd.read_csv(tables["target"]).psmiles]
    source = load_source(folder / "source")
    assert not set(source.identities) & set(keys)
    assert card["track"] == tuned["track"] == "strict"
    assert card["excluded"] == {"sha256": keys_hash(keys), "keys": 15, "rows_removed": 15}
    assert tuned["in_source"] == 0
    assert card["rows"] == 30


def test_a_source_that_still_holds_target_polymers_is_not_called_strict(tables, tmp_path):
    card = pretrain(tables["source"], "density", tmp_path / "s", networks=0)
    assert card["track"] == "open"
    tuned = finetune(tmp_path / "s", tables["target"], "density", tmp_path / "t", method="linear")
    assert tuned["track"] == "own"
    assert tuned["in_source"] == 15


def test_predictions_have_the_promised_keys_and_hold_the_truth(strict, tables):
    folder, _, tuned = strict
    rows = predict(folder / "tuned", tables["polymers"])
    assert list(rows[0])[:7] == ["psmiles", "key", "mean", "std", "lower90", "upper90", "in_domain"]
    truth = merged(read_table(tables["target"], "density")).value
    assert [row["key"] for row in rows] == list(read_table(tables["target"], "density").keys)
    inside = [row["lower90"] <= y <= row["upper90"] for row, y in zip(rows, truth, strict=True)]
    assert np.mean(inside) >= 0.8
    assert tuned["cross_validation"]["mae"] < 0.5 * np.abs(truth - truth.mean()).mean()


def test_prediction_is_the_same_from_disk_as_in_memory_and_for_every_run(strict, tables):
    folder, *_ = strict
    first = predict(folder / "tuned", tables["polymers"])
    assert predict(folder / "tuned", tables["polymers"]) == first
    assert load_tuned(folder / "tuned").card["method"] == "delta"


def test_the_same_seed_gives_the_same_model(tables, tmp_path):
    cards = [
        pretrain(tables["source"], "density", tmp_path / str(i), exclude=str(tables["target"]), seed=5, networks=1)
        for i in range(2)
    ]
    assert cards[0] == cards[1]
    a, b = (dict(np.load(tmp_path / str(i) / "arrays.npz")) for i in range(2))
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name])


def test_an_own_simulated_value_is_used_and_improves_a_poor_surrogate(tables, tmp_path):
    # The simulations hold something the descriptors do not: a hidden offset per polymer that measurements share.
    rng = np.random.default_rng(3)
    source, target = pd.read_csv(tables["source"]), pd.read_csv(tables["target"])
    hidden = dict(zip(source.psmiles, rng.normal(0, 0.3, len(source)), strict=True))
    source["density"] += source.psmiles.map(hidden)
    target["value"] += 1.1 * target.psmiles.map(hidden)
    source[["psmiles", "density"]].to_csv(tmp_path / "s.csv", index=False)
    target.iloc[:12].to_csv(tmp_path / "t.csv", index=False)
    target.iloc[12:][["psmiles"]].to_csv(tmp_path / "p.csv", index=False)
    pretrain(tmp_path / "s.csv", "density", tmp_path / "m", exclude=str(tables["target"]), networks=0)
    finetune(
        tmp_path / "m", tmp_path / "t.csv", "density", tmp_path / "t", method="delta", simulated=tmp_path / "s.csv"
    )
    truth = target.value.to_numpy()[12:]
    blind = predict(tmp_path / "t", tmp_path / "p.csv")
    seeing = predict(tmp_path / "t", tmp_path / "p.csv", tmp_path / "s.csv")
    errors = [np.abs([r["mean"] for r in rows] - truth).mean() for rows in (blind, seeing)]
    assert errors[1] < 0.35 * errors[0]
    assert all(row["simulated"] is not None for row in seeing)
    assert all(row["simulated"] is None for row in blind)


def test_polymers_unlike_the_source_are_out_of_domain_and_say_why(strict, tmp_path):
    folder, *_ = strict
    path = tmp_path / "odd.csv"
    pd.DataFrame({"psmiles": ["*[Si](C)(C)O*", "*CC(CC)*", "*C#Cc1ccc(N(*)c2ccccc2)cc1"]}).to_csv(path, index=False)
    silicone, plain, other = predict(folder / "tuned", path)
    assert not silicone["in_domain"]
    assert "silicon" in silicone["note"]
    assert plain["in_domain"]
    assert not other["in_domain"]
    assert np.isfinite(silicone["mean"])


@pytest.mark.parametrize("method", ["auto", "finetune", "gp"])
def test_every_method_makes_a_model_that_predicts(strict, tables, tmp_path, method):
    folder, *_ = strict
    card = finetune(folder / "source", tables["target"], "density", tmp_path / method, method=method)
    rows = predict(tmp_path / method, tables["polymers"])
    assert all(row["lower90"] < row["upper90"] for row in rows)
    if method == "auto":
        errors = card["cross_validation"]["mae_by_method"]
        assert set(errors) == {"delta", "finetune", "linear", "gbm", "gp", "direct"}
        assert errors[card["method"]] <= 1.5 * min(errors.values())
    else:
        assert card["method"] == method


def test_several_properties_train_one_network(tables, tmp_path):
    frame = pd.read_csv(tables["source"])
    frame["other"] = np.where(frame.index % 2, 2.0 * frame.density, np.nan)
    frame.to_csv(tmp_path / "two.csv", index=False)
    card = pretrain(tmp_path / "two.csv", "density,other", tmp_path / "m", networks=1)
    assert card["properties"] == ["density", "other"]
    assert len(load_source(tmp_path / "m").networks[0].centre) == 2


def test_crystals_and_pairs_with_temperature_go_the_same_way(tmp_path):
    rng = np.random.default_rng(0)
    metals, anions = ["Li", "Na", "K", "Mg", "Ca", "Zn", "Cd", "Al", "Ga", "In"], ["O", "S", "Se", "F", "Cl"]
    names = [f"{m}{a}{k or ''}" for m in metals for a in anions for k in (0, 2)]
    gap = np.array([len(n) + "OSSeFCl".find(n[-1]) for n in names]) + 0.1 * rng.standard_normal(len(names))
    frame = pd.DataFrame({"formula": names, "gap_eV": gap})
    frame.to_csv(tmp_path / "dft.csv", index=False)
    frame.iloc[::5].assign(gap_eV=lambda f: f.gap_eV * 1.2).to_csv(tmp_path / "exp.csv", index=False)
    pretrain(tmp_path / "dft.csv", "gap", tmp_path / "m", exclude=str(tmp_path / "exp.csv"), networks=0)
    finetune(tmp_path / "m", tmp_path / "exp.csv", "gap", tmp_path / "t", method="delta")
    assert list(predict(tmp_path / "t", tmp_path / "exp.csv")[0])[:3] == ["formula", "mean", "std"]

    polymers, solvents = ["*CC*", "*CC(*)C", "*CCO*", "*CC(*)Cl"], ["CCO", "c1ccccc1", "CCCCCC", "O"]
    chi = pd.DataFrame(
        [
            (p, s, t, i + j + 100 / (t + 273.15))
            for i, p in enumerate(polymers)
            for j, s in enumerate(solvents)
            for t in (25.0, 80.0)
        ],
        columns=["psmiles", "solvent", "T_C", "chi"],
    )
    chi.to_csv(tmp_path / "chi.csv", index=False)
    card = pretrain(tmp_path / "chi.csv", "chi", tmp_path / "p", inputs="psmiles,solvent,T_K=T_C,value=chi", networks=0)
    assert card["inputs"] == ["psmiles", "solvent", "T_K"]
    finetune(tmp_path / "p", tmp_path / "chi.csv", "chi", tmp_path / "pt", method="linear")
    row = predict(tmp_path / "pt", tmp_path / "chi.csv")[1]
    assert (row["solvent"], row["T_K"]) == ("CCO", pytest.approx(353.15))


def test_a_table_that_does_not_fit_the_model_is_refused(strict, tmp_path):
    folder, *_ = strict
    path = tmp_path / "pairs.csv"
    pd.DataFrame({"psmiles": ["*CC*"], "solvent": ["CCO"]}).to_csv(path, index=False)
    with pytest.raises(InputError, match="'solvent' is not declared"):
        predict(folder / "tuned", path)
    with pytest.raises(InputError, match="not a model"):
        predict(tmp_path, path)
    with pytest.raises(InputError, match="kind 'source'"):
        predict(folder / "source", path)


def test_the_verbs_go_from_files_to_csv(tables, tmp_path):
    run = CliRunner().invoke
    paths = {name: str(path) for name, path in tables.items()}
    out = run(
        learn,
        ["pretrain", "--source", paths["source"], "--property", "density", "--out", str(tmp_path / "m"), "--exclude",
         f"{paths['target']}:psmiles"],
    )  # fmt: skip
    assert out.exit_code == 0, out.output
    assert json.loads(out.stdout)["excluded"]["keys"] == 15
    out = run(
        learn,
        ["finetune", "--model", str(tmp_path / "m"), "--target", paths["target"], "--property", "density", "--out",
         str(tmp_path / "t"), "--method", "delta"],
    )  # fmt: skip
    assert out.exit_code == 0, out.output
    assert json.loads(out.stdout)["cross_validation"]["mae"] > 0
    out = run(learn, ["predict", "--model", str(tmp_path / "t"), paths["polymers"], "--format", "csv"])
    rows = list(csv.DictReader(io.StringIO(out.stdout)))
    assert len(rows) == 15
    assert list(rows[0])[:7] == ["psmiles", "key", "mean", "std", "lower90", "upper90", "in_domain"]


def test_strict_transfer_beats_the_reference_on_open_data(shared):
    """Density with 20 labels, 12 draws: below the reference's 0.037 and direct learning; intervals as promised."""
    from polyomics.learn.data import exclusion, without
    from polyomics.learn.models import Labels, fit_scaler, fit_surrogate, inputs_of, metric_of
    from polyomics.learn.models import learn as learner
    from polyomics.learn.models.learners import Rows

    target_file = shared / "data/target_density_exp_rhnet.csv"
    target = read_table(target_file, "density")
    organic = np.array([not {"Si", "Ge"} & read_polymer(name).elements for name in target.names])
    target = merged(target.take(organic))
    source = merged(
        without(read_table(shared / "data/source_md_radonpy_pi1070.csv", "density"), exclusion(str(target_file)))
    )
    source = source.take(np.arange(0, len(source), 3))  # a third: the claim holds with it, and descriptors cost time
    described = inputs_of(source)
    scaler = fit_scaler(described)
    blocks = scaler(described)
    surrogate = fit_surrogate(blocks, source.value, seed=0)
    assert surrogate.error < 0.25 * source.value.std()
    test_blocks = scaler(inputs_of(target))
    rows, metric = Rows(test_blocks, surrogate.predict(test_blocks)), metric_of(blocks)
    errors: dict[str, list[float]] = {"delta": [], "direct": []}
    inside, widths = [], []
    for draw in range(12):
        order = np.random.default_rng(draw).permutation(len(target))
        train, test = order[:20], order[20:]
        for method, found in errors.items():
            outcome = learner(method, rows.take(train), Labels(target.value[train]), rows.take(test), metric)
            found.append(float(np.abs(outcome.mean - target.value[test]).mean()))
            if method == "delta":
                lower, upper = outcome.interval(target.value[train])
                inside.append(np.mean((lower <= target.value[test]) & (target.value[test] <= upper)))
                widths.append(np.mean(upper - lower))
    assert np.mean(errors["delta"]) < 0.037
    assert np.mean(errors["delta"]) < 0.9 * np.mean(errors["direct"])
    assert 0.82 <= np.mean(inside) <= 0.97
    assert np.mean(widths) < 0.6 * np.ptp(np.quantile(target.value, [0.05, 0.95]))
