"""Amorphous cells: chain growth, tacticity, placement, relaxation and the checks of what was built."""

from __future__ import annotations

from polyomics.build.assemble import build_cell
from polyomics.build.cell import Cell
from polyomics.build.contacts import close_contacts
from polyomics.build.dyads import check_geometry, dyad_statistics
from polyomics.build.files import build_command, cell_from_bytes, cell_to_bytes, to_pdb, write_cell
from polyomics.build.spearing import speared_rings
from polyomics.build.spec import assembly_of, check_edge, homopolymer_spec, minimum_edge
from polyomics.build.system import Component, SystemSpec, UnitShare

__all__ = [
    "Cell",
    "Component",
    "SystemSpec",
    "UnitShare",
    "assembly_of",
    "build_cell",
    "build_command",
    "cell_from_bytes",
    "cell_to_bytes",
    "check_edge",
    "check_geometry",
    "close_contacts",
    "dyad_statistics",
    "homopolymer_spec",
    "minimum_edge",
    "speared_rings",
    "to_pdb",
    "write_cell",
]
