"""Running one stage: segments in order, records, frames, checkpoints, being stopped, going on and giving up."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import openmm

from polyomics.errors import Interrupted, NumericsError
from polyomics.simulate.checkpoint import Checkpoint, CheckpointSink, NoCheckpoints
from polyomics.simulate.engine import OpenMMEngine, Start
from polyomics.simulate.frames import pack_frames, quantise, unpack_frames
from polyomics.simulate.platform import choose_platform
from polyomics.simulate.records import RecordBuffer, records_fields
from polyomics.simulate.stop import never

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from polyomics.polymer.topology import Assembly, FloatArray
    from polyomics.simulate.engine import Engine
    from polyomics.simulate.plan import SegmentPlan, StagePlan

    Columns = Mapping[str, NDArray[Any]]
    Progress = Callable[["Report"], None]

CHUNK_SECONDS = 0.5
ATTEMPTS = 4
"""Tries of a segment: as planned; new noise (and, in equilibration, minimised); half the step; a quarter of it."""


@dataclass(frozen=True)
class Report:
    """What a progress display is told after each chunk."""

    stage: str
    segment: str
    step: int
    target: int
    ns_per_day: float


@dataclass(frozen=True, eq=False)
class StageResult:
    """What a stage leaves.

    Parameters
    ----------
    state
        Final portable State (XML): whole molecules, velocities, box.
    snapshots
        Steps done and State at the end of each block of a ``sample`` stage, else at the end.
    records
        Columns, first axis time; see :func:`polyomics.simulate.records.records_fields`.
    frames
        Packed frames (:func:`polyomics.simulate.frames.unpack_frames`), or None.
    steps
        Steps done: the declared total.
    duration_ps
        Simulated time.
    stationary
        The verdict on the last block; None where nothing judged it.
    incidents
        What went wrong and was mended.
    provenance
        Platform, versions, wall seconds, ns/day, number of resumptions.
    """

    state: bytes
    snapshots: tuple[tuple[int, bytes], ...]
    records: dict[str, NDArray[Any]]
    frames: bytes | None
    steps: int
    duration_ps: float
    stationary: bool | None
    incidents: tuple[str, ...]
    provenance: dict[str, Any]


def run_stage(
    plan: StagePlan,
    system: openmm.System,
    assembly: Assembly,
    start: Start,
    *,
    seed: int,
    platform: str = "auto",
    threads: int | None = None,
    device: int | None = None,
    checkpoints: CheckpointSink | None = None,
    checkpoint_seconds: float = 60.0,
    stationary: Callable[[dict[str, Any]], bool] | None = None,
    keep_frames: bool = False,
    stop: Callable[[], bool] = never,
    clock: Callable[[], float] = time.monotonic,
    progress: Progress | None = None,
) -> StageResult:
    """Run one stage of a plan in OpenMM, or go on with it from its newest checkpoint.

    Parameters
    ----------
    plan
        From ``Protocol.resolve(...).stage(name)``.
    system
        Without barostat, its molecules the constrained groups (``SystemOptions.group_molecules``).
    assembly
        The molecules of the cell.
    start
        Coordinates, box edges and perhaps velocities.
    seed
        Of the replica; noise depends on it and on the absolute step.
    platform, threads, device
        See :func:`polyomics.simulate.platform.choose_platform`.
    checkpoints, checkpoint_seconds
        Where checkpoints go, and how many seconds of wall clock lie between two.
    stationary
        Judges the fields of a ``Records`` after each block of a ``sample`` stage; while it says no, the stage goes on
        to twice its length, up to the plan's limit.
    keep_frames
        Keep at least ``plan.frames`` unwrapped frames.
    stop
        Asked between chunks of about half a second; once true, the stage is saved and Interrupted raised.
    clock, progress
        For tests, and for displays.

    Raises
    ------
    polyomics.errors.Interrupted
        Asked to stop; everything is saved.
    polyomics.errors.NumericsError
        Unstable in spite of all remedies.
    polyomics.errors.InputError
        The System and the protocol do not fit (barostat present, box below twice the cutoff).
    polyomics.errors.PlatformError
        The platform does not work here.
    """
    choice = choose_platform(platform, threads=threads, device=device)
    engine = OpenMMEngine(system, assembly, start, seed, choice)
    cell = engine.cell

    def judge(columns: Columns) -> bool:
        assert stationary is not None
        return stationary(records_fields(columns, plan.segments[-1], cell))

    result = drive(
        plan, engine, cell.per_molecule(cell.masses), seed=seed, checkpoints=checkpoints or NoCheckpoints(),
        checkpoint_seconds=checkpoint_seconds, judge=judge if stationary else None, keep_frames=keep_frames,
        stop=stop, clock=clock, progress=progress,
    )  # fmt: skip
    result.provenance.update(
        engine="openmm", engine_version=openmm.version.version, platform=choice.name, properties=dict(choice.properties)
    )
    return result


def drive(
    plan: StagePlan,
    engine: Engine,
    masses: FloatArray,
    *,
    seed: int,
    checkpoints: CheckpointSink,
    checkpoint_seconds: float = 60.0,
    judge: Callable[[Columns], bool] | None = None,
    keep_frames: bool = False,
    stop: Callable[[], bool] = never,
    clock: Callable[[], float] = time.monotonic,
    progress: Progress | None = None,
) -> StageResult:
    """Run a stage on any engine; see :func:`run_stage`. ``masses`` are those of the chains, shape (c,)."""
    run = _Run(plan, engine, masses, seed, checkpoints, checkpoint_seconds, keep_frames, stop, clock, progress)
    return run.to_end(judge)


@dataclass
class _Memory:
    """What changes while a stage runs; all of it goes into checkpoints."""

    records: RecordBuffer
    target: int
    step: int = 0
    attempt: int = 0
    incidents: list[str] = field(default_factory=list)
    frame_steps: int = 0
    frames: list[tuple[int, float, FloatArray, NDArray[np.int32]]] = field(default_factory=list)
    blobs: list[tuple[int, bytes]] = field(default_factory=list)
    wall: float = 0.0
    resumed: int = 0


@dataclass(frozen=True)
class _Good:
    """A configuration known to be sound, to fall back to."""

    step: int
    state: bytes | None
    records: int
    frames: int


class _Run:
    def __init__(
        self,
        plan: StagePlan,
        engine: Engine,
        masses: FloatArray,
        seed: int,
        checkpoints: CheckpointSink,
        interval: float,
        keep_frames: bool,
        stop: Callable[[], bool],
        clock: Callable[[], float],
        progress: Progress | None,
    ) -> None:
        self._plan, self._engine, self._masses = plan, engine, masses
        self._checkpoints, self._interval = checkpoints, interval
        self._stop, self._clock, self._progress = stop, clock, progress
        identity = json.dumps([asdict(plan), seed, keep_frames], sort_keys=True)
        self._digest = hashlib.sha256(identity.encode()).hexdigest()
        frame_steps = max(1, plan.steps // plan.frames) if keep_frames and plan.frames else 0
        self._m = _Memory(RecordBuffer(masses), plan.steps, frame_steps=frame_steps)
        self._state: bytes | None = None
        self._mending = False
        self._seconds_per_step = 0.0
        self._saved_at = self._began = clock()

    def to_end(self, judge: Callable[[Columns], bool] | None) -> StageResult:
        self._resume()
        while True:
            while self._m.step < self._m.target:
                self._segment()
            if not self._m.blobs or self._m.blobs[-1][0] != self._m.step:
                assert self._state is not None
                self._m.blobs.append((self._m.step, self._state))
                self._save()
            verdict = bool(judge(self._m.records.arrays())) if judge else None
            if verdict is not False or self._m.target >= self._plan.limit_steps:
                return self._result(verdict)
            self._extend()

    # -- one segment -------------------------------------------------------------------------------------------------

    def _locate(self) -> tuple[int, SegmentPlan, int, float]:
        """Return index, plan, steps done and start time (ps) of the segment at the present step."""
        begin, begin_ps = 0, 0.0
        for index, segment in enumerate(self._plan.segments):
            last = index == len(self._plan.segments) - 1
            if last or self._m.step < begin + segment.steps:
                return index, segment, self._m.step - begin, begin_ps
            begin, begin_ps = begin + segment.steps, begin_ps + segment.duration_ps
        raise AssertionError("a plan has segments")

    def _segment(self) -> None:
        """Run the present segment to its end, or until it has to be opened anew (saved, or mended)."""
        index, segment, done, begin_ps = self._locate()
        last = index == len(self._plan.segments) - 1
        end = self._m.target if last else self._m.step - done + segment.steps
        good = _Good(self._m.step, self._state, len(self._m.records), len(self._m.frames))
        try:
            self._engine.open(segment, done, self._state, self._plan.first_step + self._m.step, self._m.attempt)
            if self._mending and self._plan.stage == "equilibrate":
                self._engine.relax()
            self._mending = False
            while self._m.step < end:
                self._chunk(index, segment, begin_ps, end)
                if self._due():
                    self._state = self._engine.snapshot()
                    self._save()
                    if self._m.step < end:
                        return
            self._state = self._engine.snapshot()
        except NumericsError as error:
            self._mend(good, segment, error)
            return
        self._m.attempt = 0

    def _chunk(self, index: int, segment: SegmentPlan, begin_ps: float, end: int) -> None:
        """Advance to the next record, frame or end, or by about half a second, whichever comes first."""
        origin = self._origin(index)
        done = self._m.step - origin
        every = self._plan.record_steps(segment)
        stops = [end - origin]
        for interval in (every, self._m.frame_steps):
            if interval:
                stops.append((done // interval + 1) * interval)
        unknown = 1 if segment.kind == "minimise" else 20
        affordable = int(CHUNK_SECONDS / self._seconds_per_step) if self._seconds_per_step else unknown
        size = max(1, min(min(stops) - done, affordable))
        before = self._clock()
        self._engine.advance(size)
        self._seconds_per_step = max(self._clock() - before, 1e-9) / size
        self._m.step += size
        done += size
        now_ps = begin_ps + done * segment.step_fs * 1e-3
        if every and done % every == 0:
            row = self._engine.observe()
            self._m.records.append({"time": now_ps, "segment": index, "step": self._m.step, **row})
        if self._m.frame_steps and done % self._m.frame_steps == 0:
            whole, box = self._engine.whole()
            self._m.frames.append((self._m.step, now_ps, box, quantise(whole)))
        self._tell(segment)

    def _origin(self, index: int) -> int:
        return sum(segment.steps for segment in self._plan.segments[:index])

    def _due(self) -> bool:
        """Whether to save now; being asked to stop is due at once."""
        if self._stop():
            self._state = self._engine.snapshot()
            self._save()
            raise Interrupted(f"{self._plan.stage} stopped at step {self._m.step} of {self._m.target}; saved")
        return self._clock() - self._saved_at >= self._interval

    def _mend(self, good: _Good, segment: SegmentPlan, error: NumericsError) -> None:
        self._m.incidents.append(f"{segment.name}, step {self._m.step}, attempt {self._m.attempt + 1}: {error.reason}")
        self._m.attempt += 1
        if self._m.attempt >= ATTEMPTS:
            raise NumericsError(
                f"{self._plan.stage} is unstable in spite of new noise and smaller steps: "
                + "; ".join(self._m.incidents),
                field=segment.name,
                remedy="another seed, a looser start density, or look for overlapping atoms",
            ) from error
        self._mending = True
        self._m.step, self._state = good.step, good.state
        self._m.records.truncate(good.records)
        del self._m.frames[good.frames :]

    def _extend(self) -> None:
        """Double the stage, up to its limit; keep every second frame, so that their number stays bounded."""
        self._m.target = min(2 * self._m.target, self._plan.limit_steps)
        if self._m.frame_steps:
            self._m.frame_steps *= 2
            self._m.frames = [frame for frame in self._m.frames if frame[0] % self._m.frame_steps == 0]

    # -- memory ------------------------------------------------------------------------------------------------------

    def _save(self) -> None:
        assert self._state is not None
        m, now = self._m, self._clock()
        m.wall += now - self._began
        self._began = now
        progress = {
            "target": m.target, "attempt": m.attempt, "incidents": m.incidents, "frame_steps": m.frame_steps,
            "blob_steps": [step for step, _ in m.blobs],
            "frames_at": [frame[0] for frame in m.frames], "wall": m.wall, "resumed": m.resumed,
        }  # fmt: skip
        arrays = {f"record:{name}": column for name, column in m.records.arrays().items()}
        packed = self._packed_frames()
        if packed:
            arrays["frames"] = np.frombuffer(packed, dtype=np.uint8)
        blobs = tuple(blob for _, blob in m.blobs)
        self._checkpoints.save(Checkpoint(self._digest, m.step, self._state, progress, arrays, blobs))
        self._saved_at = self._clock()

    def _packed_frames(self) -> bytes | None:
        if not self._m.frames:
            return None
        _, times, boxes, ticks = zip(*self._m.frames, strict=True)
        return pack_frames(np.array(times), np.array(boxes), np.array(ticks))

    def _resume(self) -> None:
        saved = self._checkpoints.load()
        if saved is None or saved.plan != self._digest:
            return
        progress, arrays = saved.progress, saved.arrays
        columns = {name.removeprefix("record:"): a for name, a in arrays.items() if name.startswith("record:")}
        frames: list[Any] = []
        if "frames" in arrays:
            kept = unpack_frames(arrays["frames"].tobytes())
            ticks = quantise(kept.positions)
            frames = list(zip(progress["frames_at"], kept.time.tolist(), kept.box, ticks, strict=True))
        self._m = _Memory(
            RecordBuffer(self._masses, columns), progress["target"], saved.step, progress["attempt"],
            list(progress["incidents"]), progress["frame_steps"], frames,
            list(zip(progress["blob_steps"], saved.blobs, strict=True)), progress["wall"], progress["resumed"] + 1,
        )  # fmt: skip
        self._state = saved.state

    def _speed(self) -> float:
        fs = self._locate()[1].step_fs
        return fs * 1e-6 * 86400.0 / self._seconds_per_step if self._seconds_per_step else 0.0

    def _tell(self, segment: SegmentPlan) -> None:
        if self._progress:
            self._progress(Report(self._plan.stage, segment.name, self._m.step, self._m.target, self._speed()))

    def _duration(self) -> float:
        _, segment, done, begin_ps = self._locate()
        return begin_ps + done * segment.step_fs * 1e-3

    def _result(self, verdict: bool | None) -> StageResult:
        m = self._m
        assert self._state is not None
        wall = m.wall + self._clock() - self._began
        duration = self._duration()
        provenance = {
            "wall_seconds": wall,
            "ns_per_day": duration * 1e-3 * 86400.0 / wall if wall > 0 else 0.0,
            "resumed": m.resumed,
        }
        return StageResult(
            self._state,
            tuple(m.blobs),
            m.records.arrays(),
            self._packed_frames(),
            m.step,
            duration,
            verdict,
            tuple(m.incidents),
            provenance,
        )
