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
from polyomics.polymer.classes import CLASS_LABELS, CLASS_NUMBERS
from polyomics.polymer.describe import describe
from polyomics.polymer.identity import certificate, key_of
from polyomics.polymer.psmiles import RepeatUnit, parse, parse_molecule
from polyomics.polymer.reading import ELEMENTS, MAX_ATOMS, repeat_core
from polyomics.polymer.topology import Assembly, Topology

__all__ = [
    "CLASS_LABELS",
    "CLASS_NUMBERS",
    "ELEMENTS",
    "HYDROGEN_ENDS",
    "MAX_ATOMS",
    "Assembly",
    "Backbone",
    "RepeatUnit",
    "Topology",
    "backbone",
    "capped_smiles",
    "certificate",
    "chain",
    "copolymer_chain",
    "degree_for_atoms",
    "describe",
    "key_of",
    "parse",
    "parse_molecule",
    "repeat_core",
    "smiles_order",
    "to_rdkit",
]
