"""Tacticity and backbone configuration measured from coordinates, not from what was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from polyomics.build.potential import dihedrals
from polyomics.build.stereo import handedness, unit_stereo

if TYPE_CHECKING:
    from polyomics.polymer.topology import FloatArray, IntArray, Topology


@dataclass(frozen=True, eq=False)
class Backbone:
    """The backbone of a chain with the atoms it is linked to at both ends.

    Parameters
    ----------
    path
        Head cap atom, backbone atoms, tail cap atom, shape (length + 2,).
    starts
        First atom of each residue, shape (n_residues,).
    places
        Place in ``path`` of the first backbone atom of each residue, shape (n_residues,).
    """

    path: IntArray
    starts: IntArray
    places: IntArray


def backbone_with_ends(topology: Topology) -> Backbone:
    """Return the backbone of a chain and where each residue begins in it."""
    sizes = np.array([u.mol.GetNumAtoms() - 2 for u in topology.units], dtype=np.int64)[topology.sequence]
    starts = topology.caps[0] + np.concatenate([[0], np.cumsum(sizes)[:-1]])
    paths = [unit_stereo(u).path for u in topology.units]
    inner = np.concatenate([s + paths[k] for s, k in zip(starts, topology.sequence, strict=True)])
    lengths = np.array([len(p) for p in paths], dtype=np.int64)[topology.sequence]
    places = 1 + np.concatenate([[0], np.cumsum(lengths)[:-1]])
    first, last = topology.caps[0], topology.n_atoms - topology.caps[1]
    crossing = topology.bonds[(topology.bonds[:, 0] < first) & (topology.bonds[:, 1] >= first)]
    leaving = topology.bonds[(topology.bonds[:, 0] < last) & (topology.bonds[:, 1] >= last)]
    path = np.concatenate([crossing[:1, 0], inner, leaving[-1:, 1]])
    return Backbone(path.astype(np.int64), starts.astype(np.int64), places.astype(np.int64))


def configurations(topology: Topology, positions: FloatArray) -> tuple[FloatArray, IntArray]:
    """Return the signed handedness of every backbone stereocentre along a chain, and the kind of each centre.

    Parameters
    ----------
    topology
        One chain.
    positions
        Its coordinates, whole along bonds, any unit of length, shape (n_atoms, 3).

    Returns
    -------
    signs
        +1 or -1, shape (n_centres,); see :func:`polyomics.build.stereo.handedness`.
    kinds
        Shape (n_centres,); only centres of one kind form dyads.
    """
    chain = backbone_with_ends(topology)
    rows = []
    for start, place, k in zip(chain.starts, chain.places, topology.sequence, strict=True):
        for c in unit_stereo(topology.units[k]).centres:
            at = place + c.position
            rows.append((*chain.path[at - 1 : at + 2], start + c.substituent, 1000 * k + c.kind))
    table = np.array(rows, dtype=np.int64).reshape(-1, 5)
    signs = np.sign(handedness(*(positions[table[:, column]] for column in range(4))))
    return signs, table[:, 4]


def dyad_statistics(topology: Topology, positions: FloatArray) -> tuple[float, int]:
    """Return the share of meso dyads of a chain and the number of dyads.

    A dyad is two successive backbone stereocentres of one kind; it is meso if their handedness is equal, which a mirror
    plane between them demands. Works from any conformation, before and after equilibration.

    Parameters
    ----------
    topology
        One chain.
    positions
        Its coordinates, whole along bonds, any unit of length, shape (n_atoms, 3).

    Returns
    -------
    meso
        Share of meso dyads; NaN where there are none.
    count
        Number of dyads.
    """
    signs, kinds = configurations(topology, positions)
    same = [signs[kinds == kind][1:] == signs[kinds == kind][:-1] for kind in np.unique(kinds)]
    dyads = np.concatenate(same) if same else np.zeros(0, dtype=bool)
    return (float(dyads.mean()), len(dyads)) if len(dyads) else (float("nan"), 0)


def check_geometry(topology: Topology, positions: FloatArray) -> list[str]:
    """Return what is wrong with planar backbone bonds and written stereocentres, in words; empty if all is right.

    C=C must be cis or trans as the PSMILES says (trans where it says nothing), amides trans, and stereocentres written
    with a configuration must have it.

    Parameters
    ----------
    topology
        One chain.
    positions
        Its coordinates, whole along bonds, any unit of length, shape (n_atoms, 3).
    """
    if not topology.units:
        return []
    chain = backbone_with_ends(topology)
    quadruples, trans, names = [], [], []
    for residue, (place, k) in enumerate(zip(chain.places, topology.sequence, strict=True)):
        for planar in unit_stereo(topology.units[k]).planar:
            quad = chain.path[place + planar.position - 1 : place + planar.position + 3]
            if len(quad) == 4 and not (planar.kind == "amide" and set(quad) & set(chain.path[[0, -1]])):
                quadruples.append(quad)
                trans.append(planar.trans)
                names.append(f"{planar.kind} bond in unit {residue + 1}")
    cosines = np.cos(dihedrals(positions, np.array(quadruples, dtype=np.int64).reshape(-1, 4)))
    problems = [
        f"{name} is {'cis' if want else 'trans'}"
        for name, want, cosine in zip(names, trans, cosines, strict=True)
        if (cosine < 0) != want
    ]
    written = np.array([c.written for k in topology.sequence for c in unit_stereo(topology.units[k]).centres])
    signs, _ = configurations(topology, positions)
    wrong = [i for i, (sign, wanted) in enumerate(zip(signs, written, strict=True)) if wanted not in (0, sign)]
    return problems + [f"backbone stereocentre {i + 1} is inverted" for i in wrong]
