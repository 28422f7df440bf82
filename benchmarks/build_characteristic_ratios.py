"""Characteristic ratios of grown chains beside literature values for melts and theta solvents.

Run: python benchmarks/build_characteristic_ratios.py [chains]

C(n) is the mean square distance of backbone atoms n bonds apart over n mean squared bond lengths; the literature values
are limits for long chains.
"""

from __future__ import annotations

import json
import sys

import numpy as np

from polyomics.build.grow import grow_chain
from polyomics.build.library import library_of
from polyomics.build.place import centre_signs
from polyomics.build.system import Component, UnitShare
from polyomics.polymer.chain import HYDROGEN_ENDS, backbone, chain, degree_for_atoms
from polyomics.polymer.psmiles import parse

LITERATURE = {
    "*CC*": (6.7, 7.8),
    "*CC(*)c1ccccc1": (9.0, 10.0),
    "*CC(*)(C)C(=O)OC": (8.0, 9.0),
    "*CCO*": (4.0, 5.0),
}
BONDS = (30, 60, 110)


def survey(psmiles: str, chains: int) -> dict[str, object]:
    unit = parse(psmiles)
    degree = degree_for_atoms(unit, 1000)
    topology = chain(unit, degree)
    library, path, rng = library_of(topology, HYDROGEN_ENDS), backbone(topology).path, np.random.default_rng(1)
    component = Component(units=(UnitShare(psmiles=psmiles),))
    ratios = []
    for _ in range(chains):
        points = grow_chain(library, centre_signs(library.stereo, degree, component, rng), rng).points[path]
        length = np.sum(np.diff(points, axis=0) ** 2, axis=1).mean()
        ratios.append([np.sum((points[n:] - points[:-n]) ** 2, axis=1).mean() / n / length for n in BONDS])
    mean, error = np.mean(ratios, axis=0), np.std(ratios, axis=0, ddof=1) / np.sqrt(chains)
    found = {f"C({n})": f"{m:.2f} +- {e:.2f}" for n, m, e in zip(BONDS, mean, error, strict=True)}
    return {"polymer": psmiles, **found, "literature": LITERATURE[psmiles]}


def main() -> None:
    chains = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    for psmiles in LITERATURE:
        print(json.dumps(survey(psmiles, chains)), flush=True)


if __name__ == "__main__":
    main()
