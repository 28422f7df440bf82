"""Libraries of conformers of repeat units and end groups: the rigid blocks that chains are grown from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from rdkit import Chem
from rdkit.Chem import rdDistGeom, rdForceFieldHelpers, rdMolTransforms

from polyomics.build.context import Context, Graph, copy_written_stereo, cut_context
from polyomics.build.dyads import backbone_with_ends
from polyomics.build.potential import KT, Typing, dihedrals
from polyomics.build.rotors import Fragment, find_rotors, sample_rotors
from polyomics.build.stereo import UnitStereo, handedness, tag_for, unit_stereo
from polyomics.errors import NumericsError

if TYPE_CHECKING:
    from polyomics.polymer.topology import FloatArray, IntArray, Topology

LIBRARY_SEED = 20_260_101
_EMBEDDINGS = 3


@dataclass(frozen=True, eq=False)
class Block:
    """Conformers of a group of atoms between two links; the last two rows are the linked atoms before and after it.

    Coordinates are in the entry frame: origin at the first atom of the block, x along the link from the atom before,
    the next backbone atom in the upper half of the xy plane.

    Parameters
    ----------
    points
        Å, shape (m, n + 2, 3).
    frames
        Exit frames in entry coordinates, rows x, y, z: x along the link to the atom after, the previous backbone atom
        in the upper half of the xy plane, shape (m, 3, 3).
    weight
        Probability of each conformer, shape (m,).
    radius, depth
        Van der Waals minimum distance (Å) and depth (kcal/mol) of each row, shape (n + 2,).
    from_entry, to_exit
        Bonds from the atom before, and to the atom after, for each row, shape (n + 2,).
    path
        Rows of the backbone: atom before, first, ..., last, atom after.
    """

    points: FloatArray
    frames: FloatArray
    weight: FloatArray
    radius: FloatArray
    depth: FloatArray
    from_entry: IntArray
    to_exit: IntArray
    path: IntArray

    @property
    def n_atoms(self) -> int:
        """Atoms of the block itself."""
        return int(self.points.shape[1]) - 2

    @cached_property
    def ball(self) -> tuple[float, float]:
        """Place on the entry axis and radius, Å, of a sphere around all conformers."""
        place = 0.5 * float(self.points[..., 0].max())
        return place, float(np.linalg.norm(self.points - np.array([place, 0.0, 0.0]), axis=-1).max())

    @property
    def span(self) -> int:
        """Bonds from the atom before to the last atom of the block."""
        return len(self.path) - 2


def mirrored(block: Block) -> Block:
    """Return the mirror image of all conformers of ``block``."""
    return framed(replace(block, points=block.points * np.array([1.0, 1.0, -1.0])))


def merged(one: Block, two: Block) -> Block:
    """Return the conformers of both blocks."""
    return replace(
        one,
        points=np.concatenate([one.points, two.points]),
        frames=np.concatenate([one.frames, two.frames]),
        weight=0.5 * np.concatenate([one.weight, two.weight]),
    )


def unit_block(graph: Graph, residue: int, signs: tuple[int, ...], size: int) -> Block:
    """Return a library of conformers of a repeat unit, sampled at 450 K in the middle of a chain.

    Parameters
    ----------
    graph
        An oligomer with neighbours on both sides of the residue.
    residue
        Which one.
    signs
        Wanted handedness of its backbone centres.
    size
        Number of conformers.
    """
    topology = graph.topology
    unit = topology.units[int(topology.sequence[residue])]
    stereo = unit_stereo(unit)
    atoms = unit_atoms(topology, residue)
    backbone = [int(i) for i in backbone_with_ends(topology).path]
    at, length = backbone.index(atoms[stereo.path[0]]), len(stereo.path)
    path = backbone[at - 2 : at + length + 2]
    before, after = path[1], path[-2]
    context = cut_context(graph, [*atoms, before, after], reach=2)
    copy_written_stereo(context, unit.mol, atoms, before, after)
    _set_signs(context, stereo, atoms, path[1:-1], signs)
    planar = [(path[p.position + 1 : p.position + 5], p.trans) for p in stereo.planar]
    planar += [(path[:4], True) for p in stereo.planar if p.position == length - 1]
    ahead = _beyond(graph, after, {before, *atoms}, 2)
    rows = [*atoms, before, after, *ahead, *_beyond(graph, before, {after, *atoms}, 1)]
    points = _embed(context, planar)[:, [context.index[a] for a in rows]]
    points = points[_has_signs(points, len(atoms), stereo, signs)]
    if not len(points):
        raise NumericsError(
            "no conformer has the wanted configuration",
            subject=unit.text,
            field="tacticity",
            remedy="check stereo marks",
        )
    frozen = {frozenset(quad[1:3]) for quad, _ in planar}
    fragment = Fragment(graph, context, Typing(context.mol), rows, path[2], frozen)
    return _sampled(fragment, path[1:-1], points, size, len(ahead))


def _beyond(graph: Graph, link: int, inside: set[int], bonds: int) -> list[int]:
    """Return the atoms up to ``bonds`` bonds past a linked atom, away from the block ``inside``."""
    near = graph.distances([link], set(range(graph.topology.n_atoms)) - inside)
    return sorted(a for a, d in near.items() if 0 < d <= bonds)


def cap_block(graph: Graph, which: str, size: int) -> Block:
    """Return conformers of an end group: a block with a link on one side only.

    Parameters
    ----------
    graph
        A chain carrying the end groups.
    which
        ``head`` or ``tail``.
    size
        Number of conformers.
    """
    topology = graph.topology
    n, (n_head, n_tail) = topology.n_atoms, topology.caps
    atoms = list(range(n_head)) if which == "head" else list(range(n - n_tail, n))
    inside = set(atoms)
    root, link = next((i, j) for i in atoms for j in graph.near[i] if j not in inside)
    context = cut_context(graph, [*atoms, link])
    rows = [*atoms, link, link]
    points = _embed(context, [])[:, [context.index[a] for a in rows]]
    # The missing link is a point that only orients the frames: at the root's first neighbour in the group, if any.
    partner = next((i for i in graph.near[root] if i in inside), None)
    missing = len(atoms) + (0 if which == "head" else 1)
    centre, linked = points[:, rows.index(root)], points[:, rows.index(link)]
    points[:, missing] = 2.0 * centre - linked if partner is None else points[:, rows.index(partner)]
    path = [len(atoms), rows.index(root), len(atoms) + 1]
    fragment = Fragment(graph, context, Typing(context.mol), rows, root, set())
    block = _sampled(fragment, [link, root, link], points, size, 0)
    depth = block.depth.copy()
    depth[missing] = 0.0
    return framed(replace(block, depth=depth, path=np.array(path, dtype=np.int64)))


def unit_atoms(topology: Topology, residue: int) -> list[int]:
    """Return the atoms of a residue without cap atoms, in template order."""
    return [int(i) for i in np.flatnonzero((topology.residues == residue) & (topology.template_atoms >= 0))]


def linked_atoms(graph: Graph, atoms: list[int]) -> tuple[int, int]:
    """Return the atoms before and after a unit; chains are stored head to tail, so the former has the lower index."""
    inside = set(atoms)
    before, after = sorted(j for i in atoms for j in graph.near[i] if j not in inside)
    return before, after


def _set_signs(context: Context, stereo: UnitStereo, atoms: list[int], path: list[int], signs: tuple[int, ...]) -> None:
    for centre, sign in zip(stereo.centres, signs, strict=True):
        target = context.mol.GetAtomWithIdx(context.index[atoms[centre.atom]])
        order = [a.GetIdx() for a in target.GetNeighbors()]
        before, after = (context.index[path[centre.position + k]] for k in (0, 2))
        senior, junior = (context.index[atoms[k]] for k in (centre.substituent, centre.other))
        # Distinct isotopes keep RDKit from taking the centre for symmetric where the fragment, unlike the chain, is.
        for atom in target.GetNeighbors():
            atom.SetIsotope(atom.GetIdx() + 1)
        target.SetChiralTag(tag_for(order, before, after, senior, junior, sign))


def _has_signs(points: FloatArray, n: int, stereo: UnitStereo, signs: tuple[int, ...]) -> FloatArray:
    """Return which conformers (rows: ``n`` of the unit, atom before, atom after) have the wanted handedness, (m,)."""
    path = [n, *stereo.path, n + 1]
    good = np.ones(len(points), dtype=bool)
    for centre, sign in zip(stereo.centres, signs, strict=True):
        around = path[centre.position], centre.atom, path[centre.position + 2], centre.substituent
        good &= handedness(*(points[:, a] for a in around)) * sign > 0
    return good


def _embed(context: Context, planar: list[tuple[list[int], bool]]) -> FloatArray:
    """Return relaxed conformers of the fragment in Å, shape (m, atoms, 3), planar bonds (quadruple, trans) kept."""
    mol = Chem.Mol(context.mol)
    settings: Any = rdDistGeom.ETKDGv3()
    settings.randomSeed = LIBRARY_SEED
    count = _EMBEDDINGS if mol.GetNumAtoms() < 80 else _EMBEDDINGS - 1
    found = list(rdDistGeom.EmbedMultipleConfs(mol, count, settings))
    if not found:
        settings.useRandomCoords = True
        found = list(rdDistGeom.EmbedMultipleConfs(mol, count, settings))
    if not found:
        raise NumericsError("no conformer could be embedded", subject=Chem.MolToSmiles(Chem.RemoveHs(mol)))
    for conformer in mol.GetConformers():
        for quad, trans in planar:
            i, j, k, m = (context.index[a] for a in quad)
            rdMolTransforms.SetDihedralDeg(conformer, i, j, k, m, 180.0 if trans else 0.0)
    if rdForceFieldHelpers.MMFFHasAllMoleculeParams(mol):
        rdForceFieldHelpers.MMFFOptimizeMoleculeConfs(mol, maxIters=200)
    elif rdForceFieldHelpers.UFFHasAllMoleculeParams(mol):
        rdForceFieldHelpers.UFFOptimizeMoleculeConfs(mol, maxIters=200)
    points = np.stack([conformer.GetPositions() for conformer in mol.GetConformers()])
    good = np.ones(len(points), dtype=bool)
    for quad, trans in planar:
        cosine = np.cos(dihedrals(points, np.array([[context.index[a] for a in quad]]))[:, 0])
        good &= (-cosine if trans else cosine) > 0.7
    if not good.any():
        raise NumericsError("no conformer keeps its planar bonds", subject=Chem.MolToSmiles(Chem.RemoveHs(mol)))
    return np.asarray(points[good], dtype=np.float64)


def _sampled(fragment: Fragment, path: list[int], points: FloatArray, size: int, n_ahead: int) -> Block:
    """Return the block of a fragment (rows: atoms, atom before, atom after, ``n_ahead`` past it, rest before it).

    The atoms past the link stand for the next block: averaging over their torsions is the look-ahead that makes growth
    draw from the right distribution. Those before the link only keep the sampling where it matters; growth counts them
    for itself, so their share of the Boltzmann factor is divided out again, up to a factor of 20.
    """
    rows = fragment.rows
    n = rows.index(path[0]) + 2
    copies = sample_rotors(points, find_rotors(fragment), size, np.random.default_rng(LIBRARY_SEED))
    bias = (
        fragment.pairs([*range(n - 2), *range(n - 1, n + n_ahead)], list(range(n + n_ahead, len(rows)))).energy(copies)
        / KT
    )
    weight = np.exp(np.minimum(bias - np.median(bias), 3.0))
    radius, depth = fragment.sizes
    first, last = path[1], path[-2]
    separation = fragment.separation
    places = {a: k for k, a in reversed(list(enumerate(rows)))}
    return framed(
        Block(
            points=copies[:, :n],
            frames=np.zeros((0, 3, 3)),
            weight=weight / weight.sum(),
            radius=radius[:n],
            depth=depth[:n],
            from_entry=1 + separation[places[first], :n] - 2 * (np.arange(n) == n - 2),
            to_exit=1 + separation[places[last], :n] - 2 * (np.arange(n) == n - 1),
            path=np.array([n - 2, *(places[a] for a in path[1:-1]), n - 1], dtype=np.int64),
        )
    )


def framed(block: Block) -> Block:
    """Return ``block`` with its conformers in their entry frames, and the exit frames that follow."""
    path = block.path
    origin = block.points[:, path[1]]
    entry = frames_along(origin - block.points[:, path[0]], block.points[:, path[2]] - origin)
    points = np.einsum("mij,mnj->mni", entry, block.points - origin[:, None])
    last = points[:, path[-2]]
    return replace(block, points=points, frames=frames_along(points[:, path[-1]] - last, points[:, path[-3]] - last))


def frames_along(axis: FloatArray, reference: FloatArray) -> FloatArray:
    """Return right-handed frames (rows x, y, z), shape (m, 3, 3): x along ``axis``, ``reference`` in the upper xy half.

    Where the two are parallel (alkynes, nitriles, lone atoms) any y perpendicular to x will do.
    """
    x = axis / np.linalg.norm(axis, axis=-1, keepdims=True)
    y = reference - np.sum(reference * x, axis=-1, keepdims=True) * x
    flat = np.linalg.norm(y, axis=-1) < 0.05
    y[flat] = np.cross(x[flat], np.eye(3)[np.argmin(np.abs(x[flat]), axis=-1)])
    y = y / np.linalg.norm(y, axis=-1, keepdims=True)
    return np.stack([x, y, np.cross(x, y)], axis=1)
