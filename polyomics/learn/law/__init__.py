"""The law by which a model improves with the size of its source, and what n it takes."""

from polyomics.learn.law.decision import HoldOut, Model, Status
from polyomics.learn.law.equivalent import Equivalent, Surface, labels_worth, simulations_worth
from polyomics.learn.law.plot import plot_law
from polyomics.learn.law.report import Estimate, LawReport, Prediction, Required, law_of, report_to_json

__all__ = [
    "Equivalent",
    "Estimate",
    "HoldOut",
    "LawReport",
    "Model",
    "Prediction",
    "Required",
    "Status",
    "Surface",
    "labels_worth",
    "law_of",
    "plot_law",
    "report_to_json",
    "simulations_worth",
]
