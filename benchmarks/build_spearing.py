"""Build many small cells of ring polymers and count bonds through rings and closest contacts.

Counted at the first attempt, before `build_cell` would build a bad cell again, so a zero is not of its own making.

Run: python benchmarks/build_spearing.py [cells] [polymer ...]
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np

from polyomics.build import close_contacts, homopolymer_spec, speared_rings
from polyomics.build.place import place_molecules
from polyomics.build.relax import relax
from polyomics.errors import NumericsError
from polyomics.forcefield.charges import unit_charges
from polyomics.forcefield.gaff2 import GAFF2
from polyomics.polymer.psmiles import parse

POLYMERS = {
    "polystyrene": "*CC(*)c1ccccc1",
    "polycarbonate": "*Oc1ccc(cc1)C(C)(C)c1ccc(cc1)OC(*)=O",
    "kapton": "*c1ccc(cc1)Oc1ccc(cc1)N1C(=O)c2cc3c(cc2C1=O)C(=O)N(*)C3=O",
}


def survey(psmiles: str, cells: int) -> dict[str, float]:
    charges = [[unit_charges(parse(psmiles), "gasteiger")]]
    spec = homopolymer_spec(psmiles, chains=4, atoms=250)
    speared, strained, closest, polar, start = 0, 0, 9.0, 9.0, time.process_time()
    for seed in range(cells):
        try:
            cell = relax(place_molecules(spec, np.random.default_rng([seed, 0])), GAFF2(), charges)
        except NumericsError:
            strained += 1
            continue
        speared += bool(speared_rings(cell))
        contacts = close_contacts(cell)
        closest = min(closest, 10 * contacts.closest(polar=False))
        polar = min(polar, 10 * contacts.closest(polar=True))
    seconds = (time.process_time() - start) / cells
    return {
        "cells": cells,
        "speared": speared,
        "strained": strained,
        "closest_A": closest,
        "closest_polar_A": polar,
        "cpu_s_per_cell": seconds,
    }


def main() -> None:
    cells = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    for name in sys.argv[2:] or POLYMERS:
        print(json.dumps({"polymer": name, **survey(POLYMERS[name], cells)}), flush=True)


if __name__ == "__main__":
    main()
