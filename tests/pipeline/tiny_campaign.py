"""A tiny campaign, and running the command line on it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

TINY_PROTOCOL = """
name: tiny
quality_ceiling: provisional
charges: gasteiger
system: {nonbonded: {method: reaction_field, cutoff: 0.7}, hydrogen_mass: 3.0}
step_fs: 4.0
record_ps: 0.2
equilibrate:
  - {kind: push_off, duration_ps: 0.2}
  - {kind: compress, density: 0.7, duration_ps: 2.0}
  - {kind: npt, temperature: T, duration_ps: 2.0}
sample: {block_ps: 10.0, maximum_ps: 10.0}
dynamics: {duration_ps: 4.0}
"""

TINY_CAMPAIGN = """
name: tiny
store: ./store
protocol: protocol.yaml
polymers: [{psmiles: "*CCO*", name: PEO, literature: [{property: density, value: 1006, source: Tait}]}, "*CC"]
system: {chains: 7, degree_of_polymerization: 8}
temperature: 450
"""


ONE_REFUSED = 105
"""Exit code of a campaign that computed everything but the polymer it refused."""


def write_campaign(folder: Path, campaign: str = TINY_CAMPAIGN, protocol: str = TINY_PROTOCOL) -> Path:
    """Write protocol and campaign into a folder; returns the campaign's path."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "protocol.yaml").write_text(protocol)
    file = folder / "campaign.yaml"
    file.write_text(campaign)
    return file


def polyomics(*arguments: str, timeout: float = 600.0) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    environment = {**os.environ, "OPENMM_CPU_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "polyomics", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=environment, check=False)
