"""Running stages against a store: inputs from markers, one create-only marker per result, a row for every failure."""

from __future__ import annotations

import platform as host_platform
import socket
import time
import traceback
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from polyomics.errors import FailureClass, NotFoundError, PolyOmicsError, failure_class_of
from polyomics.simulate.checkpoint import Checkpoint
from polyomics.simulate.stop import never
from polyomics.store.checkpoints import StoreCheckpoints
from polyomics.store.interface import Marker
from polyomics.store.markers import MarkerStore, StageState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from polyomics.pipeline.plan import StagePlan

STANDING = frozenset({FailureClass.INPUT, FailureClass.NUMERICS, FailureClass.RESOURCE, FailureClass.BUG})
"""Failures that stay until somebody lifts them; after the others, the next run simply tries again."""


ORIGIN = ("contributor", "licence", "embargo_until")
"""Labels that say where results come from and who may see them: columns of properties, not of failures."""


@dataclass(frozen=True)
class Progress:
    """What a running stage reports: steps done of those declared, and its speed."""

    stage: str
    done: int
    total: int
    ns_per_day: float = 0.0


def silent(progress: Progress) -> None:
    """Report nothing."""


def unnoticed(step: int, seconds: float) -> None:
    """Take no notice of a checkpoint stored."""


def unheard(step: int) -> None:
    """Take no notice of a checkpoint that a stage starts from."""


@dataclass(frozen=True)
class Settings:
    """How to compute, without influence on what: none of it is part of a key.

    Parameters
    ----------
    platform
        OpenMM platform or ``auto``.
    threads
        CPU threads per simulation; None leaves the choice to OpenMM.
    checkpoint_interval
        Seconds of wall time between checkpoints.
    stop
        Says whether the process was asked to stop.
    report
        Receives progress.
    saved
        Told of every checkpoint: its step and the seconds that storing it took.
    resumed
        Told the step of the checkpoint that a stage starts from.
    """

    platform: str = "auto"
    threads: int | None = None
    checkpoint_interval: float = 60.0
    stop: Callable[[], bool] = never
    report: Callable[[Progress], None] = silent
    saved: Callable[[int, float], None] = unnoticed
    resumed: Callable[[int], None] = unheard


@dataclass(frozen=True)
class Context:
    """What a stage function may use.

    Parameters
    ----------
    markers
        The store's stages.
    inputs
        Markers of the inputs by role.
    settings
        Platform, checkpoint interval, stop signal, progress.
    checkpoints
        Where the stage keeps its checkpoints.
    labels
        Names for rows, not part of any key: polymer, key, name, campaign.
    """

    markers: MarkerStore
    inputs: Mapping[str, Marker]
    settings: Settings
    checkpoints: StageCheckpoints
    labels: Mapping[str, str] = field(default_factory=dict)

    def file(self, role: str, kind: str) -> bytes:
        """Return the file of a kind that an input wrote."""
        return read_file(self.markers, self.inputs[role], kind)


@dataclass(frozen=True)
class Output:
    """What a stage function returns; see :class:`polyomics.store.interface.Marker`."""

    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Implementation:
    """A stage function, and whether equal inputs must give equal bytes on one kind of machine."""

    function: Callable[[StagePlan, Context], Output]
    deterministic: bool = False


class StageFailed(PolyOmicsError):
    """A stage has failed before and nobody lifted the failure; carries the class of that failure."""

    def __init__(self, reason: str, *, subject: str = "", field: str = "", remedy: str = "", kind: str = "bug") -> None:
        super().__init__(reason, subject=subject, field=field, remedy=remedy)
        self.failure_class = FailureClass(kind)
        self.stage_key = ""


