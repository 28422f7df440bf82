"""Orientation and homogeneity of a configuration: nematic order and the spread of local density."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from polyomics.properties.chains import residue_centers
from polyomics.properties.estimates import refusal
from polyomics.properties.records import Estimate, FloatArray, Snapshot
from polyomics.properties.statistics import MINIMUM_SAMPLES, student_factor

_ISOTROPIC_SQUARE = 0.74
"""n <lambda_max²> of the order tensor of n independent directions without order (Gaussian limit of large n)."""

_ISOTROPIC_SPREAD = 0.38
"""sqrt(n) times the standard deviation of the corrected order parameter of n such directions."""

ATOMS_PER_SUBCELL = 50
"""Aim for the coarse grid of local density: an ideal gas of single atoms then has a spread of 0.14."""


def directors(snapshot: Snapshot) -> list[FloatArray]:
    """Return unit directions along each molecule, one array of shape (n_directions, 3) each.

    A chain of three or more residues has one direction per inner residue i, from the centre of mass of residue i - 1
    to that of i + 1: the local direction of the chain. A shorter molecule has one, its long axis (that of the smallest
    moment of inertia).
    """
    found = []
    for centers, start, end in zip(residue_centers(snapshot), snapshot.starts[:-1], snapshot.starts[1:], strict=True):
        if len(centers) >= 3:
            vectors = centers[2:] - centers[:-2]
        else:
            relative = snapshot.positions[start:end]
            mass = snapshot.masses[start:end, None]
            relative = relative - (mass * relative).sum(axis=0) / mass.sum()
            vectors = np.linalg.eigh((mass * relative).T @ relative)[1][:, -1:].T
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        found.append(vectors[lengths[:, 0] > 0] / lengths[lengths[:, 0] > 0])
    return found


def independent_directions(chains: list[FloatArray]) -> float:
    """Return how many independent directions there are: their number over the summed correlation along the chain.

    The correlation of directions s residues apart is <P2(u_i·u_{i+s})>, summed up to its first zero.
    """
    count = sum(len(u) for u in chains)
    longest = max((len(u) for u in chains), default=0)
    inefficiency = 1.0
    for s in range(1, longest):
        products = [np.einsum("ik,ik->i", u[s:], u[:-s]) for u in chains if len(u) > s]
        correlation = float(np.mean(1.5 * np.concatenate(products) ** 2 - 0.5))
        if correlation <= 0.0:
            break
        inefficiency += 2.0 * correlation * sum(len(p) for p in products) / count
    return count / inefficiency if count else 0.0


def order_parameter(directions: FloatArray, independent: float) -> float:
    """Return the largest eigenvalue of Q = <(3 u u - 1)/2>, corrected for its value in an unordered finite sample.

    ``S² = (lambda² - 0.74/n)/(1 - 0.74/n)``, zero where negative: 1 for parallel directions, about 0 for random ones.

    Parameters
    ----------
    directions
        Unit vectors, shape (m, 3).
    independent
        Number n of independent ones among them.
    """
    tensor = 1.5 * directions.T @ directions / len(directions) - 0.5 * np.eye(3)
    largest = float(np.linalg.eigvalsh(tensor)[-1])
    expected = min(_ISOTROPIC_SQUARE / max(independent, 1.0), 0.99)
    return math.sqrt(max(0.0, (largest**2 - expected) / (1.0 - expected)))


def isotropic_spread(independent: float) -> float:
    """Return the standard deviation of the order parameter of this many directions without order."""
    return _ISOTROPIC_SPREAD / math.sqrt(max(independent, 1.0))


def nematic_order(snapshots: tuple[Snapshot, ...], minimum: float = MINIMUM_SAMPLES) -> Estimate:
    """Return the nematic order parameter, the mean over the snapshots.

    The samples are the independent directions within one snapshot; further snapshots of the same cell are not counted
    as more. The error is that of leaving out one molecule at a time, and at least the spread of an unordered sample.

    Parameters
    ----------
    snapshots
        Configurations of one cell.
    minimum
        Independent directions below which there is no value.
    """
    name = "nematic_order"
    if not snapshots:
        return refusal(name, "no snapshot", "no_snapshot")
    results = [_one_snapshot(directors(s)) for s in snapshots]
    n_eff = min(r[2] for r in results)
    if n_eff < minimum:
        reason = f"{n_eff:.1f} independent directions, {minimum:.0f} needed: a larger cell or more replicas"
        return refusal(name, reason, "few_samples", n_eff)
    value = float(np.mean([r[0] for r in results]))
    return Estimate(name, value, max(r[1] for r in results), n_eff)


def _one_snapshot(chains: list[FloatArray]) -> tuple[float, float, float]:
    """Return order, its error and the number of independent directions."""
    chains = [u for u in chains if len(u)]
    independent = independent_directions(chains)
    if not chains:
        return 0.0, 0.0, 0.0
    value = order_parameter(np.concatenate(chains), independent)
    error = isotropic_spread(independent) * (1.0 - value)
    m = len(chains)
    if m > 1:
        share = independent * (m - 1) / m
        left = [order_parameter(np.concatenate(chains[:i] + chains[i + 1 :]), share) for i in range(m)]
        error = max(error, math.sqrt((m - 1) * float(np.var(left))) * student_factor(m - 1))
    return value, error, independent


@dataclass(frozen=True)
class LocalDensity:
    """Relative spread of the mass in the subcells of a coarse grid.

    Parameters
    ----------
    spread
        Standard deviation over mean, averaged over eight shifts of the grid.
    divisions
        Subcells per edge.
    ideal
        The spread of an ideal gas of the same atoms: sqrt(k³ sum(m²))/sum(m). A liquid lies well below, a cell with a
        hole above.
    """

    spread: float
    divisions: int
    ideal: float


def local_density(snapshot: Snapshot) -> LocalDensity:
    """Return the relative spread of local density over k × k × k subcells.

    k is chosen for about 50 atoms a subcell (at least 2), so that counting noise stays below the limit of 0.25 even for
    an ideal gas, while a hole of one subcell in a cell of 2 × 2 × 2 gives 0.38.
    """
    k = max(2, int((len(snapshot.masses) / ATOMS_PER_SUBCELL) ** (1.0 / 3.0)))
    fraction = snapshot.positions / snapshot.box * k
    spreads = []
    for shift in np.stack(np.meshgrid([0.0, 0.5], [0.0, 0.5], [0.0, 0.5], indexing="ij"), axis=-1).reshape(-1, 3):
        index = np.floor(fraction + shift).astype(np.int64) % k
        flat = (index[:, 0] * k + index[:, 1]) * k + index[:, 2]
        mass = np.bincount(flat, weights=snapshot.masses, minlength=k**3)
        spreads.append(float(mass.std() / mass.mean()))
    ideal = math.sqrt(k**3 * float(np.sum(snapshot.masses**2))) / float(np.sum(snapshot.masses))
    return LocalDensity(float(np.mean(spreads)), k, ideal)
