"""From atom types to bonded parameters: exact rows, wildcards, Amber's rules of impropers, and recorded analogies."""

from __future__ import annotations

import math
from enum import Enum
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np

from polyomics.forcefield.interface import Analogy
from polyomics.forcefield.similarity import PARTNERS, SAME_FAMILY, lineage, plain, substitutes
from polyomics.forcefield.tables import (
    KJ,
    WILDCARD,
    Fourier,
    Harmonic,
    LennardJones,
    ParameterTable,
    Types,
    angle_key,
    bond_key,
    improper_key,
    proper_key,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

Kind = Literal["bond", "angle", "proper", "improper", "nonbonded"]
Found = TypeVar("Found")

PENALTY_LIMIT = 90.0
"""Substitutions above this total penalty are refused."""
WILD_OUTER = 8.0
"""Penalty of a wildcard outer type in the row of another central pair."""
MEAN_ANGLE = 40.0
"""Penalty of an angle made as the mean of two others."""
STIFF = 3.3 * KJ
"""Barriers (kJ/mol per term) of double and aromatic bonds in the tables lie above this, those of single bonds below."""
IMPROPER_CENTRES = frozenset(
    {"c", "c2", "ca", "cc", "cd", "ce", "cf", "cp", "cq", "cs", "cu", "cv", "cz"}
    | {"n", "na", "nh", "no", "ns", "nt", "nu", "nv", "ni", "nj", "nm", "nn", "n5", "n6", "np", "nq"}
)
"""Types whose atoms are held planar where they have three neighbours, as AmberTools' parmchk2 chooses them."""
DEFAULT_IMPROPER = Fourier(2, math.pi, 1.1 * KJ)
"""GAFF's improper where the table has none: 1.1 kcal/mol, n = 2, 180 degrees (Wang et al. 2004)."""
_WEIGHTS: dict[Kind, tuple[float, ...]] = {"bond": (1, 1), "angle": (0.5, 2, 0.5)}


class Character(Enum):
    """What is known of the central bond of a torsion; in rings, where order and barrier may disagree, nothing."""

    ANY = "any"
    SINGLE = "single"
    DOUBLE = "double"


class Lookup:
    """Finds the parameters of terms in one table and remembers what it had to borrow.

    The search for a term of types T takes the first of these that the table has: T; T with later types replaced by
    the ones they were split off; both with the colours of pair types exchanged; for torsions the wildcards
    ``X-b-c-X`` of all of them; and at last the nearest similar types (:mod:`similarity`), or for an angle a-b-c the
    mean of a-b-a and c-b-c where that is cheaper. Everything but T itself and its own wildcard is recorded as an
    :class:`Analogy`.

    Parameters
    ----------
    table
        The parameters.
    limit
        Largest penalty accepted.
    """

    def __init__(self, table: ParameterTable, limit: float = PENALTY_LIMIT) -> None:
        self._table = table
        self._limit = limit
        self._found: dict[tuple[Kind, Types, Character], object] = {}
        self.analogies: dict[Analogy, None] = {}
        self.missing: dict[tuple[Kind, Types], None] = {}

    def known_type(self, name: str) -> str:
        """Return the type itself, or its nearest ancestor where this table does not have it yet."""
        return next((own for own in lineage(name) if own in self._table.nonbonded), name)

    def nonbonded(self, name: str) -> LennardJones | None:
        """Return the Lennard-Jones parameters of a type."""
        found = self._table.nonbonded.get(name)
        if found is None:
            self.missing["nonbonded", (name,)] = None
        return found

    def mass(self, name: str) -> float:
        """Return the mass of a type, amu."""
        return self._table.masses[name]

    def bond(self, types: Types) -> Harmonic | None:
        """Return the parameters of a bond of types ``(a, b)``, or None and note it as missing."""
        return self._remembered("bond", bond_key(*types), self._bond)

    def angle(self, types: Types) -> Harmonic | None:
        """Return the parameters of an angle of types ``(a, b, c)``, or None and note it as missing."""
        return self._remembered("angle", angle_key(*types), self._angle)

    def proper(self, types: Types, character: Character = Character.ANY) -> tuple[Fourier, ...] | None:
        """Return the Fourier terms of a torsion of types ``(a, b, c, d)``, or None and note it as missing.

        The ``character`` of the central bond bears on analogies alone: a row of a double bond never stands in for a
        single one, whatever the types look like.
        """
        key = proper_key(*types)
        return self._remembered("proper", key, lambda t: self._proper(t, character), character)

    def improper(self, types: Types) -> Fourier | None:
        """Return the improper of outer types and centre ``(a, b, centre, d)``; None where the centre needs none.

        Wildcards are those of parmchk2: they stand for the alphabetically first outer types only. So ``X-X-c-o``
        (10.5 kcal/mol) is for ketones, aldehydes, amides and imides; the carbonyls of acids, esters and carbamates,
        where ``oh`` or ``os`` comes after ``o``, have the table's ``c3-o-c-oh`` or the default (both 1.1).
        """
        key = improper_key(*types)
        return self._remembered("improper", key, self._improper) if key[2] in IMPROPER_CENTRES else None

    def _remembered(
        self, kind: Kind, key: Types, find: Callable[[Types], Found | None], character: Character = Character.ANY
    ) -> Found | None:
        if (kind, key, character) not in self._found:
            found = find(key)
            if found is None:
                self.missing[kind, key] = None
            self._found[kind, key, character] = found
        return self._found[kind, key, character]  # type: ignore[return-value]

    def _record(self, kind: Kind, wanted: Types, used: Types | str, penalty: float) -> None:
        text = used if isinstance(used, str) else "-".join(used)
        self.analogies[Analogy(kind, "-".join(wanted), text, penalty)] = None

    def _bond(self, types: Types) -> Harmonic | None:
        table = self._table.bonds
        return self._same("bond", types, table) or self._nearest("bond", types, table, self._limit)

    def _angle(self, types: Types) -> Harmonic | None:
        table = self._table.angles
        return (
            self._same("angle", types, table)
            or self._nearest("angle", types, table, MEAN_ANGLE)
            or self._mean_angle(types)
            or self._nearest("angle", types, table, self._limit)
        )

    def _same(self, kind: Kind, types: Types, table: Mapping[Types, Harmonic]) -> Harmonic | None:
        for used in equivalents(types):
            key = min(used, used[::-1])
            if key in table:
                if used != types:
                    self._record(kind, types, key, 0.0)
                return table[key]
        return None

    def _proper(self, types: Types, character: Character) -> tuple[Fourier, ...] | None:
        same = [proper_key(*used) for used in equivalents(types)]
        for used in (*same, *(proper_key(*general(used)) for used in same)):
            if used in self._table.propers:
                if used not in (types, proper_key(*general(types))):
                    self._record("proper", types, used, 0.0)
                return self._table.propers[used]
        return self._nearest_proper(types, character)

    def _nearest(self, kind: Kind, types: Types, table: Mapping[Types, Harmonic], limit: float) -> Harmonic | None:
        """Return the cheapest row reached by substituting types; ties go to the alphabetically first."""
        best: tuple[float, Types] | None = None
        for combination in product(*(substitutes(name) for name in types)):
            used = tuple(name for name, _ in combination)
            key = min(used, used[::-1])
            penalty = sum(weight * cost for weight, (_, cost) in zip(_WEIGHTS[kind], combination, strict=True))
            if penalty <= limit and (best is None or (penalty, key) < best) and key in table:
                best = (penalty, key)
        if best is None:
            return None
        self._record(kind, types, best[1], best[0])
        return table[best[1]]

    def _nearest_proper(self, types: Types, character: Character) -> tuple[Fourier, ...] | None:
        """Return the cheapest row whose barrier suits the central bond; ties go to the alphabetically first."""
        best: tuple[float, Types] | None = None
        outer = [{WILDCARD: WILD_OUTER, **dict(substitutes(types[place]))} for place in (0, 3)]
        for (b, cost_b), (c, cost_c) in product(substitutes(types[1]), substitutes(types[2])):
            for a, d in self._propers_around.get((b, c), ()):
                if a not in outer[0] or d not in outer[1]:
                    continue
                key = proper_key(a, b, c, d)
                penalty = cost_b + cost_c + 0.5 * (outer[0][a] + outer[1][d])
                better = penalty <= self._limit and (best is None or (penalty, key) < best)
                if better and character in (Character.ANY, _character(self._table.propers[key])):
                    best = (penalty, key)
        if best is None:
            return None
        self._record("proper", types, best[1], best[0])
        return self._table.propers[best[1]]

    @cached_property
    def _propers_around(self) -> dict[Types, list[Types]]:
        """Outer types of all torsion rows by their central types, both ways round."""
        rows: dict[Types, list[Types]] = {}
        for a, b, c, d in self._table.propers:
            rows.setdefault((b, c), []).append((a, d))
            rows.setdefault((c, b), []).append((d, a))
        return rows

    def _mean_angle(self, types: Types) -> Harmonic | None:
        """Return the mean of the angles a-b-a and c-b-c, GAFF's own rule for angles without data (Wang et al. 2004)."""
        a, b, c = types
        table = self._table.angles
        ends = [(end, b, end) for end in (a, c)]
        sides = [self._same("angle", t, table) or self._nearest("angle", t, table, 2 * SAME_FAMILY) for t in ends]
        if None in sides:
            return None
        self._record("angle", types, f"mean of {a}-{b}-{a} and {c}-{b}-{c}", MEAN_ANGLE)
        values = np.array(sides, dtype=np.float64).mean(axis=0)
        return Harmonic(float(values[0]), float(values[1]))

    def _improper(self, types: Types) -> Fourier:
        same = [improper_key(*used) for used in equivalents(types)]
        one_wild = [(WILDCARD, b, centre, d) for _, b, centre, d in same]
        two_wild = [(WILDCARD, WILDCARD, centre, d) for *_, centre, d in same]
        rows = self._table.impropers
        return next((rows[used] for used in (*same, *one_wild, *two_wild) if used in rows), DEFAULT_IMPROPER)


def _character(row: Sequence[Fourier]) -> Character:
    return Character.DOUBLE if max(term.k for term in row) > STIFF else Character.SINGLE


def general(types: Types) -> Types:
    """Return ``(X, b, c, X)`` of a torsion's types."""
    return (WILDCARD, types[1], types[2], WILDCARD)


def equivalents(types: Types) -> Iterable[Types]:
    """Yield types that mean the same: as they are, ancestors for later types, and both with colours exchanged."""
    parents = tuple(plain(name) for name in types)
    seen: dict[Types, None] = {}
    for own in (types, *partial_ancestors(types), parents):
        seen.setdefault(own)
    for own in tuple(seen):
        seen.setdefault(tuple(PARTNERS.get(name, name) for name in own))
    return tuple(seen)


def partial_ancestors(types: Types) -> Iterable[Types]:
    """Yield every mixture of types and their ancestors, those that keep most of ``types`` first."""
    mixtures = product(*(tuple(enumerate(lineage(name))) for name in types))
    ranked = sorted(mixtures, key=lambda mixture: sum(step for step, _ in mixture))
    return (tuple(name for _, name in mixture) for mixture in ranked)
