"""Owns equivalent sample sizes: simulations in measured labels, and measurements in simulations.

Both are read off a measured surface E(n, m) (n simulated, m measured) and direct learning curves E0(m), never off a
fitted law: monotone regression, then interpolation of log E in log n and log m. Outside the measured range there is
no number, only ``> max`` or ``< min``. Intervals: folds and orderings are drawn anew together for all n and m
(Owen 2007, the pigeonhole bootstrap).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.optimize import isotonic_regression

from polyomics.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

DRAWS: Final = 400
_SWEEPS: Final = 8


@dataclass(frozen=True)
class Surface:
    """Errors measured by source size, target size and replicate.

    Parameters
    ----------
    n, m
        Simulated and measured sizes, increasing and positive, shapes (N,), (M,).
    errors
        Errors with transfer, shape (R, N, M), in the unit of the metric.
    direct_m
        Target sizes of the direct learners, increasing and positive, shape (L,).
    direct
        Errors without simulations of each direct learner on the same replicates, shape (R, L) each.
    folds, orderings
        Labels of the replicates, length R.
    """

    n: Floats
    m: Floats
    errors: Floats
    direct_m: Floats
    direct: Mapping[str, Floats]
    folds: tuple[str, ...]
    orderings: tuple[str, ...]
    subject: str = "surface"

    def __post_init__(self) -> None:
        replicates = len(self.folds)
        shapes: dict[str, tuple[Floats, tuple[int, ...]]] = {
            "errors": (self.errors, (replicates, self.n.size, self.m.size))
        }
        shapes |= {name: (table, (replicates, self.direct_m.size)) for name, table in self.direct.items()}
        for name, (table, shape) in shapes.items():
            if table.shape != shape or not bool(np.all(np.isfinite(table)) and np.all(table.mean(axis=0) > 0)):
                raise InputError(
                    f"expected finite positive errors of shape {shape}, found shape {table.shape}",
                    subject=self.subject,
                    field=name,
                    remedy="give every replicate an error at every size",
                )
        for name, sizes in (("n", self.n), ("m", self.m), ("direct_m", self.direct_m)):
            if sizes.size < 2 or not bool(np.all(np.diff(sizes) > 0)) or sizes[0] <= 0:
                raise InputError(
                    "needs at least two increasing positive sizes",
                    subject=self.subject,
                    field=name,
                    remedy="measure more sizes",
                )
        if not self.direct or len(self.orderings) != replicates:
            raise InputError(
                "needs one direct learner at least, and an ordering per replicate",
                subject=self.subject,
                field="direct",
                remedy="run a learner without the source on the same folds and orderings",
            )

    @property
    def best_direct(self) -> str:
        """The direct learner of the least mean log error: a weak one would make simulations look precious."""
        return min(self.direct, key=lambda name: float(np.log(self.direct[name].mean(axis=0)).mean()))


@dataclass(frozen=True)
class Equivalent:
    """An equivalent size with its 90 % interval; infinite: ``> max``, minus infinite: ``< min`` of what was measured.

    ``share`` is the part of the bootstrap draws that stayed inside the measured range.
    """

    value: float
    lower90: float
    upper90: float
    share: float
    against: str

    def text(self) -> str:
        """Return value and interval in words."""
        return f"{_worded(self.value)} [{_worded(self.lower90)}, {_worded(self.upper90)}]"


def _worded(value: float) -> str:
    if math.isinf(value):
        return "> max" if value > 0 else "< min"
    return f"{value:.3g}"


def labels_worth(surface: Surface, n: float, m: float, *, draws: int = DRAWS, seed: int = 0) -> Equivalent:
    """Return how many measured labels n simulations replace at m labels: ``E0^-1(E(n, m)) - m``.

    Against the best direct learner; negative where simulations hurt. Raises ``InputError`` for (n, m) outside the
    measured range.
    """
    _inside(surface, n, m)

    def count(errors: Floats, direct: Floats) -> float:
        reached = math.exp(_bilinear(surface, errors, n, m))
        return _first(surface.direct_m, _falling(np.log(direct)), math.log(reached)) - m

    return _bootstrapped(surface, count, draws, seed)


def simulations_worth(
    surface: Surface, n: float, m: float, *, measurements: int = 1, draws: int = DRAWS, seed: int = 0
) -> Equivalent:
    """Return how many simulations one more measurement is worth at (n, m): n' - n with ``E(n', m) = E(n, m + 1)``.

    With more ``measurements`` the total is divided by their number. Raises ``InputError`` for (n, m) or
    m + measurements outside the measured range.
    """
    _inside(surface, n, m)
    _inside(surface, n, m + measurements)

    def count(errors: Floats, direct: Floats) -> float:
        del direct
        wanted = _bilinear(surface, errors, n, m + measurements)
        column = np.array([_bilinear(surface, errors, float(size), m) for size in surface.n])
        return max(_first(surface.n, column, wanted) - n, 0.0) / measurements

    return _bootstrapped(surface, count, draws, seed)


def _bootstrapped(surface: Surface, count: Callable[[Floats, Floats], float], draws: int, seed: int) -> Equivalent:
    name = surface.best_direct
    direct = surface.direct[name]

    def evaluate(weight: Floats) -> float:
        errors = np.tensordot(weight, surface.errors, axes=1)
        return count(_monotone(np.log(errors)), weight @ direct)

    replicates = len(surface.folds)
    value = evaluate(np.full(replicates, 1.0 / replicates))
    values = np.sort([evaluate(weight) for weight in _weights(surface, draws, seed)])
    low, high = values[round(0.05 * (draws - 1))], values[round(0.95 * (draws - 1))]
    return Equivalent(value, float(low), float(high), float(np.mean(np.isfinite(values))), name)


def _weights(surface: Surface, draws: int, seed: int) -> Iterator[Floats]:
    """Yield weights of the replicates: product of multinomial counts of their fold and their ordering."""
    rng = np.random.default_rng(seed)
    groups = [np.unique(labels, return_inverse=True)[1] for labels in (surface.folds, surface.orderings)]
    made = 0
    while made < draws:
        weight = np.ones(len(surface.folds))
        for group in groups:
            size = int(group.max()) + 1
            if size > 1:
                weight = weight * rng.multinomial(size, np.full(size, 1.0 / size))[group]
        if weight.sum() > 0:
            made += 1
            yield weight / weight.sum()


def _falling(values: Floats) -> Floats:
    return np.asarray(isotonic_regression(values, increasing=False).x)


def _monotone(table: Floats) -> Floats:
    """Return the least-squares table falling along both axes (Dykstra's alternating projections)."""
    rows, columns = np.zeros_like(table), np.zeros_like(table)
    current = table
    for _ in range(_SWEEPS):
        if np.all(np.diff(current, axis=0) <= 0) and np.all(np.diff(current, axis=1) <= 0):
            break
        along = np.apply_along_axis(_falling, 0, current + columns)
        columns = current + columns - along
        current = np.apply_along_axis(_falling, 1, along + rows)
        rows = along + rows - current
    return current


def _bilinear(surface: Surface, log_error: Floats, n: float, m: float) -> float:
    """Interpolate log E linearly in log n and log m."""
    across = [float(np.interp(math.log(m), np.log(surface.m), row)) for row in log_error]
    return float(np.interp(math.log(n), np.log(surface.n), across))


def _first(sizes: Floats, log_error: Floats, wanted: float) -> float:
    """Return the least size at which the falling ``log_error`` has reached ``wanted``."""
    if log_error[0] < wanted:
        return -math.inf
    reached = np.flatnonzero(log_error <= wanted + 1e-12)
    if reached.size == 0:
        return math.inf
    at = int(reached[0])
    if at == 0:
        return float(sizes[0])
    part = (log_error[at - 1] - wanted) / (log_error[at - 1] - log_error[at])
    step = math.log(sizes[at]) - math.log(sizes[at - 1])
    return float(math.exp(math.log(sizes[at - 1]) + min(part, 1.0) * step))


def _inside(surface: Surface, n: float, m: float) -> None:
    for name, value, sizes in (("n", n, surface.n), ("m", m, surface.m)):
        if not sizes[0] <= value <= sizes[-1]:
            raise InputError(
                f"{value:g} is outside the measured {sizes[0]:g} to {sizes[-1]:g}",
                subject=surface.subject,
                field=name,
                remedy="ask inside the range, or extend the study",
            )
