"""The manifest: what a campaign's workers are given, in create-only objects (design decision 3)."""

from __future__ import annotations

import gzip
import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from polyomics.errors import InputError, NotFoundError, PlatformError
from polyomics.pipeline.execute import ORIGIN
from polyomics.store import canonical, layout
from polyomics.store.address import open_store

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from polyomics.pipeline.plan import Task
    from polyomics.store.interface import ObjectStore

FORMAT = 1
SHARDS_PER_WAVE = 500


@dataclass(frozen=True, slots=True)
class TaskLine:
    """One task as a worker reads it.

    Parameters
    ----------
    task, done, run
        Key of the task, of the stage whose marker completes it, and of the run that it is a replica of.
    polymer, key, name, input
        Canonical PSMILES, identity key, name for people, text as written.
    psmiles, kind, degree, chains
        What the cell is made of.
    T, P, replica
        K, bar, index.
    atoms, steps, seconds
        Atoms of the cell, declared steps, predicted GPU-seconds.
    """

    task: str
    done: str
    run: str
    polymer: str
    key: str
    name: str
    input: str
    psmiles: str
    kind: str
    degree: int
    chains: int
    T: float
    P: float
    replica: int
    atoms: int
    steps: int
    seconds: float


@dataclass(frozen=True)
class Shard:
    """Work for one pod: tasks of one memory tier, 30 to 90 predicted minutes where they are not longer themselves."""

    number: int
    tier: int
    seconds: float
    tasks: tuple[TaskLine, ...]


@dataclass(frozen=True)
class Wave:
    """Up to 500 shards in one object, numbered on through the waves.

    Parameters
    ----------
    object
        Key of the object.
    first, shards, tasks
        Number of its first shard, shards and tasks in it.
    tier
        Highest memory tier in it.
    seconds
        Predicted GPU-seconds.
    """

    object: str
    first: int
    shards: int
    tasks: int
    tier: int
    seconds: float


@dataclass(frozen=True)
class Manifest:
    """A whole plan; everything that tasks share, and where the waves are.

    Parameters
    ----------
    campaign, organisation
        Names.
    spec
        The campaign file with every default, but for the polymers.
    protocol
        The protocol as data.
    charges, replicas
        In force.
    recipe
        Identity of what is derived from each task.
    waves
        In order.
    finished
        Tasks of the campaign that are not in it, since they were done or had failed when it was planned.
    """

    campaign: str
    organisation: str
    spec: dict[str, Any]
    protocol: dict[str, Any]
    charges: str
    replicas: int
    recipe: str
    waves: tuple[Wave, ...]
    finished: int = 0

    @property
    def shards(self) -> int:
        """Number of shards."""
        return sum(wave.shards for wave in self.waves)

    @property
    def tasks(self) -> int:
        """Number of tasks."""
        return sum(wave.tasks for wave in self.waves)

    @property
    def body(self) -> bytes:
        """The manifest object."""
        return canonical.encode({"format": FORMAT, **asdict(self)})

    @property
    def name(self) -> str:
        """Identity of the plan: the same request gives the same name."""
        return hashlib.sha256(self.body).hexdigest()[:16]

    @property
    def synthetic(self) -> dict[str, Any] | None:
        """The synthetic section, where numbers are invented."""
        section: dict[str, Any] | None = self.spec.get("synthetic")
        return section


def manifest_key(campaign: str, name: str) -> str:
    """Return the key of a manifest object."""
    return layout.check_key(f"{layout.CAMPAIGNS}{layout.check_name(campaign, 'campaign')}/manifests/{name}.json")


def write_wave(store: ObjectStore, campaign: str, shards: list[Shard]) -> Wave:
    """Store up to 500 shards as one create-only object, named by its content."""
    wave, data = encode_wave(campaign, shards)
    store.create(wave.object, data)
    return wave


def encode_wave(campaign: str, shards: list[Shard]) -> tuple[Wave, bytes]:
    """Return a wave and the bytes of its object: one JSON line per shard, compressed."""
    lines = (json.dumps(asdict(shard), separators=(",", ":")) for shard in shards)
    data = gzip.compress("\n".join(lines).encode(), compresslevel=6, mtime=0)
    digest = hashlib.sha256(data).hexdigest()[:24]
    key = layout.check_key(f"{layout.CAMPAIGNS}{layout.check_name(campaign, 'campaign')}/waves/{digest}.jsonl.gz")
    tasks = sum(len(shard.tasks) for shard in shards)
    seconds = round(sum(shard.seconds for shard in shards), 3)
    tier = max(shard.tier for shard in shards)
    return Wave(key, shards[0].number, len(shards), tasks, tier, seconds), data


def write_manifest(store: ObjectStore, manifest: Manifest) -> tuple[str, bool]:
    """Store a manifest after its waves; returns its address, and whether it is new."""
    key = manifest_key(manifest.campaign, manifest.name)
    created = store.create(key, manifest.body)
    return f"{store.address.rstrip('/')}/{key}", created


