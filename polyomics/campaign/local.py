"""Running a campaign on this machine: jobs in child processes, no failure stopping another, resumable at any time."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from polyomics.errors import FAILURES, FailureClass, Interrupted, PolyOmicsError, failure_class_of
from polyomics.pipeline.execute import ORIGIN, Progress, Settings
from polyomics.pipeline.work import run_stage, run_task
from polyomics.simulate.platform import choose_platform
from polyomics.simulate.stop import stop_on_signals
from polyomics.store.address import open_store
from polyomics.store.markers import MarkerStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from multiprocessing.process import BaseProcess

    from polyomics.campaign.planning import Plan, Subject
    from polyomics.pipeline.plan import StagePlan, Task

GRACE_SECONDS = 30.0
POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Job:
    """A piece of work for one process: a whole task, or one stage that several tasks share.

    Parameters
    ----------
    name
        For progress and messages.
    labels
        Columns of its failure rows.
    task
        The task, or None.
    stage
        The shared stage, or None.
    after
        Keys of shared stages that must have ended before.
    properties
        What is wanted of a task; None for all.
    """

    name: str
    labels: dict[str, str]
    task: Task | None = None
    stage: StagePlan | None = None
    after: frozenset[str] = frozenset()
    properties: tuple[str, ...] | None = None

    @property
    def provides(self) -> str:
        """Key of the shared stage, empty for a task."""
        return "" if self.stage is None else self.stage.key


@dataclass(frozen=True)
class Ended:
    """How a job ended; ``error`` is empty where it succeeded."""

    job: Job
    failure: FailureClass | None = None
    error: str = ""


@dataclass(frozen=True)
class Event:
    """What an observer is told: a job started, progressed or ended."""

    job: Job
    progress: Progress | None = None
    ended: Ended | None = None


@dataclass
class _Running:
    job: Job
    process: BaseProcess
    outcome: tuple[str, str] | None = None


@dataclass(frozen=True)
class Outcome:
    """The end of a campaign run: every job, and the runs with at least one finished replica."""

    ended: tuple[Ended, ...] = field(default=())

    @property
    def failures(self) -> tuple[Ended, ...]:
        """Jobs that failed."""
        return tuple(item for item in self.ended if item.failure is not None)


def jobs_of(plan: Plan) -> list[Job]:
    """Return the jobs of a campaign, shared stages first."""
    tasks = [(subject, run.replica(index)) for subject, run in plan.runs() for index in range(plan.replicas)]
    users: dict[str, int] = {}
    shared: dict[str, tuple[Subject, StagePlan]] = {}
    for subject, task in tasks:
        for stage in (*task.units, task.build):
            users[stage.key] = users.get(stage.key, 0) + 1
            shared.setdefault(stage.key, (subject, stage))
    jobs = []
    for key, (subject, stage) in shared.items():
        if users[key] > 1:
            after = frozenset(k for k in stage.inputs.values() if users.get(k, 0) > 1)
            jobs.append(Job(f"{title_of(subject)} {stage.name}", labels_of(plan, subject), stage=stage, after=after))
    for subject, task in tasks:
        after = frozenset(s.key for s in (*task.units, task.build) if users[s.key] > 1)
        name = f"{title_of(subject)} {task.run.temperature:g} K" + (
            f" #{task.replica + 1}" if plan.replicas > 1 else ""
        )
        jobs.append(
            Job(
                name,
                {**labels_of(plan, subject), "task": task.key},
                task=task,
                after=after,
                properties=plan.file.properties,
            )
        )
    return jobs


def title_of(subject: Subject) -> str:
    """Return what a person calls the polymer."""
    return subject.entry.name or subject.entry.text


def labels_of(plan: Plan, subject: Subject) -> dict[str, str]:
    """Return the names that rows of a polymer carry."""
    return {
        "polymer": subject.canonical,
        "key": subject.key,
        "name": subject.entry.name,
        "campaign": plan.file.name,
        **{name: text for name in ORIGIN if (text := getattr(plan.file, name))},
    }


def run_jobs(jobs: Sequence[Job], store: str, settings: Settings, observe: Callable[[Event], None]) -> Outcome:
    """Run jobs in child processes, as many at once as the machine carries.

    Parameters
    ----------
    jobs
        In order of preference; a job waits for the shared stages it names.
    store
        Store address.
    settings
        Platform, threads (None: divided among the processes), checkpoint interval.
    observe
        Receives events.

    Raises
    ------
    polyomics.errors.Interrupted
        SIGTERM or SIGINT arrived: the children have saved their state.
    """
    slots, settings = _share(settings, len(jobs))
    context = multiprocessing.get_context("spawn")
    messages: Any = context.Queue()
    waiting, ended = list(jobs), list[Ended]()
    running: dict[int, _Running] = {}
    provided: set[str] = {job.provides for job in jobs} - {""}
    with stop_on_signals() as stop:
        while waiting or running:
            if stop():
                _terminate(running.values())
                raise Interrupted("asked to stop")
            for job in [job for job in waiting if not job.after & provided][: slots - len(running)]:
                waiting.remove(job)
                number = jobs.index(job)
                process = context.Process(target=_child, args=(number, job, store, settings, messages), daemon=False)
                process.start()
                running[number] = _Running(job, process)
                observe(Event(job))
            _drain(messages, running, observe)
            for number, item in [(n, r) for n, r in running.items() if not r.process.is_alive()]:
                _drain(messages, running, observe)
                del running[number]
                end = _end_of(item, store)
                provided.discard(item.job.provides)
                ended.append(end)
                observe(Event(item.job, ended=end))
    return Outcome(tuple(ended))


def _share(settings: Settings, n_jobs: int) -> tuple[int, Settings]:
    """Return how many processes run at once, and the settings with each one's threads."""
    if choose_platform(settings.platform).name not in ("CPU", "Reference"):
        return 1, settings
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    # Half as many again as cores: three jobs of one thread share two cores evenly, where two then one would idle one.
    slots = max(1, min(cores + cores // 2, n_jobs))
    return slots, settings if settings.threads else replace(settings, threads=max(1, cores // slots))


def _drain(messages: Any, running: dict[int, _Running], observe: Callable[[Event], None]) -> None:
    deadline = time.monotonic() + POLL_SECONDS
    while True:
        try:
            number, payload = messages.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            return
        if number not in running:
            continue
        if isinstance(payload, Progress):
            observe(Event(running[number].job, progress=payload))
        else:
            running[number].outcome = payload


def _end_of(item: _Running, store: str) -> Ended:
    code = item.process.exitcode
    item.process.join()
    if item.outcome is not None:
        kind, message = item.outcome
        return Ended(item.job) if kind == "done" else Ended(item.job, FailureClass(kind), message)
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        kind = FailureClass.RESOURCE if -code == signal.SIGKILL else FailureClass.BUG
        cause = "probably out of memory" if kind is FailureClass.RESOURCE else "a crash"
        return Ended(item.job, kind, f"the process was ended by {name} ({cause})")
    return Ended(item.job, FailureClass.BUG, f"the process ended with exit code {code} and said nothing")


def _terminate(running: Iterator[_Running] | Any) -> None:
    items = list(running)
    for item in items:
        item.process.terminate()
    deadline = time.monotonic() + GRACE_SECONDS
    for item in items:
        item.process.join(max(0.0, deadline - time.monotonic()))
        if item.process.is_alive():
            item.process.kill()
            item.process.join()


def _child(number: int, job: Job, store: str, settings: Settings, messages: Any) -> None:
    """Run one job in a process of its own; the parent hears of progress and of the end."""
    with stop_on_signals() as stop:
        mine = replace(settings, stop=stop, report=lambda progress: messages.put((number, progress)))
        try:
            markers = MarkerStore(open_store(store))
            if job.stage is not None:
                run_stage(job.stage, markers, mine, job.labels)
            elif job.task is not None:
                run_task(job.task, markers, mine, job.labels, job.properties)
            outcome = ("done", "")
        except Interrupted:
            outcome = (FailureClass.INTERRUPTION.value, "asked to stop")
        except Exception as error:
            kind = failure_class_of(error)
            text = error.reason if isinstance(error, PolyOmicsError) else f"{type(error).__name__}: {error}"
            outcome = (kind.value, text)
    messages.put((number, outcome))
    messages.close()
    messages.join_thread()
    if outcome[0] != "done":
        raise SystemExit(FAILURES[FailureClass(outcome[0])].exit_code)
