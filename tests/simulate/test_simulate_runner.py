"""Whole stages in OpenMM: stopped, killed, resumed, extended."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from alkanes import cell
from killed_stage import PLAN

from polyomics.errors import NumericsError, PlatformError
from polyomics.properties.records import Records
from polyomics.simulate.checkpoint import FileCheckpoints
from polyomics.simulate.engine import Start
from polyomics.simulate.frames import unpack_frames
from polyomics.simulate.plan import SegmentPlan, StagePlan
from polyomics.simulate.platform import choose_platform, describe_platforms
from polyomics.simulate.runner import run_stage

SCRIPT = Path(__file__).with_name("killed_stage.py")


def started(folder):
    environment = os.environ | {"OPENMM_CPU_THREADS": "1"}
    return subprocess.Popen([sys.executable, str(SCRIPT), str(folder)], env=environment)


def check_records(folder, minimum_resumptions):
    with np.load(folder / "result.npz") as records:
        assert records["resumed"] >= minimum_resumptions
        assert records["steps"] == PLAN.steps
        expected = np.concatenate([0.2 + 0.1 * np.arange(1, 81), 8.2 + 0.1 * np.arange(1, 81)])
        np.testing.assert_allclose(records["time"], expected, atol=1e-9)
        assert np.all(np.diff(records["step"]) > 0)
        assert np.all(np.isfinite(records["potential"]))
        # A chain's centre moves a fraction of a nanometre between two records, never a box edge.
        assert np.abs(np.diff(records["centers"], axis=0)).max() < 0.5


def newest(folder):
    return max((p.name for p in (folder / "checkpoints").glob("checkpoint-*")), default="")


@pytest.mark.slow
def test_killed_at_random_instants_a_stage_ends_at_its_declared_step_without_gap_or_overlap(tmp_path):
    rng, kills, deadline = random.Random(3), 0, time.monotonic() + 600
    while time.monotonic() < deadline:
        before = newest(tmp_path)
        (tmp_path / "running").unlink(missing_ok=True)
        process = started(tmp_path)
        while not (tmp_path / "running").exists() and process.poll() is None:
            time.sleep(0.01)
        # Every second kill waits for a new checkpoint first, so that on a slow machine, too, some work is resumed.
        while kills % 2 and newest(tmp_path) == before and process.poll() is None:
            time.sleep(0.01)
        try:
            assert process.wait(timeout=rng.uniform(0.0, 0.5) if kills < 6 else 600) == 0
            break
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
    assert kills >= 2
    check_records(tmp_path, 1)


def test_sigterm_saves_within_seconds_and_the_next_run_goes_on(tmp_path):
    process = started(tmp_path)
    deadline = time.monotonic() + 300
    while not list((tmp_path / "checkpoints").glob("checkpoint-*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    code = process.wait(timeout=300)
    if code == 0:
        pytest.fail("the stage ended before it could be stopped: make it longer")
    assert code == 100
    saved = FileCheckpoints(tmp_path / "checkpoints").load()
    assert 0 < saved.step < PLAN.steps
    assert started(tmp_path).wait(timeout=600) == 0
    check_records(tmp_path, 1)


class Kept:
    """Keeps all checkpoints in memory; loads one that it was given."""

    def __init__(self, first=None):
        self.first, self.saved = first, []

    def save(self, checkpoint):
        self.saved.append(checkpoint)

    def load(self):
        return self.first

    def clear(self):
        self.saved = []


def test_a_run_resumed_from_a_checkpoint_equals_the_run_that_wrote_it_and_went_on():
    assembly, system, start = cell(9, 4, edge=2.2)
    plan = StagePlan(
        "equilibrate",
        (
            SegmentPlan("npt", "npt", 200, 2.0, 300.0, 300.0, pressure=1.0, barostat_steps=5),
            SegmentPlan("ramp", "nvt", 100, 2.0, 300.0, 350.0),
        ),
        0.05,
        0,
        300,
    )
    ticks = iter(range(10**6))
    options = {"seed": 2, "platform": "Reference", "clock": lambda: next(ticks) * 0.01}
    writer = Kept()
    whole = run_stage(plan, system, assembly, start, checkpoints=writer, checkpoint_seconds=0.15, **options)
    middle = [c for c in writer.saved if 0 < c.step < plan.steps]
    assert middle
    resumed = run_stage(plan, system, assembly, start, checkpoints=Kept(middle[-1]), checkpoint_seconds=1e9, **options)
    assert resumed.state == whole.state
    for name, column in whole.records.items():
        np.testing.assert_array_equal(column, resumed.records[name])


def test_a_sample_stage_gives_all_fields_of_records_frames_and_a_verdict():
    assembly, system, start = cell(9, 4, edge=2.2)
    segment = SegmentPlan("sample", "npt", 200, 2.0, 300.0, 300.0, pressure=5.0, barostat_steps=10)
    plan = StagePlan("sample", (segment,), 0.02, 1000, 400, 10)
    seen = []

    def stationary(fields):
        seen.append(Records(**fields))
        return len(seen) > 1

    result = run_stage(
        plan, system, assembly, start, seed=1, platform="CPU", threads=1, keep_frames=True, stationary=stationary
    )
    records = seen[-1]
    assert (records.ensemble, records.temperature, records.pressure) == ("npt", 300.0, 5.0)
    assert records.time.shape == (40,)
    assert records.centers.shape == records.end_vector.shape == (40, 9, 3)
    assert records.rg2.shape == (40, 9)
    assert records.n_degrees == 3 * 126 - 90
    assert records.mass == pytest.approx(9 * (4 * 12.011 + 10 * 1.008), rel=1e-4)
    np.testing.assert_allclose(sum(records.energies.values()), records.potential, rtol=1e-9)
    assert result.stationary is True
    assert result.steps == 400
    frames = unpack_frames(result.frames)
    assert frames.positions.shape == (10, 126, 3)
    final = Start.from_state(result.state)
    assert np.abs(frames.positions[-1] - final.positions).max() <= 3 * final.box.max()
    assert result.provenance["platform"] == "CPU"
    assert result.provenance["ns_per_day"] > 0


def test_a_hopeless_stage_is_given_up_with_its_history():
    assembly, system, start = cell(9, 4, edge=2.2)
    plan = StagePlan("sample", (SegmentPlan("wild", "nvt", 400, 60.0, 5000.0, 5000.0, friction=0.01),), 0.6, 0, 400)
    with pytest.raises(NumericsError, match="attempt 4"):
        run_stage(plan, system, assembly, start, seed=1, platform="CPU", threads=1)


def test_platforms_are_described_and_an_unknown_one_is_refused():
    reports = {report.name: report for report in describe_platforms()}
    assert reports["CPU"].works
    assert reports["Reference"].works
    assert all(report.detail for report in reports.values())
    assert choose_platform("auto").name == next(name for name, report in reports.items() if report.works)
    assert dict(choose_platform("cpu", threads=3).properties) == {"Threads": "3"}
    with pytest.raises(PlatformError, match="abacus"):
        choose_platform("abacus")
    for name, report in reports.items():
        if not report.works:
            with pytest.raises(PlatformError):
                choose_platform(name)
