"""Owns fine-tuning: a source model and a few measured values become a tuned model with intervals."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from polyomics.errors import InputError
from polyomics.learn.cards import below, load, part, save
from polyomics.learn.data import Table, keys_hash, merged, read_table
from polyomics.learn.models.features import inputs_of
from polyomics.learn.models.learners import METHODS, Labels, Outcome, Rows, choose, learn, with_source
from polyomics.learn.pretrain import SourceModel, load_source, source_arrays, source_from

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from polyomics.learn.descriptors import DescriptorCache

    Floats = NDArray[np.float64]

LEAST_OWN = 8
"""Fewest labelled polymers with a simulated value of their own that make a calibration of it."""
CHUNK = 500
"""Test rows predicted at once: every left-out model predicts each of them."""


@dataclass(frozen=True, eq=False)
class TunedModel:
    """A source model with measured labels.

    Parameters
    ----------
    card
        Its card.
    source
        The source model.
    rows, labels
        Labelled rows: descriptors, the source's opinion, values.
    own
        The labelled rows' own simulated values, NaN where there is none, shape (m,).
    """

    card: dict[str, Any]
    source: SourceModel
    rows: Rows
    labels: Labels
    own: Floats

    def predict(self, test: Rows, simulated: Floats | None = None) -> tuple[Floats, Floats, Floats, Floats]:
        """Return mean, standard deviation, lower and upper end of the 90 % interval, shape (t,) each.

        Parameters
        ----------
        test
            Rows with the surrogate's opinion.
        simulated
            Their own simulated values, NaN where there is none.
        """
        known = np.zeros(len(test), dtype=bool) if simulated is None else np.isfinite(simulated)
        result = np.empty((4, len(test)))
        if simulated is not None and known.any():
            test = with_source(test, np.where(known, simulated, test.source))
        calibrated = np.isfinite(self.own)
        separate = calibrated.sum() >= LEAST_OWN
        for is_own in (False, True):
            chosen = np.flatnonzero(known == is_own)
            train, labels, method = self.rows, self.labels, str(self.card["method"])
            if is_own and separate:
                inside = np.flatnonzero(calibrated)
                train, labels = with_source(train, self.own).take(inside), labels.take(inside)
                method = "delta"
            for start in range(0, len(chosen), CHUNK):
                part_ = chosen[start : start + CHUNK]
                result[:, part_] = _predicted(method, train, labels, test.take(part_), self)
        return result[0], result[1], result[2], result[3]


def _predicted(method: str, train: Rows, labels: Labels, test: Rows, model: TunedModel) -> Floats:
    outcome = learn(
        method, train, labels, test, model.source.metric, seed=model.card["seed"], networks=model.source.networks
    )
    return np.stack([outcome.mean, outcome.std, *outcome.interval(labels.value)])


def finetune(
    model: Path | str,
    target: Path | str,
    property_name: str,
    out: Path | str,
    method: str = "auto",
    seed: int = 0,
    *,
    inputs: str | Sequence[str] | None = None,
    simulated: Path | str | None = None,
    store: str | None = None,
    cache: DescriptorCache | None = None,
) -> dict[str, Any]:
    """Fine-tune a source model on measured values and write a model folder.

    Parameters
    ----------
    model
        Folder of a source model.
    target
        Table of measured values.
    property_name
        What was measured (its column; may differ from the source's property).
    out
        Folder of the tuned model.
    method
        One of ``METHODS``, or ``auto``: chosen by cross-validation on the target's own labels only.
    seed
        Of folds and networks.
    inputs
        Declared columns of the target; default those of the model.
    simulated
        Table with simulated values of target polymers, for the calibration of a polymer's own value; default those
        in the source.
    store
        Address of the store that a query is for.
    cache
        Of descriptors.

    Returns
    -------
    dict
        The model card.

    Raises
    ------
    InputError
        A table is wrong, or does not fit the model.
    """
    if method not in ("auto", *METHODS):
        raise InputError(f"no method {method!r}", field="method", remedy=f"one of auto, {', '.join(METHODS)}")
    source = load_source(model)
    roles = source.card["inputs"]
    table = merged(read_table(target, property_name, inputs, store=store, roles=roles))
    if list(table.roles) != list(roles):
        raise InputError(
            f"the model was made from {', '.join(roles)}, the target has {', '.join(table.roles)}",
            subject=str(target),
            field="inputs",
            remedy=f"declare --inputs {','.join(roles)},value=COLUMN",
        )
    rows = source.rows(inputs_of(table, cache), table.identities())
    tuned = tune(
        source, table, rows, method=method, seed=seed, own=_own(simulated, property_name, source, table, store)
    )
    overlap = len(set(table.identities()) & set(source.identities))
    strict = bool(source.card.get("excluded", {}).get("keys")) and not overlap
    card = {**tuned.card, "property": property_name, "target": str(target), "in_source": overlap}
    card["track"] = "strict" if strict else "own" if np.isfinite(tuned.own).any() else "open"
    return save(out, card, _arrays(tuned))


def tune(
    source: SourceModel,
    table: Table,
    rows: Rows,
    *,
    method: str = "auto",
    seed: int = 0,
    own: Floats | None = None,
) -> TunedModel:
    """Return a tuned model of labelled rows that are described already."""
    labels = Labels(table.value, _relative_noise(table, rows, source, seed))
    if len(table) < 3:
        raise InputError(f"{len(table)} labels", field="target", remedy="give at least three measured values")
    candidates = METHODS if source.networks else tuple(name for name in METHODS if name != "finetune")
    errors: dict[str, float] = {}
    if method == "auto":
        method, errors = choose(candidates, rows, labels, source.metric, seed=seed, networks=source.networks)
    nothing = rows.take(np.zeros(0, dtype=np.int64))
    outcome = learn(method, rows, labels, nothing, source.metric, seed=seed, networks=source.networks)
    own = np.full(len(table), np.nan) if own is None else own
    card = {
        "kind": "tuned",
        "method": method,
        "seed": seed,
        "inputs": source.card["inputs"],
        "labels": len(table),
        "labels_sha256": keys_hash(table.identities()),
        "cross_validation": {"mae_by_method": errors, **_scores(outcome, labels.value)},
        "own_values": int(np.isfinite(own).sum()),
        "source": source.card,
    }
    return TunedModel(card, source, rows, labels, own)


def load_tuned(folder: Path | str) -> TunedModel:
    """Read a tuned model."""
    card, arrays = load(folder, "tuned")
    source = source_from(card["source"], part(arrays, "source"))
    own = part(arrays, "target")
    blocks = {k.partition(".")[2]: np.asarray(v, np.float64) for k, v in own.items() if k.startswith("block.")}
    ordered = {name: blocks[name] for name in source.scaler.kept}
    noise = np.asarray(own["noise"]) if own["noise"].size else None
    return TunedModel(card, source, Rows(ordered, own["source"]), Labels(own["value"], noise), own["own"])


def _arrays(tuned: TunedModel) -> dict[str, NDArray[Any]]:
    target: dict[str, NDArray[Any]] = {
        **{f"block.{name}": block.astype(np.float32) for name, block in tuned.rows.blocks.items()},
        "source": tuned.rows.source,
        "value": tuned.labels.value,
        "noise": np.zeros(0) if tuned.labels.noise is None else tuned.labels.noise,
        "own": tuned.own,
    }
    return {**below("source", source_arrays(tuned.source)), **below("target", target)}


def _scores(outcome: Outcome, y: Floats) -> dict[str, float]:
    error = outcome.left_out - y
    variance = float(np.var(y))
    return {
        "mae": float(np.abs(error).mean()),
        "rmse": float(np.sqrt(np.mean(error**2))),
        "r2": 1.0 - float(np.mean(error**2)) / variance if variance else float("nan"),
    }


def _relative_noise(table: Table, rows: Rows, source: SourceModel, seed: int) -> Floats | None:
    """Return the noise variance of each label relative to a label without a stated error; None where none has one."""
    if not np.isfinite(table.stderr).any() or len(table) < 3:
        return None
    nothing = rows.take(np.zeros(0, dtype=np.int64))
    outcome = learn("delta", rows, Labels(table.value), nothing, source.metric, seed=seed)
    typical = float(np.mean((outcome.left_out - table.value) ** 2)) or 1.0
    return np.asarray(1.0 + np.nan_to_num(table.stderr) ** 2 / typical)


def _own(
    simulated: Path | str | None, property_name: str, source: SourceModel, table: Table, store: str | None
) -> Floats:
    """Return the simulated value of each labelled row, NaN where there is none."""
    if simulated is None:
        return source.simulated(table.identities())
    return own_values(simulated, str(source.card["property"] or property_name), table, store)


def own_values(simulated: Path | str, property_name: str, table: Table, store: str | None = None) -> Floats:
    """Return simulated values, from a file or a store, for the rows of a table, NaN where there is none."""
    given = str(simulated)
    if given.startswith("s3://") or (Path(given) / "_polyomics.json").exists():
        query = "SELECT polymer AS psmiles, avg(value) AS value FROM properties"
        quoted = property_name.replace("'", "''")
        known = read_table(f"{query} WHERE property = '{quoted}' GROUP BY 1", property_name, store=given, lenient=True)
    else:
        roles = table.roles
        known = read_table(simulated, property_name, store=store, lenient=True, roles=roles)
    values = dict(zip(merged(known).identities(), merged(known).value.tolist(), strict=True))
    return np.array([values.get(identity, np.nan) for identity in table.identities()], dtype=np.float64)
