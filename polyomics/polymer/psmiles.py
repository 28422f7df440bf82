"""PSMILES in, repeat units out: parsing the spellings of the wild and refusing what is out of scope by name."""

from __future__ import annotations

from dataclasses import dataclass

from rdkit import Chem


@dataclass(frozen=True, eq=False)
class RepeatUnit:
    """A repeat unit as written, validated.

    Parameters
    ----------
    text
        The input string.
    mol
        Heavy atoms and explicit H, two dummy atoms (atomic number 0) being the last two atoms: head star, then tail
        star. The first star of ``text`` is the head. Chains are joined head to tail.
    canonical
        The certificate: canonical PSMILES of the primitive period (design decision 1).
    key
        Identity key derived from ``canonical``.
    polymer_class
        PoLyInfo-style class label, one of the 21.
    mass
        Mass of the repeat unit as written, g/mol.
    """

    text: str
    mol: Chem.Mol
    canonical: str
    key: str
    polymer_class: str
    mass: float
