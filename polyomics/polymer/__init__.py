"""Polymers as graphs: PSMILES in; repeat units, identity keys, classes and chains out; knows no force field."""

from __future__ import annotations

from polyomics.polymer.chain import (
    HYDROGEN_ENDS,
    Backbone,
    backbone,
    capped_smiles,
    chain,
    copolymer_chain,
    degree_for_atoms,
    smiles_order,
    to_rdkit,
)
from polyomics.polymer.psmiles import RepeatUnit, parse, parse_molecule
from polyomics.polymer.reading import ELEMENTS, MAX_ATOMS
from polyomics.polymer.topology import Assembly, Topology

__all__ = [
    "ELEMENTS",
    "HYDROGEN_ENDS",
    "MAX_ATOMS",
    "Assembly",
    "Backbone",
    "RepeatUnit",
    "Topology",
    "backbone",
    "capped_smiles",
    "chain",
    "copolymer_chain",
    "degree_for_atoms",
    "parse",
    "parse_molecule",
    "smiles_order",
    "to_rdkit",
]
