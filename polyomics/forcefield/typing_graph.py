"""The molecular facts that GAFF atom typing asks for: bond kinds, rings and GAFF's own ring classes.

The ring classes are those of Wang, Wolf, Caldwell, Kollman and Case, J. Comput. Chem. 25, 1157 (2004), as the
programs that made the force field apply them. They differ from the aromaticity of cheminformatics toolkits: an imide
ring is not aromatic here, and a six-membered ring is "pure" whatever is fused to it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import Enum, StrEnum
from itertools import combinations
from typing import TYPE_CHECKING

from rdkit import Chem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

LARGEST_RING = 10
_RING_ELEMENTS = frozenset({6, 7, 8, 15, 16})
_WITHDRAWING = frozenset({7, 8, 9, 16, 17, 35, 53})


class Bond(Enum):
    """What kind of bond two atoms share."""

    SINGLE = "single"
    DOUBLE = "double"
    TRIPLE = "triple"
    RING_SINGLE = "single of a Kekulé structure, in an aromatic or planar five- or six-membered ring"
    RING_DOUBLE = "double of a Kekulé structure, in an aromatic or planar five- or six-membered ring"
    DELOCALISED = "one of the equal bonds to the terminal atoms of a nitro group, N-oxide or anion"


PLAIN_SINGLES = frozenset({Bond.SINGLE, Bond.DELOCALISED})
SINGLES = frozenset({Bond.SINGLE, Bond.DELOCALISED, Bond.RING_SINGLE})
DOUBLES = frozenset({Bond.DOUBLE, Bond.RING_DOUBLE})


class RingClass(StrEnum):
    """GAFF's classes of rings (AR1 to AR5 in its papers)."""

    PURE = "AR1"
    PLANAR = "AR2"
    OUTSIDE = "AR3"
    MIXED = "AR4"
    ALIPHATIC = "AR5"


CONJUGATED_RINGS = frozenset({RingClass.PURE, RingClass.PLANAR, RingClass.OUTSIDE})


@dataclass(frozen=True, eq=False)
class TypingGraph:
    """A molecule as typing rules see it.

    Parameters
    ----------
    numbers
        Atomic number of each atom.
    bonds
        For each atom, its neighbours with the kind of the bond to them.
    rings
        For each atom, the number of chordless rings of each size (3 to 10) it is in.
    classes
        For each atom, the classes of the rings it is in.
    """

    numbers: tuple[int, ...]
    bonds: tuple[dict[int, Bond], ...]
    rings: tuple[dict[int, int], ...]
    classes: tuple[frozenset[RingClass], ...]

    def degree(self, atom: int) -> int:
        """Return the number of neighbours of an atom."""
        return len(self.bonds[atom])

    def count(self, atom: int, kinds: frozenset[Bond]) -> int:
        """Return the number of bonds of an atom that are of one of ``kinds``."""
        return sum(kind in kinds for kind in self.bonds[atom].values())

    def hydrogens(self, atom: int) -> int:
        """Return the number of H bound to an atom."""
        return sum(self.numbers[other] == 1 for other in self.bonds[atom])

    def withdrawing(self, atom: int) -> int:
        """Return the number of electron-withdrawing neighbours (N, O, S, halogens) of an atom."""
        return sum(self.numbers[other] in _WITHDRAWING for other in self.bonds[atom])

    def in_conjugated_ring(self, atom: int) -> bool:
        """Tell whether an atom is in a pure, planar or outside ring."""
        return not CONJUGATED_RINGS.isdisjoint(self.classes[atom])


def typing_graph(mol: Chem.Mol) -> TypingGraph:
    """Return what the typing rules need to know of a molecule.

    Parameters
    ----------
    mol
        Explicit H. Bonds flagged aromatic get the Kekulé structure that follows from the canonical atom ranks, so
        that the order of atoms does not matter; a molecule without them keeps the structure it has.
    """
    numbers = tuple(atom.GetAtomicNum() for atom in mol.GetAtoms())
    orders = _orders(mol)
    neighbours: list[dict[int, int]] = [{} for _ in numbers]
    for (i, j), order in orders.items():
        neighbours[i][j] = neighbours[j][i] = order
    rings = _chordless_rings(mol, numbers, neighbours)
    in_ring = frozenset(atom for ring in rings for atom in ring)
    classes: list[set[RingClass]] = [set() for _ in numbers]
    sizes: list[dict[int, int]] = [{} for _ in numbers]
    ring_classes = [_ring_class(ring, in_ring, numbers, neighbours) for ring in rings]
    for ring, kind in zip(rings, ring_classes, strict=True):
        for atom in ring:
            classes[atom].add(kind)
            sizes[atom][len(ring)] = sizes[atom].get(len(ring), 0) + 1
    frozen = tuple(frozenset(c) for c in classes)
    kinds = _bond_kinds(numbers, neighbours, _flat_bonds(rings, ring_classes, neighbours))
    return TypingGraph(numbers, kinds, tuple(sizes), frozen)


def _orders(mol: Chem.Mol) -> dict[tuple[int, int], int]:
    """Return Kekulé bond orders; S or P written with opposite charges (S+-O-) counts as a double bond."""
    kekule, ranks = mol, list(range(mol.GetNumAtoms()))
    if any(bond.GetIsAromatic() for bond in mol.GetBonds()):
        new_order = [int(i) for i in Chem.CanonicalRankAtoms(mol, breakTies=True)]
        ranks = sorted(ranks, key=new_order.__getitem__)
        kekule = Chem.RenumberAtoms(mol, ranks)
        Chem.Kekulize(kekule, clearAromaticFlags=True)
    orders: dict[tuple[int, int], int] = {}
    for bond in kekule.GetBonds():
        ends = bond.GetBeginAtom(), bond.GetEndAtom()
        order = int(bond.GetBondTypeAsDouble())
        for here, there in (ends, ends[::-1]):
            if here.GetAtomicNum() in (15, 16) and here.GetFormalCharge() > 0 > there.GetFormalCharge():
                order += 1
        orders[ranks[ends[0].GetIdx()], ranks[ends[1].GetIdx()]] = order
    return orders


