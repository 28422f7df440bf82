"""From text to a sound molecule: reads SMILES with connection points and refuses, by name, what is out of scope."""

from __future__ import annotations

from dataclasses import dataclass

from rdkit import Chem, rdBase
from rdkit.Chem import rdqueries

from polyomics.errors import InputError, UnsupportedError

ELEMENTS: frozenset[int] = frozenset({1, 6, 7, 8, 9, 15, 16, 17, 35, 53})
"""Atomic numbers that can be computed: H C N O F P S Cl Br I."""

MAX_ATOMS = 500
"""Largest repeat unit or small molecule accepted, in atoms with explicit H."""

_MAX_TEXT = 5000
_SHOWN = 300
_STAR = rdqueries.AtomNumEqualsQueryAtom(0)
_STAR_SPELLINGS = (_STAR, Chem.AtomFromSmarts("[#58,#90]"), Chem.AtomFromSmarts("[3#1]"))
_CHARGED = Chem.AtomFromSmarts("[!+0]")
_RADICAL = rdqueries.NumRadicalElectronsGreaterQueryAtom(0)
_PLAIN_BONDS = frozenset(
    {Chem.BondType.SINGLE, Chem.BondType.DOUBLE, Chem.BondType.TRIPLE, Chem.BondType.AROMATIC},
)
_EXAMPLE = "write exactly two connection points, for example *CC*"


@dataclass(frozen=True)
class _Source:
    """The text being read and the input field it came from: what every refusal names."""

    text: str
    field: str

    @property
    def subject(self) -> str:
        if not self.text.strip():
            return repr(self.text)
        return self.text if len(self.text) <= _SHOWN else self.text[: _SHOWN - 3] + "..."

    def wrong(self, reason: str, remedy: str) -> InputError:
        return InputError(reason, subject=self.subject, field=self.field, remedy=remedy)

    def outside(self, reason: str, remedy: str) -> UnsupportedError:
        return UnsupportedError(reason, subject=self.subject, field=self.field, remedy=remedy)

    def too_large(self, atoms: int) -> UnsupportedError:
        return self.outside(f"{atoms} atoms in one unit (limit {MAX_ATOMS})", "give one repeat unit, not a whole chain")


def repeat_core(text: str) -> Chem.Mol:
    """Return a repeat unit with implicit H, its two stars plain dummy atoms in the order of the text.

    Parameters
    ----------
    text
        A repeat unit with its ends written ``*``, ``[*]``, ``[*:1]``, ``[1*]``, ``[Ce]``/``[Th]`` or ``[3H]``.

    Raises
    ------
    InputError
        The text is not a repeat unit (empty, not SMILES, impossible valence, wrong number of connection points).
    UnsupportedError
        A repeat unit outside the scope (elements, charges, radicals, isotopes, ladders, double-bond links, size).
    """
    source = _source(text, "psmiles")
    with rdBase.BlockLogs():
        mol = _read(source)
        _mark_stars(mol)
        _check_fragments(mol, source)
        _check_star_count(mol, source)
        _check_stars(mol, source)
        return _validated(mol, source)


def molecule_core(smiles: str) -> Chem.Mol:
    """Return a small molecule with implicit H; rules and errors of :func:`repeat_core`, without stars."""
    source = _source(smiles, "smiles")
    with rdBase.BlockLogs():
        mol = _read(source)
        if len(mol.GetAtomsMatchingQuery(_STAR)):
            raise source.wrong("a small molecule has no connection points", "remove the stars")
        _check_fragments(mol, source)
        return _validated(mol, source)


def end_group_core(text: str) -> Chem.Mol:
    """Return an end group with implicit H and one star; rules and errors of :func:`repeat_core`."""
    source = _source(text, "end_groups")
    with rdBase.BlockLogs():
        mol = _read(source)
        _mark_stars(mol)
        _check_fragments(mol, source)
        stars = len(mol.GetAtomsMatchingQuery(_STAR))
        if stars != 1 or mol.GetNumAtoms() < 2:
            raise source.wrong(
                f"an end group is a group with one star, this has {stars}", "for example *[H], *C or *OC"
            )
        _check_stars(mol, source)
        return _validated(mol, source)


