"""The verbs that read the ledger, through the command line, with the keys that other programs rely on."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from fleet_campaigns import planned, run_worker, write_campaign

from polyomics.campaign.status import normalised
from polyomics.store.address import open_store
from polyomics.store.catalog import publish
from polyomics.store.sql import open as open_database

STATUS = [
    "campaign", "state", "as_of", "snapshot", "tasks", "shards", "attempts", "ended_by", "interruptions", "steps_lost",
    "gpu_seconds", "gpu_seconds_wasted", "cost", "ns_per_day", "eta", "publish_lag_s", "blocked",
]  # fmt: skip


def polyomics(*arguments, code=0):
    result = subprocess.run(
        [sys.executable, "-m", "polyomics", *arguments], capture_output=True, text=True, timeout=300, check=False
    )
    assert result.returncode == code, result.stderr
    return json.loads(result.stdout) if result.stdout else None


@pytest.fixture(scope="module")
def failed(tmp_path_factory):
    """A campaign of four tasks of which one failed, run with an instance type that has a price."""
    folder = tmp_path_factory.mktemp("failed")
    fault = {"polymer": "*CCO*", "kind": "numerics", "step": 5}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POLYOMICS_PRICES", "table")
        for name, value in {"INSTANCE_TYPE": "g6.xlarge", "REGION": "us-east-2", "CAPACITY_TYPE": "spot"}.items():
            patch.setenv(f"POLYOMICS_{name}", value)
        file = write_campaign(
            folder, replicas=1, contributor="us", licence="CC-BY-4.0", embargo_until="2027-01-01",
            synthetic={"steps": 10, "seconds_per_step": 0.01, "faults": [fault]},
        )  # fmt: skip
        manifest = planned(file)["manifest"]
        assert run_worker(manifest).returncode == 104
    return file


@pytest.mark.timeout(600)
def test_status_errors_attempts_cost_logs_and_retry_print_the_contract(failed):
    shown = polyomics("status", str(failed), "--format", "json")
    assert list(shown) == STATUS
    assert shown["state"] == "done with failures"
    assert (shown["tasks"]["total"], shown["tasks"]["done"], shown["tasks"]["failed"]) == (4, 3, 1)
    assert shown["shards"] == {"total": 1, "done": 0, "failed": 1, "running": 0, "waiting": 0}
    assert set(shown["cost"]) == {"amount", "currency", "price_date"}
    assert shown["publish_lag_s"] > 0
    assert shown["blocked"] == [{"reason": "NumericsError", "count": 1}]
    (error,) = polyomics("errors", str(failed), "--format", "json")
    assert list(error) == ["class", "code", "message", "count", "task", "attempt", "log"]
    (attempt,) = polyomics("attempts", str(failed), "--task", error["task"], "--format", "json")
    assert attempt["attempt_id"] == error["attempt"]
    assert attempt["class"] == "numerics"
    rows = polyomics("cost", str(failed), "--by", "polymer", "--format", "json")
    assert len(rows) == 4
    store = str(failed.parent / "store")
    lines = polyomics("logs", error["task"], "--store", store, "--format", "json")
    assert any("exploded" in line["message"] for line in lines)
    assert all({"time", "campaign", "task", "attempt", "stage", "node"} <= set(line) for line in lines)


@pytest.mark.timeout(600)
def test_results_carry_contributor_licence_and_embargo(failed):
    store = open_store(failed.parent / "store")
    publish(store)
    with open_database(store.address) as database:
        rows = database.sql("SELECT DISTINCT contributor, licence, embargo_until FROM properties_all").dicts()
    assert rows in ([], [{"contributor": "us", "licence": "CC-BY-4.0", "embargo_until": "2027-01-01"}])


def test_messages_are_grouped_without_their_numbers():
    assert normalised("heated to 812 K at step 40") == normalised("heated to 9e3 K at step 7")
    assert normalised("a") != normalised("b")
