"""The polymers of the open MD data set, for tests of the polymer room."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def pi1070() -> list[dict[str, str]]:
    """Rows of the 1,075 PI1070 polymers; skipped only where the shared data are absent and this is not CI."""
    shared = Path(os.environ.get("POLYOMICS_SHARED") or Path(__file__).parents[3] / "shared")
    path = shared / "data" / "source_md_radonpy_pi1070.csv"
    if not path.exists() and os.environ.get("CI") != "true":
        pytest.skip(f"{path} is absent: set POLYOMICS_SHARED")
    with path.open(newline="") as lines:
        return list(csv.DictReader(lines))
