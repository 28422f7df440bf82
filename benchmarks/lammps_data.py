"""The same cell for LAMMPS: a data file and the commands that give OpenMM's energies, from our parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from polyomics.build.cell import Cell
    from polyomics.forcefield.interface import Nonbonded, Parameters
    from polyomics.polymer.topology import FloatArray, IntArray

KCAL = 4.184
NM = 10.0  # angstrom


def write_lammps_data(
    parameters: Sequence[Parameters], cell: Cell, path: Path, *, masses: FloatArray | None = None
) -> None:
    """Write a LAMMPS data file (units real, atom_style full).

    Parameters
    ----------
    parameters
        One per species of the cell's assembly.
    cell
        Molecules and coordinates.
    path
        File to write.
    masses
        amu per atom of the cell, where they are not the parameters' own (repartitioned hydrogen), shape (n,).
    """
    sections = _Sections(parameters, cell, masses)
    path.write_text(sections.text(), encoding="ascii")


def lammps_commands(nonbonded: Nonbonded, data: Path, *, kspace: float = 1e-4) -> list[str]:
    """Return the commands that read a data file with the interactions of :class:`Nonbonded` (PME as PPPM)."""
    cutoff = nonbonded.cutoff * NM
    tail = "yes" if nonbonded.dispersion_correction else "no"
    return [
        "units real",
        "atom_style full",
        "boundary p p p",
        f"pair_style lj/cut/coul/long {cutoff:g}",
        f"kspace_style pppm {kspace:g}",
        "bond_style harmonic",
        "angle_style harmonic",
        "dihedral_style fourier",
        "improper_style cvff",
        "special_bonds amber",
        f"read_data {data}",
        f"pair_modify mix arithmetic tail {tail}",
        "neighbor 2.0 bin",
        "neigh_modify delay 0 every 1 check yes",
    ]


def hydrogen_bond_types(data: Path) -> list[int]:
    """Return the bond types that hold a hydrogen, for ``fix shake``; they are marked in the data file."""
    lines = data.read_text(encoding="ascii").splitlines()
    return [int(line.split()[0]) for line in lines if line.endswith("# X-H")]


class _Sections:
    def __init__(self, parameters: Sequence[Parameters], cell: Cell, masses: FloatArray | None) -> None:
        self._assembly, self._cell = cell.assembly, cell
        self._per_molecule = [
            p for p, count in zip(parameters, cell.assembly.counts, strict=True) for _ in range(count)
        ]
        self._starts = cell.assembly.molecule_starts()
        self._masses = self._values("masses") if masses is None else masses

    def text(self) -> str:
        atom_types, atom_kinds = _kinds(np.column_stack([self._masses, self._values("epsilon"), self._values("sigma")]))
        numbers = self._assembly.numbers()
        bonds = self._atoms("bonds")
        held = np.any(numbers[bonds] == 1, axis=1)
        bond_types, bond_kinds = _kinds(np.column_stack([self._values("bond_k"), self._values("bond_r0"), held]))
        angle_types, angle_kinds = _kinds(np.column_stack([self._values("angle_k"), self._values("angle_theta0")]))
        propers, proper_types, proper_kinds = self._propers()
        impropers, improper_types, improper_kinds = self._impropers()
        lines = ["cell for LAMMPS", ""]
        for name, rows, kinds in (
            ("atom", numbers, atom_kinds), ("bond", bonds, bond_kinds), ("angle", angle_types, angle_kinds),
            ("dihedral", propers, proper_kinds), ("improper", impropers, improper_kinds),
        ):  # fmt: skip
            lines += [f"{len(rows)} {name}s", f"{len(kinds)} {name} types"]
        lines += [f"0.0 {edge * NM:.10f} {a}lo {a}hi" for edge, a in zip(self._cell.box, "xyz", strict=True)]
        lines += _block("Masses", [f"{m:.8f}" for m, _, _ in atom_kinds])
        lines += _block("Pair Coeffs", [f"{e / KCAL:.12g} {s * NM:.12g}" for _, e, s in atom_kinds])
        lines += _block(
            "Bond Coeffs",
            [f"{k / (2 * KCAL * NM**2):.12g} {r * NM:.12g}{' # X-H' if h else ''}" for k, r, h in bond_kinds],
        )
        lines += _block("Angle Coeffs", [f"{k / (2 * KCAL):.12g} {np.degrees(t):.12g}" for k, t in angle_kinds])
        lines += _block("Dihedral Coeffs", proper_kinds)
        lines += _block("Improper Coeffs", improper_kinds)
        lines += _block("Atoms # full", self._atom_lines(atom_types))
        for name, types, atoms in (
            ("Bonds", bond_types, bonds), ("Angles", angle_types, self._atoms("angles")),
            ("Dihedrals", proper_types, propers), ("Impropers", improper_types, impropers),
        ):  # fmt: skip
            lines += _block(name, [f"{t} " + " ".join(map(str, row + 1)) for t, row in zip(types, atoms, strict=True)])
        return "\n".join(lines) + "\n"

    def _values(self, name: str) -> FloatArray:
        return np.concatenate([np.asarray(getattr(p, name)) for p in self._per_molecule])

    def _atoms(self, name: str) -> IntArray:
        pairs = zip(self._per_molecule, self._starts, strict=False)
        return np.concatenate([np.asarray(getattr(p, name)) + start for p, start in pairs])

    def _atom_lines(self, types: IntArray) -> list[str]:
        molecule = np.repeat(np.arange(len(self._starts) - 1), np.diff(self._starts))
        rows = zip(molecule, types, self._values("charges"), self._cell.positions * NM, strict=True)
        return [f"{m + 1} {t} {q:.10f} {x:.10f} {y:.10f} {z:.10f}" for m, t, q, (x, y, z) in rows]

    def _propers(self) -> tuple[IntArray, IntArray, list[str]]:
        """Return one dihedral per quadruple of atoms, its Fourier terms together."""
        atoms, k = self._atoms("propers"), self._values("proper_k") / KCAL
        n, phase = self._values("proper_periodicity"), np.degrees(self._values("proper_phase"))
        terms: dict[tuple[int, ...], list[str]] = {}
        for quadruple, *term in zip(map(tuple, atoms.tolist()), k, n, phase, strict=True):
            terms.setdefault(quadruple, []).append(f"{term[0]:.12g} {int(term[1])} {term[2]:.12g}")
        texts = [f"{len(found)} " + " ".join(found) for found in terms.values()]
        kinds = sorted(set(texts))
        number = {text: i + 1 for i, text in enumerate(kinds)}
        return np.array(list(terms), dtype=np.int64).reshape(-1, 4), np.array([number[t] for t in texts]), kinds

    def _impropers(self) -> tuple[IntArray, IntArray, list[str]]:
        """Return impropers in cvff form, k (1 + d cos nφ) with d = cos(phase), which is ±1 in these force fields."""
        atoms, k = self._atoms("impropers"), self._values("improper_k") / KCAL
        n, sign = self._values("improper_periodicity"), np.cos(self._values("improper_phase"))
        texts = [f"{a:.12g} {round(c)} {int(b)}" for a, b, c in zip(k, n, sign, strict=True)]
        kinds = sorted(set(texts))
        number = {text: i + 1 for i, text in enumerate(kinds)}
        return atoms.reshape(-1, 4), np.array([number[t] for t in texts], dtype=np.int64), kinds


def _kinds(rows: FloatArray) -> tuple[IntArray, FloatArray]:
    kinds, types = np.unique(np.round(rows, 12), axis=0, return_inverse=True)
    return types.reshape(-1) + 1, kinds


def _block(title: str, lines: Sequence[str]) -> list[str]:
    return ["", title, "", *(f"{i} {line}" for i, line in enumerate(lines, start=1))] if len(lines) else []
