"""Protocols as data: what is simulated, how long and with which settings, strictly validated."""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from polyomics.errors import InputError
from polyomics.forcefield.interface import Nonbonded, SystemOptions
from polyomics.simulate.plan import Plan, SegmentPlan, StagePlan

Temperature = float | Literal["T", "T_max"]
Pressure = float | Literal["P"]
ATM_BAR = 1.01325

# Larsen et al., Macromolecules 44 (2011) 6944, table 2: NVT at T_max, NVT at T and NPT at T (ps), and the pressure of
# the NPT step as a share of the largest; the last step, at the final pressure, has its own length.
LARSEN: tuple[tuple[float, float, float, float], ...] = (
    (50.0, 50.0, 50.0, 0.02),
    (50.0, 100.0, 50.0, 0.6),
    (50.0, 100.0, 50.0, 1.0),
    (50.0, 100.0, 5.0, 0.5),
    (5.0, 10.0, 5.0, 0.1),
    (5.0, 10.0, 5.0, 0.01),
    (5.0, 10.0, 0.0, 0.0),
)

MINIMISE = SegmentPlan("minimise", "minimise", 20, 0.0, 0.0, 0.0)


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class NonbondedChoice(_Strict):
    """How non-bonded interactions are cut; see :class:`polyomics.forcefield.interface.Nonbonded`."""

    method: Literal["pme", "reaction_field"] = "pme"
    cutoff: float = Field(default=0.9, ge=0.5, le=2.0, description="nm")
    switch: float | None = Field(default=None, gt=0, description="start of the switching function, nm")
    dispersion_correction: bool = True
    ewald_tolerance: float = Field(default=5e-4, gt=0, le=1e-2)

    @model_validator(mode="after")
    def _ordered(self) -> NonbondedChoice:
        if self.switch is not None and self.switch >= self.cutoff:
            raise ValueError(f"switch {self.switch:g} nm must lie below cutoff {self.cutoff:g} nm")
        return self


class SystemChoice(_Strict):
    """The options of the ``openmm.System``."""

    nonbonded: NonbondedChoice = NonbondedChoice()
    constraints: Literal["hbonds", "none"] = "hbonds"
    hydrogen_mass: float | None = Field(
        default=None, gt=1.0, le=4.0, description="amu after repartitioning; null for none"
    )


class ForceFieldChoice(_Strict):
    """Variant of the force field."""

    version: str = "2.2.20"
    fluorine_c3f: bool = Field(default=False, description="RadonPy's type for fluorinated sp3 carbon")


class Melt(_Strict):
    """The symbol T_max: T + offset, at least minimum, at most maximum (but never below T)."""

    offset: float = Field(default=100.0, ge=0)
    minimum: float = Field(default=600.0, gt=0)
    maximum: float = Field(default=1000.0, gt=0)

    def temperature(self, target: float) -> float:
        """Return T_max for a target temperature, K."""
        return max(target, min(max(target + self.offset, self.minimum), self.maximum))


class PushOff(_Strict):
    """Minimisation, then small steps under strong friction: removes what building left."""

    kind: Literal["push_off"]
    duration_ps: float = Field(gt=0)
    temperature: Temperature = 300.0
    step_fs: float = Field(default=0.5, gt=0, le=1.0)
    friction: float = Field(default=10.0, gt=0)


class Minimise(_Strict):
    """Energy minimisation."""

    kind: Literal["minimise"]


class Compress(_Strict):
    """NVT while the box shrinks evenly, in ln V, to a density; without effect where the cell is denser already."""

    kind: Literal["compress"]
    temperature: Temperature = "T_max"
    density: float = Field(gt=0, le=3.0, description="g/cm3")
    duration_ps: float = Field(gt=0)
    friction: float = Field(default=5.0, gt=0, description="1/ps; strong, to carry off the work of compression")


class Nvt(_Strict):
    """Constant volume."""

    kind: Literal["nvt"]
    temperature: Temperature
    duration_ps: float = Field(gt=0)


