"""Steering a campaign without a cluster: the cancel object that workers look at, resuming, and lifting failures."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from polyomics.campaign.ledger import Ledger
from polyomics.campaign.manifest import manifests
from polyomics.errors import NotFoundError, TransientError
from polyomics.store import canonical, layout
from polyomics.store.markers import MarkerStore, now

if TYPE_CHECKING:
    from polyomics.store.interface import ObjectStore

_TRIES = 20


def control_key(campaign: str) -> str:
    """Return the key of the one object that says whether a campaign may run."""
    return layout.check_key(f"{layout.CAMPAIGNS}{campaign}/control.json")


def is_cancelled(store: ObjectStore, campaign: str) -> bool:
    """Whether a campaign has been cancelled and not resumed: one request."""
    try:
        return bool(canonical.decode(store.get(control_key(campaign)))["state"] == "cancelled")
    except NotFoundError:
        return False


def cancel(store: ObjectStore, campaign: str, *, wait: float = 0.0) -> dict[str, int]:
    """Ask all workers of a campaign to save and stop; they look at least once per checkpoint interval.

    Parameters
    ----------
    store, campaign
        Which.
    wait
        Seconds to wait for running attempts to end.

    Returns
    -------
    dict
        ``selected``: attempts that were running; ``skipped``: those that still are.
    """
    check_campaign(store, campaign)
    _set(store, campaign, "cancelled")
    ledger = Ledger(store, campaign)
    running = sum(item.state == "running" for item in ledger.attempts())
    left, deadline = running, time.monotonic() + wait
    while wait and left and time.monotonic() < deadline:
        time.sleep(min(2.0, wait))
        left = sum(item.state == "running" for item in ledger.attempts())
    return {"selected": running, "skipped": left if wait else 0}


def resume(store: ObjectStore, campaign: str) -> dict[str, int]:
    """Let a cancelled campaign run again; ``selected`` counts its unfinished tasks."""
    check_campaign(store, campaign)
    was = is_cancelled(store, campaign)
    if was:
        _set(store, campaign, "running")
    newest = manifests(store, campaign)[-1][1]
    states = Ledger(store, campaign).task_states()
    open_ones = newest.tasks - sum(state.state in ("done", "failed", "poison") for state in states.values())
    return {"selected": max(0, open_ones) if was else 0, "skipped": 0 if was else max(0, open_ones)}


def retry(store: ObjectStore, campaign: str, kind: str | None = None) -> dict[str, int]:
    """Lift standing failures, so that the next worker of the shard, or the next plan, tries the tasks again.

    Parameters
    ----------
    store, campaign
        Which.
    kind
        Only failures of this class, or ``poison`` or ``stuck``; None for all.
    """
    check_campaign(store, campaign)
    ledger, markers = Ledger(store, campaign), MarkerStore(store)
    chosen, skipped = [], 0
    for task, state in ledger.task_states().items():
        if state.state not in ("failed", "poison"):
            continue
        names = {state.failure, state.state, *(str(seen.get("code", "")).lower() for seen in state.history[-1:])}
        if kind is not None and kind not in names:
            skipped += 1
            continue
        for stage in state.stages:
            markers.retry(stage, "polyomics retry")
        chosen.append(task)
    if chosen:
        ledger.forgive(chosen)
    return {"selected": len(chosen), "skipped": skipped}


def check_campaign(store: ObjectStore, campaign: str) -> None:
    """Raise NotFoundError where a store has no manifest of a campaign."""
    for _ in store.list(f"{layout.CAMPAIGNS}{campaign}/manifests/"):
        return
    raise NotFoundError(
        f"there is no planned campaign {campaign!r}", subject=store.address, field="campaign",
        remedy="polyomics plan FILE --write",
    )  # fmt: skip


def _set(store: ObjectStore, campaign: str, state: str) -> dict[str, Any]:
    key = control_key(campaign)
    value = {"state": state, "time": now()}
    for _ in range(_TRIES):
        present = store.head(key)
        data = canonical.encode(value)
        if store.create(key, data) if present is None else store.replace(key, data, present.etag) is not None:
            return value
    raise TransientError("others were faster each time", subject=key, remedy="try again")