def _source(text: object, field: str) -> _Source:
    if not isinstance(text, str):
        raise _Source(str(text), field).wrong(f"not a text but {type(text).__name__}", "put the SMILES in quotes")
    return _Source(text, field)


def _read(source: _Source) -> Chem.Mol:
    text = source.text.strip()
    if not text:
        raise source.wrong("empty", "give a SMILES")
    if len(text) > _MAX_TEXT:
        raise source.outside(
            f"{len(text)} characters are too long for one unit (limit {_MAX_TEXT})",
            "give one repeat unit, not a whole chain",
        )
    if len(text.split()) > 1:
        raise source.wrong("contains white space", "give the SMILES alone")
    options = Chem.SmilesParserParams()
    for name in ("sanitize", "removeHs", "allowCXSMILES", "parseName"):
        setattr(options, name, False)
    mol = Chem.MolFromSmiles(text, options)
    if mol is None or mol.GetNumAtoms() == 0:
        raise source.wrong("not readable as SMILES", "check brackets, ring closures and element symbols")
    return mol


def _mark_stars(mol: Chem.Mol) -> None:
    """Turn the connection points, however spelled, into dummy atoms; stars win over Ce/Th, those over 3H.

    They carry isotope labels 1 and 2, without which RDKit would see two equal neighbours on a backbone atom and drop
    its stereo mark.
    """
    found = next((atoms for kind in _STAR_SPELLINGS if (atoms := list(mol.GetAtomsMatchingQuery(kind)))), [])
    for label, atom in enumerate(found, start=1):
        atom.SetAtomicNum(0)
        atom.SetIsotope(label)
        atom.SetNoImplicit(True)


def _check_fragments(mol: Chem.Mol, source: _Source) -> None:
    fragments = len(Chem.GetMolFrags(mol))
    if fragments > 1:
        what = "a salt" if any(a.GetFormalCharge() for a in mol.GetAtoms()) else "a mixture"
        raise source.outside(
            f"{fragments} separate fragments ({what})", "give one connected unit without counter-ions or solvent"
        )


def _check_star_count(mol: Chem.Mol, source: _Source) -> None:
    stars = len(mol.GetAtomsMatchingQuery(_STAR))
    if stars < 2:
        raise source.wrong("no connection point" if not stars else "one connection point only", _EXAMPLE)
    if stars > 2:
        raise source.outside(
            f"{stars} connection points: ladder (four-ended), branched and network polymers are not computed",
            "give a linear repeat unit with two connection points",
        )


def _check_stars(mol: Chem.Mol, source: _Source) -> None:
    for star in mol.GetAtomsMatchingQuery(_STAR):
        bare = not (star.GetNumExplicitHs() or star.GetFormalCharge() or star.GetNumRadicalElectrons())
        if star.GetDegree() != 1 or not bare:
            raise source.wrong("a connection point must have exactly one bond and neither H nor charge", _EXAMPLE)
        (bond,) = star.GetBonds()
        if bond.GetOtherAtom(star).GetAtomicNum() == 0:
            raise source.wrong("the connection points are bonded to each other with nothing between them", _EXAMPLE)
        if bond.GetBondType() != Chem.BondType.SINGLE:
            raise source.outside(
                f"units linked by a {bond.GetBondType().name.lower()} bond",
                "shift the frame so that a single bond links the units, for example *C=C* for *=CC=*",
            )


