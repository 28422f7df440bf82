"""The conversions from simulation units (nm, ps, kJ/mol, amu, bar, K) to SI, in one place."""

from __future__ import annotations

from scipy import constants

BOLTZMANN: float = constants.R / 1000.0
"""Boltzmann constant per mole, kJ/(mol K)."""

AMU: float = constants.atomic_mass
"""kg."""

NM: float = 1e-9
"""m."""

NM3: float = 1e-27
"""m³."""

PS: float = 1e-12
"""s."""

KJ_PER_MOL: float = 1000.0 / constants.N_A
"""J per particle."""

BAR_NM3: float = 1e5 * NM3 / KJ_PER_MOL
"""kJ/mol in one bar nm³."""
