"""Plans: deterministic, complete, cut into balanced shards, refused above the budget."""

from __future__ import annotations

import csv

import pytest
from fleet_campaigns import planned, write_campaign

from polyomics.campaign import candidates
from polyomics.campaign.manifest import (
    Shard,
    TaskLine,
    encode_wave,
    open_manifest,
    pack,
    read_shard,
    read_shards,
    task_of,
)
from polyomics.campaign.planner import plan
from polyomics.errors import InputError
from polyomics.store.address import open_store

KEYS = [
    "campaign", "organisation", "tasks", "duplicates", "done", "shards", "waves", "gpu_hours", "price_on_demand",
    "price_spot", "storage_gb_month", "s3_requests", "over_budget", "rejected",
]  # fmt: skip


def line(number, seconds):
    return TaskLine(
        f"t{number}", f"d{number}", "r", "*C*", "k", "", "*C*", "*C*", "polymer", 1, 1, 300.0, 1.0, 0, 1, 1, seconds
    )


def test_plan_has_the_contract_keys_and_counts_what_is_what(tmp_path):
    file = write_campaign(tmp_path, polymers=["*CC*", "*CCCC*", "*CCO*", "*COC*", "nonsense("])
    result = plan(file, allow_synthetic=True)
    assert list(result)[: len(KEYS)] == KEYS
    assert (result["tasks"], result["duplicates"], result["done"]) == (4, 2, 0)
    assert [set(item) for item in result["rejected"]] == [{"polymer", "field", "reason", "remedy"}]
    assert not (tmp_path / "store").exists(), "planning alone writes nothing"


def test_synthetic_needs_its_flag(tmp_path):
    with pytest.raises(InputError, match="--allow-synthetic"):
        plan(write_campaign(tmp_path))


def test_the_same_file_gives_the_same_manifest_and_writing_twice_changes_nothing(tmp_path):
    first, second = write_campaign(tmp_path / "a"), write_campaign(tmp_path / "b")
    one, other = planned(first), planned(second)
    assert one["manifest"].rpartition("/")[2] == other["manifest"].rpartition("/")[2]
    before = {info.key: info.etag for info in open_store(tmp_path / "a/store").list("")}
    assert planned(first)["manifest"] == one["manifest"]
    assert {info.key: info.etag for info in open_store(tmp_path / "a/store").list("")} == before


def test_every_task_is_in_exactly_one_shard_and_waves_hold_at_most_500(tmp_path):
    polymers = ["*" + "C" * (n + 1) + "O*" for n in range(130)]
    file = write_campaign(
        tmp_path, polymers=polymers, replicas=4, shard_minutes=0.01, synthetic={"steps": 50, "seconds_per_step": 0.01}
    )
    result = planned(file)
    _, manifest = open_manifest(result["manifest"])
    store = open_store(tmp_path / "store")
    shards = list(read_shards(store, manifest))
    tasks = [task.task for shard in shards for task in shard.tasks]
    assert len(tasks) == len(set(tasks)) == 520 == manifest.tasks
    assert [shard.number for shard in shards] == list(range(manifest.shards))
    assert result["waves"] == len(manifest.waves) == 2
    assert max(wave.shards for wave in manifest.waves) <= 500
    assert read_shard(store, manifest, 501) == shards[501]


def test_shards_are_between_half_full_and_full_where_tasks_are_short():
    groups = [[line(n, 60.0 + 37.0 * (n % 17))] for n in range(400)]
    shards = list(pack([(0, groups), (1, [[line(999, 9000.0)]])], 3600.0))
    assert all(1800.0 <= shard.seconds <= 3600.0 for shard in shards[:-2])
    assert shards[-1].tier == 1
    assert shards[-1].seconds == 9000.0, "a task longer than a shard has one to itself"
    assert sum(len(shard.tasks) for shard in shards) == 401


def test_waves_are_named_by_content():
    shards = [Shard(0, 0, 1.0, (line(1, 1.0),))]
    assert encode_wave("abc", shards) == encode_wave("abc", shards)
    assert encode_wave("abc", shards)[0].object != encode_wave("abc", [Shard(0, 1, 1.0, (line(1, 1.0),))])[0].object


def test_a_budget_below_the_price_refuses_and_writes_nothing(tmp_path):
    file = write_campaign(tmp_path, budget={"amount": 0.01}, synthetic={"steps": 10000, "seconds_per_step": 10.0})
    result = planned(file)
    assert result["over_budget"]
    assert "manifest" not in result
    assert not list((tmp_path / "store").rglob("*.json")) if (tmp_path / "store").exists() else True
    assert result["price_on_demand"]["amount"] > 0.01
    assert {"amount", "currency", "price_date"} <= set(result["price_on_demand"])
    assert result["price_spot"]["low"] <= result["price_spot"]["amount"] <= result["price_spot"]["high"]


def test_fast_reading_gives_the_same_keys_as_the_full_check_and_workers_rebuild_them(tmp_path, monkeypatch):
    texts = ["*CC*", "*CC(*)c1ccccc1", "*OCC*", "*CC(*)(C)C(=O)OC", "*C/C=C/C*", "*c1ccc(*)cc1", "*CCCC*"]
    real = {"protocol": "quick", "synthetic": None, "system": {"chains": 40, "atoms_per_chain": 300}, "polymers": texts}
    file = write_campaign(tmp_path, **real)
    full = planned(file)
    assert full["checked"] == "full"
    monkeypatch.setattr(candidates, "FULL_CHECK", 0)
    monkeypatch.setattr("polyomics.campaign.planner.FULL_CHECK", 0)
    fast = plan(file, write=True)
    assert fast["checked"] == "identity"
    assert fast["manifest"] == full["manifest"]
    store, manifest = open_manifest(full["manifest"])
    lines = [task for shard in read_shards(store, manifest) for task in shard.tasks]
    assert len(lines) == 2 * 6
    assert [task_of(manifest, item).key for item in lines] == [item.task for item in lines]


def test_canonical_forms_given_in_the_table_are_used_and_spot_checked(tmp_path):
    def table(rows):
        with (tmp_path / "p.csv").open("w", newline="") as stream:
            csv.writer(stream).writerows([["psmiles", "canonical"], *rows])

    polymers = {"csv": "p.csv", "canonical_column": "canonical"}
    table([["*CCO*", "*CCO*"], ["*COC*", "*CCO*"], ["*CC*", "*C*"]])
    assert plan(write_campaign(tmp_path, polymers=polymers), allow_synthetic=True)["duplicates"] == 1
    table([["*CCCC*", "*CC*"]])
    with pytest.raises(InputError, match="canonical form"):
        plan(write_campaign(tmp_path, polymers=polymers), allow_synthetic=True)
