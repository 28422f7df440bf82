"""Synthetic campaigns, and running the command line on them in processes of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from polyomics.campaign.planner import plan

POLYMERS = ("*CC*", "*CCO*", "*CC(*)C", "*CC(*)CC")


def write_campaign(folder: Path, store: str = "./store", name: str = "syn", **fields: Any) -> Path:
    """Write a synthetic campaign; further fields replace or add to the file's."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "name": name,
        "store": store,
        "protocol": "synthetic",
        "polymers": list(POLYMERS),
        "replicas": 2,
        "synthetic": {"steps": 20, "seconds_per_step": 0.005},
        **fields,
    }
    file = folder / f"{name}.yaml"
    file.write_text(json.dumps(content))  # JSON is YAML
    return file


def planned(file: Path) -> dict[str, Any]:
    """Plan and write a synthetic campaign."""
    return plan(file, write=True, allow_synthetic=True)


def start_worker(manifest: str, shard: int = 0, *extra: str) -> subprocess.Popen[str]:
    """Start a worker as an operating-system process, leading its own process group."""
    command = [sys.executable, "-m", "polyomics", "worker", "--manifest", manifest, "--shard", str(shard)]
    command += ["--allow-synthetic", "--processes", "2", "--heartbeat", "0.5", *extra]
    return subprocess.Popen(
        command, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def run_worker(manifest: str, shard: int = 0, *extra: str) -> subprocess.CompletedProcess[str]:
    """Run a worker to its end."""
    process = start_worker(manifest, shard, *extra)
    out, err = process.communicate(timeout=300)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def kill_group(process: subprocess.Popen[str]) -> None:
    """SIGKILL a worker and its processes at once, as a lost node does."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
