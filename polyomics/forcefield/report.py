"""What the verb ``type`` prints: atom types and charges of the capped dimer of a repeat unit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rdkit.Chem import GetPeriodicTable

from polyomics.errors import PolyOmicsError
from polyomics.forcefield.charges import unit_charges
from polyomics.forcefield.gaff2 import GAFF2
from polyomics.polymer.chain import chain, smiles_order
from polyomics.polymer.psmiles import parse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polyomics.forcefield.interface import ClassicalForceField

CHEAP_CHARGES = "gasteiger"


def type_report(
    psmiles: Sequence[str], force_field: ClassicalForceField | None = None, charges: str = CHEAP_CHARGES
) -> list[dict[str, object]]:
    """Return types and charges of the H-capped dimer of each input, in order.

    Parameters
    ----------
    psmiles
        Repeat units; the first star is the head, the dimer is joined head to tail.
    force_field
        Default: GAFF2 in its newest version.
    charges
        Charge method.

    Returns
    -------
    list of dict
        ``{input, error}``, or ``{input, capped_smiles, atoms: [{index, element, type, charge}]}`` with the atoms in
        the order of ``capped_smiles`` with explicit H: heavy atoms as written, then the hydrogens of each in turn
        (RDKit: ``Chem.AddHs(Chem.MolFromSmiles(capped_smiles))``).
    """
    chosen = force_field if force_field is not None else GAFF2()
    return [_report(text, chosen, charges) for text in psmiles]


def _report(text: str, force_field: ClassicalForceField, method: str) -> dict[str, object]:
    try:
        unit = parse(text)
        dimer = chain(unit, 2)
        parameters = force_field.parameters(dimer, [unit_charges(unit, method)])
    except PolyOmicsError as error:
        return {"input": text, "error": str(error)}
    smiles, order = smiles_order(dimer)
    atoms = [
        {
            "index": index,
            "element": _symbol(int(dimer.numbers[atom])),
            "type": parameters.types[atom],
            "charge": float(parameters.charges[atom]),
        }
        for index, atom in enumerate(order.tolist())
    ]
    return {"input": text, "capped_smiles": smiles, "atoms": atoms}


def _symbol(number: int) -> str:
    return str(GetPeriodicTable().GetElementSymbol(number))
