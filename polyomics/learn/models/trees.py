"""Owns gradient-boosted trees (scikit-learn's histograms): the baseline that is hard to beat, and large surrogates."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from polyomics.learn.models.features import Floats


@dataclass(frozen=True, eq=False)
class Boosted:
    """Boosted trees kept as their training data: they are grown on first use, the same for the same seed.

    Parameters
    ----------
    x, y
        Training rows (n, p) and labels (n,).
    seed
        Of the binning's subsample.
    """

    x: Floats
    y: Floats
    seed: int = 0

    @cached_property
    def _model(self) -> Any:
        from sklearn.ensemble import HistGradientBoostingRegressor

        n = len(self.y)
        model = HistGradientBoostingRegressor(
            max_iter=200 if n < 5000 else 400,
            learning_rate=0.06 if n < 5000 else 0.1,
            max_leaf_nodes=8 if n < 200 else 15 if n < 5000 else 63,
            min_samples_leaf=3 if n < 100 else 5 if n < 1000 else 20,
            l2_regularization=1.0,
            early_stopping=False,
            random_state=self.seed,
        )
        return model.fit(self.x, self.y)

    def predict(self, x: Floats) -> Floats:
        """Return predictions, shape (t,)."""
        if not len(x):
            return np.zeros(0)
        return np.asarray(self._model.predict(x), dtype=np.float64)
