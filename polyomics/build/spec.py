"""From the declarative description of a cell to its molecular graphs, its mass and the size it will have."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
from rdkit import Chem

from polyomics.build.system import Component, SystemSpec, UnitShare
from polyomics.errors import InputError, UnsupportedError
from polyomics.polymer.chain import HYDROGEN_ENDS, chain, degree_for_atoms
from polyomics.polymer.psmiles import parse, parse_molecule
from polyomics.polymer.topology import Assembly

if TYPE_CHECKING:
    from typing import Literal

    from polyomics.polymer.topology import FloatArray, Topology

AMU_PER_NM3 = 1.66053907e-3
"""Density in g/cm3 of one atomic mass unit per cubic nanometre."""
EDGE_PER_CUTOFF = 2.2


def homopolymer_spec(
    psmiles: str,
    chains: int,
    atoms: int,
    tacticity: Literal["atactic", "isotactic", "syndiotactic"] = "atactic",
    end_groups: tuple[str, str] = HYDROGEN_ENDS,
    start_density: float = 0.05,
) -> SystemSpec:
    """Return the description of ``chains`` equal homopolymer chains of about ``atoms`` atoms each."""
    degree = degree_for_atoms(parse(psmiles), atoms, end_groups)
    component = Component(
        units=(UnitShare(psmiles=psmiles),),
        tacticity=tacticity,
        end_groups=end_groups,
        n_chains=chains,
        degrees=(degree,) * chains,
    )
    return SystemSpec(components=(component,), start_density=start_density)


def assembly_of(spec: SystemSpec) -> Assembly:
    """Return the molecular graphs of a cell: per component one species per distinct degree, in order of appearance.

    Raises
    ------
    polyomics.errors.UnsupportedError
        A component has more than one kind of unit.
    polyomics.errors.InputError
        The list of degrees does not fit, or a unit is wrong.
    """
    species: list[Topology] = []
    counts: list[int] = []
    for component in spec.components:
        for degree, count in Counter(_degrees(component)).items():
            species.append(_species(component, degree))
            counts.append(count)
    return Assembly(tuple(species), tuple(counts))


def component_of_species(spec: SystemSpec) -> tuple[Component, ...]:
    """Return the component that each species of :func:`assembly_of` belongs to."""
    return tuple(component for component in spec.components for _ in Counter(_degrees(component)))


def _degrees(component: Component) -> tuple[int, ...]:
    if component.kind == "molecule" and not component.degrees:
        return (1,) * component.n_chains
    if len(component.degrees) != component.n_chains or min(component.degrees) < 1:
        raise InputError(
            f"{len(component.degrees)} degrees of polymerization for {component.n_chains} chains",
            subject=component.units[0].psmiles,
            field="degrees",
            remedy="give one number of units, at least 1, for each chain",
        )
    return component.degrees


def _species(component: Component, degree: int) -> Topology:
    if len(component.units) != 1 or component.sequence != "homopolymer":
        raise UnsupportedError(
            f"{component.sequence} of {len(component.units)} units",
            subject=", ".join(unit.psmiles for unit in component.units),
            field="sequence",
            remedy="this version builds homopolymers: give one unit",
        )
    text = component.units[0].psmiles
    if component.kind == "molecule":
        return parse_molecule(text)
    return chain(parse(text), degree, component.end_groups)


def masses(topology: Topology) -> FloatArray:
    """Return average atomic masses in g/mol, shape (n,)."""
    table = Chem.GetPeriodicTable()
    return np.array([table.GetAtomicWeight(int(z)) for z in topology.numbers], dtype=np.float64)


def cell_mass(assembly: Assembly) -> float:
    """Return the mass of a cell in g/mol of cells."""
    return float(sum(masses(t).sum() * n for t, n in zip(assembly.species, assembly.counts, strict=True)))


def edge_at(mass: float, density: float) -> float:
    """Return the edge in nm of the cube of ``mass`` (g/mol) at ``density`` (g/cm3)."""
    return float((mass * AMU_PER_NM3 / density) ** (1.0 / 3.0))


def minimum_edge(spec: SystemSpec, density: float) -> float:
    """Return the edge in nm that a cell will have once it is as dense as ``density``, g/cm3."""
    return edge_at(cell_mass(assembly_of(spec)), density)


def check_edge(spec: SystemSpec, cutoff: float, density_guess: float = 1.2) -> None:
    """Refuse a cell that would become too small for its cutoff.

    Parameters
    ----------
    spec
        The cell.
    cutoff
        Of the non-bonded interactions, nm.
    density_guess
        The densest it can be expected to become, g/cm3.

    Raises
    ------
    polyomics.errors.InputError
        The edge would fall below 2.2 times the cutoff; the remedy names the number of atoms needed.
    """
    assembly = assembly_of(spec)
    edge, least = edge_at(cell_mass(assembly), density_guess), EDGE_PER_CUTOFF * cutoff
    if edge < least:
        needed = int(np.ceil(assembly.n_atoms * (least / edge) ** 3))
        raise InputError(
            f"at {density_guess:g} g/cm3 the cell of {assembly.n_atoms} atoms would have an edge of {edge:.2f} nm, "
            f"below {EDGE_PER_CUTOFF} cutoffs ({least:.2f} nm)",
            subject=spec.components[0].units[0].psmiles,
            field="system.chains",
            remedy=f"about {needed} atoms in all, by more chains or more atoms per chain, or a shorter cutoff",
        )
