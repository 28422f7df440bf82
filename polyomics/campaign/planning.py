"""From a campaign file to runs: reading entries, refusing bad ones by name, finding one polymer under two spellings."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from rdkit import Chem
from rdkit.Chem import rdMolDescriptors

from polyomics.build import check_edge
from polyomics.build.spec import masses
from polyomics.build.system import Component, SystemSpec, UnitShare
from polyomics.campaign.file import CampaignFile, PolymerEntry, PolymerTable
from polyomics.errors import InputError, PolyOmicsError, UnsupportedError
from polyomics.forcefield import get_force_field
from polyomics.forcefield.interface import ChargeSet, ClassicalForceField
from polyomics.pipeline.plan import Run
from polyomics.polymer import chain, degree_for_atoms, parse, parse_molecule, to_rdkit
from polyomics.properties.registry import PROPERTIES
from polyomics.simulate.protocol import Protocol, load_protocol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from polyomics.forcefield.interface import ForceField
    from polyomics.polymer import RepeatUnit, Topology

DEFAULT_ATOMS_PER_CHAIN = 1000
SYNTHETIC = "synthetic"
PACKING = 0.645
"""Share of an amorphous polymer's volume that its van der Waals volume takes (Bondi)."""

VAN_DER_WAALS = {1: 7.24, 6: 20.58, 7: 15.6, 8: 14.71, 9: 13.31, 15: 24.43, 16: 24.43, 17: 22.45, 35: 26.52, 53: 32.52}
"""Volume by atomic number, Å3: Zhao, Abraham & Zissimos, J. Org. Chem. 68, 7368 (2003), with its equation 4."""


@dataclass(frozen=True)
class Rejected:
    """An entry that cannot be computed, and what to do about it."""

    polymer: str
    field: str
    reason: str
    remedy: str

    @classmethod
    def from_error(cls, error: PolyOmicsError, polymer: str, field: str = "psmiles") -> Rejected:
        """Return the rejection that an error amounts to."""
        return cls(polymer, error.field or field, error.reason, error.remedy or "correct the entry")

    def as_dict(self) -> dict[str, str]:
        """Return the keys of the command line's contract."""
        return {"polymer": self.polymer, "field": self.field, "reason": self.reason, "remedy": self.remedy}


@dataclass(frozen=True)
class Subject:
    """A polymer or liquid of the campaign in its canonical frame.

    Parameters
    ----------
    entry
        As written, with name and literature values.
    canonical, key
        Identity.
    polymer_class
        Class label; ``molecule`` for a liquid.
    mass
        Molar mass of the repeat unit or molecule, g/mol.
    system
        The cell.
    """

    entry: PolymerEntry
    canonical: str
    key: str
    polymer_class: str
    mass: float
    system: SystemSpec


@dataclass(frozen=True)
class Plan:
    """Everything a campaign file asks for.

    Parameters
    ----------
    file
        The campaign file.
    protocol
        Loaded.
    subjects
        Accepted entries, each identity once.
    rejected
        The others, with reasons.
    """

    file: CampaignFile
    protocol: Protocol
    subjects: tuple[Subject, ...]
    rejected: tuple[Rejected, ...]

    @property
    def replicas(self) -> int:
        """Replicas of each run."""
        return self.file.replicas or self.protocol.replicas

    @property
    def charges(self) -> str:
        """The charge method in force."""
        return self.protocol.charges if self.file.charges == "default" else self.file.charges

    def runs(self) -> Iterator[tuple[Subject, Run]]:
        """Yield every run: subjects × temperatures × pressures."""
        for subject in self.subjects:
            for temperature in self.file.temperature:
                for pressure in self.file.pressure:
                    yield (
                        subject,
                        Run(
                            system=subject.system,
                            force_field=self.file.force_field,
                            charges=self.charges,
                            protocol=self.protocol,
                            temperature=temperature,
                            pressure=pressure,
                            seed=self.file.seed,
                            keep_frames=self.file.keep == "frames",
                        ),
                    )


