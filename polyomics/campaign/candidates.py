"""Reading a long list of polymers fast: identity, size and task keys of each entry, on all cores."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from typing import TYPE_CHECKING

from rdkit import Chem, rdBase

from polyomics.build.system import Component, SystemSpec, UnitShare
from polyomics.campaign.file import CampaignFile, PolymerEntry
from polyomics.campaign.planning import (
    DEFAULT_ATOMS_PER_CHAIN,
    Rejected,
    Subject,
    entry_subject,
    load_campaign_protocol,
)
from polyomics.campaign.taskkey import done_key
from polyomics.errors import InputError, PolyOmicsError, UnsupportedError
from polyomics.forcefield import get_force_field
from polyomics.pipeline.plan import Run
from polyomics.polymer.classes import classify
from polyomics.polymer.identity import certificate, key_of
from polyomics.polymer.reading import repeat_core

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from polyomics.simulate.protocol import Protocol

FULL_CHECK = 2000
"""Up to so many entries every one is typed by the force field (18 ms each); of longer lists only the identity and the
elements are checked, and what has no parameters is refused by its first stage, at the cost of seconds of CPU."""

SPOT_CHECK = 100
CHUNK = 250

Entry = tuple[str, str, str, str]  # psmiles, smiles, name, canonical


@dataclass(frozen=True, slots=True)
class Candidate:
    """One accepted entry and the keys of its tasks.

    Parameters
    ----------
    input, name, polymer, key, psmiles, kind, polymer_class, mass
        See :class:`polyomics.campaign.planning.Subject` and :class:`polyomics.campaign.manifest.TaskLine`.
    degree, chains, atoms
        Size of the cell.
    identity
        Equal for entries that are one polymer.
    system_key
        Of the cell.
    tasks
        ``(run key, task key, done key)`` in the order temperatures, pressures, replicas.
    """

    input: str
    name: str
    polymer: str
    key: str
    psmiles: str
    kind: str
    polymer_class: str
    mass: float
    degree: int
    chains: int
    atoms: int
    identity: str
    system_key: str
    tasks: tuple[tuple[str, str, str], ...]


class Reader:
    """Turns entries into candidates; one per process.

    Parameters
    ----------
    file
        The campaign.
    base
        Folder that its paths start from.
    charges, replicas
        In force.
    recipe
        See :func:`polyomics.campaign.taskkey.done_key`.
    full
        Let the force field type every entry.
    """

    def __init__(self, file: CampaignFile, base: Path, charges: str, replicas: int, recipe: str, full: bool) -> None:
        self._file, self._charges, self._replicas, self._recipe, self._full = file, charges, replicas, recipe, full
        self._protocol: Protocol = load_campaign_protocol(file, base)
        self._force_field = get_force_field(file.force_field, **self._protocol.force_field_options())
        self._caps = sum(_cap_atoms(text) for text in file.system.end_groups)

    def read(self, entry: Entry) -> Candidate | Rejected:
        """Return a candidate, or why the entry is refused."""
        psmiles, smiles, name, canonical = entry
        text = psmiles or smiles
        try:
            written = PolymerEntry(psmiles=psmiles or None, smiles=smiles or None, name=name)
            if self._full or smiles or "/" in psmiles or "\\" in psmiles:
                return self._from_subject(entry_subject(written, self._file, self._protocol, self._force_field))
            return self._quickly(psmiles, name, canonical)
        except PolyOmicsError as error:
            return Rejected.from_error(error, text, "psmiles" if psmiles else "smiles")
        except ValueError as error:
            return Rejected(text, "psmiles", str(error), "correct the entry")

    def _from_subject(self, subject: Subject) -> Candidate:
        component = subject.system.components[0]
        frame = component.units[0].psmiles
        entry = subject.entry
        mol = Chem.MolFromSmiles(frame)
        marked = frame if "/" in entry.text or "\\" in entry.text else ""
        return Candidate(
            entry.text, entry.name, subject.canonical, subject.key, frame, component.kind, subject.polymer_class,
            subject.mass, component.degrees[0], component.n_chains,
            self._atoms(_atoms_of(mol), component.degrees[0], component.n_chains, component.kind),
            f"{subject.key} {marked}", *self._keys(subject.system),
        )  # fmt: skip

    def _quickly(self, psmiles: str, name: str, canonical: str) -> Candidate:
        if canonical:
            core = Chem.MolFromSmiles(canonical)
            if core is None or canonical.count("*") != 2:
                raise InputError(f"the canonical form {canonical!r} is not a repeat unit", subject=psmiles)
        else:
            canonical = certificate(repeat_core(psmiles))
            core = repeat_core(canonical)
        self._check_elements(core, psmiles)
        key, unit_atoms = key_of(canonical), _atoms_of(core)
        section = self._file.system
        if section.degree_of_polymerization is not None:
            degree = section.degree_of_polymerization * round(_atoms_of(repeat_core(psmiles)) / unit_atoms)
        else:
            wanted = section.atoms_per_chain or DEFAULT_ATOMS_PER_CHAIN
            degree = max(1, int((wanted - self._caps) / unit_atoms + 0.5))
        component = Component(
            units=(UnitShare(psmiles=canonical, key=key),), tacticity=section.tacticity,
            end_groups=section.end_groups, n_chains=section.chains, degrees=(degree,) * section.chains,
        )  # fmt: skip
        system = SystemSpec(components=(component,), start_density=section.start_density)
        mass = sum(atom.GetMass() + 1.008 * atom.GetTotalNumHs() for atom in core.GetAtoms())
        return Candidate(
            psmiles, name, canonical, key, canonical, "polymer", classify(core), mass, degree, section.chains,
            self._atoms(unit_atoms, degree, section.chains, "polymer"), f"{key} ", *self._keys(system),
        )  # fmt: skip

    def _check_elements(self, core: Chem.Mol, psmiles: str) -> None:
        found = {atom.GetSymbol() for atom in core.GetAtoms() if atom.GetAtomicNum()}
        unknown = sorted(found - self._force_field.capabilities.elements)
        if unknown:
            raise UnsupportedError(
                f"force field {self._force_field.name} has no parameters for {', '.join(unknown)}",
                subject=psmiles, field="psmiles", remedy="choose another force field or leave the polymer out",
            )  # fmt: skip

    def _atoms(self, unit_atoms: int, degree: int, chains: int, kind: str) -> int:
        if self._file.synthetic is not None:
            return self._file.synthetic.atoms
        return chains * (unit_atoms * degree + (self._caps if kind == "polymer" else 0))

    def _keys(self, system: SystemSpec) -> tuple[str, tuple[tuple[str, str, str], ...]]:
        found, system_key = [], ""
        for run in runs_of(self._file, self._protocol, self._charges, system):
            for index in range(self._replicas):
                task = run.replica(index)
                found.append((run.key, task.key, done_key(task.key, self._recipe)))
            system_key = run.system_key
        return system_key, tuple(found)


def runs_of(file: CampaignFile, protocol: Protocol, charges: str, system: SystemSpec) -> Iterator[Run]:
    """Yield the runs of one cell: temperatures times pressures."""
    for temperature in file.temperature:
        for pressure in file.pressure:
            yield Run(
                system=system, force_field=file.force_field, charges=charges, protocol=protocol,
                temperature=temperature, pressure=pressure, seed=file.seed, keep_frames=file.keep == "frames",
            )  # fmt: skip


def spot_check(number: int, entry: Entry) -> None:
    """Raise InputError where a given canonical form is not the one that this code finds; one entry in a hundred."""
    if number % SPOT_CHECK or not entry[3]:
        return
    found = certificate(repeat_core(entry[0]))
    if found != entry[3]:
        raise InputError(
            f"gives {entry[3]!r} for {entry[0]!r}, but its canonical form is {found!r}",
            field="polymers.canonical_column", remedy="leave canonical_column out, or make the column anew",
        )  # fmt: skip


def read_all(reader_arguments: tuple[object, ...], entries: Iterable[Entry], n: int) -> Iterator[Candidate | Rejected]:
    """Yield what every entry becomes, in order, keeping no more than a few chunks in memory.

    Parameters
    ----------
    reader_arguments
        Of :class:`Reader`.
    entries
        In order.
    n
        About how many there are: short lists need no further processes.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if n < 4 * CHUNK or cores == 1:
        reader = Reader(*reader_arguments)  # type: ignore[arg-type]
        yield from (reader.read(entry) for entry in entries)
        return
    context = get_context("forkserver")
    with ProcessPoolExecutor(cores, mp_context=context, initializer=_prepare, initargs=reader_arguments) as pool:
        pending: deque[object] = deque()
        remaining = iter(entries)
        while True:
            while len(pending) < 2 * cores and (chunk := list(islice(remaining, CHUNK))):
                pending.append(pool.submit(_read_chunk, chunk))
            if not pending:
                return
            yield from pending.popleft().result()  # type: ignore[attr-defined]


_reader: Reader | None = None


def _prepare(*arguments: object) -> None:
    global _reader
    _reader = Reader(*arguments)  # type: ignore[arg-type]


def _read_chunk(entries: list[Entry]) -> list[Candidate | Rejected]:
    assert _reader is not None
    return [_reader.read(entry) for entry in entries]


def _atoms_of(mol: Chem.Mol) -> int:
    return sum(1 + atom.GetTotalNumHs() for atom in mol.GetAtoms() if atom.GetAtomicNum())


def _cap_atoms(text: str) -> int:
    with rdBase.BlockLogs():
        return int(Chem.AddHs(Chem.MolFromSmiles(text)).GetNumAtoms()) - 1
