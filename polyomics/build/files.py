"""A cell as files: PDB, OpenMM System and State, and the compact bytes the store keeps."""

from __future__ import annotations

import io
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import openmm

from polyomics.build.assemble import Clock, build_cell
from polyomics.build.cell import Cell
from polyomics.build.dyads import dyad_statistics
from polyomics.build.spec import homopolymer_spec
from polyomics.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Literal

    from polyomics.polymer.topology import Assembly, Topology

_SYMBOLS = {1: "H", 6: "C", 7: "N", 8: "O", 9: "F", 15: "P", 16: "S", 17: "Cl", 35: "Br", 53: "I"}
_CHAINS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def cell_to_bytes(cell: Cell) -> bytes:
    """Return positions (float64) and box of a cell as npz; the molecules come again from its description."""
    stream = io.BytesIO()
    np.savez_compressed(stream, positions=cell.positions, box=cell.box)
    return stream.getvalue()


def cell_from_bytes(data: bytes, assembly: Assembly) -> Cell:
    """Return the cell stored by :func:`cell_to_bytes`, with its molecules as :func:`assembly_of` gives them.

    Raises
    ------
    polyomics.errors.InputError
        The number of atoms differs.
    """
    with np.load(io.BytesIO(data), allow_pickle=False) as stored:
        positions, box = stored["positions"], stored["box"]
    if positions.shape != (assembly.n_atoms, 3):
        raise InputError(
            f"{len(positions)} stored positions for {assembly.n_atoms} atoms", field="cell", remedy="build it again"
        )
    return Cell(assembly, positions, box)


def to_pdb(cell: Cell) -> str:
    """Return the cell in PDB format: one chain per molecule, one residue per unit, box and all bonds.

    Coordinates are whole along bonds, as stored. Serial numbers and residue numbers go to hexadecimal and wrap where
    their columns end, as OpenMM reads and writes them.
    """
    a, b, c = 10.0 * cell.box
    lines = [f"CRYST1{a:9.3f}{b:9.3f}{c:9.3f}  90.00  90.00  90.00 P 1           1"]
    serials: list[str] = []
    for index, (topology, first) in enumerate(
        zip(cell.assembly.molecules(), cell.assembly.molecule_starts(), strict=False)
    ):
        chain = _CHAINS[index % len(_CHAINS)]
        points = 10.0 * cell.positions[first : first + topology.n_atoms]
        names, residues, elements = _names(topology)
        kinds = [f"U{k + 1:02d}" for k in topology.sequence] if topology.units else ["MOL"]
        for atom, (x, y, z) in enumerate(points):
            serials.append(_number(len(serials) + 1 + index, 5))
            residue = residues[atom]
            lines.append(
                f"HETATM{serials[-1]} {names[atom]:<4s} {kinds[residue]:<3s} {chain}{_number(residue + 1, 4)}    "
                f"{x:8.3f}{y:8.3f}{z:8.3f}  1.00  0.00          {elements[atom]:>2s}"
            )
        lines.append(f"TER   {_number(len(serials) + 1 + index, 5)}")
    lines += _connections(cell, serials)
    return "\n".join([*lines, "END", ""])


def _names(topology: Topology) -> tuple[list[str], list[int], list[str]]:
    """Return PDB atom names (unique in their residue), residue index and element symbol of each atom."""
    elements = [_SYMBOLS[int(z)] for z in topology.numbers]
    residues = [int(r) for r in topology.residues]
    seen: dict[tuple[int, str], int] = {}
    names = []
    for element, residue in zip(elements, residues, strict=True):
        count = seen[residue, element] = seen.get((residue, element), 0) + 1
        label = f"{element.upper()}{count}"
        names.append(label if len(element) == 2 or len(label) > 3 else f" {label}")
    return names, residues, elements


def _number(value: int, width: int) -> str:
    """Return ``value`` right-aligned, in hybrid hexadecimal beyond the decimal range (OpenMM's convention)."""
    limit = 10**width
    if value < limit:
        return f"{value:{width}d}"
    first_hex = 10 * 16 ** (width - 1)
    return f"{(value - limit) % (16**width - first_hex) + first_hex:{width}X}"


