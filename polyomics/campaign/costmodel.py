"""Predicting GPU-seconds: proportional to atoms times steps, fitted to recorded attempts where there are any."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ATOM_STEPS_PER_SECOND = {"T4": 1.0e7, "L4": 2.2e7, "A10G": 2.5e7, "L40S": 5.0e7}
"""Assumed throughput of a packed GPU. One public figure stands behind it: A100, 23,558 atoms, two simulations at once,
816 ns/day at 4 fs (openmm issue 3082), 5.6e7 atom-steps per second; the other cards are scaled by what they are."""

ASSUMED = "assumed, scaled from one public A100 figure; no attempts of this instance type recorded yet"
OVERHEAD_SECONDS = 45.0
"""Charges, building and estimates of one task, while other tasks of the pod keep the GPU busy; assumed."""

FEWEST = 5


@dataclass(frozen=True)
class CostModel:
    """GPU-seconds of a task.

    Parameters
    ----------
    atom_steps_per_second
        Throughput of one instance.
    overhead
        Seconds per task besides.
    source
        Where the figures come from.
    """

    atom_steps_per_second: float
    overhead: float = OVERHEAD_SECONDS
    source: str = ASSUMED

    def seconds(self, atoms: int, steps: int) -> float:
        """Return the predicted GPU-seconds of a task."""
        return round(self.overhead + atoms * steps / self.atom_steps_per_second, 3)


def default_model(gpu: str) -> CostModel:
    """Return the model of a GPU type of which nothing has been recorded."""
    return CostModel(ATOM_STEPS_PER_SECOND.get(gpu, ATOM_STEPS_PER_SECOND["L4"]))


def fit(attempts: Iterable[Mapping[str, Any]], instance_type: str, gpu: str) -> CostModel:
    """Fit the model to recorded attempts on one instance type.

    Parameters
    ----------
    attempts
        Rows of table ``attempts``; ``details`` (decoded) holds ``atom_steps`` done and ``tasks_done``.
    instance_type, gpu
        What to fit for, and the fallback.

    Returns
    -------
    CostModel
        The median rate over at least five attempts, since a few slow nodes must not move it; else the default.
    """
    rates = []
    for row in attempts:
        details = row.get("details") or {}
        work, seconds = float(details.get("atom_steps") or 0.0), float(row.get("gpu_seconds") or 0.0)
        spent = seconds - OVERHEAD_SECONDS * len(details.get("done") or ())
        if row.get("instance_type") == instance_type and work > 0 and spent > 0:
            rates.append(work / spent)
    if len(rates) < FEWEST:
        return default_model(gpu)
    return CostModel(median(rates), source=f"median of {len(rates)} recorded attempts on {instance_type}")
