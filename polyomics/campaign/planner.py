"""From a campaign file to a manifest with its price, before anything is spent; the same file gives the same plan."""

from __future__ import annotations

import resource
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyomics.campaign.candidates import FULL_CHECK, Candidate, read_all, spot_check
from polyomics.campaign.costmodel import CostModel, default_model, fit
from polyomics.campaign.file import CampaignFile, PolymerTable, SyntheticSection, read_campaign
from polyomics.campaign.ledger import Ledger
from polyomics.campaign.manifest import (
    SHARDS_PER_WAVE,
    Manifest,
    Shard,
    TaskLine,
    pack,
    write_manifest,
    write_wave,
)
from polyomics.campaign.planning import Rejected, check_properties, load_campaign_protocol, table_rows
from polyomics.campaign.prices import (
    S3_DATE,
    S3_GB_MONTH,
    S3_PER_1000_GET,
    S3_PER_1000_PUT,
    Price,
    money,
    prices_of,
)
from polyomics.campaign.run import store_address
from polyomics.campaign.synthetic import refuse_unless
from polyomics.campaign.taskkey import recipe_of
from polyomics.errors import InputError, NotFoundError
from polyomics.forcefield.charges import METHODS
from polyomics.pipeline.work import DEFAULT_RECIPE
from polyomics.store.address import open_store
from polyomics.store.markers import MarkerStore
from polyomics.store.sql import open as open_database

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polyomics.campaign.candidates import Entry
    from polyomics.simulate.protocol import Protocol
    from polyomics.store.interface import ObjectStore

RETRY_TIER = 1
MEGABYTES_PER_TASK = {"none": 1.5, "cells": 4.0, "frames": 22.0}
"""Stored per 10,000 atoms: records, State and System; thinned frames; all frames (design decision 14)."""

HEARTBEAT_SECONDS = 60.0
CHECKPOINT_SECONDS = 300.0


@dataclass
class Draft:
    """A campaign read and cut into shards; nothing has been written.

    Parameters
    ----------
    file, base, protocol
        What was asked for.
    manifest
        The plan; its waves exist only once written.
    candidates
        Accepted polymers in order.
    rejected
        Refused entries.
    duplicates, done
        Entries that are another's polymer; tasks that are done already.
    failed
        Tasks that failed for good: they are planned again after ``retry``.
    model, prices
        What the figures rest on.
    """

    file: CampaignFile
    base: Path
    protocol: Protocol
    manifest: Manifest
    model: CostModel
    prices: list[Price]
    candidates: list[Candidate] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    duplicates: int = 0
    done: int = 0
    failed: int = 0
    escalated: list[tuple[str, str]] = field(default_factory=list)
    checked: str = "full"


def plan(path: str | Path, *, write: bool = False, allow_synthetic: bool = False) -> dict[str, Any]:
    """Plan a campaign and say what it takes.

    Parameters
    ----------
    path
        Campaign file.
    write
        Store the manifest (create-only; the same plan twice is one object) unless it is over budget.
    allow_synthetic
        Accept ``protocol: synthetic``.

    Returns
    -------
    dict
        The keys of the command line's contract and ``price_regions``, ``cost_model``, ``checked``, ``instance_type``,
        ``failed``, ``seconds``, ``peak_mb``; with ``write`` and within budget ``manifest``, its address.

    Raises
    ------
    polyomics.errors.InputError
        The file is wrong as a whole.
    """
    started = time.monotonic()
    file, base = read_campaign(path), Path(path).resolve().parent
    refuse_unless(allow_synthetic, file.protocol)
    store = _existing(file, base)
    draft = read_draft(file, base, store)
    shards = list(pack(_tiers(draft, store), file.shard_minutes * 60.0))
    result = _summary(draft, shards)
    if write and not result["over_budget"] and shards:
        result["manifest"] = write_plan(draft, shards)
    result["seconds"] = round(time.monotonic() - started, 2)
    result["peak_mb"] = round(
        max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1024, 1
    )
    return result


