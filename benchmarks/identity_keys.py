"""Identity keys per second on the PI1070 list, beside RDKit reading and canonicalising the same strings.

Run: ``python benchmarks/identity_keys.py [CSV] [--column psmiles]``. Times are CPU seconds of one core, the best of
three passes, so that other work on the machine counts as little as possible.
"""

from __future__ import annotations

import argparse
import csv
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rdkit import Chem, rdBase

from polyomics.polymer import certificate, key_of, repeat_core

if TYPE_CHECKING:
    from collections.abc import Callable

SHARED = Path(os.environ.get("POLYOMICS_SHARED") or Path(__file__).parents[2] / "shared")
PASSES = 3


def key(text: str) -> str:
    return key_of(certificate(repeat_core(text)))


def rdkit_canonical(text: str) -> str:
    return str(Chem.MolToSmiles(Chem.MolFromSmiles(text)))


def per_second(work: Callable[[str], str], texts: list[str]) -> float:
    best = float("inf")
    for _ in range(PASSES):
        start = time.process_time()
        for text in texts:
            work(text)
        best = min(best, time.process_time() - start)
    return len(texts) / best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("csv", nargs="?", default=SHARED / "data" / "source_md_radonpy_pi1070.csv", type=Path)
    parser.add_argument("--column", default="psmiles")
    options = parser.parse_args()
    with options.csv.open(newline="") as lines:
        texts = [row[options.column] for row in csv.DictReader(lines)]
    with rdBase.BlockLogs():
        ours, peer = per_second(key, texts), per_second(rdkit_canonical, texts)
    polymers = len({key(text) for text in texts})
    print(
        f"{len(texts)} strings, {polymers} polymers: {ours:.0f} keys/s, RDKit canonical SMILES {peer:.0f}/s, "
        f"a key costs {peer / ours:.1f} RDKit canonicalisations"
    )


if __name__ == "__main__":
    main()
