"""PolyOmics: computed polymer properties with error bars, in a database that anyone can query.

The functions below are those that the command line calls:

>>> import polyomics as po
>>> po.open("quickstart").sql("SELECT name, value, stderr FROM properties WHERE property = 'density'").df()
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from polyomics.build import build_command as build_polymer
    from polyomics.campaign.run import run_campaign as run
    from polyomics.campaign.run import validate
    from polyomics.campaign.show import show_task as show
    from polyomics.forcefield import type_report as types
    from polyomics.polymer import describe
    from polyomics.store.address import open_store
    from polyomics.store.catalog import publish
    from polyomics.store.sql import open
    from polyomics.store.verify import verify

__version__ = "0.1.0"

__all__ = ["build_polymer", "describe", "open", "open_store", "publish", "run", "show", "types", "validate", "verify"]

_HOMES = {
    "build_polymer": ("polyomics.build", "build_command"),
    "describe": ("polyomics.polymer", "describe"),
    "open": ("polyomics.store.sql", "open"),
    "open_store": ("polyomics.store.address", "open_store"),
    "publish": ("polyomics.store.catalog", "publish"),
    "run": ("polyomics.campaign.run", "run_campaign"),
    "show": ("polyomics.campaign.show", "show_task"),
    "types": ("polyomics.forcefield", "type_report"),
    "validate": ("polyomics.campaign.run", "validate"),
    "verify": ("polyomics.store.verify", "verify"),
}


def __getattr__(name: str) -> Any:
    """Import a function of the public interface when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module 'polyomics' has no attribute {name!r}")
    module, attribute = _HOMES[name]
    return getattr(import_module(module), attribute)
