"""The ledger: one record per attempt of a shard, opened create-only, closed once, by whoever comes next if need be."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from polyomics.errors import FailureClass
from polyomics.pipeline.keys import content_key
from polyomics.store import canonical, layout
from polyomics.store.interface import Marker
from polyomics.store.markers import MarkerStore, decode_marker, now, read_many

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from polyomics.store.interface import ObjectStore

STALE_BEATS = 3.0
"""An attempt that has missed so many heartbeats is lost."""

PATIENCE_SECONDS = 60.0
"""Beyond two checkpoint intervals, what a task may run without a checkpoint before an interruption is its own fault."""

STAGE = "attempt"
VERSION = 1
UNSAVED_LIMIT = 3
"""Interruptions in a row without a newer checkpoint after which a task is stuck."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Attempt:
    """One attempt as the ledger holds it.

    Parameters
    ----------
    prefix
        Of its objects: ``attempts/<campaign>/<manifest>/<shard>/<number>/``.
    manifest, shard, number
        Which shard, and the how many-th attempt at it, from 1.
    row
        Row of table ``attempts``: as closed, else as of the last heartbeat, else as opened.
    state
        ``running``, ``ended`` or ``lost`` (its heartbeats have stopped and nobody has closed it yet).
    seen
        When the store last heard of it, by the store's clock.
    logs
        Keys of its log objects in order.
    """

    prefix: str
    manifest: str
    shard: int
    number: int
    row: Row
    state: str
    seen: float
    logs: tuple[str, ...] = ()

    @property
    def tasks(self) -> dict[str, Row]:
        """What is known of its tasks, by task key."""
        found: dict[str, Row] = self.row["details"].get("tasks", {})
        return found


@dataclass
class TaskState:
    """What all attempts together say of one task.

    Parameters
    ----------
    state
        ``waiting``, ``running``, ``done``, ``failed`` or ``poison``.
    tier
        Memory tier of its last attempt.
    failure
        Class of its failure.
    stages
        Keys of the stages whose failure stands in its way.
    crashes, errors, unsaved
        Charges since the last retry: process deaths, other errors, interruptions in a row without a newer checkpoint.
    """

    state: str = "waiting"
    tier: int = 0
    failure: str = ""
    stages: tuple[str, ...] = ()
    crashes: int = 0
    errors: int = 0
    unsaved: int = 0
    history: list[Row] = field(default_factory=list)


class Ledger:
    """Attempts of one campaign.

    Parameters
    ----------
    store
        The store.
    campaign
        Its name.
    """

    def __init__(self, store: ObjectStore, campaign: str) -> None:
        self.store = store
        self.campaign = layout.check_name(campaign, "campaign")
        self._prefix = f"{layout.ATTEMPTS}{campaign}/"

    def open(self, manifest: str, shard: int, row: Row) -> Attempt:
        """Open an attempt before any work: its number is taken by creating an object, so no two share one."""
        number = 1 + max((item.number for item in self._numbers(manifest, shard)), default=0)
        while True:
            prefix = f"{self._prefix}{manifest}/{shard:06d}/{number:04d}/"
            data = canonical.encode(row)
            if self.store.create(f"{prefix}open.json", data):
                info = self.store.head(f"{prefix}open.json")
                return Attempt(
                    prefix, manifest, shard, number, row, "running", info.modified if info is not None else time.time()
                )
            number += 1

    def beat(self, attempt: Attempt, row: Row) -> None:
        """Say that an attempt is alive, and how far it is."""
        self.store.put(f"{attempt.prefix}beat.json", canonical.encode(row))

    def close(self, attempt: Attempt, row: Row) -> Row:
        """Close an attempt by a create-only marker, which also publishes its row; returns what the store holds.

        The first to close wins: an attempt that was taken for lost and comes back changes nothing.
        """
        marker = Marker(
            stage_key=end_key(attempt), stage=STAGE, version=VERSION,
            parameters={"campaign": self.campaign, "manifest": attempt.manifest, "shard": attempt.shard,
                        "number": attempt.number},
            inputs={}, rows={"attempts": [row]},
        )  # fmt: skip
        stored = MarkerStore(self.store).commit(marker)
        return _decoded(stored.rows["attempts"][0])

    def close_lost(self, attempt: Attempt, ended_by: str = "lost", message: str = "") -> Row:
        """Close an attempt whose worker is gone, from its last heartbeat and what the cluster says."""
        return self.close(attempt, lost_row(attempt, ended_by, message))

    def ship(self, attempt: Attempt, number: int, lines: bytes) -> str:
        """Store log lines as the next object of an attempt; returns its key."""
        key = f"{attempt.prefix}log-{number:06d}.jsonl"
        self.store.put(key, lines)
        return key

    def attempts(self, manifest: str | None = None, shard: int | None = None) -> list[Attempt]:
        """Return attempts in order of shard and number: one listing, and up to three reads for each."""
        prefix = self._prefix + (f"{manifest}/" if manifest else "") + (f"{shard:06d}/" if shard is not None else "")
        names: dict[str, dict[str, float]] = {}
        newest = 0.0
        for info in self.store.list(prefix):
            folder, _, name = info.key.rpartition("/")
            if len(folder.split("/")) == 5:
                names.setdefault(folder + "/", {})[name] = info.modified
                newest = max(newest, info.modified)
        opened = [folder for folder, found in sorted(names.items()) if "open.json" in found]
        return list(self._read(opened, names, max(newest, time.time() if manifest is None else newest)))

    def ended(self) -> Iterator[Row]:
        """Yield the rows of closed attempts, their details decoded."""
        yield from (item.row for item in self.attempts() if item.state == "ended")

    def forgive(self, tasks: Iterable[str]) -> None:
        """Forget what was charged to tasks up to now (``polyomics retry``)."""
        body = canonical.encode({"time": now(), "tasks": sorted(tasks)})
        self.store.create(f"{self._prefix}retries/{uuid4().hex}.json", body)

    def task_states(self, attempts: Iterable[Attempt] | None = None) -> dict[str, TaskState]:
        """Return what all attempts say of each task that has ever been worked on."""
        forgiven: dict[str, str] = {}
        for _, data in read_many(self.store, [info.key for info in self.store.list(f"{self._prefix}retries/")]):
            if data is not None:
                value = canonical.decode(data)
                for task in value["tasks"]:
                    forgiven[task] = max(forgiven.get(task, ""), value["time"])
        states: dict[str, TaskState] = {}
        ordered = sorted(self.attempts() if attempts is None else attempts, key=lambda item: item.row["opened"])
        for attempt in ordered:
            for task, seen in attempt.tasks.items():
                state = states.setdefault(task, TaskState())
                if (attempt.row.get("closed") or attempt.row["opened"]) < forgiven.get(task, ""):
                    state.state = "done" if seen["state"] == "done" else "waiting"
                    continue
                _charge(state, attempt, seen)
        return states

    def _numbers(self, manifest: str, shard: int) -> list[Attempt]:
        found = []
        for info in self.store.list(f"{self._prefix}{manifest}/{shard:06d}/"):
            if info.key.endswith("/open.json"):
                number = int(info.key.split("/")[-2])
                found.append(Attempt(info.key[: -len("open.json")], manifest, shard, number, {}, "", info.modified))
        return found

    def _read(self, folders: list[str], names: dict[str, dict[str, float]], clock: float) -> Iterator[Attempt]:
        ids = [_identity(folder) for folder in folders]
        marker_keys = [layout.marker_key(content_key("attempt", self.campaign, *parts)) for parts in ids]
        last = [f"{f}beat.json" if "beat.json" in names[f] else f"{f}open.json" for f in folders]
        ends = read_many(self.store, marker_keys)
        beats = read_many(self.store, last)
        for folder, parts, (_, end), (_, beat) in zip(folders, ids, ends, beats, strict=True):
            seen = max(names[folder].values())
            logs = tuple(f"{folder}{name}" for name in sorted(names[folder]) if name.startswith("log-"))
            if end is not None:
                row, state = _decoded(decode_marker(end).rows["attempts"][0]), "ended"
            else:
                row = _decoded(canonical.decode(beat or b"{}"))
                silent = clock - seen > STALE_BEATS * float(row["details"].get("heartbeat", 60.0))
                state = "lost" if silent else "running"
            yield Attempt(folder, parts[0], parts[1], parts[2], row, state, seen, logs)


