"""Where a simulation runs: the fastest OpenMM platform that works here, or the one asked for."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache

import openmm

from polyomics.errors import PlatformError

PREFERENCE: tuple[str, ...] = ("CUDA", "HIP", "OpenCL", "CPU", "Reference")
_PRECISION: dict[str, str] = {"CUDA": "Precision", "HIP": "Precision", "OpenCL": "Precision"}


@dataclass(frozen=True)
class PlatformChoice:
    """A platform and its properties, ready for a Context."""

    name: str
    properties: tuple[tuple[str, str], ...] = ()

    def open(self, system: openmm.System, integrator: openmm.Integrator) -> openmm.Context:
        """Return a Context of ``system`` on this platform."""
        return openmm.Context(system, integrator, openmm.Platform.getPlatformByName(self.name), dict(self.properties))


@dataclass(frozen=True)
class PlatformReport:
    """What ``polyomics doctor`` says of one platform."""

    name: str
    works: bool
    detail: str


def choose_platform(name: str = "auto", *, threads: int | None = None, device: int | None = None) -> PlatformChoice:
    """Return the platform to run on.

    Parameters
    ----------
    name
        ``auto`` takes the first of CUDA, HIP, OpenCL, CPU that computes forces here; or a platform's name.
    threads
        CPU threads; default: OPENMM_CPU_THREADS if set, else all cores this process may use.
    device
        Index of the GPU.

    Raises
    ------
    polyomics.errors.PlatformError
        The platform asked for does not exist or does not work here.
    """
    if name.lower() == "auto":
        for candidate in PREFERENCE:
            if _probe(candidate) == "":
                return _choice(candidate, threads, device)
        raise PlatformError("no OpenMM platform works here", remedy="polyomics doctor")
    known = {candidate.lower(): candidate for candidate in PREFERENCE}
    wanted = known.get(name.lower())
    problem = f"unknown platform {name!r}" if wanted is None else _probe(wanted)
    if wanted is None or problem:
        raise PlatformError(problem, field="platform", remedy="one of auto, " + ", ".join(PREFERENCE))
    return _choice(wanted, threads, device)


def describe_platforms() -> tuple[PlatformReport, ...]:
    """Return, for each platform in order of preference, whether it computes forces here and why not."""
    reports = []
    for name in PREFERENCE:
        problem = _probe(name)
        reports.append(PlatformReport(name, not problem, problem or f"OpenMM {openmm.version.version}"))
    return tuple(reports)


def _choice(name: str, threads: int | None, device: int | None) -> PlatformChoice:
    properties = {}
    if name in _PRECISION:
        properties[_PRECISION[name]] = "mixed"
        if device is not None:
            properties["DeviceIndex"] = str(device)
    elif name == "CPU":
        allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        count = threads or int(os.environ.get("OPENMM_CPU_THREADS") or 0) or allowed or 1
        properties["Threads"] = str(count)
    return PlatformChoice(name, tuple(properties.items()))


@cache
def _probe(name: str) -> str:
    """Return why a platform does not work here, or '' if one particle can be moved on it."""
    try:
        platform = openmm.Platform.getPlatformByName(name)
    except openmm.OpenMMException:
        return "not installed"
    system = openmm.System()
    system.addParticle(1.0)
    try:
        context = openmm.Context(system, openmm.VerletIntegrator(0.001), platform)
        context.setPositions([openmm.Vec3(0.0, 0.0, 0.0)])
        context.getIntegrator().step(1)
    except openmm.OpenMMException as error:
        return f"installed, but does not work: {error}"
    return ""
