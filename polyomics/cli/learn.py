"""Verbs of learning: pretrain, finetune, predict, law."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from polyomics.cli.output import format_option, print_json, print_rows

_INPUTS = click.option(
    "--inputs",
    default=None,
    help="Columns: psmiles or formula, solvent, T_K, value, stderr, group; role=COLUMN maps; * leaves others alone.",
)
_STORE = click.option("--store", default=None, help="Store of an SQL source: directory or s3:// address.")
_SEED = click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
_OUT = click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder of the model."
)


@click.group()
def learn() -> None:
    """Models pretrained on computed values and tuned on measured ones, and the law of their improvement."""


@learn.command()
@click.option("--source", required=True, help="CSV or Parquet file, or an SQL query.")
@click.option("--property", "name", required=True, help="The property; more, after commas, train one network together.")
@_OUT
@click.option("--exclude", multiple=True, help="FILE or FILE:column: polymers to take out, by exact key.")
@_INPUTS
@_STORE
@_SEED
@format_option("json")
def pretrain(
    source: str,
    name: str,
    out: Path,
    exclude: tuple[str, ...],
    inputs: str | None,
    store: str | None,
    seed: int,
    form: str,
) -> None:
    """Pretrain on computed values; prints the model card."""
    from polyomics.learn.pretrain import pretrain as run

    place, cache = _store(source, store)
    _card(run(source, name, out, exclude, inputs, seed, store=place, cache=cache), form)


@learn.command()
@click.option("--model", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--target", required=True, help="File with measured values.")
@click.option("--property", "name", required=True)
@_OUT
@click.option(
    "--method",
    type=click.Choice(["auto", "delta", "finetune", "linear", "gbm", "gp", "direct"]),
    default="auto",
    show_default=True,
)
@click.option("--simulated", default=None, help="File or store with simulated values of the target's polymers.")
@_INPUTS
@_STORE
@_SEED
@format_option("json")
def finetune(
    model: Path,
    target: str,
    name: str,
    out: Path,
    method: str,
    simulated: str | None,
    inputs: str | None,
    store: str | None,
    seed: int,
    form: str,
) -> None:
    """Tune a model on measured values; prints the model card with cross-validated errors."""
    from polyomics.learn.finetune import finetune as run

    place, cache = _store(target, store)
    card = run(model, target, name, out, method, seed, inputs=inputs, simulated=simulated, store=place, cache=cache)
    _card(card, form)


@learn.command()
@click.option("--model", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.argument("file")
@click.option("--simulated", default=None, help="File or store with simulated values of these polymers.")
@_INPUTS
@_STORE
@format_option()
def predict(model: Path, file: str, simulated: str | None, inputs: str | None, store: str | None, form: str) -> None:
    """Predict measured values of polymers or compositions, with 90 % intervals."""
    from polyomics.learn.predict import predict as run

    place, cache = _store(file, store)
    print_rows(run(model, file, simulated, inputs=inputs, store=place, cache=cache), form)


@learn.command()
@click.argument("curve", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--metric", type=click.Choice(["mse", "mae", "rmse"]), default="mse", show_default=True)
@format_option("json")
def law(curve: Path, metric: str, form: str) -> None:
    """Fit the law of a learning curve (columns n, ordering, fold, error), or say why there is none."""
    from polyomics.learn.curves import read_curve
    from polyomics.learn.law import law_of, report_to_json

    _card(json.loads(report_to_json(law_of(read_curve(curve, metric=metric)))), form)  # type: ignore[arg-type]


def _store(source: str, store: str | None) -> tuple[str | None, Any]:
    """Return the address of the store and its descriptor cache; both None without one."""
    import re

    if store is None and not re.match(r"\s*(select|with|from)\s", source, re.IGNORECASE):
        return None, None
    from polyomics.cli.data import find_store
    from polyomics.learn.descriptors import DescriptorCache
    from polyomics.store.address import open_store

    address = find_store(store)
    return address, DescriptorCache(open_store(address))


def _card(card: dict[str, Any], form: str) -> None:
    if form == "json":
        print_json(card)
        return
    print_rows([{"field": name, "value": value} for name, value in card.items()], form)


VERBS = (learn,)
