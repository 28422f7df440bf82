"""Transfer to small measured tables, strict track: errors, coverage and controls as one table; resumable.

    python benchmarks/sim2real_small.py [--draws 100] [--slow-draws 20] [--out FILE.csv] [--store DIR]

Every finished draw is one line of the CSV; a second run goes on. ``--slow-draws`` bounds the methods that train nets
or trees in folds. Controls replace what the source says: labels shuffled within a class, an unrelated property, and
a model pretrained on random features. Each of their 20 runs is measured on ``--draws`` / 5 draws; it counts as a gain
where it beats direct learning on the same draws by more than 1.645 standard errors of the paired difference.
"""

from __future__ import annotations

import argparse
import csv
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from polyomics.learn.data import exclusion, merged, read_table, without
from polyomics.learn.descriptors import DescriptorCache, read_polymer
from polyomics.learn.models.features import inputs_of
from polyomics.learn.models.gp import fit_gp
from polyomics.learn.models.learners import Labels, Rows, learn, with_source
from polyomics.learn.models.nets import RECIPES, pretrain_network
from polyomics.learn.pretrain import fit_source
from polyomics.store.address import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator

SHARED = Path(os.environ.get("POLYOMICS_SHARED", Path(__file__).parents[2] / "shared"))
SOURCE = SHARED / "data/source_md_radonpy_pi1070.csv"
TASKS = {
    "density": ("target_density_exp_rhnet.csv", (20, 60), {20: 0.037, 60: 0.030}, {20: 0.052, 60: 0.035}),
    "refractive_index": (
        "target_refractive_index_exp_spacier_rii.csv", (10, 20), {10: 0.033, 20: 0.027}, {10: 0.047, 20: 0.032},
    ),
}  # fmt: skip
"""Property: target file, label counts, reference MAE of transfer and of direct learning (facts/datasets.md)."""
UNRELATED = "self-diffusion"
FAST = ("delta", "direct", "linear", "control_shuffled", "control_unrelated", "control_random")
SLOW = ("gbm", "gp", "finetune", "finetune_ffkm")
RUN = 1000
"""Draw numbers of a control are run * RUN + draw."""
FIELDS = ("property", "labels", "draw", "method", "mae", "r2", "cover", "width", "mae_si_ge", "unconditional")


