"""Growing one chain: block by block, by torsion preference and contacts, with look-ahead and backtracking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from polyomics.build.potential import ATTRACTED, KT, contact_energy, relaxed, torsion_energy
from polyomics.errors import NumericsError

if TYPE_CHECKING:
    from polyomics.build.blocks import Block
    from polyomics.build.library import Library, Link
    from polyomics.polymer.topology import FloatArray, IntArray

FAR_SCALE = 0.65
"""Sizes of atoms more than ``_LOCAL`` bonds apart are scaled by this: enough to prevent overlap and threading, little
enough that chains keep the dimensions of a melt, where excluded volume is screened."""
_LOCAL = 8
_TORSIONS, _TRIALS = 160, 32
_LIMIT = 15.0
"""Energy of contacts, kcal/mol, above which a placement counts as a clash."""
_OVERLAP, _PENALTY = 0.52, 5.0
"""Local contacts closer than this share of the minimum distance cost this much more, kcal/mol: relaxing them can turn a
stereocentre inside out."""
_ROUNDS, _FAILURES = 3, 400
_REACH = 3.6
"""Distance at which scaled contacts of the largest atoms have vanished, Å."""


class Surroundings(Protocol):
    """Atoms that are already there."""

    def near(self, centre: FloatArray, radius: float) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return positions (n, 3) in Å in the image nearest to ``centre``, minimum distances and depths (n,)."""

    def images(self, shifts: FloatArray) -> FloatArray:
        """Return ``shifts`` (n, 3) in Å reduced to the nearest periodic image."""


