"""The stage graph over real stages: what is computed once, what a later addition computes, what a rerun does."""

from __future__ import annotations

import dataclasses
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tiny_campaign import ONE_REFUSED, polyomics

from polyomics.campaign.local import labels_of
from polyomics.campaign.run import prepare, store_address
from polyomics.pipeline.execute import Context, Implementation, Output, Settings
from polyomics.pipeline.plan import Run, StagePlan, Task
from polyomics.pipeline.work import DEFAULT_RECIPE, Branch, Recipe, run_task
from polyomics.properties.catalogue import Estimator
from polyomics.properties.records import Estimate
from polyomics.store.address import open_store
from polyomics.store.markers import MarkerStore


def first_run(file: Path) -> tuple[Run, MarkerStore, dict[str, str]]:
    plan = prepare(file)
    subject, run = next(plan.runs())
    return run, MarkerStore(open_store(store_address(plan.file, file.parent))), labels_of(plan, subject)


def test_a_temperature_changes_the_simulation_but_neither_units_nor_the_cell(finished: Path) -> None:
    run, _, _ = first_run(finished)
    one, other = run.replica(0), replace(run, temperature=460.0).replica(0)
    assert [u.key for u in one.units] == [u.key for u in other.units]
    assert one.build.key == other.build.key
    assert one.equilibrate.key != other.equilibrate.key
    assert one.sample.key != other.sample.key


def test_replicas_share_the_unit_and_nothing_else(finished: Path) -> None:
    run, _, _ = first_run(finished)
    one, two = run.replica(0), run.replica(1)
    assert [u.key for u in one.units] == [u.key for u in two.units]
    shared = {s.key for s in one.simulation()} & {s.key for s in two.simulation()}
    assert shared == {u.key for u in one.units}


def test_a_stage_key_depends_on_every_part_and_on_nothing_else() -> None:
    plan = StagePlan("sample", 1, {"a": 1, "b": 2}, {"start": "x"})
    assert plan.key == StagePlan("sample", 1, {"b": 2, "a": 1}, {"start": "x"}, tier="gpu").key
    others = [
        StagePlan("dynamics", 1, plan.parameters, plan.inputs),
        StagePlan("sample", 2, plan.parameters, plan.inputs),
        StagePlan("sample", 1, {"a": 1, "b": 3}, plan.inputs),
        StagePlan("sample", 1, plan.parameters, {"start": "y"}),
    ]
    assert len({plan.key, *(other.key for other in others)}) == 5


def test_a_second_run_computes_nothing_and_prints_the_same_rows(finished: Path) -> None:
    store = finished.parent / "store"
    before = sorted(str(p.relative_to(store)) for p in store.rglob("*") if p.is_file())
    again = polyomics("run", str(finished), "--format", "json")
    assert again.returncode == ONE_REFUSED, again.stderr
    assert "nothing to do" in again.stderr
    assert sorted(str(p.relative_to(store)) for p in store.rglob("*") if p.is_file()) == before
    json.loads(again.stdout)


def _volume_mean(inputs: Any) -> tuple[Estimate, ...]:
    value = float(inputs.npt.box.prod(axis=1).mean())
    return (Estimate("density", value, 1.0, 25.0),)


def _flat(plan: StagePlan, context: Context) -> Output:
    del plan
    state = context.file("sample", "state")
    return Output(outputs={"bytes": len(state)})


def test_a_new_estimator_and_a_new_branch_on_a_finished_store_run_alone(finished: Path, tmp_path: Path) -> None:
    shutil.copytree(finished.parent, tmp_path / "copy")
    file = tmp_path / "copy" / "campaign.yaml"
    run, markers, labels = first_run(file)
    before = set(markers.done())

    def deformation(task: Task) -> StagePlan:
        return StagePlan("deformation", 1, {"rate": 1.0}, {"sample": task.sample.key})

    branch = Branch("deformation", deformation, Implementation(_flat))
    new = Estimator("volume", 1, ("density",), ("npt",), _volume_mean)
    needs_branch: Any = ("npt", "deformation")
    with_branch = Estimator("stiffness", 1, ("density",), needs_branch, _volume_mean)

    class Lenient(type(with_branch)):  # type: ignore[misc]
        """An estimator whose inputs do not yet know the branch."""

        def __call__(self, inputs: Any) -> tuple[Estimate, ...]:
            return _volume_mean(inputs)

    lenient = Lenient(**{f.name: getattr(with_branch, f.name) for f in dataclasses.fields(with_branch)})
    recipe = Recipe((*DEFAULT_RECIPE.estimators, new, lenient), {**DEFAULT_RECIPE.branches, "deformation": branch})
    run_task(run.replica(0), markers, Settings(), labels, None, recipe)
    added = [markers.get(key) for key in set(markers.done()) - before]
    names = sorted((m.stage, m.parameters.get("estimator", "")) for m in added if m is not None)
    assert names == [("deformation", ""), ("estimate", "stiffness"), ("estimate", "volume")]


def test_every_row_carries_value_unit_error_quality_and_provenance(finished: Path) -> None:
    query = "SELECT * FROM properties_all"
    result = polyomics("sql", query, "--store", str(finished.parent / "store"), "--format", "json")
    assert result.returncode == 0, result.stderr
    rows = json.loads(result.stdout)
    assert {row["property"] for row in rows} >= {"density", "heat_capacity_p_classical", "self_diffusion"}
    for row in rows:
        assert row["unit"]
        assert row["quality"] in ("provisional", "rejected"), "a protocol with that ceiling accepts nothing"
        assert row["reasons"]
        assert (row["value"] is None) == (row["stderr"] is None)
        assert row["protocol"] == "tiny"
        assert row["T_K"] == 450.0
        assert row["P_Pa"] == pytest.approx(101325.0)


def test_verify_finds_a_finished_store_consistent(finished: Path) -> None:
    result = polyomics("verify", str(finished.parent / "store"), "--format", "json")
    assert result.returncode == 0, result.stdout
    assert json.loads(result.stdout)["ok"]


def test_show_draws_the_records_and_the_cell(finished: Path, tmp_path: Path) -> None:
    store = str(finished.parent / "store")
    result = polyomics("show", "PEO", "--store", store, "--out", str(tmp_path), "--format", "json")
    assert result.returncode == 0, result.stderr
    shown = json.loads(result.stdout)
    assert [s["stage"] for s in shown["stages"]] == ["equilibrate", "sample", "dynamics"]
    assert all(Path(name).stat().st_size > 10_000 for name in shown["files"])


def test_a_platform_is_provenance_and_not_part_of_a_key(finished: Path) -> None:
    text = finished.read_text()
    other = finished.with_name("reference.yaml")
    other.write_text(text + "platform: Reference\n")
    assert first_run(other)[0].key == first_run(finished)[0].key
