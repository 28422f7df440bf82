"""Owns the geometries at which electrons are treated: diverse conformers, the same for every spelling of a molecule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from rdkit import Chem
from rdkit.Chem import rdDistGeom, rdForceFieldHelpers, rdMolAlign, rdMolTransforms

from polyomics.errors import NumericsError

if TYPE_CHECKING:
    from polyomics.forcefield.charges.oligomer import Oligomer
    from polyomics.polymer.topology import FloatArray, IntArray

_TRIALS = 40
_WINDOW = 10.0
"""Conformers this far (kcal/mol) above the lowest are still used."""
_SAME = 0.25
"""Heavy-atom RMSD in Å below which two conformers are one."""


@dataclass(frozen=True, eq=False)
class Conformers:
    """Geometries of one molecule in canonical atom order.

    Parameters
    ----------
    mol
        The molecule with the chosen conformers, explicit H.
    origin
        ``origin[k]`` is the atom of the oligomer that is atom ``k`` here, shape (n,).
    positions
        Å, shape (n_conformers, n, 3).
    """

    mol: Chem.Mol
    origin: IntArray
    positions: FloatArray

    def in_order(self, values: FloatArray) -> FloatArray:
        """Return per-atom values, shape (..., n), in the atom order of the oligomer."""
        result = np.empty_like(values)
        result[..., self.origin] = values
        return result


def diverse_conformers(oligomer: Oligomer, count: int, seed: int) -> Conformers:
    """Embed (ETKDG v3), relax (MMFF94, else UFF) and choose up to ``count`` conformers.

    Within 10 kcal/mol of the lowest, the most extended one comes first: coiled conformers in vacuum bury the middle
    unit and close hydrogen bonds that a melt does not have. Each next one is the farthest (heavy-atom RMSD) from those
    chosen. The molecule is rebuilt from its canonical SMILES first, so that the result does not depend on the order
    in which atoms were written.

    Raises
    ------
    NumericsError
        No conformer could be embedded.
    """
    mol, origin = _canonical_copy(oligomer.mol)
    options = rdDistGeom.ETKDGv3()
    settings = {"randomSeed": seed + 1, "numThreads": 1, "useRandomCoords": True}
    for name, value in settings.items():
        setattr(options, name, value)  # the stubs declare wrong types
    found = list(rdDistGeom.EmbedMultipleConfs(mol, _TRIALS, options))
    if not found:
        reason = "no conformer could be embedded"
        raise NumericsError(reason, subject=oligomer.name, field="charges", remedy="another seed, or charges: mmff94")
    energies = _relax(mol)
    for conformer in mol.GetConformers():
        rdMolTransforms.CanonicalizeConformer(conformer)
    positions = np.array([conformer.GetPositions() for conformer in mol.GetConformers()])
    chosen = _choose(mol, energies, positions, count)
    kept = [mol.GetConformer(found[k]) for k in chosen]
    copy = Chem.Mol(mol)
    copy.RemoveAllConformers()
    for conformer in kept:
        copy.AddConformer(conformer, assignId=True)
    return Conformers(copy, origin, positions[chosen])


def _canonical_copy(mol: Chem.Mol) -> tuple[Chem.Mol, IntArray]:
    smiles = Chem.MolToSmiles(mol)
    origin = np.array(list(mol.GetPropsAsDict(True, True)["_smilesAtomOutputOrder"]), dtype=np.int64)
    parser = Chem.SmilesParserParams()
    setattr(parser, "removeHs", False)  # noqa: B010 - the stubs declare a wrong type
    return Chem.MolFromSmiles(smiles, parser), origin


def _relax(mol: Chem.Mol) -> FloatArray:
    if rdForceFieldHelpers.MMFFHasAllMoleculeParams(mol):
        results = rdForceFieldHelpers.MMFFOptimizeMoleculeConfs(mol, numThreads=1, maxIters=2000)
    else:
        results = rdForceFieldHelpers.UFFOptimizeMoleculeConfs(mol, numThreads=1, maxIters=2000)
    return np.array([energy for _, energy in results])


def _choose(mol: Chem.Mol, energies: FloatArray, positions: FloatArray, count: int) -> list[int]:
    heavy = [atom.GetIdx() for atom in mol.GetAtoms() if atom.GetAtomicNum() > 1]
    allowed = np.flatnonzero(energies <= energies.min() + _WINDOW)
    centred = positions[:, heavy] - positions[:, heavy].mean(axis=1, keepdims=True)
    extent = (centred**2).sum(axis=(1, 2))
    # Extents that differ by rounding only must not decide: the lower energy does.
    order = sorted(allowed.tolist(), key=lambda k: (-round(float(extent[k]), 1), float(energies[k])))
    chosen = [order[0]]
    distance = _rmsd_to(mol, heavy, order[0])
    while len(chosen) < count:
        best = max(order, key=lambda k: round(float(distance[k]), 3))
        if distance[best] < _SAME:
            break
        chosen.append(best)
        distance = np.minimum(distance, _rmsd_to(mol, heavy, best))
    return chosen


def _rmsd_to(mol: Chem.Mol, heavy: list[int], reference: int) -> FloatArray:
    ids = [conformer.GetId() for conformer in mol.GetConformers()]
    pairs = [(i, i) for i in heavy]
    target = Chem.Mol(mol, confId=ids[reference])
    return np.array([rdMolAlign.AlignMol(Chem.Mol(mol, confId=k), target, atomMap=pairs) for k in ids])