def open_manifest(address: str) -> tuple[ObjectStore, Manifest]:
    """Open a manifest by address.

    Raises
    ------
    InputError
        The address is not one of a manifest.
    NotFoundError
        There is none.
    PlatformError
        It was written by a newer PolyOmics.
    """
    root, separator, rest = address.rpartition(f"/{layout.CAMPAIGNS}")
    if not separator or "/manifests/" not in rest:
        raise InputError(
            "is not the address of a manifest", subject=address, field="manifest",
            remedy="the address that polyomics plan FILE --write prints",
        )  # fmt: skip
    store = open_store(root, create=False)
    return store, read_manifest(store, layout.CAMPAIGNS + rest)


def read_manifest(store: ObjectStore, key: str) -> Manifest:
    """Return a manifest by key; see :func:`open_manifest`."""
    value = canonical.decode(store.get(key))
    if value.get("format") != FORMAT:
        raise PlatformError(
            f"the manifest has format {value.get('format')}, this PolyOmics knows {FORMAT}",
            subject=key, remedy="upgrade PolyOmics",
        )  # fmt: skip
    waves = tuple(Wave(**wave) for wave in value.pop("waves"))
    known = {name: value[name] for name in Manifest.__dataclass_fields__ if name in value}
    return Manifest(**known, waves=waves)


def manifests(store: ObjectStore, campaign: str) -> list[tuple[str, Manifest]]:
    """Return the manifests of a campaign with their keys, oldest first."""
    found = sorted(store.list(f"{layout.CAMPAIGNS}{campaign}/manifests/"), key=lambda info: (info.modified, info.key))
    return [(info.key, read_manifest(store, info.key)) for info in found]


def read_shard(store: ObjectStore, manifest: Manifest, number: int) -> Shard:
    """Return one shard: one request for its wave."""
    for wave in manifest.waves:
        if wave.first <= number < wave.first + wave.shards:
            return _shard(_lines(store, wave)[number - wave.first])
    raise NotFoundError(
        f"there is no shard {number}", subject=manifest.campaign, field="shard", remedy=f"0 to {manifest.shards - 1}"
    )


def read_shards(store: ObjectStore, manifest: Manifest) -> Iterator[Shard]:
    """Yield all shards in order."""
    for wave in manifest.waves:
        yield from (_shard(line) for line in _lines(store, wave))


def _lines(store: ObjectStore, wave: Wave) -> list[bytes]:
    return gzip.decompress(store.get(wave.object)).split(b"\n")


def _shard(line: bytes) -> Shard:
    value = json.loads(line)
    tasks = tuple(TaskLine(**task) for task in value["tasks"])
    return Shard(value["number"], value["tier"], value["seconds"], tasks)


def pack(tiers: Iterable[tuple[int, Iterable[list[TaskLine]]]], full: float) -> Iterator[Shard]:
    """Yield balanced shards from groups of tasks that belong together (the replicas of one polymer).

    Parameters
    ----------
    tiers
        Per memory tier, groups of tasks in order.
    full
        Predicted seconds at which a shard is closed; a task longer than that has a shard of its own.
    """
    number = 0
    for tier, groups in tiers:
        tasks: list[TaskLine] = []
        seconds = 0.0
        for task in (task for group in groups for task in group):
            if tasks and seconds + task.seconds > full:
                yield Shard(number, tier, round(seconds, 3), tuple(tasks))
                number, tasks, seconds = number + 1, [], 0.0
            tasks.append(task)
            seconds += task.seconds
        if tasks:
            yield Shard(number, tier, round(seconds, 3), tuple(tasks))
            number += 1


def task_of(manifest: Manifest, line: TaskLine) -> Task:
    """Return the pipeline's task behind a line.

    Raises
    ------
    PlatformError
        This code gives it another key than the planner's: the stored key is authoritative, so nothing is computed.
    """
    from polyomics.build.system import Component, SystemSpec, UnitShare
    from polyomics.pipeline.plan import Run
    from polyomics.simulate.protocol import Protocol

    section = manifest.spec["system"]
    shared: dict[str, Any] = {}
    if line.kind == "polymer":
        shared = {"tacticity": section["tacticity"], "end_groups": tuple(section["end_groups"])}
    component = Component(
        kind=line.kind, units=(UnitShare(psmiles=line.psmiles, key=line.key),), n_chains=line.chains,
        degrees=(line.degree,) * line.chains, **shared,
    )  # fmt: skip
    run = Run(
        system=SystemSpec(components=(component,), start_density=section["start_density"]),
        force_field=manifest.spec["force_field"],
        charges=manifest.charges,
        protocol=Protocol.model_validate_json(json.dumps(manifest.protocol)),
        temperature=line.T,
        pressure=line.P,
        seed=manifest.spec["seed"],
        keep_frames=manifest.spec["keep"] == "frames",
    )
    task = run.replica(line.replica)
    if task.key != line.task:
        raise PlatformError(
            f"this PolyOmics gives task {line.task} the key {task.key}",
            subject=line.polymer, field="manifest", remedy="run the version that planned it, or plan again",
        )  # fmt: skip
    return task


def labels_of(manifest: Manifest, line: TaskLine | Mapping[str, Any]) -> dict[str, str]:
    """Return the names and the origin that rows of a task carry."""
    value = asdict(line) if isinstance(line, TaskLine) else line
    origin = {name: manifest.spec.get(name) or "" for name in ORIGIN}
    return {
        "polymer": value["polymer"], "key": value["key"], "name": value["name"], "task": value["task"],
        "campaign": manifest.campaign, **{name: text for name, text in origin.items() if text},
    }  # fmt: skip
