"""Antechamber of the acpype wheel as an independent typing engine, and the comparison of two typings of a molecule."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from rdkit import Chem

if TYPE_CHECKING:
    from collections.abc import Sequence

PAIRS = {"cd": "cc", "cf": "ce", "ch": "cg", "cq": "cp", "nd": "nc", "nf": "ne", "pd": "pc", "pf": "pe"}
HELP = "install the extra polyomics[test]; the programs inside may need liblapack3, libarpack2 and libgfortran5"


def amber_home() -> Path:
    """Return the folder of the AmberTools programs, or fail saying how to get them."""
    spec = find_spec("acpype")
    if spec is None or spec.origin is None:
        raise AssertionError(f"the reference engine is not installed: {HELP}")
    return Path(spec.origin).parent / "amber_linux"


def reference_types(mol: Chem.Mol, folder: Path) -> tuple[str, ...]:
    """Return antechamber's GAFF2 types of a Kekulé molecule; bond orders are taken as they are, coordinates unused."""
    home = amber_home()
    drawn = Chem.Mol(mol)
    drawn.RemoveAllConformers()
    layout = Chem.Conformer(mol.GetNumAtoms())
    for atom in range(mol.GetNumAtoms()):
        layout.SetAtomPosition(atom, (1.5 * (atom % 30), 1.5 * (atom // 30), 0.0))
    drawn.AddConformer(layout)
    (folder / "in.sdf").write_text(Chem.MolToMolBlock(drawn, kekulize=False) + "\n$$$$\n")
    output = folder / "out.ac"
    output.unlink(missing_ok=True)
    files = ["-i", "in.sdf", "-fi", "sdf", "-o", "out.ac", "-fo", "ac"]
    choices = ["-at", "gaff2", "-j", "5", "-dr", "no", "-pf", "y", "-nc", "0"]
    program = home / "bin" / "wrapped_progs" / "antechamber"
    try:
        run = subprocess.run(
            [str(program), *files, *choices],
            cwd=folder,
            env={**os.environ, "AMBERHOME": str(home)},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
    except OSError as error:
        raise AssertionError(f"antechamber does not start ({error}): {HELP}") from error
    if run.returncode or not output.exists():
        raise AssertionError(f"antechamber failed: {HELP}\n{run.stdout[-600:]}\n{run.stderr[-600:]}")
    return tuple(line.split()[-1] for line in output.read_text().splitlines() if line.startswith("ATOM"))


@dataclass(frozen=True)
class Difference:
    """Atoms of one molecule that two typings disagree on, after the best swap of each conjugated system.

    Parameters
    ----------
    kinds
        (reference, ours) of atoms of different kind.
    miscoloured
        Number of atoms of equal kind, but in the other colour.
    contradictions
        Number of bonds whose colours break the rule of pair types: in the reference and in ours, in the systems that
        differ.
    """

    kinds: tuple[tuple[str, str], ...]
    miscoloured: int
    contradictions: tuple[int, int]

    @property
    def atoms(self) -> int:
        """Number of atoms that differ."""
        return len(self.kinds) + self.miscoloured


def compare(mol: Chem.Mol, reference: Sequence[str], ours: Sequence[str]) -> Difference:
    """Compare two typings of a Kekulé molecule."""
    kinds = tuple(
        (one, two) for one, two in zip(reference, ours, strict=True) if PAIRS.get(one, one) != PAIRS.get(two, two)
    )
    miscoloured, wrong = 0, [0, 0]
    for system, bonds in conjugated_systems(mol, reference, ours):
        swapped = sum(reference[atom] != ours[atom] for atom in system)
        if fewest := min(swapped, len(system) - swapped):
            miscoloured += fewest
            for which, types in enumerate((reference, ours)):
                wrong[which] += sum((colour(types[i]) == colour(types[j])) != same for i, j, same in bonds)
    return Difference(kinds, miscoloured, (wrong[0], wrong[1]))


def colour(name: str) -> bool:
    """Return the colour of a pair type."""
    return name in PAIRS


def conjugated_systems(
    mol: Chem.Mol, reference: Sequence[str], ours: Sequence[str]
) -> list[tuple[set[int], list[tuple[int, int, bool]]]]:
    """Return the connected sets of atoms that both typings call pairs, with their bonds and whether colours agree."""
    firsts = set(PAIRS.values())
    kind = [
        PAIRS.get(one, one) if PAIRS.get(one, one) == PAIRS.get(two, two) in firsts else ""
        for one, two in zip(reference, ours, strict=True)
    ]
    aromatic = {
        bond
        for ring in mol.GetRingInfo().BondRings()
        if len(ring) == 6
        for bond in ring
        if all(kind[a] == "cp" for a in _ends(mol, bond))
    }
    home = {atom: {atom} for atom, name in enumerate(kind) if name}
    bonds: list[tuple[int, int, bool]] = []
    for bond in mol.GetBonds():
        i, j = _ends(mol, bond.GetIdx())
        if not (kind[i] and kind[j]) or (kind[i] == "cp") != (kind[j] == "cp"):
            continue
        same = bond.GetIdx() not in aromatic if kind[i] == "cp" else bond.GetBondTypeAsDouble() == 1
        bonds.append((i, j, same))
        merged = home[i] | home[j]
        for atom in merged:
            home[atom] = merged
    systems = {id(system): system for system in home.values()}.values()
    return [(system, [bond for bond in bonds if bond[0] in system]) for system in systems]


def _ends(mol: Chem.Mol, bond: int) -> tuple[int, int]:
    found = mol.GetBondWithIdx(bond)
    return found.GetBeginAtomIdx(), found.GetEndAtomIdx()
