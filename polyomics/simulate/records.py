"""Records of a running stage: one row per interval, continuous chain centres, and the columns that estimators read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from polyomics.polymer.topology import FloatArray
    from polyomics.simulate.cell_map import CellMap
    from polyomics.simulate.plan import SegmentPlan

BAR_PER_KJ_MOL_NM3 = 16.605390671738466
GAS_CONSTANT = 0.00831446261815324
"""Molar gas constant, kJ/mol/K."""

ENERGY_TERMS: tuple[str, ...] = ("bond", "angle", "proper", "improper", "nonbonded", "reciprocal")
Row = dict[str, Any]


def chain_row(cell: CellMap, whole: FloatArray) -> Row:
    """Return the geometric part of a row.

    Parameters
    ----------
    cell
        The cell's map.
    whole
        Coordinates whole along bonds, nm, shape (n, 3).

    Returns
    -------
    dict
        ``dipole`` e nm (3,), ``rg2`` nm² (c,), ``end_vector`` nm (c, 3), ``centers`` nm (c, 3).
    """
    centers = cell.centers(whole)
    relative = whole - cell.spread(centers)
    squares = cell.masses * np.einsum("ij,ij->i", relative, relative)
    return {
        # Molecules are neutral: relative coordinates give the same dipole without large terms that cancel.
        "dipole": cell.charges @ relative,
        "rg2": cell.per_molecule(squares) / cell.per_molecule(cell.masses),
        "end_vector": whole[cell.ends[:, 1]] - whole[cell.ends[:, 0]],
        "centers": centers,
    }


class RecordBuffer:
    """Rows so far, by column; makes chain centres continuous in time and free of overall drift.

    A stored centre is the chain's own centre minus the centre of mass of the cell (column ``drift``), both continued
    through periodic boundaries: between two records a chain moves much less than half an edge.

    Parameters
    ----------
    masses
        Mass of each chain, amu, shape (c,).
    arrays
        Columns of an interrupted run to go on from.
    """

    def __init__(self, masses: FloatArray, arrays: Mapping[str, NDArray[Any]] | None = None) -> None:
        self._masses = masses
        self._columns: dict[str, list[Any]] = {}
        for name, column in (arrays or {}).items():
            self._columns[name] = list(column)

    def __len__(self) -> int:
        return len(next(iter(self._columns.values()), []))

    def append(self, row: Row) -> None:
        """Add a row; its ``centers`` may be any periodic image."""
        row = dict(row)
        row["centers"], row["drift"] = self._continued(row["centers"], row["box"])
        if not self._columns:
            self._columns = {name: [] for name in row}
        for name, column in self._columns.items():
            column.append(row[name])

    def truncate(self, length: int) -> None:
        """Forget all rows after the first ``length``."""
        for column in self._columns.values():
            del column[length:]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all columns as arrays, first axis time."""
        return {name: np.array(column) for name, column in self._columns.items()}

    def _continued(self, centers: FloatArray, box: FloatArray) -> tuple[FloatArray, FloatArray]:
        if len(self):
            # A volume move scales every image about the origin, so the expected place scales with the box.
            before = (self._columns["centers"][-1] + self._columns["drift"][-1]) * (box / self._columns["box"][-1])
            centers = centers + box * np.rint((before - centers) / box)
        drift = self._masses @ centers / self._masses.sum()
        return centers - drift, drift


def records_fields(columns: Mapping[str, NDArray[Any]], segment: SegmentPlan, cell: CellMap) -> dict[str, Any]:
    """Return the fields of ``polyomics.properties.records.Records`` of one stage with one segment.

    Parameters
    ----------
    columns
        Columns of :class:`RecordBuffer`.
    segment
        The segment whose targets the records were made under.
    cell
        The cell's map.
    """
    pressure = segment.pressure if segment.pressure is not None else float("nan")
    return {
        "ensemble": segment.ensemble,
        "temperature": segment.temperature_end,
        "pressure": pressure,
        "time": columns["time"],
        "box": columns["box"],
        "potential": columns["potential"],
        "kinetic": columns["kinetic"],
        "energies": {term: columns[f"energy_{term}"] for term in ENERGY_TERMS},
        "pressure_bar": columns["pressure_bar"],
        "dipole": columns["dipole"],
        "rg2": columns["rg2"],
        "end_vector": columns["end_vector"],
        "centers": columns["centers"],
        "mass": cell.mass,
        "n_degrees": cell.n_degrees,
    }
