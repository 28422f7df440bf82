"""Parameters of a long chain from those of a short one: the middle units of a context oligomer, repeated by numpy."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from polyomics.polymer.chain import backbone

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polyomics.forcefield.interface import Parameters
    from polyomics.polymer.topology import FloatArray, IntArray, Topology

REACH = 5
"""Bonds over which a neighbour may change an atom type."""
LONGEST_TERM = 3
"""Bonds from one end of a term to the other."""


@dataclass(frozen=True)
class Layout:
    """How a context oligomer maps onto a chain of the same unit.

    The chain is ``head`` units, ``repeats`` blocks of ``period`` units, ``tail`` units; the context is the same with
    one block.

    Parameters
    ----------
    head, period, tail
        Units of the context before, in and after the block.
    repeats
        Blocks of the chain.
    unit_size
        Atoms per unit.
    head_cap
        Atoms of the head cap.
    """

    head: int
    period: int
    tail: int
    repeats: int
    unit_size: int
    head_cap: int

    @property
    def context_units(self) -> int:
        """Number of units of the context oligomer."""
        return self.head + self.period + self.tail


def layout(topology: Topology, period: int) -> Layout | None:
    """Return the layout of a homopolymer chain, or None where the chain is too short or not a homopolymer.

    The head reaches :data:`REACH` backbone bonds, so does the tail beyond the longest term that begins in the block.

    Parameters
    ----------
    topology
        The chain.
    period
        Units after which atom types repeat, 1 or 2.
    """
    if len(topology.units) != 1:
        return None
    size = topology.units[0].mol.GetNumAtoms() - 2
    per_unit = len(backbone(topology).path) // topology.n_residues
    head = max(1, -(-REACH // per_unit))
    tail = head + -(-LONGEST_TERM // per_unit)
    spare = topology.n_residues - head - tail
    tail += spare % period
    repeats = spare // period
    if repeats < 2:
        return None
    return Layout(head, period, tail, repeats, size, topology.caps[0])


def context(topology: Topology, plan: Layout) -> Topology:
    """Return the context oligomer: the chain with all blocks but one cut out and the ends joined.

    Parameters
    ----------
    topology
        A homopolymer chain.
    plan
        Its layout.
    """
    kept = plan.context_units
    cut = topology.n_residues - kept
    first = topology.residues < kept - plan.tail
    last = topology.residues >= topology.n_residues - plan.tail
    atoms = np.flatnonzero(first | last)
    shift = cut * plan.unit_size
    low, high = topology.bonds.T
    inside = first[low] & first[high]
    behind = last[high]
    bonds = np.concatenate([topology.bonds[inside], topology.bonds[behind] - shift])
    rank = np.lexsort((bonds[:, 1], bonds[:, 0]))
    residues = topology.residues[atoms]
    return replace(
        topology,
        numbers=topology.numbers[atoms],
        bonds=bonds[rank],
        orders=np.concatenate([topology.orders[inside], topology.orders[behind]])[rank],
        formal_charges=topology.formal_charges[atoms],
        residues=np.where(residues < kept - plan.tail, residues, residues - cut),
        template_atoms=topology.template_atoms[atoms],
        sequence=topology.sequence[:kept],
    )


def repeats_with(types: Sequence[str], plan: Layout) -> bool:
    """Tell whether the types of a context repeat with the period of its layout wherever the block's terms reach."""
    names = np.array(types)
    size, start = plan.unit_size, plan.head_cap
    per_unit = names[start : start + plan.context_units * size].reshape(plan.context_units, size)
    inner = per_unit[plan.head : plan.context_units - plan.head]
    return bool(np.all(inner[plan.period :] == inner[: -plan.period]))


def stamp(parameters: Parameters, oligomer: Topology, plan: Layout, charges: FloatArray) -> Parameters:
    """Return the parameters of the chain whose context oligomer has ``parameters``.

    A term belongs to the unit of its first atom along the chain; terms of the block are repeated, those behind it
    shifted.

    Parameters
    ----------
    parameters
        Of the context.
    oligomer
        The context.
    plan
        Its layout.
    charges
        Of the chain, e, shape (n_chain_atoms,).
    """
    block = plan.period * plan.unit_size
    start = plan.head_cap + plan.head * plan.unit_size
    atoms = _Tiling(np.arange(oligomer.n_atoms), start, block, plan.repeats)
    source = atoms.rows

    def tiled(indices: IntArray) -> tuple[IntArray, IntArray]:
        first = oligomer.residues[indices].min(axis=1, initial=plan.context_units)
        tiling = _Tiling(plan.head_cap + first * plan.unit_size, start, block, plan.repeats)
        found: IntArray = indices[tiling.rows] + tiling.shifts[:, None]
        return found, tiling.rows

    bonds, from_bonds = tiled(parameters.bonds)
    rank = np.lexsort((bonds[:, 1], bonds[:, 0]))
    bonds, from_bonds = bonds[rank], from_bonds[rank]
    angles, from_angles = tiled(parameters.angles)
    propers, from_propers = tiled(parameters.propers)
    impropers, from_impropers = tiled(parameters.impropers)
    return replace(
        parameters,
        types=tuple(np.array(parameters.types)[source].tolist()),
        masses=parameters.masses[source],
        charges=charges,
        sigma=parameters.sigma[source],
        epsilon=parameters.epsilon[source],
        bonds=bonds,
        bond_r0=parameters.bond_r0[from_bonds],
        bond_k=parameters.bond_k[from_bonds],
        angles=angles,
        angle_theta0=parameters.angle_theta0[from_angles],
        angle_k=parameters.angle_k[from_angles],
        propers=propers,
        proper_periodicity=parameters.proper_periodicity[from_propers],
        proper_phase=parameters.proper_phase[from_propers],
        proper_k=parameters.proper_k[from_propers],
        impropers=impropers,
        improper_periodicity=parameters.improper_periodicity[from_impropers],
        improper_phase=parameters.improper_phase[from_impropers],
        improper_k=parameters.improper_k[from_impropers],
    )


class _Tiling:
    """Rows of a context table before, in and after the block, the block's repeated: row numbers and atom shifts."""

    def __init__(self, owners: IntArray, start: int, block: int, repeats: int) -> None:
        before = np.flatnonzero(owners < start)
        inside = np.flatnonzero((owners >= start) & (owners < start + block))
        after = np.flatnonzero(owners >= start + block)
        self.rows = np.concatenate([before, np.tile(inside, repeats), after])
        self.shifts = np.concatenate(
            [
                np.zeros(len(before), dtype=np.int64),
                np.repeat(np.arange(repeats) * block, len(inside)),
                np.full(len(after), (repeats - 1) * block, dtype=np.int64),
            ]
        )
