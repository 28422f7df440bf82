import numpy as np
import openmm
from alkanes import OPTIONS, cell
from hypothesis import given, settings
from hypothesis import strategies as st

from polyomics.simulate.cell_map import CellMap
from polyomics.simulate.records import RecordBuffer, chain_row
from polyomics.simulate.unwrap import BondTree

ASSEMBLY, SYSTEM, START = cell(n_chains=4, n_carbons=12)
CELL = CellMap.of(ASSEMBLY, SYSTEM)


def intramolecular_energy(positions):
    """Energy of the first chain alone in vacuum: what a cohesive energy subtracts."""
    from alkanes import alkane, parameters

    from polyomics.forcefield.interface import Nonbonded, SystemOptions
    from polyomics.forcefield.system import build_system
    from polyomics.polymer.topology import Assembly

    topology, _ = alkane(12)
    alone = Assembly((topology,), (1,))
    system = build_system([parameters(topology)], alone, np.ones(3), SystemOptions(Nonbonded("none"), "none"))
    platform = openmm.Platform.getPlatformByName("Reference")
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), platform)
    context.setPositions(positions[: topology.n_atoms])
    return context.getState(energy=True).getPotentialEnergy()._value


def test_a_chain_moved_across_the_boundary_keeps_rg_end_vector_dipole_and_energy():
    before = chain_row(CELL, CELL.tree.unwrap(START.positions, START.box))
    for shift in (0.37, 0.5, 0.99):
        wrapped = (START.positions + shift * START.box) % START.box
        whole = CELL.tree.unwrap(wrapped, START.box)
        after = chain_row(CELL, whole)
        for name in ("rg2", "end_vector", "dipole"):
            np.testing.assert_allclose(after[name], before[name], atol=1e-9)
        np.testing.assert_allclose(intramolecular_energy(whole), intramolecular_energy(START.positions), rtol=1e-9)
        assert np.ptp(wrapped, axis=0).max() <= START.box[0]


def test_wrapping_each_atom_on_its_own_is_undone():
    rng = np.random.default_rng(5)
    images = rng.integers(-3, 4, size=START.positions.shape)
    whole = CELL.tree.unwrap(START.positions + images * START.box, START.box)
    bonds = ASSEMBLY.bonds()
    found = np.linalg.norm(whole[bonds[:, 0]] - whole[bonds[:, 1]], axis=1)
    expected = np.linalg.norm(START.positions[bonds[:, 0]] - START.positions[bonds[:, 1]], axis=1)
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_many_frames_at_once_equal_one_at_a_time():
    frames = np.stack([(START.positions + k * 0.3) % START.box for k in range(3)])
    boxes = np.stack([START.box] * 3)
    together = CELL.tree.unwrap(frames, boxes)
    for k in range(3):
        np.testing.assert_array_equal(together[k], CELL.tree.unwrap(frames[k], START.box))


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 200), st.integers(0, 2**31))
def test_any_random_tree_is_unwrapped_to_shortest_images(n_atoms, seed):
    rng = np.random.default_rng(seed)
    parents = np.array([rng.integers(0, max(1, i)) for i in range(n_atoms)])
    bonds = np.array([(p, i) for i, p in enumerate(parents) if i], dtype=np.int64).reshape(-1, 2)
    steps = rng.uniform(-0.4, 0.4, size=(n_atoms, 3))
    true = np.zeros((n_atoms, 3))
    for i in range(1, n_atoms):
        true[i] = true[parents[i]] + steps[i]
    whole = BondTree.from_bonds(n_atoms, bonds).unwrap(true % 1.0, np.ones(3))
    np.testing.assert_allclose(whole - whole[0], true - true[0], atol=1e-9)


def test_centres_go_on_through_boundaries_and_scale_with_the_box_and_forget_the_drift():
    rng = np.random.default_rng(0)
    masses = np.array([1.0, 2.0, 3.0])
    buffer, true = RecordBuffer(masses), rng.uniform(0, 2, size=(3, 3))
    edges = np.full(3, 2.0)
    expected = []
    for _ in range(200):
        factor = np.exp(rng.normal(0.0, 0.005))
        true, edges = true * factor + rng.normal(0.02, 0.05, size=(3, 3)), edges * factor
        buffer.append({"box": edges, "centers": true % edges})
        expected.append(true - masses @ true / masses.sum())
    found = buffer.arrays()["centers"]
    # Each chain may have begun in another image than the truth did: a multiple of the edges that must never change.
    offset = (found - np.array(expected)) / buffer.arrays()["box"][:, None, :]
    np.testing.assert_allclose(offset, np.broadcast_to(offset[0], offset.shape), atol=1e-9)


def test_masses_of_records_are_the_true_ones_although_hydrogen_is_repartitioned():
    assert OPTIONS.hydrogen_mass == 3.0
    assert abs(CELL.mass - 4 * (12 * 12.011 + 26 * 1.008)) < 0.1
    assert abs(CELL.group_masses.sum() - CELL.mass) < 0.1
