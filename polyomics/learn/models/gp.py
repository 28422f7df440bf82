"""Owns Gaussian-process regression on descriptor blocks: the surrogate of a computed property for small sources."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from polyomics.learn.models.kernels import Metric, metric_of, radial

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from polyomics.learn.models.features import Floats
    from polyomics.learn.models.kernels import Geometry

_BASIS = 10.0
"""Prior variance of constant and linear terms, in units of the labels' variance: close to flat."""
_SEARCH_ROWS = 400


@dataclass(frozen=True)
class Hyper:
    """Hyper-parameters, as multiples of the labels' standard deviation and the blocks' mean distances.

    Parameters
    ----------
    lengths
        One per block; infinite lengths leave a block out.
    linear
        Prior variance of the linear term on the first block.
    noise
        Variance of the noise.
    """

    lengths: tuple[float, ...]
    linear: float = 1.0
    noise: float = 0.02

    def covariance(self, geometry: Geometry) -> Floats:
        """Return the prior covariance without noise, shape (n, m)."""
        lengths = {
            name: length for name, length in zip(geometry.distances, self.lengths, strict=True) if math.isfinite(length)
        }
        return radial(geometry, lengths) + self.linear * geometry.linear + _BASIS


@dataclass(frozen=True, eq=False)
class GaussianProcess:
    """A fitted process.

    Parameters
    ----------
    blocks
        Scaled training rows.
    hyper, metric
        Its covariance.
    centre, spread
        Mean and standard deviation of the labels.
    weights
        Of the training rows, shape (n,).
    inverse
        Inverse covariance of the training rows, shape (n, n).
    """

    blocks: dict[str, Floats]
    hyper: Hyper
    metric: Metric
    centre: float
    spread: float
    weights: Floats
    inverse: Floats

    def predict(self, blocks: Mapping[str, Floats]) -> tuple[Floats, Floats]:
        """Return mean and standard deviation (noise left out) of rows of scaled blocks."""
        means, deviations = [np.zeros(0)], [np.zeros(0)]
        n = len(next(iter(blocks.values())))
        for start in range(0, n, 1000):
            part = {name: block[start : start + 1000] for name, block in blocks.items()}
            k = self.hyper.covariance(self.metric.between(part, self.blocks))
            own = 1.0 + _BASIS + self.hyper.linear * np.mean(next(iter(part.values())) ** 2, axis=1)
            means.append(k @ self.weights)
            deviations.append(np.sqrt(np.maximum(own - np.einsum("ij,jk,ik->i", k, self.inverse, k, optimize=True), 0)))
        return self.centre + self.spread * np.concatenate(means), self.spread * np.concatenate(deviations)

    def left_out(self) -> tuple[Floats, Floats]:
        """Return the leave-one-out mean and standard deviation of every training row, in closed form."""
        diagonal = np.diag(self.inverse)
        labels = np.linalg.solve(self.inverse, self.weights) if len(self.weights) else self.weights
        mean = labels - self.weights / diagonal
        deviation = np.sqrt(np.maximum(1.0 / diagonal - self.hyper.noise, 0.0))
        return self.centre + self.spread * mean, self.spread * deviation


def fit_gp(
    blocks: Mapping[str, Floats], y: Floats, *, seed: int = 0, hyper: Hyper | None = None, noise: Floats | None = None
) -> GaussianProcess:
    """Return a process fitted to labels.

    Hyper-parameters maximise the marginal likelihood on at most 400 rows, by a coordinate search over powers of two.

    Parameters
    ----------
    blocks
        Scaled blocks, (n, p) each.
    y
        Labels, shape (n,).
    seed
        Chooses the rows of the search.
    hyper
        Known hyper-parameters: nothing is searched.
    noise
        Additional noise variance per row in units of the label, shape (n,).
    """
    n = len(y)
    metric = metric_of(blocks)
    centre, spread = float(np.mean(y)), float(np.std(y)) or 1.0
    z = (y - centre) / spread
    extra = np.zeros(n) if noise is None else noise / spread**2
    if hyper is None:
        rows = np.sort(np.random.default_rng(seed).permutation(n)[:_SEARCH_ROWS])
        part = {name: block[rows] for name, block in blocks.items()}
        hyper = _searched(metric.between(part, part), z[rows], extra[rows])
    k = hyper.covariance(metric.between(blocks, blocks))
    k[np.diag_indices(n)] += hyper.noise + extra
    inverse = cho_solve(cho_factor(k, lower=True), np.eye(n))
    return GaussianProcess(dict(blocks), hyper, metric, centre, spread, inverse @ z, inverse)


def log_likelihood(geometry: Geometry, z: Floats, hyper: Hyper, extra: Floats) -> float:
    """Return the log marginal likelihood of centred, scaled labels."""
    k = hyper.covariance(geometry)
    k[np.diag_indices(len(z))] += hyper.noise + extra
    try:
        factor = cho_factor(k, lower=True)
    except np.linalg.LinAlgError:
        return -np.inf
    return float(-0.5 * z @ cho_solve(factor, z) - np.log(np.diag(factor[0])).sum())


def _searched(geometry: Geometry, z: Floats, extra: Floats) -> Hyper:
    """Return the hyper-parameters of largest likelihood met by a coordinate search that halves its steps."""
    best = Hyper(tuple(2.0 for _ in geometry.distances))
    score = log_likelihood(geometry, z, best, extra)
    moves = ["noise", "linear", *range(len(best.lengths))]
    for factor in (4.0, 2.0, 1.4):
        for _ in range(2):
            before = score
            for move in moves:
                for step in (factor, 1.0 / factor):
                    while True:
                        tried = _moved(best, move, step)
                        value = log_likelihood(geometry, z, tried, extra)
                        if value <= score + 1e-3:
                            break
                        best, score = tried, value
            if score - before < 0.1:
                break
    return best


def _moved(hyper: Hyper, move: str | int, factor: float) -> Hyper:
    if move == "noise":
        return replace(hyper, noise=min(max(hyper.noise * factor, 1e-5), 4.0))
    if move == "linear":
        return replace(hyper, linear=min(max(hyper.linear * factor, 1e-6), 1e3))
    lengths = list(hyper.lengths)
    lengths[int(move)] = min(max(lengths[int(move)] * factor, 0.1), 200.0)
    return replace(hyper, lengths=tuple(lengths))


def gp_arrays(gp: GaussianProcess) -> dict[str, NDArray[np.generic]]:
    """Return what must be kept of a process; the inverse is made again when it is read."""
    numbers = np.array([*gp.hyper.lengths, gp.hyper.linear, gp.hyper.noise])
    labels = gp.centre + gp.spread * np.linalg.solve(gp.inverse, gp.weights)
    return {"hyper": numbers, "labels": labels, **{f"block.{name}": block for name, block in gp.blocks.items()}}


def gp_from(arrays: Mapping[str, NDArray[np.generic]]) -> GaussianProcess:
    """Return the process that :func:`gp_arrays` described."""
    *lengths, linear, noise = np.asarray(arrays["hyper"], dtype=np.float64).tolist()
    blocks = {k.partition(".")[2]: np.asarray(v, dtype=np.float64) for k, v in arrays.items() if k.startswith("block.")}
    y = np.asarray(arrays["labels"], dtype=np.float64)
    return fit_gp(blocks, y, hyper=Hyper(tuple(lengths), linear, noise))
