"""Owns descriptors: numbers for polymers, copolymers, solvents and crystal compositions, cached by identity key."""

from __future__ import annotations

from polyomics.learn.descriptors.cache import DescriptorCache
from polyomics.learn.descriptors.composition import COMPOSITION_NAMES, parse_formula, reduced_formula
from polyomics.learn.descriptors.families import (
    FAMILIES,
    DescriptorMatrix,
    describe_formulas,
    describe_polymers,
    describe_solvents,
    force_field_kernel_mean,
    parse_mixture,
    polymer_key,
)
from polyomics.learn.descriptors.polymers import LearnPolymer, read_polymer

__all__ = [
    "COMPOSITION_NAMES",
    "FAMILIES",
    "DescriptorCache",
    "DescriptorMatrix",
    "LearnPolymer",
    "describe_formulas",
    "describe_polymers",
    "describe_solvents",
    "force_field_kernel_mean",
    "parse_formula",
    "parse_mixture",
    "polymer_key",
    "read_polymer",
    "reduced_formula",
]
