"""The System says what the parameters say, and its molecules are what the barostat may scale."""

from __future__ import annotations

import itertools

import numpy as np
import openmm
import pytest
from ff_molecules import conformer, explicit, topology_of
from ff_toy import Toy
from openmm import unit

from polyomics.errors import InputError, NumericsError
from polyomics.forcefield.interface import FORCE_GROUPS, ForceField, Nonbonded, SystemOptions
from polyomics.forcefield.system import build_system, check_barostat, check_molecules, expected_molecules
from polyomics.polymer.topology import Assembly

BOX = np.full(3, 3.0)
MOL = explicit("CCCCO")
TOPOLOGY = topology_of(MOL, "butanol")
ASSEMBLY = Assembly((TOPOLOGY, topology_of(explicit("CC"), "ethane")), (3, 2))
VACUUM = Nonbonded(method="none")


def positions(assembly: Assembly = ASSEMBLY, seed: int = 1) -> np.ndarray:
    """Molecules far apart, slightly distorted so that no energy term is zero."""
    rng = np.random.default_rng(seed)
    own = [conformer(explicit(s)) for s, c in zip(("CCCCO", "CC"), assembly.counts, strict=True) for _ in range(c)]
    corners = np.array(list(itertools.product((0.4, 1.9), repeat=3)))[: len(own)]
    return np.concatenate([x + c + rng.normal(0, 0.003, x.shape) for x, c in zip(own, corners, strict=True)])


def context_of(system: openmm.System, xyz: np.ndarray) -> openmm.Context:
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference"))
    context.setPositions(xyz)
    return context


def energies(system: openmm.System, xyz: np.ndarray) -> dict[str, float]:
    context = context_of(system, xyz)
    kj = unit.kilojoule_per_mole
    return {
        name: context.getState(getEnergy=True, groups={group}).getPotentialEnergy().value_in_unit(kj)
        for name, group in FORCE_GROUPS.items()
    }


def system_of(**options) -> openmm.System:
    return Toy().parametrise(ASSEMBLY, [[], []], BOX, SystemOptions(**options))


def dihedral(x: np.ndarray, q: np.ndarray) -> np.ndarray:
    b1, b2, b3 = (x[q[:, i + 1]] - x[q[:, i]] for i in range(3))
    n1, n2 = np.cross(b1, b2), np.cross(b2, b3)
    return np.arctan2((np.cross(n1, n2) * b2).sum(1) / np.linalg.norm(b2, axis=1), (n1 * n2).sum(1))


def test_toy_is_a_force_field():
    assert isinstance(Toy(), ForceField)


def test_each_group_equals_its_formula_in_numpy():
    assembly = Assembly((TOPOLOGY,), (1,))
    xyz = conformer(MOL) + np.random.default_rng(3).normal(0, 0.004, (TOPOLOGY.n_atoms, 3))
    p = Toy().parameters(TOPOLOGY)
    system = build_system([p], assembly, BOX, SystemOptions(VACUUM, constraints="none"))
    got = energies(system, xyz)
    r = np.linalg.norm(xyz[p.bonds[:, 0]] - xyz[p.bonds[:, 1]], axis=1)
    u, v = xyz[p.angles[:, 0]] - xyz[p.angles[:, 1]], xyz[p.angles[:, 2]] - xyz[p.angles[:, 1]]
    theta = np.arccos((u * v).sum(1) / np.linalg.norm(u, axis=1) / np.linalg.norm(v, axis=1))
    phi = dihedral(xyz, p.propers)
    assert got["bond"] == pytest.approx((0.5 * p.bond_k * (r - p.bond_r0) ** 2).sum(), rel=1e-9)
    assert got["angle"] == pytest.approx((0.5 * p.angle_k * (theta - p.angle_theta0) ** 2).sum(), rel=1e-9)
    expected = (p.proper_k * (1 + np.cos(p.proper_periodicity * phi - p.proper_phase))).sum()
    assert got["proper"] == pytest.approx(expected, rel=1e-9)
    assert got["nonbonded"] == pytest.approx(nonbonded_by_hand(p, xyz), rel=1e-9)
    assert got["improper"] == got["reciprocal"] == got["barostat"] == 0.0


def nonbonded_by_hand(p, xyz: np.ndarray) -> float:
    """Lennard-Jones over pairs three or more bonds apart, those at exactly three scaled."""
    n = len(xyz)
    apart = np.where(np.eye(n, dtype=bool), 0.0, np.inf)
    apart[tuple(p.bonds.T)] = apart[tuple(p.bonds[:, ::-1].T)] = 1.0
    for k in range(n):
        apart = np.minimum(apart, apart[:, k, None] + apart[None, k])
    i, j = np.triu_indices(n, 1)
    scale = np.select([apart[i, j] < 3, apart[i, j] == 3], [0.0, p.lj14], 1.0)
    s6 = (p.sigma[i] / np.linalg.norm(xyz[i] - xyz[j], axis=1)) ** 6
    return float((scale * 4.0 * p.epsilon[i] * (s6**2 - s6)).sum())


