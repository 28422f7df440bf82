"""A program that runs one short OpenMM stage with checkpoints in a folder; the test kills it. Usage: FOLDER."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from alkanes import cell

from polyomics.errors import FAILURES, FailureClass, Interrupted
from polyomics.simulate.checkpoint import FileCheckpoints
from polyomics.simulate.plan import SegmentPlan, StagePlan
from polyomics.simulate.runner import run_stage
from polyomics.simulate.stop import stop_on_signals

BOX_EDGE = 2.2
PLAN = StagePlan(
    "equilibrate",
    (
        SegmentPlan("push-off", "push_off", 400, 0.5, 300.0, 300.0, friction=10.0),
        SegmentPlan("npt", "npt", 4000, 2.0, 500.0, 400.0, pressure=1.0, barostat_steps=25),
        SegmentPlan("nvt", "nvt", 2000, 4.0, 400.0, 400.0),
    ),
    0.1,
    0,
    6400,
)


def main(folder: Path) -> int:
    assembly, system, start = cell(9, 4, edge=BOX_EDGE)
    (folder / "running").touch()
    try:
        with stop_on_signals() as stop:
            result = run_stage(
                PLAN, system, assembly, start, seed=5, platform="CPU", threads=1,
                checkpoints=FileCheckpoints(folder / "checkpoints"), checkpoint_seconds=0.2, stop=stop,
            )  # fmt: skip
    except Interrupted:
        return FAILURES[FailureClass.INTERRUPTION].exit_code
    np.savez(folder / "result.npz", resumed=result.provenance["resumed"], steps=result.steps, **result.records)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
