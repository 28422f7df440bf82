"""The 90 % intervals cover: a small cut of ``benchmarks/law_coverage.py``, with room for the smaller number."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy import stats

CURVES = 24
NAME = "law_coverage"


@pytest.fixture(scope="module")
def study() -> ModuleType:
    path = Path(__file__).parents[2] / "benchmarks" / f"{NAME}.py"
    spec = importlib.util.spec_from_file_location(NAME, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = module
    spec.loader.exec_module(module)
    return module


def allowed(curves: int, low: float = 0.84, high: float = 0.96) -> tuple[int, int]:
    """Counts that a coverage between ``low`` and ``high`` gives in all but one study of a thousand."""
    return int(stats.binom.ppf(0.001, curves, low)), int(stats.binom.ppf(0.999, curves, high))


@pytest.mark.slow
def test_error_ahead_and_required_n_are_covered_in_every_cell_and_overall(study: ModuleType) -> None:
    totals: dict[str, list[int]] = {}
    for truth in study.cells():
        if truth.kind != "power":
            continue
        record = study.run_cell(truth, "standard", CURVES, seed=1)
        for name in ("E10", "n", "D", "alpha", "C"):
            covered = [found[name] == 0 for found in record["found"] if name in found]
            totals.setdefault(name, []).extend(covered)
            if name in ("E10", "n"):
                assert len(covered) >= CURVES - 2, truth
                assert sum(covered) >= allowed(len(covered))[0], (truth, name)
    for name, covered in totals.items():
        low, high = allowed(len(covered))
        assert low <= sum(covered) <= high, (name, sum(covered), len(covered))


@pytest.mark.slow
def test_flat_and_logarithmic_curves_are_rarely_called_laws(study: ModuleType) -> None:
    called = [
        found["status"] == "law"
        for truth in study.cells()
        if truth.kind != "power"
        for found in study.run_cell(truth, "standard", 2 * CURVES, seed=1)["found"]
    ]
    assert sum(called) <= stats.binom.ppf(0.999, len(called), 0.03)


def test_a_finished_cell_is_not_computed_again(study: ModuleType, tmp_path: Path, monkeypatch, capsys) -> None:
    out = tmp_path / "table.jsonl"
    monkeypatch.setattr(sys, "argv", [NAME, "--curves", "2", "--cell", "flat", "--out", str(out)])
    study.main()
    shown = capsys.readouterr().out
    monkeypatch.setattr(study, "run_cell", lambda *_: pytest.fail("computed again"))
    study.main()
    assert capsys.readouterr().out == shown


def test_generated_curves_have_the_truth_as_their_mean(study: ModuleType) -> None:
    truth = study.Truth("power", 0.3, 0.5, 1.5)
    for design in (study.DESIGNS["folds"], study.Design(skewed=True, noise=0.2)):
        rng = np.random.default_rng(0)
        means = np.mean([study.generated(truth, design, rng).errors.mean(axis=0) for _ in range(200)], axis=0)
        n = study.generated(truth, design, rng).n
        assert means == pytest.approx(truth.error(n / n[-1]), rel=0.02)
    assert truth.error(np.array([truth.size(0.8)]))[0] == pytest.approx(0.8)