class Npt(_Strict):
    """Constant pressure."""

    kind: Literal["npt"]
    temperature: Temperature
    pressure: Pressure = Field(default="P", description="bar")
    duration_ps: float = Field(gt=0)


class Ramp(_Strict):
    """Linear change of temperature at constant pressure (or volume, with pressure null)."""

    kind: Literal["ramp"]
    start: Temperature
    end: Temperature
    pressure: Pressure | None = Field(default="P", description="bar")
    duration_ps: float = Field(gt=0)


class Larsen(_Strict):
    """The 21-step compression and relaxation; all but the last step scaled by ``scale``."""

    kind: Literal["larsen"]
    scale: float = Field(default=1.0, gt=0, le=10)
    temperature: Temperature = "T_max"
    maximum_pressure: float = Field(default=50_000 * ATM_BAR, gt=0, description="bar")
    final_ps: float = Field(default=800.0, gt=0)


Step = Annotated[
    PushOff | Minimise | Compress | Nvt | Npt | Ramp | Larsen,
    Field(discriminator="kind"),
]


class Sample(_Strict):
    """NPT block; continued by doubling until stationary or at the limit."""

    block_ps: float = Field(gt=0)
    maximum_ps: float = Field(gt=0)
    frames: int = Field(default=200, ge=200, description="frames kept at least, where frames are kept")

    @model_validator(mode="after")
    def _ordered(self) -> Sample:
        if self.maximum_ps < self.block_ps:
            raise ValueError("maximum_ps must not be below block_ps")
        return self


class Dynamics(_Strict):
    """NVT block at the mean density under so weak a coupling that diffusion is not disturbed.

    Langevin friction of at most 0.01/ps: it slows a centre of mass by that share of the melt's own friction, which is
    of the order of 1 to 100/ps, and still carries off the drift of the integrator. A Nosé-Hoover chain would do as
    well, but its variables are not in a portable State; the cell's own drift is taken out of the records.
    """

    duration_ps: float = Field(gt=0)
    friction: float = Field(default=0.01, gt=0, le=0.01, description="1/ps")
    step_fs: float | None = Field(default=None, gt=0, le=4.0, description="default: the protocol's step")


