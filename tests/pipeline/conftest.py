"""A finished tiny campaign, made once per test session by the real pipeline."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_campaign import ONE_REFUSED, polyomics, write_campaign


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The path of a campaign file whose campaign has been run to its end."""
    file = write_campaign(tmp_path_factory.mktemp("finished"))
    result = polyomics("run", str(file), "--format", "json")
    assert result.returncode == ONE_REFUSED, result.stderr
    assert "*CC: psmiles: one connection point only" in result.stderr, "the bad polymer is named"
    return file
