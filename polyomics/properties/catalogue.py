"""The catalogue of estimators: what each needs, what it gives, and its version, so that each runs as its own stage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from polyomics.errors import InputError
from polyomics.properties import chains, cohesion, free_volume, order, thermodynamic, transport

if TYPE_CHECKING:
    from collections.abc import Callable

    from polyomics.properties.cohesion import CohesionRecord
    from polyomics.properties.records import Estimate, Records, Snapshot

Need = Literal["npt", "nvt", "snapshots", "cohesion"]


@dataclass(frozen=True, eq=False)
class Inputs:
    """What one run has to offer; None or empty where it has not.

    Parameters
    ----------
    npt
        Records of the NPT sampling blocks, in one piece.
    nvt
        Records of the NVT block for dynamics.
    snapshots
        Configurations after the sampling blocks.
    cohesion
        Energies of cell and isolated molecules by frame.
    """

    npt: Records | None = None
    nvt: Records | None = None
    snapshots: tuple[Snapshot, ...] = ()
    cohesion: CohesionRecord | None = None


@dataclass(frozen=True)
class Estimator:
    """A pure function from inputs to estimates.

    Parameters
    ----------
    name
        Name of the estimator stage.
    version
        Algorithm version; part of the stage key.
    properties
        What it gives, by registry name; ``function`` returns one estimate for each, in this order.
    needs
        Which inputs must be there.
    function
        The estimator.
    """

    name: str
    version: int
    properties: tuple[str, ...]
    needs: tuple[Need, ...]
    function: Callable[[Inputs], tuple[Estimate, ...]]

    def __call__(self, inputs: Inputs) -> tuple[Estimate, ...]:
        """Return the estimates.

        Raises
        ------
        InputError
            If a needed input is missing.
        """
        missing = [need for need in self.needs if not getattr(inputs, need)]
        if missing:
            raise InputError(f"estimator {self.name} lacks {missing}", field="inputs", remedy="run the stages it needs")
        return self.function(inputs)


def _density(inputs: Inputs) -> tuple[Estimate, ...]:
    assert inputs.npt is not None
    return (thermodynamic.density(inputs.npt),)


def _fluctuations(inputs: Inputs) -> tuple[Estimate, ...]:
    assert inputs.npt is not None
    return thermodynamic.fluctuations(inputs.npt)


def _chain_size(inputs: Inputs) -> tuple[Estimate, ...]:
    assert inputs.npt is not None
    return chains.sizes(inputs.npt)


def _self_diffusion(inputs: Inputs) -> tuple[Estimate, ...]:
    assert inputs.nvt is not None
    return (transport.self_diffusion(inputs.nvt),)


def _nematic_order(inputs: Inputs) -> tuple[Estimate, ...]:
    return (order.nematic_order(inputs.snapshots),)


def _free_volume(inputs: Inputs) -> tuple[Estimate, ...]:
    assert inputs.npt is not None
    return (free_volume.free_volume(inputs.npt, inputs.snapshots),)


def _cohesion(inputs: Inputs) -> tuple[Estimate, ...]:
    assert inputs.cohesion is not None
    return cohesion.cohesion(inputs.cohesion)


ESTIMATORS: tuple[Estimator, ...] = (
    Estimator("density", 1, ("density",), ("npt",), _density),
    Estimator("fluctuations", 1, thermodynamic.FLUCTUATION_PROPERTIES, ("npt",), _fluctuations),
    Estimator("chain_size", 1, chains.SIZE_PROPERTIES, ("npt",), _chain_size),
    Estimator("self_diffusion", 1, ("self_diffusion",), ("nvt",), _self_diffusion),
    Estimator("nematic_order", 1, ("nematic_order",), ("snapshots",), _nematic_order),
    Estimator("free_volume", 1, ("fractional_free_volume",), ("npt", "snapshots"), _free_volume),
    Estimator("cohesion", 1, cohesion.COHESION_PROPERTIES, ("cohesion",), _cohesion),
)
"""All estimators; adding one runs only its own stage."""


def estimators_for(properties: tuple[str, ...]) -> tuple[Estimator, ...]:
    """Return the estimators that give any of the properties, in catalogue order."""
    return tuple(e for e in ESTIMATORS if set(e.properties) & set(properties))