class Study:
    """Everything of one property that does not depend on the draw."""

    def __init__(self, name: str, cache: DescriptorCache | None) -> None:
        self.name = name
        file = SHARED / "data" / TASKS[name][0]
        whole = read_table(SOURCE, name, lenient=True)
        self.source_table = merged(without(whole, exclusion(str(file))))
        self.target = merged(read_table(file, name))
        described = inputs_of(self.source_table, cache)
        self.inputs = inputs_of(self.target, cache)
        self.source = fit_source(described, self.source_table, seed=0)
        assert not set(self.source_table.keys) & set(self.target.keys)
        self.rows = self.source.rows(self.inputs)
        self.silicon = np.array([bool({"Si", "Ge"} & read_polymer(n).elements) for n in self.target.names])
        blocks = self.source.scaler(described)
        ffkm = RECIPES["ffkm-pyramid"]
        rows = Rows(blocks, self.source_table.value)
        labels = self.source_table.value[:, None]
        self.ffkm = tuple(pretrain_network(rows.joined(("ffkm",)), labels, ffkm, seed=i) for i in range(2))
        self.opinions = {kind: self._control(kind, blocks) for kind in FAST if kind.startswith("control")}
        best = self.source.card["surrogate"]
        print(f"{name}: {len(self.source_table)} source polymers, surrogate R2 left out {best['r2_left_out']:.4f}")

    def _control(self, kind: str, blocks: dict[str, Any]) -> Any:
        """Return what a spoilt source says of the target, one row per run, shape (20, n)."""
        y = self.source_table.value
        hyper = self.source.surrogate.model.hyper  # type: ignore[union-attr]
        said = []
        for run in range(20):
            rng = np.random.default_rng(run)
            if kind == "control_shuffled":
                classes = np.array([read_polymer(n).unit.polymer_class for n in self.source_table.names])
                values = y.copy()
                for c in np.unique(classes):
                    rows = np.flatnonzero(classes == c)
                    values[rows] = y[rng.permutation(rows)]
                said.append(fit_gp(blocks, values, hyper=hyper).predict(self.rows.blocks)[0])
            elif kind == "control_unrelated":
                table = merged(without(read_table(SOURCE, UNRELATED, lenient=True), exclusion_of(self.target.keys)))
                known = dict(zip(table.keys, np.log(np.maximum(table.value, 1e-16)), strict=True))
                values = np.array([known.get(k, np.nan) for k in self.source_table.keys])
                half = rng.permutation(np.flatnonzero(np.isfinite(values)))[: len(values) // 2]
                part = {n: b[half] for n, b in blocks.items()}
                said.append(fit_gp(part, values[half], hyper=hyper).predict(self.rows.blocks)[0])
            else:
                noise = {n: rng.standard_normal((len(y), 50)) for n in ("random",)}
                target = {"random": rng.standard_normal((len(self.target), 50))}
                said.append(fit_gp(noise, y, seed=run).predict(target)[0])
        return np.array(said)

    def outcome(self, method: str, train: Any, test: Any, draw: int) -> Any:
        """Return the labels and the outcome of a method on one draw."""
        y = self.target.value
        rows, networks = self.rows, self.source.networks
        if method.startswith("control"):
            rows, method = with_source(self.rows, self.opinions[method][draw // RUN]), "delta"
        if method == "finetune_ffkm":
            method, networks = "finetune", self.ffkm
        metric = self.source.metric
        return learn(method, rows.take(train), Labels(y[train]), rows.take(test), metric, seed=draw, networks=networks)


def exclusion_of(keys: Any) -> dict[str, frozenset[str]]:
    return {"key": frozenset(keys), "pair": frozenset(), "solvent": frozenset()}


def draws(study: Study, labels: int, method: str, args: argparse.Namespace) -> Iterator[tuple[int, Any, Any]]:
    usable = np.flatnonzero(~study.silicon)
    control = method.startswith("control")
    count = args.slow_draws if method in SLOW else args.draws // 5 if control else args.draws
    for run in range(20 if control else 1):
        for draw in range(count):
            order = np.random.default_rng(1000 + draw).permutation(usable)
            yield run * RUN + draw, order[:labels], order[labels:]


def measure(study: Study, method: str, labels: int, draw: int, train: Any, test: Any) -> dict[str, Any]:
    y = study.target.value
    special = np.flatnonzero(study.silicon)
    outcome = study.outcome(method, train, np.concatenate([test, special]), draw)
    lower, upper = outcome.interval(y[train])
    t = len(test)
    error = outcome.mean[:t] - y[test]
    inside = (y[test] >= lower[:t]) & (y[test] <= upper[:t])
    low, high = np.quantile(y[~study.silicon], [0.05, 0.95])
    return {
        "property": study.name, "labels": labels, "draw": draw, "method": method,
        "mae": np.abs(error).mean(), "r2": 1 - np.sum(error**2) / np.sum((y[test] - y[test].mean()) ** 2),
        "cover": inside.mean(), "width": np.mean(upper[:t] - lower[:t]),
        "mae_si_ge": np.abs(outcome.mean[t:] - y[special]).mean(), "unconditional": high - low,
    }  # fmt: skip


def report(rows: list[dict[str, str]]) -> None:
    print(f"{'property':17s} {'m':>3s} {'method':18s} {'draws':>5s} {'MAE':>7s} {'(sd)':>8s} {'R2':>7s} {'cover':>6s} "
          f"{'width':>6s} {'uncond':>6s} {'Si/Ge':>6s}  gain over direct in")  # fmt: skip
    cells: dict[tuple[str, int, str], dict[int, dict[str, str]]] = {}
    for row in rows:
        cells.setdefault((row["property"], int(row["labels"]), row["method"]), {})[int(row["draw"])] = row
    for (name, labels, method), by_draw in sorted(cells.items()):
        value = {k: np.array([float(r[k]) for r in by_draw.values()]) for k in FIELDS[4:]}
        direct = cells.get((name, labels, "direct"), {})
        common = [d for d in by_draw if d % RUN in direct]
        better = np.array([float(by_draw[d]["mae"]) < float(direct[d % RUN]["mae"]) for d in common])
        print(f"{name:17s} {labels:3d} {method:18s} {len(by_draw):5d} {value['mae'].mean():7.4f} "
              f"({value['mae'].std():6.4f}) {value['r2'].mean():7.3f} {value['cover'].mean():6.3f} "
              f"{value['width'].mean():6.3f} {value['unconditional'].mean():6.3f} {value['mae_si_ge'].mean():6.3f}  "
              f"{better.mean() if len(better) else float('nan'):.0%}")  # fmt: skip
        if method.startswith("control"):
            runs: dict[int, list[float]] = {}
            for d in common:
                runs.setdefault(d // RUN, []).append(float(direct[d % RUN]["mae"]) - float(by_draw[d]["mae"]))
            none = sum(np.mean(g) <= 1.645 * np.std(g, ddof=1) / np.sqrt(len(g)) for g in runs.values())
            print(f"{'':40s} no gain in {none} of {len(runs)} runs")
    for name, (_, sizes, transfer, direct_reference) in TASKS.items():
        for m in sizes:
            print(f"reference {name} {m}: transfer {transfer[m]}, direct {direct_reference[m]}")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--draws", type=int, default=100)
    options.add_argument("--slow-draws", type=int, default=20)
    options.add_argument("--out", type=Path, default=Path("sim2real_small.csv"))
    options.add_argument("--store", default=None, help="Store whose descriptor cache is used.")
    options.add_argument("--methods", default=",".join((*FAST, *SLOW)))
    args = options.parse_args()
    torch.set_num_threads(1)
    cache = DescriptorCache(open_store(args.store)) if args.store else None
    done: list[dict[str, str]] = []
    if args.out.exists():
        with args.out.open(encoding="utf-8", newline="") as file:
            done = [row for row in csv.DictReader(file) if row["unconditional"]]
    seen = {(r["property"], int(r["labels"]), int(r["draw"]), r["method"]) for r in done}
    fresh = not args.out.exists()
    with args.out.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, FIELDS)
        if fresh:
            writer.writeheader()
        for name, (_, sizes, _, _) in TASKS.items():
            study = Study(name, cache)
            for method in args.methods.split(","):
                for labels in sizes:
                    for draw, train, test in draws(study, labels, method, args):
                        if (name, labels, draw, method) not in seen:
                            row = measure(study, method, labels, draw, train, test)
                            writer.writerow(row)
                            file.flush()
                            done.append({k: str(v) for k, v in row.items()})
    report(done)


if __name__ == "__main__":
    main()
