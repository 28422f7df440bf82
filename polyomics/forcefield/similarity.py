"""Which GAFF atom types may stand in for one another, and at what penalty.

Penalties are our own scale: 0 for a type split off another (its missing parameters are its parent's) and for the other
colour of a pair type, 10 inside a family of equal element and hybridisation (5 more where the colour changes), 25
between neighbouring families of one element, 40 between halogens. A term adds up the penalties of its atoms, weighted
by their place (``lookup``).
"""

from __future__ import annotations

from functools import cache
from types import MappingProxyType

SAME_FAMILY = 10.0
OTHER_COLOUR = 5.0
NEAR_FAMILY = 25.0
HALOGENS = 40.0

PARENTS = MappingProxyType(
    {
        **dict.fromkeys(("c5", "c6", "c3f"), "c3"),
        "cs": "c",
        **dict.fromkeys(("ns", "nt", "ni", "nj"), "n"),
        **dict.fromkeys(("n7", "n8", "n9", "np", "nq"), "n3"),
        **dict.fromkeys(("n5", "n6"), "n7"),
        **dict.fromkeys(("nu", "nv", "nm", "nn"), "nh"),
        **dict.fromkeys(("nx", "ny", "nz", "n+"), "n4"),
        **dict.fromkeys(("nk", "nl"), "nx"),
        **dict.fromkeys(("op", "oq"), "os"),
        **dict.fromkeys(("sp", "sq"), "ss"),
    }
)
"""Types that GAFF 2 split off an older one for some of its parameters only."""

_PAIRS = ("cc cd", "ce cf", "cg ch", "cp cq", "nc nd", "ne nf", "pc pd", "pe pf")
PARTNERS = MappingProxyType({a: b for pair in _PAIRS for a, b in (pair.split(), pair.split()[::-1])})
"""The two colours of a conjugated system; exchanging all of them in a term means the same chemistry."""
_COLOUR = {name: place for pair in _PAIRS for place, name in enumerate(pair.split())}

_FAMILIES = (
    ("c3", "cx", "cy"),
    ("ca", "cp", "cq", "cc", "cd", "ce", "cf", "c2", "cu", "cv", "cz"),
    ("c",),
    ("c1", "cg", "ch"),
    ("hc", "h1", "h2", "h3", "hx"),
    ("ha", "h4", "h5"),
    ("hn", "ho"),
    ("hs", "hp"),
    ("n2", "nb", "nc", "nd", "ne", "nf"),
    ("n", "na", "nh", "no"),
    ("n3", "n4"),
    ("n1",),
    ("o",),
    ("os", "oh"),
    ("s",),
    ("s2",),
    ("ss", "sh"),
    ("s4", "sx"),
    ("s6", "sy"),
    ("p2", "pb", "pc", "pd", "pe", "pf"),
    ("p3",),
    ("p4", "px"),
    ("p5", "py"),
    ("f",),
    ("cl",),
    ("br",),
    ("i",),
)
_NEAR = (
    {"c", "ca"},
    {"hc", "ha"},
    {"n", "n3"},
    {"s2", "s4"},
    {"s2", "ss"},
    {"s4", "s6"},
    {"p3", "p4"},
    {"p4", "p5"},
    {"p2", "p3"},
)
_HALOGENS = ("f", "cl", "br", "i")


@cache
def plain(name: str) -> str:
    """Return the oldest ancestor of a type: ``c5`` and ``c6`` give ``c3``, ``n5`` gives ``n3``."""
    while name in PARENTS:
        name = PARENTS[name]
    return name


@cache
def lineage(name: str) -> tuple[str, ...]:
    """Return a type and its ancestors, nearest first."""
    line = [name]
    while line[-1] in PARENTS:
        line.append(PARENTS[line[-1]])
    return tuple(line)


@cache
def substitutes(name: str) -> tuple[tuple[str, float], ...]:
    """Return the types that may stand in for ``name`` with their penalties, cheapest first; ``name`` itself costs 0."""
    costs: dict[str, float] = {}
    for own in lineage(name):
        costs.setdefault(own, 0.0)
    root = plain(name)
    for family in _FAMILIES:
        if root in family:
            penalty = SAME_FAMILY
        elif any(root in _members(near) and family[0] in near for near in _NEAR):
            penalty = NEAR_FAMILY
        elif root in _HALOGENS and family[0] in _HALOGENS:
            penalty = HALOGENS
        else:
            continue
        for other in family:
            recoloured = _COLOUR.get(root, 0) != _COLOUR.get(other, _COLOUR.get(root, 0))
            costs.setdefault(other, penalty + OTHER_COLOUR * recoloured)
    return tuple(sorted(costs.items(), key=lambda item: item[1]))


def _members(near: set[str]) -> set[str]:
    return {name for family in _FAMILIES if family[0] in near for name in family}
