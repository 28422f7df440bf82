"""Owns the inputs of models: raw descriptor blocks of rows, and their scaling, fitted once and kept with a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from polyomics.errors import InputError
from polyomics.learn.descriptors import describe_formulas, describe_polymers, describe_solvents

if TYPE_CHECKING:
    from collections.abc import Mapping

    from polyomics.learn.data import Table
    from polyomics.learn.descriptors import DescriptorCache

Floats = NDArray[np.float64]

CLIP = 6.0
"""Scaled descriptors further out than this many standard deviations are cut."""
STRANGE = 1e-3
"""A deviation from a column that is constant in the reference rows (shares of atoms) that makes a row strange."""
RARE = 1e-4
"""Columns whose variance is below this share of the largest possible are constant for learning."""


@dataclass(frozen=True, eq=False)
class Inputs:
    """Raw descriptors of rows.

    Parameters
    ----------
    blocks
        Family to matrix, shape (n, components); NaN where a family does not apply.
    marks
        Why, per row.
    """

    blocks: dict[str, Floats]
    marks: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.marks)

    def take(self, rows: NDArray[np.int64]) -> Inputs:
        """Return some rows."""
        return Inputs({name: block[rows] for name, block in self.blocks.items()}, tuple(self.marks[i] for i in rows))


def inputs_of(table: Table, cache: DescriptorCache | None = None) -> Inputs:
    """Return the descriptors of a table's rows: polymer or composition, solvent, temperature."""
    if table.kind == "psmiles":
        described = describe_polymers(table.names, cache=cache)
        blocks, marks = dict(described.blocks), described.marks
    else:
        blocks, marks = {"composition": describe_formulas(table.names)}, ("",) * len(table)
    if table.solvent is not None:
        blocks["solvent"] = describe_solvents(table.solvent)
    if table.temperature is not None:
        blocks["temperature"] = np.stack([300.0 / table.temperature, table.temperature / 300.0], axis=1)
    return Inputs(blocks, marks)


@dataclass(frozen=True, eq=False)
class Scaler:
    """Centres, scales and kept columns of each block; counts are square-rooted (Hellinger) and only centred.

    Parameters
    ----------
    kept, centre, scale
        Per block: column numbers (p,), and shift and divisor (p,).
    constant
        Per block of shares: the value of columns all reference rows agree on, NaN for the others.
    """

    kept: dict[str, NDArray[np.int64]]
    centre: dict[str, Floats]
    scale: dict[str, Floats]
    constant: dict[str, Floats]

    def __call__(self, inputs: Inputs) -> dict[str, Floats]:
        """Return the scaled blocks; a block that does not apply to a row is zero there, the average polymer."""
        missing = set(self.kept) ^ set(inputs.blocks)
        if missing:
            raise InputError(
                f"the model and the table differ in {', '.join(sorted(missing))}",
                field="inputs",
                remedy="give the columns the model was made with",
            )
        scaled = {}
        for name, kept in self.kept.items():
            raw = _raw(name, inputs.blocks[name])[:, kept]
            z = (raw - self.centre[name]) / self.scale[name]
            limit = np.inf if name == "morgan" else CLIP
            # Rounded to the precision in which models are kept, so that a model read back is the same model.
            scaled[name] = np.clip(np.nan_to_num(z), -limit, limit).astype(np.float32).astype(np.float64)
        return scaled

    def strange(self, inputs: Inputs) -> NDArray[np.bool_]:
        """Tell which rows differ where the reference rows were all alike: an element none of them has, (n,)."""
        found = np.zeros(len(inputs), dtype=bool)
        for name in ("unit", "composition"):
            if name in self.constant:
                raw = inputs.blocks[name]
                found |= (np.abs(raw - self.constant[name]) > STRANGE).any(axis=1, where=~np.isnan(self.constant[name]))
        return found

    def joined(self, inputs: Inputs) -> Floats:
        """Return all scaled blocks side by side, shape (n, p); counts brought to the scale of the others."""
        scaled = self(inputs)
        return np.concatenate([block * (5.0 if name == "morgan" else 1.0) for name, block in scaled.items()], axis=1)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return everything as named arrays, for saving."""
        parts: dict[str, NDArray[np.generic]] = {}
        for name in self.kept:
            parts[f"kept.{name}"] = self.kept[name]
            parts[f"centre.{name}"] = self.centre[name]
            parts[f"scale.{name}"] = self.scale[name]
        return {**parts, **{f"constant.{name}": values for name, values in self.constant.items()}}


def scaler_from(arrays: Mapping[str, NDArray[np.generic]]) -> Scaler:
    """Return the scaler that :meth:`Scaler.arrays` described."""
    names = [name.partition(".")[2] for name in arrays if name.startswith("kept.")]
    return Scaler(
        {n: np.asarray(arrays[f"kept.{n}"], dtype=np.int64) for n in names},
        {n: np.asarray(arrays[f"centre.{n}"], dtype=np.float64) for n in names},
        {n: np.asarray(arrays[f"scale.{n}"], dtype=np.float64) for n in names},
        {n: np.asarray(arrays[f"constant.{n}"]) for n in names if f"constant.{n}" in arrays},
    )


def fit_scaler(inputs: Inputs) -> Scaler:
    """Return the scaler of these rows; columns that hardly vary are dropped, since linear models explode on them."""
    kept, centre, scale, constant = {}, {}, {}, {}
    for name, block in inputs.blocks.items():
        raw = _raw(name, block)
        known = raw[~np.isnan(raw).any(axis=1)]
        if not len(known):
            known = np.zeros((1, raw.shape[1]))
        mean, spread = known.mean(axis=0), known.std(axis=0)
        columns = np.flatnonzero(spread > RARE * np.maximum(1.0, np.abs(known).max(axis=0)))
        kept[name] = columns.astype(np.int64)
        centre[name] = mean[columns]
        scale[name] = np.ones(len(columns)) if name == "morgan" else spread[columns]
        if name in ("unit", "composition"):
            constant[name] = np.where(known.max(axis=0) - known.min(axis=0) < 1e-12, known[0], np.nan)
    return Scaler(kept, centre, scale, constant)


def _raw(name: str, block: Floats) -> Floats:
    return np.sqrt(block) if name == "morgan" else np.asarray(block, dtype=np.float64)