def _may_be_in_ring(number: int, degree: int) -> bool:
    """Tell whether GAFF looks for rings through such an atom (not through sp carbon)."""
    return number in _RING_ELEMENTS and not (number == 6 and degree <= 2) and degree > 1


def _chordless_rings(
    mol: Chem.Mol, numbers: Sequence[int], neighbours: Sequence[dict[int, int]]
) -> list[tuple[int, ...]]:
    """Return every ring of at most ten atoms that no bond cuts in two, each once, in the order of its bonds."""
    marked = Chem.Mol(mol)
    Chem.FastFindRings(marked)
    links: list[list[int]] = [[] for _ in numbers]
    for bond in marked.GetBonds():
        i, j = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        if bond.IsInRing() and all(_may_be_in_ring(numbers[a], len(neighbours[a])) for a in (i, j)):
            links[i].append(j)
            links[j].append(i)
    return [ring for start in range(len(numbers)) for ring in _rings_from(start, links)]


def _rings_from(start: int, links: Sequence[list[int]]) -> Iterator[tuple[int, ...]]:
    """Yield the chordless rings whose lowest atom is ``start``."""
    stack: list[tuple[int, ...]] = [(start, other) for other in links[start] if other > start]
    while stack:
        path = stack.pop()
        for other in links[path[-1]]:
            if other <= start or other in path:
                continue
            touched = {atom for atom in path[:-1] if atom in links[other]}
            if not touched and len(path) < LARGEST_RING - 1:
                stack.append((*path, other))
            # Each ring is met in both directions; the second atom being lower than the last picks one of them.
            elif touched == {start} and path[1] < other:
                yield (*path, other)


def _planarity(number: int, degree: int) -> int:
    """Return GAFF's score of a ring atom: 2 sp2-like, 1 a lone pair that may conjugate, negative not planar."""
    if number == 6:
        return {3: 2, 4: -2}.get(degree, 0)
    if number == 7:
        return 2 if degree <= 3 else 0
    if number == 15:
        return {2: 2, 3: 1}.get(degree, -1)
    if number == 16:
        return 1 if degree == 2 else -1
    return 1 if degree == 2 else 0


def _ring_class(
    ring: tuple[int, ...], in_ring: frozenset[int], numbers: Sequence[int], neighbours: Sequence[dict[int, int]]
) -> RingClass:
    scores = [_planarity(numbers[atom], len(neighbours[atom])) for atom in ring]
    total, size = sum(scores), len(ring)
    if total == -2 * size:
        return RingClass.ALIPHATIC
    if min(scores) < 0:
        return RingClass.MIXED
    outside = any(order == 2 and other not in in_ring for atom in ring for other, order in neighbours[atom].items())
    if size <= total <= 2 * size and outside:
        return RingClass.OUTSIDE
    hetero = [atom for atom in ring if numbers[atom] in (7, 15)]
    if size == 6 and total == 12 and all(2 in neighbours[atom].values() for atom in hetero):
        return RingClass.PURE
    return RingClass.PLANAR if total >= size + 3 else RingClass.MIXED


def _flat_bonds(
    rings: Sequence[tuple[int, ...]], ring_classes: Sequence[RingClass], neighbours: Sequence[dict[int, int]]
) -> Iterator[tuple[int, int]]:
    """Yield the bonds of aromatic and planar five- and six-membered rings.

    As in indole, a five-membered ring fused to a six-membered one does not count, although its atoms stay planar.
    """
    kinds = zip(rings, ring_classes, strict=True)
    flat = [(ring, kind) for ring, kind in kinds if kind in (RingClass.PURE, RingClass.PLANAR)]
    memberships = Counter(atom for ring, _ in flat for atom in ring)
    fused = {atom for ring in rings if len(ring) == 6 for atom in ring if memberships[atom] > 1}
    indole_like = {ring for ring in rings if len(ring) == 5 and fused.intersection(ring)}
    pure = {atom for ring, kind in flat if kind is RingClass.PURE for atom in ring}
    planar = {atom for ring, kind in flat if kind is RingClass.PLANAR and ring not in indole_like for atom in ring}
    for ring in rings:
        if len(ring) in (5, 6) and (pure | planar).issuperset(ring):
            for i, j in combinations(ring, 2):
                if j in neighbours[i] and ({i, j} <= pure or {i, j} <= planar):
                    yield i, j


def _bond_kinds(
    numbers: Sequence[int], neighbours: Sequence[dict[int, int]], flat: Iterable[tuple[int, int]]
) -> tuple[dict[int, Bond], ...]:
    plain = {1: Bond.SINGLE, 2: Bond.DOUBLE, 3: Bond.TRIPLE}
    kinds = [{other: plain[order] for other, order in row.items()} for row in neighbours]
    in_flat_ring = {Bond.SINGLE: Bond.RING_SINGLE, Bond.DOUBLE: Bond.RING_DOUBLE}
    for i, j in flat:
        kinds[i][j] = kinds[j][i] = in_flat_ring.get(kinds[i][j], kinds[i][j])
    for atom, row in enumerate(neighbours):
        terminal = [other for other in row if numbers[other] in (8, 16) and len(neighbours[other]) == 1]
        nitro = numbers[atom] == 7 and len(terminal) > 1
        for other in terminal:
            if row[other] == 1 or nitro:
                kinds[atom][other] = kinds[other][atom] = Bond.DELOCALISED
    return tuple(kinds)