class StageCheckpoints:
    """The simulation's checkpoint sink over the store's generations."""

    def __init__(self, markers: MarkerStore, stage_key: str, settings: Settings) -> None:
        self._generations = StoreCheckpoints(markers.store, stage_key)
        self._settings = settings

    def save(self, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint; on return it survives a kill."""
        started = time.perf_counter()
        self._generations.save(checkpoint.to_bytes())
        self._settings.saved(checkpoint.step, time.perf_counter() - started)

    def load(self) -> Checkpoint | None:
        """Return the newest whole checkpoint, or None."""
        data = self._generations.load()
        if data is None:
            return None
        checkpoint = Checkpoint.from_bytes(data)
        self._settings.resumed(checkpoint.step)
        return checkpoint

    def clear(self) -> None:
        """Forget all checkpoints, after the marker exists."""
        self._generations.clear()


def read_file(markers: MarkerStore, marker: Marker, kind: str) -> bytes:
    """Return the file of a kind that belongs to a marker; raises NotFoundError."""
    for stored in marker.files:
        if stored.kind == kind:
            return markers.read_file(stored)
    raise NotFoundError(f"stage {marker.stage} {marker.stage_key} has no file of kind {kind}", subject=marker.stage_key)


def execute(
    plan: StagePlan,
    markers: MarkerStore,
    implementations: Mapping[str, Implementation],
    settings: Settings,
    labels: Mapping[str, str],
) -> Marker:
    """Return the marker of a stage, computing it only where it does not exist.

    Parameters
    ----------
    plan
        The stage.
    markers
        The store's stages; all inputs must be done.
    implementations
        Stage functions by name.
    settings
        How to compute.
    labels
        Columns for a failure row: polymer, key, name, campaign, task.

    Raises
    ------
    StageFailed
        It failed before and the failure still stands.
    polyomics.errors.PolyOmicsError
        It failed now; the failure is a row of the store.
    """
    marker = markers.get(plan.key)
    if marker is not None:
        return marker
    if markers.state(plan.key) is StageState.FAILED:
        standing = _standing(plan, markers)
        standing.stage_key = plan.key
        raise standing
    try:
        return _compute(plan, markers, implementations, settings, labels)
    except Exception as error:
        _record(plan, markers, error, labels)
        error.stage_key = plan.key  # type: ignore[attr-defined]  # whoever lifts the failure needs to know where it is
        raise


def _compute(
    plan: StagePlan,
    markers: MarkerStore,
    implementations: Mapping[str, Implementation],
    settings: Settings,
    labels: Mapping[str, str],
) -> Marker:
    implementation = implementations[plan.name]
    inputs = {role: _input(markers, key, role, plan) for role, key in plan.inputs.items()}
    checkpoints = StageCheckpoints(markers, plan.key, settings)
    started, clock = _now(), time.perf_counter()
    settings.report(Progress(plan.name, 0, 0))
    output = implementation.function(plan, Context(markers, inputs, settings, checkpoints, labels))
    marker = markers.commit(
        Marker(
            stage_key=plan.key,
            stage=plan.name,
            version=plan.version,
            parameters=dict(plan.parameters),
            inputs=dict(plan.inputs),
            rows=output.rows,
            outputs=output.outputs,
            provenance={
                "started": started,
                "ended": _now(),
                "wall_seconds": round(time.perf_counter() - clock, 3),
                "host": socket.gethostname(),
                "python": host_platform.python_version(),
                "polyomics": version("polyomics"),
                **output.provenance,
            },
        ),
        output.files,
        deterministic=implementation.deterministic,
    )
    checkpoints.clear()
    return marker


def _input(markers: MarkerStore, key: str, role: str, plan: StagePlan) -> Marker:
    marker = markers.get(key)
    if marker is None:
        raise NotFoundError(f"input {role} of stage {plan.name} is not done", subject=key)
    return marker


def _standing(plan: StagePlan, markers: MarkerStore) -> StageFailed:
    last = [row for row in markers.failures(plan.key) if not row["retried"]][-1]
    return StageFailed(
        last["message"],
        subject=last.get("polymer") or "",
        field=last.get("field") or "",
        remedy=last.get("remedy") or "polyomics retry, after the cause is gone",
        kind=last["class"],
    )


def _record(plan: StagePlan, markers: MarkerStore, error: Exception, labels: Mapping[str, str]) -> None:
    kind = failure_class_of(error)
    known = isinstance(error, PolyOmicsError)
    row = {
        "class": kind.value,
        "code": type(error).__name__,
        "message": error.reason if isinstance(error, PolyOmicsError) else f"{type(error).__name__}: {error}",
        "stage": plan.name,
        "field": error.field if isinstance(error, PolyOmicsError) else "",
        "remedy": error.remedy if isinstance(error, PolyOmicsError) else "report this with the traceback",
        "traceback": "" if known else traceback.format_exc(),
        "host": socket.gethostname(),
        **{name: text for name, text in labels.items() if name not in ORIGIN},
    }
    markers.fail(plan.key, row)
    if kind not in STANDING:
        markers.retry(plan.key, "may be tried again")


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
