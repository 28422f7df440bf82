from __future__ import annotations

import math
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_samples import estimate_marker, key_of, property_row, thermo_bytes

from polyomics.errors import ConflictError, InputError, TransientError
from polyomics.store import canonical
from polyomics.store.address import open_store
from polyomics.store.checkpoints import StoreCheckpoints
from polyomics.store.markers import MarkerStore, decode_marker, encode_marker
from polyomics.store.rows import series_bytes
from polyomics.store.verify import verify


@pytest.fixture
def markers(store):
    return MarkerStore(store)


def test_a_committed_marker_comes_back_equal(markers):
    marker = estimate_marker(1)
    assert markers.get(marker.stage_key) is None
    committed = markers.commit(marker, {"thermo": thermo_bytes(marker.stage_key), "snapshot.xml.gz": b"state"})
    assert markers.get(marker.stage_key) == committed
    assert [(file.kind, file.rows) for file in committed.files] == [("thermo", 5), ("snapshot", 0)]
    assert markers.read_file(committed.files[1]) == b"state"
    assert list(markers.done()) == [marker.stage_key]
    assert list(markers.get_many([marker.stage_key, key_of("no")])) == [committed]


def test_files_are_stored_by_content_once(markers, store):
    first = markers.write_file("snapshot.xml.gz", b"same")
    assert markers.write_file("snapshot.xml.gz", b"same") == first
    assert first.key == f"data/snapshot/{first.sha256[:2]}/{first.sha256}.xml.gz"
    assert [info.key for info in store.list("data/")] == [first.key]


def test_a_damaged_file_is_not_handed_out(markers, store):
    file = markers.write_file("frames", b"good")
    store.put(file.key, b"evil")
    with pytest.raises(TransientError, match="hash"):
        markers.read_file(file)


def test_the_first_commit_wins(markers):
    first = markers.commit(estimate_marker(1))
    other = estimate_marker(1, outputs={"tuned": 2.0}, provenance={"platform": "CUDA"})
    assert markers.commit(other) == first
    assert markers.commit(estimate_marker(1, provenance={"platform": "CUDA"}), deterministic=True) == first
    with pytest.raises(ConflictError):
        markers.commit(other, deterministic=True)
    assert markers.get(first.stage_key) == first


def test_data_without_its_marker_is_only_garbage(markers, store):
    marker = estimate_marker(1)
    markers.write_file("thermo", thermo_bytes(marker.stage_key))  # and then the process dies
    assert markers.get(marker.stage_key) is None
    assert markers.state(marker.stage_key) == "open"
    report = verify(store)
    assert report["ok"]
    assert {check["name"]: check["count"] for check in report["checks"]}["unreferenced_file"] == 1
    markers.commit(marker, {"thermo": thermo_bytes(marker.stage_key)})
    assert len(list(store.list("data/"))) == 1


def test_failures_stand_until_lifted(markers):
    key = key_of("stage")
    assert markers.state(key) == "open"
    assert markers.fail(key, {"class": "numerics", "message": "NaN at step 12", "polymer": "*CC*"}) == 1
    assert markers.state(key) == "failed"
    assert markers.retry(key, "smaller step")
    assert not markers.retry(key)
    assert markers.state(key) == "open"
    assert markers.fail(key, {"class": "transient", "message": "disk"}) == 2
    assert markers.state(key) == "failed"
    rows = markers.failures(key)
    assert [(row["number"], row["class"], row["retried"]) for row in rows] == [
        (1, "numerics", True),
        (2, "transient", False),
    ]
    markers.commit(estimate_marker(1, stage_key=key))
    assert markers.state(key) == "done"


def test_announcing_twice_changes_nothing(markers, store):
    rows = {"tasks": [{"task_key": "t1", "polymer": "*CC*", "campaign": "first", "stage_keys": ["a", "b"]}]}
    assert markers.announce("first", rows) == markers.announce("first", rows)
    assert len(list(store.list("campaigns/"))) == 1


