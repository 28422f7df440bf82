"""How often the 90 % intervals of ``learn law`` cover, on generated curves whose law is known.

Run: ``python benchmarks/law_coverage.py [--curves 200] [--design standard mixed] [--out law_coverage.jsonl]``.
Cells: alpha 0.1, 0.3, 0.6 times floor/error at the largest n 0, 0.5, 0.9 times 1.5 and 3 decades, then flat and
logarithmic curves. Every finished cell is a line of the file; a second run computes only what is missing.

Designs: ``standard`` 8 sizes, 20 orderings, 10 % noise, correlated over n (a part common to all n, an AR(1) part);
``folds`` 5 folds times 10 orderings with a fold effect of 5 %; ``few`` 5 orderings; ``precise`` 50 orderings of 3 %;
``mixed`` draws sizes (6-14), replicates (5-50), folds, noise (2-20 %), correlation and its shape anew for every curve.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from polyomics.learn.curves import Curve
from polyomics.learn.law import LawReport, Status, law_of

ALPHAS = (0.1, 0.3, 0.6)
SHARES = (0.0, 0.5, 0.9)
DECADES = (1.5, 3.0)
SLACK = 1e-9


@dataclass(frozen=True)
class Truth:
    """A known curve, 1 at the largest n: ``power`` with a share of floor, ``flat``, or ``log`` (alpha: its slope)."""

    kind: str
    alpha: float
    share: float
    decades: float

    @property
    def name(self) -> str:
        """The cell, as in the table."""
        return f"{self.kind} alpha={self.alpha:g} floor={self.share:g} decades={self.decades:g}"

    def error(self, ratio: np.ndarray) -> np.ndarray:
        """Error at n / n_max = ratio."""
        if self.kind == "flat":
            return np.ones_like(ratio)
        if self.kind == "log":
            return 1.0 - self.alpha * np.log(ratio)
        return (1.0 - self.share) * ratio**-self.alpha + self.share

    def size(self, target: float) -> float:
        """Return n / n_max at which the error is ``target``."""
        if target <= self.share:
            return math.inf
        return float(((target - self.share) / (1.0 - self.share)) ** (-1.0 / self.alpha))


@dataclass(frozen=True)
class Design:
    """How a curve is measured: noise is relative; ``common`` of its variance is shared by all n, the rest is AR(1)."""

    sizes: int = 8
    folds: int = 1
    orderings: int = 20
    noise: float = 0.1
    common: float = 0.3
    memory: float = 0.7
    fold_effect: float = 0.0
    nested: bool = False
    skewed: bool = False


DESIGNS = {
    "standard": Design(),
    "folds": Design(folds=5, orderings=10, fold_effect=0.05),
    "few": Design(orderings=5, noise=0.05),
    "precise": Design(orderings=50, noise=0.03, common=0.0, memory=0.9),
    "mixed": None,
}


def cells() -> list[Truth]:
    power = [Truth("power", a, s, d) for d in DECADES for a in ALPHAS for s in SHARES]
    null = [Truth("flat", 0.0, 0.0, d) for d in DECADES]
    return power + null + [Truth("log", slope, 0.0, d) for d in DECADES for slope in (0.05, 0.1)]


def drawn_design(rng: np.random.Generator) -> Design:
    base = Design(
        sizes=int(rng.integers(6, 15)),
        noise=float(np.exp(rng.uniform(np.log(0.02), np.log(0.2)))),
        common=float(rng.uniform(0.0, 0.5)),
        memory=float(rng.uniform(0.0, 0.9)),
        skewed=bool(rng.integers(2)),
    )
    if rng.integers(2):
        return replace(base, orderings=int(rng.integers(5, 51)))
    effect = float(rng.choice([0.0, 0.05, 0.1]))
    return replace(base, folds=5, orderings=int(rng.integers(2, 11)), fold_effect=effect, nested=bool(rng.integers(2)))


def generated(truth: Truth, design: Design, rng: np.random.Generator, first: float = 32.0) -> Curve:
    """Generate a curve: its errors have the truth as their mean."""
    n = np.unique(np.round(np.geomspace(first, first * 10**truth.decades, design.sizes)))
    step = np.abs(np.subtract.outer(np.arange(n.size), np.arange(n.size)))
    correlation = design.common + (1.0 - design.common) * design.memory**step
    root = np.linalg.cholesky(correlation + 1e-12 * np.eye(n.size))
    count = design.folds * design.orderings
    fold = np.repeat(np.arange(design.folds), design.orderings)
    ordering = np.arange(count) if design.nested else np.tile(np.arange(design.orderings), design.folds)
    noise = design.noise * rng.normal(size=(count, n.size)) @ root.T
    noise += design.fold_effect * rng.normal(size=(design.folds, 1))[fold]
    spread = design.noise**2 + design.fold_effect**2
    factor = np.exp(noise - 0.5 * spread) if design.skewed else np.maximum(1.0 + noise, 0.01)
    errors = truth.error(n / n[-1]) * factor
    return Curve(n, tuple(map(str, fold)), tuple(map(str, ordering)), errors)


def outcome(truth: Truth, curve: Curve, report: LawReport) -> dict[str, object]:
    """Return the status, and which intervals cover (true or false) and miss from below (+1) or above (-1)."""
    found: dict[str, object] = {"status": report.status.value}
    if truth.kind != "power":
        return found
    n_max = float(curve.n[-1])
    ten = next(item.error for item in report.predicted if math.isclose(item.n, 10.0 * n_max))
    needed = report.required[0]
    true = {
        "E10": (ten, float(truth.error(np.array([10.0]))[0])),
        "n": (needed.n, truth.size(needed.target) * n_max),
    }
    if report.status is Status.LAW:
        true |= {
            "D": (report.prefactor, (1.0 - truth.share) * n_max**truth.alpha),
            "alpha": (report.alpha, truth.alpha),
            "C": (report.floor, truth.share),
        }
    for name, (estimate, value) in true.items():
        if estimate.lower90 is None or estimate.upper90 is None:
            continue
        low, high = estimate.lower90 * (1 - SLACK), estimate.upper90 * (1 + SLACK)
        found[name] = 1 if value > high else -1 if value < low else 0
    return found


def run_cell(truth: Truth, design: str, curves: int, seed: int) -> dict[str, object]:
    rng = np.random.default_rng([seed, *truth.name.encode()])
    start = time.process_time()
    found = []
    for _ in range(curves):
        setting = DESIGNS[design] or drawn_design(rng)
        curve = generated(truth, setting, rng)
        found.append(outcome(truth, curve, law_of(curve)))
    spent = time.process_time() - start
    return {"design": design, "cell": truth.name, "curves": curves, "seconds": spent / curves, "found": found}


def summary(record: dict) -> dict[str, float]:
    """Return shares in percent: status, and coverage of each quantity among the curves that have it."""
    found = record["found"]
    line = {s.value: 100.0 * np.mean([f["status"] == s for f in found]) for s in Status}
    for name in ("E10", "n", "D", "alpha", "C"):
        seen = [f[name] for f in found if name in f]
        line[name] = 100.0 * float(np.mean([s == 0 for s in seen])) if seen else math.nan
        line[f"{name} count"] = len(seen)
    return line


def show(record: dict) -> str:
    line = summary(record)
    status = " ".join(f"{line[s.value]:5.1f}" for s in Status)
    cover = " ".join(
        f"{line[name]:5.1f} ({line[f'{name} count']:3.0f})" if line[f"{name} count"] else "    -      "
        for name in ("E10", "n", "D", "alpha", "C")
    )
    return f"{record['design']:9s} {record['cell']:38s} {status} | {cover} | {1000 * record['seconds']:4.0f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--curves", type=int, default=200)
    parser.add_argument("--design", nargs="+", choices=sorted(DESIGNS), default=["standard"])
    parser.add_argument("--cell", default="", help="only cells whose name contains this")
    parser.add_argument("--out", type=Path, default=Path("law_coverage.jsonl"))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    lines = options.out.read_text().splitlines() if options.out.exists() else []
    done = {(r["design"], r["cell"], r["curves"]): r for r in map(json.loads, lines)}
    print("design    cell                                    law  none  open | covered %: E(10 n_max), n, D, alpha, C")
    for design in options.design:
        for truth in cells():
            if options.cell not in truth.name:
                continue
            record = done.get((design, truth.name, options.curves))
            if record is None:
                record = run_cell(truth, design, options.curves, options.seed)
                with options.out.open("a") as file:
                    file.write(json.dumps(record) + "\n")
            print(show(record), flush=True)


if __name__ == "__main__":
    main()