def read_draft(file: CampaignFile, base: Path, store: ObjectStore | None) -> Draft:
    """Read and check a campaign's polymers; see :class:`Draft`."""
    protocol = load_campaign_protocol(file, base)
    charges = protocol.charges if file.charges == "default" else file.charges
    check_properties(file)
    if charges not in METHODS:
        raise InputError(
            f"{charges!r} is no charge method", field="charges", remedy=f"default or one of {', '.join(METHODS)}"
        )
    section = file.synthetic or (SyntheticSection() if file.protocol == "synthetic" else None)
    file = file.model_copy(update={"synthetic": section})
    wanted = DEFAULT_RECIPE.wanted(file.properties)
    recipe = recipe_of(
        [(e.name, e.version) for e in wanted],
        file.properties,
        section.model_dump(mode="json", exclude={"faults"}) if section else None,
    )
    prices = prices_of(file.instance_type, base / file.prices if file.prices else None)
    model = default_model(prices[0].gpu)
    if store is not None:
        model = fit(Ledger(store, file.name).ended(), file.instance_type, prices[0].gpu)
    replicas = file.replicas or protocol.replicas
    spec = file.model_dump(mode="json", exclude={"polymers"})
    manifest = Manifest(
        file.name, file.organisation, spec, protocol.model_dump(mode="json"), charges, replicas, recipe, ()
    )
    draft = Draft(file, base, protocol, manifest, model, prices)
    entries, count = _entries(file, base)
    full = count <= FULL_CHECK and section is None
    draft.checked = "full" if full else "identity"
    seen: dict[str, str] = {}
    for item in read_all((file, base, charges, replicas, recipe, full), entries, count):
        if isinstance(item, Rejected):
            draft.rejected.append(item)
        elif item.identity in seen:
            draft.duplicates += 1
        else:
            seen[item.identity] = item.input
            draft.candidates.append(item)
    return draft


def write_plan(draft: Draft, shards: list[Shard]) -> str:
    """Store waves, announced rows and, last, the manifest; returns its address. Doing it again changes nothing."""
    store = open_store(store_address(draft.file, draft.base))
    markers = MarkerStore(store)
    waves = tuple(
        write_wave(store, draft.file.name, shards[start : start + SHARDS_PER_WAVE])
        for start in range(0, len(shards), SHARDS_PER_WAVE)
    )
    for rows in announcements(draft, shards):
        markers.announce(draft.file.name, rows)
    for _, stage in draft.escalated:
        markers.retry(stage, "planned again one memory tier up")
    manifest = Manifest(
        **{**{n: getattr(draft.manifest, n) for n in _SHARED}, "waves": waves, "finished": draft.done + draft.failed}
    )
    return write_manifest(store, manifest)[0]


_SHARED = tuple(name for name in Manifest.__dataclass_fields__ if name not in ("waves", "finished"))


def _existing(file: CampaignFile, base: Path) -> ObjectStore | None:
    try:
        return open_store(store_address(file, base), create=False)
    except NotFoundError:
        return None


def _entries(file: CampaignFile, base: Path) -> tuple[Iterator[Entry], int]:
    """Return the entries, and how many there are at most."""
    if not isinstance(file.polymers, PolymerTable):
        listed = [(e.psmiles or "", e.smiles or "", e.name, "") for e in file.polymers]
        return iter(listed), len(listed)
    table = file.polymers

    def rows() -> Iterator[Entry]:
        for number, (psmiles, name, canonical) in enumerate(table_rows(table, base)):
            entry = (psmiles, "", name, canonical)
            spot_check(number, entry)
            yield entry

    return rows(), sum(1 for _ in table_rows(table, base))


