"""Owns the registry of charge methods: what each costs, what it needs, and whether this machine has it."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

from polyomics.errors import InputError, PlatformError
from polyomics.forcefield.charges.am1bcc import am1bcc, available
from polyomics.forcefield.charges.resp import resp
from polyomics.forcefield.charges.rules import GASTEIGER_ROUNDS, gasteiger, mmff94

if TYPE_CHECKING:
    from collections.abc import Callable

    from polyomics.forcefield.charges.oligomer import Oligomer
    from polyomics.polymer.topology import FloatArray


@dataclass(frozen=True)
class ChargeMethod:
    """One way to make partial charges.

    Parameters
    ----------
    name
        As in campaign files.
    version
        Part of the key of a unit's charges; changes when the numbers do.
    cost
        Typical cost per repeat unit, for people.
    needs
        Extra or program that must be installed; empty where nothing is.
    context_heavy_atoms, context_bonds
        Least number of heavy atoms, and of main-chain bonds, on each side of the middle unit; one unit is always there.
    most_heavy_atoms
        Largest oligomer worth computing; of larger ones only one unit between small groups is treated.
    available
        Returns None where the method can run here, else why not and what to do.
    compute
        Charges (e, shape (n,)) of an oligomer, each unit neutral and equivalent atoms equal, and the largest standard
        deviation of a middle charge over conformers (None where there are none).
    """

    name: str
    version: str
    cost: str
    needs: str
    context_heavy_atoms: int
    context_bonds: int
    most_heavy_atoms: float
    available: Callable[[], str | None]
    compute: Callable[[Oligomer, int], tuple[FloatArray, float | None]]


def _always() -> str | None:
    return None


def _pyscf() -> str | None:
    if importlib.util.find_spec("pyscf") is None:
        return "PySCF is not installed: install the extra 'qm' (pip install 'polyomics[qm]')"
    return None


METHODS: dict[str, ChargeMethod] = {
    method.name: method
    for method in (
        ChargeMethod("gasteiger", "1", "milliseconds", "", 0, GASTEIGER_ROUNDS, inf, _always, gasteiger),
        ChargeMethod("mmff94", "1", "milliseconds", "", 0, 6, inf, _always, mmff94),
        ChargeMethod("am1bcc", "1", "seconds", "AmberTools: antechamber, sqm", 3, 0, inf, available, am1bcc),
        ChargeMethod("resp", "1", "minutes", "extra qm (PySCF)", 3, 0, 45, _pyscf, resp),
    )
}
"""Every charge method by name, cheapest first."""


def charge_method(name: str, subject: str) -> ChargeMethod:
    """Return a method that can run here.

    Raises
    ------
    InputError
        There is no such method.
    PlatformError
        The method's program or extra is not installed here; the message names it and the remedy.
    """
    method = METHODS.get(name)
    if method is None:
        reason = f"unknown charge method {name!r}"
        raise InputError(reason, subject=subject, field="charges", remedy=f"one of {', '.join(METHODS)}")
    missing = method.available()
    if missing is not None:
        reason, _, remedy = missing.partition(": ")
        raise PlatformError(f"charges {name}: {reason}", subject=subject, field="charges", remedy=remedy)
    return method
