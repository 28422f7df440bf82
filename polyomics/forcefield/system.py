"""Parameters in, an ``openmm.System`` out: force groups, constraints, masses, and what a barostat may scale."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import openmm
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from polyomics.errors import InputError, NumericsError
from polyomics.forcefield.interface import FORCE_GROUPS, Nonbonded, Parameters, SystemOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from polyomics.polymer.topology import Assembly, FloatArray, IntArray

HARMONIC = "0.5*k*(distance(p1,p2)-r0)^2"
_METHODS = {
    "pme": openmm.NonbondedForce.PME,
    "reaction_field": openmm.NonbondedForce.CutoffPeriodic,
    "none": openmm.NonbondedForce.NoCutoff,
}


def build_system(
    parameters: Sequence[Parameters], assembly: Assembly, box: FloatArray, options: SystemOptions
) -> openmm.System:
    """Return the System of all molecules of ``assembly`` in storage order.

    Every term has the force group of :data:`FORCE_GROUPS`, its force the same name. Exclusions and 1-4 pairs follow
    from all bonds, whichever force or constraint holds them. Bonded forces and exceptions are periodic whenever the
    non-bonded method is, so molecules may be wrapped atom by atom.

    Parameters
    ----------
    parameters
        One per species of ``assembly``.
    assembly
        The molecules.
    box
        Edges of the rectangular cell, nm, shape (3,); ignored without periodicity.
    options
        Non-bonded treatment, constraints, masses and the grouping of molecules.

    Raises
    ------
    polyomics.errors.InputError
        Parameters do not fit the assembly, the box is too small for the cutoff, or the hydrogen mass is impossible.
    """
    _check_sizes(parameters, assembly)
    periodic = options.nonbonded.method != "none"
    terms = _Terms(parameters, assembly)
    system = openmm.System()
    _each(system.addParticle, _masses(terms, options))
    if periodic:
        edges = _checked_box(box, options.nonbonded)
        system.setDefaultPeriodicBoxVectors(*np.diag(edges).tolist())
    bonded = [_bonds(system, terms, options), _angles(terms), _torsions(terms, "proper"), _torsions(terms, "improper")]
    for force in bonded:
        force.setUsesPeriodicBoundaryConditions(periodic)
    for force in (*bonded, _nonbonded(terms, options.nonbonded, parameters)):
        system.addForce(force)
    return system


def expected_molecules(system: openmm.System) -> int:
    """Return the number of constrained groups: particles minus constraints, exact where only X-H bonds are held.

    This is the number of ``Context.getMolecules()`` of a System built with ``group_molecules=True``.
    """
    return int(system.getNumParticles() - system.getNumConstraints())


def check_molecules(context: openmm.Context) -> None:
    """Assert that OpenMM's molecules are exactly the constrained XHn groups, what its barostat must scale.

    Raises
    ------
    polyomics.errors.NumericsError
        Some force or constraint joins groups: the Monte Carlo barostat would sample a wrong ensemble.
    """
    system = context.getSystem()
    count = system.getNumParticles()
    pairs = np.array([system.getConstraintParameters(i)[:2] for i in range(system.getNumConstraints())], dtype=np.int64)
    groups = _components(count, pairs.reshape(-1, 2))
    molecules = context.getMolecules()
    label = np.empty(count, dtype=np.int64)
    for index, members in enumerate(molecules):
        label[list(members)] = index
    same = len({*zip(groups.tolist(), label.tolist(), strict=True)})
    if not same == len(molecules) == groups.max(initial=-1) + 1:
        raise NumericsError(
            f"OpenMM finds {len(molecules)} molecules where {groups.max(initial=-1) + 1} constrained groups exist",
            field="group_molecules",
            remedy="build the System with SystemOptions(group_molecules=True) and add no force that defines molecules",
        )


def check_barostat(system: openmm.System) -> None:
    """Refuse barostats that scale every atom of a System with constraints.

    OpenMM's atomic scaling counts every atom in the acceptance and leaves out the constraint forces; in a
    polyethylene melt that is a spurious pressure of about +4,400 bar and the box runs away.

    Raises
    ------
    polyomics.errors.InputError
        Constraints are combined with atomic scaling.
    """
    if not system.getNumConstraints():
        return
    for force in system.getForces():
        rigid = getattr(force, "getScaleMoleculesAsRigid", None)
        if rigid is not None and not rigid():
            raise InputError(
                f"{type(force).__name__} with atomic scaling is wrong in a System with "
                f"{system.getNumConstraints()} constraints",
                field="scaleMoleculesAsRigid",
                remedy="scale molecules as rigid with group_molecules=True, or use constraints: none",
            )


class _Terms:
    """Parameters of all species tiled over the cell."""

    def __init__(self, parameters: Sequence[Parameters], assembly: Assembly) -> None:
        self._parameters = parameters
        self._counts = assembly.counts
        starts = assembly.molecule_starts()[:-1]
        self._starts = np.split(starts, np.cumsum(assembly.counts)[:-1])
        self.numbers = np.concatenate(
            [np.tile(t.numbers, c) for t, c in zip(assembly.species, assembly.counts, strict=True)]
        )

    def values(self, name: str) -> FloatArray:
        """Return a per-atom or per-term array of the whole cell."""
        arrays = [np.tile(getattr(p, name), c) for p, c in zip(self._parameters, self._counts, strict=True)]
        return np.concatenate(arrays)

    def atoms(self, name: str) -> IntArray:
        """Return an index array of the whole cell, shape (terms, atoms per term)."""
        blocks = []
        for p, starts in zip(self._parameters, self._starts, strict=True):
            local = np.asarray(getattr(p, name), dtype=np.int64)
            shifted = local[None] + starts[:, None, None]
            blocks.append(shifted.reshape(-1, local.shape[1]))
        return np.concatenate(blocks)


def _each(add: Callable[..., Any], *columns: IntArray | FloatArray) -> None:
    """Call ``add`` once per row; plain Python numbers make OpenMM's wrappers several times faster."""
    for _ in map(add, *(column.tolist() for column in columns)):
        pass