def _tiers(draft: Draft, store: ObjectStore | None) -> Iterator[tuple[int, Iterator[list[TaskLine]]]]:
    """Yield what is left to do per memory tier, the replicas of one polymer together."""
    done, ledger = set[str](), None
    if store is not None:
        ledger = Ledger(store, draft.file.name)
        done = finished_tasks(store) | {key for address in draft.file.reuse for key in finished_tasks(address)}
    states = ledger.task_states() if ledger is not None else {}
    steps = {(t, p): draft.protocol.resolve(t, p).steps for t in draft.file.temperature for p in draft.file.pressure}
    section = draft.file.synthetic
    first: list[list[TaskLine]] = []
    again: list[list[TaskLine]] = []
    for candidate in draft.candidates:
        group: list[TaskLine] = []
        raised: list[TaskLine] = []
        for line in _lines(draft, candidate, steps, section):
            state = states.get(line.task)
            if line.done in done or (state is not None and state.state == "done"):
                draft.done += 1
            elif state is None or state.state not in ("failed", "poison"):
                (raised if state is not None and state.tier >= RETRY_TIER else group).append(line)
            elif state.failure == "resource" and state.tier < RETRY_TIER:
                draft.escalated += [(line.task, key) for key in state.stages]
                raised.append(line)
            else:
                draft.failed += 1
        if group:
            first.append(group)
        if raised:
            again.append(raised)
    yield 0, iter(first)
    yield RETRY_TIER, iter(again)


def _lines(
    draft: Draft, item: Candidate, steps: dict[tuple[float, float], int], section: SyntheticSection | None
) -> Iterator[TaskLine]:
    keys = iter(item.tasks)
    for temperature in draft.file.temperature:
        for pressure in draft.file.pressure:
            for replica in range(draft.manifest.replicas):
                run, task, done = next(keys)
                if section is not None:
                    total = 2 * section.steps
                    seconds = round(total * section.seconds_per_step, 3)
                else:
                    total = steps[temperature, pressure]
                    seconds = draft.model.seconds(item.atoms, total)
                yield TaskLine(
                    task, done, run, item.polymer, item.key, item.name, item.input, item.psmiles, item.kind,
                    item.degree, item.chains, temperature, pressure, replica, item.atoms, total, seconds,
                )  # fmt: skip


def finished_tasks(store: ObjectStore | str) -> set[str]:
    """Return the keys of all ``task`` stages that a published catalog holds; none where nothing is published."""
    address = store if isinstance(store, str) else store.address
    try:
        with open_database(address) as database:
            rows = database.sql("SELECT stage_key FROM stages WHERE stage = 'task'").dicts()
    except NotFoundError:
        return set()
    return {row["stage_key"] for row in rows}


