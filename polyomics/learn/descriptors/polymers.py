"""Owns the polymer as learning sees it: any sound repeat unit, whether the simulations can compute it or not."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import fsum

from rdkit import Chem, rdBase
from rdkit.Chem import rdqueries

from polyomics.errors import InputError, UnsupportedError
from polyomics.polymer import RepeatUnit, certificate, key_of, parse
from polyomics.polymer.classes import classify

_STAR = rdqueries.AtomNumEqualsQueryAtom(0)


@dataclass(frozen=True, eq=False)
class LearnPolymer:
    """A repeat unit for descriptors.

    Parameters
    ----------
    unit
        The repeat unit in its primitive period, so that ``*CC*`` and ``*CCCC*`` have the same descriptors.
    text
        As written by the user.
    refused
        Why the simulations refuse it (an element such as Si); empty where they do not.
    """

    unit: RepeatUnit
    text: str
    refused: str = ""

    @property
    def key(self) -> str:
        """Identity key of the store."""
        return self.unit.key

    @property
    def elements(self) -> frozenset[str]:
        """Symbols of its elements, H included."""
        return frozenset(atom.GetSymbol() for atom in self.unit.mol.GetAtoms() if atom.GetAtomicNum())


@lru_cache(maxsize=200_000)
def read_polymer(text: str) -> LearnPolymer:
    """Read a polymer SMILES, leniently: elements and charges the force field refuses are accepted and marked.

    Raises
    ------
    InputError
        The text is not a repeat unit with two singly bonded connection points.
    """
    try:
        unit = parse(text)
        refused = ""
    except UnsupportedError as error:
        unit, refused = _lenient(text), error.reason
    if unit.canonical != text:
        unit = _from_core(_core(unit.canonical), unit.canonical)
    return LearnPolymer(unit, text, refused)


def _lenient(text: str) -> RepeatUnit:
    core = _core(text)
    return _from_core(core, certificate(core))


def _core(text: str) -> Chem.Mol:
    with rdBase.BlockLogs():
        mol = Chem.MolFromSmiles(text)
    if mol is None:
        raise InputError("not readable as SMILES", subject=text, field="psmiles", remedy="check the text")
    stars = list(mol.GetAtomsMatchingQuery(_STAR))
    single = all(star.GetDegree() == 1 and star.GetBonds()[0].GetBondType() == Chem.BondType.SINGLE for star in stars)
    if len(stars) != 2 or not single or mol.GetNumAtoms() < 3 or len(Chem.GetMolFrags(mol)) > 1:
        raise InputError(
            f"{len(stars)} connection points, or one that is not a single bond of a connected unit",
            subject=text,
            field="psmiles",
            remedy="write one unit with exactly two connection points, for example *CC*",
        )
    for star in stars:
        star.SetIsotope(0)
        star.SetAtomMapNum(0)
    return mol


def _from_core(core: Chem.Mol, canonical: str) -> RepeatUnit:
    full = Chem.AddHs(core)
    numbers = [atom.GetAtomicNum() for atom in full.GetAtoms()]
    stars = [index for index, number in enumerate(numbers) if number == 0]
    real = [index for index, number in enumerate(numbers) if number]
    return RepeatUnit(
        text=canonical,
        mol=Chem.RenumberAtoms(full, real + stars),
        canonical=canonical,
        key=key_of(canonical),
        polymer_class=classify(core),
        mass=fsum(atom.GetMass() for atom in full.GetAtoms()),
    )