@pytest.mark.parametrize("constraints", ["none", "hbonds"])
def test_grouping_molecules_leaves_the_energy_alone(constraints):
    grouped = energies(system_of(constraints=constraints, group_molecules=True), positions())
    plain = energies(system_of(constraints=constraints, group_molecules=False), positions())
    assert grouped == pytest.approx(plain, rel=1e-12)
    assert grouped["bond"] > 0.0


@pytest.mark.parametrize(("constraints", "count"), [("hbonds", 3 * 5 + 2 * 2), ("none", 3 * 15 + 2 * 8)])
def test_molecules_are_the_constrained_groups(constraints, count):
    system = system_of(constraints=constraints)
    context = context_of(system, positions())
    check_molecules(context)
    assert len(context.getMolecules()) == expected_molecules(system) == count


def test_molecules_joined_by_a_harmonic_bond_are_found_out():
    context = context_of(system_of(group_molecules=False), positions())
    assert len(context.getMolecules()) == ASSEMBLY.n_molecules
    with pytest.raises(NumericsError, match="group_molecules"):
        check_molecules(context)


@pytest.mark.parametrize("options", [{}, {"constraints": "none"}])
def test_atomic_barostat_is_refused_only_under_constraints(options):
    system = system_of(**options)
    check_barostat(system)
    barostat = openmm.MonteCarloBarostat(1.0, 300.0)
    barostat.setScaleMoleculesAsRigid(False)
    system.addForce(barostat)
    if options:
        check_barostat(system)
    else:
        with pytest.raises(InputError, match=r"MonteCarloBarostat.*constraints"):
            check_barostat(system)


def test_repartitioning_keeps_the_mass_and_sets_hydrogens():
    plain, heavy = system_of(), system_of(hydrogen_mass=3.0)
    mass = [
        [s.getParticleMass(i).value_in_unit(unit.dalton) for i in range(s.getNumParticles())] for s in (plain, heavy)
    ]
    assert sum(mass[0]) == pytest.approx(sum(mass[1]), abs=1e-9)
    is_h = ASSEMBLY.numbers() == 1
    assert np.array(mass[1])[is_h] == pytest.approx(3.0)
    assert min(mass[1]) > 3.0 - 1e-9


@pytest.mark.parametrize("mass", [0.5, 6.0])
def test_impossible_hydrogen_masses_are_refused(mass):
    with pytest.raises(InputError, match="hydrogen_mass"):
        system_of(hydrogen_mass=mass)


@pytest.mark.parametrize("method", ["pme", "reaction_field"])
def test_energy_does_not_care_where_the_box_cuts_a_molecule(method):
    system = system_of(nonbonded=Nonbonded(method=method, ewald_tolerance=1e-6))
    xyz = positions()
    wrapped = (xyz + 1.1) % BOX
    assert np.abs(wrapped - (xyz + 1.1)).max() > 1.0, "the shift must cut molecules"
    assert energies(system, wrapped) == pytest.approx(energies(system, xyz), rel=1e-5, abs=1e-5)


def test_too_small_a_box_names_box_and_remedy():
    with pytest.raises(InputError, match=r"box: .*cutoff 1.6 nm.*remedy"):
        system_of(nonbonded=Nonbonded(cutoff=1.6))


def test_parameters_of_another_molecule_are_refused():
    with pytest.raises(InputError, match="butanol"):
        build_system([Toy().parameters(ASSEMBLY.species[1])] * 2, ASSEMBLY, BOX, SystemOptions())


def test_dispersion_correction_and_switch_reach_openmm():
    system = system_of(nonbonded=Nonbonded(switch=0.8, dispersion_correction=False))
    force = next(f for f in system.getForces() if isinstance(f, openmm.NonbondedForce))
    assert force.getUseSwitchingFunction()
    assert not force.getUseDispersionCorrection()
    assert force.getSwitchingDistance().value_in_unit(unit.nanometer) == 0.8
    assert force.getReciprocalSpaceForceGroup() == FORCE_GROUPS["reciprocal"]


@pytest.mark.parametrize("constraints", ["hbonds", "none"])
def test_another_force_field_runs_under_the_barostat_without_code_of_its_own(constraints):
    system = system_of(constraints=constraints, hydrogen_mass=3.0)
    system.addForce(openmm.MonteCarloBarostat(1.0, 300.0, 5))
    check_barostat(system)
    integrator = openmm.LangevinMiddleIntegrator(300.0, 1.0, 0.001)
    integrator.setRandomNumberSeed(1)
    context = openmm.Context(system, integrator, openmm.Platform.getPlatformByName("Reference"))
    check_molecules(context)
    context.setPositions(positions())
    openmm.LocalEnergyMinimizer.minimize(context, 10.0, 50)
    before = context.getState().getPeriodicBoxVolume().value_in_unit(unit.nanometer**3)
    integrator.step(100)
    state = context.getState(getEnergy=True)
    assert np.isfinite(state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole))
    assert state.getPeriodicBoxVolume().value_in_unit(unit.nanometer**3) != before
