"""One campaign on this machine, file to table: announce, run what is missing, fold replicas, publish, read rows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyomics.campaign.control import retry
from polyomics.campaign.file import CampaignFile, read_campaign
from polyomics.campaign.local import Ended, jobs_of, labels_of, run_jobs
from polyomics.campaign.manifest import manifests
from polyomics.campaign.planning import SYNTHETIC, Plan, Rejected, plan_campaign
from polyomics.errors import FailureClass, InputError, PolyOmicsError, UnsupportedError
from polyomics.forcefield.charges import METHODS
from polyomics.pipeline.keys import content_key
from polyomics.pipeline.work import DEFAULT_RECIPE, estimate_plan, finish_run, possible
from polyomics.properties.registry import PROPERTIES
from polyomics.store.address import open_store
from polyomics.store.catalog import publish
from polyomics.store.markers import MarkerStore
from polyomics.store.sql import open as open_database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from polyomics.campaign.local import Event, Job
    from polyomics.campaign.planning import Subject
    from polyomics.pipeline.execute import Settings
    from polyomics.pipeline.plan import Run


@dataclass(frozen=True)
class Report:
    """The end of a campaign run.

    Parameters
    ----------
    store
        Store address.
    rows
        Property rows of the campaign, with literature values beside them.
    rejected
        Entries refused before any work.
    failures
        Jobs that failed.
    computed
        Jobs that ran; 0 where everything was there already.
    """

    store: str
    rows: list[dict[str, Any]]
    rejected: tuple[Rejected, ...]
    failures: tuple[Ended, ...]
    computed: int

    @property
    def failure_class(self) -> FailureClass | None:
        """The class to exit with: that of the first failure, ``input`` for a rejected entry, None for success."""
        if self.failures:
            return self.failures[0].failure
        return FailureClass.INPUT if self.rejected else None


def prepare(path: str | Path) -> Plan:
    """Read a campaign file and plan it; raises InputError for what concerns the whole file."""
    file = read_campaign(path)
    try:
        plan = plan_campaign(file, Path(path).resolve().parent)
        _check_charges(plan)
    except PolyOmicsError as error:
        error.subject = error.subject or str(path)
        raise
    return plan


def store_address(file: CampaignFile, base: Path) -> str:
    """Return the store's address; a relative directory starts at the campaign file's folder."""
    return file.store if "://" in file.store else str((base / file.store).resolve())


def validate(path: str | Path) -> dict[str, Any]:
    """Return ``{ok, rejected: [{polymer, field, reason, remedy}]}`` for a campaign file; nothing is computed."""
    try:
        plan = prepare(path)
    except InputError as error:
        return {"ok": False, "rejected": [Rejected.from_error(error, error.subject, "file").as_dict()]}
    except PolyOmicsError as error:
        return {"ok": False, "rejected": [Rejected.from_error(error, error.subject, "platform").as_dict()]}
    return {"ok": not plan.rejected, "rejected": [item.as_dict() for item in plan.rejected]}


def run_campaign(path: str | Path, settings: Settings, observe: Callable[[Event], None]) -> Report:
    """Run a campaign, or what is left of it.

    Parameters
    ----------
    path
        Campaign file.
    settings
        How to compute.
    observe
        Receives progress.

    Raises
    ------
    polyomics.errors.InputError
        The file is wrong as a whole, or none of its polymers can be computed.
    polyomics.errors.Interrupted
        Asked to stop; everything is saved.
    """
    plan = prepare(path)
    if plan.protocol.name == SYNTHETIC:
        raise InputError("is for polyomics plan and worker only", subject="synthetic", field="protocol")
    if not plan.subjects:
        first = plan.rejected[0]
        raise InputError(
            f"none of {len(plan.rejected)} polymers can be computed; the first, {first.polymer!r}: {first.reason}",
            subject=str(path), field=first.field, remedy=first.remedy,
        )  # fmt: skip
    address = store_address(plan.file, Path(path).resolve().parent)
    store = open_store(address)
    markers = MarkerStore(store)
    markers.announce(plan.file.name, announcement(plan))
    _record_rejections(plan, markers)
    pending = [job for job in jobs_of(plan) if not _is_done(job, markers)]
    outcome = run_jobs(pending, address, settings, observe)
    for subject, run in plan.runs():
        finish_run(run, plan.replicas, markers, settings, labels_of(plan, subject), plan.file.properties)
    publish(store)
    return Report(address, property_table(plan, address), plan.rejected, outcome.failures, len(pending))


def _is_done(job: Job, markers: MarkerStore) -> bool:
    if job.stage is not None:
        return markers.get(job.stage.key) is not None
    task = job.task
    if task is None:
        return True
    wanted = [e for e in DEFAULT_RECIPE.wanted(job.properties) if possible(e, task)]
    return all(markers.get(estimate_plan(task, e).key) is not None for e in wanted)


def _check_charges(plan: Plan) -> None:
    method = METHODS.get(plan.charges)
    if method is None:
        raise InputError(
            f"{plan.charges!r} is no charge method", field="charges", remedy=f"default or one of {', '.join(METHODS)}"
        )
    missing = method.available()
    if missing is not None:
        raise UnsupportedError(f"charge method {plan.charges} is not installed here", field="charges", remedy=missing)


def announcement(plan: Plan) -> dict[str, list[dict[str, Any]]]:
    """Return the rows that a campaign states before any work: campaigns, polymers, systems, tasks."""
    file = plan.file
    polymers = [
        {
            "key": s.key, "polymer": s.canonical, "name": s.entry.name, "class": s.polymer_class, "mass": s.mass,
            "input": s.entry.text,
        }
        for s in plan.subjects
    ]  # fmt: skip
    systems: dict[str, dict[str, Any]] = {}
    tasks = []
    for subject, run in plan.runs():
        systems.setdefault(run.system_key, _system_row(subject, run))
        tasks += list(_task_rows(plan, subject, run))
    campaign = {
        "campaign": file.name,
        "organisation": file.organisation,
        "n_polymers": len(plan.subjects),
        "n_tasks": len(tasks),
        "spec": file.model_dump(mode="json"),
    }
    return {"campaigns": [campaign], "polymers": polymers, "systems": list(systems.values()), "tasks": tasks}


def _system_row(subject: Subject, run: Run) -> dict[str, Any]:
    component = run.system.components[0]
    return {
        "system_key": run.system_key,
        "polymer": subject.canonical,
        "key": subject.key,
        "components": run.system.model_dump(mode="json"),
        "n_chains": component.n_chains,
        "dp": list(component.degrees),
        "tacticity": component.tacticity,
        "sequence": component.sequence,
        "end_groups": " ".join(component.end_groups),
        "forcefield": run.force_field,
        "charges": run.charges,
    }


def _task_rows(plan: Plan, subject: Subject, run: Run) -> Iterator[dict[str, Any]]:
    for index in range(plan.replicas):
        task = run.replica(index)
        yield {
            "task_key": task.key,
            "polymer": subject.canonical,
            "key": subject.key,
            "name": subject.entry.name,
            "campaign": plan.file.name,
            "system_key": run.system_key,
            "run_key": run.key,
            "protocol": run.protocol.name,
            "T_K": run.temperature,
            "P_Pa": run.pressure * 1e5,
            "replica": index,
            "stage_keys": [stage.key for stage in task.simulation()],
        }


def _record_rejections(plan: Plan, markers: MarkerStore) -> None:
    """Keep refused entries as failure rows, once per campaign and entry."""
    for item in plan.rejected:
        key = content_key("rejected", plan.file.name, item.polymer)
        if markers.failures(key):
            continue
        row = {"class": FailureClass.INPUT.value, "code": "InputError", "message": item.reason, "stage": "validate"}
        row |= {"polymer": item.polymer, "field": item.field, "remedy": item.remedy, "campaign": plan.file.name}
        markers.fail(key, row)


def property_table(plan: Plan, address: str) -> list[dict[str, Any]]:
    """Return the campaign's published property rows, in the order of its file, with literature value and deviation."""
    runs = {run.key: (number, subject) for number, (subject, run) in enumerate(plan.runs())}
    if not runs:
        return []
    keys = ", ".join(f"'{key}'" for key in runs)
    with open_database(address) as database:
        found = database.sql(f"SELECT * FROM properties WHERE run_key IN ({keys})").dicts()
    wanted = plan.file.properties
    rows = []
    for row in found:
        if wanted is not None and row["property"] not in wanted:
            continue
        number, subject = runs[row["run_key"]]
        rows.append((number, {**_shown(row, subject), **_literature(subject, row)}))
    order = {name: rank for rank, name in enumerate(PROPERTIES)}
    rows.sort(key=lambda item: (item[0], order.get(item[1]["property"], 99), item[1]["component"]))
    return [row for _, row in rows]


