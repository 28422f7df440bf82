"""Owns descriptors of crystals: formulas read into element fractions, and statistics of elemental properties."""

from __future__ import annotations

import re
from collections import defaultdict
from functools import lru_cache
from math import gcd

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem

from polyomics.errors import InputError

Floats = NDArray[np.float64]
N_ELEMENTS = 100

_ELECTRONEGATIVITY = (
    "2.20 0 0.98 1.57 2.04 2.55 3.04 3.44 3.98 0 0.93 1.31 1.61 1.90 2.19 2.58 3.16 0 0.82 1.00"
    " 1.36 1.54 1.63 1.66 1.55 1.83 1.88 1.91 1.90 1.65 1.81 2.01 2.18 2.55 2.96 3.00 0.82 0.95 1.22 1.33"
    " 1.6 2.16 1.9 2.2 2.28 2.20 1.93 1.69 1.78 1.96 2.05 2.1 2.66 2.6 0.79 0.89 1.10 1.12 1.13 1.14"
    " 1.13 1.17 1.2 1.20 1.2 1.22 1.23 1.24 1.25 1.1 1.27 1.3 1.5 2.36 1.9 2.2 2.20 2.28 2.54 2.00"
    " 1.62 2.33 2.02 2.0 2.2 0 0.7 0.9 1.1 1.3 1.5 1.38 1.36 1.28 1.3 1.3 1.3 1.3 1.3 1.3"
)
"""Pauling's scale for Z = 1 to 100; 0 where there is none."""
_PIECE = re.compile(r"([A-Z][a-z]?)|(\()|(\))|(\d+(?:\.\d+)?)|(.)")
_STATISTICS = ("mean", "deviation", "min", "max", "range")
_PROPERTIES = (
    "number", "period", "group", "mass", "electronegativity", "covalent_radius", "vdw_radius", "outer_electrons",
    "s_filling", "p_filling", "d_filling", "f_filling", "mendeleev",
)  # fmt: skip

COMPOSITION_NAMES = (
    *(f"x_{Chem.GetPeriodicTable().GetElementSymbol(z)}" for z in range(1, N_ELEMENTS + 1)),
    *(f"{p}_{s}" for p in _PROPERTIES for s in _STATISTICS),
    *("n_elements", "norm2", "norm3", "transition_metal", "lanthanide", "halogen", "chalcogen", "ionicity"),
    *("charge_guess", "band_electronegativity"),
)


@lru_cache(maxsize=200_000)
def parse_formula(text: str) -> tuple[tuple[str, float], ...]:
    """Return the elements of a formula with their amounts, alphabetical: ``Ag(AuS)2`` gives Ag 1, Au 2, S 2.

    Raises
    ------
    InputError
        The text is not a formula.
    """
    stack: list[dict[str, float]] = [defaultdict(float)]
    last: dict[str, float] = {}
    for element, opened, closed, number, other in _PIECE.findall(text.strip()):
        if element:
            if not _known(element):
                raise _wrong(text, f"{element} is not an element")
            stack[-1][element] += 1.0
            last = {element: 1.0}
        elif opened:
            stack.append(defaultdict(float))
            last = {}
        elif closed and len(stack) > 1:
            last = dict(stack.pop())
            for name, amount in last.items():
                stack[-1][name] += amount
        elif number and last:
            for name, amount in last.items():
                stack[-1][name] += amount * (float(number) - 1.0)
            last = {}
        else:
            raise _wrong(text, f"unexpected {other or closed or number!r}")
    if len(stack) != 1 or not stack[0] or min(stack[0].values()) <= 0:
        raise _wrong(text, "brackets do not match, or nothing is left")
    return tuple(sorted(stack[0].items()))


def reduced_formula(text: str) -> str:
    """Return the identity of a composition: elements by name with amounts divided by their greatest divisor."""
    parts = parse_formula(text)
    amounts = [round(amount * 1000) for _, amount in parts]
    divisor = gcd(*amounts) or 1
    return "".join(f"{name}{amount // divisor}" for (name, _), amount in zip(parts, amounts, strict=True))


