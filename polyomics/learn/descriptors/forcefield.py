"""Owns the force-field parameters of one unit inside an endless chain, read off the middle of a capped oligomer."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from rdkit import Chem
from rdkit.Chem import rdPartialCharges

from polyomics.errors import UnsupportedError
from polyomics.forcefield.lookup import Character, Lookup
from polyomics.forcefield.tables import KJ, load_table
from polyomics.forcefield.terms import find_terms
from polyomics.forcefield.typing import atom_types
from polyomics.learn.descriptors.barriers import highest_barrier
from polyomics.learn.descriptors.kernel_mean import Floats, ParameterSample
from polyomics.polymer import chain, to_rdkit

if TYPE_CHECKING:
    from polyomics.polymer import RepeatUnit, Topology

TYPE_REACH = 5
"""Bonds over which a neighbour may change a type (as in stamping), beyond the three bonds of the longest term."""
CHARGE_REACH = 12
"""Bonds over which charge travels in RDKit's twelve rounds of Gasteiger's equalisation: beyond them it is exact."""

_MASSES = Chem.GetPeriodicTable()


def unit_parameters(unit: RepeatUnit) -> ParameterSample:
    """Return GAFF 2.1 (+ c3f) parameters and Gasteiger charges of one unit of the endless chain.

    The oligomer's ends lie further from the middle unit than types and charges reach, so the numbers are those of a
    ring of any length, without a ring being closed.

    Raises
    ------
    UnsupportedError
        An atom without a type or charge, or a term without parameters.
    """
    path = _backbone_length(unit)
    before = -(-TYPE_REACH // path)
    topology = chain(unit, before + 1 - (-(TYPE_REACH + 3) // path))
    charges = _charges(unit, -(-(CHARGE_REACH + 1) // path))[topology.template_atoms]
    mol = to_rdkit(topology)
    names = atom_types(mol, fluorine_c3f=True, subject=unit.text)
    return _sample(topology, names, charges, before)


def _backbone_length(unit: RepeatUnit) -> int:
    n = unit.mol.GetNumAtoms()
    return len(Chem.GetShortestPath(unit.mol, n - 2, n - 1)) - 2


def _charges(unit: RepeatUnit, reach: int) -> Floats:
    """Return the charges of a unit of the endless chain, e, from the middle of ``2 reach + 1`` units."""
    long = chain(unit, 2 * reach + 1)
    mol: Chem.Mol = to_rdkit(long)
    rdPartialCharges.ComputeGasteigerCharges(mol)
    size = unit.mol.GetNumAtoms() - 2
    start = long.caps[0] + reach * size
    middle = np.array([mol.GetAtomWithIdx(start + k).GetDoubleProp("_GasteigerCharge") for k in range(size)])
    if not np.isfinite(middle).all():
        raise UnsupportedError(
            "an atom has no Gasteiger parameters", subject=unit.text, field="psmiles", remedy="other descriptors apply"
        )
    return middle


@lru_cache(maxsize=1)
def _lookup() -> Lookup:
    return Lookup(load_table("2.1", fluorine_c3f=True))


def _sample(topology: Topology, types: tuple[str, ...], charges: Floats, middle: int) -> ParameterSample:
    # A term belongs to the unit of its first atom; no cap is in one, so what charge caps have here does not matter.
    lookup = _lookup()
    names = [lookup.known_type(name) for name in types]
    terms = find_terms(topology.n_atoms, topology.bonds)
    first, size = topology.caps[0], topology.units[0].mol.GetNumAtoms() - 2
    start = first + middle * size
    own = range(start, start + size)
    orders = {(i, j): o for (i, j), o in zip(topology.bonds.tolist(), topology.orders.tolist(), strict=True)}

    def belongs(row: list[int]) -> bool:
        return start <= min(row) < start + size

    bonds = [row for row in terms.bonds.tolist() if belongs(row)]
    angles = [row for row in terms.angles.tolist() if belongs(row)]
    propers = [row for row in terms.propers.tolist() if belongs(row)]
    found_lj = [lookup.nonbonded(names[i]) for i in own]
    found_bonds = [lookup.bond((names[i], names[j])) for i, j in bonds]
    found_angles = [lookup.angle((names[i], names[j], names[k])) for i, j, k in angles]
    barriers = [
        highest_barrier((names[i], names[j], names[k], names[m]), lookup, _character(orders, j, k))
        for i, j, k, m in propers
    ]
    if any(row is None for rows in (found_lj, found_bonds, found_angles, barriers) for row in rows):
        raise UnsupportedError(
            "GAFF has no parameters for a term", subject=topology.units[0].text, field="psmiles", remedy="none"
        )
    lj = np.array([(row.sigma, row.epsilon) for row in found_lj if row])
    bond = np.array([(row.x0, row.k) for row in found_bonds if row])
    angle = np.array([(row.x0, row.k) for row in found_angles if row]).reshape(-1, 2)
    pairs = np.array(bonds)
    return ParameterSample(
        {
            "mass": np.array([_MASSES.GetAtomicWeight(z) for z in topology.numbers[start : start + size].tolist()]),
            "charge": charges[start : start + size],
            "epsilon": lj[:, 1] / KJ,
            "sigma": lj[:, 0] * 10.0,
            "k_bond": bond[:, 1] / (2.0 * KJ * 100.0),
            "r0": bond[:, 0] * 10.0,
            "polar": np.abs(charges[pairs[:, 0]] - charges[pairs[:, 1]]),
            "k_angle": angle[:, 1] / (2.0 * KJ),
            "theta0": angle[:, 0] * (180.0 / math.pi),
            "k_dih": np.array(barriers, dtype=np.float64),
        }
    )


def _character(orders: dict[tuple[int, int], int], j: int, k: int) -> Character:
    return Character.DOUBLE if orders[min(j, k), max(j, k)] == 2 else Character.ANY
