"""A cell: molecules with coordinates in a periodic box."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from polyomics.polymer.topology import Assembly, FloatArray


@dataclass(frozen=True, eq=False)
class Cell:
    """Molecules placed in a rectangular periodic box.

    Parameters
    ----------
    assembly
        The molecules in storage order.
    positions
        Coordinates in nm, whole along bonds (a bond is never longer than half an edge), shape (n_atoms, 3).
    box
        Edges in nm, shape (3,).
    """

    assembly: Assembly
    positions: FloatArray
    box: FloatArray
