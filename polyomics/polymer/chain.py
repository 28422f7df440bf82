"""Chains as graphs: repeat units tiled into a Topology, and a Topology turned back into RDKit molecules and SMILES."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from rdkit import Chem

from polyomics.errors import InputError
from polyomics.polymer.psmiles import mol_arrays
from polyomics.polymer.reading import end_group_core
from polyomics.polymer.topology import IntArray, Topology

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polyomics.polymer.psmiles import RepeatUnit

HYDROGEN_ENDS: tuple[str, str] = ("*[H]", "*[H]")
"""The default end groups: a hydrogen atom at both ends."""


class Backbone(NamedTuple):
    """Backbone of a chain: its first and last atom and the shortest path between them, shape (length,)."""

    first: int
    last: int
    path: IntArray


@dataclass(frozen=True, eq=False)
class _Piece:
    """A unit or cap ready for tiling: graph without stars, attachment atoms and the path between them."""

    numbers: IntArray
    bonds: IntArray
    orders: IntArray
    formal_charges: IntArray
    head: int
    tail: int
    path: IntArray


def chain(unit: RepeatUnit, n: int, ends: tuple[str, str] = HYDROGEN_ENDS) -> Topology:
    """Return a homopolymer chain of ``n`` units joined head to tail.

    Parameters
    ----------
    unit
        The repeat unit.
    n
        Number of units, at least 1.
    ends
        Head and tail end group, each a SMILES with one star, for example ``*[H]`` or ``*C``.

    Raises
    ------
    InputError
        ``n`` is below 1, or an end group is not a neutral group with one star.
    """
    if n < 1:
        raise InputError(f"{n} units", subject=unit.text, field="degree_of_polymerization", remedy="at least 1")
    return copolymer_chain((unit,), np.zeros(n, dtype=np.int64), ends)


def copolymer_chain(
    units: Sequence[RepeatUnit], sequence: Sequence[int] | IntArray, ends: tuple[str, str] = HYDROGEN_ENDS
) -> Topology:
    """Return the chain ``units[sequence[0]]``, ``units[sequence[1]]``, ... joined head to tail.

    Parameters
    ----------
    units
        The distinct repeat units.
    sequence
        Index into ``units`` of each residue, shape (n_residues,).
    ends
        Head and tail end group, each a SMILES with one star.
    """
    order = np.asarray(sequence, dtype=np.int64)
    if order.ndim != 1 or not len(order) or order.min() < 0 or order.max() >= len(units):
        raise InputError(
            f"the sequence must be a list of indices from 0 to {len(units) - 1}",
            subject=", ".join(unit.text for unit in units),
            field="sequence",
            remedy="one index per residue, at least one residue",
        )
    pieces = [_unit_piece(unit) for unit in units]
    caps = [_cap_piece(text) for text in ends]
    n_head, n_tail = (len(cap.numbers) for cap in caps)
    sizes = np.array([len(p.numbers) for p in pieces], dtype=np.int64)[order]
    starts = n_head + np.concatenate([[0], np.cumsum(sizes)[:-1]])
    end = int(starts[-1] + sizes[-1])
    template = np.arange(n_head, end, dtype=np.int64) - np.repeat(starts, sizes)
    offsets = np.concatenate([[0], np.cumsum([len(p.numbers) for p in pieces])[:-1]]).astype(np.int64)
    source = template + np.repeat(offsets[order], sizes)
    bonds, orders = _joined_bonds(pieces, caps, order, starts, end)
    residues = np.repeat(np.arange(len(order), dtype=np.int64), sizes)
    head, tail = caps
    return Topology(
        numbers=np.concatenate([head.numbers, np.concatenate([p.numbers for p in pieces])[source], tail.numbers]),
        bonds=bonds,
        orders=orders,
        formal_charges=np.concatenate(
            [head.formal_charges, np.concatenate([p.formal_charges for p in pieces])[source], tail.formal_charges]
        ),
        residues=np.concatenate(
            [np.zeros(n_head, np.int64), residues, np.full(n_tail, len(order) - 1, dtype=np.int64)]
        ),
        template_atoms=np.concatenate([np.full(n_head, -1, np.int64), template, np.full(n_tail, -1, np.int64)]),
        sequence=order,
        units=tuple(units),
        caps=(n_head, n_tail),
        name=f"{'/'.join(unit.text for unit in units)} x {len(order)}",
    )


def _joined_bonds(
    pieces: list[_Piece], caps: list[_Piece], order: IntArray, starts: IntArray, end: int
) -> tuple[IntArray, IntArray]:
    """Return all bonds (m, 2) and orders (m,) of a chain, sorted."""
    heads = starts + np.array([p.head for p in pieces], dtype=np.int64)[order]
    tails = starts + np.array([p.tail for p in pieces], dtype=np.int64)[order]
    joints = [[caps[0].head, heads[0]], *np.stack([tails[:-1], heads[1:]], axis=1), [tails[-1], end + caps[1].head]]
    blocks = [caps[0].bonds, caps[1].bonds + end, np.array(joints, dtype=np.int64)]
    orders = [caps[0].orders, caps[1].orders, np.ones(len(joints), dtype=np.int64)]
    for index, piece in enumerate(pieces):
        where = starts[order == index]
        blocks.append((where[:, None, None] + piece.bonds).reshape(-1, 2))
        orders.append(np.tile(piece.orders, len(where)))
    bonds = np.sort(np.concatenate(blocks), axis=1)
    rank = np.lexsort((bonds[:, 1], bonds[:, 0]))
    return bonds[rank], np.concatenate(orders)[rank]


def _unit_piece(unit: RepeatUnit) -> _Piece:
    n = unit.mol.GetNumAtoms() - 2
    arrays = mol_arrays(unit.mol)
    path = np.array(Chem.GetShortestPath(unit.mol, n, n + 1)[1:-1], dtype=np.int64)
    inside = arrays.bonds[:, 1] < n
    return _Piece(
        numbers=arrays.numbers[:n],
        bonds=arrays.bonds[inside],
        orders=arrays.orders[inside],
        formal_charges=arrays.formal_charges[:n],
        head=int(path[0]),
        tail=int(path[-1]),
        path=path,
    )


def _cap_piece(text: str) -> _Piece:
    full = Chem.AddHs(end_group_core(text))
    star = next(atom for atom in full.GetAtoms() if atom.GetAtomicNum() == 0)
    others = [i for i in range(full.GetNumAtoms()) if i != star.GetIdx()]
    attach = others.index(star.GetNeighbors()[0].GetIdx())
    arrays = mol_arrays(Chem.RenumberAtoms(full, [*others, star.GetIdx()]))
    n = len(others)
    inside = arrays.bonds[:, 1] < n
    return _Piece(
        numbers=arrays.numbers[:n],
        bonds=arrays.bonds[inside],
        orders=arrays.orders[inside],
        formal_charges=arrays.formal_charges[:n],
        head=attach,
        tail=attach,
        path=np.array([attach], dtype=np.int64),
    )


def degree_for_atoms(unit: RepeatUnit, atoms: int, ends: tuple[str, str] = HYDROGEN_ENDS) -> int:
    """Return the number of units whose chain comes nearest to ``atoms`` atoms, at least 1.

    The published rule: ``int((atoms - terminal atoms) / unit atoms + 0.5)`` (RadonPy).
    """
    terminal = sum(len(_cap_piece(text).numbers) for text in ends)
    return max(1, int((atoms - terminal) / (unit.mol.GetNumAtoms() - 2) + 0.5))


def backbone(topology: Topology) -> Backbone:
    """Return the shortest path from the head atom of the first unit to the tail atom of the last.

    Raises
    ------
    InputError
        The topology is a small molecule and has no backbone.
    """
    if not topology.units:
        raise InputError("a small molecule has no backbone", subject=topology.name, remedy="pass a polymer chain")
    paths = [_unit_piece(unit).path for unit in topology.units]
    sizes = np.array([unit.mol.GetNumAtoms() - 2 for unit in topology.units], dtype=np.int64)[topology.sequence]
    starts = topology.caps[0] + np.concatenate([[0], np.cumsum(sizes)[:-1]])
    path = np.concatenate([start + paths[k] for start, k in zip(starts, topology.sequence, strict=True)])
    return Backbone(int(path[0]), int(path[-1]), path.astype(np.int64))


def to_rdkit(topology: Topology) -> Chem.Mol:
    """Return the molecule with explicit H, sanitised, atoms in the order of ``topology``."""
    mol = Chem.RWMol()
    for number, charge in zip(topology.numbers.tolist(), topology.formal_charges.tolist(), strict=True):
        atom = Chem.Atom(number)
        atom.SetFormalCharge(charge)
        atom.SetNoImplicit(True)
        mol.AddAtom(atom)
    kinds = {1: Chem.BondType.SINGLE, 2: Chem.BondType.DOUBLE, 3: Chem.BondType.TRIPLE}
    for (i, j), order in zip(topology.bonds.tolist(), topology.orders.tolist(), strict=True):
        mol.AddBond(i, j, kinds[order])
    result = mol.GetMol()
    Chem.SanitizeMol(result)
    return result


def capped_smiles(topology: Topology) -> str:
    """Return the SMILES of the molecule, hydrogens implicit; atom order: :func:`smiles_order`."""
    return smiles_order(topology)[0]


def smiles_order(topology: Topology) -> tuple[str, IntArray]:
    """Return the capped SMILES and the order its explicit-H molecule has.

    Returns
    -------
    smiles
        SMILES with implicit H.
    order
        Shape (n,): atom ``k`` of ``Chem.AddHs(Chem.MolFromSmiles(smiles))`` is atom ``order[k]`` of ``topology``.
    """
    full = to_rdkit(topology)
    for atom in full.GetAtoms():
        atom.SetIntProp("_topology", atom.GetIdx())
    heavy = Chem.RemoveHs(full)
    smiles = str(Chem.MolToSmiles(heavy))
    written = [int(i) for i in heavy.GetPropsAsDict(True, True)["_smilesAtomOutputOrder"]]
    origin = [heavy.GetAtomWithIdx(i).GetIntProp("_topology") for i in written]
    kept = set(origin)
    hydrogens = [
        near.GetIdx()
        for index in origin
        for near in full.GetAtomWithIdx(index).GetNeighbors()
        if near.GetIdx() not in kept
    ]
    return smiles, np.array(origin + hydrogens, dtype=np.int64)
