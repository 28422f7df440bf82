"""What a protocol becomes at one temperature and pressure: flat segments with a declared number of steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

StageName = Literal["equilibrate", "sample", "dynamics"]
SegmentKind = Literal["minimise", "push_off", "compress", "nvt", "npt"]


@dataclass(frozen=True)
class SegmentPlan:
    """A run of steps under one kind of control.

    Parameters
    ----------
    name
        For people and logs, for example ``larsen 3: npt``.
    kind
        ``minimise`` (each declared step is a few iterations and takes no time), ``push_off`` (small steps under strong
        friction, not recorded), ``compress`` (NVT while the box shrinks to ``density``), ``nvt`` or ``npt``.
    steps
        Declared number of steps.
    step_fs
        Time step, fs; 0 for ``minimise``.
    temperature, temperature_end
        K at the start and the end; they differ in a ramp.
    pressure
        bar; None unless ``npt``.
    density
        Target of ``compress``, g/cm³.
    friction
        Langevin friction, 1/ps.
    barostat_steps
        Steps between volume moves.
    """

    name: str
    kind: SegmentKind
    steps: int
    step_fs: float
    temperature: float
    temperature_end: float
    pressure: float | None = None
    density: float | None = None
    friction: float = 1.0
    barostat_steps: int = 25

    @property
    def duration_ps(self) -> float:
        """Simulated time, ps."""
        return self.steps * self.step_fs * 1e-3

    @property
    def ensemble(self) -> str:
        """``npt`` or ``nvt``."""
        return "npt" if self.kind == "npt" else "nvt"


@dataclass(frozen=True)
class StagePlan:
    """One stage: its segments in order and what is recorded.

    Parameters
    ----------
    stage
        ``equilibrate``, ``sample`` or ``dynamics``.
    segments
        In order. A ``sample`` stage has one, of the first block's length, and grows by doubling.
    record_ps
        Interval between records, ps; counted from the start of each segment.
    first_step
        Absolute step at which the stage starts; noise seeds depend on it.
    limit_steps
        Largest declared total; more than the sum of the segments only where the stage may be continued.
    frames
        Unwrapped frames to keep at least, evenly over the stage; 0 for none.
    """

    stage: StageName
    segments: tuple[SegmentPlan, ...]
    record_ps: float
    first_step: int
    limit_steps: int
    frames: int = 0

    @property
    def steps(self) -> int:
        """Declared total number of steps (of the first block, where the stage may be continued)."""
        return sum(segment.steps for segment in self.segments)

    @property
    def duration_ps(self) -> float:
        """Simulated time of the declared steps, ps."""
        return sum(segment.duration_ps for segment in self.segments)

    def record_steps(self, segment: SegmentPlan) -> int:
        """Return the steps between two records of a segment; 0 where nothing is recorded."""
        if segment.kind in ("minimise", "push_off"):
            return 0
        return max(1, round(self.record_ps * 1e3 / segment.step_fs))


@dataclass(frozen=True)
class Plan:
    """All stages of one protocol at one temperature and pressure.

    Parameters
    ----------
    temperature
        K.
    pressure
        bar.
    stages
        In the order in which they run.
    """

    temperature: float
    pressure: float
    stages: tuple[StagePlan, ...]

    def stage(self, name: str) -> StagePlan:
        """Return one stage by name; raises KeyError."""
        for stage in self.stages:
            if stage.stage == name:
                return stage
        raise KeyError(name)

    @property
    def steps(self) -> int:
        """Declared steps of all stages, without continuation."""
        return sum(stage.steps for stage in self.stages)

    @property
    def duration_ps(self) -> float:
        """Simulated time of all stages, without continuation, ps."""
        return sum(stage.duration_ps for stage in self.stages)
