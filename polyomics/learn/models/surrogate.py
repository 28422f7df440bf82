"""Owns the surrogate of a computed property: what the simulations would say of any polymer, with left-out values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from polyomics.learn.models.gp import GaussianProcess, fit_gp, gp_arrays, gp_from
from polyomics.learn.models.learners import fold_numbers
from polyomics.learn.models.trees import Boosted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from polyomics.learn.models.features import Floats

LARGEST_GP = 3000
"""Sources above this size get boosted trees: a process costs the cube of its rows."""
FOLDS = 3


@dataclass(frozen=True, eq=False)
class Surrogate:
    """A fitted surrogate.

    Parameters
    ----------
    model
        A Gaussian process, or boosted trees for a large source.
    left_out
        Prediction of each source row by a model without it, shape (n,).
    error
        Root mean squared error of those predictions.
    """

    model: GaussianProcess | Boosted
    left_out: Floats
    error: float

    @property
    def kind(self) -> str:
        """What it is, for cards."""
        return "gp" if isinstance(self.model, GaussianProcess) else "boosted"

    def predict(self, blocks: Mapping[str, Floats]) -> Floats:
        """Return what the source would say of rows of scaled blocks, shape (t,)."""
        if isinstance(self.model, GaussianProcess):
            return self.model.predict(blocks)[0]
        return self.model.predict(_dense(blocks))

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return everything as named arrays."""
        if isinstance(self.model, GaussianProcess):
            own = gp_arrays(self.model)
        else:
            own = {"x": self.model.x.astype(np.float32), "y": self.model.y, "seed": np.array(self.model.seed)}
        return {"left_out": self.left_out, "error": np.array(self.error), **own}


def fit_surrogate(blocks: Mapping[str, Floats], y: Floats, *, seed: int) -> Surrogate:
    """Return a surrogate of labels ``y`` (n,) on scaled blocks (n, p)."""
    if len(y) <= LARGEST_GP:
        gp = fit_gp(blocks, y, seed=seed)
        left_out = gp.left_out()[0]
        return Surrogate(gp, left_out, float(np.sqrt(np.mean((left_out - y) ** 2))))
    x = _dense(blocks)
    fold = fold_numbers(len(y), FOLDS, seed)
    left_out = np.empty(len(y))
    for k in range(FOLDS):
        left_out[fold == k] = Boosted(x[fold != k], y[fold != k], seed).predict(x[fold == k])
    return Surrogate(Boosted(x, y, seed), left_out, float(np.sqrt(np.mean((left_out - y) ** 2))))


def surrogate_from(arrays: Mapping[str, NDArray[np.generic]]) -> Surrogate:
    """Return the surrogate that :meth:`Surrogate.arrays` described."""
    left_out, error = np.asarray(arrays["left_out"], dtype=np.float64), float(arrays["error"].item())
    if "hyper" in arrays:
        return Surrogate(gp_from(arrays), left_out, error)
    x, y = (np.asarray(arrays[name], dtype=np.float64) for name in ("x", "y"))
    return Surrogate(Boosted(x, y, int(arrays["seed"].item())), left_out, error)


def _dense(blocks: Mapping[str, Floats]) -> Floats:
    return np.concatenate([block for name, block in blocks.items() if name != "morgan"], axis=1)
