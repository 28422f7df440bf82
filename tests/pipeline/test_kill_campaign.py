"""A campaign ended by SIGKILL at random instants, again and again, ends with the same rows as one left alone."""

from __future__ import annotations

import io
import json
import math
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from tiny_campaign import ONE_REFUSED, TINY_CAMPAIGN, TINY_PROTOCOL, polyomics, write_campaign

from polyomics.pipeline.execute import read_file
from polyomics.store.address import open_store
from polyomics.store.interface import Marker
from polyomics.store.markers import MarkerStore

KILLS = 20
LONGER = TINY_PROTOCOL.replace("block_ps: 10.0, maximum_ps: 10.0", "block_ps: 40.0, maximum_ps: 40.0")


def rows_of(file: Path) -> dict[tuple[str, str], dict[str, Any]]:
    query = "SELECT run_key, property, component, value, stderr, n_eff FROM properties_all"
    result = polyomics("sql", query, "--store", str(file.parent / "store"), "--format", "json")
    assert result.returncode == 0, result.stderr
    return {(row["run_key"], row["property"] + row["component"]): row for row in json.loads(result.stdout)}


def markers_of(file: Path) -> dict[str, Marker]:
    markers = MarkerStore(open_store(str(file.parent / "store")))
    return {key: marker for key in markers.done() if (marker := markers.get(key)) is not None}


def run_killed(file: Path, kills: int, seed: int) -> int:
    """Run a campaign, killing its whole process group at random instants; returns how many kills hit it alive."""
    chance = random.Random(seed)
    hits = 0
    environment = {**os.environ, "OPENMM_CPU_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "polyomics", "run", str(file), "--checkpoint-interval", "0.5", "--format", "json"]
    deadline = time.monotonic() + 1500
    while time.monotonic() < deadline:
        process = subprocess.Popen(
            command, start_new_session=True, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        try:
            wait = None if hits >= kills else chance.uniform(1.0, 12.0)
            _, errors = process.communicate(timeout=wait if wait is not None else 900)
            assert process.returncode == ONE_REFUSED, errors.decode()
            return hits
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            hits += 1
    raise AssertionError(f"not finished after {hits} kills")


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_twenty_kills_change_no_key_lose_no_record_and_move_no_value_beyond_its_error(tmp_path: Path) -> None:
    calm = write_campaign(tmp_path / "calm", TINY_CAMPAIGN, LONGER)
    assert polyomics("run", str(calm), "--format", "json").returncode == ONE_REFUSED
    killed = write_campaign(tmp_path / "killed", TINY_CAMPAIGN, LONGER)
    hits = run_killed(killed, KILLS, seed=20261124)
    print(f"{hits} kills")
    assert hits > 0

    one, other = markers_of(calm), markers_of(killed)
    assert one.keys() == other.keys()
    for key in one:
        if one[key].stage in ("unit", "build"):
            files = [sorted((f.kind, f.sha256) for f in m.files) for m in (one[key], other[key])]
            assert files[0] == files[1], f"{one[key].stage} is not bit-identical"
            assert one[key].outputs == other[key].outputs
    _check_time_axes(killed, one, other)

    left, right = rows_of(calm), rows_of(killed)
    assert left.keys() == right.keys()
    for name, row in left.items():
        twin = right[name]
        if row["value"] is None or twin["value"] is None:
            continue
        error = math.hypot(row["stderr"], twin["stderr"])
        assert abs(row["value"] - twin["value"]) < 3.0 * error, (name, row, twin)


def _check_time_axes(file: Path, calm: dict[str, Marker], killed: dict[str, Marker]) -> None:
    markers = MarkerStore(open_store(str(file.parent / "store")))
    seen = 0
    for key, marker in killed.items():
        if marker.stage not in ("equilibrate", "sample", "dynamics"):
            continue
        table = pq.read_table(io.BytesIO(read_file(markers, marker, "thermo")))
        step, time_ps = (table.column(name).to_numpy() for name in ("step", "time_ps"))
        assert marker.outputs["steps"] == calm[key].outputs["steps"], "the declared total is reached"
        assert np.all(np.diff(time_ps) > 0), "time increases strictly"
        if marker.stage != "equilibrate":
            assert len(set(np.diff(step))) == 1, "no gap and no overlap"
            assert step[-1] == marker.outputs["steps"]
        seen += 1
    assert seen == 3
