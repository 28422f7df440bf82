"""PSMILES in, repeat units out: parsing the spellings of the wild and refusing what is out of scope by name."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from rdkit import Chem, rdBase
from rdkit.Chem import rdqueries

from polyomics.errors import InputError, UnsupportedError
from polyomics.polymer.classes import classify
from polyomics.polymer.identity import certificate, key_of
from polyomics.polymer.topology import IntArray, Topology

ELEMENTS: frozenset[int] = frozenset({1, 6, 7, 8, 9, 15, 16, 17, 35, 53})
"""Atomic numbers that can be computed: H C N O F P S Cl Br I."""

MAX_ATOMS = 500
"""Largest repeat unit or small molecule accepted, in atoms with explicit H."""

_MAX_TEXT = 5000
_STAR = rdqueries.AtomNumEqualsQueryAtom(0)
_FIELD = "psmiles"
_PLAIN_BONDS = frozenset(
    {Chem.BondType.SINGLE, Chem.BondType.DOUBLE, Chem.BondType.TRIPLE, Chem.BondType.AROMATIC},
)
_EXAMPLE = "write exactly two connection points, for example *CC*"


@dataclass(frozen=True, eq=False)
class RepeatUnit:
    """A repeat unit as written, validated.

    Parameters
    ----------
    text
        The input string.
    mol
        Heavy atoms and explicit H, two dummy atoms (atomic number 0) being the last two atoms: head star, then tail
        star. The first star of ``text`` is the head. Chains are joined head to tail.
    canonical
        The certificate: canonical PSMILES of the primitive period (design decision 1).
    key
        Identity key derived from ``canonical``.
    polymer_class
        PoLyInfo-style class label, one of the 21.
    mass
        Mass of the repeat unit as written, g/mol.
    """

    text: str
    mol: Chem.Mol
    canonical: str
    key: str
    polymer_class: str
    mass: float


def parse(text: str) -> RepeatUnit:
    """Read a polymer SMILES with two connection points and refuse what cannot be computed.

    Parameters
    ----------
    text
        A repeat unit with its ends written ``*``, ``[*]``, ``[*:1]``, ``[1*]``, ``[Ce]``/``[Th]`` or ``[3H]``.

    Returns
    -------
    RepeatUnit
        Atom order of ``mol``: heavy atoms as written, then explicit H grouped by heavy atom, then head and tail star.

    Raises
    ------
    InputError
        The text is not a repeat unit (empty, not SMILES, impossible valence, wrong number of connection points).
    UnsupportedError
        A repeat unit outside the scope (elements, charges, radicals, isotopes, ladders, double-bond links, size).
    """
    core = repeat_core(text)
    canonical = certificate(core)
    full = Chem.AddHs(core)
    if full.GetNumAtoms() - 2 > MAX_ATOMS:
        raise _too_large(text, full.GetNumAtoms() - 2)
    stars = [atom.GetIdx() for atom in full.GetAtoms() if atom.GetAtomicNum() == 0]
    real = [atom.GetIdx() for atom in full.GetAtoms() if atom.GetAtomicNum() != 0]
    return RepeatUnit(
        text=text,
        mol=Chem.RenumberAtoms(full, real + stars),
        canonical=canonical,
        key=key_of(canonical),
        polymer_class=classify(core),
        mass=sum(float(atom.GetMass()) for atom in full.GetAtoms()),
    )


def repeat_core(text: str) -> Chem.Mol:
    """Return the validated repeat unit without explicit H, stars as plain dummy atoms in the order of the text.

    Raises as :func:`parse`; cheaper where only identity is wanted.
    """
    with rdBase.BlockLogs():
        mol = _read(text)
        _mark_stars(mol)
        _check_fragments(mol, text)
        _check_stars(mol, text)
        return _validated(mol, text)


def parse_molecule(smiles: str) -> Topology:
    """Read the SMILES of a small molecule under the element and charge rules of :func:`parse`.

    Returns
    -------
    Topology
        One residue without caps, heavy atoms as written, then explicit H grouped by heavy atom.
    """
    with rdBase.BlockLogs():
        mol = _read(smiles)
        if len(mol.GetAtomsMatchingQuery(_STAR)):
            raise InputError(
                "a small molecule has no connection points", subject=smiles, field="smiles", remedy="remove the stars"
            )
        _check_fragments(mol, smiles)
        full = Chem.AddHs(_validated(mol, smiles))
    if full.GetNumAtoms() > MAX_ATOMS:
        raise _too_large(smiles, full.GetNumAtoms())
    arrays = mol_arrays(full)
    n = len(arrays.numbers)
    return Topology(
        numbers=arrays.numbers,
        bonds=arrays.bonds,
        orders=arrays.orders,
        formal_charges=arrays.formal_charges,
        residues=np.zeros(n, dtype=np.int64),
        template_atoms=np.arange(n, dtype=np.int64),
        sequence=np.zeros(1, dtype=np.int64),
        units=(),
        name=smiles,
    )


@dataclass(frozen=True, eq=False)
class MolArrays:
    """The Kekulé graph of a molecule: atomic numbers (n,), bonds (m, 2) sorted, orders (m,), formal charges (n,)."""

    numbers: IntArray
    bonds: IntArray
    orders: IntArray
    formal_charges: IntArray


def mol_arrays(mol: Chem.Mol) -> MolArrays:
    """Kekulise a copy of ``mol`` and return its graph; dummy atoms have number 0."""
    kekule = Chem.Mol(mol)
    Chem.Kekulize(kekule, clearAromaticFlags=True)
    rows = sorted(
        (*sorted((b.GetBeginAtomIdx(), b.GetEndAtomIdx())), int(b.GetBondTypeAsDouble())) for b in kekule.GetBonds()
    )
    table = np.array(rows, dtype=np.int64).reshape(-1, 3)
    return MolArrays(
        numbers=np.array([a.GetAtomicNum() for a in kekule.GetAtoms()], dtype=np.int64),
        bonds=table[:, :2].copy(),
        orders=table[:, 2].copy(),
        formal_charges=np.array([a.GetFormalCharge() for a in kekule.GetAtoms()], dtype=np.int64),
    )


def _read(text: str) -> Chem.Mol:
    if not isinstance(text, str):
        raise InputError(f"not a text but {type(text).__name__}", subject=str(text), field=_FIELD, remedy=_EXAMPLE)
    if not text.strip():
        raise InputError("empty", subject=repr(text), field=_FIELD, remedy=_EXAMPLE)
    if len(text) > _MAX_TEXT:
        raise UnsupportedError(
            f"{len(text)} characters is too long for one repeat unit (limit {_MAX_TEXT})",
            subject=text[:40] + "...",
            field=_FIELD,
            remedy="give one repeat unit, not a whole chain",
        )
    if len(text.split()) > 1:
        raise InputError("contains white space", subject=text, field=_FIELD, remedy="give the SMILES alone")
    options = Chem.SmilesParserParams()
    for name in ("sanitize", "removeHs", "allowCXSMILES", "parseName"):
        setattr(options, name, False)
    mol = Chem.MolFromSmiles(text.strip(), options)
    if mol is None or mol.GetNumAtoms() == 0:
        raise InputError(
            "not readable as SMILES", subject=text, field=_FIELD, remedy="check brackets and ring closures"
        )
    return mol


def _mark_stars(mol: Chem.Mol) -> None:
    """Turn the connection points, however spelled, into dummy atoms; stars win over Ce/Th, those over 3H.

    The first two carry isotope labels 1 and 2, without which RDKit would see two equal neighbours on a backbone atom
    and drop its stereo mark.
    """
    atoms = list(mol.GetAtoms())
    numbers = [a.GetAtomicNum() for a in atoms]
    found = [a for a, z in zip(atoms, numbers, strict=True) if z == 0]
    found = found or [a for a, z in zip(atoms, numbers, strict=True) if z in (58, 90)]
    found = found or [a for a, z in zip(atoms, numbers, strict=True) if z == 1 and a.GetIsotope() == 3]
    for label, atom in enumerate(found, start=1):
        atom.SetAtomicNum(0)
        atom.SetIsotope(label)
        atom.SetNoImplicit(True)
    for atom in atoms:
        atom.SetAtomMapNum(0)


def _check_fragments(mol: Chem.Mol, text: str) -> None:
    fragments = len(Chem.GetMolFrags(mol))
    if fragments > 1:
        what = "a salt" if any(a.GetFormalCharge() for a in mol.GetAtoms()) else "a mixture"
        raise UnsupportedError(
            f"{fragments} separate fragments ({what})",
            subject=text,
            field=_FIELD,
            remedy="give one connected repeat unit without counter-ions or solvent",
        )


def _check_stars(mol: Chem.Mol, text: str) -> None:
    stars = list(mol.GetAtomsMatchingQuery(_STAR))
    if len(stars) < 2:
        count = "no connection point" if not stars else "one connection point only"
        raise InputError(count, subject=text, field=_FIELD, remedy=_EXAMPLE)
    if len(stars) > 2:
        raise UnsupportedError(
            f"{len(stars)} connection points: ladder (four-ended), branched or network polymers are not computed",
            subject=text,
            field=_FIELD,
            remedy="give a linear repeat unit with two connection points",
        )
    for star in stars:
        if star.GetDegree() != 1 or star.GetNumExplicitHs() or star.GetFormalCharge() or star.GetNumRadicalElectrons():
            raise InputError(
                "a connection point must have exactly one bond and neither H nor charge",
                subject=text,
                field=_FIELD,
                remedy=_EXAMPLE,
            )
        (bond,) = star.GetBonds()
        if bond.GetOtherAtom(star).GetAtomicNum() == 0:
            raise InputError(
                "the connection points are bonded to each other with nothing between them",
                subject=text,
                field=_FIELD,
                remedy=_EXAMPLE,
            )
        if bond.GetBondType() != Chem.BondType.SINGLE:
            raise UnsupportedError(
                f"units linked by a {bond.GetBondType().name.lower()} bond",
                subject=text,
                field=_FIELD,
                remedy="shift the frame so that a single bond links the units, for example *C=C* for *=CC=*",
            )


def _validated(mol: Chem.Mol, text: str) -> Chem.Mol:
    atoms = list(mol.GetAtoms())
    numbers = [atom.GetAtomicNum() for atom in atoms]
    _check_elements(numbers, text)
    if any(atom.GetIsotope() for atom, z in zip(atoms, numbers, strict=True) if z):
        raise UnsupportedError("isotope labels", subject=text, field=_FIELD, remedy="write the elements without mass")
    odd = sorted({bond.GetBondType() for bond in list(mol.GetBonds())} - _PLAIN_BONDS)
    if odd:
        raise UnsupportedError(
            f"{odd[0].name.lower()} bond",
            subject=text,
            field=_FIELD,
            remedy="use single, double, triple or aromatic bonds",
        )
    if mol.GetNumHeavyAtoms() > MAX_ATOMS:
        raise _too_large(text, mol.GetNumHeavyAtoms())
    try:
        Chem.SanitizeMol(mol)
    except Chem.MolSanitizeException as error:
        raise InputError(
            f"impossible chemistry: {error}", subject=text, field=_FIELD, remedy="check valences and aromatic rings"
        ) from error
    _check_electrons(atoms, text)
    if any(mark in text for mark in "@/\\"):
        Chem.AssignStereochemistry(mol, cleanIt=True, force=True)
    for atom, z in zip(atoms, numbers, strict=True):
        if z == 0:
            atom.SetIsotope(0)
    return Chem.RemoveHs(mol) if 1 in numbers else mol


def _check_elements(numbers: list[int], text: str) -> None:
    foreign = sorted(set(numbers) - ELEMENTS - {0})
    if foreign:
        table = Chem.GetPeriodicTable()
        names = ", ".join("silicon (Si)" if z == 14 else table.GetElementSymbol(z) for z in foreign)
        raise UnsupportedError(
            f"element {names} has no force field here",
            subject=text,
            field=_FIELD,
            remedy="use only H C N O F P S Cl Br I",
        )


def _check_electrons(atoms: list[Chem.Atom], text: str) -> None:
    charged = [(atom, atom.GetFormalCharge()) for atom in atoms if atom.GetFormalCharge()]
    net = sum(charge for _, charge in charged)
    if net:
        raise UnsupportedError(
            f"net charge {net:+d}", subject=text, field=_FIELD, remedy="give the neutral form; ions are not computed"
        )
    for atom, charge in charged:
        if not any(charge * near.GetFormalCharge() < 0 for near in atom.GetNeighbors()):
            raise UnsupportedError(
                f"ionic: {atom.GetSymbol()}{charge:+d} without an opposite charge on a bonded atom",
                subject=text,
                field=_FIELD,
                remedy="give the neutral form; nitro, N-oxide, diazo and azide groups are accepted",
            )
    radical = next((atom for atom in atoms if atom.GetNumRadicalElectrons()), None)
    if radical is not None:
        raise UnsupportedError(
            f"radical: unpaired electrons on {radical.GetSymbol()} (atom {radical.GetIdx() + 1} of the text)",
            subject=text,
            field=_FIELD,
            remedy="saturate the valence with H",
        )


def _too_large(text: str, atoms: int) -> UnsupportedError:
    return UnsupportedError(
        f"{atoms} atoms in one unit (limit {MAX_ATOMS})",
        subject=text if len(text) <= 80 else text[:77] + "...",
        field=_FIELD,
        remedy="give one repeat unit, not a whole chain",
    )
