"""Cutting a molecule down to what a group of its atoms can feel: an RDKit molecule, open valences closed by H."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rdkit import Chem

from polyomics.build.stereo import retagged

if TYPE_CHECKING:
    from collections.abc import Iterable

    from polyomics.polymer.topology import Topology

_KINDS = {1: Chem.BondType.SINGLE, 2: Chem.BondType.DOUBLE, 3: Chem.BondType.TRIPLE}


class Graph:
    """Neighbours, orders and ring bonds of a topology, for walking.

    Parameters
    ----------
    topology
        The molecule.
    """

    def __init__(self, topology: Topology) -> None:
        self.topology = topology
        self.near: list[list[int]] = [[] for _ in range(topology.n_atoms)]
        self.order: dict[tuple[int, int], int] = {}
        for (i, j), order in zip(topology.bonds.tolist(), topology.orders.tolist(), strict=True):
            self.near[i].append(j)
            self.near[j].append(i)
            self.order[i, j] = self.order[j, i] = order

    def distances(self, starts: Iterable[int], within: set[int] | None = None) -> dict[int, int]:
        """Return the number of bonds from ``starts`` to every atom reached, walking only atoms of ``within``."""
        found = dict.fromkeys(starts, 0)
        queue = list(found)
        for atom in queue:
            for other in self.near[atom]:
                if other not in found and (within is None or other in within):
                    found[other] = found[atom] + 1
                    queue.append(other)
        return found

    def side(self, root: int, away_from: int, within: set[int]) -> set[int]:
        """Return the atoms of ``within`` on ``root``'s side of the bond ``root``-``away_from``, with ``root``."""
        return set(self.distances([root], within - {away_from}))

    def in_ring(self, i: int, j: int) -> bool:
        """Whether the bond ``i``-``j`` closes a ring of at most 30 bonds."""
        found = {i: 0}
        queue = [i]
        for atom in queue:
            for other in self.near[atom]:
                if {atom, other} == {i, j} or other in found or found[atom] >= 30:
                    continue
                if other == j:
                    return True
                found[other] = found[atom] + 1
                queue.append(other)
        return False


@dataclass(frozen=True, eq=False)
class Context:
    """A fragment and where each of its atoms comes from.

    Parameters
    ----------
    mol
        Sanitised fragment with explicit H.
    index
        From atoms of the topology to atoms of ``mol``.
    """

    mol: Chem.Mol
    index: dict[int, int]


def cut_context(graph: Graph, core: Iterable[int], reach: int = 3) -> Context:
    """Return ``core`` with all atoms up to ``reach`` bonds away, rings and multiple bonds kept whole.

    Parameters
    ----------
    graph
        The molecule.
    core
        Atoms of interest.
    reach
        Bonds around them.
    """
    kept = {a for a, d in graph.distances(core).items() if d <= reach}
    queue = sorted(kept)
    for atom in queue:
        for other in graph.near[atom]:
            if other not in kept and (graph.order[atom, other] > 1 or graph.in_ring(atom, other)):
                kept.add(other)
                queue.append(other)
    order = sorted(kept)
    index = {a: k for k, a in enumerate(order)}
    mol = Chem.RWMol()
    for atom in order:
        _add_atom(mol, int(graph.topology.numbers[atom]), int(graph.topology.formal_charges[atom]))
    for atom in order:
        for other in graph.near[atom]:
            if other in kept:
                if atom < other:
                    mol.AddBond(index[atom], index[other], _KINDS[graph.order[atom, other]])
            else:
                mol.AddBond(index[atom], _add_atom(mol, 1, 0), Chem.BondType.SINGLE)
    result = mol.GetMol()
    Chem.SanitizeMol(result)
    return Context(result, index)


def _add_atom(mol: Chem.RWMol, number: int, charge: int) -> int:
    atom = Chem.Atom(number)
    atom.SetFormalCharge(charge)
    atom.SetNoImplicit(True)
    return int(mol.AddAtom(atom))


def copy_written_stereo(context: Context, unit: Chem.Mol, atoms: list[int], head: int, tail: int) -> None:
    """Write the configuration that a unit's PSMILES demands into the context, in place.

    Parameters
    ----------
    context
        Fragment with the whole unit in it.
    unit
        The unit with its stars last.
    atoms
        Atom of the topology for each atom of the unit without stars.
    head, tail
        Atoms of the topology where the stars are.
    """
    place = [context.index[a] for a in [*atoms, head, tail]]
    for atom in unit.GetAtoms():
        if atom.GetChiralTag() in (Chem.ChiralType.CHI_TETRAHEDRAL_CCW, Chem.ChiralType.CHI_TETRAHEDRAL_CW):
            order = [place[a.GetIdx()] for a in atom.GetNeighbors()]
            target = context.mol.GetAtomWithIdx(place[atom.GetIdx()])
            target.SetChiralTag(retagged(atom.GetChiralTag(), order, [a.GetIdx() for a in target.GetNeighbors()]))
    for bond in unit.GetBonds():
        if bond.GetStereo() > Chem.BondStereo.STEREOANY:
            ends = place[bond.GetBeginAtomIdx()], place[bond.GetEndAtomIdx()]
            target = context.mol.GetBondBetweenAtoms(*ends)
            first, second = (place[a] for a in bond.GetStereoAtoms())
            if target.GetBeginAtomIdx() != ends[0]:
                first, second = second, first
            target.SetStereoAtoms(first, second)
            trans = bond.GetStereo() in (Chem.BondStereo.STEREOE, Chem.BondStereo.STEREOTRANS)
            target.SetStereo(Chem.BondStereo.STEREOTRANS if trans else Chem.BondStereo.STEREOCIS)