class Vacuum:
    """No surroundings."""

    def near(self, centre: FloatArray, radius: float) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return nothing."""
        return np.zeros((0, 3)), np.zeros(0), np.zeros(0)

    def images(self, shifts: FloatArray) -> FloatArray:
        """Return ``shifts`` as they are."""
        return shifts


@dataclass(frozen=True, eq=False)
class Grown:
    """A grown chain: positions in Å (n, 3), minimum distances (Å) and depths (kcal/mol) of its atoms (n,)."""

    points: FloatArray
    radius: FloatArray
    depth: FloatArray


@dataclass(eq=False)
class _State:
    """Where the chain ends: conformer of the last block, its frame (rows in space) and its origin."""

    block: Block
    conformer: int
    frame: FloatArray
    origin: FloatArray


def grow_chain(
    library: Library,
    signs: IntArray,
    rng: np.random.Generator,
    surroundings: Surroundings | None = None,
    start: FloatArray | None = None,
) -> Grown:
    """Grow one chain with end groups.

    Each block is placed by one of many trials: link torsions are drawn from their Boltzmann weight at 450 K, the most
    likely go on to be weighted by contacts with everything placed, the next block's first atom included (look-ahead).
    Where every trial clashes, growth steps back, farther each time.

    Parameters
    ----------
    library
        Blocks and links.
    signs
        Handedness of the backbone centres of each unit, shape (n_units, n_centres).
    rng
        Source of randomness.
    surroundings
        Atoms to avoid, and periodicity.
    start
        Where the chain begins, Å, shape (3,); the origin by default.

    Raises
    ------
    polyomics.errors.NumericsError
        No way on was found in many attempts.
    """
    units = [library.block(tuple(int(s) for s in row)) for row in signs]
    blocks = [library.head, *units, library.tail]
    links = [library.first, *[library.inner] * (len(units) - 1), library.last]
    growth = _Growth(blocks, links, rng, surroundings or Vacuum(), np.zeros(3) if start is None else start)
    return growth.run(library.unit.text)


class _Growth:
    """The mutable course of growing one chain."""

    def __init__(
        self, blocks: list[Block], links: list[Link], rng: np.random.Generator, around: Surroundings, start: FloatArray
    ) -> None:
        self.blocks, self.links, self.rng, self.around, self.start = blocks, links, rng, around, start
        self.first = np.concatenate([[0], np.cumsum([b.n_atoms for b in blocks])]).astype(np.int64)
        self.points = np.zeros((int(self.first[-1]), 3))
        self.radius = np.concatenate([b.radius[:-2] for b in blocks])
        self.depth = np.concatenate([b.depth[:-2] for b in blocks])
        self.to_last = np.zeros(len(self.points), dtype=np.int64)
        self.states: list[_State] = []

    def run(self, subject: str) -> Grown:
        """Grow to the end, stepping back from dead ends."""
        stuck, best, step_back = 0, 0, 1
        self._seed()
        while len(self.states) < len(self.blocks):
            if self._extend(_LIMIT * (1.0 + stuck / 20.0)):
                if len(self.states) > best:
                    best, step_back, stuck = len(self.states), 1, 0
                continue
            stuck += 1
            if stuck > _FAILURES:
                raise NumericsError(
                    f"growth found no way past unit {best} of {len(self.blocks) - 2}",
                    subject=subject,
                    remedy="another seed or a lower start density",
                )
            self._retreat(step_back)
            step_back = 2 * step_back if step_back < 16 else 1
        return Grown(self.points, self.radius, self.depth)

    def _seed(self) -> None:
        conformer = int(self.rng.integers(len(self.blocks[0].points)))
        self._accept(conformer, random_rotations(self.rng, 1)[0], self.start)

    def _extend(self, limit: float) -> bool:
        """Place the next block; False where every trial clashes."""
        index, last = len(self.states), self.states[-1]
        block, link = self.blocks[index], self.links[index - 1]
        exit_frame = last.block.frames[last.conformer] @ last.frame
        origin = last.block.points[last.conformer, -1] @ last.frame + last.origin
        if index == len(self.blocks) - 1:
            # The bond to the tail's end group has the group's own length, not that of a link between units.
            here, there = last.block.points[last.conformer, last.block.path[-2:]]
            stretch = np.linalg.norm(block.points[0, block.path[0]]) - np.linalg.norm(there - here)
            origin = origin + stretch * exit_frame[0]
        contacts = self._contacts(block, origin, exit_frame[0])
        for _ in range(_ROUNDS):
            conformers, angles = self._likely(block, link, last)
            frames = _twists(angles) @ exit_frame
            energy = contacts.energy(block.points[conformers] @ frames + origin)
            if energy.min() < limit:
                weight = np.exp(-(energy - energy.min()) / KT).cumsum()
                chosen = int(np.searchsorted(weight, self.rng.random() * weight[-1]))
                self._accept(int(conformers[chosen]), frames[chosen], origin)
                return True
        return False

    def _likely(self, block: Block, link: Link, last: _State) -> tuple[IntArray, FloatArray]:
        """Return conformers and link torsions drawn from the Boltzmann weight of the link's torsion terms."""
        rng = self.rng
        conformers = rng.choice(len(block.points), size=_TORSIONS, p=block.weight)
        angles = np.pi + rng.normal(0.0, 0.1, _TORSIONS) if link.trans else rng.uniform(-np.pi, np.pi, _TORSIONS)
        old = last.block.points[last.conformer]
        arms = (old[link.before] - old[last.block.path[-2]]) @ last.block.frames[last.conformer].T
        behind = np.arctan2(arms[:, 2], arms[:, 1])
        ahead = block.points[conformers[:, None], link.after]
        turn = np.arctan2(ahead[..., 2], ahead[..., 1]) + angles[:, None] - behind
        energy = torsion_energy(turn, link.barriers)
        weight = np.exp(-(energy - energy.min()) / KT).cumsum()
        drawn = np.searchsorted(weight, (rng.random() + np.arange(_TRIALS)) / _TRIALS * weight[-1])
        return conformers[drawn], angles[drawn]

    def _contacts(self, block: Block, origin: FloatArray, axis: FloatArray) -> _Contacts:
        placed = int(self.first[len(self.states)])
        place, radius = block.ball
        centre, reach = origin + place * axis, radius + _REACH
        shifts = self.around.images(self.points[:placed] - centre)
        near = np.flatnonzero(
            (self.to_last[:placed] < _LOCAL) | (np.einsum("ij,ij->i", shifts, shifts) < reach * reach)
        )
        others, sizes, depths = self.around.near(centre, reach)
        distant = np.full(len(others), _LOCAL + 1)
        return _Contacts(
            block,
            centre,
            np.concatenate([shifts[near], others - centre]),
            np.concatenate([self.radius[near], sizes]),
            np.concatenate([self.depth[near], depths]),
            np.concatenate([self.to_last[near], distant]),
        )

    def _accept(self, conformer: int, frame: FloatArray, origin: FloatArray) -> None:
        index = len(self.states)
        block = self.blocks[index]
        here = slice(int(self.first[index]), int(self.first[index + 1]))
        self.points[here] = block.points[conformer, :-2] @ frame + origin
        self.to_last[: here.start] += block.span
        self.to_last[here] = block.to_exit[:-2] - 1
        self.states.append(_State(block, conformer, frame, origin))

    def _retreat(self, steps: int) -> None:
        for _ in range(min(steps, len(self.states))):
            block = self.states.pop().block
            self.to_last[: int(self.first[len(self.states)])] -= block.span
        if not self.states:
            self._seed()


