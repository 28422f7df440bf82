"""Statistical mechanics of the engine, against quadrature, a second estimator and conservation laws."""

import numpy as np
import openmm
import pytest
from alkanes import OPTIONS, alkane, cell, parameters, with_options

from polyomics.errors import InputError, NumericsError
from polyomics.forcefield.system import build_system
from polyomics.simulate.engine import OpenMMEngine, Start
from polyomics.simulate.plan import SegmentPlan
from polyomics.simulate.platform import choose_platform
from polyomics.simulate.records import BAR_PER_KJ_MOL_NM3, GAS_CONSTANT

CPU = choose_platform("CPU", threads=1)
KELVIN = 400.0


def segment(kind="nvt", steps=1000, **changes):
    values = {"step_fs": 2.0, "temperature": KELVIN, "temperature_end": KELVIN, "friction": 1.0} | changes
    return SegmentPlan("test", kind, steps, **values)


@pytest.fixture(scope="module")
def liquid():
    """Twelve octane molecules near 0.66 g/cm3, relaxed for a few ps."""
    assembly, system, start = cell(12, 8)
    engine = OpenMMEngine(system, assembly, start, 1, CPU)
    engine.open(segment("minimise", 10, step_fs=0.0), 0, None, 0)
    engine.advance(10)
    engine.open(segment("push_off", 400, step_fs=0.5, friction=10.0), 0, engine.snapshot(), 10)
    engine.advance(400)
    steps = 1500
    engine.open(segment("compress", steps, density=0.66, friction=5.0), 0, engine.snapshot(), 400)
    engine.advance(steps)
    engine.open(segment("nvt", 1500), 0, engine.snapshot(), 400 + steps)
    engine.advance(1500)
    return assembly, system, Start.from_state(engine.snapshot())


def quadrature(energy, volume, n, kelvin, bar):
    """<ln V/V0> and its spread for a density V^n exp(-(U + PV)/kT) of volume, relative coordinates frozen."""
    x = np.linspace(-0.06, 0.06, 241)
    v = volume * np.exp(x)
    beta = 1.0 / (GAS_CONSTANT * kelvin)
    log = (n + 1) * x - beta * (np.array([energy(f) for f in np.exp(x / 3)]) + bar / BAR_PER_KJ_MOL_NM3 * v)
    weight = np.exp(log - log.max())
    assert weight[0] < 1e-6
    assert weight[-1] < 1e-6
    mean = np.average(x, weights=weight)
    return mean, np.sqrt(np.average((x - mean) ** 2, weights=weight))


def test_volume_moves_sample_the_distribution_that_quadrature_gives(liquid):
    """With frozen relative coordinates ln V must follow V^n exp(-(U + PV)/kT), n the number of constrained groups."""
    assembly, system, start = liquid
    engine = OpenMMEngine(system, assembly, start, 7, CPU)
    bar = 300.0
    engine.open(segment("npt", pressure=bar, barostat_steps=1), 0, None, 0)
    cell_map = engine.cell
    whole, box = engine.whole()

    def energy(factor):
        probe.setPeriodicBoxVectors(*np.diag(box * factor).tolist())
        probe.setPositions(cell_map.scale_groups(whole, factor))
        return probe.getState(energy=True).getPotentialEnergy()._value

    probe = CPU.open(engine._fixed, openmm.VerletIntegrator(0.001))
    # An integrator that moves nothing but still lets the barostat act.
    frozen = openmm.CustomIntegrator(0.001)
    frozen.addUpdateContextState()
    context = CPU.open(engine._scaled, frozen)
    context.setPeriodicBoxVectors(*np.diag(box).tolist())
    context.setPositions(whole)
    frozen.step(200)
    found = []
    for _ in range(4000):
        frozen.step(1)
        found.append(float(np.log(context.getState().getPeriodicBoxVolume()._value / np.prod(box))))
    blocks = np.array(found).reshape(20, -1).mean(axis=1)
    error = blocks.std(ddof=1) / np.sqrt(len(blocks))
    groups = int(cell_map.groups.max()) + 1
    assert groups == system.getNumParticles() - system.getNumConstraints() == 12 * 8
    mean, spread = quadrature(energy, float(np.prod(box)), groups, KELVIN, bar)
    assert abs(blocks.mean() - mean) < 4.0 * error
    assert np.std(found) == pytest.approx(spread, rel=0.15)
    # The test can fail: counting every atom, as atomic scaling does, is far off.
    wrong, _ = quadrature(energy, float(np.prod(box)), system.getNumParticles(), KELVIN, bar)
    assert abs(blocks.mean() - wrong) > 8.0 * error


