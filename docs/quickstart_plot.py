"""Draw docs/quickstart.png from a finished quickstart: computed densities beside published equations of state."""

from __future__ import annotations

import sys
from pathlib import Path

import yaml
from matplotlib.figure import Figure

import polyomics as po

HERE = Path(__file__).parent


def main(store: str, out: Path) -> None:
    """Read the published rows of a store and write the picture."""
    campaign = yaml.safe_load((HERE.parent / "examples" / "quickstart.yaml").read_text())
    published = {p["name"]: p["literature"][0]["value"] for p in campaign["polymers"]}
    rows = po.open(store).sql("SELECT name, value, stderr, n_eff FROM properties WHERE property = 'density'").dicts()
    rows = sorted((row for row in rows if row["name"] in published), key=lambda row: list(published).index(row["name"]))
    figure = Figure(figsize=(7.2, 3.2), layout="constrained")
    axes = figure.subplots()
    for place, row in enumerate(rows):
        axes.errorbar(place, row["value"], row["stderr"], fmt="o", color="#1f5fa8", capsize=5, ms=7,
                      label="computed, 68 % interval" if place == 0 else None)  # fmt: skip
        axes.hlines(published[row["name"]], place - 0.25, place + 0.25, color="#c04a1a", lw=2.2,
                    label="published, long chains" if place == 0 else None)  # fmt: skip
        axes.annotate(f"{row['value']:.0f} ± {row['stderr']:.0f}", (place, row["value"]), xytext=(12, -4),
                      textcoords="offset points", fontsize=9)  # fmt: skip
    axes.set_xticks(range(len(rows)), [row["name"] for row in rows])
    axes.set_xlim(-0.5, len(rows) - 0.4)
    axes.set_ylabel("density at 500 K, kg/m³")
    axes.legend(frameon=False, loc="upper left")
    figure.savefig(out, dpi=130)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "quickstart", HERE / "quickstart.png")
