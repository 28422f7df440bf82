"""Owns the mean learning curve and the covariance of its errors over n, from replicates.

The errors of one (fold, ordering) at different n are correlated: nested subsets, the same test polymers. A fit that
takes the points as independent is far too sure of itself. The replicates are taken apart as in a two-way analysis of
variance (folds, orderings, their interaction); each part is a random vector over n. With few replicates a free K x K
covariance is useless, so each is shrunk towards a smooth form: relative spread linear in log n, correlation a common
part plus one that decays with the distance in log n plus an independent part. How much to shrink is chosen by the
marginal likelihood of an inverse Wishart prior centred on the smooth form (Chen 1979; Everson and Morris 2000).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, multigammaln

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from polyomics.learn.curves import Curve

    Floats = NDArray[np.float64]

_SHRINKAGES: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 64.0)
_FULL_SOURCE: Final = 0.05
_TINY: Final = 1e-12


@dataclass(frozen=True)
class MeanCurve:
    """The mean curve with what is known of its error.

    Parameters
    ----------
    n
        Source sizes, shape (K,).
    value
        Mean error over the replicates, shape (K,), unit of the metric.
    covariance
        Covariance of ``value``, shape (K, K).
    freedom
        Degrees of freedom behind the covariance: those of the common mode of all n (Satterthwaite).
    """

    n: Floats
    value: Floats
    covariance: Floats
    freedom: float

    def leave(self, keep: NDArray[np.bool_]) -> MeanCurve:
        """Return the curve at the sizes marked ``keep``."""
        return MeanCurve(self.n[keep], self.value[keep], self.covariance[np.ix_(keep, keep)], self.freedom)


def mean_curve(curve: Curve) -> MeanCurve:
    """Average the replicates of a curve (at least two) and estimate the covariance of the mean over n.

    Sizes above half of ``source_size`` share their data between orderings, so that their spread over orderings tells
    too little: their variance is raised by 1/2 over the unshared part 1 - n/N (at least 0.05).
    """
    squared = curve.errors**2 if curve.metric == "rmse" else curve.errors
    mean = squared.mean(axis=0)
    relative = squared / mean - 1.0
    x = np.log(curve.n)
    position = (x - x.mean()) / max(float(np.ptp(x)), 1.0)
    covariance, freedom = _covariance_of_mean(relative, curve.folds, curve.orderings, position)
    if curve.source_size is not None:
        unshared = np.maximum(1.0 - curve.n / curve.source_size, _FULL_SOURCE)
        raised = np.sqrt(np.where(unshared < 0.5, 0.5 / unshared, 1.0))
        covariance = covariance * np.outer(raised, raised)
    value = mean
    if curve.metric == "rmse":
        value, covariance = np.sqrt(mean), covariance / 4.0
    return MeanCurve(curve.n, value, covariance * np.outer(value, value), freedom)


def _covariance_of_mean(
    relative: Floats, folds: tuple[str, ...], orderings: tuple[str, ...], position: Floats
) -> tuple[Floats, float]:
    """Return the covariance of the mean of ``relative`` (R, K), and its degrees of freedom."""
    fold_of = np.unique(folds, return_inverse=True)[1]
    ordering_of = np.unique(orderings, return_inverse=True)[1]
    count_f, count_o, count = int(fold_of.max()) + 1, int(ordering_of.max()) + 1, len(folds)
    if count_f > 1 and count_o > 1 and count == count_f * count_o:
        cells = np.empty((count_f, count_o, relative.shape[1]))
        cells[fold_of, ordering_of] = relative
        return _crossed(cells, position)
    if 1 < count_f < count:
        return _nested(relative, fold_of, position)
    spread = _Smooth.fit(relative.T @ relative, count - 1, position)
    return spread.shrunk / count, float(count - 1)


def _crossed(cells: Floats, position: Floats) -> tuple[Floats, float]:
    """Folds times orderings, each pair once: ``cells`` (F, O, K) has mean 0 over both."""
    count_f, count_o, _ = cells.shape
    by_fold, by_ordering = cells.mean(axis=1), cells.mean(axis=0)
    rest = (cells - by_fold[:, None] - by_ordering[None]).reshape(count_f * count_o, -1)
    base = _Smooth.fit(rest.T @ rest, (count_f - 1) * (count_o - 1), position)
    extra_f = base.extra(count_o * by_fold.T @ by_fold, count_f - 1)
    extra_o = base.extra(count_f * by_ordering.T @ by_ordering, count_o - 1)
    parts = [(base.shrunk, base.freedom), (extra_f, count_f - 1.0), (extra_o, count_o - 1.0)]
    return _total(parts, count_f * count_o)


def _nested(relative: Floats, fold_of: NDArray[np.intp], position: Floats) -> tuple[Floats, float]:
    """Orderings of their own in every fold (or some pairs missing): spread within folds, and between them."""
    count, groups = len(fold_of), int(fold_of.max()) + 1
    sizes = np.bincount(fold_of).astype(float)
    means = np.stack([relative[fold_of == group].mean(axis=0) for group in range(groups)])
    within = relative - means[fold_of]
    base = _Smooth.fit(within.T @ within, count - groups, position)
    extra = base.extra((means * sizes[:, None]).T @ means, groups - 1)
    uneven = groups * float(np.sum(sizes**2)) / count**2
    return _total([(base.shrunk, base.freedom), (extra * uneven, groups - 1.0)], count)


def _total(parts: list[tuple[Floats, float]], count: int) -> tuple[Floats, float]:
    """Add mean squares to the covariance of the mean of ``count`` cells; freedom of its common mode (Satterthwaite)."""
    modes = np.array([float(part.sum()) for part, _ in parts])
    freedom = modes.sum() ** 2 / sum(mode**2 / free for mode, (_, free) in zip(modes, parts, strict=True))
    return np.sum([part for part, _ in parts], axis=0) / count, float(freedom)


@dataclass(frozen=True)
class _Smooth:
    """A mean square over n: its smooth form, and the estimate shrunk towards it."""

    scale: Floats
    smooth: Floats
    shrunk: Floats
    freedom: float
    position: Floats

    @staticmethod
    def fit(scatter: Floats, freedom: int, position: Floats) -> _Smooth:
        """Fit the smooth form to a scatter matrix (K, K) with ``freedom`` degrees by Wishart likelihood."""
        size = len(position)
        level = max(float(np.trace(scatter)) / (freedom * size), _TINY)
        distance = np.abs(position[:, None] - position[None, :])

        def loss(p: Floats) -> float:
            form = _form(p, position, distance)
            sign, logdet = np.linalg.slogdet(form)
            if sign <= 0:
                return 1e6
            fit = float(np.sum(np.linalg.inv(form) * scatter)) / level
            # a weak prior keeps the parameters off infinity where the likelihood is flat
            return float(freedom * logdet + fit + 0.02 * np.sum(p[1:] ** 2))

        start = np.array([0.0, 0.0, -0.5, -0.7, -2.0])
        found = minimize(loss, start, method="L-BFGS-B", bounds=[(-6, 6), (-8, 8), (-6, 6), (-4, 3), (-7, 4)])
        smooth = level * _form(found.x, position, distance)
        scale = np.sqrt(np.diag(smooth))
        return _Smooth(scale, smooth, _shrink(scatter, freedom, smooth), float(freedom), position)

    def extra(self, scatter: Floats, freedom: int) -> Floats:
        """Return the part of a mean square that exceeds this one: a share common to all n, and one like this one."""
        whiten = np.linalg.inv(np.linalg.cholesky(self.smooth))
        seen = whiten @ scatter @ whiten.T
        common = whiten @ self.scale
        size = len(self.scale)

        def loss(p: Floats) -> float:
            form = (1.0 + p[1]) * np.eye(size) + p[0] * np.outer(common, common)
            return float(freedom * np.linalg.slogdet(form)[1] + np.sum(np.linalg.inv(form) * seen))

        start = np.array([0.2, 0.2])
        found = minimize(loss, start, method="L-BFGS-B", bounds=[(0, 1e4), (0, 1e4)])
        return np.asarray(found.x[1] * self.smooth + found.x[0] * np.outer(self.scale, self.scale))


def _form(p: Floats, position: Floats, distance: Floats) -> Floats:
    """Smooth relative covariance: exp(p0 + p1 x) as variance; common, decaying and independent parts."""
    deviation = np.exp(0.5 * (p[0] + p[1] * position))
    common, single = expit(p[2]), expit(p[4])
    correlation = common + (1 - common) * (1 - single) * np.exp(-distance / np.exp(p[3]))
    correlation[np.diag_indices_from(correlation)] = 1.0
    return np.asarray(np.outer(deviation, deviation) * correlation)


def _shrink(scatter: Floats, freedom: int, smooth: Floats) -> Floats:
    """Posterior mean of a covariance under an inverse Wishart prior whose weight maximises the marginal likelihood."""
    size = len(smooth)
    best, chosen = -np.inf, smooth
    for factor in _SHRINKAGES:
        weight = factor * (size + 1.0)
        degrees = weight + size + 1.0
        prior = weight * smooth
        evidence = (
            0.5 * degrees * np.linalg.slogdet(prior)[1]
            - 0.5 * (degrees + freedom) * np.linalg.slogdet(prior + scatter)[1]
            + multigammaln(0.5 * (degrees + freedom), size)
            - multigammaln(0.5 * degrees, size)
        )
        if evidence > best:
            best, chosen = float(evidence), (prior + scatter) / (weight + freedom)
    return chosen
