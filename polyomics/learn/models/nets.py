"""Owns neural networks: the published multilayer perceptrons, single- and multitask training, plain fine-tuning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from polyomics.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from polyomics.learn.models.features import Floats


@dataclass(frozen=True)
class Recipe:
    """Architecture and schedule of a network.

    Parameters
    ----------
    widths
        Hidden layers.
    dropout
        After each hidden layer.
    rate, tuned_rate
        Largest learning rate in pretraining and in fine-tuning (AdamW, one cycle).
    decay
        Weight decay.
    batch
        Rows per step.
    epochs, tuned_epochs
        Passes over the rows.
    least_steps
        At least so many steps in either, since small tables make short epochs.
    blocks
        Descriptor blocks that are its input; empty for all there are.
    """

    widths: tuple[int, ...]
    dropout: float = 0.0
    rate: float = 1e-3
    tuned_rate: float = 3e-4
    decay: float = 1e-4
    batch: int = 256
    epochs: int = 20
    tuned_epochs: int = 60
    least_steps: int = 0
    blocks: tuple[str, ...] = ()


def pyramid(inputs: int, outputs: int, hidden: int) -> tuple[int, ...]:
    """Return hidden widths that fall linearly from the inputs to the outputs."""
    return tuple(round(float(w)) for w in np.linspace(inputs, outputs, hidden + 2)[1:-1])


RECIPES: dict[str, Recipe] = {
    "ecfp-mlp": Recipe((1024, 512, 256), dropout=0.05, blocks=("morgan",)),
    "ffkm-pyramid": Recipe(
        pyramid(190, 1, 3), rate=3e-3, batch=64, epochs=60, tuned_epochs=150, least_steps=150, blocks=("ffkm",)
    ),
    "all-pyramid": Recipe((128, 64), rate=3e-3, batch=64, epochs=40, tuned_epochs=150, least_steps=150),
}
"""Networks by name: the authors' tutorial, the 190-component pyramid of the papers, and our use of all descriptors."""


def perceptron(inputs: int, outputs: int, recipe: Recipe) -> nn.Sequential:
    """Return a multilayer perceptron: SiLU, dropout after each hidden layer, linear output."""
    layers: list[nn.Module] = []
    previous = inputs
    for width in recipe.widths:
        layers += [nn.Linear(previous, width), nn.SiLU(), nn.Dropout(recipe.dropout)]
        previous = width
    return nn.Sequential(*layers, nn.Linear(previous, outputs))


@dataclass(frozen=True, eq=False)
class Network:
    """A trained network with the scale of its labels.

    Parameters
    ----------
    recipe
        Its recipe.
    state
        Weights by name.
    centre, spread
        Of each output in pretraining, shape (tasks,).
    """

    recipe: Recipe
    state: dict[str, NDArray[np.float32]]
    centre: Floats
    spread: Floats

    def predict(self, x: Floats) -> Floats:
        """Return the outputs in units of the labels, shape (n, tasks)."""
        net = self._module()
        with torch.no_grad():
            z = net(torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32))).numpy()
        return np.asarray(self.centre + self.spread * z, dtype=np.float64)

    def _module(self) -> nn.Sequential:
        first, last = self.state["0.weight"], list(self.state.values())[-1]
        net = perceptron(first.shape[1], last.shape[0], self.recipe)
        net.load_state_dict({name: torch.from_numpy(value) for name, value in self.state.items()})
        return net.eval()


