"""Van der Waals volume of a cell on a grid, and the fractional free volume that follows from it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from polyomics.properties.estimates import as_estimate, refusal
from polyomics.properties.statistics import MINIMUM_SAMPLES, Sampled, is_constant, mean_of
from polyomics.properties.thermodynamic import duration_of, volumes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from polyomics.properties.records import Estimate, FloatArray, Records, Snapshot

BONDI_RADII: dict[int, float] = {
    1: 0.120,
    6: 0.170,
    7: 0.155,
    8: 0.152,
    9: 0.147,
    15: 0.180,
    16: 0.180,
    17: 0.175,
    35: 0.185,
    53: 0.198,
}
"""Van der Waals radii by atomic number, nm: Bondi, J. Phys. Chem. 68 (1964) 441, table I."""

GRID = 0.02
"""Largest grid spacing, nm."""

OCCUPIED = 1.3
"""Occupied volume over van der Waals volume (Bondi; van Krevelen, Properties of Polymers, ch. 4)."""

_CHUNK = 2_000_000


def van_der_waals_volume(snapshot: Snapshot, spacing: float = GRID) -> float:
    """Return the volume of the union of the atoms' Bondi spheres in the periodic cell, nm³.

    Counts the grid points inside at least one sphere; overlaps, also with periodic images, count once.

    Parameters
    ----------
    snapshot
        The cell.
    spacing
        Largest grid spacing, nm; edges are divided evenly.

    Raises
    ------
    KeyError
        For an element without a Bondi radius.
    """
    points = np.maximum(np.ceil(snapshot.box / spacing - 1e-9), 1).astype(np.int64)
    step = snapshot.box / points
    inside = np.zeros(int(np.prod(points)), dtype=np.bool_)
    for number in np.unique(snapshot.numbers):
        radius = BONDI_RADII[int(number)]
        _mark(inside, snapshot.positions[snapshot.numbers == number], radius, points, step)
    return float(np.count_nonzero(inside)) * float(np.prod(step))


def _mark(
    inside: NDArray[np.bool_], centers: FloatArray, radius: float, points: NDArray[np.int64], step: FloatArray
) -> None:
    """Mark the grid points within ``radius`` of the centres."""
    reach = np.ceil(radius / step).astype(np.int64) + 1
    axes = [np.arange(-r, r + 1) for r in reach]
    offsets = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    # a centre is at most half a step from its nearest grid point along each axis
    offsets = offsets[np.linalg.norm(offsets * step, axis=1) <= radius + 0.5 * np.linalg.norm(step)]
    shift = offsets * step
    norm = np.einsum("ok,ok->o", shift, shift)
    strides = np.array([points[1] * points[2], points[2], 1], dtype=np.int64)
    tables = [((np.arange(-r, n + r + 1)) % n) * s for r, n, s in zip(reach, points, strides, strict=True)]
    for part in np.array_split(centers, max(1, math.ceil(len(centers) * len(offsets) / _CHUNK))):
        nearest = np.rint(part / step).astype(np.int64)
        rest = nearest * step - part
        nearest %= points
        squared = norm + 2.0 * rest @ shift.T + np.einsum("ik,ik->i", rest, rest)[:, None]
        atom, offset = np.nonzero(squared <= radius * radius)
        index = np.zeros(len(atom), dtype=np.int64)
        for axis in range(3):
            index += tables[axis][nearest[atom, axis] + offsets[offset, axis] + reach[axis]]
        inside[index] = True


def free_volume(
    records: Records, snapshots: tuple[Snapshot, ...], spacing: float = GRID, minimum: float = MINIMUM_SAMPLES
) -> Estimate:
    """Return the fractional free volume (V - 1.3 V_vdW)/V, dimensionless.

    The van der Waals volume is the mean over the snapshots (it hardly varies: bonds and angles are stiff), the cell
    volume comes from the NPT records; both errors are carried on.

    Parameters
    ----------
    records
        An NPT stage.
    snapshots
        Configurations of the same cell.
    spacing
        Largest grid spacing, nm.
    minimum
        Independent samples of the volume below which there is no value.
    """
    name = "fractional_free_volume"
    if not snapshots:
        return refusal(name, "no snapshot to take the van der Waals volume from", "no_snapshot")
    unknown = sorted({int(n) for s in snapshots for n in np.unique(s.numbers)} - set(BONDI_RADII))
    if unknown:
        return refusal(name, f"no Bondi radius for atomic numbers {unknown}", "no_radius")
    volume = volumes(records)
    if records.ensemble != "npt" or is_constant(volume):
        return refusal(name, "needs NPT records with a fluctuating volume", "wrong_ensemble")
    occupied = np.array([van_der_waals_volume(s, spacing) for s in snapshots])
    per_volume = mean_of(1.0 / volume, minimum)
    taken = OCCUPIED * float(occupied.mean())
    spread = OCCUPIED * float(occupied.std(ddof=1)) / math.sqrt(len(occupied)) if len(occupied) > 1 else 0.0
    error = math.hypot(taken * per_volume.stderr, spread * per_volume.value)
    sampled = Sampled(1.0 - taken * per_volume.value, error, per_volume.n_eff)
    return as_estimate(name, sampled, duration_of(records), minimum)
