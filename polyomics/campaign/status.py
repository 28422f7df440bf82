"""What became of a campaign, read from the ledger alone: it answers when the cluster is gone."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from polyomics.campaign.control import check_campaign, is_cancelled
from polyomics.campaign.ledger import Attempt, Ledger, end_key
from polyomics.campaign.manifest import Manifest, manifests
from polyomics.campaign.prices import CURRENCY
from polyomics.errors import NotFoundError
from polyomics.store import layout
from polyomics.store.catalog import latest
from polyomics.store.markers import read_many

if TYPE_CHECKING:
    from collections.abc import Iterable

    from polyomics.store.interface import ObjectStore

INTERRUPTED = ("interruption", "lost", "time limit")
GROUPS = ("polymer", "stage", "class", "organisation")
ATTEMPT_COLUMNS = (
    "attempt_id", "shard", "state", "ended_by", "class", "node", "instance_type", "capacity_type", "platform", "region",
    "opened", "closed", "steps_done", "steps_lost", "ns_per_day", "queue_s", "pull_s", "startup_s", "calibration_s",
    "gpu_seconds", "price_per_hour", "cost", "currency", "price_date", "message", "log", "tasks",
)  # fmt: skip


def status(store: ObjectStore, campaign: str) -> dict[str, Any]:
    """Return the state of a campaign with the keys of the command line's contract.

    Parameters
    ----------
    store, campaign
        Which.

    Raises
    ------
    NotFoundError
        The store knows no such planned campaign.
    """
    check_campaign(store, campaign)
    newest = manifests(store, campaign)[-1][1]
    ledger = Ledger(store, campaign)
    attempts = ledger.attempts()
    states = ledger.task_states(attempts)
    cancelled = is_cancelled(store, campaign)
    counts = Counter(state.state for state in states.values())
    total = max(newest.finished + newest.tasks, len(states))
    untouched = total - sum(counts[name] for name in ("done", "failed", "poison", "running"))
    sequence = latest(store)
    rows = [item.row for item in attempts]
    done = counts["done"] + max(0, newest.finished - sum(s.state == "done" for s in states.values()))
    done = min(done, total)
    waiting = max(0, untouched - (done - counts["done"]))
    return {
        "campaign": campaign,
        "state": _state(cancelled, attempts, counts, waiting),
        "as_of": _now(),
        "snapshot": f"{sequence:020d}" if sequence else None,
        "tasks": {
            "total": total, "done": done, "failed": counts["failed"], "running": counts["running"],
            "waiting": 0 if cancelled else waiting, "cancelled": waiting if cancelled else 0,
            "poison": counts["poison"],
        },
        "shards": _shards(newest, attempts),
        "attempts": len(attempts),
        "ended_by": dict(Counter(row.get("ended_by") or item.state for row, item in zip(rows, attempts, strict=True))),
        "interruptions": sum(row.get("ended_by") in INTERRUPTED for row in rows)
        + sum(item.state == "lost" for item in attempts),
        "steps_lost": sum(row.get("steps_lost") or 0 for row in rows),
        "gpu_seconds": round(sum(row.get("gpu_seconds") or 0.0 for row in rows), 3),
        "gpu_seconds_wasted": round(sum(_wasted(row) for row in rows), 3),
        "cost": _cost(rows),
        "ns_per_day": round(sum(item.row.get("ns_per_day") or 0.0 for item in attempts if item.state == "running"), 3),
        "eta": _eta(newest, attempts, waiting + counts["running"], total),
        "publish_lag_s": _lag(store, sequence, attempts),
        "blocked": _blocked(states.values()),
    }  # fmt: skip


def attempts_of(store: ObjectStore, campaign: str, task: str | None = None) -> list[dict[str, Any]]:
    """Return the rows of a campaign's attempts, all or those that worked on one task."""
    check_campaign(store, campaign)
    rows = []
    for item in Ledger(store, campaign).attempts():
        if task is not None and not any(key.startswith(task) for key in item.tasks):
            continue
        row = {**item.row, "state": item.state, "tasks": {k: v["state"] for k, v in item.tasks.items()}}
        rows.append({name: row.get(name) for name in ATTEMPT_COLUMNS})
    return rows


