"""What a cell consists of: the declarative description (design decision 14), strictly validated."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class UnitShare(BaseModel):
    """A repeat unit (or the SMILES of a small molecule) and its share of the component."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    psmiles: str = Field(description="PSMILES of the unit, or SMILES where the component is a molecule")
    key: str = Field("", description="identity key; filled in by validation")
    fraction: float = Field(1.0, gt=0, le=1, description="share of the component's units")


class Component(BaseModel):
    """One kind of molecule in the cell."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["polymer", "molecule"] = "polymer"
    units: tuple[UnitShare, ...]
    sequence: Literal["homopolymer", "alternating", "random", "block"] = "homopolymer"
    tacticity: Literal["atactic", "isotactic", "syndiotactic"] = "atactic"
    end_groups: tuple[str, str] = Field(
        ("*[H]", "*[H]"), description="caps of head and tail, each SMILES with one star"
    )
    n_chains: int = Field(10, ge=1)
    degrees: tuple[int, ...] = Field(
        (), description="degree of polymerization of each chain, length n_chains (1 for molecules)"
    )


class SystemSpec(BaseModel):
    """All components of a cell and the density at which molecules are first placed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    components: tuple[Component, ...]
    start_density: float = Field(0.05, gt=0, description="g/cm3 at placement, before any compression")
