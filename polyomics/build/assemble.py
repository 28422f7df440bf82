"""The build itself: place, relax, check, and begin again with a derived seed where a check fails."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from polyomics.build.dyads import check_geometry, configurations
from polyomics.build.place import place_molecules
from polyomics.build.relax import relax
from polyomics.build.spearing import speared_rings
from polyomics.errors import NumericsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polyomics.build.cell import Cell
    from polyomics.build.system import SystemSpec
    from polyomics.forcefield.interface import ChargeSet, ForceField

_ATTEMPTS = 5


class Clock:
    """Wall and CPU seconds per phase of a build."""

    def __init__(self) -> None:
        self._spent: dict[str, tuple[float, float]] = {}
        self._mark = time.perf_counter(), time.process_time()

    def lap(self, phase: str) -> None:
        """Charge the time since the last lap to ``phase``."""
        now = time.perf_counter(), time.process_time()
        wall, cpu = self._spent.get(phase, (0.0, 0.0))
        self._spent[phase] = wall + now[0] - self._mark[0], cpu + now[1] - self._mark[1]
        self._mark = now

    def wall(self) -> dict[str, float]:
        """Return wall seconds per phase and in total."""
        return self._table(0)

    def cpu(self) -> dict[str, float]:
        """Return CPU seconds of this process per phase and in total."""
        return self._table(1)

    def _table(self, kind: int) -> dict[str, float]:
        table = {phase: round(times[kind], 3) for phase, times in self._spent.items()}
        return table | {"total": round(sum(times[kind] for times in self._spent.values()), 3)}


def build_cell(
    spec: SystemSpec,
    force_field: ForceField,
    charges: Sequence[Sequence[ChargeSet]],
    seed: int,
    clock: Clock | None = None,
) -> Cell:
    """Return a cell of distinct molecules at the start density, minimised and sound.

    Sound means: no pair of atoms four or more bonds apart below 2.0 Å (1.5 Å if one is a polar H), bonds within 0.15 Å
    of their rest lengths, no bond through a ring of up to eight atoms, double bonds, amides and written stereocentres
    as they should be. A cell that is not is built again with a seed derived from ``seed``.

    Parameters
    ----------
    spec
        What is in the cell and how dense it is at first.
    force_field
        Minimises the energy.
    charges
        For each species its charge sets, as for ``ForceField.parametrise``.
    seed
        Everything random follows from it; the same seed gives the same bits on one machine.
    clock
        If given, the phases growth, relaxation and checks are charged to it.

    Raises
    ------
    polyomics.errors.InputError
        The description cannot be built.
    polyomics.errors.NumericsError
        Five attempts failed; the last reason is given.
    """
    clock = clock or Clock()
    reason = ""
    for attempt in range(_ATTEMPTS):
        rng = np.random.default_rng([seed, attempt])
        try:
            placed = place_molecules(spec, rng)
            clock.lap("growth")
            cell = relax(placed, force_field, charges)
            clock.lap("relaxation")
        except NumericsError as error:
            reason = str(error)
            continue
        reason = defect(cell, placed)
        clock.lap("checks")
        if not reason:
            return cell
    raise NumericsError(
        f"no sound cell in {_ATTEMPTS} attempts; the last: {reason}",
        subject=spec.components[0].units[0].psmiles,
        remedy="another seed, or a lower start density",
    )


def defect(cell: Cell, placed: Cell) -> str:
    """Return the first topological or stereochemical defect of a relaxed cell in words, empty if there is none."""
    speared = speared_rings(cell)
    if speared:
        return f"{len(speared)} bonds pass through rings"
    starts = cell.assembly.molecule_starts()
    for topology, first, last in zip(cell.assembly.molecules(), starts, starts[1:], strict=False):
        if not topology.units:
            continue
        problems = check_geometry(topology, cell.positions[first:last])
        if problems:
            return problems[0]
        if not topology.units:
            continue
        before, after = (configurations(topology, c.positions[first:last])[0] for c in (placed, cell))
        if not np.array_equal(before, after):
            return "a stereocentre was inverted by relaxation"
    return ""
