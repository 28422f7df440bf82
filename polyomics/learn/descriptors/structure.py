"""Owns structure descriptors of a polymer: circular environments, RDKit's 2D set and composition of the unit.

All are taken from the inside of H-capped oligomers of the primitive unit, per heavy atom where they are extensive, so
that neither the frame in which a polymer is written nor the ends of the oligomer show.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from rdkit import Chem, DataStructs
from rdkit.Chem import Fragments, rdFingerprintGenerator, rdMolDescriptors

from polyomics.polymer import chain, to_rdkit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polyomics.learn.descriptors.kernel_mean import Floats
    from polyomics.polymer import RepeatUnit

MORGAN_BITS = 2048
RADIUS = 3

_VOLUMES = {
    1: 7.24, 5: 40.48, 6: 20.58, 7: 15.60, 8: 14.71, 9: 13.31, 14: 38.79, 15: 24.43, 16: 24.43, 17: 22.45,
    32: 40.0, 33: 26.52, 34: 28.73, 35: 26.52, 50: 45.83, 52: 36.62, 53: 32.52,
}  # fmt: skip
"""Van der Waals volume increments, A^3 (Zhao et al., J. Org. Chem. 68, 7368, 2003; Ge and Sn from radii)."""
_PACKING = 0.681
"""Van Krevelen's mean packing fraction of amorphous polymers, which turns volumes into an estimate of density."""
_AVOGADRO = 0.602214
_ELEMENTS = (5, 6, 7, 8, 9, 14, 15, 16, 17, 32, 35, 53)


def oligomer(unit: RepeatUnit, before: int, after: int) -> tuple[Chem.Mol, list[int]]:
    """Return the H-capped oligomer with implicit H, and the heavy atoms of its unit number ``before``."""
    topology = chain(unit, before + 1 + after)
    mol = to_rdkit(topology)
    for atom, residue in zip(mol.GetAtoms(), topology.residues.tolist(), strict=True):
        atom.SetIntProp("residue", residue)
    heavy = Chem.RemoveHs(mol)
    return heavy, [atom.GetIdx() for atom in heavy.GetAtoms() if atom.GetIntProp("residue") == before]


def backbone_length(unit: RepeatUnit) -> int:
    """Return the number of main-chain atoms of a unit along the shortest path."""
    n = unit.mol.GetNumAtoms()
    return len(Chem.GetShortestPath(unit.mol, n - 2, n - 1)) - 2