def _connections(cell: Cell, serials: list[str]) -> list[str]:
    near: list[list[int]] = [[] for _ in serials]
    for i, j in cell.assembly.bonds().tolist():
        near[i].append(j)
        near[j].append(i)
    return [
        f"CONECT{serials[i]}" + "".join(serials[j] for j in others[k : k + 4])
        for i, others in enumerate(near)
        for k in range(0, len(others), 4)
    ]


def write_cell(cell: Cell, system: openmm.System, folder: Path) -> dict[str, str]:
    """Write ``cell.pdb``, ``system.xml`` and ``state.xml`` into ``folder`` and return their paths by kind."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        "pdb": ("cell.pdb", to_pdb(cell)),
        "system": ("system.xml", openmm.XmlSerializer.serialize(system)),
        "state": ("state.xml", _state_xml(cell)),
    }
    paths = {}
    for kind, (name, text) in texts.items():
        (folder / name).write_text(text)
        paths[kind] = str(folder / name)
    return paths


def _state_xml(cell: Cell) -> str:
    """Return an OpenMM State with positions and box; OpenMM itself writes it, from a System without forces."""
    system = openmm.System()
    for _ in range(cell.assembly.n_atoms):
        system.addParticle(1.0)
    system.setDefaultPeriodicBoxVectors(*np.diag(cell.box).tolist())
    platform = openmm.Platform.getPlatformByName("Reference")
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), platform)
    context.setPositions(cell.positions)
    return str(openmm.XmlSerializer.serialize(context.getState(getPositions=True)))


def build_command(
    psmiles: str,
    chains: int,
    atoms: int,
    seed: int,
    out: Path,
    tacticity: Literal["atactic", "isotactic", "syndiotactic"] = "atactic",
    density: float = 0.05,
    charges: str = "gasteiger",
) -> dict[str, Any]:
    """Build a cell of homopolymer chains with GAFF2 and write its files: what the verb ``build`` does.

    Parameters
    ----------
    psmiles
        Repeat unit.
    chains, atoms
        Number of chains and approximate atoms per chain.
    seed
        Everything random follows from it.
    out
        Folder for the files.
    tacticity
        Of the chains.
    density
        At which molecules are placed, g/cm3.
    charges
        Charge method.

    Returns
    -------
    dict
        ``atoms``, ``chains``, ``degree``, ``box_nm``, ``seconds`` and ``cpu_seconds`` per phase, ``meso_share``,
        ``dyads`` and ``files``.
    """
    from polyomics.forcefield.charges import unit_charges
    from polyomics.forcefield.gaff2 import GAFF2
    from polyomics.forcefield.interface import SystemOptions
    from polyomics.polymer.psmiles import parse

    clock = Clock()
    spec = homopolymer_spec(psmiles, chains, atoms, tacticity, start_density=density)
    force_field = GAFF2()
    sets = [[unit_charges(parse(psmiles), charges)]]
    clock.lap("charges")
    cell = build_cell(spec, force_field, sets, seed, clock)
    system = force_field.parametrise(cell.assembly, sets, cell.box, SystemOptions())
    clock.lap("typing")
    files = write_cell(cell, system, out)
    clock.lap("files")
    chain = cell.assembly.species[0]
    starts = cell.assembly.molecule_starts()
    dyads = [dyad_statistics(chain, cell.positions[a:b]) for a, b in pairwise(starts)]
    count = sum(n for _, n in dyads)
    return {
        "atoms": cell.assembly.n_atoms,
        "chains": chains,
        "degree": chain.n_residues,
        "box_nm": cell.box.tolist(),
        "seconds": clock.wall(),
        "cpu_seconds": clock.cpu(),
        "meso_share": sum(m * n for m, n in dyads if n) / count if count else None,
        "dyads": count,
        "files": files,
    }
