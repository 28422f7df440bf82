"""Sampling the rotatable bonds of a rigid fragment: Metropolis moves of many copies at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from polyomics.build.potential import ATTRACTED, KT, contact_energy, dihedrals, relaxed, torsion_energy

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from polyomics.build.context import Context, Graph
    from polyomics.build.potential import Typing
    from polyomics.polymer.topology import FloatArray, IntArray

_SWEEPS = 20


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of rows (p, 2) with minimum distance (Å), depth (kcal/mol) and whether attraction counts, shape (p,)."""

    rows: IntArray
    distance: FloatArray
    depth: FloatArray
    attracted: NDArray[np.bool_]

    def energy(self, copies: FloatArray) -> FloatArray:
        """Return the contact energy (kcal/mol) of conformers (m, n, 3), shape (m,)."""
        gap = np.linalg.norm(copies[:, self.rows[:, 0]] - copies[:, self.rows[:, 1]], axis=-1) / self.distance
        contact = contact_energy(gap, self.depth)
        repulsive = np.where(gap < 1.0, contact + self.depth, 0.0)
        return np.asarray(relaxed(np.where(self.attracted, contact, repulsive)).sum(axis=-1), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Rotor:
    """A rotatable bond: rows of the axis, rows that move with its second atom, and the energy that changes with it.

    Parameters
    ----------
    axis
        First and second atom, the second on the moving side.
    moving
        Rows that turn.
    quadruples, barriers
        Torsion terms about the axis, shapes (t, 4) and (t, 3).
    pairs
        Contacts that change.
    """

    axis: tuple[int, int]
    moving: IntArray
    quadruples: IntArray
    barriers: FloatArray
    pairs: Pairs


@dataclass(frozen=True, eq=False)
class Fragment:
    """A typed group of atoms whose bonds can turn.

    Parameters
    ----------
    graph, context, typing
        The molecule, the fragment of it that was typed, and its parameters.
    rows
        Atom of the graph of each row.
    root
        Atom that must not move.
    frozen
        Bonds that keep their torsion.
    """

    graph: Graph
    context: Context
    typing: Typing
    rows: list[int]
    root: int
    frozen: set[frozenset[int]]

    @cached_property
    def sizes(self) -> tuple[FloatArray, FloatArray]:
        """Van der Waals minimum distance (Å) and depth (kcal/mol) of each row, shape (n,)."""
        table = np.array([self.typing.size(self.context.index[a]) for a in self.rows], dtype=np.float64)
        return table[:, 0], table[:, 1]

    @cached_property
    def separation(self) -> IntArray:
        """Bonds between rows, shape (n, n)."""
        members = set(self.rows)
        walks = [self.graph.distances([a], members) for a in self.rows]
        return np.array([[walk[b] for b in self.rows] for walk in walks], dtype=np.int64)

    def pairs(self, some: list[int], others: list[int]) -> Pairs:
        """Return the pairs of rows three or more bonds apart between two groups of rows."""
        table = np.array([(a, b) for a in some for b in others if self.separation[a, b] >= 3], dtype=np.int64)
        table = table.reshape(-1, 2)
        radius, depth = self.sizes
        one, two = table[:, 0], table[:, 1]
        return Pairs(
            rows=table,
            distance=0.5 * (radius[one] + radius[two]),
            depth=np.sqrt(depth[one] * depth[two]),
            attracted=self.separation[one, two] <= ATTRACTED,
        )


def find_rotors(fragment: Fragment) -> list[Rotor]:
    """Return the rotatable bonds of a fragment; methyl groups, rings, planar and terminal bonds do not count."""
    graph, members = fragment.graph, set(fragment.rows)
    row_of = {a: k for k, a in reversed(list(enumerate(fragment.rows)))}
    back = {k: a for a, k in fragment.context.index.items()}
    found = []
    for (i, j), order in graph.order.items():
        if order != 1 or not {i, j} <= members or frozenset((i, j)) in fragment.frozen or graph.in_ring(i, j):
            continue
        moving = graph.side(j, i, members)
        if fragment.root in moving or _symmetric_end(graph, moving, j):
            continue
        terms = fragment.typing.terms(fragment.context.index[i], fragment.context.index[j])
        quadruples = [[row_of.get(back.get(int(a), -1), -1) for a in quad] for quad in terms.atoms]
        if all(min(quad) >= 0 for quad in quadruples):
            turning = {row_of[a] for a in moving}
            still = set(range(len(fragment.rows))) - turning - {row_of[i]}
            found.append(
                Rotor(
                    axis=(row_of[i], row_of[j]),
                    moving=np.array(sorted(turning), dtype=np.int64),
                    quadruples=np.array(quadruples, dtype=np.int64).reshape(-1, 4),
                    barriers=terms.barriers,
                    pairs=fragment.pairs(sorted(still), sorted(turning - {row_of[j]})),
                )
            )
    return found


def _symmetric_end(graph: Graph, moving: set[int], root: int) -> bool:
    """Whether the moving side is a lone atom or a methyl-like group, whose rotation changes nothing of interest."""
    rest = moving - {root}
    return not rest or (
        len(rest) == 3
        and len({int(graph.topology.numbers[a]) for a in rest}) == 1
        and all(len(graph.near[a]) == 1 for a in rest)
    )


def sample_rotors(points: FloatArray, rotors: list[Rotor], size: int, rng: np.random.Generator) -> FloatArray:
    """Return ``size`` copies of the conformers ``points`` (m, n, 3) with rotors equilibrated at 450 K.

    Annealed from four times the temperature; copies that end more than 15 kcal/mol above the best are replaced.
    """
    copies = points[rng.integers(len(points), size=size)]
    if not rotors:
        return np.asarray(copies, dtype=np.float64)
    for rotor in rotors:
        copies = _turn(copies, rotor, rng.uniform(-np.pi, np.pi, size))
    for sweep in range(_SWEEPS):
        heat = KT * max(1.0, 4.0 * (1.0 - 2.0 * sweep / _SWEEPS))
        for rotor in rotors:
            copies = _metropolis(copies, rotor, heat, rng)
    energy = sum((_energy(copies, rotor) for rotor in rotors), start=np.zeros(size))
    good = np.flatnonzero(energy < energy.min() + 15.0)
    return np.asarray(copies[good[np.arange(size) % len(good)]], dtype=np.float64)


def _metropolis(copies: FloatArray, rotor: Rotor, heat: float, rng: np.random.Generator) -> FloatArray:
    size = len(copies)
    jump = rng.uniform(-np.pi, np.pi, size)
    turn = np.where(rng.random(size) < 0.5, jump, rng.normal(0.0, 0.3, size))
    trial = _turn(copies, rotor, turn)
    rise = _energy(trial, rotor) - _energy(copies, rotor)
    accepted = rng.random(size) < np.exp(-np.clip(rise, 0.0, 500.0 * heat) / heat)
    return np.where(accepted[:, None, None], trial, copies)


def _energy(copies: FloatArray, rotor: Rotor) -> FloatArray:
    contact = rotor.pairs.energy(copies)
    if not len(rotor.quadruples):
        return contact
    return torsion_energy(dihedrals(copies, rotor.quadruples), rotor.barriers) + contact


def _turn(copies: FloatArray, rotor: Rotor, angle: FloatArray) -> FloatArray:
    """Rotate the moving rows of each copy by its angle (Rodrigues' formula)."""
    first, second = rotor.axis
    axis = copies[:, second] - copies[:, first]
    axis = (axis / np.linalg.norm(axis, axis=-1, keepdims=True))[:, None]
    arm = copies[:, rotor.moving] - copies[:, None, second]
    cosine, sine = np.cos(angle)[:, None, None], np.sin(angle)[:, None, None]
    along = np.sum(axis * arm, axis=-1, keepdims=True) * axis
    turned = copies.copy()
    turned[:, rotor.moving] = copies[:, None, second] + along + cosine * (arm - along) + sine * np.cross(axis, arm)
    return turned
