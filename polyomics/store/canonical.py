"""Canonical JSON: one byte string per value, so that keys and comparisons do not depend on who wrote it."""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any

from polyomics.errors import InputError


def encode(value: Any) -> bytes:
    """Return the canonical JSON of a value: sorted keys, no spaces, shortest floats that round-trip.

    Parameters
    ----------
    value
        Dicts with string keys, lists, tuples, strings, numbers (numpy scalars too), booleans and None.

    Raises
    ------
    InputError
        On NaN, infinity, a key that is no string or a type that JSON lacks; names the place.
    """
    return json.dumps(
        plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, check_circular=False
    ).encode()


def decode(data: bytes) -> Any:
    """Return the value behind JSON bytes."""
    return json.loads(data)


def digest(value: Any) -> str:
    """Return the SHA-256 (64 hex digits) of the canonical JSON of a value."""
    return hashlib.sha256(encode(value)).hexdigest()


def plain(value: Any, place: str = "") -> Any:
    """Return the value with tuples as lists and numpy scalars as Python numbers; refuse what JSON cannot hold."""
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, float):
        return _finite(value, place)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, dict):
        return {_key(key, place): plain(item, f"{place}.{key}" if place else str(key)) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item, f"{place}[{index}]") for index, item in enumerate(value)]
    for convert in ("item", "tolist"):  # numpy scalar, then array
        if hasattr(value, convert) and (convert == "tolist" or getattr(value, "ndim", None) == 0):
            return plain(getattr(value, convert)(), place)
    raise InputError(f"a {type(value).__name__} cannot be stored as JSON", field=place)


def _finite(value: float, place: str) -> float:
    if not math.isfinite(value):
        raise InputError(
            f"{value} is not a number that can be stored", field=place, remedy="store null and a reason instead"
        )
    return float(value)


def _key(key: Any, place: str) -> str:
    if not isinstance(key, str):
        raise InputError(f"the key {key!r} is not a string", field=place)
    return key
