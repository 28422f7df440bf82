"""Charge methods against HF/6-31G*: error of the potential and of the dipole on hydrogen-capped repeat units.

    python benchmarks/charges.py FOLDER [--minutes M]

Each unit is one line of FOLDER/charges.jsonl; a rerun adds what is missing. RESP is fitted to some conformers; all
methods are then judged on one conformer that it has not seen (where there is only one, RESP is judged on its own fit,
and the line says so). The last lines of the output are the table and the best method that needs nothing installed.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from polyomics.errors import PolyOmicsError
from polyomics.forcefield.charges import METHODS, molecule_charges
from polyomics.forcefield.charges.conformers import diverse_conformers
from polyomics.forcefield.charges.fit import NormalEquations
from polyomics.forcefield.charges.oligomer import oligomer_of_topology
from polyomics.forcefield.charges.quantum import hartree_fock
from polyomics.forcefield.charges.resp import fit_units
from polyomics.forcefield.charges.surface import inverse_distances, shell_points
from polyomics.polymer.chain import chain
from polyomics.polymer.psmiles import parse

UNITS = {
    "*CO*": "poly(oxymethylene)",
    "*CCO*": "poly(ethylene oxide)",
    "*CC(*)F": "poly(vinyl fluoride)",
    "*CC(*)Cl": "poly(vinyl chloride)",
    "*CC(*)Br": "poly(vinyl bromide)",
    "*CC(*)C": "polypropylene",
    "*CC(*)(F)F": "poly(vinylidene fluoride)",
    "*CC(*)C#N": "polyacrylonitrile",
    "*CC=CC*": "polybutadiene",
    "*CC(*)(C)C": "polyisobutylene",
    "*CC(*)OC": "poly(vinyl methyl ether)",
    "*CC(*)C(N)=O": "polyacrylamide",
    "*CC(*)C(=O)O": "poly(acrylic acid)",
    "*CC(C)O*": "poly(propylene oxide)",
    "*CCS*": "poly(ethylene sulfide)",
    "*CCN*": "poly(ethylene imine)",
    "*CC(*)(Cl)Cl": "poly(vinylidene chloride)",
    "*C(F)(F)C(*)(F)F": "polytetrafluoroethylene",
    "*CC(C)=CC*": "polyisoprene",
    "*CC(Cl)=CC*": "polychloroprene",
    "*OC(C)C(*)=O": "poly(lactic acid)",
    "*OCC(*)=O": "poly(glycolic acid)",
    "*NCC(*)=O": "polyglycine",
    "*CC(*)C(=O)OC": "poly(methyl acrylate)",
    "*CC(*)OC(C)=O": "poly(vinyl acetate)",
    "*CC(C)(*)C#N": "polymethacrylonitrile",
    "*c1ccc(*)s1": "polythiophene",
    "*c1ccc(*)cc1": "poly(p-phenylene)",
    "*c1ccc(S*)cc1": "poly(phenylene sulfide)",
    "*c1ccc(O*)cc1": "poly(p-phenylene oxide)",
    "*CC(*)N1CCCC1=O": "polyvinylpyrrolidone",
    "*CC(C)(*)C(=O)OC": "poly(methyl methacrylate)",
    "*OCCCCCC(*)=O": "polycaprolactone",
    "*NCCCCCC(*)=O": "nylon 6",
    "*CC(*)c1ccccc1": "polystyrene",
    "*CC(*)c1ccncc1": "poly(4-vinylpyridine)",
    "*NC(=O)NC*": "polyurea",
    "*CC(*)S(C)(=O)=O": "poly(vinyl methyl sulfone)",
    "*CC(*)[N+](=O)[O-]": "poly(nitroethylene)",
    "*CC(*)C(C)=O": "poly(methyl vinyl ketone)",
    "*OC(=O)OCC*": "poly(ethylene carbonate)",
    "*OC(=O)NCC*": "polyurethane",
}
METHOD_NAMES = ("gasteiger", "mmff94", "am1bcc", "resp")


def measure(psmiles: str) -> dict[str, Any]:
    topology = chain(parse(psmiles), 1)
    oligomer = oligomer_of_topology(topology)
    began = time.process_time()
    conformers = diverse_conformers(oligomer, 3, 0)
    numbers = np.array([atom.GetAtomicNum() for atom in conformers.mol.GetAtoms()])
    samples = []
    for positions in conformers.positions:
        points = shell_points(numbers, positions)
        electrons = hartree_fock(numbers, positions, points, psmiles)
        inverse = conformers.in_order(inverse_distances(points, positions))
        samples.append((inverse, electrons, conformers.in_order(positions.T)))
    qm_seconds = time.process_time() - began
    seen = samples[:-1] or samples
    parts = [NormalEquations.of(inverse, electrons.potential) for inverse, electrons, _ in seen]
    charges = {"resp": fit_units(NormalEquations.total(parts), oligomer)}
    failures = {}
    for method in METHOD_NAMES[:-1]:
        try:
            charges[method] = molecule_charges(topology, method).middle
        except PolyOmicsError as error:
            failures[method] = str(error)
    inverse, electrons, axes = samples[-1]
    norm = np.sqrt((electrons.potential**2).mean())
    return {
        "psmiles": psmiles,
        "name": UNITS[psmiles],
        "conformers": len(samples),
        "held_out": len(samples) > 1,
        "rms_potential": float(norm),
        "dipole": float(np.linalg.norm(electrons.dipole)),
        "rrms": {
            m: float(np.sqrt(((inverse @ q - electrons.potential) ** 2).mean()) / norm) for m, q in charges.items()
        },
        "dipole_error": {m: float(np.linalg.norm(axes @ q - electrons.dipole)) for m, q in charges.items()},
        "failures": failures,
        "cpu_seconds": qm_seconds,
    }


def _pooled(rows: list[dict[str, Any]], method: str) -> float:
    # A unit weighs as its field: nearly non-polar ones, whose relative error is about 1 by any method, do not decide.
    have = [row for row in rows if method in row["rrms"]]
    error = sum((row["rrms"][method] * row["rms_potential"]) ** 2 for row in have)
    return float(np.sqrt(error / sum(row["rms_potential"] ** 2 for row in have)))


def report(rows: list[dict[str, Any]]) -> str:
    shown = [m for m in METHOD_NAMES if any(m in row["rrms"] for row in rows)]
    lines = [f"{'unit':28s} {'conf':>4s} " + " ".join(f"{m:>10s}" for m in shown) + "   | dipole error, e Å"]
    for row in rows:
        rrms = " ".join(f"{row['rrms'].get(m, np.nan):10.3f}" for m in shown)
        dipole = " ".join(f"{row['dipole_error'].get(m, np.nan):6.3f}" for m in shown)
        own = "" if row["held_out"] else "  RESP on its own fit"
        lines.append(f"{row['name'][:28]:28s} {row['conformers']:4d} {rrms}   | {dipole} of {row['dipole']:.3f}{own}")
    for label, reduce in (("mean", np.mean), ("median", np.median), ("worst", np.max)):
        summary = [
            [float(reduce([row[key][m] for row in rows if m in row[key]])) for m in shown]
            for key in ("rrms", "dipole_error")
        ]
        lines.append(
            f"{label:33s} "
            + " ".join(f"{v:10.3f}" for v in summary[0])
            + "   | "
            + " ".join(f"{v:6.3f}" for v in summary[1])
        )
    pooled = " ".join(f"{_pooled(rows, m):10.3f}" for m in shown)
    lines.append(f"{'all points pooled':33s} {pooled}")
    free = [m for m in shown if not METHODS[m].needs]
    best = min(free, key=lambda m: _pooled(rows, m))
    wins = {m: sum(min(free, key=lambda c: row["rrms"].get(c, np.inf)) == m for row in rows) for m in free}
    lines.append(f"{len(rows)} units; best method that needs nothing installed: {best} (units won: {wins})")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=np.inf, help="start no unit after this long")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    cache = arguments.folder / "charges.jsonl"
    stored = [json.loads(line) for line in cache.read_text().splitlines()] if cache.exists() else []
    rows = [row for row in stored if row["psmiles"] in UNITS]
    done = {row["psmiles"] for row in rows}
    began = time.monotonic()
    todo = sorted((p for p in UNITS if p not in done), key=lambda p: parse(p).mol.GetNumHeavyAtoms())
    for psmiles in todo:
        if time.monotonic() - began > 60 * arguments.minutes:
            break
        row = measure(psmiles)
        with cache.open("a") as file:
            file.write(json.dumps(row) + "\n")
        rows.append(row)
    print(report(rows))


if __name__ == "__main__":
    main()
