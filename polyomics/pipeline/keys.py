"""Content keys: the identity of stages, systems and runs (design decision 1)."""

from __future__ import annotations

import hashlib
import json
from typing import Any

SCHEME = "po1"
"""Version of the hashing itself; a stored key is authoritative and never recomputed from newer code."""


def canonical_json(value: Any) -> str:
    """Return the one JSON text of a value: sorted keys, no spaces, shortest round-trip floats, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def content_key(*parts: Any) -> str:
    """Return the key of JSON-serialisable parts: 32 hexadecimal digits of SHA-256 (128 bits)."""
    return hashlib.sha256(f"{SCHEME}:{canonical_json(parts)}".encode()).hexdigest()[:32]


def seed_from(*parts: Any) -> int:
    """Return a 31-bit seed that depends on every part and on nothing else."""
    return int(content_key("seed", *parts)[:8], 16) & 0x7FFFFFFF
