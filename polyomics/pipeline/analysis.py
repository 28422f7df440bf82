"""Stages after the simulation: ``cohesion`` (from stored frames), ``estimate``, ``run`` and ``combine``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import openmm

from polyomics.build import assembly_of
from polyomics.build.system import SystemSpec
from polyomics.forcefield.interface import Nonbonded, SystemOptions
from polyomics.pipeline.chemistry import force_field_of, species_charges
from polyomics.pipeline.dynamics import first_frame, records_of, snapshots_of, system_of
from polyomics.pipeline.execute import ORIGIN, Implementation, Output, read_file
from polyomics.polymer.topology import Assembly
from polyomics.properties.catalogue import Estimator, Inputs
from polyomics.properties.cohesion import CohesionRecord
from polyomics.properties.combine import combine as combine_replicas
from polyomics.properties.quality import RunState, judge
from polyomics.properties.records import Estimate
from polyomics.properties.registry import spec_of
from polyomics.properties.stationarity import classify_state
from polyomics.simulate.frames import Frames, unpack_frames
from polyomics.simulate.platform import choose_platform

if TYPE_CHECKING:
    from collections.abc import Mapping

    from polyomics.pipeline.execute import Context
    from polyomics.pipeline.plan import StagePlan
    from polyomics.store.interface import Marker
    from polyomics.store.markers import MarkerStore

BAR = 1e5


def cohesion(plan: StagePlan, context: Context) -> Output:
    """Evaluate stored frames twice: the whole cell, and every molecule alone in vacuum with the same terms."""
    del plan
    sampled = context.inputs["sample"]
    spec = SystemSpec.model_validate(sampled.outputs["system"])
    assembly = assembly_of(spec)
    frames = unpack_frames(read_file(context.markers, sampled, "frames"))
    first = first_frame(context.markers, sampled, frames)
    system = system_of(context.markers, sampled)
    force_field = force_field_of(sampled.outputs["force_field"])
    charges = species_charges(spec, context.inputs)
    platform = context.settings.platform
    isolated = np.zeros((len(frames.time) - first, assembly.n_molecules))
    starts = assembly.molecule_starts()
    molecule = 0
    for topology, sets, count in zip(assembly.species, charges, assembly.counts, strict=True):
        alone = Assembly((topology,), (1,))
        # The constrained bonds have no energy in the cell, so they must have none here.
        options = SystemOptions(
            Nonbonded(method="none", dispersion_correction=False),
            "hbonds" if system.getNumConstraints() else "none",
            None,
        )
        vacuum = force_field.parametrise(alone, [sets], np.full(3, 100.0), options)
        columns = range(molecule, molecule + count)
        isolated[:, molecule : molecule + count] = _energies(
            vacuum, [frames.positions[first:, starts[c] : starts[c + 1]] for c in columns], platform
        )
        molecule += count
    cell = _cell_energies(system, frames, first, platform)
    return Output(
        outputs={
            "time": frames.time[first:].tolist(),
            "volume": np.prod(frames.box[first:], axis=1).tolist(),
            "potential_cell": cell.tolist(),
            "potential_isolated": isolated.tolist(),
        }
    )


def _energies(system: openmm.System, molecules: list[np.ndarray[Any, Any]], platform: str) -> np.ndarray[Any, Any]:
    context = choose_platform(platform, threads=1).open(system, openmm.VerletIntegrator(0.001))
    energies = np.zeros((len(molecules[0]), len(molecules)))
    for column, frames in enumerate(molecules):
        for row, positions in enumerate(frames):
            context.setPositions(positions)
            energies[row, column] = context.getState(getEnergy=True).getPotentialEnergy()._value
    return energies


def _cell_energies(system: openmm.System, frames: Frames, first: int, platform: str) -> np.ndarray[Any, Any]:
    context = choose_platform(platform).open(system, openmm.VerletIntegrator(0.001))
    energies = []
    for box, positions in zip(frames.box[first:], frames.positions[first:], strict=True):
        context.setPeriodicBoxVectors(*(openmm.Vec3(*row) for row in np.diag(box).tolist()))
        context.setPositions(positions)
        energies.append(context.getState(getEnergy=True).getPotentialEnergy()._value)
    return np.array(energies)


def estimate_with(estimator: Estimator) -> Implementation:
    """Return the stage function of an estimator: a pure function over stored records."""

    def run(plan: StagePlan, context: Context) -> Output:
        del plan
        estimates = estimator(inputs_of(context.markers, context.inputs, estimator))
        return Output(outputs={"estimates": [asdict(estimate) for estimate in estimates]})

    return Implementation(run)


def inputs_of(markers: MarkerStore, inputs: Mapping[str, Marker], estimator: Estimator) -> Inputs:
    """Return what an estimator needs, read from the markers of its input stages."""
    needs = estimator.needs
    record = inputs["cohesion"].outputs if "cohesion" in needs else None
    return Inputs(
        npt=records_of(markers, inputs["sample"]) if "npt" in needs else None,
        nvt=records_of(markers, inputs["dynamics"]) if "nvt" in needs else None,
        snapshots=snapshots_of(markers, inputs["sample"]) if "snapshots" in needs else (),
        cohesion=CohesionRecord(**{name: np.array(values) for name, values in record.items()}) if record else None,
    )


def combine(plan: StagePlan, context: Context) -> Output:
    """Turn the estimates of a run's replicas into property rows with one error and one quality."""
    parameters = plan.parameters
    replicas = int(parameters["replicas"])
    samples = [context.inputs[f"sample{index}"] for index in range(replicas)]
    estimates = [context.inputs[f"estimate{index}"].outputs["estimates"] for index in range(replicas)]
    states = [state_of(marker) for marker in samples]
    # A replica that never came to rest must not spoil those that did; where none did, all count and none is accepted.
    resting = [index for index, state in enumerate(states) if state.stationary]
    used = resting or list(range(replicas))
    ceiling = str(parameters["ceiling"])
    state = RunState(
        stationary=bool(resting),
        relaxed=all(states[index].relaxed for index in used),
        resolved=all(states[index].resolved for index in used),
        state="glass" if any(states[index].state == "glass" for index in used) else "equilibrated",
        ceiling=ceiling,
    )
    dropped = replicas - len(used)
    rows = []
    for number in range(len(estimates[0])):
        combined = combine_replicas(tuple(_estimate(estimates[index][number]) for index in used), state.state)
        rows.append(_property_row(combined, state, plan, context, dropped))
    return Output(rows={"properties": rows})


