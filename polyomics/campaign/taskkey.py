"""The stage ``task``: the marker that says that everything of one task is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polyomics.pipeline.execute import Implementation, Output
from polyomics.pipeline.keys import content_key
from polyomics.pipeline.plan import StagePlan

if TYPE_CHECKING:
    from collections.abc import Iterable

STAGE = "task"
VERSION = 1

COMPLETE = {STAGE: Implementation(lambda plan, context: Output(), deterministic=True)}


def recipe_of(estimators: Iterable[tuple[str, int]], properties: tuple[str, ...] | None, extra: object = None) -> str:
    """Return the identity of what is derived from each task: a new estimator makes finished tasks unfinished."""
    return content_key("recipe", sorted(estimators), sorted(properties) if properties is not None else None, extra)


def done_stage(task_key: str, recipe: str) -> StagePlan:
    """Return the stage whose marker completes a task."""
    return StagePlan(STAGE, VERSION, {"task": task_key, "recipe": recipe})


def done_key(task_key: str, recipe: str) -> str:
    """Return the key of the stage whose marker completes a task."""
    return done_stage(task_key, recipe).key
