"""Owns the highest torsion barrier of a term, found by the rules with which the published descriptor was made.

The published descriptor merges all rows of the table that name one torsion, the later refits included, where a
simulation takes the first; it tries ``X-b-c-X`` before it replaces central types by older ones. Simulations keep
tleap's rules (``polyomics.forcefield``); these are for the descriptor alone.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from itertools import product
from typing import TYPE_CHECKING

from polyomics.forcefield.tables import KJ, proper_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from polyomics.forcefield.lookup import Character, Lookup

OLDER = {
    **dict.fromkeys(("cc", "cd", "ce", "cf", "cu", "cv"), "c2"),
    **dict.fromkeys(("cg", "ch"), "c1"),
    **dict.fromkeys(("cp", "cq"), "ca"),
    **dict.fromkeys(("cx", "cy", "c3f", "c5", "c6"), "c3"),
    **dict.fromkeys(("nc", "nd", "ne", "nf"), "n2"),
    **dict.fromkeys(("pc", "pd", "pe", "pf"), "p2"),
    **dict.fromkeys(("ns", "nt"), "n"),
    **dict.fromkeys(("nu", "nv"), "nh"),
    **dict.fromkeys(("n7", "n8", "n9"), "n3"),
    **dict.fromkeys(("nx", "ny", "nz", "n+"), "n4"),
    **{"nb": "nc", "pb": "pc", "cs": "c", "p4": "px", "px": "p4", "p5": "py", "py": "p5"},
    **{"s4": "sx", "sx": "s4", "s6": "sy", "sy": "s6"},
}
"""Central types and what stands in for them where the table has no row."""


def highest_barrier(types: tuple[str, str, str, str], lookup: Lookup, character: Character) -> float | None:
    """Return the largest force constant of a torsion, kcal/mol; None where nothing in the table resembles it."""
    a, b, c, d = types
    for second, third in product((b, OLDER.get(b)), (c, OLDER.get(c))):
        if second is None or third is None:
            continue
        for key in (
            (a, second, third, d),
            ("X", second, third, "X"),
            ("X", second, third, d),
            (a, second, third, "X"),
        ):
            found = _barriers().get(proper_key(*key))
            if found is not None:
                return found
    row = lookup.proper(types, character)
    return None if row is None else max(term.k for term in row) / KJ


@lru_cache(maxsize=1)
def _barriers() -> Mapping[tuple[str, ...], float]:
    """Return the largest constant of all rows of each torsion of GAFF 2.1 and c3f, kcal/mol."""
    folder = resources.files("polyomics.forcefield").joinpath("data")
    sections = folder.joinpath("gaff-2.1.dat").read_text(encoding="utf-8").split("\n\n")
    # Masses, bonds, angles, torsions: the fourth section of the file.
    rows = [*sections[3].splitlines(), *folder.joinpath("c3f.dat").read_text(encoding="utf-8").splitlines()[1:]]
    table: dict[tuple[str, ...], float] = {}
    for line in filter(str.strip, rows):
        *first, rest = line.split("-", 3)
        last, divisor, k, *_ = rest.split()
        a, b, c = (name.strip() for name in first)
        key = proper_key(a, b, c, last)
        table[key] = max(table.get(key, 0.0), float(k) / float(divisor))
    return table
