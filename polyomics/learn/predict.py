"""Owns prediction: a tuned model and a table of polymers become rows with means, intervals and a domain flag."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from polyomics.errors import InputError
from polyomics.learn.data import read_table
from polyomics.learn.finetune import load_tuned, own_values
from polyomics.learn.models.features import inputs_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from polyomics.learn.data import Table
    from polyomics.learn.descriptors import DescriptorCache


def predict(
    model: Path | str,
    file: Path | str,
    simulated: Path | str | None = None,
    *,
    inputs: str | Sequence[str] | None = None,
    store: str | None = None,
    cache: DescriptorCache | None = None,
) -> list[dict[str, Any]]:
    """Return predictions of a tuned model, one row per row of the file.

    Parameters
    ----------
    model
        Folder of a tuned model.
    file
        Table with ``psmiles`` or ``formula`` (and ``solvent``, ``T_K`` where the model has them).
    simulated
        File or store with simulated values of these polymers: used where a polymer has one.
    inputs
        Declared columns; default those of the model.
    store
        Address of the store that a query is for.
    cache
        Of descriptors.

    Returns
    -------
    list of dict
        ``psmiles, key`` (or ``formula``, with ``solvent`` and ``T_K`` where declared), ``mean``, ``std``, ``lower90``,
        ``upper90``, ``in_domain`` (near the training rows in descriptor space, with no element foreign to them and
        every descriptor family defined), ``simulated`` (own value used) and ``note``.

    Raises
    ------
    InputError
        The file does not fit the model.
    """
    tuned = load_tuned(model)
    roles = tuned.card["inputs"]
    table = read_table(file, None, inputs, store=store, roles=roles)
    if list(table.roles) != list(roles):
        raise InputError(
            f"the model needs {', '.join(roles)}, the file has {', '.join(table.roles)}",
            subject=str(file),
            field="inputs",
            remedy=f"declare --inputs {','.join(roles)}",
        )
    described = inputs_of(table, cache)
    rows = tuned.source.rows(described, table.identities())
    own = None
    if simulated is not None:
        own = own_values(simulated, str(tuned.card["source"]["property"]), table, store)
    mean, std, lower, upper = tuned.predict(rows, own)
    foreign = tuned.source.scaler.strange(described)
    inside = tuned.source.domain.inside(rows.blocks) & ~foreign & np.array([not mark for mark in described.marks])
    notes = [
        "; ".join(part for part in (mark, "element or group foreign to the source" if strange else "") if part)
        for mark, strange in zip(described.marks, foreign.tolist(), strict=True)
    ]
    numbers = {"mean": mean, "std": std, "lower90": lower, "upper90": upper}
    return [
        {
            **_identity(table, i),
            **{name: float(column[i]) for name, column in numbers.items()},
            "in_domain": bool(inside[i]),
            "simulated": None if own is None or not np.isfinite(own[i]) else float(own[i]),
            "note": notes[i],
        }
        for i in range(len(table))
    ]


def _identity(table: Table, row: int) -> dict[str, Any]:
    found: dict[str, Any] = {table.kind: table.names[row]}
    if table.kind == "psmiles":
        found["key"] = table.keys[row]
    if table.solvent is not None:
        found["solvent"] = table.solvent[row]
    if table.temperature is not None:
        found["T_K"] = float(table.temperature[row])
    return found
