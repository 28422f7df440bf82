"""OpenMM as an engine: one segment at a time on a Context, with exact volume moves, whole coordinates and checks."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import openmm

from polyomics.errors import InputError, NumericsError, PlatformError, ResourceError
from polyomics.forcefield.interface import FORCE_GROUPS
from polyomics.forcefield.system import check_barostat, check_molecules
from polyomics.simulate.cell_map import CellMap
from polyomics.simulate.noise import noise_seed
from polyomics.simulate.records import BAR_PER_KJ_MOL_NM3, ENERGY_TERMS, GAS_CONSTANT, Row, chain_row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polyomics.polymer.topology import Assembly, FloatArray
    from polyomics.simulate.plan import SegmentPlan
    from polyomics.simulate.platform import PlatformChoice

AMU_PER_NM3_PER_G_CM3 = 602.214076
CONSTRAINT_TOLERANCE = 1e-3
_CONTROL_PS = 0.05  # ramps and compression act this often
_REOPEN_SHRINK = 0.85  # PME's grid is chosen for the box at creation; a much smaller box deserves a new one
_MINIMISER_ITERATIONS = 25  # per declared step: short, so that being asked to stop is noticed
_VOLUME_STRAIN = 1e-3  # of the finite difference in the pressure from chain centres


@dataclass(frozen=True, eq=False)
class Start:
    """Where a stage begins.

    Parameters
    ----------
    positions
        nm, shape (n, 3).
    box
        Edges nm, shape (3,).
    velocities
        nm/ps, shape (n, 3); None to draw them.
    """

    positions: FloatArray
    box: FloatArray
    velocities: FloatArray | None = None

    @classmethod
    def from_state(cls, xml: bytes) -> Start:
        """Return what a serialised OpenMM State holds."""
        state = openmm.XmlSerializer.deserialize(xml.decode())
        vectors = state.getPeriodicBoxVectors(asNumpy=True)._value
        return cls(
            np.asarray(state.getPositions(asNumpy=True)._value, dtype=np.float64),
            np.diag(vectors).astype(np.float64),
            np.asarray(state.getVelocities(asNumpy=True)._value, dtype=np.float64),
        )


class Engine(Protocol):
    """What the runner asks of whatever moves the atoms."""

    def open(self, segment: SegmentPlan, done: int, state: bytes | None, step: int, attempt: int) -> None:
        """Begin or continue a segment after ``done`` of its steps; ``step`` is absolute, ``state`` None the start."""

    def relax(self) -> None:
        """Mend the open configuration: minimise its energy and draw velocities."""

    def advance(self, steps: int) -> None:
        """Do declared steps; raises NumericsError."""

    def observe(self) -> Row:
        """Return the row of a record; raises NumericsError."""

    def whole(self) -> tuple[FloatArray, FloatArray]:
        """Return whole positions and box edges, nm."""

    def snapshot(self) -> bytes:
        """Return a portable state with whole molecules; raises NumericsError."""


class OpenMMEngine:
    """Moves one cell.

    Volume moves scale the constrained groups, which are OpenMM's molecules here: exact with constraints, and
    independent of the number of chains (facts: barostat-density). The size of a volume move adapts within a Context
    and begins anew at 1 % of the volume whenever one is opened, since a portable State does not carry it: each size
    samples the same ensemble.

    Parameters
    ----------
    system
        Without barostat.
    assembly
        Its molecules.
    start
        Coordinates to begin with.
    seed
        Of the replica.
    platform
        Where to run.
    """

    def __init__(
        self, system: openmm.System, assembly: Assembly, start: Start, seed: int, platform: PlatformChoice
    ) -> None:
        _refuse_barostats(system)
        self.cell = CellMap.of(assembly, system)
        self.platform = platform
        self._start = start
        self._seed = seed
        serial = openmm.XmlSerializer.serialize(system)
        self._fixed = openmm.XmlSerializer.deserialize(serial)
        self._scaled = openmm.XmlSerializer.deserialize(serial)
        self._barostat = openmm.MonteCarloBarostat(1.0, 300.0)
        self._barostat.setForceGroup(FORCE_GROUPS["barostat"])
        self._scaled.addForce(self._barostat)
        self._context: openmm.Context | None = None
        self._probe: openmm.Context | None = None

    def open(self, segment: SegmentPlan, done: int, state: bytes | None, step: int, attempt: int = 0) -> None:
        """Begin or continue a segment; see :class:`Engine`. Attempt 1 draws new noise, later ones halve the step."""
        self._segment, self._done, self._step, self._attempt = segment, done, step, attempt
        self._substeps = 2 ** max(0, attempt - 1)
        start = self._start if state is None else Start.from_state(state)
        self._open(start)
        moving = start.velocities is not None and bool(np.any(start.velocities))
        if segment.kind != "minimise" and not moving:
            self._draw_velocities()

    def relax(self) -> None:
        """Minimise the energy and draw new velocities: the remedy for a configuration that blew up."""
        self._minimise(10 * _MINIMISER_ITERATIONS)
        self._draw_velocities()

    def advance(self, steps: int) -> None:
        """Do declared steps of the open segment, adjusting temperature or box on the way."""
        if self._segment.kind == "minimise":
            self._minimise(steps * _MINIMISER_ITERATIONS)
            self._count(steps)
            return
        control = max(1, round(_CONTROL_PS * 1e3 / self._segment.step_fs))
        controlled = self._segment.kind == "compress" or self._segment.temperature != self._segment.temperature_end
        left = steps
        while left:
            size = min(left, control - self._done % control) if controlled else left
            with _named_failures():
                self._live.getIntegrator().step(size * self._substeps)
            self._count(size)
            left -= size
            if controlled and self._done % control == 0:
                self._control(control)

    def observe(self) -> Row:
        """Return energies by term, pressure from chain centres, kinetic energy and the geometry of chains."""
        whole, box = self.whole()
        # From velocities: asking the Context for an energy would make it compute forces again. The leapfrog of
        # LangevinMiddle has no half-step shift to correct.
        velocities = self._live.getState(velocities=True).getVelocities(asNumpy=True)._value
        kinetic = 0.5 * float(self.cell.group_masses @ np.einsum("ij,ij->i", velocities, velocities))
        kelvin = self._temperature()
        measured = 2.0 * kinetic / (self.cell.n_degrees * GAS_CONSTANT)
        error = self.cell.worst_constraint(whole)
        if not measured < 4.0 * kelvin + 500.0:
            raise NumericsError(f"the cell heated to {measured:.0f} K where {kelvin:.0f} K was set")
        if not error < CONSTRAINT_TOLERANCE:
            raise NumericsError(f"a constrained bond is off by {error:.1e} of its length")
        with _named_failures():
            energies, pressure = self._probe_energies(whole, box, kelvin)
        if not all(np.isfinite(list(energies.values()))):
            raise NumericsError("the potential energy is not finite")
        return {
            "box": box,
            "temperature": kelvin,
            "potential": sum(energies.values()),
            "kinetic": kinetic,
            **{f"energy_{term}": value for term, value in energies.items()},
            "pressure_bar": pressure,
            **chain_row(self.cell, whole),
        }

    def whole(self) -> tuple[FloatArray, FloatArray]:
        """Return whole positions and box edges, nm; raises NumericsError where they are not finite."""
        state = self._live.getState(positions=True)
        box = np.diag(state.getPeriodicBoxVectors(asNumpy=True)._value).astype(np.float64)
        positions = np.asarray(state.getPositions(asNumpy=True)._value, dtype=np.float64)
        if not np.all(np.isfinite(positions)):
            raise NumericsError("coordinates are not finite")
        return self.cell.tree.unwrap(positions, box), box

    def snapshot(self) -> bytes:
        """Return an OpenMM State as XML: positions whole along bonds, velocities, box, time and step."""
        whole, box = self.whole()
        centers = self.cell.centers(whole)
        self._live.setPositions(whole - self.cell.spread(box * np.floor(centers / box)))
        self._live.setStepCount(self._step)
        xml: str = openmm.XmlSerializer.serialize(self._live.getState(positions=True, velocities=True))
        return xml.encode()

    @property
    def _live(self) -> openmm.Context:
        if self._context is None:
            raise RuntimeError("no segment is open")
        return self._context

    def _count(self, steps: int) -> None:
        self._done += steps
        self._step += steps

    def _temperature(self) -> float:
        segment = self._segment
        if segment.kind == "minimise":
            return 0.0
        return segment.temperature + (segment.temperature_end - segment.temperature) * self._done / segment.steps

    def _draw_velocities(self) -> None:
        self._live.setVelocitiesToTemperature(self._segment.temperature, self._noise("velocities"))

    def _minimise(self, iterations: int) -> None:
        with _named_failures():
            openmm.LocalEnergyMinimizer.minimize(self._live, 10.0, iterations)
        self._live.setVelocities(np.zeros((len(self.cell.masses), 3)))
        self.whole()

    def _noise(self, purpose: str) -> int:
        return noise_seed(self._seed, self._step, f"{purpose}{self._attempt}")

    def _open(self, start: Start) -> None:
        segment, kelvin = self._segment, self._temperature()
        step_ps = (segment.step_fs or 1.0) * 1e-3 / self._substeps
        integrator = openmm.LangevinMiddleIntegrator(kelvin, segment.friction, step_ps)
        integrator.setRandomNumberSeed(self._noise("integrator"))
        system = self._fixed
        if segment.pressure is not None:
            system = self._scaled
            self._barostat.setDefaultPressure(segment.pressure)
            self._barostat.setDefaultTemperature(kelvin)
            self._barostat.setFrequency(segment.barostat_steps * self._substeps)
            self._barostat.setRandomNumberSeed(self._noise("barostat"))
        self._context = self._probe = None  # frees the device before the next Context is made
        with _named_failures():
            self._context = self._new_context(system, integrator, start.box)
            check_molecules(self._context)
            self._context.setPositions(start.positions)
            if start.velocities is not None:
                self._context.setVelocities(start.velocities)
        self._context.setStepCount(self._step)
        self._opened_at = start.box

    def _new_context(self, system: openmm.System, integrator: openmm.Integrator, box: FloatArray) -> openmm.Context:
        system.setDefaultPeriodicBoxVectors(*np.diag(box).tolist())
        return self.platform.open(system, integrator)

    def _control(self, interval: int) -> None:
        segment = self._segment
        if segment.kind == "compress":
            self._shrink((segment.steps - self._done) // interval + 1)
            return
        kelvin = self._temperature()
        self._live.getIntegrator().setTemperature(kelvin)
        if segment.pressure is not None:
            self._live.setParameter(openmm.MonteCarloBarostat.Temperature(), kelvin)

    def _shrink(self, left: int) -> None:
        """Scale the box by one of the ``left`` equal steps in ln V that lead to the target density."""
        whole, box = self.whole()
        target = self.cell.mass / (AMU_PER_NM3_PER_G_CM3 * (self._segment.density or 1.0))
        factor = float((target / np.prod(box)) ** (1.0 / (3 * left)))
        if factor >= 1.0:
            return
        moved, edges = self.cell.scale_groups(whole, factor), box * factor
        if np.all(edges > _REOPEN_SHRINK * self._opened_at):
            with _named_failures():
                self._live.setPeriodicBoxVectors(*np.diag(edges).tolist())
                self._live.setPositions(moved)
            return
        velocities = self._live.getState(velocities=True).getVelocities(asNumpy=True)._value
        self._open(Start(moved, edges, velocities))

    def _probe_energies(self, whole: FloatArray, box: FloatArray, kelvin: float) -> tuple[dict[str, float], float]:
        """Return energies by term and the pressure from chain centres, bar.

        P = N kT / V - dU/dV, with whole chains moved rigidly as the volume changes; central difference. A Context of
        its own leaves the moving one untouched.
        """
        if self._probe is None:
            self._probe = self._new_context(self._fixed, openmm.VerletIntegrator(0.001), box)
        self._place(whole, box)
        energies = {term: self._energy(1 << FORCE_GROUPS[term]) for term in ENERGY_TERMS}
        volume = float(np.prod(box))
        centers = self.cell.spread(self.cell.centers(whole))
        totals = []
        for sign in (-1.0, 1.0):
            factor = (1.0 + sign * 0.5 * _VOLUME_STRAIN) ** (1.0 / 3.0)
            self._place(whole + (factor - 1.0) * centers, box * factor)
            totals.append(self._energy(-1))
        slope = (totals[1] - totals[0]) / (volume * _VOLUME_STRAIN)
        pressure = self.cell.n_molecules * GAS_CONSTANT * kelvin / volume - slope
        return energies, pressure * BAR_PER_KJ_MOL_NM3

    def _place(self, positions: FloatArray, box: FloatArray) -> None:
        assert self._probe is not None
        self._probe.setPeriodicBoxVectors(*np.diag(box).tolist())
        self._probe.setPositions(positions)

    def _energy(self, groups: int) -> float:
        assert self._probe is not None
        return float(self._probe.getState(energy=True, groups=groups).getPotentialEnergy()._value)


def _refuse_barostats(system: openmm.System) -> None:
    check_barostat(system)
    for force in system.getForces():
        if "Barostat" in type(force).__name__:
            raise InputError(
                f"the System already holds a {type(force).__name__}", field="system", remedy="leave it to the protocol"
            )


@contextmanager
def _named_failures() -> Iterator[None]:
    """Turn OpenMM's exceptions into failures with a class and a remedy."""
    try:
        yield
    except openmm.OpenMMException as error:
        text = str(error)
        if "NaN" in text or "infinite" in text.lower():
            raise NumericsError(f"OpenMM stopped: {text}") from error
        if "twice the nonbonded cutoff" in text:
            raise InputError(
                "the box shrank below twice the cutoff",
                field="system",
                remedy="more or longer chains, or a shorter cutoff",
            ) from error
        if "memory" in text.lower():
            raise ResourceError(f"OpenMM stopped: {text}") from error
        if any(name in text for name in ("CUDA", "OpenCL", "HIP")):
            raise PlatformError(f"OpenMM stopped: {text}", field="platform", remedy="polyomics doctor") from error
        raise
