"""Owns the force-field kernel mean: 190 numbers from the distributions of a polymer's force-field parameters.

Kusaba et al., Phys. Rev. B 108, 134107 (2023): each parameter, scaled to [0, 1] by the range of the whole table,
is replaced by Gaussians at fixed centres and averaged over the atoms, bonds, angles or torsions of the chain.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MASSES = {
    "H": 1.008, "C": 12.011, "N": 14.007, "O": 15.999, "F": 18.998,
    "P": 30.974, "S": 32.067, "Cl": 35.453, "Br": 79.904, "I": 126.904,
}  # fmt: skip
"""Element masses at which the first ten components are centred, amu, rounded as GAFF 2.1 does."""

RANGES = {
    "mass": (1.008, 126.904),
    "charge": (-1.0, 1.0),
    "epsilon": (0.0047, 0.4955),
    "sigma": (0.5379246460131368, 4.04468018035714),
    "k_bond": (48.08, 891.54),
    "r0": (0.957, 2.917),
    "polar": (0.0, 2.0),
    "k_angle": (25.816, 157.396),
    "theta0": (48.3, 180.0),
    "k_dih": (0.0, 11.69),
}
"""Range of each parameter in the table (kcal/mol, A, degrees, amu, e); blocks of the vector in this order."""

CENTRES = np.linspace(0.0, 1.0, 41)[1:-1:2]
WIDTH = 1.0 / 40.0
MASS_WIDTH = 0.05
NAMES = tuple(f"mass_{symbol}" for symbol in MASSES) + tuple(
    f"{block}_{j}" for block in RANGES if block != "mass" for j in range(len(CENTRES))
)
"""Names of the 190 components in order."""


@dataclass(frozen=True, eq=False)
class ParameterSample:
    """The force-field parameters of one repeat unit of an endless chain, one array per block of :data:`RANGES`."""

    values: dict[str, Floats]


def kernel_mean(sample: ParameterSample) -> Floats:
    """Return the kernel mean of one polymer, shape (190,); an empty block (no torsions) gives zeros."""
    return np.concatenate([_block(name, sample.values[name]) for name in RANGES])


def mixed(vectors: Floats, fractions: Floats) -> Floats:
    """Return the kernel mean of a copolymer: that of its units weighted by their fractions, shape (190,)."""
    weights = np.asarray(fractions, dtype=np.float64)
    return np.asarray(weights @ vectors / weights.sum())


def _block(name: str, values: Floats) -> Floats:
    low, high = RANGES[name]
    if name == "mass":
        centres = (np.array(list(MASSES.values())) - low) / (high - low)
        width = MASS_WIDTH
    else:
        centres, width = CENTRES, WIDTH
    if not len(values):
        return np.zeros(len(centres))
    scaled = (values - low) / (high - low)
    return np.asarray(np.exp(-0.5 * ((scaled[:, None] - centres) / width) ** 2).mean(axis=0))
