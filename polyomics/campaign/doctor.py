"""What this machine can do, what is missing, and how to get it."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from polyomics.forcefield.charges import METHODS
from polyomics.simulate.platform import describe_platforms


def examine() -> list[dict[str, Any]]:
    """Return one finding per capability: ``name, ok, found, remedy, required``."""
    findings = [
        _finding(
            "python", sys.version_info >= (3, 11), sys.version.split()[0], "install Python 3.11 or newer", required=True
        ),
        *(_package(name, required=True) for name in ("rdkit", "openmm", "pyarrow", "duckdb")),
        _ducklake(),
        *_platforms(),
        _finding(
            "cpu cores",
            True,
            str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
            "",
        ),
        _disk(),
        *(_charge_method(name) for name in METHODS),
        _extra("torch", "learn", "training models"),
        _extra("hera", "cluster", "campaigns on Kubernetes"),
    ]
    return findings


def _finding(name: str, ok: bool, found: str, remedy: str, *, required: bool = False) -> dict[str, Any]:
    return {"name": name, "ok": ok, "found": found, "remedy": "" if ok else remedy, "required": required}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _package(name: str, *, required: bool) -> dict[str, Any]:
    found = _version(name)
    return _finding(name, found is not None, found or "absent", "make env", required=required)


def _extra(module: str, extra: str, purpose: str) -> dict[str, Any]:
    present = importlib.util.find_spec(module) is not None
    return _finding(
        f"{purpose} ({module})", present, "present" if present else "absent", f"install the extra {extra!r}"
    )


def _ducklake() -> dict[str, Any]:
    engine, extension = _version("duckdb"), _version("duckdb-extension-ducklake")
    return _finding(
        "ducklake extension", engine is not None and engine == extension, f"{extension} for duckdb {engine}",
        "both must have one version: make env", required=True,
    )  # fmt: skip


def _platforms() -> list[dict[str, Any]]:
    return [
        _finding(
            f"OpenMM {report.name}",
            report.works,
            report.detail,
            "install its driver and plugin, or choose another platform",
            required=report.name == "CPU",
        )
        for report in describe_platforms()
    ]


def _charge_method(name: str) -> dict[str, Any]:
    missing = METHODS[name].available()
    return _finding(f"charges: {name}", missing is None, "available" if missing is None else "absent", missing or "")


def _disk() -> dict[str, Any]:
    free = shutil.disk_usage(os.getcwd()).free / 1e9
    return _finding("free disk here", free > 1.0, f"{free:.0f} GB", "free at least 1 GB")