@pytest.mark.slow
def test_two_pressure_estimators_agree_on_one_trajectory_and_atomic_scaling_does_not(liquid):
    assembly, system, start = liquid
    engine = OpenMMEngine(system, assembly, start, 3, CPU)
    engine.open(segment("nvt", 10_000), 0, None, 0)
    rigid, atomic = openmm.MonteCarloBarostat(1.0, KELVIN), openmm.MonteCarloBarostat(1.0, KELVIN)
    atomic.setScaleMoleculesAsRigid(False)
    contexts = []
    for barostat in (rigid, atomic):
        other = openmm.XmlSerializer.clone(system)
        other.setDefaultPeriodicBoxVectors(*np.diag(start.box).tolist())
        other.addForce(barostat)
        contexts.append(CPU.open(other, openmm.VerletIntegrator(0.001)))
    rows = []
    for _ in range(250):
        engine.advance(30)
        state = engine._live.getState(positions=True, velocities=True)
        others = []
        for barostat, context in zip((rigid, atomic), contexts, strict=True):
            context.setPositions(state.getPositions(asNumpy=True))
            context.setVelocities(state.getVelocities(asNumpy=True))
            others.append(barostat.computeCurrentPressure(context)._value)
        rows.append([engine.observe()["pressure_bar"], *others])
    chains, groups, atoms = np.array(rows).T

    def difference(a, b):
        blocks = (a - b).reshape(10, -1).mean(axis=1)
        return blocks.mean(), blocks.std(ddof=1) / np.sqrt(len(blocks))

    mean, error = difference(groups, chains)
    assert error < 250.0
    assert abs(mean) < 4.0 * error
    mean, error = difference(atoms, chains)
    assert mean > 5.0 * error


def test_openmm_molecules_are_exactly_the_constrained_groups(liquid):
    assembly, system, start = liquid
    engine = OpenMMEngine(system, assembly, start, 1, CPU)
    engine.open(segment("npt", pressure=1.0), 0, None, 0)
    molecules = {frozenset(m) for m in engine._live.getMolecules()}
    groups = {frozenset(np.flatnonzero(engine.cell.groups == g).tolist()) for g in np.unique(engine.cell.groups)}
    assert molecules == groups


def test_without_constraints_every_atom_is_scaled_which_is_right_there(liquid):
    _, _, start = liquid
    assembly, system, _ = cell(12, 8, with_options(constraints="none", hydrogen_mass=None))
    engine = OpenMMEngine(system, assembly, start, 1, CPU)
    engine.open(segment("npt", 20, step_fs=0.5, pressure=1.0, barostat_steps=5), 0, None, 0)
    engine.advance(20)
    assert len(engine._live.getMolecules()) == assembly.n_atoms
    assert engine.cell.n_degrees == 3 * assembly.n_atoms


def test_a_system_whose_molecules_are_whole_chains_is_refused():
    assembly, system, start = cell(12, 8, with_options(group_molecules=False))
    engine = OpenMMEngine(system, assembly, start, 1, CPU)
    with pytest.raises(NumericsError, match="molecules"):
        engine.open(segment("npt", pressure=1.0), 0, None, 0)


def test_constraints_with_atomic_scaling_are_refused_and_so_is_any_foreign_barostat():
    for rigid, reason in ((False, "atomic scaling"), (True, "already holds")):
        assembly, system, start = cell(12, 8)
        barostat = openmm.MonteCarloBarostat(1.0, 300.0)
        barostat.setScaleMoleculesAsRigid(rigid)
        system.addForce(barostat)
        with pytest.raises(InputError, match=reason):
            OpenMMEngine(system, assembly, start, 1, CPU)


def test_a_system_of_another_size_is_refused():
    assembly, _, start = cell(12, 8)
    _, other, _ = cell(6, 8)
    with pytest.raises(InputError, match="particles"):
        OpenMMEngine(other, assembly, start, 1, CPU)


def test_a_box_that_becomes_too_small_for_the_cutoff_is_an_input_error_with_a_remedy(liquid):
    assembly, system, start = liquid
    engine = OpenMMEngine(system, assembly, start, 1, CPU)
    engine.open(segment("compress", 400, density=2.0), 0, None, 0)
    with pytest.raises(InputError, match="twice the cutoff"):
        engine.advance(400)


def test_compression_reaches_its_density_and_keeps_constraints(liquid):
    assembly, system, start = liquid
    engine = OpenMMEngine(system, assembly, start, 1, CPU)
    engine.open(segment("compress", 250, density=0.70), 0, None, 0)
    engine.advance(120)
    engine.open(segment("compress", 250, density=0.70), 120, engine.snapshot(), 120)
    engine.advance(130)
    whole, box = engine.whole()
    assert engine.cell.mass / 602.214076 / np.prod(box) == pytest.approx(0.70, rel=1e-6)
    assert engine.cell.worst_constraint(whole) < 1e-4


