"""The simulation stages: ``equilibrate``, ``sample`` and ``dynamics``, from stored inputs to records and snapshots."""

from __future__ import annotations

import io
import json
import math
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import openmm
import pyarrow.parquet as pq

from polyomics.build import assembly_of, cell_from_bytes
from polyomics.build.cell import Cell
from polyomics.build.system import SystemSpec
from polyomics.errors import NotFoundError
from polyomics.pipeline.chemistry import force_field_of, geometry_problems, species_charges, tacticity
from polyomics.pipeline.execute import Output, Progress, read_file
from polyomics.properties.records import Records, Snapshot
from polyomics.properties.stationarity import assess, drift_reasons
from polyomics.properties.thermodynamic import density
from polyomics.simulate.cell_map import CellMap
from polyomics.simulate.engine import Start
from polyomics.simulate.frames import Frames, pack_frames, quantise, unpack_frames
from polyomics.simulate.protocol import Protocol
from polyomics.simulate.records import records_fields
from polyomics.simulate.runner import StageResult, run_stage
from polyomics.store.rows import series_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from polyomics.pipeline.execute import Context
    from polyomics.pipeline.plan import StagePlan
    from polyomics.polymer.topology import Assembly
    from polyomics.simulate.plan import StagePlan as SimulationPlan
    from polyomics.store.interface import Marker
    from polyomics.store.markers import MarkerStore

_SCALARS = (
    "time_ps", "box_x", "box_y", "box_z", "potential", "kinetic", "e_bond", "e_angle", "e_proper", "e_improper",
    "e_nonbonded", "e_reciprocal", "pressure_bar", "dipole_x", "dipole_y", "dipole_z",
)  # fmt: skip

THIN_FRAMES = 60
"""Configurations kept where frames are not: enough for estimators that need coordinates."""


def equilibrate(plan: StagePlan, context: Context) -> Output:
    """Bring the built cell to the state point; writes the System once, for all stages after it."""
    built = context.inputs["start"]
    spec = SystemSpec.model_validate(built.parameters["system"])
    cell = cell_from_bytes(context.file("start", "cell"), assembly_of(spec))
    protocol = _protocol(plan)
    force_field = force_field_of(built.parameters["force_field"])
    charges = species_charges(spec, context.inputs)
    system = force_field.parametrise(cell.assembly, charges, cell.box, protocol.system_options())
    result = _run(plan, context, "equilibrate", system, cell.assembly, Start(cell.positions, cell.box))
    final = _final_cell(result, cell.assembly)
    return Output(
        files={
            "system.xml.zz": _pack(openmm.XmlSerializer.serialize(system).encode()),
            "state.xml.zz": _pack(result.state),
            "thermo": _thermo(plan, result),
        },
        outputs={
            **_facts(result, CellMap.of(cell.assembly, system)),
            "system": spec.model_dump(mode="json"),
            "force_field": dict(built.parameters["force_field"]),
            "cooling_rate_K_per_ns": _cooling_rate(protocol, plan),
            "tacticity": {**tacticity(final), "built": built.outputs["tacticity"]},
            "geometry_problems": geometry_problems(final),
        },
        provenance=result.provenance,
    )


def sample(plan: StagePlan, context: Context) -> Output:
    """Sample at constant pressure, doubling until stationary and long enough or at the protocol's limit."""
    before = context.inputs["start"]
    spec = SystemSpec.model_validate(before.outputs["system"])
    assembly = assembly_of(spec)
    system = openmm.XmlSerializer.deserialize(_unpack(context.file("start", "system")).decode())
    cell = CellMap.of(assembly, system)

    def stationary(fields: dict[str, Any]) -> bool:
        records = production(Records(**fields), _blocks(fields, plan))
        return not drift_reasons(records) and density(records).value is not None

    start = Start.from_state(_unpack(context.file("start", "state")))
    result = _run(plan, context, "sample", system, assembly, start, stationary)
    segment = _simulation_plan(plan, "sample").segments[-1]
    blocks = max(1, round(result.steps / segment.steps))
    records = production(Records(**records_fields(result.records, segment, cell)), blocks)
    snapshot = snapshot_of(assembly, cell.masses, *_whole(result.state))
    verdict = assess(records, snapshot)
    thinned = result.frames if plan.parameters.get("frames") else _thin(result.frames)
    return Output(
        files={
            "state.xml.zz": _pack(result.state),
            "thermo": _thermo(plan, result),
            **({"frames.pofr": thinned} if thinned else {}),
        },
        outputs={
            **_facts(result, cell),
            "system": before.outputs["system"],
            "force_field": before.outputs["force_field"],
            "system_stage": plan.inputs["start"],
            "ensemble": "npt",
            "temperature": segment.temperature,
            "pressure": segment.pressure,
            "blocks": blocks,
            "stationary": verdict.stationary,
            "relaxed": verdict.relaxed,
            "reasons": list(verdict.reasons),
            "unresolved": list(verdict.unresolved),
            "numbers": {name: _finite(value) for name, value in verdict.numbers.items()},
            "cooling_rate_K_per_ns": before.outputs["cooling_rate_K_per_ns"],
            "tacticity": before.outputs["tacticity"],
            "geometry_problems": before.outputs["geometry_problems"],
        },
        provenance=result.provenance,
    )