def errors(store: ObjectStore, campaign: str) -> list[dict[str, Any]]:
    """Return failures grouped by class, code and message without its numbers, each with one exemplar and its log."""
    check_campaign(store, campaign)
    groups: dict[tuple[str, str, str], dict[str, Any]] = {}
    for item in Ledger(store, campaign).attempts():
        for task, seen in item.tasks.items():
            if seen["state"] not in ("failed", "poison"):
                continue
            message = seen.get("message", "")
            key = (seen.get("failure", ""), seen.get("code", ""), normalised(message))
            group = groups.setdefault(
                key,
                {"class": key[0], "code": key[1], "message": message, "count": 0, "task": task,
                 "attempt": item.row["attempt_id"], "log": item.logs[-1] if item.logs else None, "tasks": set()},
            )  # fmt: skip
            group["tasks"].add(task)
    for group in groups.values():
        group["count"] = len(group.pop("tasks"))
    return sorted(groups.values(), key=lambda group: (-group["count"], group["class"], group["message"]))


def normalised(message: str) -> str:
    """Return a message without what differs from task to task: numbers and keys."""
    return re.sub(r"\b[0-9a-f]{16,}\b|[-+]?\d+(\.\d+)?([eE][-+]?\d+)?", "#", message)


def cost(store: ObjectStore, campaign: str, by: str = "polymer") -> list[dict[str, Any]]:
    """Return GPU-seconds and money per polymer, stage, class of end or organisation.

    Parameters
    ----------
    store, campaign
        Which.
    by
        One of ``polymer``, ``stage``, ``class``, ``organisation``. An attempt's time is shared out among its tasks by
        the seconds that each of them ran, so that the sums over any grouping are the same.
    """
    check_campaign(store, campaign)
    sums: dict[str, list[Any]] = {}
    for item in Ledger(store, campaign).attempts():
        row = item.row
        for name, share in _shares(item, by).items():
            entry = sums.setdefault(name, [0.0, 0.0, "", 0, False])
            entry[0] += share * (row.get("gpu_seconds") or 0.0)
            entry[1] += share * (row.get("cost") or 0.0)
            entry[2] = max(entry[2], row.get("price_date") or "")
            entry[3] += 1
            entry[4] = entry[4] or row.get("cost") is not None
    return [
        {by: name, "attempts": n, "gpu_seconds": round(seconds, 3),
         "cost": {"amount": round(amount, 4), "currency": CURRENCY, "price_date": date} if priced else None}
        for name, (seconds, amount, date, n, priced) in sorted(sums.items(), key=lambda pair: (-pair[1][0], pair[0]))
    ]  # fmt: skip


def logs(store: ObjectStore, task: str, campaign: str | None = None) -> list[dict[str, Any]]:
    """Return the shipped log lines that concern one task, in order.

    Parameters
    ----------
    store
        The store.
    task
        Its key, or the beginning of it.
    campaign
        Where to look; default: all campaigns.

    Raises
    ------
    NotFoundError
        No attempt has worked on the task.
    """
    names = [campaign] if campaign else _campaigns(store)
    found: list[dict[str, Any]] = []
    known = False
    for name in names:
        for item in Ledger(store, name).attempts():
            if not any(key.startswith(task) for key in item.tasks):
                continue
            known = True
            for _, data in read_many(store, item.logs):
                lines = (json.loads(line) for line in (data or b"").decode().splitlines())
                found += [line for line in lines if not line["task"] or line["task"].startswith(task)]
    if not known:
        raise NotFoundError("no attempt has worked on this task", subject=task, remedy="polyomics status CAMPAIGN")
    return sorted(found, key=lambda line: line["time"])


def _campaigns(store: ObjectStore) -> list[str]:
    return sorted({info.key.split("/")[1] for info in store.list(layout.ATTEMPTS)})