def morgan_counts(unit: RepeatUnit) -> Floats:
    """Return counts of the circular environments of radius 0 to 3 of a unit's atoms per heavy atom, shape (2048,).

    Environments are those of the endless chain: redundant ones are kept, so a count does not depend on atom order.
    """
    side = -(-(RADIUS + 1) // backbone_length(unit))
    mol, own = oligomer(unit, side, side)
    counts = _generator().GetCountFingerprint(mol, fromAtoms=own)
    values = np.zeros(MORGAN_BITS)
    DataStructs.ConvertToNumpyArray(counts, values)
    return values / len(own)


@lru_cache(maxsize=1)
def _generator() -> Any:
    return rdFingerprintGenerator.GetMorganGenerator(
        radius=RADIUS, fpSize=MORGAN_BITS, includeRedundantEnvironments=True, countSimulation=False
    )


@lru_cache(maxsize=1)
def _properties() -> Any:
    names = [n for n in rdMolDescriptors.Properties.GetAvailableProperties() if n not in ("FractionCSP3", "Phi")]
    return rdMolDescriptors.Properties(names)


@lru_cache(maxsize=1)
def _fragments() -> tuple[tuple[str, Any], ...]:
    return tuple(sorted((name, getattr(Fragments, name)) for name in dir(Fragments) if name.startswith("fr_")))


def rdkit_names() -> tuple[str, ...]:
    """Return the names of :func:`rdkit_2d`, all increments per heavy atom but the last."""
    bins = [f"{kind}_VSA{i}" for kind, n in (("SlogP", 12), ("SMR", 10), ("PEOE", 14)) for i in range(1, n + 1)]
    return (*_properties().GetPropertyNames(), *bins, *(name for name, _ in _fragments()), "FractionCSP3")


def rdkit_2d(unit: RepeatUnit) -> Floats:
    """Return RDKit's 2D descriptors: what one more unit adds to an oligomer, per heavy atom."""
    n = max(1, -(-6 // backbone_length(unit)))
    small, large = (oligomer(unit, n - 1, k)[0] for k in (0, 1))
    per_unit = large.GetNumHeavyAtoms() - small.GetNumHeavyAtoms()
    values = (_extensive(large) - _extensive(small)) / per_unit
    return np.append(np.nan_to_num(values), rdMolDescriptors.CalcFractionCSP3(large))


def _extensive(mol: Chem.Mol) -> Floats:
    return np.array(
        [
            *_properties().ComputeProperties(mol),
            *rdMolDescriptors.SlogP_VSA_(mol),
            *rdMolDescriptors.SMR_VSA_(mol),
            *rdMolDescriptors.PEOE_VSA_(mol),
            *(count(mol) for _, count in _fragments()),
        ],
        dtype=np.float64,
    )


UNIT_NAMES = (
    *(f"x_{Chem.GetPeriodicTable().GetElementSymbol(z)}" for z in _ELEMENTS),
    *("x_H", "C_sp3", "C_sp2", "C_aromatic", "C_sp", "CH3", "CF3", "quaternary", "in_ring", "fused"),
    *("backbone", "backbone_ring", "backbone_aromatic", "rotatable", "donors", "acceptors", "carbonyl"),
    *("log_side", "volume", "density_estimate", "refraction_per_volume", "index_estimate", "polar_per_volume", "logp"),
    *("inverse_mass_per_backbone", "heaviest"),
)


def unit_descriptors(unit: RepeatUnit) -> Floats:
    """Return composition, architecture and group-contribution estimates of the unit, shape (len(UNIT_NAMES),).

    Volumes are those of Zhao et al. 2003 (atoms, -5.92 A^3 per bond, -14.7 and -3.8 per aromatic and other ring);
    density and refractive index are estimated from them at one packing fraction (van Krevelen), molar refraction by
    Crippen.
    """
    side = -(-3 // backbone_length(unit))
    mol, own = oligomer(unit, side, side)
    atoms = [mol.GetAtomWithIdx(i) for i in own]
    n = len(own)
    path = set(Chem.GetShortestPath(mol, *_far_ends(mol))) & set(own)
    volume, mass, refraction, logp, polar = _sizes(mol, own, atoms)
    molar_volume = volume * _AVOGADRO / _PACKING
    ratio = min(refraction / molar_volume, 0.6)
    carbon = [a for a in atoms if a.GetAtomicNum() == 6]
    single = [b for a in atoms for b in a.GetBonds() if b.GetBondType() == Chem.BondType.SINGLE and not b.IsInRing()]
    rotors = sum(b.GetBeginAtom().GetDegree() > 1 and b.GetEndAtom().GetDegree() > 1 for b in single) / 2
    hyb = Chem.HybridizationType
    shares = [
        *(sum(a.GetAtomicNum() == z for a in atoms) for z in _ELEMENTS),
        sum(a.GetTotalNumHs() for a in atoms),
        sum(a.GetHybridization() == hyb.SP3 for a in carbon),
        sum(a.GetHybridization() == hyb.SP2 and not a.GetIsAromatic() for a in carbon),
        sum(a.GetIsAromatic() for a in carbon),
        sum(a.GetHybridization() == hyb.SP for a in carbon),
        sum(a.GetTotalNumHs() == 3 for a in carbon),
        sum(sum(x.GetAtomicNum() == 9 for x in a.GetNeighbors()) == 3 for a in carbon),
        sum(a.GetDegree() == 4 for a in carbon),
        sum(a.IsInRing() for a in atoms),
        sum(mol.GetRingInfo().NumAtomRings(i) > 1 for i in own),
        len(path),
        sum(mol.GetAtomWithIdx(i).IsInRing() for i in path),
        sum(mol.GetAtomWithIdx(i).GetIsAromatic() for i in path),
        rotors,
        sum(a.GetAtomicNum() in (7, 8) and a.GetTotalNumHs() > 0 for a in atoms),
        sum(a.GetAtomicNum() in (7, 8) for a in atoms),
        sum(any(b.GetBondTypeAsDouble() == 2 and b.GetOtherAtom(a).GetAtomicNum() == 8 for b in a.GetBonds())
            for a in carbon),
    ]  # fmt: skip
    sizes = [
        math.log(n / max(1, len(path))),
        volume / n,
        mass / molar_volume,
        refraction / molar_volume,
        math.sqrt((1 + 2 * ratio) / (1 - ratio)),
        polar / volume,
        logp / n,
        len(path) / mass,
        math.log(max(a.GetAtomicNum() for a in atoms)),
    ]
    return np.concatenate([np.array(shares, dtype=np.float64) / n, sizes])


def _far_ends(mol: Chem.Mol) -> tuple[int, int]:
    """Return the first heavy atom and the last: units are numbered along the chain."""
    first = [a.GetIdx() for a in mol.GetAtoms() if a.GetIntProp("residue") == 0]
    top = max(a.GetIntProp("residue") for a in mol.GetAtoms())
    last = [a.GetIdx() for a in mol.GetAtoms() if a.GetIntProp("residue") == top]
    return first[0], last[-1]


def _sizes(mol: Chem.Mol, own: Sequence[int], atoms: Sequence[Chem.Atom]) -> tuple[float, float, float, float, float]:
    """Return van der Waals volume (A^3), mass (g/mol), molar refraction (cm^3/mol), log P and polar area of a unit."""
    table = Chem.GetPeriodicTable()
    members = set(own)
    hydrogens = sum(a.GetTotalNumHs() for a in atoms)
    inner = sum(b.GetBeginAtomIdx() in members and b.GetEndAtomIdx() in members for b in mol.GetBonds())
    crossing = sum((b.GetBeginAtomIdx() in members) != (b.GetEndAtomIdx() in members) for b in mol.GetBonds())
    rings = [ring for ring in mol.GetRingInfo().AtomRings() if members.issuperset(ring)]
    aromatic = sum(all(mol.GetAtomWithIdx(i).GetIsAromatic() for i in ring) for ring in rings)
    volume = sum(_VOLUMES.get(a.GetAtomicNum(), 4.19 * table.GetRvdw(a.GetAtomicNum()) ** 3) for a in atoms)
    volume += hydrogens * _VOLUMES[1] - 5.92 * (inner + 0.5 * crossing + hydrogens)
    volume -= 14.7 * aromatic + 3.8 * (len(rings) - aromatic)
    mass = sum(a.GetMass() for a in atoms) + hydrogens * table.GetAtomicWeight(1)
    contributions = rdMolDescriptors._CalcCrippenContribs(Chem.AddHs(mol))
    full = Chem.AddHs(mol)
    parents = [a.GetIdx() if a.GetAtomicNum() > 1 else a.GetNeighbors()[0].GetIdx() for a in full.GetAtoms()]
    logp = sum(c[0] for c, p in zip(contributions, parents, strict=True) if p in members)
    refraction = sum(c[1] for c, p in zip(contributions, parents, strict=True) if p in members)
    area = rdMolDescriptors._CalcTPSAContribs(mol)
    return volume, mass, refraction, logp, sum(area[i] for i in own)


def molecule_descriptors(smiles: str) -> Floats:
    """Return descriptors of a solvent: RDKit 2D per heavy atom, its size, and Morgan counts folded to 256."""
    from polyomics.polymer.reading import molecule_core

    mol = molecule_core(smiles)
    n = mol.GetNumHeavyAtoms()
    counts = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=256).GetCountFingerprint(mol)
    folded = np.zeros(256)
    DataStructs.ConvertToNumpyArray(counts, folded)
    size = [
        math.log(n),
        rdMolDescriptors.CalcCrippenDescriptors(mol)[1],
        rdMolDescriptors.CalcExactMolWt(mol),
        rdMolDescriptors.CalcLabuteASA(mol),
    ]
    return np.concatenate([np.nan_to_num(_extensive(mol)) / n, size, folded])
