"""What estimators read: thermodynamic records and chain records of one run, as plain arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Records:
    """Equally spaced records of one stage (by default one per ps), n records of a cell with c chains.

    Units: nm, ps, kJ/mol, amu, K, bar, e; estimators convert once, at the end, to the registry's SI units.

    Parameters
    ----------
    ensemble
        ``npt``, ``nvt`` or ``nve``.
    temperature, pressure
        Target temperature in K and pressure in bar.
    time
        ps, shape (n,), strictly increasing.
    box
        Edges nm, shape (n, 3).
    potential, kinetic
        kJ/mol of the whole cell, shape (n,).
    energies
        kJ/mol per force group (bond, angle, proper, improper, nonbonded, reciprocal), each shape (n,).
    pressure_bar
        Instantaneous pressure from chain centres, bar, shape (n,); NaN where not recorded.
    dipole
        Cell dipole e nm from unwrapped coordinates, shape (n, 3).
    rg2
        Mass-weighted squared radius of gyration per chain nm², shape (n, c).
    end_vector
        End-to-end vector per chain (first to last backbone atom) nm, shape (n, c, 3).
    centers
        Centre of mass per chain, continuous in time (never wrapped, overall drift removed), nm, shape (n, c, 3).
    mass
        Mass of the cell, amu.
    n_degrees
        Degrees of freedom after constraints and momentum removal.
    """

    ensemble: str
    temperature: float
    pressure: float
    time: FloatArray
    box: FloatArray
    potential: FloatArray
    kinetic: FloatArray
    energies: dict[str, FloatArray]
    pressure_bar: FloatArray
    dipole: FloatArray
    rg2: FloatArray
    end_vector: FloatArray
    centers: FloatArray
    mass: float
    n_degrees: int


@dataclass(frozen=True, eq=False)
class Snapshot:
    """One configuration of a cell, unwrapped along bonds.

    Parameters
    ----------
    positions
        nm, shape (n_atoms, 3), whole along bonds.
    box
        Edges nm, shape (3,).
    numbers, masses
        Atomic numbers and masses (amu, before repartitioning), shape (n_atoms,).
    starts
        First atom of each molecule and, last, n_atoms; shape (n_molecules + 1,).
    bonds
        Shape (n_bonds, 2).
    residues
        Repeat-unit index of each atom within its molecule, shape (n_atoms,).
    """

    positions: FloatArray
    box: FloatArray
    numbers: NDArray[np.int64]
    masses: FloatArray
    starts: NDArray[np.int64]
    bonds: NDArray[np.int64]
    residues: NDArray[np.int64]


@dataclass(frozen=True)
class Estimate:
    """One property of one run or of several: a value with its error, or a reason why there is none.

    Parameters
    ----------
    property
        Name in the unit registry.
    value
        In the registry's unit; None where the estimate was refused.
    stderr
        Standard error in the same unit; None with the value.
    n_eff
        Independent samples behind it.
    component
        '', xx … zz, iso or a mode.
    conditions
        Further conditions (wavelength, window, rate).
    flags
        Reasons that lower the quality, machine-readable (``caged``, ``not_stationary``, ``few_samples`` …).
    reason
        Why there is no value; empty where there is one.
    stderr_kind
        ``within`` one run or ``between`` replicas.
    n_replicas
        Replicas combined.
    """

    property: str
    value: float | None
    stderr: float | None
    n_eff: float
    component: str = ""
    conditions: tuple[tuple[str, str | float], ...] = ()
    flags: tuple[str, ...] = ()
    reason: str = ""
    stderr_kind: str = "within"
    n_replicas: int = 1
