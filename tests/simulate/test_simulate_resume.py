import json
import os
import random
import signal
import threading
import time

import numpy as np
import pytest
from stub_engine import StubEngine, plan

from polyomics.errors import Interrupted, NumericsError
from polyomics.simulate.checkpoint import Checkpoint, FileCheckpoints, NoCheckpoints
from polyomics.simulate.frames import unpack_frames
from polyomics.simulate.noise import noise_seed
from polyomics.simulate.runner import drive
from polyomics.simulate.stop import stop_on_signals

MASSES = np.array([1.0, 2.0])


def run(stage, engine=None, checkpoints=None, **options):
    sink = checkpoints or NoCheckpoints()
    return drive(stage, engine or StubEngine(), MASSES, seed=1, checkpoints=sink, **options)


def same(first, second):
    assert first.state == second.state
    assert first.steps == second.steps
    assert first.records.keys() == second.records.keys()
    for name, column in first.records.items():
        np.testing.assert_array_equal(column, second.records[name])
    assert first.frames == second.frames
    assert first.snapshots == second.snapshots


class Clock:
    """Moves by one second each time it is read."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        self.now += 1.0
        return self.now


class Stopper:
    """Asks to stop at the n-th question."""

    def __init__(self, n):
        self._left = n

    def __call__(self):
        self._left -= 1
        return self._left <= 0


def test_records_are_evenly_spaced_and_end_at_the_declared_step():
    result = run(plan(steps=400, segments=4))
    np.testing.assert_array_equal(result.records["step"], np.arange(10, 401, 10))
    np.testing.assert_allclose(result.records["time"], np.arange(10, 401, 10) * 1e-3)
    np.testing.assert_array_equal(result.records["segment"], np.repeat([0, 1, 2, 3], 10))
    assert result.steps == 400
    assert result.duration_ps == pytest.approx(0.4)


def test_interrupted_at_any_question_and_run_again_it_ends_as_if_never_stopped(tmp_path):
    stage = plan(steps=120, segments=3, frames=12)
    whole = run(stage, keep_frames=True)
    for n in range(1, 15):
        folder = FileCheckpoints(tmp_path / str(n))
        stops = 0
        while True:
            try:
                result = run(stage, checkpoints=folder, keep_frames=True, stop=Stopper(n))
                break
            except Interrupted:
                stops += 1
        same(result, whole)
        assert result.provenance["resumed"] == stops


def test_going_on_after_a_checkpoint_opens_with_the_same_step_as_a_resumed_run_does(tmp_path):
    stage, folder = plan(steps=120, segments=1), FileCheckpoints(tmp_path)
    first = StubEngine()
    with pytest.raises(Interrupted):
        run(stage, first, folder, checkpoint_seconds=20.0, clock=Clock(), stop=Stopper(8))
    opened = folder.load().step
    second = StubEngine()
    run(stage, second, folder)
    assert second.opened[0] == ("part 0", opened, opened, 0)
    assert all(step == 0 or done == step for _, done, step, _ in first.opened)
    assert len(first.opened) > 1


def test_noise_seeds_differ_by_replica_step_and_purpose_and_are_never_zero():
    seeds = {noise_seed(r, s, p) for r in range(10) for s in range(100) for p in ("integrator0", "barostat0")}
    assert len(seeds) == 2000
    assert min(seeds) > 0
    assert max(seeds) < 2**31
    assert noise_seed(7, 1000, "integrator0") == noise_seed(7, 1000, "integrator0")


def _child(stage, folder, pause):
    try:
        result = run(
            stage, StubEngine(pause=pause), FileCheckpoints(folder), checkpoint_seconds=0.002, keep_frames=True
        )
        (folder / "writing").write_text(json.dumps(result.records["x"].tolist()))
        os.replace(folder / "writing", folder / "result.json")
    except BaseException:
        os._exit(9)
    os._exit(0)


def test_two_hundred_kills_lose_nothing(tmp_path):
    """SIGKILL at 200 random instants, among them while a checkpoint is being written."""
    rng = random.Random(11)
    stage = plan(steps=600, segments=3, frames=30)
    expected = run(stage, keep_frames=True)
    kills, rounds, deadline = 0, 0, time.monotonic() + 300
    while kills < 200 and time.monotonic() < deadline:
        folder = tmp_path / str(rounds)
        folder.mkdir()
        rounds, patience = rounds + 1, 0.04
        while not (folder / "result.json").exists() and time.monotonic() < deadline:
            pid = os.fork()
            if pid == 0:
                _child(stage, folder, 0.0005)
            time.sleep(rng.uniform(0.0, patience))
            patience *= 1.02  # on a busy machine a child may need longer to get anywhere
            os.kill(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
            assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
            kills += os.WIFSIGNALED(status)
            assert len(list(folder.glob("checkpoint-*"))) <= 3
        assert json.loads((folder / "result.json").read_text()) == expected.records["x"].tolist()
        same(run(stage, checkpoints=FileCheckpoints(folder), keep_frames=True), expected)
    assert kills >= 200


def test_sigterm_saves_and_raises_interrupted(tmp_path):
    stage, folder = plan(steps=100_000, segments=1), FileCheckpoints(tmp_path)
    earlier = signal.getsignal(signal.SIGTERM)
    with stop_on_signals() as stop:
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGTERM)).start()
        with pytest.raises(Interrupted):
            run(stage, StubEngine(pause=0.001), folder, stop=stop, checkpoint_seconds=1e9)
    assert signal.getsignal(signal.SIGTERM) is earlier
    assert 0 < folder.load().step < 100_000
    assert len(folder.load().arrays["record:step"]) == folder.load().step // 10


def test_a_damaged_newest_checkpoint_is_passed_over_for_the_one_before(tmp_path):
    folder = FileCheckpoints(tmp_path)
    for step in (10, 20, 30):
        folder.save(Checkpoint("plan", step, b"state", {"a": [1]}, {"x": np.arange(3)}, (b"blob",)))
    files = sorted(tmp_path.glob("checkpoint-*"))
    assert len(files) == 2
    files[-1].write_bytes(files[-1].read_bytes()[:-20])
    loaded = folder.load()
    assert (loaded.step, loaded.state, loaded.blobs, loaded.progress) == (20, b"state", (b"blob",), {"a": [1]})
    files[0].write_bytes(b"")
    assert folder.load() is None
    folder.save(Checkpoint("plan", 40, b""))
    assert folder.load().step == 40
    folder.clear()
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_of_another_plan_or_seed_is_not_used(tmp_path):
    folder = FileCheckpoints(tmp_path)
    run(plan(steps=120), checkpoints=folder)
    engine = StubEngine()
    run(plan(steps=160), engine, folder)
    assert engine.opened[0][1:3] == (0, 0)


def test_a_finished_stage_is_not_run_again(tmp_path):
    folder = FileCheckpoints(tmp_path)
    first = run(plan(), checkpoints=folder)
    engine = StubEngine()
    same(run(plan(), engine, folder), first)
    assert engine.opened == []


def test_a_sample_that_is_not_stationary_doubles_up_to_its_limit_and_thins_its_frames():
    asked = []

    def never_stationary(columns):
        asked.append(len(columns["time"]))
        return False

    stage = plan(steps=200, segments=1, limit=1000, stage="sample", frames=20)
    result = run(stage, judge=never_stationary, keep_frames=True)
    assert asked == [20, 40, 80, 100]
    assert result.steps == 1000
    assert result.stationary is False
    assert [step for step, _ in result.snapshots] == [200, 400, 800, 1000]
    np.testing.assert_array_equal(result.records["step"], np.arange(10, 1001, 10))
    times = unpack_frames(result.frames).time
    assert len(times) >= 12
    np.testing.assert_allclose(np.diff(times), 0.08)


def test_a_stationary_sample_stops_at_once_and_says_so():
    stage = plan(steps=200, segments=1, limit=1000, stage="sample")
    result = run(stage, judge=lambda columns: len(columns["time"]) >= 40)
    assert (result.steps, result.stationary) == (400, True)
    assert run(stage).stationary is None


def test_an_interrupted_extension_goes_on_towards_the_same_target(tmp_path):
    stage = plan(steps=100, segments=1, limit=400, stage="sample", frames=10)
    whole = run(stage, judge=lambda _: False, keep_frames=True)
    for n in (3, 7):
        folder = FileCheckpoints(tmp_path / str(n))
        while True:
            try:
                result = run(stage, checkpoints=folder, judge=lambda _: False, keep_frames=True, stop=Stopper(n))
                break
            except Interrupted:
                pass
        same(result, whole)


def test_a_passing_instability_is_mended_and_recorded():
    engine = StubEngine(fails={155: 2})
    result = run(plan(steps=400, segments=4), engine)
    assert result.steps == 400
    assert len(result.incidents) == 2
    assert engine.relaxed == 2
    np.testing.assert_array_equal(result.records["step"], np.arange(10, 401, 10))
    attempts = [(done, attempt) for name, done, _, attempt in engine.opened if name == "part 1"]
    assert attempts == [(0, 0), (0, 1), (0, 2)]
    assert engine.opened[-1][3] == 0


def test_a_lasting_instability_is_given_up_with_a_reason():
    with pytest.raises(NumericsError, match=r"part 1.*blew up"):
        run(plan(steps=400, segments=4), StubEngine(fails={155: 99}))