def test_energies_by_term_sum_to_openmm_own_total(liquid):
    assembly, system, start = liquid
    engine = OpenMMEngine(system, assembly, start, 1, CPU)
    engine.open(segment(), 0, None, 0)
    engine.advance(10)
    row = engine.observe()
    total = engine._live.getState(energy=True)
    assert row["potential"] == pytest.approx(total.getPotentialEnergy()._value, rel=1e-5)
    assert row["kinetic"] == pytest.approx(total.getKineticEnergy()._value, rel=1e-6)
    assert set(row) >= {"energy_bond", "energy_angle", "energy_proper", "energy_nonbonded", "energy_reciprocal"}


def test_looking_does_not_disturb(liquid):
    assembly, system, start = liquid
    ends = []
    for look in (False, True):
        engine = OpenMMEngine(system, assembly, start, 5, choose_platform("Reference"))
        engine.open(segment("npt", 40, pressure=1.0, barostat_steps=10), 0, None, 0)
        for _ in range(2):
            engine.advance(10)
            if look:
                engine.observe()
        ends.append(engine.whole()[0])
    np.testing.assert_array_equal(*ends)


def test_a_state_from_xml_goes_on_where_it_was_and_holds_whole_chains(liquid):
    assembly, system, start = liquid
    engine = OpenMMEngine(system, assembly, start, 5, CPU)
    engine.open(segment("npt", 200, pressure=1.0, barostat_steps=5), 0, None, 0)
    engine.advance(200)
    xml = engine.snapshot()
    again = Start.from_state(xml)
    bonds = assembly.bonds()
    assert np.linalg.norm(again.positions[bonds[:, 0]] - again.positions[bonds[:, 1]], axis=1).max() < 0.2
    whole, box = engine.whole()
    np.testing.assert_allclose(again.positions, whole, atol=1e-5)
    np.testing.assert_allclose(again.box, box, atol=1e-12)
    context = CPU.open(system, openmm.VerletIntegrator(0.001))
    context.setState(openmm.XmlSerializer.deserialize(xml.decode()))  # a plain System takes it: nothing of ours inside
    assert context.getStepCount() == 200


def test_scaling_moves_groups_apart_and_changes_nothing_inside_them(liquid):
    assembly, system, start = liquid
    cell_map = OpenMMEngine(system, assembly, start, 1, CPU).cell
    moved = cell_map.scale_groups(start.positions, 1.02)
    assert cell_map.worst_constraint(moved) == pytest.approx(cell_map.worst_constraint(start.positions), abs=1e-9)
    group = cell_map.groups == cell_map.groups[0]
    weights = cell_map.group_masses[group] / cell_map.group_masses[group].sum()
    np.testing.assert_allclose(weights @ moved[group], 1.02 * weights @ start.positions[group], atol=1e-9)


def test_the_same_seed_and_step_give_the_same_noise_and_another_seed_does_not(liquid):
    assembly, system, start = liquid
    ends = []
    for seed, step in ((1, 100), (1, 100), (1, 101), (2, 100)):
        engine = OpenMMEngine(system, assembly, start, seed, choose_platform("Reference"))
        engine.open(segment("npt", 400, pressure=1.0, barostat_steps=2), 0, None, step)
        engine.advance(8)
        ends.append(engine.whole()[0])
    np.testing.assert_array_equal(ends[0], ends[1])
    assert np.abs(ends[0] - ends[2]).max() > 1e-4
    assert np.abs(ends[0] - ends[3]).max() > 1e-4


def test_overlapping_atoms_are_pushed_apart():
    """A cell thrown together with chains through one another becomes a sound one."""
    topology, shape = alkane(8)
    assembly, system, start = cell(12, 8, edge=1.9)
    rng = np.random.default_rng(4)
    positions = start.positions + np.repeat(rng.uniform(-0.4, 0.4, size=(12, 3)), topology.n_atoms, axis=0)
    engine = OpenMMEngine(system, assembly, Start(positions, start.box), 1, CPU)
    engine.open(segment("minimise", 20, step_fs=0.0), 0, None, 0)
    engine.advance(20)
    engine.open(segment("push_off", 1000, step_fs=0.5, friction=10.0), 0, engine.snapshot(), 20)
    engine.advance(1000)
    assert np.isfinite(engine.observe()["potential"])
    assert len(shape) == topology.n_atoms == len(parameters(topology).masses)
    assert build_system([parameters(topology)], assembly, start.box, OPTIONS).getNumParticles() == assembly.n_atoms
