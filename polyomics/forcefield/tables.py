"""The parameter tables of GAFF: Amber ``.dat`` text in, a frozen table in OpenMM units out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from polyomics.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSIONS: tuple[str, ...] = ("2.2.20", "2.1")
WILDCARD = "X"
KJ = 4.184
"""kJ per kcal (thermochemical)."""
RMIN_TO_SIGMA = 2.0 ** (5.0 / 6.0)
"""sigma / (Rmin / 2): Amber tables give half the distance of the minimum."""

Types = tuple[str, ...]


class Harmonic(NamedTuple):
    """``k/2 (x - x0)²``: nm and kJ/mol/nm² for a bond, rad and kJ/mol/rad² for an angle."""

    x0: float
    k: float


class Fourier(NamedTuple):
    """``k (1 + cos(n φ - phase))``: rad and kJ/mol."""

    periodicity: int
    phase: float
    k: float


class LennardJones(NamedTuple):
    """``4 ε ((σ/r)¹² - (σ/r)⁶)``: nm and kJ/mol."""

    sigma: float
    epsilon: float


@dataclass(frozen=True, eq=False)
class ParameterTable:
    """One force-field table; keys are in the canonical order of the ``*_key`` functions.

    Parameters
    ----------
    version
        Version of the table.
    masses
        Type to amu.
    nonbonded
        Type to Lennard-Jones parameters.
    bonds, angles
        Key to harmonic parameters.
    propers
        Key to Fourier terms; wildcard keys read ``(X, b, c, X)``.
    impropers
        Key to its single term; outer types sorted with wildcards first, the centre third.
    """

    version: str
    masses: Mapping[str, float]
    nonbonded: Mapping[str, LennardJones]
    bonds: Mapping[Types, Harmonic]
    angles: Mapping[Types, Harmonic]
    propers: Mapping[Types, tuple[Fourier, ...]]
    impropers: Mapping[Types, Fourier]


def bond_key(a: str, b: str) -> Types:
    """Return the canonical key of a bond."""
    return (a, b) if a <= b else (b, a)


def angle_key(a: str, b: str, c: str) -> Types:
    """Return the canonical key of an angle."""
    return (a, b, c) if a <= c else (c, b, a)


def proper_key(a: str, b: str, c: str, d: str) -> Types:
    """Return the canonical key of a proper torsion."""
    return min((a, b, c, d), (d, c, b, a))


def improper_key(a: str, b: str, centre: str, d: str) -> Types:
    """Return the canonical key of an improper: outer types sorted, wildcards first, the centre third."""
    first, second, third = sorted((a, b, d), key=lambda name: (name != WILDCARD, name))
    return (first, second, centre, third)


@lru_cache(maxsize=4)
def load_table(version: str, fluorine_c3f: bool = False) -> ParameterTable:
    """Return a GAFF table of the package.

    Parameters
    ----------
    version
        ``2.2.20`` or ``2.1``.
    fluorine_c3f
        Add the type c3f of Träg & Zahn, J. Mol. Model. 25, 39 (2019): c3 with torsions of its own.
    """
    if version not in VERSIONS:
        raise InputError(
            f"there is no GAFF table {version!r}", field="force_field.version", remedy=f"one of {', '.join(VERSIONS)}"
        )
    table = parse_dat(_text(f"gaff-{version}.dat"), version)
    if not fluorine_c3f:
        return table
    torsions = _propers(_text("c3f.dat").splitlines()[1:])
    return ParameterTable(
        version=f"{version}+c3f",
        masses=MappingProxyType({**table.masses, "c3f": table.masses["c3"]}),
        nonbonded=MappingProxyType({**table.nonbonded, "c3f": table.nonbonded["c3"]}),
        bonds=table.bonds,
        angles=table.angles,
        propers=MappingProxyType({**table.propers, **torsions}),
        impropers=table.impropers,
    )


def parse_dat(text: str, version: str) -> ParameterTable:
    """Parse an Amber parameter file ``parm*.dat``.

    Sections are separated by blank lines: masses, (hydrophilic types) bonds, angles, propers, impropers, 10-12 pairs,
    equivalences, 6-12 parameters. Force constants of the file lack the factor 1/2 of OpenMM.
    """
    sections: list[list[str]] = [[]]
    for line in text.splitlines()[1:]:
        if line.strip():
            sections[-1].append(line)
        else:
            sections.append([])
    masses, bonds, angles, propers, impropers = sections[:5]
    six_twelve = next(s for s in sections[5:] if s and s[0].startswith("MOD4"))
    return ParameterTable(
        version=version,
        masses=MappingProxyType({line[:2].strip(): float(line[2:].split()[0]) for line in masses}),
        nonbonded=MappingProxyType(_nonbonded(six_twelve[1:])),
        bonds=MappingProxyType(_bonds(bonds[1:])),
        angles=MappingProxyType(_angles(angles)),
        propers=MappingProxyType(_propers(propers)),
        impropers=MappingProxyType(_impropers(impropers)),
    )


def _text(name: str) -> str:
    return resources.files("polyomics.forcefield").joinpath("data", name).read_text(encoding="utf-8")


def _split(line: str, types: int) -> tuple[list[str], list[str]]:
    """Return the type names of a line and the fields after them; names may be padded with blanks."""
    parts = line.split("-", types - 1)
    last, *rest = parts[-1].split()
    return [part.strip() for part in parts[:-1]] + [last], rest


def _nonbonded(lines: list[str]) -> dict[str, LennardJones]:
    table = {}
    for line in lines:
        name, half_rmin, epsilon = line.split()[:3]
        table[name] = LennardJones(float(half_rmin) * RMIN_TO_SIGMA * 0.1, float(epsilon) * KJ)
    return table


def _bonds(lines: list[str]) -> dict[Types, Harmonic]:
    table = {}
    for line in lines:
        (a, b), (k, r0, *_) = _split(line, 2)
        table[bond_key(a, b)] = Harmonic(float(r0) * 0.1, 2.0 * float(k) * KJ * 100.0)
    return table


def _angles(lines: list[str]) -> dict[Types, Harmonic]:
    table = {}
    for line in lines:
        (a, b, c), (k, theta0, *_) = _split(line, 3)
        table[angle_key(a, b, c)] = Harmonic(math.radians(float(theta0)), 2.0 * float(k) * KJ)
    return table


def _propers(lines: list[str]) -> dict[Types, tuple[Fourier, ...]]:
    """Return torsions; of two terms of one torsion with the same periodicity the first counts, as in tleap."""
    table: dict[Types, dict[int, Fourier]] = {}
    for line in lines:
        names, (divisor, k, phase, periodicity, *_) = _split(line, 4)
        n = abs(int(float(periodicity)))
        term = Fourier(n, math.radians(float(phase)), float(k) * KJ / float(divisor))
        table.setdefault(proper_key(*names), {}).setdefault(n, term)
    return {key: tuple(terms.values()) for key, terms in table.items()}


def _impropers(lines: list[str]) -> dict[Types, Fourier]:
    table = {}
    for line in lines:
        names, (k, phase, periodicity, *_) = _split(line, 4)
        term = Fourier(int(float(periodicity)), math.radians(float(phase)), float(k) * KJ)
        table[improper_key(*names)] = term
    return table
