"""The campaign file: its strict schema, its defaults, and reading it with errors a person can act on."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator

from polyomics.errors import InputError


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Literature(_Strict):
    """A published value to print beside a computed one."""

    property: str = Field(description="property name in the unit registry")
    value: float = Field(description="in the registry's unit")
    T_K: float | None = Field(None, description="temperature it was measured at; None matches any")
    source: str = Field(description="where the value was published")


class PolymerEntry(_Strict):
    """One polymer (``psmiles``) or one liquid (``smiles``)."""

    psmiles: str | None = Field(None, description="repeat unit with two stars")
    smiles: str | None = Field(None, description="a small molecule: simulated as a liquid")
    name: str = Field("", description="for people; not part of the identity")
    literature: tuple[Literature, ...] = Field((), strict=False)

    @model_validator(mode="after")
    def _one_of_both(self) -> PolymerEntry:
        if (self.psmiles is None) == (self.smiles is None):
            raise ValueError("give exactly one of psmiles and smiles")
        return self

    @property
    def text(self) -> str:
        """The string as written."""
        return self.psmiles if self.psmiles is not None else str(self.smiles)


class PolymerTable(_Strict):
    """Polymers in a CSV or Parquet file."""

    csv: str | None = Field(None, description="path of a CSV file, relative to the campaign file")
    parquet: str | None = Field(None, description="path of a Parquet file, relative to the campaign file")
    column: str = Field("psmiles", description="column of the PSMILES")
    name_column: str | None = Field(None, description="column of names")
    canonical_column: str | None = Field(
        None,
        description="column that already holds our canonical PSMILES; used as it is after a spot check of 1 in 100",
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> PolymerTable:
        if (self.csv is None) == (self.parquet is None):
            raise ValueError("give exactly one of csv and parquet")
        return self


class SystemSection(_Strict):
    """How large a cell is and how its chains look."""

    chains: int = Field(10, ge=1, description="chains per cell")
    atoms_per_chain: int | None = Field(None, ge=2, description="approximate atoms per chain; default 1000")
    degree_of_polymerization: int | None = Field(None, ge=1, description="repeat units per chain, instead of atoms")
    molecules: int = Field(64, ge=1, description="molecules per cell where the entry is a liquid")
    tacticity: Literal["atactic", "isotactic", "syndiotactic"] = "atactic"
    end_groups: Annotated[tuple[str, str], Field(strict=False)] = Field(
        ("*[H]", "*[H]"), description="caps of head and tail, SMILES with one star"
    )
    start_density: float = Field(0.05, gt=0, le=2.0, description="g/cm3 at which chains are first placed")

    @model_validator(mode="after")
    def _one_length(self) -> SystemSection:
        if self.atoms_per_chain is not None and self.degree_of_polymerization is not None:
            raise ValueError("give atoms_per_chain or degree_of_polymerization, not both")
        return self


class Budget(_Strict):
    """The most that a campaign may be predicted to cost; ``plan`` and ``submit`` refuse beyond it."""

    amount: float = Field(ge=0)
    currency: Literal["USD"] = "USD"


class SyntheticFault(_Strict):
    """What goes wrong with the tasks of one polymer of a synthetic campaign."""

    polymer: str = Field(description="PSMILES as written in the campaign")
    kind: Literal["crash", "numerics", "resource", "transient", "hang", "exit"]
    step: int = Field(0, ge=0, description="the step at which it happens")
    once: bool = Field(False, description="only while there is no checkpoint of the stage")
    below_tier: int = Field(99, ge=0, description="not on memory tiers from this one up")


class SyntheticSection(_Strict):
    """The synthetic protocol: seeded rows instead of physics, for tests of everything around the physics."""

    steps: int = Field(100, ge=1, description="declared steps of each of the two stages")
    seconds_per_step: float = Field(0.0, ge=0)
    rows: int = Field(3, ge=1, le=1000, description="property rows per run")
    payload_bytes: int = Field(1000, ge=0, description="size of the file that each stage writes")
    atoms: int = Field(1000, ge=1, description="atoms that a cell is said to have")
    faults: Annotated[tuple[SyntheticFault, ...], Field(strict=False)] = ()


RANGES = {"temperature": (1.0, 3000.0, "K"), "pressure": (0.0, 1e5, "bar")}

Numbers = Annotated[tuple[float, ...], Field(min_length=1)]


class CampaignFile(_Strict):
    """A whole campaign; every field but ``name``, ``store`` and ``polymers`` has a default."""

    schema_version: Literal[1] = 1
    name: str = Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,48}[a-z0-9])?$", description="lower case, digits, hyphens")
    store: str = Field(min_length=1, description="a directory or s3://bucket/prefix")
    polymers: Annotated[tuple[PolymerEntry, ...], Field(strict=False)] | PolymerTable
    system: SystemSection = SystemSection()
    force_field: str = Field("gaff2", description="an entry point of polyomics.forcefields")
    protocol: str = Field("standard", description="quick, standard, radonpy or a protocol file")
    temperature: Numbers = Field((300.0,), strict=False, description="K; a number or a list")
    pressure: Numbers = Field((1.01325,), strict=False, description="bar; a number or a list")
    properties: tuple[str, ...] | None = Field(None, strict=False, description="default: all the protocol can give")
    replicas: int | None = Field(None, ge=1, le=100, description="default: the protocol's own")
    charges: str = Field("default", description="default (the protocol's), gasteiger, mmff94, am1bcc or resp")
    keep: Literal["none", "cells", "frames"] = Field("cells", description="which configurations are stored")
    platform: str = Field("auto", description="auto, CPU, CUDA, HIP, OpenCL or Reference; not part of any key")
    seed: int = Field(0, ge=0, description="changes every random choice of the campaign")
    organisation: str = Field("local", pattern=r"^[a-z0-9][a-z0-9-]{0,48}$", description="owner of the store root")
    contributor: str = Field("", description="who the results are credited to")
    licence: str = Field("", description="licence of the results, an SPDX identifier")
    embargo_until: str | None = Field(
        None, pattern=r"^\d{4}-\d{2}-\d{2}$", description="date before which results stay in the embargoed catalog"
    )
    reuse: Annotated[tuple[str, ...], Field(strict=False)] = Field(
        (), description="stores of other organisations whose finished tasks are not computed again"
    )
    budget: Budget | None = Field(None, description="plan and submit refuse above it")
    instance_type: str = Field("g6.xlarge", description="what prices and GPU-hours are stated for")
    capacity: Literal["spot", "on-demand"] = Field("spot", description="what the cluster is asked for")
    prices: str | None = Field(None, description="CSV of your own prices, relative to this file; overrides all others")
    shard_minutes: float = Field(60.0, gt=0, le=720, description="predicted length at which a shard is full")
    synthetic: SyntheticSection | None = Field(None, description="only with protocol: synthetic")

    @field_validator("embargo_until", mode="before")
    @classmethod
    def _dated(cls, value: Any) -> Any:
        return value.isoformat() if isinstance(value, datetime.date) else value

    @model_validator(mode="after")
    def _synthetic(self) -> CampaignFile:
        if self.synthetic is not None and self.protocol != "synthetic":
            raise ValueError("synthetic is only for protocol: synthetic")
        return self

    @field_validator("polymers", mode="before")
    @classmethod
    def _entries(cls, value: Any) -> Any:
        if isinstance(value, list):
            return [{"psmiles": item} if isinstance(item, str) else item for item in value]
        return value

    @field_validator("polymers")
    @classmethod
    def _not_empty(cls, value: Any) -> Any:
        if value == ():
            raise ValueError("the list is empty")
        return value

    @field_validator("temperature", "pressure", mode="before")
    @classmethod
    def _listed(cls, value: Any, info: ValidationInfo) -> Any:
        low, high, unit = RANGES[str(info.field_name)]
        listed = value if isinstance(value, list | tuple) else [value]
        for item in listed:
            if isinstance(item, bool) or not isinstance(item, int | float):
                raise ValueError(f"{item!r} is not a number")
            if not low <= item <= high:
                raise ValueError(f"{item:g} {unit} is outside {low:g} to {high:g} {unit}")
        return tuple(float(item) for item in listed)


class _UniqueKeyLoader(yaml.SafeLoader):
    """YAML that refuses a key given twice: the second would silently win."""


def _unique_mapping(loader: _UniqueKeyLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node)
        if key in seen:
            raise yaml.constructor.ConstructorError(None, None, f"key {key!r} is given twice", key_node.start_mark)
        seen.add(key)
    return loader.construct_mapping(node)


_UniqueKeyLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _unique_mapping)


def read_campaign(path: str | Path) -> CampaignFile:
    """Read and validate a campaign file.

    Parameters
    ----------
    path
        YAML file.

    Returns
    -------
    CampaignFile
        With every default filled in; a relative ``store`` stays as written.

    Raises
    ------
    polyomics.errors.InputError
        Missing or empty file, broken YAML, unknown keys, wrong types: with the file, the field and the remedy.
    """
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"cannot be read ({getattr(error, 'strerror', None) or error})",
            subject=str(file),
            remedy="give the path of a YAML file",
        ) from error
    try:
        data = yaml.load(text, Loader=_UniqueKeyLoader)
    except yaml.YAMLError as error:
        raise InputError(
            f"is not valid YAML: {' '.join(str(error).split())}", subject=str(file), remedy="correct the line named"
        ) from error
    if not isinstance(data, dict):
        what = "is empty" if data is None else f"holds a {type(data).__name__}, not a mapping of fields"
        raise InputError(what, subject=str(file), remedy="start from examples/quickstart.yaml")
    try:
        return CampaignFile.model_validate(data)
    except ValidationError as error:
        raise _explain(error, file) from error


def _explain(error: ValidationError, file: Path) -> InputError:
    problems = []
    for item in error.errors(include_url=False):
        # A union reports each alternative; the name of the alternative is of no use to the reader.
        where = ".".join(str(part) for part in item["loc"] if not _is_alternative(part))
        remedy = _REMEDIES.get(item["type"], "see `polyomics config` for every field and its default")
        problems.append((where or "file", item["msg"].removeprefix("Value error, "), remedy))
    fields = ", ".join(dict.fromkeys(where for where, _, _ in problems))
    reasons = "; ".join(f"{where}: {message}" for where, message, _ in problems)
    return InputError(reasons, subject=str(file), field=fields, remedy=problems[0][2])


def _is_alternative(part: int | str) -> bool:
    return isinstance(part, str) and (
        part in {"PolymerTable", "float", "int", "str"} or part.startswith(("tuple[", "constrained", "function-"))
    )


_REMEDIES = {
    "extra_forbidden": "remove the key or correct its spelling",
    "missing": "add the field",
    "int_type": "write a whole number without quotes",
    "float_type": "write a number without quotes",
    "string_type": "write text",
    "string_pattern_mismatch": "use lower-case letters, digits and hyphens",
    "literal_error": "use one of the values named",
}
