"""Owns the picture of a law: replicates, mean with error bars, fitted curve, 90 % band and the held-out point."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from matplotlib.figure import Figure

from polyomics.learn.law.decision import Status
from polyomics.learn.law.report import law_of

if TYPE_CHECKING:
    from polyomics.learn.curves import Curve
    from polyomics.learn.law.report import Estimate, LawReport

_REACH: Final = 10.0
_POINTS: Final = 60
_WIDTH, _LINES = 80, 2
_NAMES: Final = {"mse": "mean squared error", "mae": "mean absolute error", "rmse": "root mean squared error"}


def plot_law(curve: Curve, report: LawReport, target: Path | str | Any) -> None:
    """Draw the curve and its report to ten times the largest n.

    Parameters
    ----------
    curve, report
        As given to and returned by ``law_of``.
    target
        A file to write (its suffix gives the format), or matplotlib axes to draw into.
    """
    if not isinstance(target, str | Path):
        _draw(curve, report, target)
        return
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    _draw(curve, report, figure.subplots())
    figure.savefig(target, dpi=150)


def _draw(curve: Curve, report: LawReport, axes: Any) -> None:
    axes.plot(curve.n, curve.errors.T, color="0.82", lw=0.6, zorder=1)
    mean = report.mean
    if mean is not None:
        bars = 1.645 * np.sqrt(np.diag(mean.covariance))
        axes.errorbar(mean.n, mean.value, bars, fmt="o", color="black", ms=4, capsize=2, zorder=4, label="mean, 90 %")
        _band(curve, report, axes)
    held = report.held_out
    if held is not None:
        span = [[max(held.value - held.lower90, 0.0)], [max(held.upper90 - held.value, 0.0)]]
        label = "predicted without the largest octave"
        axes.errorbar([held.n * 1.06], [held.value], span, fmt="s", color="C1", ms=4, capsize=3, zorder=5, label=label)
    if report.status is Status.LAW and report.floor.value:
        axes.axhline(report.floor.value, color="C0", ls=":", lw=1, label=f"C = {_short(report.floor)}")
    axes.set(xscale="log", yscale="log", xlabel="simulated polymers n", ylabel=_NAMES.get(curve.metric, curve.metric))
    axes.set_title(_title(report), fontsize=9)
    axes.legend(fontsize=8, frameon=False)


def _band(curve: Curve, report: LawReport, axes: Any) -> None:
    sizes = np.geomspace(curve.n[0], _REACH * curve.n[-1], _POINTS)
    errors = [item.error for item in law_of(curve, at=tuple(sizes)).predicted]
    if any(error.value is None for error in errors):
        return
    value, low, high = (
        np.array([getattr(error, name) for error in errors], dtype=float) for name in ("value", "lower90", "upper90")
    )
    solid = report.status is Status.LAW
    label = f"{report.model}, 90 %" if solid else f"{report.model} (no law reported), 90 %"
    axes.plot(sizes, value, color="C0", lw=1.5, ls="-" if solid else "--", zorder=3, label=label)
    axes.fill_between(sizes, np.maximum(low, 1e-3 * value), high, color="C0", alpha=0.2, lw=0, zorder=2)
    axes.axvline(curve.n[-1], color="0.6", lw=0.8, ls="--")


def _title(report: LawReport) -> str:
    if report.status is not Status.LAW:
        reason = textwrap.wrap(f"{report.status.value.replace('_', ' ')}: {report.reasons[0]}", _WIDTH)
        return "\n".join(reason[:_LINES]) + (" …" if len(reason) > _LINES else "")
    return f"E(n) = D n$^{{-\\alpha}}$ + C, $\\alpha$ = {_short(report.alpha)}"


def _short(estimate: Estimate) -> str:
    return f"{estimate.value:.3g} [{estimate.lower90:.3g}, {estimate.upper90:.3g}]"
