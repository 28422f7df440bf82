"""The synthetic protocol: seeded rows and declared seconds per step, through the same checkpoint and marker code."""

from __future__ import annotations

import os
import random
import signal
import time
from typing import TYPE_CHECKING, Any

from polyomics.errors import InputError, Interrupted, NumericsError, ResourceError, TransientError
from polyomics.pipeline.execute import ORIGIN, Implementation, Output, Progress, execute
from polyomics.pipeline.keys import seed_from
from polyomics.pipeline.plan import StagePlan
from polyomics.simulate.checkpoint import Checkpoint

if TYPE_CHECKING:
    from collections.abc import Mapping

    from polyomics.pipeline.execute import Context, Settings
    from polyomics.store.markers import MarkerStore

NAME = "synthetic"
VERSION = 1
CHUNK_SECONDS = 0.05
STAGES = ("synthetic-equilibrate", "synthetic-sample")


def refuse_unless(allowed: bool, protocol: str) -> None:
    """Raise InputError for the synthetic protocol without the flag that allows it."""
    if protocol == NAME and not allowed:
        raise InputError(
            "the synthetic protocol gives invented numbers, for tests only",
            field="protocol",
            remedy="choose another protocol, or pass --allow-synthetic to plan and worker",
        )


def perform(
    section: Mapping[str, Any],
    task: Mapping[str, Any],
    markers: MarkerStore,
    settings: Settings,
    labels: dict[str, str],
) -> None:
    """Do the two simulation stages of one synthetic task.

    Parameters
    ----------
    section
        The campaign's ``synthetic`` section.
    task
        The task's line of the manifest.
    markers, settings, labels
        See :func:`polyomics.pipeline.execute.execute`.
    """
    before = ""
    for plan in stages_of(section, task):
        work = Implementation(lambda p, c, before=before: _stage(section, task, p, c, before))  # type: ignore[misc]
        execute(plan, markers, {plan.name: work}, settings, labels)
        before = plan.key


def stages_of(section: Mapping[str, Any], task: Mapping[str, Any]) -> list[StagePlan]:
    """Return the stages of one synthetic task."""
    declared = {name: section[name] for name in ("steps", "rows", "payload_bytes")}
    plans: list[StagePlan] = []
    for name in STAGES:
        inputs = {"start": plans[-1].key} if plans else {}
        plans.append(StagePlan(name, VERSION, {"task": task["task"], **declared}, inputs))
    return plans


def finish(
    section: Mapping[str, Any],
    replicas: list[Mapping[str, Any]],
    markers: MarkerStore,
    settings: Settings,
    labels: dict[str, str],
) -> None:
    """Fold the finished replicas of a run into property rows, none of them in a default view."""
    done = [(task, stages_of(section, task)[-1]) for task in replicas]
    done = [(task, plan) for task, plan in done if markers.get(plan.key) is not None]
    if not done:
        return
    run = done[0][0]["run"]
    inputs = {f"sample{index}": plan.key for index, (_, plan) in enumerate(done)}
    plan = StagePlan("synthetic-combine", VERSION, {"run": run, "replicas": len(done), "rows": section["rows"]}, inputs)
    rows = [_row(done[0][0], number, len(done), labels) for number in range(int(section["rows"]))]
    work = Implementation(lambda p, c: Output(rows={"properties": rows}), deterministic=True)
    execute(plan, markers, {plan.name: work}, settings, labels)


def _row(task: Mapping[str, Any], number: int, replicas: int, labels: Mapping[str, str]) -> dict[str, Any]:
    chance = random.Random(seed_from(task["run"], number))
    return {
        "system_key": task["run"],
        "polymer": task["polymer"],
        "property": "synthetic",
        "component": str(number),
        "T_K": task["T"],
        "P_Pa": task["P"] * 1e5,
        "value": chance.gauss(0.0, 1.0),
        "unit": "1",
        "stderr": 1.0,
        "stderr_kind": "within",
        "n_replicas": replicas,
        "quality": "provisional",
        "reasons": ["synthetic"],
        "protocol": NAME,
        "stage_version": replicas,
        "run_key": task["run"],
        "key": task["key"],
        "campaign": labels.get("campaign", ""),
        "default_view": False,
        **{name: labels[name] for name in ORIGIN if name in labels},
    }


def _stage(
    section: Mapping[str, Any], task: Mapping[str, Any], plan: StagePlan, context: Context, before: str
) -> Output:
    """Count steps at the declared pace, checkpointed like a simulation."""
    del before
    total, pace = int(section["steps"]), float(section["seconds_per_step"])
    saved = context.checkpoints.load()
    step = saved.step if saved is not None else 0
    resumed = saved is not None
    settings = context.settings
    last_save = time.monotonic()
    size = max(1, min(total, int(CHUNK_SECONDS / pace))) if pace else total
    while step < total:
        if settings.stop():
            context.checkpoints.save(Checkpoint(plan.key, step, b"", {}))
            raise Interrupted(f"{plan.name} stopped at step {step} of {total}; saved")
        count = min(size, total - step)
        if plan.name == STAGES[-1]:
            _misbehave(section, task, step, step + count, resumed)
        time.sleep(count * pace)
        step += count
        settings.report(Progress(plan.name, step, total, 86400.0 * 2e-6 / pace if pace else 0.0))
        if time.monotonic() - last_save >= settings.checkpoint_interval and step < total:
            context.checkpoints.save(Checkpoint(plan.key, step, b"", {}))
            last_save = time.monotonic()
    data = random.Random(seed_from(plan.key)).randbytes(int(section["payload_bytes"]))
    return Output(files={"payload": data} if data else {}, outputs={"steps": total}, provenance={"platform": NAME})


def _misbehave(section: Mapping[str, Any], task: Mapping[str, Any], begin: int, end: int, resumed: bool) -> None:
    """Do what the section says goes wrong with this polymer between two steps."""
    for fault in section["faults"]:
        if fault["polymer"] not in (task["psmiles"], task["input"]) or not begin <= fault["step"] < end:
            continue
        if task.get("tier", 0) >= fault["below_tier"] or (fault["once"] and resumed):
            continue
        kind = fault["kind"]
        if kind == "crash":
            os.kill(os.getpid(), signal.SIGKILL)
        elif kind == "exit":
            os._exit(7)
        elif kind == "hang":
            time.sleep(1e6)
        elif kind == "numerics":
            raise NumericsError("the synthetic cell exploded", subject=str(task["polymer"]))
        elif kind == "resource":
            raise ResourceError("synthetic memory ran out", subject=str(task["polymer"]))
        else:
            raise TransientError("the synthetic network is down", subject=str(task["polymer"]))