def describe_run(plan: StagePlan, context: Context) -> Output:
    """Return the row of table ``runs`` of one replica: its state, verdict and history."""
    parameters, outputs = plan.parameters, context.inputs["sample"].outputs
    state = state_of(context.inputs["sample"])
    level = "rejected" if not state.stationary else "accepted" if state.resolved else "provisional"
    if level == "accepted":
        level = str(parameters["ceiling"])
    relaxation = ("end_vector_relaxation_ps", "end_vector_remaining", "internal_distance_slope", "msd_over_rg2")
    row = {
        **{
            name: parameters[name]
            for name in ("run_key", "system_key", "polymer", "key", "protocol", "replica", "seed")
        },
        "name": context.labels.get("name", ""),
        "campaign": context.labels.get("campaign", ""),
        "T_K": parameters["temperature"],
        "P_Pa": parameters["pressure"] * BAR,
        "state": state.state,
        "quality": level,
        "reasons": [*(f"not stationary: {reason}" for reason in outputs["reasons"]), *outputs["unresolved"]],
        "stage_version": plan.version,
        "n_atoms": outputs["n_atoms"],
        "steps": outputs["steps"],
        "time_ps": outputs["duration_ps"],
        "cooling_rate": outputs["cooling_rate_K_per_ns"],
        "stationarity": {n: v for n, v in outputs["numbers"].items() if n not in relaxation},
        "relaxation": {n: outputs["numbers"].get(n) for n in relaxation},
        "details": {
            "tacticity": outputs["tacticity"],
            "geometry": outputs["geometry_problems"],
            "blocks": outputs["blocks"],
            "incidents": outputs["incidents"],
        },
    }
    return Output(rows={"runs": [row]})


def state_of(sampled: Marker) -> RunState:
    """Return what the quality rules need to know of one replica."""
    outputs = sampled.outputs
    return RunState(
        stationary=bool(outputs["stationary"]),
        relaxed=bool(outputs["relaxed"]),
        state=classify_state(outputs["temperature"], None, bool(outputs["relaxed"])),
        resolved=not outputs["unresolved"],
    )


def _estimate(data: Mapping[str, Any]) -> Estimate:
    values = dict(data)
    values["conditions"] = tuple((name, value) for name, value in values["conditions"])
    values["flags"] = tuple(values["flags"])
    return Estimate(**values)


def _property_row(
    estimate: Estimate, state: RunState, plan: StagePlan, context: Context, dropped: int
) -> dict[str, Any]:
    parameters = plan.parameters
    quality = judge(estimate, state)
    spec = spec_of(estimate.property)
    reasons = list(quality.reasons)
    if dropped:
        reasons.append(f"{dropped} of {parameters['replicas']} replicas did not come to rest and are left out")
    return {
        "system_key": parameters["system_key"],
        "polymer": parameters["polymer"],
        "key": parameters["key"],
        "name": context.labels.get("name", ""),
        "campaign": context.labels.get("campaign", ""),
        **{name: context.labels[name] for name in ORIGIN if name in context.labels},
        "property": estimate.property,
        "component": estimate.component,
        "T_K": parameters["temperature"],
        "P_Pa": parameters["pressure"] * BAR,
        "conditions": dict(estimate.conditions),
        "value": estimate.value,
        "unit": spec.unit,
        "stderr": estimate.stderr,
        "stderr_kind": estimate.stderr_kind if estimate.value is not None else "",
        "n_eff": float(estimate.n_eff),
        "n_replicas": estimate.n_replicas,
        "quality": quality.level,
        "reasons": reasons,
        "protocol": parameters["protocol"],
        "stage_version": int(parameters["estimator_version"]),
        "run_key": parameters["run_key"],
        "state": state.state,
        "default_view": spec.default_view,
    }
