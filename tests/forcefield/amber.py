"""The reference engine: parmchk2 and tleap of AmberTools from the acpype wheel (GPL, tests only)."""

from __future__ import annotations

import importlib.util
import os
import shutil
import struct
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from openmm import app

if TYPE_CHECKING:
    from collections.abc import Sequence

    import openmm

    from polyomics.polymer.topology import Topology

KCAL = 4.184
GAFF2_DAT = "dat/leap/parm/gaff2.dat"
SYMBOLS = {1: "H", 6: "C", 7: "N", 8: "O", 9: "F", 15: "P", 16: "S", 17: "Cl", 35: "Br", 53: "I"}


@dataclass(frozen=True)
class Reference:
    """What tleap made of a molecule.

    Parameters
    ----------
    prmtop
        The topology file.
    borrowed
        Terms that parmchk2 did not find: term to its remark. With its wildcards, defaults and analogies.
    """

    prmtop: Path
    borrowed: dict[str, str]

    def system(self) -> openmm.System:
        """Return OpenMM's own reading of the file: no cutoff, no constraints."""
        return app.AmberPrmtopFile(str(self.prmtop)).createSystem(nonbondedMethod=app.NoCutoff, removeCMMotion=False)

    @cached_property
    def _flags(self) -> dict[str, list[str]]:
        blocks: dict[str, list[str]] = {}
        width, current = 0, ""
        for line in self.prmtop.read_text().splitlines():
            if line.startswith("%FLAG"):
                current = line.split()[1]
                blocks[current] = []
            elif line.startswith("%FORMAT"):
                layout = line[line.index("(") + 1 : line.index(")")]
                width = int("".join(c if c.isdigit() else " " for c in layout).split()[1])
            elif current:
                blocks[current] += [
                    line[i : i + width] for i in range(0, len(line), width) if line[i : i + width].strip()
                ]
        return blocks

    def _numbers(self, flag: str) -> np.ndarray:
        return np.array([float(text) for text in self._flags.get(flag, [])])

    def _pointers(self, kind: str, width: int) -> np.ndarray:
        both = [self._numbers(f"{kind}_{part}") for part in ("INC_HYDROGEN", "WITHOUT_HYDROGEN")]
        return np.concatenate(both).astype(int).reshape(-1, width)

    def bonds(self) -> dict[tuple[int, ...], tuple[float, ...]]:
        """Return pair to (r0 nm, k kJ/mol/nm2)."""
        k, r0 = self._numbers("BOND_FORCE_CONSTANT"), self._numbers("BOND_EQUIL_VALUE")
        return {
            _ends(row[:2] // 3): (r0[row[2] - 1] / 10, 200 * KCAL * k[row[2] - 1]) for row in self._pointers("BONDS", 3)
        }

    def angles(self) -> dict[tuple[int, ...], tuple[float, ...]]:
        """Return triple to (theta0 rad, k kJ/mol/rad2)."""
        k, theta0 = self._numbers("ANGLE_FORCE_CONSTANT"), self._numbers("ANGLE_EQUIL_VALUE")
        return {
            _ends(row[:3] // 3): (theta0[row[3] - 1], 2 * KCAL * k[row[3] - 1]) for row in self._pointers("ANGLES", 4)
        }

    def torsions(self, improper: bool) -> dict[tuple[int, ...], set[tuple[float, ...]]]:
        """Return quadruple to {(n, phase rad, k kJ/mol)}, without zero terms; impropers in Amber's order."""
        k, n = self._numbers("DIHEDRAL_FORCE_CONSTANT"), self._numbers("DIHEDRAL_PERIODICITY")
        phase, bonded = self._numbers("DIHEDRAL_PHASE"), self.bonds()
        found: dict[tuple[int, ...], set[tuple[float, ...]]] = {}
        for row in self._pointers("DIHEDRALS", 5):
            if (row[3] < 0) != improper or k[row[4] - 1] == 0:
                continue
            atoms = np.abs(row[:4]) // 3
            if improper and any(_ends((atoms[2], other)) not in bonded for other in atoms[[0, 1, 3]]):
                atoms = atoms[::-1]  # written backwards, so that atom 0 need not carry a minus sign
            term = (abs(int(n[row[4] - 1])), round(phase[row[4] - 1], 3), round(k[row[4] - 1] * KCAL, 5))
            found.setdefault(tuple(atoms.tolist()) if improper else _ends(atoms), set()).add(term)
        return found


def _ends(atoms: Sequence[int]) -> tuple[int, ...]:
    row = tuple(int(atom) for atom in atoms)
    return min(row, row[::-1])


def amber_home() -> Path:
    """Return the AmberTools folder of the acpype wheel."""
    spec = importlib.util.find_spec("acpype")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("the test extra acpype is not installed: make test-env")
    return Path(spec.origin).parent / "amber_linux"


class Amber:
    """parmchk2 and tleap in a scratch folder.

    The wheel's teLeap wants shared libraries that neither the wheel nor a bare machine has, all of them for NetCDF
    files that we never write. So a copy runs whose NetCDF symbols are weak, beside a stand-in for that library.
    """

    def __init__(self, folder: Path, dat: Path | None = None) -> None:
        self._home = amber_home()
        self._dat = dat or self._home / GAFF2_DAT
        self._folder = folder
        leaprc = (self._home / "dat/leap/cmd/leaprc.gaff2").read_text().splitlines()
        self._atom_types = [
            line for line in leaprc if "loadamberparams" not in line.lower() and "logfile" not in line.lower()
        ]
        self._leap = folder / "bin" / "teLeap"
        for part in ("bin", "lib"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        program = bytearray((self._home / "bin" / "teLeap").read_bytes())
        assert weaken(program, b"nc_") > 0
        self._leap.write_bytes(program)
        self._leap.chmod(0o755)
        shutil.copy(next((self._home / "lib").glob("libsz.so*")), folder / "lib" / "libnetcdf.so.19")

    def reference(self, topology: Topology, types: Sequence[str], charges: np.ndarray, name: str = "mol") -> Reference:
        """Return what the programs make of a molecule with these types and charges (rounded to 1e-6 e)."""
        work = self._folder / name
        work.mkdir(exist_ok=True)
        (work / "m.mol2").write_text(_mol2(topology, types, charges))
        files = ["-i", "m.mol2", "-f", "mol2", "-o", "m.frcmod", "-p", str(self._dat), "-pf", "1"]
        self._run(work, [str(self._home / "bin" / "parmchk2"), *files])
        script = [
            *self._atom_types,
            f"loadamberparams {self._dat}",
            "loadamberparams m.frcmod",
            "m = loadmol2 m.mol2",
            "saveamberparm m m.prmtop m.rst",
            "quit",
        ]
        (work / "leap.in").write_text("\n".join(script) + "\n")
        include = [f"-I{self._home}/dat/leap/{part}" for part in ("cmd", "parm", "lib", "prep")]
        log = self._run(work, [str(self._leap), *include, "-f", "leap.in"])
        if not (work / "m.prmtop").exists():
            raise RuntimeError(f"tleap made no prmtop: {log[-2000:]}")
        return Reference(work / "m.prmtop", _borrowed((work / "m.frcmod").read_text()))

    def _run(self, work: Path, command: list[str]) -> str:
        path = os.pathsep.join([str(self._home / "bin"), os.environ.get("PATH", "")])
        env = {**os.environ, "AMBERHOME": str(self._home), "PATH": path}
        done = subprocess.run(command, cwd=work, env=env, capture_output=True, text=True, timeout=600)
        if done.returncode:
            raise RuntimeError(
                f"{command[0]} ended with {done.returncode}: {done.stdout[-1000:]} {done.stderr[-1000:]}"
            )
        return done.stdout


def weaken(program: bytearray, prefix: bytes) -> int:
    """Make the dynamic symbols of a 64-bit ELF file that begin with ``prefix`` weak; return how many."""
    (table,) = struct.unpack_from("<Q", program, 40)
    size, count = struct.unpack_from("<HH", program, 58)
    sections = [struct.unpack_from("<IIQQQQIIQQ", program, table + i * size) for i in range(count)]
    done = 0
    for section in sections:
        if section[1] != 11:  # SHT_DYNSYM
            continue
        names = sections[section[6]][4]
        for symbol in range(section[4], section[4] + section[5], 24):
            name = names + struct.unpack_from("<I", program, symbol)[0]
            if program[name : name + len(prefix)] == prefix:
                program[symbol + 4] = (2 << 4) | (program[symbol + 4] & 15)  # STB_WEAK
                done += 1
    return done


def _mol2(topology: Topology, types: Sequence[str], charges: np.ndarray) -> str:
    atoms = [
        f"{i + 1} {SYMBOLS[int(z)]}{i + 1} {i % 50}.0 {i // 50}.0 0.0 {kind} 1 MOL {q:.6f}"
        for i, (z, kind, q) in enumerate(zip(topology.numbers, types, charges, strict=True))
    ]
    bonds = [
        f"{n + 1} {a + 1} {b + 1} {order}"
        for n, ((a, b), order) in enumerate(zip(topology.bonds.tolist(), topology.orders.tolist(), strict=True))
    ]
    tail = ["@<TRIPOS>SUBSTRUCTURE", "1 MOL 1 TEMP 0 **** **** 0 ROOT", ""]
    head = ["@<TRIPOS>MOLECULE", "MOL", f"{len(atoms)} {len(bonds)} 1 0 0", "SMALL", "USER_CHARGES", ""]
    return "\n".join([*head, "@<TRIPOS>ATOM", *atoms, "@<TRIPOS>BOND", *bonds, *tail])


def _borrowed(frcmod: str) -> dict[str, str]:
    """Return the rows of an frcmod that carry a remark, by kind and types."""
    rows: dict[str, str] = {}
    kind = ""
    widths = {"BOND": 5, "ANGLE": 8, "DIHE": 11}
    for line in frcmod.splitlines():
        if line.strip() in ("MASS", "BOND", "ANGLE", "DIHE", "IMPROPER", "NONBON"):
            kind = line.strip()
        elif kind in widths and ("same as" in line or "Calculated" in line or "ATTN" in line):
            rows[f"{kind} {line[: widths[kind]].replace(' ', '')}"] = line[widths[kind] :].strip()
    return rows