def pretrain_network(x: Floats, y: Floats, recipe: Recipe, *, seed: int, steps: int | None = None) -> Network:
    """Return a network trained on one or several properties.

    Parameters
    ----------
    x
        Scaled inputs, shape (n, p).
    y
        Labels, shape (n, tasks); NaN where a row lacks a property.
    recipe
        Architecture and schedule.
    seed
        Of initial weights, batches and dropout.
    steps
        Instead of the recipe's epochs.
    """
    if y.ndim != 2 or len(x) != len(y):
        raise InputError(f"labels of shape {y.shape} for {len(x)} rows", field="value", remedy="one column per task")
    centre, spread = np.nanmean(y, axis=0), np.nanstd(y, axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    torch.manual_seed(seed)
    net = perceptron(x.shape[1], y.shape[1], recipe)
    total = steps or max(recipe.least_steps, recipe.epochs * -(-len(x) // recipe.batch))
    _train(net, x, (y - centre) / spread, recipe.rate, recipe, total, seed)
    return Network(recipe, _state(net), centre, spread)


def finetune_network(network: Network, x: Floats, y: Floats, *, seed: int, task: int = 0) -> Network:
    """Return the network with all weights trained on (few) measured labels, as published; other outputs are dropped.

    Parameters
    ----------
    network
        The pretrained network.
    x, y
        Scaled inputs (m, p) and labels (m,).
    seed
        Of batches and dropout.
    task
        The output that predicts the property.
    """
    recipe = network.recipe
    state = {name: value.copy() for name, value in network.state.items()}
    head = list(state)[-2:]
    for name in head:
        state[name] = state[name][task : task + 1]
    single = Network(recipe, state, network.centre[task : task + 1], network.spread[task : task + 1])
    # Measured values of another property, or on another scale, would make the first steps destroy the network.
    centre, spread = _aligned(single, x, y)
    net = single._module()
    torch.manual_seed(seed)
    total = max(recipe.least_steps, recipe.tuned_epochs * -(-len(x) // recipe.batch))
    _train(net, x, ((y - centre) / spread)[:, None], recipe.tuned_rate, recipe, total, seed)
    return Network(recipe, _state(net), np.array([centre]), np.array([spread]))


def _aligned(network: Network, x: Floats, y: Floats) -> tuple[float, float]:
    """Return the scale in which labels are fitted: the pretraining's, shifted by the mean error of the labels."""
    error = float(np.mean(y - network.predict(x)[:, 0]))
    spread = float(network.spread[0])
    if abs(error) < 3.0 * spread:
        return float(network.centre[0]) + error, spread
    return float(y.mean()), float(y.std()) or 1.0


def _train(net: nn.Sequential, x: Floats, z: Floats, rate: float, recipe: Recipe, steps: int, seed: int) -> None:
    inputs = torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32))
    known = torch.from_numpy(np.isfinite(z))
    labels = torch.from_numpy(np.nan_to_num(z).astype(np.float32))
    optimiser = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=recipe.decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=rate, total_steps=steps + 1)
    generator = torch.Generator().manual_seed(seed)
    n = len(inputs)
    size = min(recipe.batch, n)
    order = torch.empty(0, dtype=torch.long)
    net.train()
    for _ in range(steps):
        if len(order) < size:
            order = torch.cat([order, torch.randperm(n, generator=generator)])
        rows, order = order[:size], order[size:]
        error = (net(inputs[rows]) - labels[rows]) ** 2 * known[rows]
        loss = error.sum() / known[rows].sum().clamp(min=1)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()
    net.eval()


def _state(net: nn.Sequential) -> dict[str, NDArray[np.float32]]:
    return {name: value.detach().numpy().copy() for name, value in net.state_dict().items()}


def network_arrays(network: Network) -> dict[str, NDArray[np.generic]]:
    """Return a network as named arrays; the recipe is kept by its caller."""
    weights = {f"weight.{i:03d}.{name}": value for i, (name, value) in enumerate(network.state.items())}
    return {"centre": network.centre, "spread": network.spread, **weights}


def network_from(arrays: Mapping[str, NDArray[np.generic]], recipe: Recipe) -> Network:
    """Return the network that :func:`network_arrays` described."""
    names = sorted(name for name in arrays if name.startswith("weight."))
    state = {name.split(".", 2)[2]: np.asarray(arrays[name], dtype=np.float32) for name in names}
    centre, spread = (np.asarray(arrays[name], dtype=np.float64) for name in ("centre", "spread"))
    return Network(recipe, state, centre, spread)
