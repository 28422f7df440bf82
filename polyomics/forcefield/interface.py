"""The force-field seam (design decision 15) and the values that cross it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Sequence

    import openmm

    from polyomics.polymer.topology import Assembly, FloatArray, IntArray, Topology

FORCE_GROUPS: dict[str, int] = {
    "bond": 0,
    "angle": 1,
    "proper": 2,
    "improper": 3,
    "nonbonded": 4,
    "reciprocal": 5,
    "barostat": 6,
}
"""Force group of each energy term; shared by System building, records and estimators."""


@dataclass(frozen=True, eq=False)
class ChargeSet:
    """Partial charges (e) of a repeat unit in its three places, or of a small molecule.

    Parameters
    ----------
    method
        Method that made them (gasteiger, mmff94, am1bcc, resp).
    head
        Head cap then first unit, shape (n_head_cap + n_unit,); sums to zero. Empty for a small molecule.
    middle
        Any unit between, shape (n_unit,); sums to zero. For a small molecule: all its atoms.
    tail
        Last unit then tail cap, shape (n_unit + n_tail_cap,); sums to zero. Empty for a small molecule.
    spread
        Largest standard deviation of a middle charge over conformers, e; None where the method has none.
    note
        What a person should know about how they were made, such as a shortened context; mostly empty.
    """

    method: str
    head: FloatArray
    middle: FloatArray
    tail: FloatArray
    spread: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Analogy:
    """A parameter taken from a similar term because the table lacks the exact one."""

    term: Literal["bond", "angle", "proper", "improper", "nonbonded"]
    wanted: str
    used: str
    penalty: float


@dataclass(frozen=True, eq=False)
class Parameters:
    """Everything a classical force field says about one molecule, in OpenMM units (nm, rad, kJ/mol, e, amu).

    Parameters
    ----------
    types
        Atom type names, length n.
    masses, charges, sigma, epsilon
        Per atom, shape (n,).
    bonds, bond_r0, bond_k
        Pairs (m, 2), lengths nm, constants kJ/mol/nm² of ``k/2 (r - r0)²``.
    angles, angle_theta0, angle_k
        Triples (a, 3), angles rad, constants kJ/mol/rad² of ``k/2 (θ - θ0)²``.
    propers, proper_periodicity, proper_phase, proper_k
        Quadruples (p, 4) and ``k (1 + cos(nφ - phase))``, rad and kJ/mol; one row per Fourier term.
    impropers, improper_periodicity, improper_phase, improper_k
        As propers, with the central atom third (Amber order).
    coulomb14, lj14
        Scale factors of 1-4 interactions.
    analogies
        Terms that were not in the table.
    """

    types: tuple[str, ...]
    masses: FloatArray
    charges: FloatArray
    sigma: FloatArray
    epsilon: FloatArray
    bonds: IntArray
    bond_r0: FloatArray
    bond_k: FloatArray
    angles: IntArray
    angle_theta0: FloatArray
    angle_k: FloatArray
    propers: IntArray
    proper_periodicity: IntArray
    proper_phase: FloatArray
    proper_k: FloatArray
    impropers: IntArray
    improper_periodicity: IntArray
    improper_phase: FloatArray
    improper_k: FloatArray
    coulomb14: float = 1.0 / 1.2
    lj14: float = 0.5
    analogies: tuple[Analogy, ...] = ()


@dataclass(frozen=True)
class Nonbonded:
    """How non-bonded interactions are cut; a protocol chooses, a force field gives defaults.

    Parameters
    ----------
    method
        ``pme``, ``reaction_field``, or ``none`` (no cutoff, no periodicity: molecules in vacuum).
    cutoff
        nm.
    switch
        Start of the switching function, nm; None for a plain cutoff.
    dispersion_correction
        Analytic long-range correction.
    ewald_tolerance
        OpenMM's relative force tolerance.
    """

    method: Literal["pme", "reaction_field", "none"] = "pme"
    cutoff: float = 0.9
    switch: float | None = None
    dispersion_correction: bool = True
    ewald_tolerance: float = 5e-4


@dataclass(frozen=True)
class SystemOptions:
    """Choices that make an ``openmm.System`` out of parameters.

    Parameters
    ----------
    nonbonded
        See :class:`Nonbonded`.
    constraints
        ``hbonds`` or ``none``.
    hydrogen_mass
        Mass of H after repartitioning from its heavy neighbour, amu; None leaves masses alone.
    group_molecules
        Put heavy-atom bonds into a force that does not define molecules, so that OpenMM's molecules are the
        constrained XHn groups and its Monte Carlo barostat is exact (facts: barostat-density).
    """

    nonbonded: Nonbonded = field(default_factory=Nonbonded)
    constraints: Literal["hbonds", "none"] = "hbonds"
    hydrogen_mass: float | None = None
    group_molecules: bool = True


@dataclass(frozen=True)
class Capabilities:
    """What a force field can do."""

    elements: frozenset[str]
    stampable: bool
    needs_charges: bool
    constraints: frozenset[str]
    largest_step_fs: float
    nonbonded: Nonbonded


@runtime_checkable
class ForceField(Protocol):
    """Turns molecular graphs into an ``openmm.System``; found by entry point ``polyomics.forcefields``."""

    @property
    def name(self) -> str:
        """Name in campaign files."""

    @property
    def version(self) -> str:
        """Version of parameters and code; part of stage keys."""

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""

    def parametrise(
        self, assembly: Assembly, charges: Sequence[Sequence[ChargeSet]], box: FloatArray, options: SystemOptions
    ) -> openmm.System:
        """Return the System of all molecules of ``assembly`` in storage order.

        Parameters
        ----------
        assembly
            What is in the cell.
        charges
            For each species its charge sets, parallel to its ``units`` (one entry for a small molecule).
        box
            Edges of the rectangular cell, nm, shape (3,).
        options
            Non-bonded treatment, constraints, masses.

        Raises
        ------
        polyomics.errors.UnsupportedError
            An atom cannot be typed or a term has no parameter, with the polymer and the term named.
        """


@runtime_checkable
class ClassicalForceField(ForceField, Protocol):
    """A force field with explicit per-molecule parameters (for descriptors, other engines, vacuum energies)."""

    def parameters(self, topology: Topology, charges: Sequence[ChargeSet]) -> Parameters:
        """Return the parameters of one molecule, stamped from its repeat units where it is a chain."""
