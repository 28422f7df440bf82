"""Stages before any dynamics: ``unit`` (types and charges of a repeat unit) and ``build`` (the cell)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from polyomics.build import build_cell, cell_to_bytes, check_geometry, dyad_statistics
from polyomics.build.spec import masses
from polyomics.build.system import SystemSpec
from polyomics.forcefield import get_force_field
from polyomics.forcefield.charges import charge_set_from_json, charge_set_to_json, molecule_charges, unit_charges
from polyomics.forcefield.interface import ClassicalForceField
from polyomics.pipeline.execute import Output
from polyomics.pipeline.keys import seed_from
from polyomics.polymer import chain, parse, parse_molecule

if TYPE_CHECKING:
    from collections.abc import Mapping

    from polyomics.build.cell import Cell
    from polyomics.forcefield.interface import ChargeSet, ForceField, Parameters
    from polyomics.pipeline.execute import Context
    from polyomics.pipeline.plan import StagePlan
    from polyomics.store.interface import Marker

CONTEXT_UNITS = 3


def force_field_of(options: Mapping[str, Any]) -> ForceField:
    """Return the force field that a stage's parameters name, in the variant they name."""
    variant = {key: value for key, value in options.items() if key not in ("name", "code")}
    return get_force_field(str(options["name"]), **variant)


def unit(plan: StagePlan, context: Context) -> Output:
    """Type a repeat unit (or molecule) in its context and compute its charges, once for all chains and campaigns."""
    parameters = plan.parameters
    force_field = force_field_of(parameters["force_field"])
    smiles, method = str(parameters["smiles"]), str(parameters["charges"])
    seed = seed_from(smiles, method)
    if parameters["kind"] == "polymer":
        head, tail = parameters["end_groups"]
        repeat = parse(smiles)
        charges = unit_charges(repeat, method, (head, tail), seed=seed)
        topology = chain(repeat, CONTEXT_UNITS, (head, tail))
        key, mass = repeat.key, repeat.mass
    else:
        topology = parse_molecule(smiles)
        charges = molecule_charges(topology, method, seed=seed)
        key, mass = f"mol:{smiles}", float(masses(topology).sum())
    row: dict[str, Any] = {
        "unit_key": plan.key,
        "key": key,
        "polymer": smiles,
        "forcefield": force_field.name,
        "forcefield_version": force_field.version,
        "charges": method,
        "mass": mass,
        "atom_charges": charges.middle.tolist(),
        "n_atoms": len(charges.middle),
        "details": {"spread": charges.spread},
    }
    if isinstance(force_field, ClassicalForceField):
        row |= _typed(force_field.parameters(topology, (charges,)), len(charges.head), len(charges.middle))
    return Output(rows={"units": [row]}, outputs={"charges": charge_set_to_json(charges)})


def _typed(parameters: Parameters, first: int, count: int) -> dict[str, Any]:
    analogies = [
        {"term": a.term, "wanted": a.wanted, "used": a.used, "penalty": a.penalty} for a in parameters.analogies
    ]
    return {
        "atom_types": list(parameters.types[first : first + count]),
        "analogies": analogies,
        "penalty": max((a.penalty for a in parameters.analogies), default=0.0),
    }


def charges_of(inputs: Mapping[str, Marker]) -> dict[tuple[str, tuple[str, ...]], ChargeSet]:
    """Return the charge sets among a stage's inputs, by SMILES of the unit and its end groups."""
    return {
        (marker.parameters["smiles"], tuple(marker.parameters["end_groups"])): charge_set_from_json(
            marker.outputs["charges"]
        )
        for marker in inputs.values()
        if marker.stage == "unit"
    }


def species_charges(spec: SystemSpec, inputs: Mapping[str, Marker]) -> list[list[ChargeSet]]:
    """Return, for each species of the cell in order, the charge sets of its units."""
    table = charges_of(inputs)
    result = []
    for component in spec.components:
        ends = tuple(component.end_groups) if component.kind == "polymer" else ()
        sets = [table[share.psmiles, ends] for share in component.units]
        result.extend([sets] * len(dict.fromkeys(component.degrees)))
    return result


def build(plan: StagePlan, context: Context) -> Output:
    """Grow the chains, place and relax them; the tacticity asked for is verified from the geometry."""
    spec = SystemSpec.model_validate(plan.parameters["system"])
    force_field = force_field_of(plan.parameters["force_field"])
    charges = species_charges(spec, context.inputs)
    cell = build_cell(spec, force_field, charges, int(plan.parameters["seed"]))
    return Output(
        files={"cell.npz": cell_to_bytes(cell)},
        outputs={"n_atoms": cell.assembly.n_atoms, "box_nm": cell.box.tolist(), "tacticity": tacticity(cell)},
    )


def tacticity(cell: Cell) -> dict[str, float]:
    """Return the share of meso dyads over all chains and their number; empty where the backbone has no such centres."""
    starts = cell.assembly.molecule_starts()
    meso, count = 0.0, 0
    for topology, first, last in zip(cell.assembly.molecules(), starts, starts[1:], strict=False):
        if topology.units:
            share, dyads = dyad_statistics(topology, cell.positions[first:last])
            meso, count = meso + (share * dyads if dyads else 0.0), count + dyads
    return {"meso": meso / count, "dyads": float(count)} if count else {}


def geometry_problems(cell: Cell) -> list[str]:
    """Return what dynamics has turned over since the cell was built: double bonds, amides, written stereocentres."""
    starts = cell.assembly.molecule_starts()
    chains = zip(cell.assembly.molecules(), starts, starts[1:], strict=False)
    return [
        problem
        for topology, first, last in chains
        if topology.units
        for problem in check_geometry(topology, np.asarray(cell.positions[first:last]))
    ]
