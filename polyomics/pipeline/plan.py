"""The stage graph of a task: which stages a request consists of, and their chained keys, without running anything."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from polyomics.pipeline.keys import content_key, seed_from

if TYPE_CHECKING:
    from collections.abc import Mapping

    from polyomics.build.system import SystemSpec
    from polyomics.simulate.protocol import Protocol

BUILD_VERSION = 1
UNIT_VERSION = 1
EQUILIBRATE_VERSION = 1
SAMPLE_VERSION = 1
DYNAMICS_VERSION = 1


@dataclass(frozen=True)
class StagePlan:
    """One stage to be done.

    Parameters
    ----------
    name
        Stage name; the implementation is found by it.
    version
        Algorithm version: changes when the same inputs would give another answer.
    parameters
        The stage's own parameters, JSON-serialisable; seeds among them.
    inputs
        Stage keys of its inputs by role.
    tier
        What it needs: ``cpu`` or ``gpu``.
    """

    name: str
    version: int
    parameters: Mapping[str, Any]
    inputs: Mapping[str, str] = field(default_factory=dict)
    tier: str = "cpu"

    @cached_property
    def key(self) -> str:
        """``H(stage name, algorithm version, own parameters, keys of inputs)``."""
        return content_key("stage", self.name, self.version, dict(self.parameters), dict(self.inputs))


@dataclass(frozen=True)
class Run:
    """One state point of one system under one protocol; its replicas differ in their seeds only.

    Parameters
    ----------
    system
        What is in the cell; units written in their canonical frame.
    force_field
        Name of the force field.
    charges
        Charge method.
    protocol
        The protocol as data.
    temperature, pressure
        K and bar.
    seed
        Campaign seed.
    keep_frames
        Whether trajectories are stored with the sampling stage.
    """

    system: SystemSpec
    force_field: str
    charges: str
    protocol: Protocol
    temperature: float
    pressure: float
    seed: int = 0
    keep_frames: bool = False

    @cached_property
    def system_key(self) -> str:
        """Identity of the cell's composition."""
        return content_key("system", self.system_data)

    @cached_property
    def system_data(self) -> dict[str, Any]:
        """The system as JSON data, as it is hashed."""
        data: dict[str, Any] = self.system.model_dump(mode="json")
        return data

    @cached_property
    def key(self) -> str:
        """Identity of the run: of everything its numbers depend on, but the replica."""
        return content_key(
            "run",
            self.system_key,
            self.force_field,
            self.charges,
            self.protocol.digest(),
            self.temperature,
            self.pressure,
            self.seed,
        )

    def replica(self, index: int) -> Task:
        """Return the task of one replica."""
        return Task(self, index)


@dataclass(frozen=True)
class Task:
    """One replica of one run: the unit of scheduling."""

    run: Run
    replica: int

    @cached_property
    def key(self) -> str:
        """Identity of the task."""
        return content_key("task", self.run.key, self.replica)

    @cached_property
    def seed(self) -> int:
        """Seed of the replica, the same for every temperature, so that state points share one cell."""
        return seed_from(self.run.system_key, self.run.seed, self.replica)

    @cached_property
    def units(self) -> tuple[StagePlan, ...]:
        """One ``unit`` stage per distinct repeat unit or molecule, in order of appearance."""
        plans: dict[str, StagePlan] = {}
        for component in self.run.system.components:
            for share in component.units:
                plan = StagePlan(
                    "unit",
                    UNIT_VERSION,
                    {
                        "kind": component.kind,
                        "smiles": share.psmiles,
                        "end_groups": list(component.end_groups) if component.kind == "polymer" else [],
                        "charges": self.run.charges,
                        "force_field": self._force_field,
                    },
                )
                plans.setdefault(plan.key, plan)
        return tuple(plans.values())

    @cached_property
    def build(self) -> StagePlan:
        """The ``build`` stage."""
        return StagePlan(
            "build",
            BUILD_VERSION,
            {"system": self.run.system_data, "force_field": self._force_field, "seed": self.seed},
            self._unit_inputs,
        )

    @cached_property
    def equilibrate(self) -> StagePlan:
        """The ``equilibrate`` stage."""
        return self._simulation("equilibrate", EQUILIBRATE_VERSION, {**self._unit_inputs, "start": self.build.key})

    @cached_property
    def sample(self) -> StagePlan:
        """The ``sample`` stage."""
        extra = {"frames": True} if self.run.keep_frames else {}
        return self._simulation("sample", SAMPLE_VERSION, {"start": self.equilibrate.key}, **extra)

    @cached_property
    def dynamics(self) -> StagePlan | None:
        """The ``dynamics`` stage, where the protocol has one."""
        if not self.run.protocol.has_stage("dynamics"):
            return None
        return self._simulation("dynamics", DYNAMICS_VERSION, {"start": self.sample.key})

    def simulation(self) -> tuple[StagePlan, ...]:
        """Return all stages that estimators read, in the order in which they run."""
        return (*self.units, self.build, self.equilibrate, self.sample, *([self.dynamics] if self.dynamics else []))

    @property
    def _force_field(self) -> dict[str, Any]:
        return {"name": self.run.force_field, **self.run.protocol.force_field_options()}

    @property
    def _unit_inputs(self) -> dict[str, str]:
        return {f"unit{index}": plan.key for index, plan in enumerate(self.units)}

    def _simulation(self, name: str, version: int, inputs: Mapping[str, str], **extra: Any) -> StagePlan:
        parameters = {
            "segments": self.run.protocol.stage_parameters(name),
            "temperature": self.run.temperature,
            "pressure": self.run.pressure,
            "seed": seed_from(self.seed, name),
            **extra,
        }
        return StagePlan(name, version, parameters, inputs, tier="gpu")
