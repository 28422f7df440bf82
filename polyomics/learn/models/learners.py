"""Owns the learners of a target: rows with labels in, predictions with intervals and left-out errors out.

A row carries its descriptors and what the source says of it (the surrogate's prediction, left out where the polymer
was in the source, or its own simulated value). All learners give left-out predictions of their labels and the
prediction of every test row by every left-out model, from which the intervals are made.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from polyomics.errors import InputError
from polyomics.learn.models.average import averaged
from polyomics.learn.models.gp import fit_gp
from polyomics.learn.models.intervals import plus_interval
from polyomics.learn.models.kernels import radial
from polyomics.learn.models.nets import Network, finetune_network
from polyomics.learn.models.trees import Boosted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from polyomics.learn.models.features import Floats
    from polyomics.learn.models.kernels import Geometry, Metric

METHODS = ("delta", "finetune", "linear", "gbm", "gp", "direct")
"""Every method; ``auto`` chooses among them."""

LENGTHS = (1.0, 2.5)
AMPLITUDES = (0.3, 1.0, 3.0, 10.0)
LINEAR = (0.0, 0.3, 3.0)
LINEAR_DIRECT = (0.0, 0.3, 3.0, 30.0)
"""Prior variances of the linear term; without a source it has more to explain."""
SLOPE = 100.0
"""Prior variance of the source's slope in units of the noise variance, for a source scaled to unit spread: flat."""
FOLDS = {"gbm": 10, "gp": 10, "finetune": 5}
"""Folds of the learners whose left-out predictions have no closed form."""
MANY = 200
"""Above this number of labels one member of the average, chosen on a subset, is enough."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows as learners see them.

    Parameters
    ----------
    blocks
        Scaled descriptor blocks, (n, p) each.
    source
        What the source says of each row, shape (n,).
    """

    blocks: dict[str, Floats]
    source: Floats

    def __len__(self) -> int:
        return len(self.source)

    def take(self, rows: NDArray[np.int64]) -> Rows:
        """Return some rows."""
        return Rows({name: block[rows] for name, block in self.blocks.items()}, self.source[rows])

    def dense(self) -> Floats:
        """Return everything but the sparse counts side by side, for trees."""
        return np.concatenate([b for name, b in self.blocks.items() if name != "morgan"], axis=1)

    def joined(self, names: Sequence[str] = ()) -> Floats:
        """Return the blocks (all, or those named) side by side, counts brought to the scale of the others."""
        chosen = names or tuple(self.blocks)
        return np.concatenate([self.blocks[n] * (5.0 if n == "morgan" else 1.0) for n in chosen], axis=1)


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a learner says.

    Parameters
    ----------
    mean, std
        Of the test rows, shape (t,).
    left_out, left_out_std
        Of the labels by models that did not see them, shape (m,).
    jackknife
        Test rows by those models, shape (m, t).
    """

    mean: Floats
    std: Floats
    left_out: Floats
    left_out_std: Floats
    jackknife: Floats

    def interval(self, y: Floats) -> tuple[Floats, Floats]:
        """Return the ends of the 90 % interval (jackknife+ in units of the expected error), shape (t,)."""
        return plus_interval(self.jackknife, np.abs(y - self.left_out), self.std, self.left_out_std)


@dataclass(frozen=True, eq=False)
class Labels:
    """Labels of a target: values (m,), and their error variances relative to the mean noise, or None."""

    value: Floats
    noise: Floats | None = None

    def take(self, rows: NDArray[np.int64]) -> Labels:
        """Return some labels."""
        return Labels(self.value[rows], None if self.noise is None else self.noise[rows])


def learn(
    method: str,
    train: Rows,
    labels: Labels,
    test: Rows,
    metric: Metric,
    *,
    seed: int = 0,
    networks: Sequence[Network] = (),
) -> Outcome:
    """Return what a method, trained on labelled rows, says of test rows.

    Parameters
    ----------
    method
        One of :data:`METHODS`.
    train, labels, test
        Rows and labels.
    metric
        Distances between rows, from the source.
    seed
        Of folds, networks and trees.
    networks
        Pretrained networks for ``finetune``.

    Raises
    ------
    InputError
        Unknown method, or too few labels.
    """
    if len(train) < 3:
        raise InputError(f"{len(train)} labels", field="target", remedy="give at least three measured values")
    if method == "delta":
        return _closed(train, labels, test, metric, lambda a, b, g: _members(g, a, b, SLOPE))
    if method == "direct":
        return _closed(train, labels, test, metric, lambda a, b, g: _members(g, a, b, 0.0, LINEAR_DIRECT))
    if method == "linear":
        return _closed(train, labels, test, metric, lambda a, b, g: [SLOPE * np.outer(a, b)])
    fits: dict[str, Callable[[Rows, Floats], Callable[[Rows], Floats]]] = {
        "gbm": lambda rows, y: _boosted(rows, y, seed),
        "gp": lambda rows, y: _process(rows, y, seed),
        "finetune": lambda rows, y: finetuned(networks, rows, y, seed),
    }
    if method not in fits:
        raise InputError(f"no method {method!r}", field="method", remedy=f"one of auto, {', '.join(METHODS)}")
    if method == "finetune" and not networks:
        raise InputError("the model has no network", field="method", remedy="pretrain again")
    return cross_validated(fits[method], train, labels, test, seed, FOLDS[method])


def cross_validated(
    fit: Callable[[Rows, Floats], Callable[[Rows], Floats]],
    train: Rows,
    labels: Labels,
    test: Rows,
    seed: int,
    folds: int,
) -> Outcome:
    """Return the outcome of any learner by CV+."""
    m = len(train)
    fold = fold_numbers(m, folds, seed)
    left, jackknife = np.empty(m), np.empty((m, len(test)))
    for k in range(fold.max() + 1):
        inside, outside = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
        model = fit(train.take(inside), labels.value[inside])
        left[outside] = model(train.take(outside))
        jackknife[outside] = model(test)
    mean = fit(train, labels.value)(test)
    error = float(np.sqrt(np.mean((left - labels.value) ** 2)))
    return Outcome(mean, np.full(len(test), error), left, np.full(m, error), jackknife)


def fold_numbers(m: int, folds: int, seed: int) -> NDArray[np.int64]:
    """Return a balanced random fold number per row, shape (m,)."""
    numbers = np.arange(m, dtype=np.int64) % min(folds, m)
    return np.random.default_rng(seed).permutation(numbers)


def finetuned(networks: Sequence[Network], rows: Rows, y: Floats, seed: int) -> Callable[[Rows], Floats]:
    """Return the mean of fine-tuned networks as a function of rows."""
    tuned = [finetune_network(n, rows.joined(n.recipe.blocks), y, seed=seed + i) for i, n in enumerate(networks)]
    return lambda t: np.mean([n.predict(t.joined(n.recipe.blocks))[:, 0] for n in tuned], axis=0)


def _process(rows: Rows, y: Floats, seed: int) -> Callable[[Rows], Floats]:
    gp = fit_gp(rows.blocks, y, seed=seed)
    return lambda t: gp.predict(t.blocks)[0]


def _boosted(rows: Rows, y: Floats, seed: int) -> Callable[[Rows], Floats]:
    model = Boosted(rows.dense(), y, seed)
    return lambda t: model.predict(t.dense())


def _closed(
    train: Rows,
    labels: Labels,
    test: Rows,
    metric: Metric,
    members: Callable[[Floats, Floats, Geometry], Sequence[Floats]],
) -> Outcome:
    """Return the outcome of an averaged closed-form model (see ``average``)."""
    m = len(train)
    centre, spread = train.source.mean(), train.source.std() or 1.0
    a, b = (train.source - centre) / spread, (test.source - centre) / spread
    if m > MANY:
        rows = np.unique(np.linspace(0, m - 1, MANY).astype(np.int64))
        own = members(a[rows], a[rows], metric.between(train.take(rows).blocks, train.take(rows).blocks))
        none = np.zeros((len(rows), 0))
        noise = None if labels.noise is None else labels.noise[rows]
        found = averaged([(k, none, np.zeros(0)) for k in own], labels.value[rows], noise)
        best = int(np.argmax(found.weights))
        members = _only(members, best)
    inside = members(a, a, metric.between(train.blocks, train.blocks))
    across = members(a, b, metric.between(train.blocks, test.blocks))
    priors = _prior(members, b, test, metric)
    result = averaged(list(zip(inside, across, priors, strict=True)), labels.value, labels.noise)
    return Outcome(result.mean, result.std, result.left_out, result.left_out_std, result.jackknife)


def _only(
    members: Callable[[Floats, Floats, Geometry], Sequence[Floats]], index: int
) -> Callable[[Floats, Floats, Geometry], Sequence[Floats]]:
    return lambda a, b, g: [members(a, b, g)[index]]


def _prior(
    members: Callable[[Floats, Floats, Geometry], Sequence[Floats]], b: Floats, test: Rows, metric: Metric
) -> list[Floats]:
    """Return the prior variance of each test row by each member: the diagonals of their covariances."""
    if not len(test):
        return [np.zeros(0) for _ in members(b, b, metric.between(test.blocks, test.blocks))]
    parts: list[list[Floats]] = []
    for start in range(0, len(test), 500):
        rows = np.arange(start, min(start + 500, len(test)))
        part = test.take(rows).blocks
        parts.append([np.diag(k).copy() for k in members(b[rows], b[rows], metric.between(part, part))])
    return [np.concatenate(columns) for columns in zip(*parts, strict=True)]


def _members(geometry: Geometry, a: Floats, b: Floats, slope: float, linear: Sequence[float] = LINEAR) -> list[Floats]:
    """Return the covariances of the grid: three sets of blocks, lengths, amplitudes, linear terms, and the source."""
    base = slope * np.outer(a, b)
    radials = []
    for blocks in _block_sets(tuple(geometry.distances)):
        for length in LENGTHS:
            lengths = {n: length * np.sqrt(len(blocks)) * (2.0 if n == "morgan" else 1.0) for n in blocks}
            radials.append(radial(geometry, lengths))
    smooth = [0.0 * radials[0], *(amplitude * r for r in radials for amplitude in AMPLITUDES)]
    return [base + variance * geometry.linear + part for part in smooth for variance in linear]


def _block_sets(names: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Return the first block alone, everything but counts, and everything; each once."""
    sets = [names[:1], tuple(n for n in names if n != "morgan"), names]
    return list(dict.fromkeys(sets))


def choose(
    candidates: Sequence[str],
    train: Rows,
    labels: Labels,
    metric: Metric,
    *,
    seed: int,
    networks: Sequence[Network] = (),
) -> tuple[str, dict[str, float]]:
    """Return the method of least left-out absolute error on the target's own labels, and the errors of all.

    The first candidate is kept unless another is better by one standard error of the paired differences.
    """
    nothing = train.take(np.zeros(0, dtype=np.int64))
    errors: dict[str, Floats] = {}
    for method in candidates:
        outcome = learn(method, train, labels, nothing, metric, seed=seed, networks=networks)
        errors[method] = np.abs(outcome.left_out - labels.value)
    best = candidates[0]
    for method in sorted(candidates[1:], key=lambda name: float(errors[name].mean())):
        gain = errors[best] - errors[method]
        if gain.mean() > gain.std(ddof=1) / np.sqrt(len(gain)):
            best = method
            break
    return best, {method: float(e.mean()) for method, e in errors.items()}


def with_source(rows: Rows, source: Any) -> Rows:
    """Return rows with another opinion of the source, such as their own simulated values."""
    return replace(rows, source=np.asarray(source, dtype=np.float64))
