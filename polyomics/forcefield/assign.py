"""Atom types and bonds in, all parameters of one molecule out, with what the table lacked."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

from polyomics.errors import UnsupportedError
from polyomics.forcefield.interface import Parameters
from polyomics.forcefield.lookup import Character, Lookup
from polyomics.forcefield.terms import bridges, find_terms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polyomics.forcefield.tables import Fourier, Harmonic, ParameterTable
    from polyomics.polymer.topology import FloatArray, IntArray, Topology

Found = TypeVar("Found")


def assign(
    types: Sequence[str],
    topology: Topology,
    charges: FloatArray,
    table: ParameterTable,
) -> Parameters:
    """Return the parameters of a molecule whose atoms are typed.

    Parameters
    ----------
    types
        Atom types, length n; types that the table does not have yet are replaced by their ancestors.
    topology
        The molecule.
    charges
        Partial charges, e, shape (n,).
    table
        The force field's numbers.

    Raises
    ------
    UnsupportedError
        Terms without parameters and without an analogy within the penalty limit; all of them are named.
    """
    lookup = Lookup(table)
    names = [lookup.known_type(name) for name in types]
    terms = find_terms(len(names), topology.bonds)
    particles = [lookup.nonbonded(name) for name in names]
    bond = [lookup.bond(key) for key in _types(names, terms.bonds)]
    angle = [lookup.angle(key) for key in _types(names, terms.angles)]
    central = _characters(topology)
    middles = (tuple(sorted(row[1:3])) for row in terms.propers.tolist())
    proper = [lookup.proper(key, central[m]) for key, m in zip(_types(names, terms.propers), middles, strict=True)]
    outer_sorted = _improper_order(names, terms.centres)
    improper = [lookup.improper(key) for key in _types(names, outer_sorted)]
    _refuse_missing(lookup, topology.name)
    centred = np.array([row is not None for row in improper], dtype=bool)
    lj = np.array([row for row in particles if row is not None], dtype=np.float64).reshape(-1, 2)
    r0, bond_k = _harmonic(bond)
    theta0, angle_k = _harmonic(angle)
    repeats = np.array([len(rows) for rows in proper if rows is not None], dtype=np.int64)
    n, phase, k = _fourier([row for rows in proper if rows is not None for row in rows])
    improper_n, improper_phase, improper_k = _fourier([row for row in improper if row is not None])
    return Parameters(
        types=tuple(names),
        masses=np.array([lookup.mass(name) for name in names]),
        charges=charges,
        sigma=lj[:, 0],
        epsilon=lj[:, 1],
        bonds=terms.bonds,
        bond_r0=r0,
        bond_k=bond_k,
        angles=terms.angles,
        angle_theta0=theta0,
        angle_k=angle_k,
        propers=np.repeat(terms.propers, repeats, axis=0),
        proper_periodicity=n,
        proper_phase=phase,
        proper_k=k,
        impropers=outer_sorted[centred],
        improper_periodicity=improper_n,
        improper_phase=improper_phase,
        improper_k=improper_k,
        analogies=tuple(lookup.analogies),
    )


def _characters(topology: Topology) -> dict[tuple[int, ...], Character]:
    """Return what each bond is to a torsion around it; a bond is in a ring where cutting it separates nothing."""
    chains = bridges(topology.n_atoms, topology.bonds)
    kinds = {1: Character.SINGLE, 2: Character.DOUBLE}
    return {
        (low, high): kinds.get(order, Character.ANY) if (low, high) in chains else Character.ANY
        for (low, high), order in zip(topology.bonds.tolist(), topology.orders.tolist(), strict=True)
    }


def _types(names: Sequence[str], terms: IntArray) -> list[tuple[str, ...]]:
    return [tuple([names[atom] for atom in row]) for row in terms.tolist()]


def _improper_order(names: Sequence[str], centres: IntArray) -> IntArray:
    """Return impropers (c, 4): outer atoms sorted by type, then by index, the centre third.

    Amber's energy of an improper depends on this order; tleap sorts the same way where parmchk2 wrote the row.
    """
    rows = []
    for centre, *outer in centres.tolist():
        a, b, d = sorted(outer, key=lambda atom: (names[atom], atom))
        rows.append((a, b, centre, d))
    return np.array(rows, dtype=np.int64).reshape(-1, 4)


def _harmonic(rows: Sequence[Harmonic | None]) -> tuple[FloatArray, FloatArray]:
    table = np.array([row for row in rows if row is not None], dtype=np.float64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def _fourier(rows: Sequence[Fourier]) -> tuple[IntArray, FloatArray, FloatArray]:
    table = np.array(rows, dtype=np.float64).reshape(-1, 3)
    return table[:, 0].astype(np.int64), table[:, 1], table[:, 2]


def _refuse_missing(lookup: Lookup, subject: str) -> None:
    if lookup.missing:
        names = ", ".join(f"{kind} {'-'.join(types)}" for kind, types in lookup.missing)
        raise UnsupportedError(
            f"GAFF has no parameters for: {names}",
            subject=subject,
            field="force_field",
            remedy="choose another polymer or another force field",
        )
