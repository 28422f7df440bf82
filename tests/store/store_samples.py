"""Markers and stores that the tests of this room share."""

from __future__ import annotations

import hashlib

import numpy as np

from polyomics.store.interface import Marker
from polyomics.store.rows import series_bytes


def key_of(*parts) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def property_row(**changes):
    row = {
        "system_key": "system-1",
        "polymer": "*CC*",
        "property": "density",
        "T_K": 300.0,
        "P_Pa": 101325.0,
        "value": 850.25,
        "unit": "kg/m^3",
        "stderr": 1.5,
        "stderr_kind": "within",
        "n_eff": 120.0,
        "n_replicas": 1,
        "quality": "accepted",
        "protocol": "standard",
        "stage_version": 1,
        "run_key": "run-1",
        "key": "key-1",
    }
    return row | changes


def estimate_marker(number: int, n_properties: int = 3, **changes) -> Marker:
    """One finished estimate with a polymer, a run and some properties."""
    rows = {
        "polymers": [
            {"key": f"key-{number}", "polymer": f"*C{number}*", "class": "polyolefins", "mass": 28.0 + number}
        ],
        "runs": [
            {
                "run_key": f"run-{number}",
                "system_key": f"system-{number}",
                "polymer": f"*C{number}*",
                "protocol": "standard",
                "quality": "accepted",
                "reasons": [],
            }
        ],
        "properties": [
            property_row(
                property=f"property_{index}",
                value=number + index / 7,
                run_key=f"run-{number}",
                system_key=f"system-{number}",
                polymer=f"*C{number}*",
                key=f"key-{number}",
            )
            for index in range(n_properties)
        ],
    }
    values = {
        "stage_key": key_of("estimate", number),
        "stage": "estimate",
        "version": 1,
        "parameters": {"number": number},
        "inputs": {"sample": key_of("sample", number)},
        "rows": rows,
        "provenance": {"platform": "CPU", "wall_seconds": 1.25},
    }
    return Marker(**(values | changes))


def thermo_bytes(stage_key: str, n: int = 5, chains: int = 2) -> bytes:
    random = np.random.default_rng(7)
    return series_bytes(
        "thermo",
        {
            "stage_key": [stage_key] * n,
            "step": np.arange(n) * 500,
            "time_ps": np.arange(n) * 1.0,
            "potential": random.normal(size=n),
            "pressure_bar": np.full(n, np.nan),
            "rg2": random.random((n, chains)),
            "end_vector": random.random((n, chains, 3)),
        },
    )
