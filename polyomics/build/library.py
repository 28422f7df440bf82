"""What a chain is grown from: blocks for its units in each configuration, its end groups, and the links between."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from polyomics.build.blocks import Block, cap_block, linked_atoms, merged, mirrored, unit_atoms, unit_block
from polyomics.build.context import Graph, cut_context
from polyomics.build.potential import Typing
from polyomics.build.stereo import UnitStereo, unit_stereo
from polyomics.errors import UnsupportedError
from polyomics.polymer.chain import copolymer_chain

if TYPE_CHECKING:
    from polyomics.polymer.psmiles import RepeatUnit
    from polyomics.polymer.topology import FloatArray, IntArray, Topology

LIBRARY_SIZE = 192


@dataclass(frozen=True, eq=False)
class Link:
    """Torsion terms about the bond between two blocks.

    Parameters
    ----------
    before, after
        Row in the earlier and in the later block of each term, shape (t,).
    barriers
        V1, V2, V3 in kcal/mol, shape (t, 3).
    trans
        Whether the bond is an amide, which stays trans.
    """

    before: IntArray
    after: IntArray
    barriers: FloatArray
    trans: bool


@dataclass(eq=False)
class Library:
    """Blocks and links of a homopolymer, made when first asked for.

    Parameters
    ----------
    unit
        The repeat unit.
    ends
        Head and tail end group.
    """

    unit: RepeatUnit
    ends: tuple[str, str]
    _units: dict[tuple[int, ...], Block] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.stereo: UnitStereo = unit_stereo(self.unit)
        # Long enough that the middle of even a one-atom unit has neighbours five bonds away on both sides.
        side = 1 if len(self.stereo.path) > 4 else 6 // len(self.stereo.path) + 1
        sequence = np.zeros(2 * side + 2, dtype=np.int64)
        self._middle = side
        self._graph = Graph(copolymer_chain((self.unit,), sequence, self.ends))
        self.head = cap_block(self._graph, "head", LIBRARY_SIZE // 8)
        self.tail = cap_block(self._graph, "tail", LIBRARY_SIZE // 8)
        self.inner, self.first, self.last = self._links()

    def block(self, signs: tuple[int, ...]) -> Block:
        """Return the conformers of the unit whose centres have the handedness ``signs``."""
        found = self._units.get(signs)
        if found is None:
            found = self._make(signs)
            self._units[signs] = found
        return found

    def _make(self, signs: tuple[int, ...]) -> Block:
        if self.stereo.mirrorable and signs and signs[0] < 0:
            return mirrored(self.block(tuple(-s for s in signs)))
        block = unit_block(self._graph, self._middle, signs, LIBRARY_SIZE)
        return merged(block, mirrored(block)) if self.stereo.mirrorable and not signs else block

    def _links(self) -> tuple[Link, Link, Link]:
        topology = self._graph.topology
        n, (n_head, n_tail) = topology.n_atoms, topology.caps
        r, last = self._middle, topology.n_residues - 1
        rows = {k: unit_atoms(topology, k) for k in (0, r, r + 1, last)}
        rows = {k: [*atoms, *linked_atoms(self._graph, atoms)] for k, atoms in rows.items()}
        head = [*range(n_head), -1, rows[0][int(self.stereo.path[0])]]
        tail = [*range(n - n_tail, n), rows[last][int(self.stereo.path[-1])], -1]
        trans = any(p.position == len(self.stereo.path) - 1 for p in self.stereo.planar)
        pairs = [(rows[r], rows[r + 1], trans), (head, rows[0], False), (rows[last], tail, False)]
        inner, first, final = (_link(self._graph, *pair) for pair in pairs)
        return inner, first, final


def _link(graph: Graph, before: list[int], after: list[int], trans: bool) -> Link:
    """Return the torsions about the bond from the last row's neighbour in ``before`` to the first atom of ``after``."""
    joint = (after[-2], before[-1])
    context = cut_context(graph, joint, reach=4)
    terms = Typing(context.mol).terms(context.index[joint[0]], context.index[joint[1]])
    back = {k: a for a, k in context.index.items()}
    return Link(
        before=np.array([before.index(back[int(a)]) for a in terms.atoms[:, 0]], dtype=np.int64),
        after=np.array([after.index(back[int(a)]) for a in terms.atoms[:, 3]], dtype=np.int64),
        barriers=terms.barriers,
        trans=trans,
    )


def library_of(topology: Topology, ends: tuple[str, str]) -> Library:
    """Return the library for chains like ``topology``.

    Raises
    ------
    polyomics.errors.UnsupportedError
        The chain has more than one kind of repeat unit.
    """
    if len(topology.units) != 1:
        raise UnsupportedError(
            f"{len(topology.units)} kinds of repeat units in one chain",
            subject=topology.name,
            field="sequence",
            remedy="chains of one repeat unit; copolymers come later",
        )
    return Library(topology.units[0], ends)