def announcements(draft: Draft, shards: list[Shard]) -> Iterator[dict[str, list[dict[str, Any]]]]:
    """Yield the rows that a campaign states before any work: itself first, then one lot per wave."""
    file = draft.file
    yield {
        "campaigns": [
            {"campaign": file.name, "organisation": file.organisation, "contributor": file.contributor,
             "licence": file.licence, "embargo_until": file.embargo_until or "", "n_polymers": len(draft.candidates),
             "n_tasks": sum(len(item.tasks) for item in draft.candidates), "spec": draft.manifest.spec}
        ]
    }  # fmt: skip
    by_task = {task: item for item in draft.candidates for _, task, _ in item.tasks}
    named: set[str] = set()
    for start in range(0, len(shards), SHARDS_PER_WAVE):
        rows: dict[str, list[dict[str, Any]]] = {"polymers": [], "systems": [], "tasks": []}
        for shard in shards[start : start + SHARDS_PER_WAVE]:
            for line in shard.tasks:
                item = by_task[line.task]
                if item.identity not in named:
                    named.add(item.identity)
                    rows["polymers"].append(
                        {"key": item.key, "polymer": item.polymer, "name": item.name, "class": item.polymer_class,
                         "mass": item.mass, "input": item.input}
                    )  # fmt: skip
                    rows["systems"].append(_system_row(draft, item))
                rows["tasks"].append(_task_row(draft, item, line, shard, start // SHARDS_PER_WAVE))
        yield rows


def _system_row(draft: Draft, item: Candidate) -> dict[str, Any]:
    section = draft.file.system
    polymer = item.kind == "polymer"
    return {
        "system_key": item.system_key, "polymer": item.polymer, "key": item.key, "n_chains": item.chains,
        "n_atoms": item.atoms, "dp": [item.degree] * item.chains, "sequence": "homopolymer",
        "tacticity": section.tacticity if polymer else "",
        "end_groups": " ".join(section.end_groups) if polymer else "",
        "forcefield": draft.file.force_field, "charges": draft.manifest.charges,
    }  # fmt: skip


def _task_row(draft: Draft, item: Candidate, line: TaskLine, shard: Shard, wave: int) -> dict[str, Any]:
    return {
        "task_key": line.task, "polymer": line.polymer, "key": line.key, "name": line.name,
        "campaign": draft.file.name, "system_key": item.system_key, "run_key": line.run,
        "protocol": draft.protocol.name, "T_K": line.T,
        "P_Pa": line.P * 1e5, "replica": line.replica, "stage_keys": [line.done], "wave": wave, "shard": shard.number,
        "predicted_gpu_seconds": line.seconds,
    }  # fmt: skip


def _summary(draft: Draft, shards: list[Shard]) -> dict[str, Any]:
    file = draft.file
    tasks = sum(len(shard.tasks) for shard in shards)
    hours = sum(shard.seconds for shard in shards) / 3600.0
    best = draft.prices[0]
    demand = min(draft.prices, key=lambda price: (price.on_demand, price.region))
    on_demand = money(hours * demand.on_demand, demand.price_date, region=demand.region, source=demand.source)
    spot = None
    if best.spot_low is not None and best.spot_high is not None:
        middle = 0.5 * (best.spot_low + best.spot_high)
        spot = money(
            hours * middle, best.price_date, low=round(hours * best.spot_low, 2), high=round(hours * best.spot_high, 2),
            region=best.region, source=best.source,
        )  # fmt: skip
    atoms = sum(line.atoms for shard in shards for line in shard.tasks)
    gigabytes = atoms / 1e4 * MEGABYTES_PER_TASK[file.keep] / 1e3
    over = file.budget is not None and on_demand["amount"] > file.budget.amount
    return {
        "campaign": file.name,
        "organisation": file.organisation,
        "tasks": tasks,
        "duplicates": draft.duplicates,
        "done": draft.done,
        "shards": len(shards),
        "waves": -(-len(shards) // SHARDS_PER_WAVE),
        "gpu_hours": round(hours, 3),
        "price_on_demand": on_demand,
        "price_spot": spot,
        "storage_gb_month": {"gb": round(gigabytes, 3), **money(gigabytes * S3_GB_MONTH, S3_DATE)},
        "s3_requests": _requests(draft, shards, tasks),
        "over_budget": over,
        "rejected": [item.as_dict() for item in draft.rejected],
        "failed": draft.failed,
        "instance_type": file.instance_type,
        "price_regions": [price.as_dict() for price in draft.prices],
        "cost_model": {"atom_steps_per_second": draft.model.atom_steps_per_second, "source": draft.model.source},
        "checked": draft.checked,
    }


def _requests(draft: Draft, shards: list[Shard], tasks: int) -> dict[str, Any]:
    """Return predicted S3 requests: results, checkpoints and attempts counted apart."""
    estimators = len(DEFAULT_RECIPE.wanted(draft.file.properties))
    stages = 3 if draft.file.synthetic else 4 + 2 * estimators
    files = 2 if draft.file.synthetic else 6
    seconds = sum(shard.seconds for shard in shards)
    checkpoints = int(seconds / CHECKPOINT_SECONDS)
    attempts = len(shards) * 2 + int(seconds / HEARTBEAT_SECONDS)
    put = {"results": tasks * (stages + files), "checkpoints": checkpoints, "attempts": attempts}
    get = tasks * 5 * stages + len(shards) * 4 + int(seconds / HEARTBEAT_SECONDS)
    listed = tasks * stages + 4 * checkpoints
    amount = (sum(put.values()) + listed) * S3_PER_1000_PUT / 1e3 + get * S3_PER_1000_GET / 1e3
    return {"PUT": put, "GET": get, "LIST": listed, **money(amount, S3_DATE)}
