"""The shipped worker as operating-system processes: killed, stopped, cancelled, crashed; every task exactly once."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time

import pytest
from fleet_campaigns import kill_group, planned, run_worker, start_worker, write_campaign

from polyomics.campaign.control import cancel, resume, retry
from polyomics.campaign.ledger import Ledger
from polyomics.campaign.manifest import open_manifest, read_shards
from polyomics.campaign.status import cost, errors, logs, status
from polyomics.errors import FAILURES, FailureClass
from polyomics.store.catalog import publish
from polyomics.store.markers import MarkerStore
from polyomics.store.sql import open as open_database
from polyomics.store.verify import verify

DEADLINE = 240.0


def until(condition, process=None):
    """Wait for a condition; the process must not end before."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        assert process is None or process.poll() is None, process.communicate()
        time.sleep(0.05)


def assert_every_task_once(store, manifest, replicas=2, rows=3):
    """Publish, verify, and compare tasks, markers and rows with the manifest."""
    publish(store)
    checked = verify(store)
    assert checked["ok"], checked
    lines = [task for shard in read_shards(store, manifest) for task in shard.tasks]
    markers = MarkerStore(store)
    assert all(markers.get(line.done) is not None for line in lines)
    with open_database(store.address) as database:
        samples = database.sql("SELECT count(*) AS n FROM stages WHERE stage = 'synthetic-sample'").dicts()[0]["n"]
        found = database.sql("SELECT run_key, count(*) AS n FROM properties_all GROUP BY 1").dicts()
        shown = database.sql("SELECT count(*) AS n FROM properties").dicts()[0]["n"]
    assert samples == len(lines)
    assert {row["run_key"] for row in found} == {line.run for line in lines}
    assert {row["n"] for row in found} == {rows}
    assert shown == 0, "synthetic rows are in no default view"


@pytest.mark.timeout(900)
def test_a_shard_killed_again_and_again_on_s3_is_done_exactly_once(tmp_path, s3_address):
    file = write_campaign(
        tmp_path, s3_address, synthetic={"steps": 30, "seconds_per_step": 0.02, "payload_bytes": 3000}
    )
    address = planned(file)["manifest"]
    store, manifest = open_manifest(address)
    ledger, chance = Ledger(store, "syn"), random.Random(6)
    for number in range(1, 5):
        process = start_worker(address, 0, "--checkpoint-interval", "0.2")
        until(lambda n=number: len(list(store.list(f"attempts/syn/{manifest.name}/000000/{n:04d}/open"))) > 0, process)
        time.sleep(chance.uniform(0.0, 3.0))
        kill_group(process)
    final = run_worker(address, 0, "--checkpoint-interval", "0.2")
    assert final.returncode == 0, final.stderr
    assert_every_task_once(store, manifest)
    assert not list(store.list("checkpoints/")), "no checkpoint outlives its stage"
    again = run_worker(address)
    assert again.returncode == 0
    assert len(ledger.attempts()) == 5, "a finished shard opens no attempt"


@pytest.mark.timeout(600)
def test_sigterm_saves_and_exits_100_within_ten_seconds_and_the_next_worker_goes_on(tmp_path):
    file = write_campaign(tmp_path, synthetic={"steps": 1000, "seconds_per_step": 0.02}, polymers=["*CC*"])
    address = planned(file)["manifest"]
    store, manifest = open_manifest(address)
    process = start_worker(address, 0, "--checkpoint-interval", "300")
    beat = tmp_path / f"store/attempts/syn/{manifest.name}/000000/0001/beat.json"
    until(lambda: beat.exists() and json.loads(beat.read_text())["steps_done"] > 20, process)
    process.send_signal(signal.SIGTERM)
    asked = time.monotonic()
    process.communicate(timeout=DEADLINE)
    assert process.returncode == FAILURES[FailureClass.INTERRUPTION].exit_code == 100
    assert time.monotonic() - asked < 10.0
    (attempt,) = Ledger(store, "syn").attempts()
    assert (attempt.state, attempt.row["ended_by"]) == ("ended", "interruption")
    assert attempt.row["steps_lost"] == 0, "everything was saved"
    saved = {key: seen["saved"] for key, seen in attempt.tasks.items() if seen.get("saved")}
    assert saved
    assert attempt.logs
    second = start_worker(address, 0, "--checkpoint-interval", "300")
    beat = beat.parents[1] / "0002/beat.json"
    until(lambda: beat.exists() and json.loads(beat.read_text())["steps_done"] > 20, second)
    second.send_signal(signal.SIGTERM)
    second.communicate(timeout=DEADLINE)
    resumed = Ledger(store, "syn").attempts()[1]
    moved = {key: resumed.tasks[key] for key in saved if resumed.tasks[key].get("advanced")}
    assert moved
    for key, seen in moved.items():
        assert seen["steps"] == saved[key] + seen["advanced"], "it goes on where the first one saved"


