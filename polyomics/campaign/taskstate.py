"""One task during one attempt: its state, progress, charges and seconds, as the ledger records them."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from polyomics.campaign.ledger import TaskState
    from polyomics.campaign.manifest import TaskLine

ALONE_AFTER = 2


@dataclass
class Progress:
    """What is known of one task in this attempt.

    Parameters
    ----------
    line
        The task.
    state
        ``waiting``, ``running``, ``computed`` (its run is not finished yet), ``done``, ``failed``, ``poison`` or
        ``interrupted``.
    kept
        Checkpoints stored and stages completed in this attempt: what an interruption cannot take back.
    before_crashes, before_errors, unsaved
        Charges of earlier attempts.
    """

    line: TaskLine
    state: str = "waiting"
    before_crashes: int = 0
    before_errors: int = 0
    unsaved: int = 0
    earlier: bool = False
    crashes: int = 0
    errors: int = 0
    stage: str = ""
    step: int = 0
    saved_step: int = 0
    advanced: int = 0
    lost: int = 0
    ns_per_day: float = 0.0
    failure: str = ""
    code: str = ""
    message: str = ""
    stage_key: str = ""
    seconds: float = 0.0
    stages: dict[str, float] = field(default_factory=dict)
    kept: int = 0
    _mark: float | None = None

    @classmethod
    def after(cls, line: TaskLine, state: TaskState | None) -> Progress:
        """Return a task with what earlier attempts left of it."""
        if state is None:
            return cls(line)
        found = cls(line, before_crashes=state.crashes, before_errors=state.errors, unsaved=state.unsaved)
        found.crashes, found.errors = state.crashes, state.errors
        if state.state in ("failed", "poison"):
            last = state.history[-1]
            found.state, found.earlier, found.failure = state.state, True, state.failure
            found.code, found.message = last.get("code", ""), last.get("message", "")
            found.stage_key = state.stages[0] if state.stages else ""
        return found

    @classmethod
    def done_before(cls, line: TaskLine) -> Progress:
        """Return a task that earlier work completed."""
        return cls(line, state="done", earlier=True)

    @property
    def alone(self) -> bool:
        """Whether the task is suspected of killing its process, so that it must not run beside others."""
        return self.crashes >= ALONE_AFTER

    def begin(self) -> None:
        """The task starts, or starts again."""
        self.state, self._mark, self.stage, self.step, self.saved_step = "running", time.monotonic(), "", 0, 0

    def report(self, stage: str, done: int, total: int, ns_per_day: float) -> None:
        """Take a progress message."""
        del total
        if stage.partition(":")[0] != self.stage.partition(":")[0]:
            self._spend()
            self.kept += bool(self.stage)
            self.step = self.saved_step = 0
        self.stage = stage
        self.advanced += max(0, done - self.step)
        self.step = done
        self.ns_per_day = ns_per_day or self.ns_per_day

    def resume(self, step: int) -> None:
        """Take note of the step that a stage starts from: what lies before it is not work of this attempt."""
        self.step = self.saved_step = step

    def save(self, step: int, seconds: float) -> None:
        """Take note of a checkpoint."""
        del seconds
        self.saved_step = step
        self.kept += 1

    def stop(self, state: str) -> None:
        """The task ends in a state, or waits for another try."""
        self._spend()
        self._mark = None
        if self.state == "running" and state in ("interrupted", "waiting", "failed", "poison"):
            self.lost += max(0, self.step - self.saved_step)
        self.state = state

    def note_failure(self, kind: str, values: dict[str, Any]) -> None:
        """Keep what a failure says."""
        self.failure, self.code, self.message = kind, values["code"], values["message"][:500]
        self.stage_key = values.get("stage_key", "")
        self.stage = values.get("stage") or self.stage

    def as_dict(self) -> dict[str, Any]:
        """Return what the ledger records: charges of this attempt only, nothing that says nothing."""
        self._spend()
        value = {
            "state": self.state, "polymer": self.line.polymer, "key": self.line.key, "stage": self.stage,
            "steps": self.step, "saved": self.saved_step, "advanced": self.advanced, "lost": self.lost,
            "seconds": round(self.seconds, 3), "stages": {k: round(v, 3) for k, v in self.stages.items()},
            "ns_per_day": round(self.ns_per_day, 3), "crashes": self.crashes - self.before_crashes,
            "errors": self.errors - self.before_errors, "kept": self.kept,
        }  # fmt: skip
        if self.state in ("failed", "poison"):
            value |= {"failure": self.failure, "code": self.code, "message": self.message, "stage_key": self.stage_key}
        kept = ("state", "polymer")
        return {name: item for name, item in value.items() if name in kept or item not in (0, 0.0, "", {})}

    def _spend(self) -> None:
        """Book the seconds since the last look on the present stage."""
        if self._mark is None:
            return
        passed, self._mark = time.monotonic() - self._mark, time.monotonic()
        self.seconds += passed
        name = self.stage.partition(":")[0] or "start"
        self.stages[name] = self.stages.get(name, 0.0) + passed
