"""Force fields: molecular graphs and charges in, parameters and the OpenMM System out; knows no coordinates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from polyomics.forcefield.registry import force_field_names, get_force_field

if TYPE_CHECKING:
    from polyomics.forcefield.report import type_report

__all__ = ["force_field_names", "get_force_field", "type_report"]


def __getattr__(name: str) -> Any:
    """Import what needs RDKit and OpenMM only when it is asked for."""
    if name == "type_report":
        from polyomics.forcefield.report import type_report

        return type_report
    raise AttributeError(name)