@pytest.mark.timeout(600)
def test_cancel_stops_within_a_heartbeat_and_resume_lets_go_on(tmp_path):
    file = write_campaign(tmp_path, synthetic={"steps": 60, "seconds_per_step": 0.02})
    address = planned(file)["manifest"]
    store, manifest = open_manifest(address)
    process = start_worker(address)
    until(lambda: bool(Ledger(store, "syn").attempts()), process)
    cancel(store, "syn")
    _, err = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0, err
    assert status(store, "syn")["state"] == "cancelled"
    assert status(store, "syn")["tasks"]["cancelled"] > 0
    assert run_worker(address).returncode == 0
    assert len(Ledger(store, "syn").attempts()) == 1, "a cancelled campaign starts nothing"
    assert resume(store, "syn")["selected"] > 0
    assert run_worker(address).returncode == 0
    assert status(store, "syn")["tasks"]["done"] == manifest.tasks
    assert_every_task_once(store, manifest)


@pytest.mark.timeout(900)
def test_a_poison_task_is_singled_out_its_neighbours_finish_and_retry_lifts_it(tmp_path):
    faults = [{"polymer": "*CCO*", "kind": "crash", "step": 10}, {"polymer": "*CC(*)C", "kind": "numerics", "step": 5}]
    file = write_campaign(tmp_path, replicas=1, synthetic={"steps": 20, "seconds_per_step": 0.002, "faults": faults})
    address = planned(file)["manifest"]
    store, _manifest = open_manifest(address)
    first = run_worker(address)
    assert first.returncode in (104, 106), first.stderr
    (attempt,) = Ledger(store, "syn").attempts()
    by_polymer = {seen["polymer"]: seen for seen in attempt.tasks.values()}
    assert by_polymer["*CCO*"]["state"] == "poison"
    assert by_polymer["*CCO*"]["crashes"] == 3
    assert by_polymer["*CC(*)C"]["state"] == "failed"
    assert {seen["state"] for name, seen in by_polymer.items() if name in ("*C*", "*CC(*)CC")} == {"done"}
    assert not any(seen.get("crashes") for name, seen in by_polymer.items() if name != "*CCO*")

    found = {row["code"]: row for row in errors(store, "syn")}
    assert {code: row["class"] for code, row in found.items()} == {"Poison": "bug", "NumericsError": "numerics"}
    lines = logs(store, found["NumericsError"]["task"])
    assert any(line["level"] == "error" and "exploded" in line["message"] for line in lines)
    assert store.get(found["Poison"]["log"])
    shown = status(store, "syn")
    assert shown["tasks"] == {
        "total": 4, "done": 2, "failed": 1, "running": 0, "waiting": 0, "cancelled": 0, "poison": 1
    }  # fmt: skip
    assert {item["reason"] for item in shown["blocked"]} == {"poison", "NumericsError"}

    second = run_worker(address)
    assert second.returncode in (104, 106), "what failed for good is not tried again"
    assert sum(seen.get("crashes", 0) for a in Ledger(store, "syn").attempts() for seen in a.tasks.values()) == 3
    assert retry(store, "syn", "numerics") == {"selected": 1, "skipped": 1}
    assert retry(store, "syn") == {"selected": 1, "skipped": 0}
    assert status(store, "syn")["tasks"]["waiting"] == 2
    publish(store)
    assert verify(store)["ok"]