def dynamics(plan: StagePlan, context: Context) -> Output:
    """Weakly coupled dynamics at the mean volume of sampling, for transport properties."""
    before = context.inputs["start"]
    assembly = assembly_of(SystemSpec.model_validate(before.outputs["system"]))
    system = system_of(context.markers, before)
    cell = CellMap.of(assembly, system)
    start = _at_volume(
        Start.from_state(_unpack(context.file("start", "state"))), cell, mean_volume(context.markers, before)
    )
    result = _run(plan, context, "dynamics", system, assembly, start)
    segment = _simulation_plan(plan, "dynamics").segments[-1]
    return Output(
        files={"thermo": _thermo(plan, result)},
        outputs={
            **_facts(result, cell),
            "ensemble": "nvt",
            "temperature": segment.temperature,
            "pressure": None,
            "blocks": 1,
        },
        provenance=result.provenance,
    )


def system_of(markers: MarkerStore, sampled: Marker) -> openmm.System:
    """Return the System that a ``sample`` stage ran with."""
    stage = markers.get(sampled.outputs["system_stage"])
    if stage is None:
        raise NotFoundError("the stage that wrote the System is gone", subject=sampled.outputs["system_stage"])
    return openmm.XmlSerializer.deserialize(_unpack(read_file(markers, stage, "system")).decode())


def mean_volume(markers: MarkerStore, sampled: Marker) -> float:
    """Return the mean volume of the part of a ``sample`` stage that counts, nm³."""
    return float(np.mean(np.prod(records_of(markers, sampled).box, axis=1)))


def records_of(markers: MarkerStore, marker: Marker) -> Records:
    """Return the records of a ``sample`` or ``dynamics`` stage as estimators read them."""
    column = thermo_columns(markers, marker)
    records = Records(
        ensemble=marker.outputs["ensemble"],
        temperature=marker.outputs["temperature"],
        pressure=math.nan if marker.outputs["pressure"] is None else marker.outputs["pressure"],
        time=column["time_ps"],
        box=np.stack([column[f"box_{axis}"] for axis in "xyz"], axis=1),
        potential=column["potential"],
        kinetic=column["kinetic"],
        energies={name.removeprefix("e_"): column[name] for name in _SCALARS if name.startswith("e_")},
        pressure_bar=column["pressure_bar"],
        dipole=np.stack([column[f"dipole_{axis}"] for axis in "xyz"], axis=1),
        rg2=column["rg2"],
        end_vector=column["end_vector"].reshape(len(column["rg2"]), -1, 3),
        centers=column["centers"].reshape(len(column["rg2"]), -1, 3),
        mass=marker.outputs["mass"],
        n_degrees=marker.outputs["n_degrees"],
    )
    return production(records, marker.outputs["blocks"])


def thermo_columns(markers: MarkerStore, marker: Marker) -> dict[str, np.ndarray[Any, Any]]:
    """Return the stored records of a simulation stage by column; list columns become matrices."""
    table = pq.read_table(io.BytesIO(read_file(markers, marker, "thermo")))
    column = {name: table.column(name).to_numpy(zero_copy_only=False) for name in _SCALARS}
    for name in ("rg2", "end_vector", "centers"):
        column[name] = np.array(table.column(name).to_pylist(), dtype=np.float64)
    return column


def snapshots_of(markers: MarkerStore, sampled: Marker) -> tuple[Snapshot, ...]:
    """Return the stored configurations of the part of a ``sample`` stage that counts."""
    assembly = assembly_of(SystemSpec.model_validate(sampled.outputs["system"]))
    frames = unpack_frames(read_file(markers, sampled, "frames"))
    first = first_frame(markers, sampled, frames)
    masses = CellMap.of(assembly, system_of(markers, sampled)).masses
    return tuple(
        snapshot_of(assembly, masses, positions, box)
        for positions, box in zip(frames.positions[first:], frames.box[first:], strict=True)
    )


def first_frame(markers: MarkerStore, sampled: Marker, frames: Frames) -> int:
    """Return the index of the first frame that belongs to the part of the run that counts."""
    records = records_of(markers, sampled)
    return int(np.searchsorted(frames.time, records.time[0])) if len(records.time) else 0


def _at_volume(start: Start, cell: CellMap, volume: float) -> Start:
    factor = (volume / float(np.prod(start.box))) ** (1.0 / 3.0)
    return Start(cell.scale_groups(start.positions, factor), start.box * factor, start.velocities)


def production(records: Records, blocks: int) -> Records:
    """Return the part of a sampling run that counts: all of it, or its second half where its first still drifted."""
    half = len(records.time) // 2
    if blocks <= 1 or not drift_reasons(_part(records, slice(None, half))):
        return records
    return _part(records, slice(half, None))


