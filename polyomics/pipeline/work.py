"""Doing a task: simulation stages, branches, estimates; and folding the replicas of a run into property rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from polyomics.pipeline import analysis, chemistry, dynamics
from polyomics.pipeline.execute import Implementation, execute
from polyomics.pipeline.plan import StagePlan
from polyomics.properties.catalogue import ESTIMATORS, Estimator

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from polyomics.pipeline.execute import Settings
    from polyomics.pipeline.plan import Run, Task
    from polyomics.store.interface import Marker
    from polyomics.store.markers import MarkerStore

COMBINE_VERSION = 1
COHESION_VERSION = 1
RUN_VERSION = 1

STAGES: dict[str, Implementation] = {
    "unit": Implementation(chemistry.unit),
    "build": Implementation(chemistry.build),
    "equilibrate": Implementation(dynamics.equilibrate),
    "sample": Implementation(dynamics.sample),
    "dynamics": Implementation(dynamics.dynamics),
    "cohesion": Implementation(analysis.cohesion),
    "run": Implementation(analysis.describe_run),
    "combine": Implementation(analysis.combine),
}


@dataclass(frozen=True)
class Branch:
    """A stage that starts from a finished simulation and feeds estimators (cohesion, later Tg, deformation …).

    Parameters
    ----------
    name
        Stage name, and the estimators' ``needs`` that it serves.
    plan
        Makes the stage of a task.
    implementation
        Runs it.
    """

    name: str
    plan: Callable[[Task], StagePlan]
    implementation: Implementation


def _cohesion_plan(task: Task) -> StagePlan:
    units = {f"unit{index}": unit.key for index, unit in enumerate(task.units)}
    return StagePlan("cohesion", COHESION_VERSION, {}, {"sample": task.sample.key, **units})


@dataclass(frozen=True)
class Recipe:
    """What is derived from finished simulations; adding to it runs only what is new.

    Parameters
    ----------
    estimators
        Estimators, by default the whole catalogue.
    branches
        Branch stages by the need they serve.
    """

    estimators: tuple[Estimator, ...] = ESTIMATORS
    branches: Mapping[str, Branch] = field(
        default_factory=lambda: {"cohesion": Branch("cohesion", _cohesion_plan, STAGES["cohesion"])}
    )

    def wanted(self, properties: tuple[str, ...] | None) -> tuple[Estimator, ...]:
        """Return the estimators that give any of the properties, or all."""
        return tuple(e for e in self.estimators if properties is None or set(e.properties) & set(properties))


DEFAULT_RECIPE = Recipe()


def run_stage(stage: StagePlan, markers: MarkerStore, settings: Settings, labels: Mapping[str, str]) -> Marker:
    """Do one stage of the graph, if it is not done."""
    return execute(stage, markers, STAGES, settings, labels)


def run_task(
    task: Task,
    markers: MarkerStore,
    settings: Settings,
    labels: Mapping[str, str],
    properties: tuple[str, ...] | None = None,
    recipe: Recipe = DEFAULT_RECIPE,
) -> None:
    """Do everything of one replica that is not done: simulation, branches, estimates.

    Parameters
    ----------
    task
        The replica.
    markers
        The store.
    settings
        How to compute.
    labels
        Columns of failure rows.
    properties
        Only what these need; None for all.
    recipe
        Estimators and branches.

    Raises
    ------
    polyomics.errors.PolyOmicsError
        A stage failed; the failure is stored.
    """
    estimators = [e for e in recipe.wanted(properties) if possible(e, task)]
    for stage in task.simulation():
        if stage.name == "dynamics" and not any("nvt" in e.needs for e in estimators):
            continue
        run_stage(stage, markers, settings, labels)
    for estimator in estimators:
        for need in estimator.needs:
            if need in recipe.branches:
                branch = recipe.branches[need]
                execute(branch.plan(task), markers, {branch.name: branch.implementation}, settings, labels)
        plan = estimate_plan(task, estimator, recipe)
        execute(plan, markers, {plan.name: analysis.estimate_with(estimator)}, settings, labels)


def estimate_plan(task: Task, estimator: Estimator, recipe: Recipe = DEFAULT_RECIPE) -> StagePlan:
    """Return the stage of one estimator over one replica."""
    inputs: dict[str, str] = {}
    for need in estimator.needs:
        if need in ("npt", "snapshots"):
            inputs["sample"] = task.sample.key
        elif need == "nvt" and task.dynamics is not None:
            inputs["dynamics"] = task.dynamics.key
        elif need in recipe.branches:
            inputs[need] = recipe.branches[need].plan(task).key
    return StagePlan("estimate", estimator.version, {"estimator": estimator.name}, inputs)


def finish_run(
    run: Run,
    replicas: int,
    markers: MarkerStore,
    settings: Settings,
    labels: Mapping[str, str],
    properties: tuple[str, ...] | None = None,
    recipe: Recipe = DEFAULT_RECIPE,
) -> None:
    """Fold the finished replicas of a run into property rows, one stage per estimator; safe to call at any time.

    A later call with more replicas writes rows that supersede the earlier ones.
    """
    for index in range(replicas):
        task = run.replica(index)
        if markers.get(task.sample.key) is not None:
            execute(_run_plan(task), markers, STAGES, settings, labels)
    for estimator in recipe.wanted(properties):
        done = []
        for index in range(replicas):
            task = run.replica(index)
            if not possible(estimator, task):
                continue
            plan = estimate_plan(task, estimator, recipe)
            if markers.get(plan.key) is not None:
                done.append((task, plan))
        if done:
            execute(_combine_plan(run, estimator, done), markers, STAGES, settings, labels)


def _identity(run: Run) -> dict[str, Any]:
    share = run.system.components[0].units[0]
    return {
        "system_key": run.system_key,
        "run_key": run.key,
        "polymer": share.psmiles,
        "key": share.key,
        "temperature": run.temperature,
        "pressure": run.pressure,
        "protocol": run.protocol.name,
        "ceiling": run.protocol.quality_ceiling,
    }


def _run_plan(task: Task) -> StagePlan:
    parameters = {**_identity(task.run), "replica": task.replica, "seed": task.seed}
    return StagePlan("run", RUN_VERSION, parameters, {"sample": task.sample.key})


def _combine_plan(run: Run, estimator: Estimator, done: list[tuple[Task, StagePlan]]) -> StagePlan:
    inputs: dict[str, str] = {}
    for index, (task, plan) in enumerate(done):
        inputs[f"estimate{index}"] = plan.key
        inputs[f"sample{index}"] = task.sample.key
    parameters: dict[str, Any] = {
        "estimator": estimator.name,
        "estimator_version": estimator.version,
        "replicas": len(done),
        **_identity(run),
    }
    return StagePlan("combine", COMBINE_VERSION, parameters, inputs)


def possible(estimator: Estimator, task: Task) -> bool:
    """Whether the task's protocol has what an estimator needs."""
    return "nvt" not in estimator.needs or task.dynamics is not None