class _Contacts:
    """Contacts of a block's trial placements with the atoms near it."""

    def __init__(
        self,
        block: Block,
        centre: FloatArray,
        shifts: FloatArray,
        radius: FloatArray,
        depth: FloatArray,
        to_last: IntArray,
    ) -> None:
        n = block.n_atoms
        self.rows = np.array([*range(n), n + 1])
        self.centre = centre
        # Relative to a centre nearby, single precision is good to 1e-5 Å and twice as fast.
        self.targets = shifts.astype(np.float32)
        separation = block.from_entry[self.rows][:, None] + to_last
        self.local = separation <= _LOCAL
        scale = np.where(self.local, 1.0, FAR_SCALE)
        self.distance = 0.5 * scale * (block.radius[self.rows][:, None] + radius)
        self.depth = np.sqrt(block.depth[self.rows][:, None] * depth)
        attracted = separation <= ATTRACTED
        self.offset = np.where(attracted, 0.0, self.depth)
        self.limit = (self.distance * np.where(attracted, 1.8, 1.0)) ** 2
        self.limit[separation < 3] = -1.0
        self.limit = (self.limit - np.einsum("ij,ij->i", shifts, shifts)).astype(np.float32)

    def energy(self, trials: FloatArray) -> FloatArray:
        """Return the contact energy (kcal/mol) of placements (k, n + 2, 3), shape (k,)."""
        points = (trials[:, self.rows] - self.centre).astype(np.float32)
        squares = np.einsum("kij,kij->ki", points, points)[:, :, None] - 2.0 * (points @ self.targets.T)
        hits = np.flatnonzero(squares < self.limit)
        trial, pair = np.divmod(hits, self.limit.size)
        row, target = np.divmod(pair, self.limit.shape[1])
        gap = np.linalg.norm(points[trial, row] - self.targets[target], axis=1).astype(np.float64)
        ratio = gap / self.distance[row, target]
        energy = contact_energy(ratio, self.depth[row, target]) + self.offset[row, target]
        yielding = relaxed(energy) + np.where(ratio < _OVERLAP, _PENALTY, 0.0)
        energy = np.where(self.local[row, target], yielding, energy)
        return np.asarray(np.bincount(trial, energy, minlength=len(trials)), dtype=np.float64)


def random_rotations(rng: np.random.Generator, n: int) -> FloatArray:
    """Return ``n`` uniformly distributed rotation matrices, shape (n, 3, 3) (Shoemake's quaternions)."""
    q = rng.normal(size=(n, 4))
    w, x, y, z = (q / np.linalg.norm(q, axis=1, keepdims=True)).T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), 2, 0)


def _twists(angles: FloatArray) -> FloatArray:
    """Return matrices (rows) that turn y and z about x, shape (k, 3, 3)."""
    result = np.zeros((len(angles), 3, 3))
    result[:, 0, 0] = 1.0
    result[:, 1, 1] = result[:, 2, 2] = np.cos(angles)
    result[:, 1, 2] = np.sin(angles)
    result[:, 2, 1] = -result[:, 1, 2]
    return result