def plan_campaign(file: CampaignFile, base: Path) -> Plan:
    """Check a campaign and lay out its runs; nothing is computed.

    Parameters
    ----------
    file
        The validated file.
    base
        Folder that relative paths in it start from.

    Raises
    ------
    polyomics.errors.InputError
        Something concerns the campaign as a whole: unknown protocol, force field or property, an unreadable table.
    """
    protocol = load_campaign_protocol(file, base)
    force_field = get_force_field(file.force_field, **protocol.force_field_options())
    check_properties(file)
    subjects: dict[str, Subject] = {}
    rejected: list[Rejected] = []
    for entry in read_entries(file, base):
        try:
            subject = entry_subject(entry, file, protocol, force_field)
            identity = f"{subject.key} {subject.system.components[0].units[0].psmiles if '/' in entry.text else ''}"
            first = subjects.get(identity)
            if first is not None:
                raise InputError(
                    f"is the same polymer as {first.entry.text!r}: it is computed once",
                    field="psmiles",
                    remedy="remove one of the two entries",
                )
            subjects[identity] = subject
        except PolyOmicsError as error:
            rejected.append(Rejected.from_error(error, entry.text, "psmiles" if entry.psmiles else "smiles"))
    return Plan(file, protocol, tuple(subjects.values()), tuple(rejected))


def check_properties(file: CampaignFile) -> None:
    """Raise InputError where a campaign asks for a property that does not exist."""
    for name in file.properties or ():
        if name not in PROPERTIES:
            raise InputError(
                f"{name!r} is no known property", field="properties", remedy=f"one of {', '.join(PROPERTIES)}"
            )


def read_entries(file: CampaignFile, base: Path) -> Iterator[PolymerEntry]:
    """Yield the entries of a campaign: those in the file, or the rows of its table."""
    if not isinstance(file.polymers, PolymerTable):
        yield from file.polymers
        return
    yield from _rows(file.polymers, base)


def _rows(table: PolymerTable, base: Path) -> Iterator[PolymerEntry]:
    for psmiles, name, _ in table_rows(table, base):
        yield PolymerEntry(psmiles=psmiles, name=name)


def table_rows(table: PolymerTable, base: Path) -> Iterator[tuple[str, str, str]]:
    """Yield ``(psmiles, name, canonical)`` of a table's rows; what it has no column for is empty."""
    path = base / str(table.csv or table.parquet)
    optional = [name for name in (table.name_column, table.canonical_column) if name]
    wanted = [table.column, *optional]
    try:
        rows = _csv_rows(path, wanted) if table.csv else _parquet_rows(path, wanted)
        empty = True
        for row in rows:
            empty = False
            name, canonical = (
                str(row.get(column or "", "") or "") for column in (table.name_column, table.canonical_column)
            )
            yield str(row[table.column] or ""), name, canonical
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"cannot be read ({error})", subject=str(path), field="polymers", remedy="check the path"
        ) from error
    if empty:
        raise InputError(
            "holds no rows", subject=str(path), field="polymers", remedy="give a table with at least one polymer"
        )


def _csv_rows(path: Path, wanted: list[str]) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.DictReader(stream)
        _check_columns(path, wanted, list(reader.fieldnames or ()))
        yield from reader


