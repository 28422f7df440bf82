"""GAFF2 as a force field: types once per repeat unit in its context, parameters stamped along the chain."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from polyomics.errors import InputError
from polyomics.forcefield.assign import assign
from polyomics.forcefield.charges import molecule_charges
from polyomics.forcefield.interface import Capabilities, ChargeSet, Nonbonded, Parameters, SystemOptions
from polyomics.forcefield.stamp import context, layout, repeats_with, stamp
from polyomics.forcefield.system import build_system
from polyomics.forcefield.tables import ParameterTable, load_table
from polyomics.forcefield.typing import ELEMENTS, atom_types
from polyomics.polymer.chain import to_rdkit

if TYPE_CHECKING:
    from collections.abc import Sequence

    import openmm

    from polyomics.polymer.topology import Assembly, FloatArray, Topology

CODE = "1"
"""Version of typing, look-up and stamping: raise it whenever their results change, since stage keys hold it."""


class GAFF2:
    """The General Amber Force Field, second generation.

    Parameters
    ----------
    version
        Version of the tables, ``2.2.20`` or ``2.1`` (parity with RadonPy).
    fluorine_c3f
        Use the type c3f for sp3 carbon bonded to F (Träg & Zahn, J. Mol. Model. 25, 39 (2019)), as RadonPy does.

    Raises
    ------
    polyomics.errors.InputError
        No such version.
    """

    name = "gaff2"

    def __init__(self, version: str = "2.2.20", fluorine_c3f: bool = False) -> None:
        self._fluorine_c3f = fluorine_c3f
        self._table_version = version
        self._table  # noqa: B018 - an unknown version is refused here, not at first use

    @property
    def version(self) -> str:
        """Version of tables and code."""
        return f"{self._table.version}/{CODE}"

    @property
    def capabilities(self) -> Capabilities:
        """What GAFF2 can do."""
        return Capabilities(
            elements=ELEMENTS,
            stampable=True,
            needs_charges=True,
            constraints=frozenset({"hbonds", "none"}),
            largest_step_fs=4.0,
            nonbonded=Nonbonded(),
        )

    @cached_property
    def _table(self) -> ParameterTable:
        return load_table(self._table_version, self._fluorine_c3f)

    def types(self, topology: Topology) -> tuple[str, ...]:
        """Return the atom types of a molecule typed as a whole, length n_atoms."""
        return atom_types(to_rdkit(topology), fluorine_c3f=self._fluorine_c3f, subject=topology.name)

    def parameters(self, topology: Topology, charges: Sequence[ChargeSet]) -> Parameters:
        """Return the parameters of one molecule.

        A homopolymer chain is stamped: types and terms come from a context oligomer whose ends lie at least five
        backbone bonds away from the repeated units, one or two of them, as the colours of pair types ask. Copolymers,
        chains shorter than that and chains whose types do not repeat are typed as a whole.

        Parameters
        ----------
        topology
            The molecule.
        charges
            One set per repeat unit, parallel to ``topology.units``, or one for a small molecule.

        Raises
        ------
        polyomics.errors.UnsupportedError
            An atom without a type or terms without parameters, named.
        polyomics.errors.InputError
            Charges do not fit the molecule.
        """
        values = molecule_partial_charges(topology, charges)
        for period in (1, 2):
            plan = layout(topology, period)
            if plan is None:
                break
            oligomer = context(topology, plan)
            types = self.types(oligomer)
            if repeats_with(types, plan):
                short = self._assigned(types, oligomer, np.zeros(oligomer.n_atoms))
                return stamp(short, oligomer, plan, values)
        return self._assigned(self.types(topology), topology, values)

    def direct_parameters(self, topology: Topology, charges: Sequence[ChargeSet]) -> Parameters:
        """Return the parameters of one molecule typed as a whole, however long; the reference for stamping."""
        return self._assigned(self.types(topology), topology, molecule_partial_charges(topology, charges))

    def parametrise(
        self, assembly: Assembly, charges: Sequence[Sequence[ChargeSet]], box: FloatArray, options: SystemOptions
    ) -> openmm.System:
        """Return the System of all molecules of ``assembly``; see the protocol."""
        if len(charges) != len(assembly.species):
            raise InputError(f"charges of {len(charges)} species for {len(assembly.species)}", field="charges")
        sets = [self.parameters(t, c) for t, c in zip(assembly.species, charges, strict=True)]
        return build_system(sets, assembly, box, options)

    def _assigned(self, types: Sequence[str], topology: Topology, charges: FloatArray) -> Parameters:
        return assign(types, topology, charges, self._table)


def molecule_partial_charges(topology: Topology, charges: Sequence[ChargeSet]) -> FloatArray:
    """Return the partial charges of a molecule, e, shape (n_atoms,), from the charge sets of its units.

    The first residue and its cap take ``head``, the last and its cap ``tail``, all others ``middle``. A chain of one
    unit has no such places: its charges are computed for the molecule itself, with the same method.

    Raises
    ------
    polyomics.errors.InputError
        Numbers of sets or atoms do not fit.
    """
    if len(charges) != max(1, len(topology.units)):
        raise InputError(
            f"{len(charges)} charge sets for {max(1, len(topology.units))} units",
            subject=topology.name,
            field="charges",
        )
    if not topology.units:
        values = charges[0].middle
    elif topology.n_residues == 1:
        values = molecule_charges(topology, charges[0].method).middle
    else:
        first, *inner, last = (charges[unit] for unit in topology.sequence.tolist())
        values = np.concatenate([first.head, *(place.middle for place in inner), last.tail])
    if len(values) != topology.n_atoms:
        raise InputError(
            f"{len(values)} charges for {topology.n_atoms} atoms",
            subject=topology.name,
            field="charges",
            remedy="make the charges with the same end groups as the chain",
        )
    return values
