"""Owns pretraining: a table of computed values becomes a source model, the excluded polymers out of it by exact key."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from polyomics.errors import InputError
from polyomics.learn.cards import below, load, part, save
from polyomics.learn.data import Table, exclusion, keys_hash, merged, read_table, without
from polyomics.learn.models.domain import Domain, fit_domain
from polyomics.learn.models.features import Inputs, Scaler, fit_scaler, inputs_of, scaler_from
from polyomics.learn.models.kernels import Metric, metric_of
from polyomics.learn.models.learners import Rows
from polyomics.learn.models.nets import RECIPES, Network, Recipe, network_arrays, network_from, pretrain_network
from polyomics.learn.models.surrogate import Surrogate, fit_surrogate, surrogate_from

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from polyomics.learn.descriptors import DescriptorCache

    Floats = NDArray[np.float64]

LEAST = 20
"""Fewest source rows worth a surrogate."""


@dataclass(frozen=True, eq=False)
class SourceModel:
    """What was learnt from computed values.

    Parameters
    ----------
    card
        Its card.
    scaler, metric, domain
        Of descriptors.
    surrogate
        Predicts the computed property.
    networks
        Pretrained networks, for fine-tuning.
    identities
        Key (with solvent and temperature, if any) of each source row, shape (n,).
    values
        Computed value of each source row, shape (n,).
    """

    card: dict[str, Any]
    scaler: Scaler
    metric: Metric
    domain: Domain
    surrogate: Surrogate
    networks: tuple[Network, ...]
    identities: tuple[str, ...]
    values: Floats

    def rows(self, inputs: Inputs, identities: Sequence[str] = ()) -> Rows:
        """Return rows with the surrogate's opinion; of polymers inside the source their left-out one."""
        blocks = self.scaler(inputs)
        source = self.surrogate.predict(blocks)
        place = {identity: i for i, identity in enumerate(self.identities)}
        for row, identity in enumerate(identities):
            if identity in place:
                source[row] = self.surrogate.left_out[place[identity]]
        return Rows(blocks, source)

    def simulated(self, identities: Sequence[str]) -> Floats:
        """Return the computed values of rows by identity, NaN where there is none, shape (t,)."""
        known = dict(zip(self.identities, self.values.tolist(), strict=True))
        return np.array([known.get(identity, np.nan) for identity in identities], dtype=np.float64)


def pretrain(
    source: Path | str,
    property_name: str,
    out: Path | str,
    exclude: Sequence[str] | str | None = None,
    inputs: str | Sequence[str] | None = None,
    seed: int = 0,
    *,
    store: str | None = None,
    cache: DescriptorCache | None = None,
    recipe: str = "all-pyramid",
    networks: int = 2,
) -> dict[str, Any]:
    """Pretrain on computed values and write a model folder.

    Parameters
    ----------
    source
        File or SQL query with computed values.
    property_name
        The property; several joined by commas train one multitask network (a table row may lack some). The first is
        the one that will be predicted.
    out
        Folder of the model.
    exclude
        ``FILE`` or ``FILE:column``: these polymers are taken out by exact key, compositions by reduced formula.
    inputs
        Declared columns (see ``data``).
    seed
        Of everything random.
    store
        Address of the store that a query is for.
    cache
        Of descriptors.
    recipe
        Network recipe, a name in ``RECIPES``.
    networks
        Number of networks, which differ in their seed.

    Returns
    -------
    dict
        The model card.

    Raises
    ------
    InputError
        A table is wrong, or too little is left of the source.
    """
    if recipe not in RECIPES:
        raise InputError(f"no recipe {recipe!r}", field="recipe", remedy=f"one of {', '.join(RECIPES)}")
    first, *others = [name.strip() for name in property_name.split(",")]
    whole = read_table(source, first, inputs, store=store, lenient=True)
    excluded = exclusion(exclude, store)
    kept = without(whole, excluded)
    table = merged(kept)
    if len(table) < LEAST:
        raise InputError(
            f"{len(table)} rows are left of {len(whole)}",
            subject=str(source),
            field="source",
            remedy=f"give at least {LEAST} polymers with {first} that are not excluded",
        )
    tasks = [_aligned(read_table(source, name, inputs, store=store, lenient=True), table) for name in others]
    described = inputs_of(table, cache)
    model = fit_source(
        described, table, seed=seed, recipe=RECIPES[recipe], networks=networks, others=tasks, property_name=first
    )
    names = sorted(set().union(*excluded.values()))
    card = {
        **model.card,
        "property": first,
        "properties": [first, *others],
        "recipe": recipe,
        "track": "strict" if names else "open",
        "excluded": {"sha256": keys_hash(names), "keys": len(names), "rows_removed": len(whole) - len(kept)},
        "source": str(source),
        "skipped": len(whole.skipped),
        "skipped_examples": list(whole.skipped[:5]),
    }
    return save(out, card, _arrays(model))


