"""Owns partial charges: of a repeat unit at the head, inside and at the tail of its chain, and of small molecules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polyomics.forcefield.charges.methods import METHODS, ChargeMethod, charge_method
from polyomics.forcefield.charges.oligomer import (
    capped_oligomer,
    oligomer_of_topology,
    unit_between_groups,
    units_around,
)
from polyomics.forcefield.charges.rows import charge_set_from_json, charge_set_to_json
from polyomics.forcefield.interface import ChargeSet

if TYPE_CHECKING:
    from polyomics.polymer.psmiles import RepeatUnit
    from polyomics.polymer.topology import Topology

__all__ = [
    "METHODS",
    "ChargeMethod",
    "charge_set_from_json",
    "charge_set_to_json",
    "molecule_charges",
    "unit_charges",
]


def unit_charges(
    unit: RepeatUnit, method: str, ends: tuple[str, str] = ("*[H]", "*[H]"), *, seed: int = 0
) -> ChargeSet:
    """Return the charges of a repeat unit, made in a capped oligomer of at least three units.

    Where the oligomer is too large for a method (RESP: 45 heavy atoms, which is some 4 GB of integrals), the unit is
    treated between small groups (methyl, acetyl, phenyl, ...) instead of neighbour units, and ``note`` says so.

    Head with its cap, the middle unit, and tail with its cap each sum to zero, and topologically equivalent atoms of
    the chain (at the ends: of the oligomer) are equal. Order of atoms as in
    :class:`~polyomics.polymer.topology.Topology`.

    Parameters
    ----------
    unit
        The repeat unit.
    method
        A name in :data:`METHODS`.
    ends
        Head cap and tail cap, one star each.
    seed
        Of the conformer search, where the method has one.

    Raises
    ------
    InputError
        No such method, or a cap without exactly one star.
    UnsupportedError
        The method has no parameters for an atom, or the caps do not fit.
    PlatformError
        The method's program or extra is missing on this machine.
    NumericsError
        No conformer could be made, or the quantum chemistry did not converge.
    """
    chosen = charge_method(method, unit.text)
    side = units_around(unit, heavy_atoms=chosen.context_heavy_atoms, bonds=chosen.context_bonds)
    heavy = sum(atom.GetAtomicNum() > 1 for atom in unit.mol.GetAtoms())
    if (2 * side + 1) * heavy > chosen.most_heavy_atoms:
        return _charges_between_groups(unit, chosen, ends, seed)
    oligomer = capped_oligomer(unit, 2 * side + 1, ends)
    charges, spread = chosen.compute(oligomer, seed)
    head, middle, tail = (charges[oligomer.atoms_of(r)] for r in (0, oligomer.middle, oligomer.n_residues - 1))
    return ChargeSet(method=method, head=head, middle=middle, tail=tail, spread=spread)


def _charges_between_groups(unit: RepeatUnit, chosen: ChargeMethod, ends: tuple[str, str], seed: int) -> ChargeSet:
    first, inner, last = unit_between_groups(unit, ends)
    head = chosen.compute(first, seed)[0][first.atoms_of(0)]
    charges, spread = chosen.compute(inner, seed)
    tail = chosen.compute(last, seed)[0][last.atoms_of(1)]
    note = "unit too large for a trimer: neighbour units cut to small groups"
    return ChargeSet(chosen.name, head, charges[inner.atoms_of(1)], tail, spread, note)


def molecule_charges(topology: Topology, method: str, *, seed: int = 0) -> ChargeSet:
    """Return the charges of a whole molecule in ``middle``, in the order of its topology; head and tail are empty.

    Parameters, and errors raised, are those of :func:`unit_charges`.
    """
    chosen = charge_method(method, topology.name or "molecule")
    oligomer = oligomer_of_topology(topology)
    charges, spread = chosen.compute(oligomer, seed)
    return ChargeSet(method=method, head=charges[:0], middle=charges, tail=charges[:0], spread=spread)
