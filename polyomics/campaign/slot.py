"""One of a worker's processes: takes tasks over a pipe, does them, and dies with its parent."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
import traceback
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from polyomics.campaign.manifest import Manifest, TaskLine, labels_of, task_of
from polyomics.campaign.taskkey import COMPLETE, done_stage
from polyomics.errors import Interrupted, PolyOmicsError, failure_class_of
from polyomics.pipeline.execute import Progress, Settings, execute
from polyomics.pipeline.keys import content_key
from polyomics.simulate.stop import stop_on_signals
from polyomics.store.address import open_store
from polyomics.store.markers import MarkerStore

if TYPE_CHECKING:
    from collections.abc import Mapping
    from multiprocessing.connection import Connection

PR_SET_PDEATHSIG = 1
CHECKPOINT_SHARE = 0.01
"""Storing checkpoints may take this share of the time, and at most five minutes of work may be lost."""

LONGEST_INTERVAL = 300.0
FIRST_INTERVAL = 60.0


@dataclass(frozen=True)
class Job:
    """What a process is told to do: compute one task, or finish the run that ended tasks belong to.

    Parameters
    ----------
    kind
        ``task`` or ``finish``.
    line
        The task, or one of the run's.
    tier
        Memory tier of the shard.
    computed
        For ``finish``: the tasks to be marked as done.
    """

    kind: str
    line: TaskLine
    tier: int = 0
    computed: tuple[TaskLine, ...] = ()


@dataclass(frozen=True)
class Message:
    """What a process says: ``ready``, ``progress``, ``resumed``, ``saved``, ``done``, ``failed`` or ``interrupted``."""

    kind: str
    values: dict[str, Any]


def serve(channel: Connection, address: str, manifest: Manifest, settings: Settings, fixed_interval: bool) -> None:
    """Do jobs until the pipe closes.

    Parameters
    ----------
    channel
        Jobs in, messages out.
    address
        Of the store.
    manifest
        What tasks share.
    settings
        Platform, threads, checkpoint interval.
    fixed_interval
        Keep the interval; otherwise it follows from what storing a checkpoint takes.
    """
    parent = os.getppid()
    _die_with_parent(parent)
    markers = MarkerStore(open_store(address, create=False))
    cost: list[float] = []
    with stop_on_signals() as stopped:

        def stop() -> bool:
            return stopped() or os.getppid() != parent

        def report(progress: Progress) -> None:
            channel.send(Message("progress", asdict(progress)))

        def saved(step: int, seconds: float) -> None:
            cost.append(seconds)
            channel.send(Message("saved", {"step": step, "seconds": seconds}))

        def resumed(step: int) -> None:
            channel.send(Message("resumed", {"step": step}))

        channel.send(Message("ready", {}))
        while not stop():
            if not channel.poll(0.2):
                continue
            try:
                job = channel.recv()
            except EOFError:
                return
            interval = settings.checkpoint_interval if fixed_interval else interval_after(cost)
            mine = replace(
                settings, stop=stop, report=report, saved=saved, resumed=resumed, checkpoint_interval=interval
            )
            channel.send(_outcome(job, manifest, markers, mine))
    sys.stdout.flush()


def interval_after(cost: list[float]) -> float:
    """Return the seconds between checkpoints at which storing them takes a hundredth of the time, at most 300."""
    if not cost:
        return FIRST_INTERVAL
    recent = sorted(cost[-5:])
    return min(LONGEST_INTERVAL, max(5.0, recent[len(recent) // 2] / CHECKPOINT_SHARE))


def _outcome(job: Job, manifest: Manifest, markers: MarkerStore, settings: Settings) -> Message:
    stage = [""]

    def report(progress: Progress) -> None:
        stage[0] = progress.stage
        settings.report(progress)

    started = time.monotonic()
    try:
        perform(job, manifest, markers, replace(settings, report=report))
    except Interrupted:
        return Message("interrupted", {})
    except Exception as error:
        known = isinstance(error, PolyOmicsError)
        return Message(
            "failed",
            {
                "class": failure_class_of(error).value,
                "code": type(error).__name__,
                "message": error.reason if isinstance(error, PolyOmicsError) else f"{type(error).__name__}: {error}",
                "stage": stage[0],
                "stage_key": getattr(error, "stage_key", ""),
                "traceback": "" if known else traceback.format_exc(),
            },
        )
    return Message("done", {"seconds": time.monotonic() - started})


def perform(job: Job, manifest: Manifest, markers: MarkerStore, settings: Settings) -> None:
    """Do one job; whatever of it is done already costs a look at its marker."""
    line = job.line
    labels = labels_of(manifest, line)
    if manifest.synthetic is not None:
        from polyomics.campaign import synthetic

        if job.kind == "task":
            synthetic.perform(manifest.synthetic, {**asdict(line), "tier": job.tier}, markers, settings, labels)
        else:
            replicas: list[Mapping[str, Any]] = [
                {**asdict(line), "task": content_key("task", line.run, index)} for index in range(manifest.replicas)
            ]
            synthetic.finish(manifest.synthetic, replicas, markers, settings, labels)
    else:
        from polyomics.pipeline.work import finish_run, run_task

        wanted = manifest.spec["properties"]
        properties = tuple(wanted) if wanted is not None else None
        task = task_of(manifest, line)
        if job.kind == "task":
            run_task(task, markers, settings, labels, properties)
        else:
            finish_run(task.run, manifest.replicas, markers, settings, labels, properties)
    for computed in job.computed:
        execute(done_stage(computed.task, manifest.recipe), markers, COMPLETE, settings, labels_of(manifest, computed))


def _die_with_parent(parent: int) -> None:
    """Ask Linux for SIGKILL when the parent goes, however it goes; elsewhere the stop function notices it."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