def fit_source(
    described: Inputs,
    table: Table,
    *,
    seed: int = 0,
    recipe: Recipe = RECIPES["all-pyramid"],
    networks: int = 2,
    others: Sequence[Floats] = (),
    property_name: str = "",
) -> SourceModel:
    """Return a source model of rows that are described already; ``others`` are labels of further tasks, (n,) each."""
    scaler = fit_scaler(described)
    blocks = scaler(described)
    surrogate = fit_surrogate(blocks, table.value, seed=seed)
    recipe = _suited(recipe, blocks)
    rows = Rows(blocks, table.value)
    labels = np.stack([table.value, *others], axis=1)
    nets = tuple(pretrain_network(rows.joined(recipe.blocks), labels, recipe, seed=seed + i) for i in range(networks))
    variance = float(np.var(table.value)) or 1.0
    card = {
        "kind": "source",
        "property": property_name,
        "inputs": list(table.roles),
        "rows": len(table),
        "seed": seed,
        "blocks": {name: int(block.shape[1]) for name, block in blocks.items()},
        "without_force_field": sum("ffkm" in mark for mark in described.marks),
        "surrogate": {
            "kind": surrogate.kind,
            "rmse_left_out": surrogate.error,
            "r2_left_out": 1.0 - surrogate.error**2 / variance,
        },
        "networks": {
            "count": len(nets),
            "widths": list(recipe.widths),
            "blocks": list(recipe.blocks),
            "dropout": recipe.dropout,
            "rate": recipe.rate,
            "tuned_rate": recipe.tuned_rate,
            "decay": recipe.decay,
            "batch": recipe.batch,
            "epochs": recipe.epochs,
            "tuned_epochs": recipe.tuned_epochs,
            "least_steps": recipe.least_steps,
        },
    }
    return SourceModel(
        card, scaler, metric_of(blocks), fit_domain(blocks), surrogate, nets, table.identities(), table.value
    )


def load_source(folder: Path | str) -> SourceModel:
    """Read a source model."""
    card, arrays = load(folder, "source")
    return source_from(card, arrays)


def source_from(card: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> SourceModel:
    """Return the source model of a card and its arrays."""
    scaler = scaler_from(part(arrays, "scaler"))
    surrogate = surrogate_from(part(arrays, "surrogate"))
    n = card["networks"]
    recipe = Recipe(
        tuple(n["widths"]), n["dropout"], n["rate"], n["tuned_rate"], n["decay"], n["batch"], n["epochs"],
        n["tuned_epochs"], n["least_steps"], tuple(n["blocks"]),
    )  # fmt: skip
    nets = tuple(network_from(part(arrays, f"network{i}"), recipe) for i in range(n["count"]))
    domain = part(arrays, "domain")
    blocks = {k.partition(".")[2]: np.asarray(v, np.float64) for k, v in domain.items() if k.startswith("block.")}
    names = list(blocks)
    metrics = [Metric(dict(zip(names, domain[m].tolist(), strict=True))) for m in ("metric", "unit")]
    return SourceModel(
        card,
        scaler,
        metrics[0],
        Domain(blocks, metrics[1], float(domain["limit"].item())),
        surrogate,
        nets,
        tuple(arrays["identities"].tolist()),
        np.asarray(arrays["values"], dtype=np.float64),
    )


def _arrays(model: SourceModel) -> dict[str, NDArray[Any]]:
    domain = {
        **{f"block.{name}": block.astype(np.float32) for name, block in model.domain.blocks.items()},
        "metric": np.array(list(model.metric.unit.values())),
        "unit": np.array(list(model.domain.metric.unit.values())),
        "limit": np.array(model.domain.limit),
    }
    arrays = {
        **below("scaler", model.scaler.arrays()),
        **below("surrogate", model.surrogate.arrays()),
        **below("domain", domain),
        "identities": np.array(model.identities),
        "values": model.values,
    }
    for i, network in enumerate(model.networks):
        arrays.update(below(f"network{i}", network_arrays(network)))
    return arrays


def source_arrays(model: SourceModel) -> dict[str, NDArray[Any]]:
    """Return a source model as named arrays."""
    return _arrays(model)


def _suited(recipe: Recipe, blocks: dict[str, Floats]) -> Recipe:
    """Return the recipe, on all blocks where those it names do not exist (a crystal has no Morgan counts)."""
    missing = [name for name in recipe.blocks if name not in blocks]
    return replace(recipe, blocks=()) if missing else recipe


def _aligned(other: Table, table: Table) -> Floats:
    """Return another property's labels in the rows of a table, NaN where unknown."""
    known = merged(other)
    values = dict(zip(known.identities(), known.value.tolist(), strict=True))
    return np.array([values.get(identity, np.nan) for identity in table.identities()], dtype=np.float64)