def _shown(row: dict[str, Any], subject: Subject) -> dict[str, Any]:
    names = ("property", "component", "T_K", "value", "stderr", "unit", "n_eff", "n_replicas", "quality", "reasons")
    return {"polymer": subject.entry.name or row["polymer"], **{name: row[name] for name in names}}


def _literature(subject: Subject, row: dict[str, Any]) -> dict[str, Any]:
    for item in subject.entry.literature:
        if item.property == row["property"] and item.T_K in (None, row["T_K"]):
            deviation = None if row["value"] is None else 100.0 * (row["value"] / item.value - 1.0)
            return {"literature": item.value, "deviation_percent": deviation, "source": item.source}
    return {"literature": None, "deviation_percent": None, "source": ""}


def lift_failures(path: str | Path, kind: str | None = None) -> dict[str, int]:
    """Lift standing failures of a campaign's stages; returns ``{selected, skipped}``.

    Parameters
    ----------
    path
        Campaign file.
    kind
        Only failures of this class; None for all.
    """
    file = read_campaign(path)
    store = open_store(store_address(file, Path(path).resolve().parent))
    if manifests(store, file.name):
        return retry(store, file.name, kind)
    plan = prepare(path)
    markers = MarkerStore(open_store(store_address(plan.file, Path(path).resolve().parent)))
    keys = {stage.key for _, run in plan.runs() for i in range(plan.replicas) for stage in run.replica(i).simulation()}
    selected = skipped = 0
    for key in sorted(keys):
        standing = [row for row in markers.failures(key) if not row["retried"]]
        if not standing:
            continue
        if kind is None or standing[-1]["class"] == kind:
            selected += markers.retry(key, "polyomics retry")
        else:
            skipped += 1
    return {"selected": selected, "skipped": skipped}
