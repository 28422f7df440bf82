"""Owns models: networks as published, Gaussian processes, trees, transfer designs, and their intervals."""

from __future__ import annotations

from polyomics.learn.models.domain import Domain, fit_domain
from polyomics.learn.models.features import Inputs, Scaler, fit_scaler, inputs_of
from polyomics.learn.models.gp import GaussianProcess, fit_gp
from polyomics.learn.models.intervals import plus_interval
from polyomics.learn.models.kernels import Metric, metric_of
from polyomics.learn.models.learners import METHODS, Labels, Outcome, Rows, choose, learn
from polyomics.learn.models.nets import RECIPES, Network, Recipe, finetune_network, pretrain_network
from polyomics.learn.models.surrogate import Surrogate, fit_surrogate
from polyomics.learn.models.trees import Boosted

__all__ = [
    "METHODS",
    "RECIPES",
    "Boosted",
    "Domain",
    "GaussianProcess",
    "Inputs",
    "Labels",
    "Metric",
    "Network",
    "Outcome",
    "Recipe",
    "Rows",
    "Scaler",
    "Surrogate",
    "choose",
    "finetune_network",
    "fit_domain",
    "fit_gp",
    "fit_scaler",
    "fit_surrogate",
    "inputs_of",
    "learn",
    "metric_of",
    "plus_interval",
    "pretrain_network",
]
