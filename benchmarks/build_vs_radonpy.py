"""Time building ten 1,000-atom polystyrene chains against RadonPy building one.

Run: python benchmarks/build_vs_radonpy.py [--peer PYTHON_WITH_RADONPY]

RadonPy needs minutes for one chain, so it builds one and copies it, as its own cells do; PolyOmics grows ten distinct
ones. CPU seconds are comparable on a busy machine, wall seconds are not.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PSMILES = "*CC(*)c1ccccc1"
UNITS = 62

PEER = """
import json, time
from radonpy.core import calc, poly, utils
from radonpy.ff.gaff2_mod import GAFF2_mod

seconds = {}

def clock(name, work):
    cpu, wall = time.process_time(), time.perf_counter()
    result = work()
    seconds[name] = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
    return result

mol = utils.mol_from_smiles("%s")
mol = clock("conformers", lambda: calc.conformation_search(mol, dft_nconf=0, log_name="b"))[0]
clock("charges", lambda: calc.assign_charges(mol, charge="gasteiger"))
end = utils.mol_from_smiles("*[H]")
calc.assign_charges(end, charge="gasteiger")
chain = clock("growth", lambda: poly.polymerize_rw(mol, %d, tacticity="atactic"))
chain = clock("end groups", lambda: poly.terminate_rw(chain, end))
ok = clock("typing", lambda: GAFF2_mod().ff_assign(chain))
cell = clock("cell", lambda: poly.amorphous_cell(chain, 10, density=0.05))
print("RESULT " + json.dumps({"atoms": cell.GetNumAtoms(), "typed": bool(ok), "seconds": seconds}))
"""


def ours() -> dict[str, object]:
    from polyomics.build import build_command

    with tempfile.TemporaryDirectory() as folder:
        cpu = time.process_time()
        result = build_command(PSMILES, chains=10, atoms=1000, seed=1, out=Path(folder))
        cpu = time.process_time() - cpu
    kept = {key: result[key] for key in ("atoms", "seconds", "cpu_seconds")}
    return {"program": "polyomics", "distinct chains": 10, "cpu_total": round(cpu, 2), **kept}


def peer(python: str) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([python, "-c", PEER % (PSMILES, UNITS)], cwd=folder, capture_output=True, text=True)
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    if not lines:
        return {"program": "radonpy", "error": done.stderr[-2000:]}
    result = json.loads(lines[0].removeprefix("RESULT "))
    total = sum(phase["cpu"] for phase in result["seconds"].values())
    return {"program": "radonpy", "distinct chains": 1, "cpu_total": round(total, 2), **result}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--peer", default=sys.executable, help="a Python that has radonpy-pypi")
    print(json.dumps(ours()), flush=True)
    print(json.dumps(peer(parser.parse_args().peer)), flush=True)


if __name__ == "__main__":
    main()
