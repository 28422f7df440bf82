"""Owns descriptor families by name: what each is called, its version, and how rows of inputs become matrices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from polyomics.errors import InputError, PolyOmicsError
from polyomics.learn.descriptors import composition, forcefield, kernel_mean, structure
from polyomics.learn.descriptors.polymers import LearnPolymer, read_polymer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from polyomics.learn.descriptors.cache import DescriptorCache
    from polyomics.learn.descriptors.kernel_mean import Floats


@dataclass(frozen=True)
class Family:
    """A set of descriptors of one repeat unit.

    Parameters
    ----------
    name, version
        Both enter the cache's address: a version changes when numbers do.
    names
        Names of the components.
    compute
        Vector of one polymer; may raise a PolyOmicsError where the family does not apply.
    """

    name: str
    version: str
    names: tuple[str, ...]
    compute: Callable[[LearnPolymer], Floats]


FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Family("unit", "1", structure.UNIT_NAMES, lambda p: structure.unit_descriptors(p.unit)),
        Family("rdkit2d", "1", structure.rdkit_names(), lambda p: structure.rdkit_2d(p.unit)),
        Family("ffkm", "1", kernel_mean.NAMES, lambda p: force_field_kernel_mean(p)),
        Family(
            "morgan",
            "1",
            tuple(f"morgan_{i}" for i in range(structure.MORGAN_BITS)),
            lambda p: structure.morgan_counts(p.unit),
        ),
    )
}
"""Every family of polymer descriptors, in the order in which they are joined."""


def force_field_kernel_mean(polymer: LearnPolymer) -> Floats:
    """Return the 190-component force-field kernel mean of a homopolymer.

    Raises
    ------
    UnsupportedError
        The force field cannot describe it.
    """
    return kernel_mean.kernel_mean(forcefield.unit_parameters(polymer.unit))


@dataclass(frozen=True, eq=False)
class DescriptorMatrix:
    """Descriptors of many polymers.

    Parameters
    ----------
    blocks
        Family name to matrix, shape (n, components); rows a family does not apply to are NaN.
    keys
        Identity of each row, shape (n,).
    marks
        Why a family is missing, per row; empty where all apply.
    """

    blocks: dict[str, Floats]
    keys: tuple[str, ...]
    marks: tuple[str, ...]


def parse_mixture(text: str) -> list[tuple[LearnPolymer, float]]:
    """Read ``*CC*`` or a copolymer ``*CC* 0.3 | *CCO* 0.7`` into units and fractions that sum to one.

    Raises
    ------
    InputError
        A part is not a repeat unit, or a fraction is not a positive number.
    """
    parts = [part.split() for part in text.split("|")] if "|" in text else [[text]]
    found = []
    for part in parts:
        try:
            fraction = float(part[1]) if len(part) > 1 else 1.0
            name = part[0]
        except (IndexError, ValueError):
            fraction, name = -1.0, ""
        if fraction <= 0 or len(part) > 2:
            raise InputError(
                "a copolymer is units with positive fractions",
                subject=text,
                field="psmiles",
                remedy="write it like *CC* 0.3 | *CCO* 0.7",
            )
        found.append((read_polymer(name.strip()), fraction))
    total = sum(fraction for _, fraction in found)
    return [(polymer, fraction / total) for polymer, fraction in found]


def polymer_key(text: str) -> str:
    """Return the identity of a polymer; of a copolymer the sorted keys of its units with their fractions."""
    parts = parse_mixture(text)
    if len({polymer.key for polymer, _ in parts}) == 1:
        return parts[0][0].key
    merged: dict[str, float] = {}
    for polymer, fraction in parts:
        merged[polymer.key] = merged.get(polymer.key, 0.0) + fraction
    return "|".join(f"{key}:{fraction:.4f}" for key, fraction in sorted(merged.items()))


def describe_polymers(
    texts: Sequence[str], families: Sequence[str] = tuple(FAMILIES), cache: DescriptorCache | None = None
) -> DescriptorMatrix:
    """Return the descriptors of polymers; every distinct repeat unit is computed once, or read from the cache.

    Parameters
    ----------
    texts
        Polymer SMILES, or copolymers as in :func:`parse_mixture`.
    families
        Names out of :data:`FAMILIES`.
    cache
        Where vectors by key are kept.

    Raises
    ------
    InputError
        A text is not a polymer, or there is no such family.
    """
    unknown = [name for name in families if name not in FAMILIES]
    if unknown:
        raise InputError(
            f"no descriptor family {unknown[0]!r}", field="families", remedy=f"one of {', '.join(FAMILIES)}"
        )
    mixtures = [parse_mixture(text) for text in texts]
    units = {polymer.key: polymer for mixture in mixtures for polymer, _ in mixture}
    marks: dict[str, list[str]] = {key: [f"refused: {p.refused}"] if p.refused else [] for key, p in units.items()}
    blocks = {}
    for name in families:
        vectors = _vectors(FAMILIES[name], units, cache)
        for key, vector in vectors.items():
            if np.isnan(vector).any():
                marks[key].append(f"no {name}")
        rows = [np.sum([w * vectors[p.key] for p, w in mixture], axis=0) for mixture in mixtures]
        blocks[name] = np.array(rows).reshape(len(texts), len(FAMILIES[name].names))
    notes = tuple("; ".join(dict.fromkeys(m for p, _ in mix for m in marks[p.key])) for mix in mixtures)
    return DescriptorMatrix(blocks, tuple(polymer_key(text) for text in texts), notes)


def _vectors(family: Family, units: dict[str, LearnPolymer], cache: DescriptorCache | None) -> dict[str, Floats]:
    found = cache.get(family.name, family.version, units) if cache else {}
    new = {}
    for key, polymer in units.items():
        if key not in found:
            try:
                new[key] = family.compute(polymer)
            except PolyOmicsError:
                new[key] = np.full(len(family.names), np.nan)
    if cache and new:
        cache.put(family.name, family.version, new)
    return {**found, **new}


def describe_formulas(texts: Sequence[str]) -> Floats:
    """Return composition descriptors of crystals, shape (n, len(COMPOSITION_NAMES))."""
    rows = [composition.composition_descriptors(text) for text in texts]
    return np.array(rows).reshape(len(texts), len(composition.COMPOSITION_NAMES))


def describe_solvents(texts: Sequence[str]) -> Floats:
    """Return solvent descriptors, shape (n, components); every distinct molecule is computed once."""
    known = {text: structure.molecule_descriptors(text) for text in dict.fromkeys(texts)}
    return np.array([known[text] for text in texts])
