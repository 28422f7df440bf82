"""The ledger: numbers taken once, closed once, lost attempts closed from their last heartbeat, charges that add up."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from polyomics.campaign.ledger import PATIENCE_SECONDS, Attempt, Ledger, lost_row
from polyomics.campaign.slot import LONGEST_INTERVAL, interval_after
from polyomics.store.address import open_store
from polyomics.store.catalog import publish
from polyomics.store.sql import open as open_database


def row(number=1, **tasks):
    return {
        "attempt_id": f"a{number}", "campaign": "syn", "opened": f"2026-01-01T00:00:{number:02d}.000000Z",
        "gpu_seconds": 5.0, "steps_lost": 0,
        "details": {"tasks": tasks, "heartbeat": 1.0, "interval": 10.0, "tier": 0},
    }  # fmt: skip


def seen(state, **more):
    return {"state": state, "polymer": "*C*", **more}


@pytest.fixture(params=["local", "s3"])
def ledger(request, tmp_path):
    address = str(tmp_path / "store") if request.param == "local" else request.getfixturevalue("s3_address")
    return Ledger(open_store(address), "syn")


def test_attempts_opened_at_once_have_different_numbers(ledger):
    with ThreadPoolExecutor(8) as pool:
        opened = list(pool.map(lambda n: ledger.open("m" * 16, 3, row(n)), range(8)))
    assert sorted(item.number for item in opened) == list(range(1, 9))


def test_the_first_to_close_wins_and_the_row_is_published(ledger):
    attempt = ledger.open("m" * 16, 0, row(1, t=seen("running", steps=50, saved=20)))
    assert [item.state for item in ledger.attempts("m" * 16, 0)] == ["running"]
    closed = ledger.close_lost(attempt, message="node lost")
    assert (closed["ended_by"], closed["steps_lost"]) == ("lost", 30)
    late = ledger.close(attempt, {**row(1), "closed": "2026-01-02T00:00:00Z", "ended_by": "done", "class": ""})
    assert late["ended_by"] == "lost"
    assert [item.state for item in ledger.attempts()] == ["ended"]
    publish(ledger.store)
    with open_database(ledger.store.address) as database:
        assert database.sql("SELECT attempt_id, ended_by FROM attempts").dicts() == [
            {"attempt_id": "a1", "ended_by": "lost"}
        ]


def charges(tmp_path, *tasks):
    ledger = Ledger(open_store(tmp_path / "store"), "syn")
    rows = [row(number, t=task) for number, task in enumerate(tasks, start=1)]
    attempts = [Attempt("p", "m", 0, n, r, "ended", 0.0) for n, r in enumerate(rows, start=1)]
    return ledger, attempts, ledger.task_states(attempts)["t"]


def test_interruptions_without_a_checkpoint_count_only_when_one_was_overdue(tmp_path):
    slow = seen("interrupted", seconds=2 * 10.0 + PATIENCE_SECONDS + 1.0)
    assert charges(tmp_path, slow, slow, slow)[2].unsaved == 3
    assert charges(tmp_path, slow, slow, {**slow, "kept": 1})[2].unsaved == 0
    early = seen("interrupted", seconds=70.0, stages={"start": 60.0})
    assert charges(tmp_path, early, early, early)[2].unsaved == 0


def test_crashes_add_up_over_attempts_until_they_are_forgiven(tmp_path):
    ledger, attempts, state = charges(tmp_path, seen("interrupted", crashes=1), seen("failed", crashes=1))
    assert (state.crashes, state.state) == (2, "failed")
    ledger.forgive(["t"])
    state = ledger.task_states(attempts)["t"]
    assert (state.crashes, state.state) == (0, "waiting")


def test_done_stays_done_whatever_a_slower_twin_says(tmp_path):
    assert charges(tmp_path, seen("done"), seen("failed", failure="numerics"))[2].state == "done"


def test_the_cluster_can_say_that_memory_ran_out():
    attempt = Attempt("p", "m", 0, 1, row(1, t=seen("running")), "running", 0.0)
    assert lost_row(attempt, "resource")["class"] == "resource"
    assert lost_row(attempt)["class"] == "interruption"


def test_the_checkpoint_interval_follows_from_what_storing_costs():
    assert interval_after([0.5] * 5) == pytest.approx(50.0), "a hundredth of the time"
    assert interval_after([100.0]) == LONGEST_INTERVAL == 300.0, "never more than five minutes are at risk"
    assert interval_after([0.001]) == 5.0