def _bonds(system: openmm.System, terms: _Terms, options: SystemOptions) -> openmm.Force:
    pairs, r0, k = terms.atoms("bonds"), terms.values("bond_r0"), terms.values("bond_k")
    if options.constraints == "hbonds":
        held = np.any(terms.numbers[pairs] == 1, axis=1)
        _each(system.addConstraint, *pairs[held].T, r0[held])
        pairs, r0, k = pairs[~held], r0[~held], k[~held]
    if options.group_molecules:
        force = openmm.CustomCompoundBondForce(2, HARMONIC)
        force.addPerBondParameter("r0")
        force.addPerBondParameter("k")
        _each(force.addBond, pairs, np.column_stack([r0, k]))
    else:
        force = openmm.HarmonicBondForce()
        _each(force.addBond, *pairs.T, r0, k)
    return _named(force, "bond")


def _angles(terms: _Terms) -> openmm.Force:
    force = openmm.HarmonicAngleForce()
    _each(force.addAngle, *terms.atoms("angles").T, terms.values("angle_theta0"), terms.values("angle_k"))
    return _named(force, "angle")


def _torsions(terms: _Terms, kind: str) -> openmm.Force:
    force = openmm.PeriodicTorsionForce()
    k = terms.values(f"{kind}_k")
    used = k != 0.0
    periodicity = terms.values(f"{kind}_periodicity").astype(np.int64)
    phase = terms.values(f"{kind}_phase")
    _each(force.addTorsion, *terms.atoms(f"{kind}s")[used].T, periodicity[used], phase[used], k[used])
    return _named(force, kind)


def _nonbonded(terms: _Terms, choice: Nonbonded, parameters: Sequence[Parameters]) -> openmm.NonbondedForce:
    force = openmm.NonbondedForce()
    force.setNonbondedMethod(_METHODS[choice.method])
    _each(force.addParticle, terms.values("charges"), terms.values("sigma"), terms.values("epsilon"))
    force.createExceptionsFromBonds(terms.atoms("bonds").tolist(), parameters[0].coulomb14, parameters[0].lj14)
    force.setReciprocalSpaceForceGroup(FORCE_GROUPS["reciprocal"])
    if choice.method != "none":
        force.setExceptionsUsePeriodicBoundaryConditions(True)
        force.setCutoffDistance(choice.cutoff)
        force.setEwaldErrorTolerance(choice.ewald_tolerance)
        force.setUseDispersionCorrection(choice.dispersion_correction)
        if choice.switch is not None:
            force.setUseSwitchingFunction(True)
            force.setSwitchingDistance(choice.switch)
    return _named(force, "nonbonded")


def _named(force: openmm.Force, name: str) -> openmm.Force:
    force.setName(name)
    force.setForceGroup(FORCE_GROUPS[name])
    return force


def _masses(terms: _Terms, options: SystemOptions) -> FloatArray:
    masses = terms.values("masses")
    if options.hydrogen_mass is None:
        return masses
    pairs = terms.atoms("bonds")
    is_h = terms.numbers == 1
    pairs = pairs[is_h[pairs].sum(axis=1) == 1]
    hydrogen = np.where(is_h[pairs[:, 0]], pairs[:, 0], pairs[:, 1])
    heavy = pairs.sum(axis=1) - hydrogen
    moved = options.hydrogen_mass - masses[hydrogen]
    masses[hydrogen] = options.hydrogen_mass
    np.subtract.at(masses, heavy, moved)
    if np.any(moved < 0.0) or np.any(masses[heavy] <= 0.0):
        raise InputError(
            f"a hydrogen mass of {options.hydrogen_mass} amu leaves a heavy atom or a hydrogen without mass to give",
            field="hydrogen_mass",
            remedy="choose 1.008 to 3.5 amu",
        )
    return masses


def _components(count: int, pairs: IntArray) -> IntArray:
    graph = coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    labels: IntArray = connected_components(graph, directed=False)[1].astype(np.int64)
    return labels


def _check_sizes(parameters: Sequence[Parameters], assembly: Assembly) -> None:
    if len(parameters) != len(assembly.species) or not parameters:
        raise InputError(f"{len(parameters)} parameter sets for {len(assembly.species)} species", field="parameters")
    for given, topology in zip(parameters, assembly.species, strict=True):
        if len(given.masses) != topology.n_atoms:
            raise InputError(
                f"parameters of {len(given.masses)} atoms for a molecule of {topology.n_atoms}",
                subject=topology.name,
                field="parameters",
            )
    if len({(p.coulomb14, p.lj14) for p in parameters}) > 1:
        raise InputError("species disagree on the scaling of 1-4 interactions", field="coulomb14, lj14")


def _checked_box(box: FloatArray, choice: Nonbonded) -> FloatArray:
    edges = np.asarray(box, dtype=np.float64).reshape(-1)
    if edges.shape != (3,) or not np.all(np.isfinite(edges)) or edges.min() < 2.0 * choice.cutoff:
        raise InputError(
            f"box edges {edges.tolist()} nm must be three numbers of at least twice the cutoff {choice.cutoff} nm",
            field="box",
            remedy="more or longer chains, or a shorter cutoff",
        )
    if choice.switch is not None and not 0.0 < choice.switch < choice.cutoff:
        raise InputError(
            f"switch {choice.switch} nm must lie inside the cutoff {choice.cutoff} nm", field="nonbonded.switch"
        )
    return edges
