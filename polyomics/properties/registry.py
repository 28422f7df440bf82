"""The one registry of properties: name, SI unit, rank, kind and place in the default view."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from polyomics.errors import InputError

Rank = Literal["scalar", "vector", "tensor"]
Kind = Literal["thermodynamic", "structural", "dynamic"]


@dataclass(frozen=True)
class PropertySpec:
    """What a property is.

    Parameters
    ----------
    name
        Name in property rows and campaign files.
    unit
        SI unit, spelled with ``/``, ``^`` and blanks; ``1`` where dimensionless.
    rank
        ``scalar``, ``vector`` or ``tensor``.
    kind
        ``thermodynamic``, ``structural`` or ``dynamic``.
    description
        One line for people.
    default_view
        Whether the default view shows it; False for quantities that must not be mistaken for measured ones.
    """

    name: str
    unit: str
    rank: Rank
    kind: Kind
    description: str
    default_view: bool = True


_SPECS = (
    PropertySpec("density", "kg/m3", "scalar", "thermodynamic", "mass density"),
    PropertySpec(
        "heat_capacity_p_classical",
        "J/(kg K)",
        "scalar",
        "thermodynamic",
        "isobaric heat capacity of the classical model; about twice a measured one",
        default_view=False,
    ),
    PropertySpec(
        "heat_capacity_v_classical",
        "J/(kg K)",
        "scalar",
        "thermodynamic",
        "isochoric heat capacity of the classical model; about twice a measured one",
        default_view=False,
    ),
    PropertySpec("volume_expansion", "1/K", "scalar", "thermodynamic", "isobaric volume expansion coefficient"),
    PropertySpec("linear_expansion", "1/K", "scalar", "thermodynamic", "isotropic linear expansion coefficient"),
    PropertySpec("isothermal_compressibility", "1/Pa", "scalar", "thermodynamic", "isothermal compressibility"),
    PropertySpec("isentropic_compressibility", "1/Pa", "scalar", "thermodynamic", "isentropic compressibility"),
    PropertySpec("bulk_modulus", "Pa", "scalar", "thermodynamic", "isothermal bulk modulus"),
    PropertySpec("isentropic_bulk_modulus", "Pa", "scalar", "thermodynamic", "isentropic bulk modulus"),
    PropertySpec("radius_of_gyration", "m", "scalar", "structural", "mean mass-weighted radius of gyration of a chain"),
    PropertySpec("radius_of_gyration_squared", "m2", "scalar", "structural", "mean squared radius of gyration"),
    PropertySpec("end_to_end_distance", "m", "scalar", "structural", "mean distance of the ends of the backbone"),
    PropertySpec("end_to_end_distance_squared", "m2", "scalar", "structural", "mean squared end-to-end distance"),
    PropertySpec(
        "nematic_order", "1", "scalar", "structural", "largest eigenvalue of the order tensor of the residues"
    ),
    PropertySpec("fractional_free_volume", "1", "scalar", "structural", "(V - 1.3 V_vdW) / V with Bondi radii"),
    PropertySpec("self_diffusion", "m2/s", "scalar", "dynamic", "self-diffusion coefficient of chain centres"),
    PropertySpec("cohesive_energy_density", "J/m3", "scalar", "thermodynamic", "cohesive energy per volume"),
    PropertySpec(
        "solubility_parameter", "Pa^0.5", "scalar", "thermodynamic", "Hildebrand parameter, square root of CED"
    ),
)

PROPERTIES: MappingProxyType[str, PropertySpec] = MappingProxyType({spec.name: spec for spec in _SPECS})
"""All properties by name, in display order."""


def spec_of(name: str) -> PropertySpec:
    """Return the specification of a property.

    Raises
    ------
    InputError
        If the registry has no such property.
    """
    try:
        return PROPERTIES[name]
    except KeyError:
        known = ", ".join(PROPERTIES)
        raise InputError(f"unknown property {name!r}", field="properties", remedy=f"use one of {known}") from None
