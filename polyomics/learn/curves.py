"""Owns learning curves: errors by source size, ordering and fold, read from a table and checked."""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, get_args

import numpy as np

from polyomics.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Metric = Literal["mse", "mae", "rmse"]
METRICS: Final[tuple[str, ...]] = get_args(Metric)
COLUMNS: Final = ("n", "ordering", "fold", "error")


@dataclass(frozen=True)
class Curve:
    """A learning curve with its replicates.

    Parameters
    ----------
    n
        Source sizes, increasing, shape (K,).
    folds, orderings
        Labels of the replicates, length R each; a pair occurs once.
    errors
        Error of each replicate at each size, shape (R, K), in the unit of the metric.
    metric
        What the errors are: mean squared (``mse``), mean absolute (``mae``) or root mean squared (``rmse``) error.
    source_size
        Size of the full source from which the nested subsets were drawn, if known.
    notes
        What was left out when the table was read, in words.
    subject
        The file or study, for messages.
    """

    n: Floats
    folds: tuple[str, ...]
    orderings: tuple[str, ...]
    errors: Floats
    metric: Metric = "mse"
    source_size: float | None = None
    notes: tuple[str, ...] = ()
    subject: str = "curve"

    def __post_init__(self) -> None:
        if self.errors.shape != (len(self.folds), self.n.size) or len(self.folds) != len(self.orderings):
            raise InputError(
                f"errors of shape {self.errors.shape} for {len(self.folds)} replicates and {self.n.size} sizes",
                subject=self.subject,
                field="error",
                remedy="one row per replicate, one column per source size",
            )
        if not bool(np.all(np.diff(self.n) > 0)) or not bool(np.all(self.n > 0)):
            raise InputError(
                "source sizes must be positive and increasing",
                subject=self.subject,
                field="n",
                remedy="sort them and leave out n = 0, the control without a source",
            )
        if len(set(zip(self.folds, self.orderings, strict=True))) < len(self.folds):
            raise InputError(
                "a pair of fold and ordering occurs twice",
                subject=self.subject,
                field="ordering",
                remedy="average the seeds of a cell first",
            )
        if self.source_size is not None and self.source_size < self.n[-1]:
            raise InputError(
                f"{self.source_size:g} is less than the largest n, {self.n[-1]:g}",
                subject=self.subject,
                field="source_size",
                remedy="give the number of polymers in the full source",
            )

    @property
    def replicates(self) -> int:
        """Number of (fold, ordering) pairs."""
        return len(self.folds)


def read_curve(path: Path | str, *, metric: Metric = "mse", source_size: float | None = None) -> Curve:
    """Read a curve from a comma-separated table with the columns ``n, ordering, fold, error``.

    Other columns are ignored. Raises ``InputError`` naming the column and the line for a missing column, a value that
    is not a number, a negative error or size, and an empty table.
    """
    source = Path(path)
    try:
        text = source.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"cannot be read: {error}", subject=str(path), field="CURVE", remedy="give a readable CSV file in UTF-8"
        ) from error
    reader = csv.DictReader(text.splitlines(), skipinitialspace=True)
    names = [(name or "").strip() for name in reader.fieldnames or []]
    reader.fieldnames = names
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        raise InputError(
            f"no column {', '.join(missing)}; the table has {', '.join(names) or 'no columns'}",
            subject=source.name,
            field=missing[0],
            remedy=f"name the columns {', '.join(COLUMNS)}",
        )
    return curve_of(reader, metric=metric, source_size=source_size, subject=source.name)


def curve_of(
    rows: Iterable[Mapping[str, object]],
    *,
    metric: Metric = "mse",
    source_size: float | None = None,
    subject: str = "curve",
) -> Curve:
    """Build a curve from records with ``n, ordering, fold, error``; the records of one cell (seeds) are averaged.

    Squared errors are averaged before the root for ``rmse``. Size 0 (the control without a source) is left out, then
    sizes that fewer than half of the replicates reached, then replicates that lack a size; each is noted.
    Raises ``InputError`` as ``read_curve``.
    """
    if metric not in METRICS:
        raise InputError(
            f"unknown metric {metric!r}", subject=subject, field="metric", remedy=f"one of {', '.join(METRICS)}"
        )
    if source_size is not None and not (math.isfinite(source_size) and source_size > 0):
        raise InputError(
            f"source size {source_size!r} is not a positive number",
            subject=subject,
            field="source_size",
            remedy="give the number of polymers in the full source",
        )
    cells: dict[tuple[str, str], dict[float, list[float]]] = defaultdict(lambda: defaultdict(list))
    count = 0
    for count, row in enumerate(rows, start=1):
        where = f"{subject} row {count}"
        size = _number(row, "n", where)
        error = _number(row, "error", where)
        cells[_label(row, "fold", where), _label(row, "ordering", where)][size].append(error)
    if not count:
        raise InputError("has no rows", subject=subject, field="error", remedy="one row per n, ordering and fold")
    return _complete(cells, metric, source_size, subject)


def _number(row: Mapping[str, object], name: str, where: str) -> float:
    raw = row.get(name)
    try:
        value = float(str(raw).strip())
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < 0:
        kind = "negative" if value < 0 else "not a number"
        raise InputError(
            f"{raw!r} is {kind}",
            subject=where,
            field=name,
            remedy="remove the row of a cell that failed, or compute it again",
        )
    return value


def _label(row: Mapping[str, object], name: str, where: str) -> str:
    text = str(row.get(name, "")).strip()
    if not text or row.get(name) is None:
        raise InputError("is empty", subject=where, field=name, remedy="give every row a label, 0 if there is only one")
    return text


def _complete(
    cells: Mapping[tuple[str, str], Mapping[float, list[float]]],
    metric: Metric,
    source_size: float | None,
    subject: str,
) -> Curve:
    notes: list[str] = []
    reached: dict[float, int] = defaultdict(int)
    for by_size in cells.values():
        for size in by_size:
            reached[size] += 1
    if reached.pop(0.0, 0):
        notes.append("n = 0 (no source) is a control and not part of the law")
    sizes = sorted(size for size, times in reached.items() if 2 * times >= len(cells))
    if len(sizes) < len(reached):
        dropped = ", ".join(f"{size:g}" for size in sorted(set(reached) - set(sizes)))
        notes.append(f"n = {dropped} left out: fewer than half of the replicates have it")
    whole = {key: by_size for key, by_size in sorted(cells.items()) if all(size in by_size for size in sizes)}
    if len(whole) < len(cells):
        notes.append(f"{len(cells) - len(whole)} of {len(cells)} replicates left out: they lack a size")
    if not whole or not sizes:
        raise InputError(
            "no replicate has an error at every source size",
            subject=subject,
            field="error",
            remedy="run the missing cells: orderings and folds must be followed over all n",
        )
    errors = np.array([[_mean(by_size[size], metric) for size in sizes] for by_size in whole.values()])
    if not bool(np.all(errors.mean(axis=0) > 0)):
        raise InputError("is zero throughout at a size", subject=subject, field="error", remedy="check the errors")
    folds, orderings = zip(*whole, strict=True)
    return Curve(np.array(sizes), folds, orderings, errors, metric, source_size, tuple(notes), subject)


def _mean(values: list[float], metric: Metric) -> float:
    sample = np.asarray(values)
    return float(np.sqrt(np.mean(sample**2)) if metric == "rmse" else np.mean(sample))
