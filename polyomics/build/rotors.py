"""Sampling the rotatable bonds of a rigid fragment: Metropolis moves of many copies at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from polyomics.build.potential import ATTRACTED, KT, contact_energy, dihedrals, relaxed, torsion_energy

if TYPE_CHECKING:
    from polyomics.build.context import Context, Graph
    from polyomics.build.potential import Typing
    from polyomics.polymer.topology import FloatArray, IntArray

_SWEEPS = 30


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
    pairs, distance, depth, attracted
        Row pairs whose distance changes, shape (p, 2), with minimum distance (Å), depth (kcal/mol) and whether
        attraction counts, shape (p,).
    """

    axis: tuple[int, int]
    moving: IntArray
    quadruples: IntArray
    barriers: FloatArray
    pairs: IntArray
    distance: FloatArray
    depth: FloatArray
    attracted: IntArray


def find_rotors(
    graph: Graph,
    context: Context,
    typing: Typing,
    rows: list[int],
    root: int,
    frozen: set[frozenset[int]],
    sizes: tuple[FloatArray, FloatArray],
) -> list[Rotor]:
    """Return the rotatable bonds among ``rows``; methyl groups, rings, planar and terminal bonds do not count.

    Parameters
    ----------
    graph, context, typing
        The molecule, the fragment of it that was typed, and its parameters.
    rows
        Atom of the graph of each row; the last two are linked atoms.
    root
        Atom that must not move.
    frozen
        Bonds that keep their torsion.
    sizes
        Radius and depth per row.
    """
    members, real = set(rows), set(rows[:-2])
    row_of = {a: k for k, a in reversed(list(enumerate(rows)))}
    separation = {a: graph.distances([a], members) for a in members}
    found = []
    for (i, j), order in graph.order.items():
        if order != 1 or i not in real or j not in real or frozenset((i, j)) in frozen or graph.in_ring(i, j):
            continue
        moving = graph.side(j, i, members)
        if root in moving or _symmetric_end(graph, moving, j):
            continue
        terms = typing.terms(context.index[i], context.index[j])
        back = {k: a for a, k in context.index.items()}
        quadruples = [[row_of[back[int(a)]] for a in quad] for quad in terms.atoms]
        found.append(_rotor((i, j), moving, members, quadruples, terms.barriers, row_of, separation, sizes))
    return found


def _rotor(
    axis: tuple[int, int],
    moving: set[int],
    members: set[int],
    quadruples: list[list[int]],
    barriers: FloatArray,
    row_of: dict[int, int],
    separation: dict[int, dict[int, int]],
    sizes: tuple[FloatArray, FloatArray],
) -> Rotor:
    still = members - moving - {axis[0]}
    pairs = [(row_of[a], row_of[b]) for a in sorted(still) for b in sorted(moving - {axis[1]}) if separation[a][b] >= 3]
    near = [separation[a][b] <= ATTRACTED for a in sorted(still) for b in sorted(moving - {axis[1]}) if separation[a][b] >= 3]
    table = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    radius, depth = sizes
    return Rotor(
        axis=(row_of[axis[0]], row_of[axis[1]]),
        moving=np.array(sorted(row_of[a] for a in moving), dtype=np.int64),
        quadruples=np.array(quadruples, dtype=np.int64).reshape(-1, 4),
        barriers=barriers,
        pairs=table,
        distance=0.5 * (radius[table[:, 0]] + radius[table[:, 1]]),
        depth=np.sqrt(depth[table[:, 0]] * depth[table[:, 1]]),
        attracted=np.array(near, dtype=np.int64),
    )


def _symmetric_end(graph: Graph, moving: set[int], root: int) -> bool:
    """Whether the moving side is a lone atom or a methyl-like group, whose rotation changes nothing of interest."""
    rest = moving - {root}
    return not rest or (len(rest) == 3 and len({int(graph.topology.numbers[a]) for a in rest}) == 1 and all(
        len(graph.near[a]) == 1 for a in rest
    ))


def sample_rotors(points: FloatArray, rotors: list[Rotor], size: int, rng: np.random.Generator) -> FloatArray:
    """Return ``size`` copies of the conformers ``points`` (m, n, 3) with rotors equilibrated at 450 K.

    Annealed from four times the temperature; copies that end more than 15 kcal/mol above the best are replaced by others.
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
    total = torsion_energy(dihedrals(copies, rotor.quadruples), rotor.barriers) if len(rotor.quadruples) else 0.0
    gap = np.linalg.norm(copies[:, rotor.pairs[:, 0]] - copies[:, rotor.pairs[:, 1]], axis=-1) / rotor.distance
    contact = contact_energy(gap, rotor.depth)
    repulsive = np.where(gap < 1.0, contact + rotor.depth, 0.0)
    contact = relaxed(np.where(rotor.attracted > 0, contact, repulsive))
    return np.asarray(total + contact.sum(axis=-1), dtype=np.float64)


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
