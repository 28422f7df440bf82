"""Owns the charge methods that need only the molecular graph: Gasteiger and MMFF94."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from rdkit.Chem import rdForceFieldHelpers, rdPartialCharges

from polyomics.errors import UnsupportedError
from polyomics.forcefield.charges.neutral import neutral_units

if TYPE_CHECKING:
    from polyomics.forcefield.charges.oligomer import Oligomer
    from polyomics.polymer.topology import FloatArray

GASTEIGER_ROUNDS = 12
"""Rounds of charge transfer; each carries an influence one bond further."""


def gasteiger(oligomer: Oligomer, seed: int) -> tuple[FloatArray, None]:
    """Return charges by partial equalisation of orbital electronegativity (Gasteiger and Marsili 1980, by RDKit).

    Parameters
    ----------
    oligomer
        The molecule.
    seed
        Not used: the method has no chance in it.

    Returns
    -------
    Charges in e, shape (n,), and None for the spread the method does not have.

    Raises
    ------
    UnsupportedError
        The method has no parameters for an atom.
    """
    del seed
    rdPartialCharges.ComputeGasteigerCharges(oligomer.mol, nIter=GASTEIGER_ROUNDS)
    raw = np.array([atom.GetDoubleProp("_GasteigerCharge") for atom in oligomer.mol.GetAtoms()])
    if not np.isfinite(raw).all():
        atom = oligomer.mol.GetAtomWithIdx(int(np.flatnonzero(~np.isfinite(raw))[0]))
        raise _no_parameters(oligomer, "gasteiger", f"a {atom.GetSymbol()} atom")
    return neutral_units(oligomer, raw), None


def mmff94(oligomer: Oligomer, seed: int) -> tuple[FloatArray, None]:
    """Return MMFF94 bond-charge-increment charges (Halgren, J. Comput. Chem. 17, 520, 1996).

    Parameters, returns and errors are those of :func:`gasteiger`.
    """
    del seed
    properties = rdForceFieldHelpers.MMFFGetMoleculeProperties(oligomer.mol)
    if properties is None:
        raise _no_parameters(oligomer, "mmff94", "an atom")
    raw = np.array([properties.GetMMFFPartialCharge(i) for i in range(oligomer.n_atoms)])
    return neutral_units(oligomer, raw), None


def _no_parameters(oligomer: Oligomer, method: str, what: str) -> UnsupportedError:
    return UnsupportedError(
        f"{method} has no parameters for {what} of this molecule",
        subject=oligomer.name,
        field="charges",
        remedy="charges: resp (needs the extra qm)",
    )
