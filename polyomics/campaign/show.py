"""Pictures of one task: density and energy against time for every stage, and the cell at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from polyomics.errors import InputError
from polyomics.pipeline.dynamics import snapshots_of, thermo_columns
from polyomics.store.address import open_store
from polyomics.store.markers import MarkerStore
from polyomics.store.sql import open as open_database

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

    from polyomics.properties.records import Snapshot
    from polyomics.store.interface import Marker

AMU_PER_NM3 = 1.66053906660
"""kg/m3."""

_SIMULATED = ("equilibrate", "sample", "dynamics")
_COLOURS = {1: "#dddddd", 6: "#555555", 7: "#3050f8", 8: "#e8452c", 9: "#90e050", 15: "#ff8000", 16: "#e8c83c",
            17: "#1ff01f", 35: "#a62929", 53: "#940094"}  # fmt: skip


def show_task(address: str, task: str, out: Path) -> dict[str, Any]:
    """Write the plots of a task.

    Parameters
    ----------
    address
        Store address.
    task
        Task key or its beginning, or the name or PSMILES of a polymer with one task.
    out
        Folder for PNG files; made where absent.

    Returns
    -------
    dict
        ``task``, ``polymer``, ``stages`` (name, ps, density, ns/day) and ``files``.

    Raises
    ------
    polyomics.errors.InputError
        No such task, or several; nothing simulated yet.
    """
    row = _find(address, task)
    markers = MarkerStore(open_store(address, create=False))
    stages = [m for key in row["stage_keys"] if (m := markers.get(key)) is not None and m.stage in _SIMULATED]
    if not stages:
        raise InputError(
            "nothing of this task has been simulated yet", subject=row["task_key"], remedy="polyomics run FILE"
        )
    out.mkdir(parents=True, exist_ok=True)
    title = f"{row['name'] or row['polymer']}, {row['T_K']:g} K"
    files = [_plot_records(markers, stages, title, out / f"{row['task_key'][:12]}-time.png")]
    sampled = next((m for m in stages if m.stage == "sample"), None)
    if sampled is not None:
        last = snapshots_of(markers, sampled)[-1]
        files.append(_plot_cell(last, title, out / f"{row['task_key'][:12]}-cell.png"))
    return {
        "task": row["task_key"],
        "polymer": row["polymer"],
        "stages": [_summary(markers, stage) for stage in stages],
        "files": [str(path) for path in files],
    }


def _find(address: str, task: str) -> dict[str, Any]:
    with open_database(address) as database:
        rows = database.sql("SELECT * FROM tasks ORDER BY polymer, T_K, replica").dicts()
    found = [r for r in rows if r["task_key"].startswith(task)] or [
        r for r in rows if task in (r["name"], r["polymer"])
    ]
    if not found:
        names = ", ".join(sorted({r["name"] or r["polymer"] for r in rows})[:10])
        raise InputError(f"no task {task!r}", field="task", remedy=f"a task key, or one of {names}")
    if len(found) > 1:
        choices = ", ".join(f"{r['task_key'][:12]} ({r['T_K']:g} K, replica {r['replica'] + 1})" for r in found[:8])
        raise InputError(f"{task!r} has {len(found)} tasks", field="task", remedy=f"give a key: {choices}")
    return found[0]


def _density(columns: dict[str, Any], mass: float) -> Any:
    return mass * AMU_PER_NM3 / (columns["box_x"] * columns["box_y"] * columns["box_z"])


def _summary(markers: MarkerStore, stage: Marker) -> dict[str, Any]:
    columns = thermo_columns(markers, stage)
    half = len(columns["time_ps"]) // 2
    return {
        "stage": stage.stage,
        "ps": stage.outputs["duration_ps"],
        "density_kg_m3": float(np.mean(_density(columns, stage.outputs["mass"])[half:])),
        "ns_per_day": stage.provenance.get("ns_per_day"),
        "platform": stage.provenance.get("platform"),
    }


def _plot_records(markers: MarkerStore, stages: list[Marker], title: str, path: Path) -> Path:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    begin = 0.0
    for stage in stages:
        columns = thermo_columns(markers, stage)
        time = begin + columns["time_ps"]
        above.plot(time, _density(columns, stage.outputs["mass"]) / 1000.0, lw=0.9, label=stage.stage)
        below.plot(time, columns["potential"] / stage.outputs["n_atoms"], lw=0.9)
        begin += stage.outputs["duration_ps"]
        for axes in (above, below):
            axes.axvline(begin, color="#bbbbbb", lw=0.6)
    above.set_ylabel("density, g/cm³")
    below.set_ylabel("potential energy, kJ/mol per atom")
    below.set_xlabel("time, ps")
    above.legend(frameon=False)
    above.set_title(title)
    figure.savefig(path, dpi=110)
    return path


def _plot_cell(snapshot: Snapshot, title: str, path: Path) -> Path:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 6), layout="constrained")
    axes = figure.subplots()
    wrapped = np.mod(snapshot.positions, snapshot.box)
    order = np.argsort(wrapped[:, 2])
    _draw(axes, snapshot, wrapped, order)
    axes.set(
        xlim=(0, snapshot.box[0]),
        ylim=(0, snapshot.box[1]),
        aspect="equal",
        xlabel="x, nm",
        ylabel="y, nm",
        title=title,
    )
    figure.savefig(path, dpi=110)
    return path


def _draw(axes: Axes, snapshot: Snapshot, wrapped: Any, order: Any) -> None:
    from polyomics.properties.free_volume import BONDI_RADII

    numbers = snapshot.numbers[order]
    points_per_nm = 6 * 72 * 0.82 / float(snapshot.box[0])
    radii = np.array([BONDI_RADII[int(n)] for n in numbers]) * 0.6
    depth = wrapped[order, 2] / snapshot.box[2]
    colours = [_COLOURS[int(n)] for n in numbers]
    axes.scatter(
        wrapped[order, 0], wrapped[order, 1], s=(2 * radii * points_per_nm) ** 2, c=colours,
        alpha=0.35 + 0.65 * depth, edgecolors="#00000030", linewidths=0.4,
    )  # fmt: skip