def _parquet_rows(path: Path, wanted: list[str]) -> Iterator[dict[str, str]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(path)
    except pa.ArrowInvalid as error:
        raise InputError(
            "is not a Parquet file", subject=str(path), field="polymers", remedy="check the path"
        ) from error
    _check_columns(path, wanted, table.schema_arrow.names)
    for batch in table.iter_batches(columns=wanted):
        yield from batch.to_pylist()


def _check_columns(path: Path, wanted: list[str], present: list[str]) -> None:
    for name in wanted:
        if name not in present:
            raise InputError(
                f"has no column {name!r}", subject=str(path), field="polymers.column",
                remedy=f"one of {', '.join(present) or 'none: the file is empty'}",
            )  # fmt: skip


def entry_subject(entry: PolymerEntry, file: CampaignFile, protocol: Protocol, force_field: ForceField) -> Subject:
    """Return an entry in its canonical frame; raises InputError or UnsupportedError."""
    section = file.system
    if entry.psmiles is None:
        parse_molecule(str(entry.smiles))
        mol = Chem.MolFromSmiles(str(entry.smiles))
        canonical = Chem.MolToSmiles(mol)
        component = Component(
            kind="molecule",
            units=(UnitShare(psmiles=canonical, key=f"mol:{canonical}"),),
            n_chains=section.molecules,
            degrees=(1,) * section.molecules,
        )
        topology = parse_molecule(canonical)
        _check_describable(force_field, topology, entry.text)
        subject = Subject(
            entry, canonical, f"mol:{canonical}", "molecule", float(masses(topology).sum()), _spec(component, file)
        )
    else:
        unit = canonical_unit(entry.psmiles)
        if section.degree_of_polymerization is not None:
            # Counted in units as written: twenty of *CC* are forty of the primitive *C*.
            degree = section.degree_of_polymerization * round(parse(entry.psmiles).mass / unit.mass)
        else:
            degree = degree_for_atoms(unit, section.atoms_per_chain or DEFAULT_ATOMS_PER_CHAIN, section.end_groups)
        component = Component(
            units=(UnitShare(psmiles=unit.text, key=unit.key),),
            tacticity=section.tacticity,
            end_groups=section.end_groups,
            n_chains=section.chains,
            degrees=(degree,) * section.chains,
        )
        topology = chain(unit, 3, section.end_groups)
        _check_describable(force_field, topology, entry.text)
        subject = Subject(entry, unit.canonical, unit.key, unit.polymer_class, unit.mass, _spec(component, file))
    check_edge(subject.system, protocol.system.nonbonded.cutoff, density_guess(topology))
    return subject


def density_guess(topology: Topology) -> float:
    """Return about the density of an amorphous material, g/cm3, from the van der Waals volume of its molecule."""
    mol = to_rdkit(topology)
    aromatic = rdMolDescriptors.CalcNumAromaticRings(mol)
    other = rdMolDescriptors.CalcNumRings(mol) - aromatic
    atoms = sum(VAN_DER_WAALS[number] for number in topology.numbers.tolist())
    volume = atoms - 5.92 * len(topology.bonds) - 14.7 * aromatic - 3.8 * other
    return float(masses(topology).sum()) * PACKING / (0.602214076 * volume)


def canonical_unit(psmiles: str) -> RepeatUnit:
    """Return the repeat unit in its canonical frame, so that every spelling of a polymer computes the same thing.

    The certificate drops E/Z marks, which belong to the sample; a unit that carries them keeps its own frame.
    """
    written = parse(psmiles)
    return written if _marked(written) else parse(written.canonical)


def _marked(unit: RepeatUnit) -> bool:
    return any(bond.GetStereo() > Chem.BondStereo.STEREOANY for bond in unit.mol.GetBonds())


def _spec(component: Component, file: CampaignFile) -> SystemSpec:
    return SystemSpec(components=(component,), start_density=file.system.start_density)


def _check_describable(force_field: ForceField, topology: Topology, text: str) -> None:
    """Raise UnsupportedError where the force field lacks an element, a type or a parameter."""
    table = Chem.GetPeriodicTable()
    unknown = sorted({table.GetElementSymbol(n) for n in topology.numbers.tolist()} - force_field.capabilities.elements)
    if unknown:
        raise UnsupportedError(
            f"force field {force_field.name} has no parameters for {', '.join(unknown)}",
            subject=text, field="psmiles", remedy="choose another force field or leave the polymer out",
        )  # fmt: skip
    if isinstance(force_field, ClassicalForceField):
        force_field.parameters(topology, (_no_charges(topology),))


def _no_charges(topology: Topology) -> ChargeSet:
    """Return zero charges: types and terms do not depend on them."""
    size = int((topology.residues == topology.residues[-1]).sum()) - topology.caps[1]
    head, tail = topology.caps
    if not topology.units:
        return ChargeSet("none", np.zeros(0), np.zeros(size), np.zeros(0))
    return ChargeSet("none", np.zeros(head + size), np.zeros(size), np.zeros(size + tail))


def load_campaign_protocol(file: CampaignFile, base: Path) -> Protocol:
    """Return the protocol of a campaign: by name, or from a file relative to the campaign's folder."""
    if file.protocol == SYNTHETIC:
        sample = {"block_ps": 1.0, "maximum_ps": 1.0}
        return Protocol.model_validate(
            {"name": SYNTHETIC, "quality_ceiling": "provisional", "charges": "gasteiger",
             "equilibrate": [{"kind": "minimise"}], "sample": sample}
        )  # fmt: skip
    path = base / file.protocol
    return load_protocol(path if path.suffix in (".yaml", ".yml") else file.protocol)
