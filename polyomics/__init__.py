"""PolyOmics: computed polymer properties with error bars, in a database that anyone can query."""

from __future__ import annotations

__version__ = "0.1.0"
