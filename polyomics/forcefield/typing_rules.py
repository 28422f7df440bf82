"""The definitions of the GAFF and GAFF2 atom types, one function per element, most special type first.

The types are those of the parameter tables' own legend and of Wang et al., J. Comput. Chem. 25, 1157 (2004). Pair
types (cc/cd and alike) are given by their first name here; ``typing_colours`` decides between the two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from polyomics.forcefield.typing_graph import DOUBLES, PLAIN_SINGLES, SINGLES, Bond, RingClass

if TYPE_CHECKING:
    from collections.abc import Callable

    from polyomics.forcefield.typing_graph import TypingGraph

_HALOGENS = {9: "f", 17: "cl", 35: "br", 53: "i"}
_FLAT_RINGS = frozenset({RingClass.PLANAR, RingClass.OUTSIDE})
_DOUBLE = frozenset({Bond.DOUBLE})
_TRIPLE = frozenset({Bond.TRIPLE})


def base_type(graph: TypingGraph, atom: int) -> str | None:
    """Return the GAFF2 type of an atom with pair types under their first name, or None where no type fits."""
    number = graph.numbers[atom]
    if number in _HALOGENS:
        return _HALOGENS[number] if graph.degree(atom) == 1 else None
    rule = _RULES.get(number)
    return rule(graph, atom) if rule else None


def _shape(graph: TypingGraph, atom: int) -> str:
    """Return how an atom takes part in conjugation: by element and number of neighbours."""
    number, degree = graph.numbers[atom], graph.degree(atom)
    if number == 6:
        return {3: "sp2 C", 2: "sp C"}.get(degree, "")
    if number in (7, 15) and degree == 2:
        return "two-connected N or P"
    if number == 7 and degree == 1:
        return "nitrile N"
    if number in (8, 16) and degree == 1:
        return "terminal O or S"
    if number in (15, 16) and degree in (3, 4) and graph.count(atom, DOUBLES):
        return "oxidised S or P"
    return ""


_CORE = frozenset({"sp2 C", "two-connected N or P", "oxidised S or P"})
_WITH_SP = _CORE | {"sp C"}
_WITH_TERMINAL = _WITH_SP | {"terminal O or S"}
_SECOND = frozenset({"sp2 C", "sp C", "two-connected N or P"})


def _joined(graph: TypingGraph, atom: int, kinds: frozenset[Bond], shapes: frozenset[str]) -> bool:
    """Tell whether a bond of ``kinds`` leads to an atom of ``shapes``."""
    return any(kind in kinds and _shape(graph, other) in shapes for other, kind in graph.bonds[atom].items())


def _beside_double(graph: TypingGraph, atom: int) -> bool:
    """Tell whether an sp2 atom has both single and double bonds, as inner atoms of conjugated systems have."""
    return graph.count(atom, SINGLES) > 0 and graph.count(atom, DOUBLES) > 0


def _in_flat_ring(graph: TypingGraph, atom: int) -> bool:
    return not _FLAT_RINGS.isdisjoint(graph.classes[atom])


def _deep_conjugation(graph: TypingGraph, atom: int) -> bool:
    """Tell whether a path of two bonds goes through sp2 C or two-connected N or P to another such atom or sp C."""
    first = frozenset({"sp2 C", "two-connected N or P"})
    return any(
        _shape(graph, other) in first
        and any(_shape(graph, third) in _SECOND for third in graph.bonds[other] if third != atom)
        for other in graph.bonds[atom]
    )


def _hydrogen(graph: TypingGraph, atom: int) -> str | None:
    if graph.degree(atom) != 1:
        return None
    (heavy,) = graph.bonds[atom]
    named = {7: "hn", 8: "ho", 16: "hs", 15: "hp"}.get(graph.numbers[heavy])
    if named:
        return named
    if graph.numbers[heavy] != 6:
        return None
    if any(graph.numbers[other] == 7 and graph.degree(other) == 4 for other in graph.bonds[heavy]):
        return "hx"
    pull = graph.withdrawing(heavy)
    if graph.degree(heavy) == 4:
        return {0: "hc", 1: "h1", 2: "h2", 3: "h3"}[pull]
    return {1: "h4", 2: "h5"}.get(pull, "ha") if graph.degree(heavy) == 3 else "ha"


def _carbon(graph: TypingGraph, atom: int) -> str | None:
    degree = graph.degree(atom)
    if degree == 4:
        named = {3: "cx", 4: "cy", 5: "c5", 6: "c6"}
        return next((named[size] for size in named if size in graph.rings[atom]), "c3")
    if degree == 3:
        return _sp2_carbon(graph, atom)
    if degree == 2:
        alkyne = graph.count(atom, SINGLES) > 0 and graph.count(atom, _TRIPLE) > 0
        conjugated = _joined(graph, atom, PLAIN_SINGLES, _SECOND | {"nitrile N"})
        return "cg" if alkyne and conjugated else "c1"
    return "c1" if degree == 1 else None


def _sp2_carbon(graph: TypingGraph, atom: int) -> str:
    terminal = {graph.numbers[o] for o in graph.bonds[atom] if _shape(graph, o) == "terminal O or S"}
    if terminal and graph.count(atom, _DOUBLE) == 1:
        return "cs" if 16 in terminal else "c"
    if all(graph.numbers[o] == 7 and graph.degree(o) == 3 for o in graph.bonds[atom]):
        return "cz"
    if RingClass.PURE in graph.classes[atom]:
        surrounded = all(RingClass.PURE in graph.classes[o] for o in graph.bonds[atom])
        return "cp" if surrounded and graph.rings[atom].get(6) == 1 else "ca"
    if _beside_double(graph, atom):
        if _in_flat_ring(graph, atom):
            return "cc"
        if _joined(graph, atom, PLAIN_SINGLES, _WITH_SP):
            return "ce"
    return "cu" if 3 in graph.rings[atom] else "cv" if 4 in graph.rings[atom] else "c2"


def _nitrogen(graph: TypingGraph, atom: int) -> str | None:
    degree = graph.degree(atom)
    if degree == 4:
        return _cationic_nitrogen(graph, atom)
    if degree == 3:
        return _trivalent_nitrogen(graph, atom)
    if degree == 2:
        return _imine_nitrogen(graph, atom)
    return "n1" if degree == 1 else None


def _cationic_nitrogen(graph: TypingGraph, atom: int) -> str:
    if 3 in graph.rings[atom]:
        return "nk"
    if 4 in graph.rings[atom]:
        return "nl"
    return {1: "nx", 2: "ny", 3: "nz", 4: "n+"}.get(graph.hydrogens(atom), "n4")


def _by_hydrogen_or_ring(graph: TypingGraph, atom: int, one: str, two: str, three_ring: str, four_ring: str) -> str:
    """Return the special type of a trivalent N by its H or its small ring, or an empty string."""
    hydrogens = graph.hydrogens(atom)
    if hydrogens in (1, 2):
        return one if hydrogens == 1 else two
    return three_ring if 3 in graph.rings[atom] else four_ring if 4 in graph.rings[atom] else ""


def _trivalent_nitrogen(graph: TypingGraph, atom: int) -> str:
    around = graph.bonds[atom]
    sp2 = [o for o in around if _shape(graph, o) == "sp2 C"]
    if any(_shape(graph, o) == "terminal O or S" for carbon in sp2 for o in graph.bonds[carbon]):
        return _by_hydrogen_or_ring(graph, atom, "ns", "nt", "ni", "nj") or "n"
    if sum(graph.numbers[o] == 8 and graph.degree(o) == 1 for o in around) >= 2:
        return "no"
    if graph.in_conjugated_ring(atom):
        return "na"
    unsaturated = [o for o in around if _shape(graph, o) in ("sp2 C", "two-connected N or P")]
    ring_neighbour = any(graph.in_conjugated_ring(o) for o in around)
    if ring_neighbour or any(graph.count(o, _DOUBLE) for o in unsaturated):
        return _by_hydrogen_or_ring(graph, atom, "nu", "nv", "nm", "nn") or "nh"
    hydrogens = graph.hydrogens(atom)
    if hydrogens < 2:
        small = {3: ("np", "n5"), 4: ("nq", "n6")}
        for size, names in small.items():
            if size in graph.rings[atom]:
                return names[hydrogens]
    return {0: "n3", 1: "n7", 2: "n8", 3: "n9"}[hydrogens]


def _imine_nitrogen(graph: TypingGraph, atom: int) -> str:
    if RingClass.PURE in graph.classes[atom]:
        return "nb"
    if _beside_double(graph, atom):
        if _in_flat_ring(graph, atom) and (_deep_conjugation(graph, atom) or _joined(graph, atom, SINGLES, _CORE)):
            return "nc"
        if _joined(graph, atom, PLAIN_SINGLES, _WITH_TERMINAL):
            return "ne"
    cumulated = graph.count(atom, DOUBLES) == 2
    return "n1" if cumulated or graph.count(atom, _TRIPLE) else "n2"


def _oxygen(graph: TypingGraph, atom: int) -> str | None:
    degree = graph.degree(atom)
    if degree == 1:
        return "o"
    if degree != 2:
        return None
    if graph.hydrogens(atom):
        return "oh"
    return "op" if 3 in graph.rings[atom] else "oq" if 4 in graph.rings[atom] else "os"


def _sulfur(graph: TypingGraph, atom: int) -> str | None:
    degree = graph.degree(atom)
    if degree == 1:
        return "s"
    if degree == 2:
        if graph.count(atom, _DOUBLE | _TRIPLE):
            return "s2"
        if graph.hydrogens(atom):
            return "sh"
        return "sp" if 3 in graph.rings[atom] else "sq" if 4 in graph.rings[atom] else "ss"
    conjugated = graph.count(atom, DOUBLES) > 0 and _joined(graph, atom, SINGLES, _CORE)
    if degree == 3:
        return "sx" if conjugated else "s4"
    if degree == 4:
        return "sy" if conjugated else "s6"
    return "s6" if degree in (5, 6) else None


def _phosphorus(graph: TypingGraph, atom: int) -> str | None:
    degree = graph.degree(atom)
    if degree <= 2:
        return _low_phosphorus(graph, atom) if degree else None
    doubles = graph.count(atom, DOUBLES) > 0
    conjugated = doubles and _joined(graph, atom, SINGLES, _CORE)
    if degree == 3:
        if conjugated:
            return "px"
        oxide = any(_shape(graph, o) == "terminal O or S" for o in graph.bonds[atom])
        return "p4" if doubles and oxide else "p3"
    if degree == 4:
        return "py" if conjugated else "p5"
    return "p5" if degree in (5, 6) else None


def _low_phosphorus(graph: TypingGraph, atom: int) -> str:
    inner = _beside_double(graph, atom)
    if (
        inner
        and _in_flat_ring(graph, atom)
        and (_deep_conjugation(graph, atom) or _joined(graph, atom, SINGLES, _WITH_SP))
    ):
        return "pc"
    if RingClass.PURE in graph.classes[atom]:
        return "pb"
    ring_carbon = _joined(graph, atom, SINGLES, frozenset({"sp2 C"}))
    return "pe" if inner and (ring_carbon or _joined(graph, atom, PLAIN_SINGLES, _WITH_TERMINAL)) else "p2"


_RULES: dict[int, Callable[[TypingGraph, int], str | None]] = {
    1: _hydrogen,
    6: _carbon,
    7: _nitrogen,
    8: _oxygen,
    15: _phosphorus,
    16: _sulfur,
}
