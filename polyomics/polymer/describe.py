"""The answer of the verb ``polymer``: what PolyOmics makes of each input, or why it refuses it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polyomics.errors import InputError
from polyomics.polymer.psmiles import parse

if TYPE_CHECKING:
    from collections.abc import Sequence


def describe(psmiles: Sequence[str]) -> list[dict[str, str | float | None]]:
    """Return one object per input, in order; an input that is refused fills ``error`` and leaves the rest None.

    Parameters
    ----------
    psmiles
        Polymer SMILES in any accepted spelling, sound or not.

    Returns
    -------
    list of dict
        Keys ``input``, ``canonical``, ``key``, ``class``, ``mass`` (g/mol of the unit as written) and ``error`` (None
        for a sound input).
    """
    return [_described(text) for text in psmiles]


def _described(text: str) -> dict[str, str | float | None]:
    try:
        unit = parse(text)
    except InputError as error:
        return {"input": text, "canonical": None, "key": None, "class": None, "mass": None, "error": str(error)}
    return {
        "input": text,
        "canonical": unit.canonical,
        "key": unit.key,
        "class": unit.polymer_class,
        "mass": round(unit.mass, 4),
        "error": None,
    }
