"""Owns the JSON form of a charge set, as it stands in the rows of the unit stage."""

from __future__ import annotations

from typing import Any

import numpy as np

from polyomics.forcefield.interface import ChargeSet


def charge_set_to_json(charges: ChargeSet) -> dict[str, Any]:
    """Return a dict of plain lists and numbers; floats survive JSON unchanged."""
    return {
        "method": charges.method,
        "head": charges.head.tolist(),
        "middle": charges.middle.tolist(),
        "tail": charges.tail.tolist(),
        "spread": charges.spread,
        "note": charges.note,
    }


def charge_set_from_json(row: dict[str, Any]) -> ChargeSet:
    """Return the charge set that :func:`charge_set_to_json` wrote."""
    head, middle, tail = (np.asarray(row[name], dtype=np.float64) for name in ("head", "middle", "tail"))
    spread = row.get("spread")
    number = None if spread is None else float(spread)
    return ChargeSet(str(row["method"]), head, middle, tail, number, str(row.get("note", "")))