class Protocol(_Strict):
    """A protocol; every length in ps, temperature in K or one of T, T_max, pressure in bar or P."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    version: int = Field(default=1, ge=1)
    description: str = ""
    quality_ceiling: Literal["accepted", "provisional"] = "accepted"
    force_field: ForceFieldChoice = ForceFieldChoice()
    charges: Literal["gasteiger", "mmff94", "am1bcc", "resp"] = "am1bcc"
    system: SystemChoice = SystemChoice()
    replicas: int = Field(default=1, ge=1, le=100)
    step_fs: float = Field(default=2.0, gt=0, le=4.0)
    friction: float = Field(default=1.0, gt=0, description="1/ps")
    barostat_steps: int = Field(default=25, ge=1)
    record_ps: float = Field(default=1.0, gt=0)
    melt: Melt = Melt()
    equilibrate: Annotated[tuple[Step, ...], Field(strict=False, min_length=1)]
    sample: Sample
    dynamics: Dynamics | None = None

    @model_validator(mode="after")
    def _stable(self) -> Protocol:
        heavy = self.system.constraints == "hbonds" and (self.system.hydrogen_mass or 0.0) >= 3.0
        largest = 4.0 if heavy else 2.0 if self.system.constraints == "hbonds" else 1.0
        if self.step_fs > largest:
            raise ValueError(
                f"step_fs {self.step_fs:g} is above the stable {largest:g} fs of these constraints and masses"
            )
        if self.record_ps * 1e3 < self.step_fs:
            raise ValueError("record_ps must not be below the step")
        return self

    def digest(self) -> str:
        """Return a hash of everything but the description."""
        return self._digest

    @cached_property
    def _digest(self) -> str:
        data = self.model_dump(mode="json", exclude={"description"})
        return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()

    def system_options(self) -> SystemOptions:
        """Return the options of the ``openmm.System``."""
        nonbonded = Nonbonded(**self.system.nonbonded.model_dump())
        return SystemOptions(
            nonbonded=nonbonded, constraints=self.system.constraints, hydrogen_mass=self.system.hydrogen_mass
        )

    def force_field_options(self) -> dict[str, Any]:
        """Return the variant of the force field, for stage keys and for choosing the implementation."""
        return self.force_field.model_dump(mode="json")

    def has_stage(self, name: str) -> bool:
        """Whether the protocol has a stage."""
        return name in ("equilibrate", "sample") or (name == "dynamics" and self.dynamics is not None)

    def stage_parameters(self, name: str) -> dict[str, Any]:
        """Return everything of the protocol that the numbers of one stage depend on, JSON-serialisable."""
        return dict(self._stage_parameters[name])

    @cached_property
    def _stage_parameters(self) -> dict[str, dict[str, Any]]:
        """Parameters by stage, worked out once: planning asks for them hundreds of thousands of times."""
        shared = {"system", "step_fs", "friction", "barostat_steps", "record_ps", "melt"}
        names = [name for name in ("equilibrate", "sample", "dynamics") if self.has_stage(name)]
        return {name: self.model_dump(mode="json", include=shared | {name}) for name in names}

    def resolve(self, temperature: float, pressure: float) -> Plan:
        """Return the flat plan at one state point.

        Parameters
        ----------
        temperature
            K.
        pressure
            bar.
        """
        state = _State(self, temperature, pressure)
        segments = tuple(s for step in self.equilibrate for s in state.expand(step))
        first = sum(s.steps for s in segments)
        equilibrate = StagePlan("equilibrate", segments, self.record_ps, 0, first)
        block = state.segment("sample", "npt", self.sample.block_ps, temperature, pressure=pressure, whole_records=True)
        blocks = self.sample.maximum_ps / self.sample.block_ps
        limit = max(block.steps, int(block.steps * blocks))
        sample = StagePlan("sample", (block,), self.record_ps, first, limit, self.sample.frames)
        stages = [equilibrate, sample]
        if self.dynamics is not None:
            step = self.dynamics.step_fs or self.step_fs
            run = state.segment(
                "dynamics", "nvt", self.dynamics.duration_ps, temperature, step_fs=step,
                friction=self.dynamics.friction, whole_records=True,
            )  # fmt: skip
            stages.append(StagePlan("dynamics", (run,), self.record_ps, first + limit, run.steps))
        return Plan(temperature, pressure, tuple(stages))


class _State:
    """Turns steps of the protocol into segments at one state point."""

    def __init__(self, protocol: Protocol, temperature: float, pressure: float) -> None:
        self._protocol = protocol
        self._t = {"T": temperature, "T_max": protocol.melt.temperature(temperature)}
        self._p = {"P": pressure}

    def _kelvin(self, value: Temperature) -> float:
        return self._t[value] if isinstance(value, str) else value

    def _bar(self, value: Pressure) -> float:
        return self._p[value] if isinstance(value, str) else value

    def segment(
        self,
        name: str,
        kind: Literal["compress", "nvt", "npt"],
        duration_ps: float,
        temperature: float,
        *,
        end: float | None = None,
        pressure: float | None = None,
        density: float | None = None,
        step_fs: float | None = None,
        friction: float | None = None,
        whole_records: bool = False,
    ) -> SegmentPlan:
        protocol = self._protocol
        step = step_fs or protocol.step_fs
        steps = max(1, round(duration_ps * 1e3 / step))
        if whole_records:
            every = max(1, round(protocol.record_ps * 1e3 / step))
            steps = every * max(1, round(steps / every))
        return SegmentPlan(
            name, kind, steps, step, temperature, temperature if end is None else end, pressure, density,
            friction or protocol.friction, protocol.barostat_steps,
        )  # fmt: skip

    def expand(self, step: Any) -> list[SegmentPlan]:
        match step:
            case Minimise():
                return [MINIMISE]
            case PushOff():
                kelvin = self._kelvin(step.temperature)
                steps = max(1, round(step.duration_ps * 1e3 / step.step_fs))
                small = SegmentPlan("push-off", "push_off", steps, step.step_fs, kelvin, kelvin, friction=step.friction)
                return [MINIMISE, small]
            case Compress():
                kelvin = self._kelvin(step.temperature)
                return [
                    self.segment(
                        "compress", "compress", step.duration_ps, kelvin, density=step.density, friction=step.friction
                    )
                ]
            case Nvt():
                return [self.segment("nvt", "nvt", step.duration_ps, self._kelvin(step.temperature))]
            case Npt():
                kelvin, bar = self._kelvin(step.temperature), self._bar(step.pressure)
                return [self.segment("npt", "npt", step.duration_ps, kelvin, pressure=bar)]
            case Ramp():
                bar_or_none = None if step.pressure is None else self._bar(step.pressure)
                kind: Literal["nvt", "npt"] = "nvt" if bar_or_none is None else "npt"
                start, end = self._kelvin(step.start), self._kelvin(step.end)
                return [self.segment("ramp", kind, step.duration_ps, start, end=end, pressure=bar_or_none)]
        return self._larsen(step)

    def _larsen(self, step: Larsen) -> list[SegmentPlan]:
        hot, cold, final = self._kelvin(step.temperature), self._t["T"], self._p["P"]
        segments = []
        for number, (high, low, pressed, share) in enumerate(LARSEN, start=1):
            last = number == len(LARSEN)
            duration = step.final_ps if last else pressed * step.scale
            bar = final if last else share * step.maximum_pressure
            segments += [
                self.segment(f"larsen {number}: hot", "nvt", high * step.scale, hot),
                self.segment(f"larsen {number}: cold", "nvt", low * step.scale, cold),
                self.segment(f"larsen {number}: pressed", "npt", duration, cold, pressure=bar),
            ]
        return segments


def builtin_protocols() -> tuple[str, ...]:
    """Return the names of the protocols that come with the package."""
    folder = resources.files("polyomics.simulate") / "data"
    return tuple(sorted(item.name.removesuffix(".yaml") for item in folder.iterdir() if item.name.endswith(".yaml")))


def load_protocol(name_or_path: str | Path) -> Protocol:
    """Return a protocol by name, or from a YAML file.

    Raises
    ------
    polyomics.errors.InputError
        No such protocol or file, broken YAML, unknown keys or values out of range, with the field named.
    """
    text, subject = _read(str(name_or_path))
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(
            f"is not valid YAML: {' '.join(str(error).split())}", subject=subject, field="protocol"
        ) from error
    if not isinstance(data, dict):
        raise InputError("is not a mapping of fields", subject=subject, field="protocol", remedy="start from `quick`")
    try:
        return Protocol.model_validate(data)
    except ValidationError as error:
        problems = [
            (".".join(map(str, e["loc"])) or "protocol", e["msg"].removeprefix("Value error, ")) for e in error.errors()
        ]
        raise InputError(
            "; ".join(f"{where}: {what}" for where, what in problems),
            subject=subject,
            field=", ".join(dict.fromkeys(where for where, _ in problems)),
            remedy="remove unknown keys, correct the values named",
        ) from error


def _read(name: str) -> tuple[str, str]:
    if name in builtin_protocols():
        source = resources.files("polyomics.simulate") / "data" / f"{name}.yaml"
        return source.read_text(encoding="utf-8"), f"protocol {name}"
    path = Path(name)
    if path.suffix not in (".yaml", ".yml"):
        known = ", ".join(builtin_protocols())
        raise InputError(f"unknown protocol {name!r}", field="protocol", remedy=f"one of {known}, or a .yaml file")
    try:
        return path.read_text(encoding="utf-8"), str(path)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read ({error})", subject=str(path), field="protocol") from error