@pytest.mark.parametrize(
    ("rows", "named"),
    [
        ({"properties": [property_row(colour="red")]}, "colour"),
        ({"properties": [property_row(), property_row(unit=None)]}, r"properties\[1\]: unit"),
        ({"properties": [property_row(value="850")]}, "value"),
        ({"properties": [property_row(value=True)]}, "value"),
        ({"properties": [property_row(value=math.nan)]}, "value"),
        ({"properties": [property_row(stderr=np.inf)]}, "stderr"),
        ({"properties": [property_row(stage_version=1.5)]}, "stage_version"),
        ({"properties": [property_row(quality="fine")]}, "quality"),
        ({"properties": [property_row(reasons="caged")]}, "reasons"),
        ({"properties": [property_row(reasons=[1])]}, "reasons"),
        ({"properties": [property_row(conditions="{not json")]}, "conditions"),
        ({"properties": [property_row(fact_id=1)]}, "fact_id"),
        ({"properties": [property_row(stage_key="x")]}, "stage_key"),
        ({"systems": [{"system_key": "s", "polymer": "p", "dp": [1, "2"]}]}, "dp"),
        ({"errors": [{"class": "bug", "message": "x"}]}, "errors"),
        ({"propertys": []}, "propertys"),
    ],
)
def test_a_row_that_does_not_fit_is_refused_by_name_and_nothing_is_written(tmp_path, rows, named):
    store = open_store(tmp_path)
    with pytest.raises((InputError, KeyError), match=named):
        MarkerStore(store).commit(estimate_marker(1, rows=rows), {"frames": b"x"})
    assert [info.key for info in store.list("")] == ["_polyomics.json"]


def test_series_files_must_have_the_tables_schema(tmp_path):
    markers = MarkerStore(open_store(tmp_path))
    with pytest.raises(InputError, match="Parquet"):
        markers.write_file("thermo", b"not parquet")
    with pytest.raises(InputError, match="no such column"):
        series_bytes("thermo", {"stage_key": ["a"], "step": [0], "colour": [1.0]})
    with pytest.raises(InputError, match="length"):
        series_bytes("thermo", {"stage_key": ["a"], "step": [0, 1]})


@pytest.mark.parametrize("key", ["", "ab", "../../etc", "a/b", "x" * 129])
def test_strange_stage_keys_are_refused(tmp_path, key):
    with pytest.raises(InputError):
        MarkerStore(open_store(tmp_path)).get(key)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    )
)
def test_canonical_json_round_trips(value):
    assert canonical.decode(canonical.encode(value)) == value
    assert canonical.encode(canonical.decode(canonical.encode(value))) == canonical.encode(value)


def test_canonical_json_is_one_text_per_value():
    assert canonical.encode({"b": (1, np.float64(0.1)), "a": np.arange(2)}) == b'{"a":[0,1],"b":[1,0.1]}'
    for bad in (math.inf, {1: 2}, object()):
        with pytest.raises(InputError):
            canonical.encode({"x": bad})


def test_markers_of_a_newer_writer_are_read(tmp_path):
    marker = estimate_marker(1)
    value = canonical.decode(encode_marker(marker)) | {"colour": "red"}
    assert decode_marker(canonical.encode(value)) == replace(marker, rows=value["rows"])


def test_at_most_two_checkpoints_are_kept_and_torn_ones_passed_over(store):
    checkpoints = StoreCheckpoints(store, key_of("stage"))
    assert checkpoints.load() is None
    assert [checkpoints.save(f"state {n}".encode()) for n in range(1, 5)] == [1, 2, 3, 4]
    keys = [info.key for info in store.list("checkpoints/")]
    assert len(keys) == 2
    assert checkpoints.load() == b"state 4"
    store.put(keys[-1], store.get(keys[-1])[:-2])
    assert checkpoints.load() == b"state 3"
    assert checkpoints.save(b"state 5") == 5
    checkpoints.clear()
    assert checkpoints.load() is None
    assert list(store.list("checkpoints/")) == []


WRITER = """
import sys
sys.path.insert(0, sys.argv[2])
from store_samples import estimate_marker, thermo_bytes
from polyomics.store.address import open_store
from polyomics.store.markers import MarkerStore
markers = MarkerStore(open_store(sys.argv[1]))
for number in range(10_000):
    print(number, flush=True)
    marker = estimate_marker(number)
    markers.commit(marker, {"thermo": thermo_bytes(marker.stage_key, n=number + 1), "frames": bytes(number) * 100})
"""


def test_killed_writers_leave_whole_markers_only(tmp_path):
    store = open_store(tmp_path / "store")
    markers = MarkerStore(store)
    random = np.random.default_rng(11)
    for _ in range(5):
        command = [sys.executable, "-c", WRITER, str(tmp_path / "store"), str(Path(__file__).parent)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            for _ in range(int(random.integers(2, 30))):
                assert process.stdout.readline()
            time.sleep(random.uniform(0.0, 0.02))
            process.kill()
        for marker in markers.get_many(markers.done()):
            for file in marker.files:
                markers.read_file(file)
    assert len(list(markers.done())) > 0
    broken = [check for check in verify(store)["checks"] if check["name"] == "missing_or_corrupt_file"]
    assert broken[0]["count"] == 0
