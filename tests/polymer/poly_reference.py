"""An independent judge of polymer identity: colours and backtracking on periodic graphs, no cuts, no canonical SMILES.

A unit is a quotient graph whose edges carry a shift (the bond between units has shift 1). Colour refinement of it is
colour refinement of the endless chain and only sorts units into buckets; within a bucket the cyclic oligomers with
equally many atoms are compared atom by atom by backtracking.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import reduce
from math import gcd, lcm

from rdkit import Chem

ROUNDS = 14
MIN_REPEATS = 4


@dataclass(frozen=True)
class Periodic:
    """Atom labels and edges (i, j, order, shift): atom i of cell c is bonded to atom j of cell c + shift."""

    labels: tuple
    edges: tuple

    @property
    def n(self):
        return len(self.labels)


def periodic(text: str) -> Periodic:
    mol = Chem.MolFromSmiles(text)
    stars = [a.GetIdx() for a in mol.GetAtoms() if a.GetAtomicNum() == 0]
    place = {i: k for k, i in enumerate(a.GetIdx() for a in mol.GetAtoms() if a.GetAtomicNum() != 0)}
    head, tail = (place[mol.GetAtomWithIdx(s).GetNeighbors()[0].GetIdx()] for s in stars)
    labels = tuple(
        (a.GetAtomicNum(), a.GetFormalCharge(), a.GetTotalNumHs(), a.GetIsAromatic())
        for a in mol.GetAtoms()
        if a.GetAtomicNum() != 0
    )
    edges = [
        (place[b.GetBeginAtomIdx()], place[b.GetEndAtomIdx()], b.GetBondTypeAsDouble(), 0)
        for b in mol.GetBonds()
        if b.GetBeginAtomIdx() in place and b.GetEndAtomIdx() in place
    ]
    return Periodic(labels, (*edges, (tail, head, 1.0, 1)))


class Judge:
    """Sorts units into classes of equal periodic graphs."""

    def __init__(self):
        self._numbers: dict = {}
        self._buckets: dict = {}
        self.comparisons = 0
        self.colour_ties = 0

    def class_of(self, text: str) -> int:
        graph = periodic(text)
        known = self._buckets.setdefault(self._signature(graph), [])
        for number, other in known:
            self.comparisons += 1
            if same_polymer(graph, other):
                return number
        self.colour_ties += bool(known)
        number = sum(len(bucket) for bucket in self._buckets.values())
        known.append((number, graph))
        return number

    def _signature(self, graph: Periodic):
        near = _neighbours(graph.n, [(i, j, order) for i, j, order, _ in graph.edges])
        colours = [self._number(label) for label in graph.labels]
        for _ in range(ROUNDS):
            colours = [
                self._number((colours[i], tuple(sorted((o, colours[j]) for j, o in near[i])))) for i in range(graph.n)
            ]
        counts = Counter(colours)
        unit = reduce(gcd, counts.values())
        return tuple(sorted((colour, count // unit) for colour, count in counts.items()))

    def _number(self, value) -> int:
        return self._numbers.setdefault(value, len(self._numbers))


def same_polymer(a: Periodic, b: Periodic) -> bool:
    """Compare the cyclic oligomers of equal size, at least MIN_REPEATS units of each."""
    atoms = lcm(a.n, b.n)
    atoms *= -(-MIN_REPEATS * max(a.n, b.n) // atoms)
    return isomorphic(_oligomer(a, atoms // a.n), _oligomer(b, atoms // b.n))


def _oligomer(graph: Periodic, repeats: int):
    labels = list(graph.labels) * repeats
    edges = [
        (c * graph.n + i, (c + shift) % repeats * graph.n + j, order)
        for c in range(repeats)
        for i, j, order, shift in graph.edges
    ]
    return labels, _neighbours(len(labels), edges)


def _neighbours(n, edges):
    near = [[] for _ in range(n)]
    for i, j, order in edges:
        near[i].append((j, order))
        near[j].append((i, order))
    return near


def isomorphic(one, two) -> bool:
    (labels_a, near_a), (labels_b, near_b) = one, two
    if sorted(labels_a) != sorted(labels_b):
        return False
    colours_a, colours_b = _refined(one, two)
    if sorted(colours_a) != sorted(colours_b):
        return False
    sizes = Counter(colours_a)
    start = min(range(len(labels_a)), key=lambda i: (sizes[colours_a[i]], i))
    order = _walk(near_a, start)
    bonds_a = [dict(near) for near in near_a]
    bonds_b = [dict(near) for near in near_b]
    return any(
        _extend(order, start, image, colours_a, colours_b, bonds_a, bonds_b)
        for image in range(len(labels_b))
        if colours_b[image] == colours_a[start]
    )


def _refined(one, two):
    numbers: dict = {}
    result = []
    for labels, near in (one, two):
        colours = [numbers.setdefault(label, len(numbers)) for label in labels]
        for _ in range(ROUNDS):
            colours = [
                numbers.setdefault((colours[i], tuple(sorted((o, colours[j]) for j, o in near[i]))), len(numbers))
                for i in range(len(labels))
            ]
        result.append(colours)
    return result


def _walk(near, start):
    """Depth-first order as (atom, atom it was reached from)."""
    order, seen, stack = [], set(), [(start, -1)]
    while stack:
        atom, origin = stack.pop()
        if atom in seen:
            continue
        seen.add(atom)
        order.append((atom, origin))
        stack += [(j, atom) for j, _ in near[atom] if j not in seen]
    return order


def _extend(order, start, image, colours_a, colours_b, bonds_a, bonds_b) -> bool:
    """Map the atoms of ``order`` one after another, going back where no image fits (iterative backtracking)."""
    forward, used = {}, set()
    choices = [iter([image])]
    while choices:
        atom, _ = order[len(choices) - 1]
        if atom in forward:
            used.discard(forward.pop(atom))
        for candidate in choices[-1]:
            if (
                candidate not in used
                and colours_b[candidate] == colours_a[atom]
                and _fits(atom, candidate, forward, bonds_a, bonds_b)
            ):
                forward[atom] = candidate
                used.add(candidate)
                break
        else:
            choices.pop()
            continue
        if len(choices) == len(order):
            return True
        _, origin = order[len(choices)]
        choices.append(iter(bonds_b[forward[origin]]))
    return False


def _fits(atom, candidate, forward, bonds_a, bonds_b) -> bool:
    if len(bonds_a[atom]) != len(bonds_b[candidate]):
        return False
    return all(
        bonds_b[candidate].get(forward[near]) == order for near, order in bonds_a[atom].items() if near in forward
    )
