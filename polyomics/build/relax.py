"""Taking the strain out of a freshly built cell by minimising its energy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import openmm

from polyomics.build.cell import Cell
from polyomics.build.contacts import close_contacts, polar_hydrogens
from polyomics.errors import NumericsError
from polyomics.forcefield.interface import Nonbonded, SystemOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polyomics.forcefield.interface import ChargeSet, ForceField
    from polyomics.polymer.topology import FloatArray, IntArray

CLOSEST, CLOSEST_POLAR = 0.20, 0.15
"""Least distances in nm of atoms four or more bonds apart; the second where one of them is an H on N, O or S."""
LONGEST_STRAIN = 0.015
"""Largest deviation of a bond from its rest length, nm."""
_OPTIONS = SystemOptions(
    nonbonded=Nonbonded(method="reaction_field", cutoff=0.7, dispersion_correction=False),
    constraints="none",
    group_molecules=False,
)
_TOLERANCE, _ROUND, _ROUNDS = 50.0, 150, 4
_MARGIN = 0.01


def relax(cell: Cell, force_field: ForceField, charges: Sequence[Sequence[ChargeSet]]) -> Cell:
    """Return the cell with its energy minimised until contacts and bonds are sound.

    On one CPU thread with deterministic forces, so that one machine gives one answer. Charges are cut at 0.7 nm with a
    reaction field: this is not the energy of the simulation, only the way to a start for it.

    Raises
    ------
    polyomics.errors.NumericsError
        Contacts or bonds are still unsound after 600 iterations.
    """
    system = force_field.parametrise(cell.assembly, charges, cell.box, _OPTIONS)
    rest = _rest_lengths(system)
    system.addForce(_push_off(cell))
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), *_platform())
    context.setPositions(cell.positions)
    problem = "not minimised"
    for _ in range(_ROUNDS):
        openmm.LocalEnergyMinimizer.minimize(context, _TOLERANCE, _ROUND)
        positions = context.getState(getPositions=True).getPositions(asNumpy=True)
        relaxed = Cell(cell.assembly, np.array(positions._value, dtype=np.float64), cell.box)
        problem = strain(relaxed, *rest)
        if not problem:
            return relaxed
    raise NumericsError(problem, subject=cell.assembly.species[0].name, remedy="another seed")


def _push_off(cell: Cell) -> openmm.CustomNonbondedForce:
    """Return a wall that keeps atoms four or more bonds apart at the distances a sound cell must have.

    Some minima of a crowded chain hold two hydrogens at 1.9 Å; harmonic with 4 kJ/mol at 0.1 Å inside the wall.
    """
    wall = openmm.CustomNonbondedForce(
        f"80000*max(0, wall - r)^2; wall = {CLOSEST + _MARGIN} - {CLOSEST - CLOSEST_POLAR}*max(polar1, polar2)"
    )
    wall.addPerParticleParameter("polar")
    for topology in cell.assembly.molecules():
        for polar in polar_hydrogens(topology):
            wall.addParticle([float(polar)])
    wall.createExclusionsFromBonds(cell.assembly.bonds().tolist(), 3)
    wall.setNonbondedMethod(openmm.CustomNonbondedForce.CutoffPeriodic)
    wall.setCutoffDistance(CLOSEST + _MARGIN)
    return wall


def strain(cell: Cell, bonds: IntArray, lengths: FloatArray) -> str:
    """Return in words what is unsound about contacts and bonds of a cell, empty if nothing."""
    if not np.isfinite(cell.positions).all():
        return "positions are not finite"
    gap = cell.positions[bonds[:, 0]] - cell.positions[bonds[:, 1]]
    off = float(np.abs(np.linalg.norm(gap, axis=1) - lengths).max(initial=0.0))
    if off > LONGEST_STRAIN:
        return f"a bond is {10 * off:.2f} Å from its rest length"
    contacts = close_contacts(cell, CLOSEST)
    if contacts.closest(polar=False) < CLOSEST:
        return f"two atoms not bonded are {10 * contacts.closest(polar=False):.2f} Å apart"
    if contacts.closest(polar=True) < CLOSEST_POLAR:
        return f"a polar hydrogen is {10 * contacts.closest(polar=True):.2f} Å from an atom not bonded"
    return ""


def _rest_lengths(system: openmm.System) -> tuple[IntArray, FloatArray]:
    rows = [
        force.getBondParameters(k)
        for force in system.getForces()
        if isinstance(force, openmm.HarmonicBondForce)
        for k in range(force.getNumBonds())
    ]
    pairs = np.array([[i, j] for i, j, _, _ in rows], dtype=np.int64).reshape(-1, 2)
    return pairs, np.array([r0._value for _, _, r0, _ in rows], dtype=np.float64)


def _platform() -> tuple[openmm.Platform, dict[str, str]]:
    names = {openmm.Platform.getPlatform(k).getName() for k in range(openmm.Platform.getNumPlatforms())}
    if "CPU" in names:
        return openmm.Platform.getPlatformByName("CPU"), {"Threads": "1", "DeterministicForces": "true"}
    return openmm.Platform.getPlatformByName("Reference"), {}
