"""Replicas of one system into one estimate, with the larger of the errors within and between them."""

from __future__ import annotations

import math

import numpy as np

from polyomics.errors import InputError
from polyomics.properties.records import Estimate
from polyomics.properties.statistics import student_factor

FEWEST_BETWEEN = 3
"""Replicas from which their scatter counts."""

SINGLE_GLASS = "single_glass"
"""Flag of a glass with one replica: its error bar excludes its history."""

MISSING_REPLICAS = "missing_replicas"
"""Flag of a mean over fewer replicas than were run, because others gave no value."""


def combine(estimates: tuple[Estimate, ...], state: str) -> Estimate:
    """Return the plain mean of one property over replicas.

    The mean is not weighted: in a glass replicas differ by more than their errors, and a weighted mean would follow
    whichever replica moved least. ``within`` is the propagated error of the replicas; ``between`` their scatter,
    ``s/sqrt(k)`` times Student's 68.27 % quantile for k - 1 degrees of freedom, used from three replicas on if larger.

    Parameters
    ----------
    estimates
        One per replica, all of the same property and component.
    state
        ``equilibrated`` or ``glass``.

    Raises
    ------
    InputError
        Without estimates, or if they are of different properties or components.
    """
    if len({(e.property, e.component) for e in estimates}) != 1:
        names = sorted({f"{e.property} {e.component}".strip() for e in estimates})
        raise InputError(
            f"replicas of one property expected, got {names}", field="estimates", remedy="group by property"
        )
    given = [e for e in estimates if e.value is not None and e.stderr is not None]
    first = (given or list(estimates))[0]
    flags = {flag for e in (given or estimates) for flag in e.flags}
    if 0 < len(given) < len(estimates):
        flags.add(MISSING_REPLICAS)
    if state == "glass" and len(given) == 1:
        flags.add(SINGLE_GLASS)
    ordered = tuple(sorted(flags))
    n_eff = float(sum(e.n_eff for e in (given or estimates)))
    if not given:
        reasons = tuple(dict.fromkeys(e.reason for e in estimates))
        return Estimate(
            first.property, None, None, n_eff, first.component, first.conditions, ordered, "; ".join(reasons),
            n_replicas=len(estimates),
        )  # fmt: skip
    values = np.array([e.value for e in given], dtype=np.float64)
    k = len(values)
    stderr = math.sqrt(sum((e.stderr or 0.0) ** 2 for e in given)) / k
    kind = "within"
    if k >= FEWEST_BETWEEN:
        between = float(np.std(values, ddof=1)) / math.sqrt(k) * student_factor(k - 1)
        if between > stderr:
            stderr, kind = between, "between"
    return Estimate(
        first.property, float(values.mean()), stderr, n_eff, first.component, first.conditions, ordered, "", kind, k
    )
