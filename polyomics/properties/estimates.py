"""How a sampled number becomes an estimate: a value with its error, or a reason why there is none."""

from __future__ import annotations

import math

from polyomics.properties.records import Estimate
from polyomics.properties.statistics import MINIMUM_SAMPLES, Sampled, few_samples_reason


def as_estimate(name: str, sampled: Sampled, duration: float, minimum: float = MINIMUM_SAMPLES) -> Estimate:
    """Return a sampled number as an estimate, or the refusal of it where samples are too few or it is not finite.

    Parameters
    ----------
    name
        Property name.
    sampled
        Value, error and number of independent samples, in the property's unit.
    duration
        Length of the series behind it, ps.
    minimum
        Independent samples required.
    """
    if not (math.isfinite(sampled.value) and math.isfinite(sampled.stderr)):
        return refusal(name, "the records give no finite number", "not_finite")
    if sampled.n_eff < minimum:
        return refusal(name, few_samples_reason(sampled.n_eff, duration, minimum), "few_samples", sampled.n_eff)
    return Estimate(name, sampled.value, sampled.stderr, sampled.n_eff)


def refusal(name: str, reason: str, flag: str, n_eff: float = 0.0) -> Estimate:
    """Return an estimate without a value."""
    return Estimate(name, None, None, n_eff, flags=(flag,), reason=reason)