@pytest.mark.timeout(600)
def test_out_of_memory_ends_the_task_in_this_wave_and_the_next_plan_raises_its_tier_once(tmp_path):
    fault = {"polymer": "*CC*", "kind": "resource", "step": 3, "below_tier": 1}
    section = {"steps": 10, "seconds_per_step": 0.001, "faults": [fault]}
    file = write_campaign(tmp_path, replicas=1, synthetic=section)
    address = planned(file)["manifest"]
    assert run_worker(address).returncode == 102
    result = planned(file)
    assert (result["tasks"], result["done"], result["failed"]) == (1, 3, 0)
    store, manifest = open_manifest(result["manifest"])
    assert [shard.tier for shard in read_shards(store, manifest)] == [1]
    assert run_worker(result["manifest"]).returncode == 0
    assert status(store, "syn")["tasks"]["done"] == 4
    assert planned(file)["tasks"] == 0


@pytest.mark.timeout(600)
def test_transient_errors_have_a_budget_and_a_terminal_exit_code(tmp_path):
    fault = {"polymer": "*CC*", "kind": "transient", "step": 3}
    file = write_campaign(
        tmp_path, polymers=["*CC*"], replicas=1, synthetic={"steps": 10, "seconds_per_step": 0.001, "faults": [fault]}
    )
    address = planned(file)["manifest"]
    store, _ = open_manifest(address)
    code = run_worker(address).returncode
    assert not next(rule for rule in FAILURES.values() if rule.exit_code == code).retry
    (attempt,) = Ledger(store, "syn").attempts()
    (seen,) = attempt.tasks.values()
    assert (seen["state"], seen["errors"], seen["failure"]) == ("failed", 3, "transient")


@pytest.mark.timeout(600)
def test_a_hanging_task_is_ended_and_called_stuck(tmp_path):
    fault = {"polymer": "*CC*", "kind": "hang", "step": 3}
    file = write_campaign(
        tmp_path, polymers=["*CC*"], replicas=1, synthetic={"steps": 10, "seconds_per_step": 0.001, "faults": [fault]}
    )
    address = planned(file)["manifest"]
    store, _ = open_manifest(address)
    run_worker(address, 0, "--stall", "3")
    assert [row["code"] for row in errors(store, "syn")] == ["Stuck"]


@pytest.mark.timeout(600)
def test_two_workers_on_one_shard_leave_one_result_each_and_costs_add_up(tmp_path):
    file = write_campaign(tmp_path, synthetic={"steps": 20, "seconds_per_step": 0.01})
    address = planned(file)["manifest"]
    store, manifest = open_manifest(address)
    workers = [start_worker(address, 0), start_worker(address, 0)]
    codes = [(w.communicate(timeout=DEADLINE), w.returncode) for w in workers]
    assert [code for _, code in codes] == [0, 0], codes
    assert_every_task_once(store, manifest)
    spent = status(store, "syn")["gpu_seconds"]
    for by in ("polymer", "stage", "class", "organisation"):
        assert sum(row["gpu_seconds"] for row in cost(store, "syn", by)) == pytest.approx(spent, abs=0.05)


def test_processes_die_with_a_killed_worker(tmp_path):
    file = write_campaign(tmp_path, synthetic={"steps": 10000, "seconds_per_step": 0.05})
    address = planned(file)["manifest"]
    _store, manifest = open_manifest(address)
    process = start_worker(address)
    beat = tmp_path / f"store/attempts/syn/{manifest.name}/000000/0001/beat.json"
    until(lambda: beat.exists() and json.loads(beat.read_text())["steps_done"] > 0, process)
    group = process.pid
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=DEADLINE)
    until(lambda: not _members(group))


def _members(group: int) -> list[str]:
    found = subprocess.run(["ps", "-o", "pid,stat,args", "-g", str(group)], capture_output=True, text=True, check=False)
    return [line for line in found.stdout.splitlines()[1:] if "Z" not in line.split()[1]]
