"""From atom types to bonded parameters: exact rows, wildcards, Amber's rules of impropers, and recorded analogies."""

from __future__ import annotations

import math
from itertools import product
from typing import TYPE_CHECKING, Literal, TypeVar

from polyomics.forcefield.interface import Analogy
from polyomics.forcefield.similarity import PARTNERS, lineage, plain, substitutes
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
    from collections.abc import Callable, Iterable, Mapping

Kind = Literal["bond", "angle", "proper", "improper", "nonbonded"]
Found = TypeVar("Found")

PENALTY_LIMIT = 90.0
"""Analogies above this total penalty are refused."""
IMPROPER_CENTRES = frozenset(
    {"c", "c2", "ca", "cc", "cd", "ce", "cf", "cp", "cq", "cs", "cu", "cv", "cz"}
    | {"n", "na", "nh", "no", "ns", "nt", "nu", "nv", "ni", "nj", "nm", "nn", "n5", "n6", "np", "nq"}
)
"""Types whose atoms are held planar where they have three neighbours, as AmberTools' parmchk2 chooses them."""
DEFAULT_IMPROPER = Fourier(2, math.pi, 1.1 * KJ)
"""GAFF's improper where the table has none: 1.1 kcal/mol, n = 2, 180 degrees (Wang et al. 2004)."""
_WEIGHTS: dict[Kind, tuple[float, ...]] = {"bond": (1, 1), "angle": (0.5, 2, 0.5), "proper": (0.5, 1, 1, 0.5)}


class Lookup:
    """Finds the parameters of terms in one table and remembers what it had to borrow.

    The search for a term of types T takes the first of these that the table has: T; T with later types replaced by
    the ones they were split off; both with the colours of pair types exchanged; for torsions the wildcards
    ``X-b-c-X`` of all of them; and at last the nearest similar types (:mod:`similarity`). Everything but T itself and
    its own wildcard is recorded as an :class:`Analogy`.

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
        self._found: dict[tuple[Kind, Types], object] = {}
        self.analogies: dict[tuple[Kind, Types], Analogy] = {}
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
        return self._remembered("bond", bond_key(*types), lambda t: self._harmonic("bond", t, self._table.bonds))

    def angle(self, types: Types) -> Harmonic | None:
        """Return the parameters of an angle of types ``(a, b, c)``, or None and note it as missing."""
        return self._remembered("angle", angle_key(*types), lambda t: self._harmonic("angle", t, self._table.angles))

    def proper(self, types: Types) -> tuple[Fourier, ...] | None:
        """Return the Fourier terms of a torsion of types ``(a, b, c, d)``, or None and note it as missing."""
        return self._remembered("proper", proper_key(*types), self._proper)

    def improper(self, types: Types) -> Fourier | None:
        """Return the improper of outer types and centre ``(a, b, centre, d)``; None where the centre needs none.

        Wildcards stand for the alphabetically first outer types only, as in parmchk2: ``X-X-c-o`` (10.5 kcal/mol)
        holds ketones and amides, while the carbonyl of acids and esters, whose ``oh`` or ``os`` comes after ``o``,
        has the table's ``c3-o-c-oh`` or the default (both 1.1).
        """
        key = improper_key(*types)
        return self._remembered("improper", key, self._improper) if key[2] in IMPROPER_CENTRES else None

    def _remembered(self, kind: Kind, key: Types, find: Callable[[Types], Found | None]) -> Found | None:
        if (kind, key) not in self._found:
            found = find(key)
            if found is None:
                self.missing[kind, key] = None
            self._found[kind, key] = found
        return self._found[kind, key]  # type: ignore[return-value]

    def _record(self, kind: Kind, wanted: Types, used: Types | str, penalty: float) -> None:
        text = used if isinstance(used, str) else "-".join(used)
        self.analogies[kind, wanted] = Analogy(kind, "-".join(wanted), text, penalty)

    def _harmonic(self, kind: Kind, types: Types, table: Mapping[Types, Harmonic]) -> Harmonic | None:
        for used in equivalents(types):
            key = min(used, used[::-1])
            if key in table:
                if used != types:
                    self._record(kind, types, key, 0.0)
                return table[key]
        return self._nearest(kind, types, lambda used: table.get(min(used, used[::-1])))

    def _proper(self, types: Types) -> tuple[Fourier, ...] | None:
        same = [proper_key(*used) for used in equivalents(types)]
        for used in (*same, *(proper_key(*general(used)) for used in same)):
            if used in self._table.propers:
                if used not in (types, proper_key(*general(types))):
                    self._record("proper", types, used, 0.0)
                return self._table.propers[used]
        return self._nearest("proper", types, lambda used: self._table.propers.get(proper_key(*general(used))))

    def _nearest(self, kind: Kind, types: Types, get: Callable[[Types], Found | None]) -> Found | None:
        """Return what the cheapest combination of substitutes has; ties go to the alphabetically first."""
        weights = _WEIGHTS[kind]
        outer_free = kind == "proper"
        choices = [
            [(name, 0.0)] if outer_free and place in (0, 3) else substitutes(name) for place, name in enumerate(types)
        ]
        best: tuple[float, Types] | None = None
        for combination in product(*choices):
            used = tuple(name for name, _ in combination)
            penalty = sum(weight * cost for weight, (_, cost) in zip(weights, combination, strict=True))
            if penalty <= self._limit and (best is None or (penalty, used) < best) and get(used) is not None:
                best = (penalty, used)
        if best is None:
            return None
        self._record(kind, types, general(best[1]) if outer_free else best[1], best[0])
        return get(best[1])

    def _improper(self, types: Types) -> Fourier:
        same = [improper_key(*used) for used in equivalents(types)]
        one_wild = [(WILDCARD, b, centre, d) for _, b, centre, d in same]
        two_wild = [(WILDCARD, WILDCARD, centre, d) for *_, centre, d in same]
        rows = self._table.impropers
        return next((rows[used] for used in (*same, *one_wild, *two_wild) if used in rows), DEFAULT_IMPROPER)


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
