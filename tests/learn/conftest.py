"""Polymers and small source and target tables for learning tests."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from polyomics.learn.descriptors import FAMILIES, read_polymer

torch.set_num_threads(1)

SIDES = (
    "",
    "C",
    "CC",
    "CCC",
    "CCCC",
    "F",
    "Cl",
    "O",
    "OC",
    "C#N",
    "c1ccccc1",
    "C(=O)OC",
    "C(=O)OCC",
    "OC(C)=O",
    "C(F)(F)F",
)
BACKBONES = ("*CC({})*", "*CC(C)({})*", "*OCC({})*")


def polymers() -> list[str]:
    """Return 45 small polymers of three backbones."""
    plain = {"*CC({})*": "*CC*", "*CC(C)({})*": "*CC(CCCCC)*", "*OCC({})*": "*OCC*"}
    return [b.format(s) if s else plain[b] for b in BACKBONES for s in SIDES]


def density_like(texts: list[str]) -> np.ndarray:
    """Return a smooth made-up property: the group-contribution estimate, bent a little."""
    x = np.array([FAMILIES["unit"].compute(read_polymer(t)) for t in texts])
    names = FAMILIES["unit"].names
    return x[:, names.index("density_estimate")] + 0.1 * x[:, names.index("backbone")]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with open data; absent only outside CI."""
    folder = Path(os.environ.get("POLYOMICS_SHARED", Path(__file__).parents[3] / "shared"))
    if not folder.is_dir():
        if os.environ.get("CI") == "true":
            pytest.fail(f"{folder} is missing in CI")
        pytest.skip(f"no shared data at {folder}")
    return folder


@pytest.fixture(scope="session")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A source of 45 polymers and a target of 15 of them whose measured values are a straight line of the computed."""
    folder = tmp_path_factory.mktemp("tables")
    texts = polymers()
    computed = density_like(texts)
    noise = np.random.default_rng(0).normal(0, 0.002, len(texts))
    source = pd.DataFrame({"psmiles": texts, "density": computed, "label": range(len(texts))})
    target = pd.DataFrame({"psmiles": texts, "value": 1.1 * computed - 0.05 + noise}).iloc[::3]
    source.to_csv(folder / "source.csv", index=False)
    target.to_csv(folder / "target.csv", index=False)
    target[["psmiles"]].to_csv(folder / "polymers.csv", index=False)
    return {name: folder / f"{name}.csv" for name in ("source", "target", "polymers")}
