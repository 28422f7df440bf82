"""Owns AM1-BCC charges: antechamber and sqm of AmberTools, called where they are installed (GPL, never bundled)."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rdkit import Chem

from polyomics.errors import NumericsError
from polyomics.forcefield.charges.conformers import diverse_conformers
from polyomics.forcefield.charges.neutral import class_means, neutral_units

if TYPE_CHECKING:
    from polyomics.forcefield.charges.oligomer import Oligomer
    from polyomics.polymer.topology import FloatArray

CONFORMERS = 3
_SINGLE_POINT = "qm_theory='AM1', maxcyc=0, scfconv=1.d-8, ndiis_attempts=700, tight_p_conv=0"
_TIMEOUT = 7200.0
_REMEDY = "install AmberTools and put antechamber on PATH (or set AMBERHOME), or install the acpype package"


def available() -> str | None:
    """Return None where antechamber and sqm run on this machine, else the reason and the remedy."""
    root = _amber_home()
    if root is None:
        return f"antechamber (AmberTools) is not installed: {_REMEDY}"
    return _probe(root)


@cache
def _probe(root: Path) -> str | None:
    # sqm prints its usage and stops where its shared libraries load; the loader's message goes to stderr otherwise.
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [str(root / "bin" / "sqm"), "-h"],
            cwd=folder,
            env=_environment(root),
            capture_output=True,
            text=True,
            timeout=120,
        )
    if done.returncode == 127 or "shared libraries" in done.stderr:
        return f"sqm does not start ({done.stderr.strip()[-200:]}): install liblapack3, libarpack2 and libgfortran5"
    return None


def _amber_home() -> Path | None:
    candidates = [Path(os.environ["AMBERHOME"])] if os.environ.get("AMBERHOME") else []
    on_path = shutil.which("antechamber")
    if on_path:
        candidates.append(Path(on_path).resolve().parents[1])
    spec = importlib.util.find_spec("acpype")
    if spec is not None and spec.origin is not None:
        candidates.append(Path(spec.origin).parent / "amber_linux")
    for root in candidates:
        if all(os.access(root / "bin" / program, os.X_OK) for program in ("antechamber", "sqm")):
            return root
    return None


def _environment(root: Path) -> dict[str, str]:
    path = os.pathsep.join([str(root / "bin"), os.environ.get("PATH", "")])
    return {**os.environ, "AMBERHOME": str(root), "PATH": path, "OMP_NUM_THREADS": "1"}


def am1bcc(oligomer: Oligomer, seed: int) -> tuple[FloatArray, float]:
    """Return AM1-BCC charges (Jakalian, Jack and Bayly 2002, doi:10.1002/jcc.10128), the mean over diverse conformers.

    AM1 is run at the MMFF94 geometry without optimising it: optimisation of a trimer takes 10 to 100 times longer.
    Measured on seven small molecules it would move a charge by at most 0.03 e, but by 0.29 e in dimethyl sulfone, whose
    AM1 geometry is far from the MMFF94 one.

    Parameters
    ----------
    oligomer
        The molecule.
    seed
        Of the conformer search.

    Returns
    -------
    Charges in e, shape (n,), and the largest standard deviation over conformers of a charge of the middle unit.

    Raises
    ------
    NumericsError
        No conformer, or antechamber failed: its last lines are in the message.
    """
    conformers = diverse_conformers(oligomer, CONFORMERS, seed)
    raw = np.array([_antechamber(conformers.mol, k, oligomer.name) for k in range(len(conformers.positions))])
    raw = conformers.in_order(raw)
    middle = oligomer.atoms_of(oligomer.middle)
    symmetric = np.array([class_means(row[middle], oligomer.classes[middle]) for row in raw])
    return neutral_units(oligomer, raw.mean(axis=0)), float(symmetric.std(axis=0).max())


def _antechamber(mol: Chem.Mol, conformer: int, name: str) -> FloatArray:
    root = _amber_home()
    assert root is not None
    command = [str(root / "bin" / "antechamber"), "-i", "in.sdf", "-fi", "sdf", "-o", "out.mol2", "-fo", "mol2"]
    command += ["-c", "bcc", "-nc", "0", "-ek", _SINGLE_POINT, "-s", "1", "-dr", "no", "-pf", "n"]
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        ids = [c.GetId() for c in mol.GetConformers()]
        (work / "in.sdf").write_text(Chem.MolToMolBlock(mol, confId=ids[conformer]) + "\n$$$$\n")
        try:
            done = subprocess.run(
                command, cwd=work, env=_environment(root), capture_output=True, text=True, timeout=_TIMEOUT
            )
        except subprocess.TimeoutExpired as error:
            raise _failed(name, f"no result within {_TIMEOUT:.0f} s") from error
        output = work / "out.mol2"
        if done.returncode or not output.exists():
            raise _failed(name, " ".join((done.stdout + done.stderr).split())[-300:])
        charges = _mol2_charges(output.read_text())
    if len(charges) != mol.GetNumAtoms():
        raise _failed(name, f"{len(charges)} charges for {mol.GetNumAtoms()} atoms")
    return charges


def _failed(name: str, why: str) -> NumericsError:
    reason = f"antechamber gave no AM1-BCC charges: {why}"
    return NumericsError(reason, subject=name, field="charges", remedy="charges: resp or mmff94")


def _mol2_charges(text: str) -> FloatArray:
    block = text.split("@<TRIPOS>ATOM", 1)[1].split("@<TRIPOS>", 1)[0]
    return np.array([float(line.split()[8]) for line in block.strip().splitlines()], dtype=np.float64)