def _state(cancelled: bool, attempts: list[Attempt], counts: Counter[str], waiting: int) -> str:
    if any(item.state == "running" for item in attempts):
        return "cancelling" if cancelled else "running"
    if cancelled and waiting:
        return "cancelled"
    if waiting:
        return "waiting"
    return "done with failures" if counts["failed"] + counts["poison"] else "done"


def _shards(newest: Manifest, attempts: list[Attempt]) -> dict[str, int]:
    last: dict[int, Attempt] = {}
    for item in attempts:
        if item.manifest == newest.name:
            last[item.shard] = item
    counts = Counter(
        "running" if item.state == "running"
        else "waiting" if item.state == "lost" or item.row.get("ended_by") != "done"
        else "failed" if item.row.get("class") else "done"
        for item in last.values()
    )  # fmt: skip
    waiting = newest.shards - sum(counts.values()) + counts["waiting"]
    return {"total": newest.shards, **{n: counts[n] for n in ("done", "failed", "running")}, "waiting": waiting}


def _wasted(row: dict[str, Any]) -> float:
    """Return the GPU-seconds of steps that were lost, and of tasks that failed."""
    tasks = row["details"].get("tasks", {}).values()
    busy = sum(seen.get("seconds", 0.0) for seen in tasks) or 1.0
    failed = sum(seen.get("seconds", 0.0) for seen in tasks if seen["state"] in ("failed", "poison"))
    lost, advanced = row.get("steps_lost") or 0, row.get("steps_done") or 0
    share = failed / busy + (1.0 - failed / busy) * (lost / advanced if advanced else 0.0)
    return float(row.get("gpu_seconds") or 0.0) * float(min(1.0, share))


def _cost(rows: Iterable[dict[str, Any]]) -> dict[str, Any] | None:
    priced = [row for row in rows if row.get("cost") is not None]
    if not priced:
        return None
    return {
        "amount": round(sum(row["cost"] for row in priced), 4), "currency": CURRENCY,
        "price_date": max(row["price_date"] or "" for row in priced),
    }  # fmt: skip


def _eta(newest: Manifest, attempts: list[Attempt], left: int, total: int) -> str | None:
    """Return when the work would end at the present number of workers; None while nobody works."""
    running = sum(item.state == "running" for item in attempts)
    if not left or not running or not total:
        return None
    seconds = sum(wave.seconds for wave in newest.waves) * left / max(1, newest.tasks) / running
    return (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _lag(store: ObjectStore, sequence: int, attempts: list[Attempt]) -> float | None:
    """Return the age of the oldest closed attempt that no snapshot holds yet; 0 where all are published."""
    ended = [item for item in attempts if item.state == "ended"]
    if not ended:
        return 0.0
    published = store.head(layout.catalog_key(sequence)).modified if sequence else 0.0  # type: ignore[union-attr]
    markers = (store.head(layout.marker_key(end_key(item))) for item in ended if item.seen > published - 3600.0)
    unpublished = [info.modified for info in markers if info is not None and info.modified > published]
    return round(max(0.0, time.time() - min(unpublished)), 1) if unpublished else 0.0


def _blocked(states: Iterable[Any]) -> list[dict[str, Any]]:
    counts = Counter(
        "poison" if state.state == "poison" else str(state.history[-1].get("code") or state.failure)
        for state in states
        if state.state in ("failed", "poison")
    )
    return [{"reason": reason, "count": count} for reason, count in counts.most_common()]


def _shares(item: Attempt, by: str) -> dict[str, float]:
    details = item.row["details"]
    if by == "organisation":
        return {str(details.get("organisation", "")): 1.0}
    if by == "class":
        return {str(item.row.get("class") or item.row.get("ended_by") or item.state): 1.0}
    spent: Counter[str] = Counter()
    for seen in item.tasks.values():
        if by == "polymer":
            spent[seen["polymer"]] += seen.get("seconds", 0.0)
        else:
            spent.update(seen.get("stages", {}))
    total = sum(spent.values())
    return {name: seconds / total for name, seconds in spent.items() if seconds} if total else {"": 1.0}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
