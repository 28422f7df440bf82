"""Cohesive energy density and solubility parameter, from the cell and its molecules taken one by one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from polyomics.properties.estimates import as_estimate, refusal
from polyomics.properties.statistics import MINIMUM_SAMPLES, Sampled, few_samples_reason, is_constant, mean_of
from polyomics.properties.units import KJ_PER_MOL, NM3

if TYPE_CHECKING:
    from polyomics.properties.records import Estimate, FloatArray

COHESION_PROPERTIES = ("cohesive_energy_density", "solubility_parameter")


@dataclass(frozen=True, eq=False)
class CohesionRecord:
    """Energies of equally spaced frames, each with its molecules evaluated alone in the conformation of the cell.

    Parameters
    ----------
    time
        ps, shape (n,).
    volume
        nm³, shape (n,).
    potential_cell
        Potential energy of the cell, kJ/mol, shape (n,).
    potential_isolated
        Potential energy of each molecule alone: whole, in vacuum, without cutoff, same force field, kJ/mol,
        shape (n, m).
    """

    time: FloatArray
    volume: FloatArray
    potential_cell: FloatArray
    potential_isolated: FloatArray


def cohesion(record: CohesionRecord, minimum: float = MINIMUM_SAMPLES) -> tuple[Estimate, ...]:
    """Return cohesive energy density (J/m³) and Hildebrand solubility parameter (Pa^0.5).

    ``CED = (sum of E_isolated - E_cell)/V``, averaged over frames; ``delta = sqrt(CED)``. Energies inside molecules
    cancel frame by frame, so the difference is far quieter than either term.

    Parameters
    ----------
    record
        At least ``minimum`` frames.
    minimum
        Independent samples below which there is no value.
    """
    n = len(record.volume)
    duration = float(record.time[-1] - record.time[0]) * n / (n - 1) if n > 1 else 0.0
    if n < max(minimum, 2.0):
        reason = few_samples_reason(float(n), duration, minimum)
        return tuple(refusal(name, reason, "few_samples", float(n)) for name in COHESION_PROPERTIES)
    series = (record.potential_isolated.sum(axis=1) - record.potential_cell) / record.volume
    series = series * KJ_PER_MOL / NM3
    if not np.all(np.isfinite(series)):
        return tuple(
            refusal(name, "frames hold energies that are not finite", "not_finite") for name in COHESION_PROPERTIES
        )
    if is_constant(series):
        return tuple(refusal(name, "all frames have the same energy", "constant") for name in COHESION_PROPERTIES)
    density = mean_of(series, minimum)
    first = as_estimate(COHESION_PROPERTIES[0], density, duration, minimum)
    if density.value <= 0.0:
        return first, refusal(
            COHESION_PROPERTIES[1], "the cohesive energy is not positive", "not_cohesive", density.n_eff
        )
    root = float(np.sqrt(density.value))
    parameter = Sampled(root, density.stderr / (2.0 * root), density.n_eff)
    return first, as_estimate(COHESION_PROPERTIES[1], parameter, duration, minimum)
