"""Owns model folders: a JSON card for people and programs beside arrays in one file; no code is ever stored."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from polyomics import __version__
from polyomics.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

FORMAT = "polyomics-learn-1"
CARD = "card.json"
ARRAYS = "arrays.npz"


def save(folder: Path | str, card: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """Write a model folder (arrays first, the card last) and return the card."""
    path = Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    full = {"format": FORMAT, "polyomics": __version__, **card}
    temporary = path / f".{ARRAYS}.{os.getpid()}"
    with temporary.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
    temporary.replace(path / ARRAYS)
    text = path / f".{CARD}.{os.getpid()}"
    text.write_text(json.dumps(full, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    text.replace(path / CARD)
    return full


def load(folder: Path | str, kind: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read a model folder.

    Raises
    ------
    InputError
        There is no model of this kind.
    """
    path = Path(folder)
    try:
        card = json.loads((path / CARD).read_text(encoding="utf-8"))
        with np.load(path / ARRAYS, allow_pickle=False) as file:
            arrays = dict(file)
    except (OSError, ValueError) as error:
        raise InputError(
            f"not a model: {error}", subject=str(folder), field="model", remedy="polyomics learn pretrain --out DIR"
        ) from error
    if card.get("format") != FORMAT or card.get("kind") != kind:
        raise InputError(
            f"a model of kind {card.get('kind')!r}, wanted {kind!r}",
            subject=str(folder),
            field="model",
            remedy="pretrain makes a source model, finetune a tuned one",
        )
    return card, arrays


def part(arrays: Mapping[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    """Return the arrays below a prefix, without it."""
    return {name[len(prefix) + 1 :]: value for name, value in arrays.items() if name.startswith(f"{prefix}/")}


def below(prefix: str, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return arrays with a prefix before their names."""
    return {f"{prefix}/{name}": value for name, value in arrays.items()}