def composition_descriptors(text: str) -> Floats:
    """Return element fractions, weighted statistics of elemental properties and a few numbers of the whole."""
    parts = parse_formula(text)
    table = Chem.GetPeriodicTable()
    numbers = np.array([table.GetAtomicNumber(name) for name, _ in parts])
    x = np.array([amount for _, amount in parts])
    x = x / x.sum()
    fractions = np.zeros(N_ELEMENTS)
    np.add.at(fractions, np.minimum(numbers, N_ELEMENTS) - 1, x)
    values = _elements()[np.minimum(numbers, N_ELEMENTS) - 1]
    mean = x @ values
    low, high = values.min(axis=0), values.max(axis=0)
    statistics = np.stack([mean, x @ np.abs(values - mean), low, high, high - low], axis=1).ravel()
    en = values[:, _PROPERTIES.index("electronegativity")]
    groups = values[:, _PROPERTIES.index("group")]
    ionic = float(np.sum(np.outer(x, x) * (1 - np.exp(-0.25 * (en[:, None] - en) ** 2))))
    anions = np.where(groups >= 15, groups - 18, 0.0)
    cations = np.where(groups < 15, np.where(groups <= 12, np.minimum(groups, 8), groups - 10), 0.0)
    known = np.where(en > 0, en, 2.0)
    whole = [
        len(x), float(np.sqrt(np.sum(x**2))), float(np.cbrt(np.sum(x**3))),
        float(x[(groups >= 3) & (groups <= 12)].sum()), float(x[(numbers >= 57) & (numbers <= 71)].sum()),
        float(x[groups == 17].sum()), float(x[groups == 16].sum()), ionic,
        float(x @ (anions + cations)), float(np.exp(x @ np.log(known))),
    ]  # fmt: skip
    return np.concatenate([fractions, statistics, whole])


@lru_cache(maxsize=1)
def _elements() -> Floats:
    """Return the elemental properties, shape (100, len(_PROPERTIES))."""
    table = Chem.GetPeriodicTable()
    electronegativity = [float(v) for v in _ELECTRONEGATIVITY.split()]
    rows = []
    for z in range(1, N_ELEMENTS + 1):
        s, p, d, f = _filling(z)
        period, group = _place(z)
        rows.append(
            (z, period, group, table.GetAtomicWeight(z), electronegativity[z - 1], table.GetRcovalent(z),
             table.GetRvdw(z), table.GetNOuterElecs(z), s, p, d, f, group * 10 + period)
        )  # fmt: skip
    return np.array(rows, dtype=np.float64)


_NOBLE = (0, 2, 10, 18, 36, 54, 86, 118)


def _place(z: int) -> tuple[int, int]:
    """Return period and group; lanthanides and actinides count as group 3."""
    period = next(i for i, top in enumerate(_NOBLE) if z <= top)
    k, length = z - _NOBLE[period - 1], _NOBLE[period] - _NOBLE[period - 1]
    if k <= 2 and z != 2:
        return period, k
    from_end = 18 - (length - k)
    return period, from_end if length < 32 or from_end >= 4 else 3


def _filling(z: int) -> tuple[int, int, int, int]:
    """Return the electrons of the open shells by Madelung's order: s, p, d, f beyond the last noble gas."""
    left = z - max(top for top in _NOBLE if top < z)
    period = next(i for i, top in enumerate(_NOBLE) if z <= top)
    shells = {"s": 2, "f": 14 if period >= 6 else 0, "d": 10 if period >= 4 else 0, "p": 6 if period >= 2 else 0}
    found = {}
    for name, room in shells.items():
        found[name] = min(left, room)
        left -= found[name]
    return found["s"], found["p"], found["d"], found["f"]


def _known(symbol: str) -> bool:
    return symbol in _symbols()


@lru_cache(maxsize=1)
def _symbols() -> frozenset[str]:
    table = Chem.GetPeriodicTable()
    return frozenset(table.GetElementSymbol(z) for z in range(1, 119))


def _wrong(text: str, reason: str) -> InputError:
    return InputError(
        f"not a formula: {reason}", subject=text, field="formula", remedy="write it like Ba2NaOsO6 or Ag(AuS)2"
    )
