"""Density and the fluctuation formulas of an isothermal-isobaric run.

All formulas are those of a classical NPT ensemble (Allen and Tildesley, Computer Simulation of Liquids, 2nd ed.,
sec. 2.5) with H = E_total + P V at the target pressure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from polyomics.properties.estimates import as_estimate, refusal
from polyomics.properties.statistics import (
    MINIMUM_SAMPLES,
    Function,
    few_samples_reason,
    functions_of_fluctuations,
    is_constant,
    mean_of,
    reciprocal,
)
from polyomics.properties.units import AMU, BAR_NM3, BOLTZMANN, KJ_PER_MOL, NM3

if TYPE_CHECKING:
    from polyomics.properties.records import Estimate, FloatArray, Records

FLUCTUATION_PROPERTIES = (
    "heat_capacity_p_classical",
    "heat_capacity_v_classical",
    "volume_expansion",
    "linear_expansion",
    "isothermal_compressibility",
    "isentropic_compressibility",
    "bulk_modulus",
    "isentropic_bulk_modulus",
)


def volumes(records: Records) -> FloatArray:
    """Return the cell volume of each record, nm³, shape (n,)."""
    return np.asarray(np.prod(records.box, axis=1), dtype=np.float64)


def duration_of(records: Records) -> float:
    """Return the time that the records stand for, ps: n intervals for n records."""
    time = records.time
    return float((time[-1] - time[0]) * len(time) / (len(time) - 1)) if len(time) > 1 else 0.0


def density(records: Records, minimum: float = MINIMUM_SAMPLES) -> Estimate:
    """Return the mass density, kg/m³: the mean of m/V over the records."""
    refused = _unusable(records)
    if refused:
        return refusal("density", *refused)
    series = records.mass * AMU / (volumes(records) * NM3)
    return as_estimate("density", mean_of(series, minimum), duration_of(records), minimum)


def fluctuations(records: Records, minimum: float = MINIMUM_SAMPLES) -> tuple[Estimate, ...]:
    """Return heat capacities, expansion coefficients, compressibilities and bulk moduli of an NPT run, in SI units.

    ``Cp = Var(H)/(m kB T²)``, ``alpha = Cov(V, H)/(<V> kB T²)``, ``kappa_T = Var(V)/(<V> kB T)``,
    ``Cv = Cp - V T alpha²/(kappa_T m)``, ``kappa_S = kappa_T Cv/Cp``, ``K = 1/kappa``, linear expansion ``alpha/3``.

    Parameters
    ----------
    records
        An NPT stage.
    minimum
        Independent samples below which a property gets a reason instead of a value; each property has its own count.
    """
    refused = _unusable(records)
    if refused:
        return tuple(refusal(name, *refused) for name in FLUCTUATION_PROPERTIES)
    volume = volumes(records)
    enthalpy = records.potential + records.kinetic + records.pressure * BAR_NM3 * volume
    if np.ptp(enthalpy) <= 1e-12 * np.max(np.abs(records.potential) + np.abs(records.kinetic)):
        return tuple(refusal(name, "the enthalpy does not fluctuate", "constant") for name in FLUCTUATION_PROPERTIES)
    series = np.stack([volume, enthalpy], axis=1)
    duration = duration_of(records)
    sampled = functions_of_fluctuations(series, _formulas(records.temperature, records.mass), minimum)
    sampled["bulk_modulus"] = reciprocal(sampled["isothermal_compressibility"], minimum)
    sampled["isentropic_bulk_modulus"] = reciprocal(sampled["isentropic_compressibility"], minimum)
    return tuple(as_estimate(name, sampled[name], duration, minimum) for name in FLUCTUATION_PROPERTIES)


def _formulas(temperature: float, mass: float) -> dict[str, Function]:
    """Return the formulas by property, each from (<V>, <H>) and their covariances (nm³, kJ/mol) to SI units."""
    kt = BOLTZMANN * temperature
    per_mass = KJ_PER_MOL / AMU
    per_pressure = NM3 / KJ_PER_MOL

    def cp(mean: FloatArray, cov: FloatArray) -> float:
        return float(cov[1, 1] / (mass * kt * temperature)) * per_mass

    def alpha(mean: FloatArray, cov: FloatArray) -> float:
        return float(cov[0, 1] / (mean[0] * kt * temperature))

    def kappa(mean: FloatArray, cov: FloatArray) -> float:
        return float(cov[0, 0] / (mean[0] * kt)) * per_pressure

    def cv(mean: FloatArray, cov: FloatArray) -> float:
        # V T alpha²/(kappa m) = Cov(V, H)²/(Var(V) m kB T²): the volume cancels
        return float((cov[1, 1] - cov[0, 1] ** 2 / cov[0, 0]) / (mass * kt * temperature)) * per_mass

    def kappa_s(mean: FloatArray, cov: FloatArray) -> float:
        return float((cov[0, 0] - cov[0, 1] ** 2 / cov[1, 1]) / (mean[0] * kt)) * per_pressure

    return {
        "heat_capacity_p_classical": cp,
        "heat_capacity_v_classical": cv,
        "volume_expansion": alpha,
        "linear_expansion": lambda mean, cov: alpha(mean, cov) / 3.0,
        "isothermal_compressibility": kappa,
        "isentropic_compressibility": kappa_s,
    }


def _unusable(records: Records) -> tuple[str, str] | None:
    """Return reason and flag where the records cannot give NPT averages at all."""
    if records.ensemble != "npt":
        return f"needs NPT records, these are {records.ensemble}", "wrong_ensemble"
    if len(records.time) < MINIMUM_SAMPLES:
        return few_samples_reason(len(records.time), duration_of(records)), "few_samples"
    series = (volumes(records), records.potential, records.kinetic)
    if not all(np.all(np.isfinite(s)) for s in series):
        return "records hold values that are not finite", "not_finite"
    if is_constant(series[0]):
        return "the volume does not fluctuate", "constant_volume"
    return None
