"""Owns predictive intervals from left-out residuals: jackknife+ and CV+ (Barber et al., Ann. Stat. 49, 486, 2021)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from polyomics.learn.models.features import Floats

LEVEL = 0.9


def plus_interval(
    left_out_predictions: Floats,
    residuals: Floats,
    scale: Floats | None = None,
    residual_scale: Floats | None = None,
    level: float = LEVEL,
) -> tuple[Floats, Floats]:
    """Return lower and upper ends, shape (t,).

    Parameters
    ----------
    left_out_predictions
        Prediction of each test row by the model that did not see label i, shape (m, t).
    residuals
        Absolute error of that model at label i, shape (m,).
    scale, residual_scale
        Expected size of the error of a test row (t,) and of label i (m,): residuals are compared in its units, so
        that intervals widen where the model knows less.
    level
        Nominal coverage.
    """
    m = len(residuals)
    size = residuals if residual_scale is None else residuals / residual_scale
    spread = size[:, None] if scale is None else size[:, None] * scale[None, :]
    upper = np.sort(left_out_predictions + spread, axis=0)
    lower = np.sort(left_out_predictions - spread, axis=0)
    rank = min(m, math.ceil(level * (m + 1)))
    return lower[m - rank], upper[rank - 1]