def end_key(attempt: Attempt) -> str:
    """Return the key of the stage whose marker closes an attempt."""
    campaign = attempt.prefix.split("/")[1]
    return content_key("attempt", campaign, attempt.manifest, attempt.shard, attempt.number)


def lost_row(attempt: Attempt, ended_by: str = "lost", message: str = "") -> Row:
    """Return the closing row of an attempt that cannot close itself."""
    row = {**attempt.row, "details": {**attempt.row["details"]}}
    tasks = {key: dict(value) for key, value in attempt.tasks.items()}
    lost = 0
    for seen in tasks.values():
        if seen["state"] == "running":
            seen["state"] = "interrupted"
            lost += max(0, seen.get("steps", 0) - seen.get("saved", 0))
    row["details"]["tasks"] = tasks
    kind = FailureClass.RESOURCE if ended_by == "resource" else FailureClass.INTERRUPTION
    row |= {
        "closed": row.get("closed") or now(), "ended_by": ended_by, "class": kind.value,
        "message": message or "its heartbeats stopped", "steps_lost": (row.get("steps_lost") or 0) + lost,
    }  # fmt: skip
    return row


def _charge(state: TaskState, attempt: Attempt, seen: Row) -> None:
    details = attempt.row["details"]
    name = str(seen["state"])
    if state.state == "done":
        return
    if name == "running" and attempt.state == "lost":
        name = "interrupted"
    state.history.append(seen)
    state.tier = int(details.get("tier", 0))
    state.crashes += seen.get("crashes", 0)
    state.errors += seen.get("errors", 0)
    if name == "interrupted":
        # Interrupted before its first checkpoint was well overdue is nobody's fault: killed pods are not stuck tasks.
        overdue = 2.0 * float(details.get("interval", 60.0)) + PATIENCE_SECONDS
        ran = seen.get("seconds", 0.0) - seen.get("stages", {}).get("start", 0.0)
        state.unsaved = 0 if seen.get("kept", 0) else state.unsaved + (ran > overdue)
    state.failure = seen.get("failure", "")
    state.stages = (seen["stage_key"],) if seen.get("stage_key") else ()
    state.state = {"interrupted": "waiting", "computed": "waiting"}.get(name, name)


def _identity(folder: str) -> tuple[str, int, int]:
    _, _, manifest, shard, number, _ = folder.split("/")
    return manifest, int(shard), int(number)


def _decoded(row: Row) -> Row:
    details = row.get("details") or {}
    return {**row, "details": canonical.decode(details.encode()) if isinstance(details, str) else details}
