"""Speed of each descriptor family and agreement of the force-field kernel mean with its golden file.

python benchmarks/descriptors.py [--every 20]
"""

from __future__ import annotations

import argparse
import csv
import os
import time
from pathlib import Path

import numpy as np

from polyomics.learn.descriptors import FAMILIES, read_polymer

SHARED = Path(os.environ.get("POLYOMICS_SHARED", Path(__file__).parents[2] / "shared"))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--every", type=int, default=20, help="Take every so many polymers of the public source.")
    every = options.parse_args().every
    with (SHARED / "data/source_md_radonpy_pi1070.csv").open(encoding="utf-8") as file:
        texts = [row["psmiles"] for row in csv.DictReader(file)][::every]
    started = time.process_time()
    polymers = [read_polymer(text) for text in texts]
    print(f"{len(texts)} polymers, reading {len(texts) / (time.process_time() - started):.0f} polymers/s of CPU")
    for family in FAMILIES.values():
        started = time.process_time()
        for polymer in polymers:
            family.compute(polymer)
        print(f"{family.name:8s} {len(texts) / (time.process_time() - started):6.0f} polymers/s of CPU")
    with (SHARED / "reference/ffkm190_golden.csv").open(encoding="utf-8") as file:
        rows = list(csv.reader(file))[1:]
    worst = max(
        float(np.abs(FAMILIES["ffkm"].compute(read_polymer(name)) - np.array(values, dtype=float)).max())
        for name, *values in rows
    )
    print(f"largest deviation from {len(rows)} golden vectors: {worst:.1e}")


if __name__ == "__main__":
    main()
