"""Pair types (cc/cd, ce/cf, cg/ch, cp/cq, nc/nd, ne/nf, pc/pd, pe/pf): two colours for each conjugated system.

Both members of a pair are the same kind of atom; the two names tell single from double bonds by type alone. Within a
conjugated system a single bond joins atoms of one colour and a double or triple bond atoms of different colours. The
inner atoms of biphenyl (cp/cq) make systems of their own: one colour across the bond between the rings, different
colours around a ring. Exchanging both colours of a system changes no parameter.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from rdkit import Chem

from polyomics.forcefield.typing_graph import DOUBLES, Bond

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from polyomics.forcefield.typing_graph import TypingGraph

SECOND_NAMES = {"cc": "cd", "ce": "cf", "cg": "ch", "cp": "cq", "nc": "nd", "ne": "nf", "pc": "pd", "pe": "pf"}


def colour(mol: Chem.Mol, graph: TypingGraph, types: Sequence[str]) -> tuple[str, ...]:
    """Return ``types`` with the pair types resolved.

    The lowest atom of each system keeps the first name, so along a chain numbered unit by unit a system that fits
    into a unit is coloured alike in all units. Systems that no colouring fits (an odd ring of double bonds) get one
    with the fewest contradictions found, in the order of canonical atom ranks.

    Parameters
    ----------
    mol, graph
        The molecule and its typing graph.
    types
        Types with pair types under their first name.
    """
    coloured = list(types)
    for system in _systems(graph, types):
        signs = _colours(mol, graph, types, system)
        lowest = signs[min(system)]
        for atom in system:
            if signs[atom] != lowest:
                coloured[atom] = SECOND_NAMES[types[atom]]
    return tuple(coloured)


def _linked(graph: TypingGraph, types: Sequence[str], atom: int) -> Iterator[tuple[int, bool]]:
    """Yield the neighbours in an atom's system, and whether they have the atom's own colour."""
    biphenyl = types[atom] == "cp"
    for other, kind in graph.bonds[atom].items():
        if types[other] in SECOND_NAMES and (types[other] == "cp") == biphenyl:
            same = kind is Bond.SINGLE if biphenyl else kind not in DOUBLES and kind is not Bond.TRIPLE
            yield other, same


def _systems(graph: TypingGraph, types: Sequence[str]) -> Iterator[list[int]]:
    """Yield the connected sets of pair-typed atoms, each sorted."""
    seen: set[int] = set()
    for start, name in enumerate(types):
        if name not in SECOND_NAMES or start in seen:
            continue
        system, queue = {start}, [start]
        while queue:
            for other, _ in _linked(graph, types, queue.pop()):
                if other not in system:
                    system.add(other)
                    queue.append(other)
        seen |= system
        yield sorted(system)


def _colours(mol: Chem.Mol, graph: TypingGraph, types: Sequence[str], system: Sequence[int]) -> dict[int, bool]:
    """Return a colour for each atom of a system: one without contradiction, or one of the fewest."""
    signs = _spread(graph, types, system[0], range(len(types)))
    if not _broken(graph, types, signs):
        return signs
    ranks = [int(rank) for rank in Chem.CanonicalRankAtoms(mol, breakTies=True)]
    roots = sorted(system, key=ranks.__getitem__)
    tries = (_spread(graph, types, root, ranks) for root in roots)
    return min(tries, key=lambda tried: _broken(graph, types, tried))


def _broken(graph: TypingGraph, types: Sequence[str], signs: dict[int, bool]) -> int:
    """Return the number of bonds that contradict a colouring, each counted from both ends."""
    return sum((signs[atom] == signs[other]) != same for atom in signs for other, same in _linked(graph, types, atom))


def _spread(graph: TypingGraph, types: Sequence[str], root: int, ranks: Sequence[int]) -> dict[int, bool]:
    """Return a colour for each atom of the system of ``root``, spread along its bonds, lower ranks first."""
    signs = {root: True}
    queue = deque([root])
    while queue:
        atom = queue.popleft()
        # Unlike colours (double bonds) first: they are the ones to keep where not all can be kept.
        for other, same in sorted(_linked(graph, types, atom), key=lambda link: (link[1], ranks[link[0]])):
            if other not in signs:
                signs[other] = signs[atom] == same
                queue.append(other)
    return signs
