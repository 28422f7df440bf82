"""What a pod runs: one shard of a manifest, several tasks at once, recorded in the ledger, interruptible always."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import time
from collections import deque
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from polyomics.campaign.control import is_cancelled
from polyomics.campaign.ledger import UNSAVED_LIMIT, Attempt, Ledger
from polyomics.campaign.manifest import Manifest, Shard, TaskLine, open_manifest, read_shard
from polyomics.campaign.slot import FIRST_INTERVAL, Job, Message, serve
from polyomics.campaign.synthetic import refuse_unless
from polyomics.campaign.taskstate import Progress
from polyomics.campaign.worklog import WorkLog
from polyomics.errors import FAILURES, FailureClass, TransientError
from polyomics.pipeline.execute import Settings
from polyomics.simulate.stop import stop_on_signals
from polyomics.store.markers import MarkerStore, now

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnContext
    from multiprocessing.process import BaseProcess

    from polyomics.store.interface import ObjectStore

GRACE_SECONDS = 6.0
"""What a process has to save its state after SIGTERM; the whole exit stays below ten seconds."""

ERROR_BUDGET = 3
"""Transient errors of one task, over all attempts, after which it is given up."""

ALONE_AFTER, POISON_AFTER = 2, 3
POLL_SECONDS = 0.25
_OOM = Path("/sys/fs/cgroup/memory.events")


@dataclass(frozen=True)
class Facts:
    """Where a worker runs, for the ledger; a pod learns it from its environment."""

    node: str = ""
    instance_type: str = ""
    capacity_type: str = ""
    region: str = ""
    queue_s: float | None = None
    pull_s: float | None = None
    price_per_hour: float | None = None
    price_date: str = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Facts:
        """Read ``POLYOMICS_NODE``, ``_INSTANCE_TYPE``, ``_CAPACITY_TYPE``, ``_REGION``, ``_QUEUE_S``, ``_PULL_S``."""

        def seconds(name: str) -> float | None:
            text = environment.get(f"POLYOMICS_{name}", "")
            return float(text) if text else None

        named = {n: environment.get(f"POLYOMICS_{n.upper()}", "") for n in ("instance_type", "capacity_type", "region")}
        price, date = _price(**named)
        node = environment.get("POLYOMICS_NODE") or socket.gethostname()
        return cls(node, **named, queue_s=seconds("QUEUE_S"), pull_s=seconds("PULL_S"), price_per_hour=price,
                   price_date=date)  # fmt: skip


def _price(instance_type: str, capacity_type: str, region: str) -> tuple[float | None, str]:
    """Return the hourly price of this very instance from the dated table, if it is there."""
    from polyomics.campaign.prices import table

    for price in table():
        if price.instance_type == instance_type and price.region == region:
            if capacity_type == "spot" and price.spot_low is not None and price.spot_high is not None:
                return 0.5 * (price.spot_low + price.spot_high), price.price_date
            return price.on_demand, price.price_date
    return None, ""


@dataclass(frozen=True)
class Options:
    """How a worker works.

    Parameters
    ----------
    checkpoint_interval
        Seconds; None lets it follow from what storing a checkpoint takes.
    max_seconds
        Stop by itself after so long, as if asked to.
    attempt_id
        Name of the attempt; by default a new one.
    processes
        Tasks at once; None: by platform.
    heartbeat
        Seconds between heartbeats, at which the cancel object is looked at too.
    stall
        Seconds without progress after which a task's process is ended.
    allow_synthetic
        Accept invented numbers.
    """

    checkpoint_interval: float | None = None
    max_seconds: float | None = None
    attempt_id: str | None = None
    processes: int | None = None
    heartbeat: float = 60.0
    stall: float = 1800.0
    allow_synthetic: bool = False


@dataclass
class Slot:
    """A process and what it does now."""

    process: BaseProcess
    channel: Connection
    ready: bool = False
    job: Job | None = None
    heard: float = field(default_factory=time.monotonic)


def work(address: str, number: int, options: Options, facts: Facts) -> int:
    """Do what is left of one shard.

    Parameters
    ----------
    address
        Of the manifest.
    number
        Of the shard.
    options, facts
        How and where.

    Returns
    -------
    int
        Exit code: 0 where everything is done (or the campaign is cancelled), else that of the failure class.

    Raises
    ------
    polyomics.errors.PolyOmicsError
        Nothing could be begun.
    """
    started = time.monotonic()
    store, manifest = open_manifest(address)
    refuse_unless(options.allow_synthetic, manifest.protocol["name"])
    shard = read_shard(store, manifest, number)
    markers = MarkerStore(store)
    left = [line for line in shard.tasks if markers.get(line.done) is None]
    if not left or is_cancelled(store, manifest.campaign):
        return 0
    with stop_on_signals() as stop:
        return _Worker(store, manifest, shard, left, options, facts, stop, started).run()


class _Worker:
    """The state of one attempt."""

    def __init__(
        self, store: ObjectStore, manifest: Manifest, shard: Shard, left: list[TaskLine], options: Options,
        facts: Facts, stop: Callable[[], bool], started: float,
    ) -> None:  # fmt: skip
        self.store, self.manifest, self.shard, self.options, self.facts = store, manifest, shard, options, facts
        self.stop, self.started = stop, started
        self.markers, self.ledger = MarkerStore(store), Ledger(store, manifest.campaign)
        self.lines = {line.task: line for line in left}
        self.attempt_id = options.attempt_id or uuid4().hex
        self.interval = min(options.checkpoint_interval or FIRST_INTERVAL, options.heartbeat)
        before = self.ledger.attempts(manifest.name, shard.number)
        states = self.ledger.task_states(before)
        self.opened = now()
        self.tasks = {task: Progress.after(line, states.get(task)) for task, line in self.lines.items()}
        self.tasks |= {line.task: Progress.done_before(line) for line in shard.tasks if line.task not in self.lines}
        self.platform = "synthetic" if manifest.synthetic is not None else manifest.spec["platform"]
        self.startup: float | None = None
        self.attempt: Attempt = self.ledger.open(manifest.name, shard.number, self.row())
        self.log = WorkLog(
            {"campaign": manifest.campaign, "attempt": self.attempt_id, "shard": shard.number, "node": facts.node}
        )
        self.shipped = 0
        self.before = [item for item in before if item.state != "ended"]
        self.close_stale()
        alive = any(item.state == "running" for item in self.before)
        todo = [progress for progress in self.tasks.values() if progress.state == "waiting"]
        if alive:  # somebody else may be at work from the front: begin at the back
            todo.reverse()
        self.queue: deque[Job] = deque(self.job_of(p) for p in todo if not p.alone)
        self.queue.extend(self.job_of(p) for p in todo if p.alone)
        self.slots: list[Slot] = []
        self.width = self.processes(len(todo))
        self.oom = _oom_kills()
        self.platform_broken = False
        self.context: SpawnContext = multiprocessing.get_context("spawn")

    # -- the loop ----------------------------------------------------------------------------------------------------

    def run(self) -> int:
        """Work until nothing is left or something asks to stop; returns the exit code."""
        self.log.say("attempt opened", number=self.attempt.number, tasks=len(self.queue), processes=self.width)
        for task, progress in self.tasks.items():
            if progress.state == "waiting" and progress.unsaved >= UNSAVED_LIMIT:
                self.give_up(task, "Stuck", "three interruptions in a row without a newer checkpoint", "bug", "failed")
        self.queue = deque(job for job in self.queue if self.tasks[job.line.task].state == "waiting")
        self.schedule_finishes()
        beaten, ended_by = time.monotonic(), "done"
        try:
            self.beat()
            while self.queue or any(slot.job for slot in self.slots):
                if self.stop():
                    ended_by = "interruption"
                    break
                if self.platform_broken:
                    ended_by = "platform"
                    break
                if self.options.max_seconds and time.monotonic() - self.started > self.options.max_seconds:
                    ended_by = "time limit"
                    break
                self.assign()
                self.listen()
                if time.monotonic() - beaten >= self.interval:
                    beaten = time.monotonic()
                    self.beat()
                    self.close_stale()
                    if is_cancelled(self.store, self.manifest.campaign):
                        ended_by = "cancelled"
                        break
        finally:
            self.interrupt_all()
        return self.close(ended_by)

    def assign(self) -> None:
        """Give waiting jobs to idle processes; a suspect runs with nobody beside it."""
        while self.queue:
            job, busy = self.queue[0], [slot for slot in self.slots if slot.job]
            suspect = any(slot.job is not None and self.tasks[slot.job.line.task].alone for slot in busy)
            alone = job.kind == "task" and self.tasks[job.line.task].alone
            if len(busy) >= self.width or suspect or (alone and busy):
                return
            slot = next((slot for slot in self.slots if slot.job is None), None) or self.start()
            self.queue.popleft()
            slot.job, slot.heard = job, time.monotonic()
            try:
                slot.channel.send(job)
            except OSError:  # it died idle: the sentinel tells next
                continue
            if job.kind == "task":
                self.tasks[job.line.task].begin()
                self.log.say("task begins", task=job.line.task, polymer=job.line.polymer)

    def listen(self) -> None:
        """Hear what processes say, and notice those that died or stand still."""
        watched: list[Any] = [item for slot in self.slots for item in (slot.channel, slot.process.sentinel)]
        wait(watched, timeout=POLL_SECONDS)
        for slot in list(self.slots):
            alive = slot.process.is_alive()
            self.drain(slot)
            if not alive:
                self.buried(slot)
            elif slot.job is not None and time.monotonic() - slot.heard > self.options.stall:
                self.stalled(slot)

    def drain(self, slot: Slot) -> None:
        """Take all messages of a process."""
        try:
            while slot.channel.poll():
                self.take(slot, slot.channel.recv())
        except (EOFError, OSError):
            return

    def take(self, slot: Slot, message: Message) -> None:
        """Act on one message."""
        slot.heard = time.monotonic()
        if message.kind == "ready":
            slot.ready = True
            if self.startup is None:
                self.startup = time.monotonic() - self.started
            return
        job = slot.job
        if job is None:
            return
        progress = self.tasks[job.line.task]
        if message.kind == "progress" and job.kind == "task":
            progress.report(**message.values)
        elif message.kind == "resumed":
            progress.resume(**message.values)
        elif message.kind == "saved":
            progress.save(**message.values)
            self.log.say("checkpoint", task=job.line.task, stage=progress.stage, **message.values)
        elif message.kind == "done":
            slot.job = None
            self.done(job)
        elif message.kind == "failed":
            slot.job = None
            self.failed(job, message.values)
        elif message.kind == "interrupted":
            slot.job = None
            progress.stop("interrupted")

    # -- how jobs end ------------------------------------------------------------------------------------------------

    def done(self, job: Job) -> None:
        """Note a job's success; the last task of a run in this shard lets the run be finished."""
        if job.kind == "finish":
            for line in job.computed:
                self.tasks[line.task].stop("done")
                self.log.say("task done", task=line.task, polymer=line.polymer)
            return
        self.tasks[job.line.task].stop("computed")
        self.schedule_finishes()

    def schedule_finishes(self) -> None:
        """Queue the finishing of every run of which nothing in this shard is still to be computed."""
        runs: dict[str, list[Progress]] = {}
        for progress in self.tasks.values():
            runs.setdefault(progress.line.run, []).append(progress)
        queued = {job.line.run for job in self.queue if job.kind == "finish"}
        queued |= {slot.job.line.run for slot in self.slots if slot.job is not None and slot.job.kind == "finish"}
        for run, members in runs.items():
            computed = tuple(p.line for p in members if p.state == "computed")
            if computed and run not in queued and not any(p.state in ("waiting", "running") for p in members):
                self.queue.appendleft(Job("finish", computed[0], self.shard.tier, computed))

    def failed(self, job: Job, values: dict[str, Any]) -> None:
        """Decide what a failure means: another try, fewer at once, or the end of the task."""
        task, kind = job.line.task, FailureClass(values["class"])
        progress = self.tasks[task]
        self.log.say(
            values["message"], level="error", task=task, stage=values["stage"], code=values["code"],
            traceback=values["traceback"], **{"class": kind.value},
        )  # fmt: skip
        progress.note_failure(kind.value, values)
        if kind is FailureClass.RESOURCE and self.width > 1 and _on_gpu(values["message"]):
            self.width = max(1, self.width // 2)
            self.log.say("GPU memory ran out: fewer tasks at once", level="warning", processes=self.width)
            if values["stage_key"]:
                self.markers.retry(values["stage_key"], "fewer tasks at once")
            self.again(job)
        elif kind is FailureClass.PLATFORM:
            self.platform_broken = True
            progress.stop("waiting")
        elif kind in (FailureClass.TRANSIENT, FailureClass.INTERRUPTION):
            progress.errors += 1
            if progress.errors < ERROR_BUDGET:
                self.again(job)
            else:
                self.give_up(task, values["code"], f"{ERROR_BUDGET} times: {values['message']}", kind.value, "failed")
        else:
            self.end_failed(task, "failed")

    def again(self, job: Job) -> None:
        """Put a job back."""
        if job.kind == "task":
            self.tasks[job.line.task].stop("waiting")
        self.queue.append(job)

    def end_failed(self, task: str, state: str) -> None:
        """End a task in this wave; its neighbours of the same run may be finished now."""
        self.tasks[task].stop(state)
        self.schedule_finishes()
        self.beat()

    def give_up(self, task: str, code: str, message: str, kind: str, state: str) -> None:
        """Record a failure of the task as a whole, which stands until it is retried."""
        line, progress = self.lines[task], self.tasks[task]
        stage = line.done
        self.markers.fail(
            stage,
            {"class": kind, "code": code, "message": message, "stage": "task", "task": task, "polymer": line.polymer,
             "key": line.key, "name": line.name, "campaign": self.manifest.campaign, "attempt": self.attempt_id,
             "host": self.facts.node, "remedy": "polyomics retry, after the cause is gone"},
        )  # fmt: skip
        progress.note_failure(kind, {"code": code, "message": message, "stage_key": stage, "stage": "task"})
        self.log.say(f"given up: {message}", level="error", task=task, code=code)
        self.end_failed(task, state)

    def buried(self, slot: Slot) -> None:
        """Account for a process that died."""
        slot.process.join()
        self.slots.remove(slot)
        slot.channel.close()
        job, code = slot.job, slot.process.exitcode
        if job is None:
            return
        task, out_of_memory = job.line.task, _oom_kills() > self.oom
        self.oom = _oom_kills()
        progress = self.tasks[task]
        how = signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"
        self.log.say(f"the process was ended by {how}", level="error", task=task, stage=progress.stage)
        if out_of_memory and self.width > 1:
            self.width = max(1, self.width // 2)
            self.again(job)
            return
        if out_of_memory:
            self.give_up(task, "ResourceError", "memory ran out", FailureClass.RESOURCE.value, "failed")
            return
        progress.crashes += 1
        if progress.crashes >= POISON_AFTER:
            self.give_up(task, "Poison", f"its process died {progress.crashes} times, lastly by {how}", "bug", "poison")
            return
        self.again(job)
        self.beat()

    def stalled(self, slot: Slot) -> None:
        """End a process that has made no progress; three times, and its task is stuck."""
        assert slot.job is not None
        task, job = slot.job.line.task, slot.job
        self.log.say(f"no progress for {self.options.stall:g} s", level="error", task=task)
        slot.process.kill()
        slot.process.join()
        self.slots.remove(slot)
        slot.channel.close()
        progress = self.tasks[task]
        progress.errors += 1
        if progress.errors >= ERROR_BUDGET:
            self.give_up(task, "Stuck", f"no progress for {self.options.stall:g} s, three times", "bug", "failed")
        else:
            self.again(job)

    # -- processes ---------------------------------------------------------------------------------------------------

    def processes(self, n_tasks: int) -> int:
        """Return how many tasks run at once."""
        if self.options.processes:
            return max(1, min(self.options.processes, max(1, n_tasks)))
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return max(1, min(4 if self.platform == "synthetic" else cores, max(1, n_tasks)))

    def start(self) -> Slot:
        """Start one more process."""
        ours, theirs = self.context.Pipe()
        cores = os.cpu_count() or 1
        settings = Settings(
            platform=self.manifest.spec["platform"], threads=max(1, cores // self.width),
            checkpoint_interval=self.options.checkpoint_interval or FIRST_INTERVAL,
        )  # fmt: skip
        process = self.context.Process(
            target=serve, daemon=True,
            args=(theirs, self.store.address, self.manifest, settings, self.options.checkpoint_interval is not None),
        )  # fmt: skip
        process.start()
        theirs.close()
        slot = Slot(process, ours)
        self.slots.append(slot)
        return slot

    def interrupt_all(self) -> None:
        """Let every process save its state and end; what does not within the grace period is ended."""
        for slot in self.slots:
            slot.process.terminate()
        deadline = time.monotonic() + GRACE_SECONDS
        for slot in self.slots:
            while slot.process.is_alive() and time.monotonic() < deadline:
                self.drain(slot)
                slot.process.join(0.05)
            self.drain(slot)
            if slot.process.is_alive():
                slot.process.kill()
                slot.process.join()
            slot.channel.close()
            if slot.job is not None:
                self.tasks[slot.job.line.task].stop("interrupted")
        self.slots = []

    # -- the ledger --------------------------------------------------------------------------------------------------

    def job_of(self, progress: Progress) -> Job:
        """Return the job that computes a task."""
        return Job("task", progress.line, self.shard.tier)

    def row(self) -> dict[str, Any]:
        """Return the attempt as it stands now, as a row of table ``attempts``."""
        tasks = {task: progress.as_dict() for task, progress in self.tasks.items()}
        wall = time.monotonic() - self.started
        speeds = [progress.ns_per_day for progress in self.tasks.values() if progress.ns_per_day]
        price = self.facts.price_per_hour
        return {
            "attempt_id": self.attempt_id, "campaign": self.manifest.campaign, "shard": str(self.shard.number),
            "node": self.facts.node, "instance_type": self.facts.instance_type,
            "capacity_type": self.facts.capacity_type, "region": self.facts.region, "platform": self.platform,
            "opened": self.opened, "steps_done": sum(p.advanced for p in self.tasks.values()),
            "steps_lost": sum(p.lost for p in self.tasks.values()), "ns_per_day": float(sum(speeds)),
            "queue_s": self.facts.queue_s, "pull_s": self.facts.pull_s, "startup_s": self.startup,
            "gpu_seconds": round(wall, 3), "wall_seconds": round(wall, 3), "price_per_hour": price,
            "cost": None if price is None else round(price * wall / 3600.0, 6),
            "currency": "USD" if price is not None else "", "price_date": self.facts.price_date,
            "details": {
                "manifest": self.manifest.name, "number": getattr(getattr(self, "attempt", None), "number", 0),
                "tier": self.shard.tier, "heartbeat": self.interval, "tasks": tasks, "beat": now(),
                "interval": self.options.checkpoint_interval or FIRST_INTERVAL,
                "predicted": self.shard.seconds,
                "organisation": self.manifest.organisation,
                "done": [t for t, p in self.tasks.items() if p.state == "done" and not p.earlier],
                "atom_steps": sum(p.line.atoms * p.advanced for p in self.tasks.values()),
                "processes": getattr(self, "width", 0),
            },
        }  # fmt: skip

    def beat(self) -> None:
        """Say that we are alive, and ship the log; a store that cannot be reached now is no reason to stop."""
        try:
            self.ship()
            self.ledger.beat(self.attempt, self.row())
        except TransientError as error:
            self.log.say(f"no heartbeat: {error}", level="warning")

    def ship(self) -> None:
        """Store what the log holds."""
        lines = self.log.take()
        if lines:
            self.shipped += 1
            self.ledger.ship(self.attempt, self.shipped, lines)

    def close_stale(self) -> None:
        """Close earlier attempts at this shard whose heartbeats have stopped."""
        if not self.before:
            return
        for item in self.ledger.attempts(self.manifest.name, self.shard.number):
            if item.state == "lost" and item.number != self.attempt.number:
                self.ledger.close_lost(item)
                self.log.say("closed an attempt that was lost", number=item.number)
        self.before = [
            item for item in self.ledger.attempts(self.manifest.name, self.shard.number)
            if item.state != "ended" and item.number != self.attempt.number
        ]  # fmt: skip

    def close(self, ended_by: str) -> int:
        """Close the attempt; returns the exit code."""
        kind = self.verdict(ended_by)
        self.log.say("attempt closed", ended_by=ended_by, **{"class": kind.value if kind else ""})
        message = next((p.message for p in self.tasks.values() if p.state in ("failed", "poison")), "")
        self.ship()
        row = {
            **self.row(), "closed": now(), "ended_by": ended_by, "class": kind.value if kind else "",
            "message": message, "log": f"{self.attempt.prefix}log-{self.shipped:06d}.jsonl",
        }  # fmt: skip
        self.ledger.close(self.attempt, row)
        return 0 if kind is None else FAILURES[kind].exit_code

    def verdict(self, ended_by: str) -> FailureClass | None:
        """Return the class to exit with: what can be tried again comes before what cannot."""
        if ended_by == "cancelled":
            return None
        if ended_by in ("interruption", "time limit"):
            return FailureClass.INTERRUPTION
        if ended_by == "platform":
            return FailureClass.PLATFORM
        failures = [p for p in self.tasks.values() if p.state in ("failed", "poison")]
        classes = [FailureClass(p.failure) for p in failures]
        final = [kind for kind in classes if not FAILURES[kind].retry]
        if final:
            return final[0]
        # Its error budget is spent: a code that says "try again" would be a lie.
        return FailureClass.PLATFORM if classes else None


def _on_gpu(message: str) -> bool:
    return any(name in message for name in ("CUDA", "OpenCL", "HIP", "device memory"))


def _oom_kills() -> int:
    """Return how many processes of this container the kernel has ended for want of memory."""
    try:
        lines = _OOM.read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))