def _part(records: Records, part: slice) -> Records:
    names = ("time", "box", "potential", "kinetic", "pressure_bar", "dipole", "rg2", "end_vector", "centers")
    cut: dict[str, Any] = {name: getattr(records, name)[part] for name in names}
    return replace(records, **cut, energies={name: values[part] for name, values in records.energies.items()})


def snapshot_of(assembly: Assembly, masses: np.ndarray[Any, Any], positions: Any, box: Any) -> Snapshot:
    """Return an estimator's snapshot of a cell."""
    return Snapshot(
        positions=np.asarray(positions, dtype=np.float64),
        box=np.asarray(box, dtype=np.float64),
        numbers=assembly.numbers(),
        masses=masses,
        starts=assembly.molecule_starts(),
        bonds=assembly.bonds(),
        residues=np.concatenate([t.residues for t in assembly.molecules()]),
    )


def _run(
    plan: StagePlan,
    context: Context,
    name: str,
    system: openmm.System,
    assembly: Assembly,
    start: Start,
    stationary: Callable[[dict[str, Any]], bool] | None = None,
) -> StageResult:
    settings = context.settings
    return run_stage(
        _simulation_plan(plan, name),
        system,
        assembly,
        start,
        seed=int(plan.parameters["seed"]),
        platform=settings.platform,
        threads=settings.threads,
        checkpoints=context.checkpoints,
        checkpoint_seconds=settings.checkpoint_interval,
        stationary=stationary,
        keep_frames=name == "sample",
        stop=settings.stop,
        progress=lambda r: settings.report(Progress(f"{r.stage}: {r.segment}", r.step, r.target, r.ns_per_day)),
    )


def _protocol(plan: StagePlan) -> Protocol:
    """Return a protocol that holds what this stage's parameters hold; what they do not hold keeps its default."""
    data = dict(plan.parameters["segments"])
    data.setdefault("equilibrate", [{"kind": "minimise"}])
    data.setdefault("sample", {"block_ps": 1.0, "maximum_ps": 1.0})
    return Protocol.model_validate_json(json.dumps({"name": "stage", **data}))


def _simulation_plan(plan: StagePlan, name: str) -> SimulationPlan:
    parameters = plan.parameters
    return _protocol(plan).resolve(parameters["temperature"], parameters["pressure"]).stage(name)


def _blocks(fields: Mapping[str, Any], plan: StagePlan) -> int:
    simulation = _simulation_plan(plan, "sample")
    segment = simulation.segments[-1]
    per_block = segment.steps // simulation.record_steps(segment)
    return max(1, round(len(fields["time"]) / per_block))


def _cooling_rate(protocol: Protocol, plan: StagePlan) -> float | None:
    """Return the slowest cooling of the equilibration, K/ns; None where the temperature only jumps."""
    segments = (
        protocol.resolve(plan.parameters["temperature"], plan.parameters["pressure"]).stage("equilibrate").segments
    )
    rates = [
        (s.temperature - s.temperature_end) / s.duration_ps * 1e3 for s in segments if s.temperature > s.temperature_end
    ]
    return min(rates, default=None)


def _facts(result: StageResult, cell: CellMap) -> dict[str, Any]:
    return {
        "steps": result.steps,
        "duration_ps": result.duration_ps,
        "mass": cell.mass,
        "n_atoms": len(cell.masses),
        "n_degrees": cell.n_degrees,
        "incidents": list(result.incidents),
    }


def _thermo(plan: StagePlan, result: StageResult) -> bytes:
    columns = result.records
    axes = ("x", "y", "z")
    return series_bytes(
        "thermo",
        {
            "stage_key": [plan.key] * len(columns["time"]),
            "step": columns["step"],
            "time_ps": columns["time"],
            **{f"box_{axis}": columns["box"][:, k] for k, axis in enumerate(axes)},
            **{f"dipole_{axis}": columns["dipole"][:, k] for k, axis in enumerate(axes)},
            **{
                f"e_{term}": columns[f"energy_{term}"]
                for term in ("bond", "angle", "proper", "improper", "nonbonded", "reciprocal")
            },
            **{
                name: columns[name] for name in ("potential", "kinetic", "pressure_bar", "rg2", "end_vector", "centers")
            },
        },
    )


def _final_cell(result: StageResult, assembly: Assembly) -> Cell:
    positions, box = _whole(result.state)
    return Cell(assembly, positions, box)


def _whole(state: bytes) -> tuple[Any, Any]:
    start = Start.from_state(state)
    return start.positions, start.box


def _thin(frames: bytes | None) -> bytes | None:
    """Return every k-th frame, so that about THIN_FRAMES remain, the last among them."""
    if frames is None:
        return None
    every = unpack_frames(frames)
    stride = max(1, len(every.time) // THIN_FRAMES)
    chosen = slice(len(every.time) - 1 - stride * ((len(every.time) - 1) // stride), None, stride)
    return pack_frames(every.time[chosen], every.box[chosen], quantise(every.positions[chosen]))


def _pack(data: bytes) -> bytes:
    return zlib.compress(data, 6)


def _unpack(data: bytes) -> bytes:
    return zlib.decompress(data)


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
