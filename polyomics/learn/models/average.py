"""Owns small-data regression: closed-form linear-plus-kernel models, averaged over hyper-parameters by evidence.

Each member is y = b0 + F b + g(x) + noise with nearly flat priors on b and a Gaussian process g. With ten to some
hundred labels no single choice of hyper-parameters can be trusted, so a grid of them is solved at once and weighted
by marginal likelihood, the overall scale integrated out (a Student-t likelihood).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polyomics.learn.models.features import Floats

FLAT = 100.0
"""Prior variance of regression coefficients in units of the noise and signal variance."""


@dataclass(frozen=True, eq=False)
class Averaged:
    """Predictions of an averaged model.

    Parameters
    ----------
    mean, std
        Of the test rows (noise included), shape (t,).
    left_out
        Leave-one-out prediction of each training row, shape (m,).
    left_out_std
        Its standard deviation, noise included, shape (m,).
    jackknife
        Prediction of each test row by the model without training row i, shape (m, t).
    weights
        Of the members, shape (g,).
    """

    mean: Floats
    std: Floats
    left_out: Floats
    left_out_std: Floats
    jackknife: Floats
    weights: Floats


def averaged(
    kernels: Sequence[tuple[Floats, Floats, Floats]], y: Floats, noise: Floats | None = None, temper: float = 1.0
) -> Averaged:
    """Return the evidence-weighted average of members.

    Parameters
    ----------
    kernels
        Per member: covariance of the training rows without noise (m, m), of training with test rows (m, t), and prior
        variance of the test rows (t,), in units of the member's noise variance.
    y
        Labels, shape (m,).
    noise
        Relative noise variance of each label, shape (m,); default one.
    temper
        Power of the weights below one spreads them.
    """
    m = len(y)
    centre = float(y.mean())
    z = y - centre
    k = np.stack([member[0] for member in kernels])
    cross = np.stack([member[1] for member in kernels])
    prior = np.stack([member[2] for member in kernels])
    relative = np.ones(m) if noise is None else noise
    k = k + FLAT + np.diag(relative)
    cross = cross + FLAT
    inverse = np.linalg.inv(k)
    alpha = inverse @ z
    diagonal = np.diagonal(inverse, axis1=1, axis2=2)
    quadratic = np.maximum(alpha @ z, 1e-300)
    # Scale integrated out with the prior 1/scale: Student-t evidence with m - 1 degrees of freedom.
    evidence = -0.5 * np.linalg.slogdet(k)[1] - 0.5 * (m - 1) * np.log(quadratic)
    weights = np.exp(temper * (evidence - evidence.max()))
    weights /= weights.sum()
    scale = quadratic / (m - 1)
    projected = inverse @ cross
    mean = np.einsum("gmt,m->gt", projected, z)
    variance = scale[:, None] * np.maximum(prior + FLAT + 1.0 - np.einsum("gmt,gmt->gt", projected, cross), 1e-12)
    left = z - alpha / diagonal
    left_variance = scale[:, None] / diagonal
    jackknife = mean[:, None] - projected * (alpha / diagonal)[:, :, None]
    total = weights @ mean
    left_total = weights @ left
    return Averaged(
        mean=centre + total,
        std=np.sqrt(weights @ (variance + (mean - total) ** 2)),
        left_out=centre + left_total,
        left_out_std=np.sqrt(weights @ (left_variance + (left - left_total) ** 2)),
        jackknife=centre + np.einsum("g,gmt->mt", weights, jackknife),
        weights=weights,
    )
