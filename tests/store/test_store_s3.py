from __future__ import annotations

import pytest
from store_faults import FaultyProxy
from store_samples import estimate_marker, thermo_bytes

from polyomics.errors import TransientError
from polyomics.store import s3, sql
from polyomics.store.address import open_store
from polyomics.store.catalog import publish
from polyomics.store.markers import MarkerStore
from polyomics.store.verify import verify


@pytest.fixture
def proxy(s3_address, s3_endpoint, monkeypatch):
    proxy = FaultyProxy(s3_endpoint)
    monkeypatch.setenv("POLYOMICS_S3_ENDPOINT", proxy.endpoint)
    yield proxy
    proxy.close()


@pytest.fixture
def quick(monkeypatch):
    """Waits of milliseconds, so that giving up takes no minute."""
    pause = s3.time.sleep
    monkeypatch.setattr(s3.time, "sleep", lambda seconds: pause(min(seconds, 0.01)))


AMBIGUOUS = {
    "the answer is lost after the write": ["drop_after"],
    "the request is lost": ["drop_before"],
    "an error after the write": ["500_after"],
    "an error before the write": ["500_before"],
    "another write is under way": ["409", "409", "409"],
    "errors longer than the SDK is patient": ["500_before"] * 5,
    "written, then only errors": ["500_after"] * 5,
    "written, then only silence": ["drop_after"] * 5,
    "conflict, loss, error": ["409", "drop_after", "500_after"],
}


@pytest.mark.parametrize("faults", AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_the_writer_of_an_object_knows_that_it_won(s3_address, proxy, quick, faults):
    store = open_store(s3_address)
    proxy.script["PUT"] = list(faults)
    assert store.create("one", b"mine")
    assert store.get("one") == b"mine"
    proxy.script["PUT"] = list(faults)
    assert not store.create("one", b"theirs")
    assert store.get("one") == b"mine"
    assert ("PUT", faults[0]) in proxy.seen


@pytest.mark.parametrize("faults", AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_compare_and_swap_knows_its_own_win(s3_address, proxy, quick, faults):
    store = open_store(s3_address)
    old = store.put("one", b"old")
    proxy.script["PUT"] = list(faults)
    new = store.replace("one", b"new", old)
    assert new == store.head("one").etag
    assert store.get("one") == b"new"
    proxy.script["PUT"] = list(faults)
    assert store.replace("one", b"newer", old) is None
    assert store.get("one") == b"new"


def test_reads_survive_loss_errors_and_truncation(s3_address, proxy, quick):
    store = open_store(s3_address)
    body = bytes(range(256)) * 40
    store.put("one", body)
    proxy.script["GET"] = ["truncate", "500_before", "drop_before", "truncate"]
    assert store.get("one") == body
    proxy.script["GET"] = ["truncate"]
    assert store.get_range("one", 10, 200) == body[10:210]
    proxy.script["GET"] = ["500_before", "drop_after"]
    assert [info.key for info in store.list("o")] == ["one"]
    proxy.script["HEAD"] = ["drop_before", "500_before"]
    assert store.head("one").size == len(body)


def test_a_silent_service_is_a_transient_failure(s3_address, proxy, quick):
    store = open_store(s3_address)
    proxy.script["PUT"] = ["drop_before"] * 200
    with pytest.raises(TransientError, match="tries"):
        store.create("one", b"x")
    proxy.script["GET"] = ["500_before"] * 200
    with pytest.raises(TransientError, match="tries"):
        store.get("one")


def test_committing_costs_two_requests(s3_address):
    markers = MarkerStore(open_store(s3_address))
    marker = estimate_marker(1)
    markers.store.requests.clear()
    markers.commit(marker)
    assert markers.store.requests == {"PUT": 1}
    markers.store.requests.clear()
    other = estimate_marker(2)
    markers.commit(other, {"thermo": thermo_bytes(other.stage_key)})
    assert markers.store.requests == {"PUT": 2}


def test_publishing_and_asking_cost_few_requests(s3_address):
    store = open_store(s3_address)
    markers = MarkerStore(store)
    n = 60
    for number in range(n):
        markers.commit(estimate_marker(number))
    report = publish(store)
    spent = report["s3"]
    assert spent["GET"] == n
    assert sum(spent.values()) <= 2 * n
    with sql.open(s3_address) as database:
        result = database.sql("SELECT count(*) FROM properties")
        assert result.rows() == [(3 * n,)]
        assert 1 <= result.stats["s3_requests"] <= 4
        assert database.sql("SELECT 1").stats["s3_requests"] == 0


def test_more_objects_than_one_listing_holds(s3_address, monkeypatch):
    monkeypatch.setattr(s3, "_PAGE", 4)
    store = open_store(s3_address)
    keys = [f"many/{number}" for number in range(9)]
    for key in keys:
        store.put(key, b"")
    store.requests.clear()
    assert [info.key for info in store.list("many/")] == keys
    assert store.requests["LIST"] == 3


def test_a_store_is_published_through_faults(s3_address, proxy, quick):
    store = open_store(s3_address)
    markers = MarkerStore(store)
    proxy.script["PUT"] = ["drop_after", "409", "500_after", "ok", "500_before"] * 6
    for number in range(4):
        marker = estimate_marker(number)
        assert markers.commit(marker, {"frames": bytes(number)}).files
    proxy.script["GET"] = ["truncate", "ok", "500_before", "drop_before"] * 4
    proxy.script["PUT"] = ["drop_after", "500_after"] * 4
    assert publish(store)["markers"] == 4
    proxy.script.clear()
    assert verify(store)["ok"]
