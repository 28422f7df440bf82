"""GAFF2 atom types of a molecule, by GAFF's own rules of aromaticity and conjugation.

Pair types colour the whole molecule. In a chain numbered unit by unit the colours repeat after one unit or two (in
polyacetylene: two); whoever stamps units compares the inner units of a typed oligomer to see which.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rdkit import Chem

from polyomics.errors import UnsupportedError
from polyomics.forcefield.typing_colours import colour
from polyomics.forcefield.typing_graph import typing_graph
from polyomics.forcefield.typing_rules import base_type

if TYPE_CHECKING:
    from polyomics.forcefield.typing_graph import TypingGraph

ELEMENTS = frozenset({"H", "C", "N", "O", "F", "P", "S", "Cl", "Br", "I"})


def atom_types(mol: Chem.Mol, *, fluorine_c3f: bool = False, subject: str = "") -> tuple[str, ...]:
    """Return the GAFF2 atom type of every atom of a neutral molecule.

    Parameters
    ----------
    mol
        H explicit. A Kekulé structure is used as it is; aromatic bonds are given a canonical one.
    fluorine_c3f
        Give sp3 carbon bound to F the type c3f of Träg and Zahn, J. Mol. Model. 25, 39 (2019), as RadonPy does.
    subject
        The polymer, for error messages; default its SMILES.

    Returns
    -------
    tuple of str
        One type per atom, in the order of ``mol``.

    Raises
    ------
    UnsupportedError
        An element, charge, radical or coordination that GAFF2 has no type for; the atom is named.
    """
    _refuse_unsupported(mol, subject)
    graph = typing_graph(mol)
    types = [base_type(graph, atom) for atom in range(len(graph.numbers))]
    for atom, name in enumerate(types):
        if name is None:
            raise _untypable(mol, atom, f"has {graph.degree(atom)} neighbours, a coordination without a type", subject)
    coloured = colour(mol, graph, [name or "" for name in types])
    return tuple(_c3f(graph, coloured)) if fluorine_c3f else coloured


def _c3f(graph: TypingGraph, types: tuple[str, ...]) -> list[str]:
    fluorinated = {
        atom
        for atom, number in enumerate(graph.numbers)
        if number == 6 and graph.degree(atom) == 4 and any(graph.numbers[other] == 9 for other in graph.bonds[atom])
    }
    return ["c3f" if atom in fluorinated else name for atom, name in enumerate(types)]


def _refuse_unsupported(mol: Chem.Mol, subject: str) -> None:
    for atom in mol.GetAtoms():
        if atom.GetSymbol() not in ELEMENTS:
            raise _untypable(mol, atom.GetIdx(), "is of an element without GAFF2 types", subject)
        if atom.GetNumRadicalElectrons():
            raise _untypable(mol, atom.GetIdx(), "is a radical centre", subject)
    if Chem.GetFormalCharge(mol):
        charged = next(atom.GetIdx() for atom in mol.GetAtoms() if atom.GetFormalCharge())
        raise _untypable(mol, charged, "makes the molecule charged", subject)


def _untypable(mol: Chem.Mol, atom: int, reason: str, subject: str) -> UnsupportedError:
    symbol = mol.GetAtomWithIdx(atom).GetSymbol()
    return UnsupportedError(
        f"atom {atom} ({symbol}) {reason}",
        subject=subject or Chem.MolToSmiles(Chem.RemoveHs(mol, sanitize=False)),
        field="psmiles",
        remedy="use neutral, closed-shell units of " + " ".join(sorted(ELEMENTS)) + " in ordinary valences",
    )
