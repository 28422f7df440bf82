"""Whether a run has come to rest (binding) and how far its chains have relaxed (advisory)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from polyomics.properties.chains import end_vector_relaxation, internal_distance_slope
from polyomics.properties.order import (
    directors,
    independent_directions,
    isotropic_spread,
    local_density,
    order_parameter,
)
from polyomics.properties.statistics import is_constant, mean_of
from polyomics.properties.thermodynamic import duration_of, volumes
from polyomics.properties.transport import mean_squared_displacement
from polyomics.properties.units import BOLTZMANN

if TYPE_CHECKING:
    from polyomics.properties.records import FloatArray, Records, Snapshot

_SHORTEST_QUARTER = 10


@dataclass(frozen=True)
class Limits:
    """What a stationary run must stay below.

    Parameters
    ----------
    drift_errors
        Drift over the last half, in combined standard errors.
    drift_relative
        The same drift, relative.
    nematic_order
        Order parameter of the last snapshot.
    density_spread
        Relative spread of local density of the last snapshot.
    above_glass
        Kelvin above the glass transition from which a cell can be equilibrated.
    """

    drift_errors: float = 2.0
    drift_relative: float = 0.003
    nematic_order: float = 0.1
    density_spread: float = 0.25
    above_glass: float = 50.0


LIMITS = Limits()


@dataclass(frozen=True)
class Drift:
    """Change of a mean from the third to the fourth quarter of a run, relative to the quantity's scale.

    Parameters
    ----------
    change
        Signed, relative.
    error
        Combined standard error of the two quarters, relative.
    """

    change: float
    error: float


@dataclass(frozen=True)
class Verdict:
    """The outcome of the tests.

    Parameters
    ----------
    stationary
        Whether every binding test passed.
    reasons
        One sentence for each that did not.
    numbers
        Every number measured, binding and advisory, by name; NaN where it could not be measured.
    relaxed
        Whether the end-to-end vectors relaxed within the run (advisory; decides on ``equilibrated``).
    unresolved
        Numbers above their limit that noise explains: a small cell fluctuates by more than the limit, so it neither
        fails nor is shown to pass. Such a run is at best provisional.
    """

    stationary: bool
    reasons: tuple[str, ...]
    numbers: dict[str, float]
    relaxed: bool
    unresolved: tuple[str, ...] = ()


def assess(records: Records, snapshot: Snapshot, limits: Limits = LIMITS) -> Verdict:
    """Return whether a run is stationary, with every number behind the verdict.

    Binding: drift of density and total energy over the last half of the run, nematic order, spread of local density.
    Advisory: end-vector relaxation time and remaining correlation, slope of the internal distances, MSD/Rg² at half of
    the run.

    Parameters
    ----------
    records
        The run since it was last changed, in one piece.
    snapshot
        Its last configuration.
    limits
        The limits.
    """
    numbers: dict[str, float] = {}
    reasons: list[str] = []
    unresolved: list[str] = []
    for name, drift in drifts(records).items():
        numbers[f"{name}_drift"] = drift.change if drift else math.nan
        numbers[f"{name}_drift_error"] = drift.error if drift else math.nan
        reasons += _drifting(name, drift, limits)
        unresolved += _unresolved(name, drift, limits)
    failed, undecided = _configuration(snapshot, limits, numbers)
    reasons += failed
    unresolved += undecided
    relaxed = _advisory(records, snapshot, numbers)
    return Verdict(not reasons, tuple(reasons), numbers, relaxed, tuple(unresolved))


def drifts(records: Records) -> dict[str, Drift | None]:
    """Return the drift of density and total energy over the last half of a run; None where it cannot be measured.

    The scale of the energy is its mean or the thermal energy, whichever is larger, since the zero of a force field's
    energy is arbitrary.
    """
    energy = records.potential + records.kinetic
    thermal = 0.5 * records.n_degrees * BOLTZMANN * records.temperature
    density = 1.0 / volumes(records)
    return {
        "density": drift_of(density, float(np.mean(density))),
        "energy": drift_of(energy, max(abs(float(np.mean(energy))), thermal)),
    }


def drift_reasons(records: Records, limits: Limits = LIMITS) -> list[str]:
    """Return why density and energy still drift, empty where they do not: what a longer run can cure."""
    return [reason for name, drift in drifts(records).items() for reason in _drifting(name, drift, limits)]


def drift_of(series: FloatArray, scale: float) -> Drift | None:
    """Return the drift over the last half of a series, or None where it is too short or not finite.

    The errors are those of the scatter about a straight line through the last half: about the quarters' own means a
    steady drift would pass for slow noise and hide itself.
    """
    quarter = len(series) // 4
    if quarter < _SHORTEST_QUARTER or not np.all(np.isfinite(series)):
        return None
    third, fourth = series[-2 * quarter : -quarter], series[-quarter:]
    if is_constant(series[-2 * quarter :]):
        return Drift(0.0, 0.0)
    change = float(np.mean(fourth) - np.mean(third))
    half = series[-2 * quarter :]
    scatter = half - np.polynomial.Polynomial.fit(np.arange(len(half)), half, 1)(np.arange(len(half)))
    errors = [mean_of(part, minimum=0.0).stderr for part in (scatter[:quarter], scatter[quarter:])]
    return Drift(change / scale, math.hypot(*errors) / scale)


def _drifting(name: str, drift: Drift | None, limits: Limits) -> list[str]:
    if drift is None:
        return [f"{name}: records too few or not finite"]
    size = abs(drift.change)
    if size == 0.0 or size < limits.drift_errors * drift.error:
        return []
    return [
        f"{name} drifts by {drift.change:+.2%} over the last half, {size / max(drift.error, 1e-300):.1f} standard "
        f"errors (limit {limits.drift_errors:g})"
    ]


def _unresolved(name: str, drift: Drift | None, limits: Limits) -> list[str]:
    """Say where noise hides whether the drift is below its limit: no sign of drift, and no proof of rest either."""
    if drift is None or abs(drift.change) < limits.drift_relative or _drifting(name, drift, limits):
        return []
    return [
        f"{name} differs by {drift.change:+.2%} within the last half, within its noise of {drift.error:.2%}: "
        f"rest is not shown to {limits.drift_relative:.2%}"
    ]


def _configuration(snapshot: Snapshot, limits: Limits, numbers: dict[str, float]) -> tuple[list[str], list[str]]:
    """Return what the last configuration fails, and what its size is too small to tell."""
    chains = [u for u in directors(snapshot) if len(u)]
    independent = independent_directions(chains)
    order = order_parameter(np.concatenate(chains), independent) if chains else math.nan
    noise = isotropic_spread(independent)
    local = local_density(snapshot)
    numbers |= {"nematic_order": order, "nematic_order_noise": noise}
    numbers |= {"density_spread": local.spread, "density_spread_ideal_gas": local.ideal}
    reasons: list[str] = []
    unresolved: list[str] = []
    if order >= limits.nematic_order:
        text = f"nematic order {order:.3f} (limit {limits.nematic_order:g}, noise of an unordered cell {noise:.3f})"
        (reasons if order >= limits.nematic_order + limits.drift_errors * noise else unresolved).append(text)
    if local.spread >= limits.density_spread:
        reasons.append(f"local density spreads by {local.spread:.3f} of its mean (limit {limits.density_spread:g})")
    return reasons, unresolved


def _advisory(records: Records, snapshot: Snapshot, numbers: dict[str, float]) -> bool:
    relaxation = end_vector_relaxation(records)
    slope = internal_distance_slope(snapshot)
    half = len(records.time) // 2
    rg2 = float(np.mean(records.rg2)) if records.rg2.size else 0.0
    numbers |= {
        "end_vector_relaxation_ps": math.nan if relaxation.time is None else relaxation.time,
        "end_vector_remaining": relaxation.remaining,
        "internal_distance_slope": math.nan if slope is None else slope,
        "msd_over_rg2": float(mean_squared_displacement(records.centers)[half]) / rg2 if rg2 > 0.0 else math.nan,
        "duration_ps": duration_of(records),
    }
    return relaxation.relaxed


def classify_state(temperature: float, glass_transition: float | None, relaxed: bool, limits: Limits = LIMITS) -> str:
    """Return ``equilibrated`` or ``glass``.

    Equilibrated is a cell at least 50 K above its glass transition whose end vectors relaxed within the run. Where no
    glass transition is known, the end vectors decide alone: chains that turn over within nanoseconds are no glass.

    Parameters
    ----------
    temperature
        K.
    glass_transition
        K, or None where unknown.
    relaxed
        Whether the end vectors relaxed (:class:`Verdict`).
    """
    above = glass_transition is None or temperature >= glass_transition + limits.above_glass
    return "equilibrated" if relaxed and above else "glass"
