"""Every estimator of the catalogue against a system whose answer is known."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from synthetic_records import make_records, make_snapshot, random_walks

from polyomics.errors import InputError
from polyomics.properties.catalogue import ESTIMATORS, Inputs, estimators_for
from polyomics.properties.chains import end_vector_relaxation, internal_distance_slope, internal_distances, sizes
from polyomics.properties.cohesion import CohesionRecord, cohesion
from polyomics.properties.free_volume import BONDI_RADII, free_volume, van_der_waals_volume
from polyomics.properties.order import independent_directions, local_density, nematic_order, order_parameter
from polyomics.properties.registry import PROPERTIES, spec_of
from polyomics.properties.thermodynamic import density, fluctuations
from polyomics.properties.transport import mean_squared_displacement, self_diffusion
from polyomics.properties.units import AMU, BAR_NM3, BOLTZMANN, KJ_PER_MOL

IDEAL_ATOMS = 400


def ideal_gas(n=20_000, atoms=IDEAL_ATOMS, temperature=300.0):
    """Independent samples of the exact NPT ensemble: V is gamma distributed, the kinetic energy chi square."""
    rng = np.random.default_rng(11)
    kt = BOLTZMANN * temperature
    pressure = 100.0  # bar
    volume = rng.gamma(atoms + 1, kt / (pressure * BAR_NM3), n)
    kinetic = kt * rng.gamma(1.5 * atoms, 1.0, n)
    records = make_records(volume=volume, enthalpy=np.zeros(n))
    return replace(records, pressure=pressure, potential=np.zeros(n), kinetic=kinetic, mass=40.0 * atoms)


def within(estimate, truth, errors=3.5):
    assert estimate.value is not None, estimate.reason
    assert abs(estimate.value - truth) < errors * estimate.stderr, (estimate, truth)


@pytest.fixture(scope="module")
def gas():
    return ideal_gas()


def test_an_ideal_gas_has_its_density(gas):
    # rho = m <1/V>, and <1/V> = P/(N kT) for a gamma distribution of order N + 1
    truth = 40.0 * AMU * 100e5 / (BOLTZMANN * 300.0 * KJ_PER_MOL)
    within(density(gas), truth)
    assert density(gas).value == pytest.approx(truth, rel=1e-3)


def test_an_ideal_gas_has_the_heat_capacities_expansion_and_compressibilities_of_the_textbook(gas):
    found = {e.property: e for e in fluctuations(gas)}
    gas_constant = BOLTZMANN * KJ_PER_MOL / (40.0 * AMU)
    truths = {
        "heat_capacity_p_classical": 2.5 * gas_constant,
        "heat_capacity_v_classical": 1.5 * gas_constant,
        "volume_expansion": 1 / 300.0,
        "linear_expansion": 1 / 900.0,
        "isothermal_compressibility": 1 / 100e5,
        "isentropic_compressibility": 0.6 / 100e5,
        "bulk_modulus": 100e5,
        "isentropic_bulk_modulus": 100e5 / 0.6,
    }
    assert set(found) == set(truths)
    for name, truth in truths.items():
        within(found[name], truth)
        assert found[name].value == pytest.approx(truth, rel=0.06), name


def test_an_einstein_crystal_has_the_heat_capacity_of_dulong_and_petit():
    rng, kt, n, atoms = np.random.default_rng(5), BOLTZMANN * 300.0, 20_000, 100
    records = make_records(volume=10.0 + 0.01 * rng.standard_normal(n))
    records = replace(records, pressure=0.0, potential=kt * rng.gamma(1.5 * atoms, 1.0, n),
                      kinetic=kt * rng.gamma(1.5 * atoms, 1.0, n), mass=12.0 * atoms)  # fmt: skip
    found = {e.property: e for e in fluctuations(records)}
    within(found["heat_capacity_p_classical"], 3.0 * BOLTZMANN * KJ_PER_MOL / (12.0 * AMU))


def test_the_target_pressure_enters_the_enthalpy():
    volume = 10.0 + 0.1 * np.random.default_rng(6).standard_normal(5000)
    records = replace(make_records(volume=volume), pressure=1000.0, potential=np.zeros(5000), kinetic=np.zeros(5000))
    found = {e.property: e for e in fluctuations(records)}
    expected = (1000.0 * BAR_NM3) * 0.01 / (10.0 * BOLTZMANN * 300.0**2)
    within(found["volume_expansion"], expected)


def test_records_without_the_fluctuation_that_a_formula_needs_give_a_reason():
    volume = 10.0 + 0.1 * np.random.default_rng(6).standard_normal(500)
    assert {e.flags for e in fluctuations(make_records(volume=volume))} == {("constant",)}
    assert {e.flags for e in fluctuations(make_records(500))} == {("constant_volume",)}
    alike = {e.property: e for e in fluctuations(make_records(volume=volume, enthalpy=400.0 * volume))}
    assert alike["volume_expansion"].value is not None
    for name in ("heat_capacity_v_classical", "isentropic_bulk_modulus"):
        stiff = alike[name]
        assert stiff.value is None or stiff.stderr > 0.0


@pytest.mark.parametrize("ensemble", ["nvt", "nve"])
def test_fluctuation_formulas_refuse_records_without_volume_moves(ensemble):
    records = make_records(ensemble=ensemble)
    assert {e.flags for e in (density(records), *fluctuations(records))} == {("wrong_ensemble",)}


def test_records_that_are_not_finite_give_no_number():
    volume = 10.0 + 0.1 * np.random.default_rng(6).standard_normal(500)
    records = make_records(volume=volume, enthalpy=np.where(np.arange(500) == 7, np.nan, volume))
    assert {e.flags for e in fluctuations(records)} == {("not_finite",)}


def test_random_walks_have_the_size_of_ideal_chains():
    """<R²> = (N - 1) b² and <Rg²> = b² (N² - 1)/(6 N) for N beads (Rubinstein and Colby, eq. 2.54, exact for beads)."""
    rng, beads, step, n, chains = np.random.default_rng(7), 40, 0.15, 300, 30
    walks = np.cumsum(rng.standard_normal((n, chains, beads, 3)) * step / math.sqrt(3), axis=2)
    relative = walks - walks.mean(axis=2, keepdims=True)
    records = make_records(n, centers=np.zeros((n, chains, 3)), rg2=np.einsum("ncbk->nc", relative**2) / beads,
                           ends=walks[:, :, -1] - walks[:, :, 0])  # fmt: skip
    found = {e.property: e for e in sizes(records)}
    within(found["end_to_end_distance_squared"], (beads - 1) * step**2 * 1e-18)
    within(found["radius_of_gyration_squared"], step**2 * (beads**2 - 1) / (6 * beads) * 1e-18)
    within(found["end_to_end_distance"], math.sqrt(8 / (3 * math.pi) * (beads - 1)) * step * 1e-9)


def test_frozen_chains_carry_the_error_of_their_number():
    rng = np.random.default_rng(8)
    frozen = rng.uniform(1.0, 2.0, 10) + 1e-3 * rng.standard_normal((500, 10))
    estimate = sizes(make_records(500, rg2=frozen**2, centers=np.zeros((500, 10, 3))))[0]
    assert estimate.stderr == pytest.approx(1e-9 * np.std(frozen.mean(axis=0), ddof=1) / math.sqrt(10), rel=0.1)


def walkers(rng, n, chains, diffusion):
    return np.cumsum(rng.standard_normal((n, chains, 3)) * math.sqrt(2 * diffusion), axis=0)


@pytest.mark.parametrize("chains", [1, 10])
def test_random_walkers_diffuse(chains):
    """D = 0.01 nm²/ps = 1e-8 m²/s."""
    centers = walkers(np.random.default_rng(9), 8000, chains, 0.01)
    estimate = self_diffusion(make_records(centers=centers, ensemble="nvt"))
    within(estimate, 1e-8)
    assert estimate.stderr < 0.4e-8
    assert estimate.conditions == (("finite_size", "uncorrected"),)


def test_the_error_of_diffusion_covers():
    rng = np.random.default_rng(10)
    found = [self_diffusion(make_records(centers=walkers(rng, 400, 10, 0.01), ensemble="nvt")) for _ in range(300)]
    z = np.array([abs(e.value - 1e-8) / e.stderr for e in found if e.value is not None])
    print(f"coverage of self-diffusion: {np.mean(z < 1):.3f} of {len(z)}")
    assert len(z) > 280
    assert abs(np.mean(z < 1) - 0.68) < 0.08


def test_caged_chains_have_no_diffusion_coefficient():
    rng = np.random.default_rng(12)
    rattling = 0.05 * rng.standard_normal((2000, 10, 3))
    estimate = self_diffusion(make_records(centers=rattling, ensemble="nvt"))
    assert estimate.value is None
    assert estimate.flags == ("caged",)


def test_subdiffusive_motion_has_no_diffusion_coefficient():
    """Fractional Brownian motion with exponent 1/2: it passes Rg² but never grows linearly."""
    n, chains, exponent = 1024, 10, 0.5
    k = np.arange(n)
    covariance = 0.5 * (np.abs(k + 1.0) ** exponent - 2 * np.abs(k * 1.0) ** exponent + np.abs(k - 1.0) ** exponent)
    root = np.linalg.cholesky(covariance[np.abs(k[:, None] - k[None, :])])
    steps = np.random.default_rng(13).standard_normal((n, chains * 3))
    centers = 0.3 * np.cumsum((root @ steps).reshape(n, chains, 3), axis=0)
    estimate = self_diffusion(make_records(centers=centers, ensemble="nvt"))
    assert estimate.flags == ("caged",)
    assert "time^" in estimate.reason


def test_displacements_equal_the_plain_double_loop():
    centers = walkers(np.random.default_rng(14), 40, 3, 0.1)
    plain = [np.mean(np.sum((centers[t:] - centers[: 40 - t]) ** 2, axis=2)) for t in range(40)]
    np.testing.assert_allclose(mean_squared_displacement(centers), plain, atol=1e-12)


def two_spheres(a, b, distance, box=(2.0, 2.0, 2.0), corner=0.0):
    centers = np.array([[corner, 1.0, 1.0], [corner + distance, 1.0, 1.0]]) + 0.0037
    return make_snapshot([centers], box=box, numbers=np.array([a, b]))


@pytest.mark.parametrize("corner", [0.5, -0.02], ids=["inside", "across the boundary"])
@pytest.mark.parametrize(("a", "b", "distance"), [(6, 6, 0.154), (6, 1, 0.109), (17, 6, 0.30), (8, 8, 0.9)])
def test_van_der_waals_volume_of_two_spheres_is_the_lens_formula(a, b, distance, corner):
    r, s = BONDI_RADII[a], BONDI_RADII[b]
    lens = 0.0
    if distance < r + s:
        lens = (
            math.pi
            * (r + s - distance) ** 2
            * (distance**2 + 2 * distance * (r + s) - 3 * (r - s) ** 2)
            / 12
            / distance
        )
    truth = 4 / 3 * math.pi * (r**3 + s**3) - lens
    assert van_der_waals_volume(two_spheres(a, b, distance, corner=corner), 0.008) == pytest.approx(truth, rel=3e-3)
    assert van_der_waals_volume(two_spheres(a, b, distance, corner=corner)) == pytest.approx(truth, rel=2e-2)


def test_van_der_waals_volume_sees_overlap_with_periodic_images():
    """A row of carbon atoms 0.2 nm apart through the cell: each loses two caps."""
    row = np.stack([np.arange(10) * 0.2, np.full(10, 1.0), np.full(10, 1.0)], axis=1)
    r = BONDI_RADII[6]
    cap = math.pi * (r - 0.1) ** 2 * (3 * r - (r - 0.1)) / 3
    truth = 10 * (4 / 3 * math.pi * r**3 - 2 * cap)
    assert van_der_waals_volume(make_snapshot([row], box=(2.0, 2.0, 2.0)), 0.01) == pytest.approx(truth, rel=5e-3)


def test_van_der_waals_volume_of_many_random_spheres_is_the_poisson_union():
    """Points thrown at random leave exp(-sum of sphere volumes / V) uncovered."""
    rng, counts = np.random.default_rng(27), {1: 3000, 6: 2500, 8: 500}
    numbers = np.repeat(list(counts), list(counts.values()))
    snapshot = make_snapshot([rng.uniform(0, 4, (6000, 3))], box=(4.0, 4.0, 4.0), numbers=numbers)
    filled = sum(k * 4 / 3 * math.pi * BONDI_RADII[z] ** 3 for z, k in counts.items())
    assert van_der_waals_volume(snapshot) == pytest.approx(64 * (1 - math.exp(-filled / 64)), rel=0.01)


def test_free_volume_of_one_atom_in_a_breathing_cell():
    volume = 8.0 + 0.05 * np.random.default_rng(15).standard_normal(2000)
    snapshot = make_snapshot([np.array([[1.0, 1.0, 1.0]])], box=(2.0, 2.0, 2.0))
    truth = 1 - 1.3 * 4 / 3 * math.pi * 0.170**3 * np.mean(1 / volume)
    assert free_volume(make_records(volume=volume), (snapshot,), 0.008).value == pytest.approx(truth, abs=5e-5)


def test_free_volume_of_an_unknown_element_is_refused_by_number():
    snapshot = make_snapshot([np.zeros((1, 3))], numbers=np.array([14]))
    assert free_volume(make_records(), (snapshot,)).reason == "no Bondi radius for atomic numbers [14]"


def test_cohesion_of_a_lattice_of_argon_is_its_lattice_sum():
    """Isolated argon has energy 0: CED = -E/V, here with E/V of 100 MPa and noise; delta = 10 MPa^0.5."""
    rng, n = np.random.default_rng(16), 200
    volume = 20.0 + 0.1 * rng.standard_normal(n)
    per_nm3 = 1e8 * 1e-27 / KJ_PER_MOL
    record = CohesionRecord(
        np.arange(n) * 10.0, volume, -per_nm3 * volume * (1 + 0.02 * rng.standard_normal(n)), np.zeros((n, 32))
    )
    density_of_cohesion, parameter = cohesion(record)
    within(density_of_cohesion, 1e8)
    within(parameter, 1e4)
    assert parameter.stderr == pytest.approx(1e4 * density_of_cohesion.stderr / 1e8 / 2, rel=0.02)


def test_energies_inside_molecules_cancel_from_cohesion():
    rng, n = np.random.default_rng(17), 100
    inside = 500.0 * rng.standard_normal((n, 8))
    record = CohesionRecord(
        np.arange(n) * 10.0, np.full(n, 20.0), inside.sum(axis=1) - 1000.0 - rng.standard_normal(n), inside
    )
    estimate = cohesion(record)[0]
    within(estimate, 1001.0 / 20.0 * KJ_PER_MOL * 1e27, errors=60)
    assert estimate.stderr < 0.001 * estimate.value


def test_few_frames_give_no_cohesion_and_repulsion_no_solubility():
    few = CohesionRecord(np.arange(5) * 10.0, np.full(5, 20.0), -np.arange(5.0), np.zeros((5, 1)))
    assert {e.flags for e in cohesion(few)} == {("few_samples",)}
    n = 100
    noise = np.random.default_rng(18).standard_normal(n)
    repulsive = CohesionRecord(np.arange(n) * 10.0, np.full(n, 20.0), 100.0 + noise, np.zeros((n, 1)))
    first, second = cohesion(repulsive)
    assert first.value < 0
    assert second.flags == ("not_cohesive",)


def rods(axis_of, chains=12, beads=20, seed=19):
    rng = np.random.default_rng(seed)
    ticks = np.arange(beads)[:, None] * 0.15
    return [rng.uniform(0, 5, 3) + ticks * axis_of(rng) for _ in range(chains)]


def random_axis(rng):
    v = rng.standard_normal(3)
    return v / np.linalg.norm(v)


def test_parallel_rods_have_order_one_whichever_way_they_point():
    snapshot = make_snapshot(rods(lambda rng: np.array([0.0, 0.6, 0.8]) * rng.choice([-1, 1]), chains=24))
    estimate = nematic_order((snapshot,))
    assert estimate.value == pytest.approx(1.0, abs=1e-9)
    assert independent_directions([np.tile([[0.0, 0.6, 0.8]], (18, 1))] * 24) == pytest.approx(24, rel=0.1)


def test_random_walks_have_no_order():
    rng = np.random.default_rng(20)
    values = [nematic_order((make_snapshot(random_walks(rng, 10, 60)),)) for _ in range(30)]
    assert np.mean([e.value for e in values]) < 0.04
    assert np.mean([e.value < 2 * e.stderr for e in values]) > 0.8


def test_the_correction_removes_the_order_of_a_finite_sample():
    rng = np.random.default_rng(21)
    u = rng.standard_normal((400, 50, 3))
    u /= np.linalg.norm(u, axis=2, keepdims=True)
    squares = np.mean([order_parameter(x, 50) ** 2 for x in u])
    raw = np.mean([np.linalg.eigvalsh(1.5 * x.T @ x / 50 - 0.5 * np.eye(3))[-1] ** 2 for x in u])
    assert squares < 0.4 * raw


def test_ten_rods_are_too_few_directions():
    estimate = nematic_order((make_snapshot(rods(random_axis, chains=10)),))
    assert estimate.value is None
    assert "independent directions, 20 needed" in estimate.reason


def test_small_molecules_are_ordered_along_their_long_axis():
    rng = np.random.default_rng(22)
    molecules = [rng.uniform(0, 5, 3) + np.arange(4)[:, None] * np.array([0, 0, 0.15]) for _ in range(50)]
    snapshot = make_snapshot(molecules, residues=np.zeros(200))
    assert nematic_order((snapshot,)).value == pytest.approx(1.0, abs=1e-9)


def test_local_density_tells_gas_lattice_and_hole_apart():
    rng = np.random.default_rng(23)
    gas = local_density(make_snapshot([rng.uniform(0, 5, (6400, 3))]))
    grid = np.stack(np.meshgrid(*[np.arange(20) * 0.25 + 0.1] * 3, indexing="ij"), -1).reshape(-1, 3)
    hole = grid[~np.all(grid < 2.5, axis=1)]
    assert gas.spread == pytest.approx(gas.ideal, rel=0.15)
    assert local_density(make_snapshot([grid])).spread < 0.05
    assert local_density(make_snapshot([hole])).spread > 0.25


def test_internal_distances_of_ideal_chains_grow_linearly():
    snapshot = make_snapshot(random_walks(np.random.default_rng(24), 300, 40))
    squared = internal_distances(snapshot)
    np.testing.assert_allclose(squared[:20], 0.15**2 * np.arange(1, 21), rtol=0.1)
    assert internal_distance_slope(snapshot) == pytest.approx(1.0, abs=0.1)
    assert internal_distance_slope(make_snapshot(rods(random_axis))) == pytest.approx(2.0, abs=1e-6)


def test_end_vectors_relax_with_their_own_time():
    """AR(1) vectors with a correlation time of 20 ps."""
    rng, r, n, chains = np.random.default_rng(25), math.exp(-1 / 20), 4000, 10
    ends = np.zeros((n, chains, 3))
    ends[0] = rng.standard_normal((chains, 3))
    for i in range(1, n):
        ends[i] = r * ends[i - 1] + math.sqrt(1 - r * r) * rng.standard_normal((chains, 3))
    found = end_vector_relaxation(make_records(n, centers=np.zeros((n, chains, 3)), ends=ends))
    assert found.time == pytest.approx(20.0, rel=0.15)
    assert found.relaxed
    frozen = end_vector_relaxation(make_records(n, centers=np.zeros((n, chains, 3)), ends=ends[:1] + 0.01 * ends))
    assert frozen.time is None
    assert frozen.remaining > 0.95
    assert not frozen.relaxed


def test_the_catalogue_gives_every_property_of_the_registry_exactly_once():
    given = [name for e in ESTIMATORS for name in e.properties]
    assert sorted(given) == sorted(PROPERTIES)
    assert [e.name for e in estimators_for(("density", "bulk_modulus"))] == ["density", "fluctuations"]


def test_every_estimator_of_the_catalogue_returns_what_it_declares():
    rng = np.random.default_rng(26)
    npt = make_records(volume=10 + 0.1 * rng.standard_normal(200), enthalpy=rng.standard_normal(200))
    nvt = make_records(centers=walkers(rng, 400, 10, 0.01), ensemble="nvt")
    record = CohesionRecord(np.arange(50.0), np.full(50, 9.0), rng.standard_normal(50) - 90, np.zeros((50, 2)))
    inputs = Inputs(npt, nvt, (make_snapshot(random_walks(rng, 4, 20)),), record)
    for estimator in ESTIMATORS:
        assert tuple(e.property for e in estimator(inputs)) == estimator.properties
        with pytest.raises(InputError, match="lacks"):
            estimator(Inputs())


def test_classical_heat_capacities_stay_out_of_the_default_view():
    assert {s.name for s in PROPERTIES.values() if not s.default_view} == {
        "heat_capacity_p_classical",
        "heat_capacity_v_classical",
    }
    with pytest.raises(InputError, match="unknown property 'Cp'"):
        spec_of("Cp")