def _validated(mol: Chem.Mol, source: _Source) -> Chem.Mol:
    """Check elements, bonds, size, valences, charges and radicals; return the molecule with implicit H."""
    atoms = list(mol.GetAtoms())
    numbers = [atom.GetAtomicNum() for atom in atoms]
    _check_elements(numbers, source)
    if any(atom.GetIsotope() for atom, z in zip(atoms, numbers, strict=True) if z):
        raise source.outside("isotope labels", "write the elements without mass numbers")
    odd = sorted({bond.GetBondType() for bond in list(mol.GetBonds())} - _PLAIN_BONDS)
    if odd:
        raise source.outside(f"{odd[0].name.lower()} bond", "use single, double, triple or aromatic bonds")
    if mol.GetNumHeavyAtoms() > MAX_ATOMS:
        raise source.too_large(mol.GetNumHeavyAtoms())
    _sanitise(mol, source)
    _check_electrons(mol, source)
    total = len(numbers) - numbers.count(0) + sum(atom.GetTotalNumHs() for atom in atoms)
    if total > MAX_ATOMS:
        raise source.too_large(total)
    if any(mark in source.text for mark in "@/\\"):
        Chem.AssignStereochemistry(mol, cleanIt=True, force=True)
    for star in mol.GetAtomsMatchingQuery(_STAR):
        star.SetIsotope(0)
    if ":" in source.text:
        for atom in atoms:
            atom.SetAtomMapNum(0)
    return _with_implicit_h(mol) if 1 in numbers else mol


def _sanitise(mol: Chem.Mol, source: _Source) -> None:
    try:
        Chem.SanitizeMol(mol)
        kekule = Chem.Mol(mol)
        if "#" in source.text or ":" in source.text:
            # RDKit lets a triple bond in an aromatic ring and an aromatic bond outside one pass: the Kekulé form tells.
            Chem.Kekulize(kekule, clearAromaticFlags=True)
            kekule.UpdatePropertyCache(strict=True)
    except Chem.MolSanitizeException as error:
        raise source.wrong(f"impossible chemistry: {error}", "check valences and aromatic rings") from error
    if ":" in source.text and any(b.GetBondType() == Chem.BondType.AROMATIC for b in kekule.GetBonds()):
        raise source.wrong("impossible chemistry: aromatic bond outside a ring", "write a single or a double bond")


def _with_implicit_h(mol: Chem.Mol) -> Chem.Mol:
    """Remove every H atom, those that carry an E/Z mark included (RDKit keeps them by default)."""
    options = Chem.RemoveHsParameters()
    for name in ("removeDefiningBondStereo", "removeWithWedgedBond", "removeNonimplicit"):
        setattr(options, name, True)
    return Chem.RemoveHs(mol, options)


def _check_elements(numbers: list[int], source: _Source) -> None:
    foreign = sorted(set(numbers) - ELEMENTS - {0})
    if foreign:
        table = Chem.GetPeriodicTable()
        names = ", ".join("silicon (Si)" if z == 14 else table.GetElementSymbol(z) for z in foreign)
        raise source.outside(f"element {names} is not supported", "use only H C N O F P S Cl Br I")


def _check_electrons(mol: Chem.Mol, source: _Source) -> None:
    charged = [(atom, atom.GetFormalCharge()) for atom in mol.GetAtomsMatchingQuery(_CHARGED)]
    net = sum(charge for _, charge in charged)
    if net:
        raise source.outside(f"net charge {net:+d}: charged units are not computed", "give the neutral form")
    for atom, charge in charged:
        if not any(charge * near.GetFormalCharge() < 0 for near in atom.GetNeighbors()):
            raise source.outside(
                f"ionic: {atom.GetSymbol()}{charge:+d} without an opposite charge on a bonded atom",
                "give the neutral form; nitro, N-oxide, diazo and azide groups are accepted",
            )
    for radical in mol.GetAtomsMatchingQuery(_RADICAL):
        raise source.outside(
            f"radical: unpaired electrons on {radical.GetSymbol()} (atom {radical.GetIdx() + 1} of the text)",
            "saturate the valence with H",
        )
