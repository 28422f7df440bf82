"""Owns learning tables: files and queries read into identified rows, columns declared, rows excluded by exact key.

``--inputs`` lists the columns a file is read by, separated by commas. An entry is a role (``psmiles``, ``formula``,
``solvent``, ``T_K``, ``value``, ``stderr``, ``group``) or ``role=column`` where the file calls it otherwise; a column
whose name ends in ``_C`` given for ``T_K`` is read as degrees Celsius. With ``--inputs`` every other column is an error
that names it, unless the list ends in ``*``. Without it a file is read by ``psmiles`` or ``formula`` and its value; a
column that carries another role is an error, and columns that carry none are left alone.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from polyomics.errors import InputError
from polyomics.learn.descriptors import polymer_key, read_polymer, reduced_formula

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

ROLES = ("psmiles", "formula", "solvent", "T_K", "value", "stderr", "group")
_QUERY = re.compile(r"^\s*(select|with|from)\b", re.IGNORECASE)
_KEY = re.compile(r"^[0-9a-f]{24}(:[0-9.]+)?(\|[0-9a-f]{24}:[0-9.]+)*$")


@dataclass(frozen=True, eq=False)
class Table:
    """Rows for learning.

    Parameters
    ----------
    names
        Polymer SMILES or formulas as written, length n.
    keys
        Identity keys of polymers, reduced formulas of crystals.
    kind
        ``psmiles`` or ``formula``.
    value, stderr
        Labels and their standard errors, shape (n,), NaN where unknown.
    solvent, temperature
        SMILES and K, or None where not declared.
    group
        Labels such as polymer classes, or None.
    skipped
        Rows left out, with the reason.
    """

    names: tuple[str, ...]
    keys: tuple[str, ...]
    kind: str
    value: Floats
    stderr: Floats
    solvent: tuple[str, ...] | None = None
    temperature: Floats | None = None
    group: tuple[str, ...] | None = None
    skipped: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    def take(self, rows: Sequence[int] | NDArray[Any]) -> Table:
        """Return some rows, in the order given; a boolean mask or indices."""
        index = np.asarray(rows)
        index = np.flatnonzero(index) if index.dtype == bool else index.astype(np.int64)

        def picked(items: Sequence[str]) -> tuple[str, ...]:
            return tuple(items[i] for i in index.tolist())

        return replace(
            self,
            names=picked(self.names),
            keys=picked(self.keys),
            value=self.value[index],
            stderr=self.stderr[index],
            solvent=None if self.solvent is None else picked(self.solvent),
            temperature=None if self.temperature is None else self.temperature[index],
            group=None if self.group is None else picked(self.group),
        )

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles beyond the label that describe a row."""
        extra = (("solvent", self.solvent), ("T_K", self.temperature))
        return (self.kind, *(name for name, column in extra if column is not None))

    def pair_keys(self) -> tuple[str, ...]:
        """Return the identity of each row: its key, with the solvent where there is one."""
        if self.solvent is None:
            return self.keys
        return tuple(f"{key} {solvent}" for key, solvent in zip(self.keys, self.solvent, strict=True))

    def identities(self) -> tuple[str, ...]:
        """Return the identity of each row with its temperature, where it has one."""
        if self.temperature is None:
            return self.pair_keys()
        return tuple(f"{pair} {t:.1f} K" for pair, t in zip(self.pair_keys(), self.temperature, strict=True))


def read_table(
    source: Path | str | pd.DataFrame,
    property_name: str | None = None,
    inputs: str | Sequence[str] | None = None,
    *,
    store: str | None = None,
    lenient: bool = False,
    roles: Sequence[str] = (),
) -> Table:
    """Read a CSV or Parquet file, or an SQL query on a store.

    Parameters
    ----------
    source
        A file, a query (beginning with select, with or from) or a frame.
    property_name
        What ``value`` is: used to find its column (``value``, the property itself, or the property with a unit as in
        ``density_g_cm3``). None: labels are not read.
    inputs
        Declared columns (see the module).
    store
        Address of the store a query is for.
    lenient
        Leave out rows that cannot be read instead of refusing the file (public sources are large and not all sound).
    roles
        Roles declared by a model where ``inputs`` is None.

    Raises
    ------
    InputError
        A file, column or row is wrong: the message names it.
    """
    frame, subject = _frame(source, store)
    declared, strict = _declared(inputs)
    if inputs is None:
        declared = {r: "T_C" if r == "T_K" and "T_K" not in frame.columns else r for r in roles}
    columns = _columns(frame, declared, strict, property_name, subject)
    kinds = [role for role in ("psmiles", "formula") if role in columns]
    if len(kinds) != 1:
        raise InputError(
            "no column psmiles or formula" if not kinds else "both psmiles and formula",
            subject=subject,
            field="inputs",
            remedy="give one of them, or map it: --inputs psmiles=smiles",
        )
    identity = _polymer_identity if kinds[0] == "psmiles" else reduced_formula
    return _rows(frame, columns, kinds[0], identity, subject, lenient)


def exclusion(spec: Iterable[str] | str | None, store: str | None = None) -> dict[str, frozenset[str]]:
    """Return the identities named by ``FILE`` or ``FILE:column`` (several allowed) by what they exclude.

    Returns
    -------
    dict
        ``key``: polymers and compositions; ``pair``: polymer and solvent together; ``solvent``.
    """
    found: dict[str, set[str]] = {"key": set(), "pair": set(), "solvent": set()}
    for item in [spec] if isinstance(spec, str) else spec or ():
        path, column = _split_exclude(item)
        frame, subject = _frame(path, store)
        names = [column] if column else [n for n in ("psmiles", "formula", "key") if n in frame.columns][:1]
        if not names or names[0] not in frame.columns:
            raise InputError(
                f"no column {column or 'psmiles, formula or key'}",
                subject=subject,
                field="exclude",
                remedy="write FILE:column with a column of polymer SMILES, formulas or keys",
            )
        texts = [str(text).strip() for text in frame[names[0]].dropna()]
        if names[0] == "solvent":
            found["solvent"].update(texts)
        elif "solvent" in frame.columns and not column:
            solvents = frame["solvent"][frame[names[0]].notna()]
            found["pair"].update(f"{_identity(t)} {s}" for t, s in zip(texts, solvents, strict=True))
        else:
            found["key"].update(_identity(text) for text in texts)
    return {name: frozenset(keys) for name, keys in found.items()}


def without(table: Table, excluded: dict[str, frozenset[str]]) -> Table:
    """Return the table without the excluded identities."""
    pairs = table.pair_keys()
    solvents = table.solvent or ("",) * len(table)
    keep = [
        key not in excluded["key"] and pair not in excluded["pair"] and solvent not in excluded["solvent"]
        for key, pair, solvent in zip(table.keys, pairs, solvents, strict=True)
    ]
    return table.take(np.array(keep, dtype=bool))


def keys_hash(keys: Iterable[str]) -> str:
    """Return SHA-256 over the sorted distinct keys, one a line: what a model card says of its exclusions."""
    return hashlib.sha256("\n".join(sorted(set(keys))).encode()).hexdigest()


def merged(table: Table) -> Table:
    """Return the table with rows of one identity, solvent and temperature replaced by their mean."""
    marks = table.identities()
    first: dict[str, int] = {}
    groups = np.array([first.setdefault(mark, len(first)) for mark in marks], dtype=np.int64)
    if len(first) == len(table):
        return table
    counts = np.bincount(groups)
    rows = np.unique(groups, return_index=True)[1]
    result = table.take(rows)
    variance = np.bincount(groups, table.stderr**2) / counts**2
    return replace(result, value=np.bincount(groups, table.value) / counts, stderr=np.sqrt(variance))


def _frame(source: Path | str | pd.DataFrame, store: str | None) -> tuple[pd.DataFrame, str]:
    if isinstance(source, pd.DataFrame):
        return source, "table"
    if _QUERY.match(str(source)) and not Path(source).exists():
        if store is None:
            raise InputError("a query needs a store", subject=str(source)[:80], field="store", remedy="give --store")
        from polyomics.store.sql import open as open_database

        with open_database(store) as database:
            result = database.sql(str(source))
        return pd.DataFrame(result.dicts(), columns=list(result.columns)), "query"
    path = Path(source)
    try:
        frame = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, low_memory=False)
    except (OSError, ValueError) as error:
        raise InputError(
            f"cannot be read: {error}", subject=str(path), field="file", remedy="give a CSV or Parquet file"
        ) from error
    frame.columns = [str(name).strip() for name in frame.columns]
    return frame, path.name


def _declared(inputs: str | Sequence[str] | None) -> tuple[dict[str, str], bool]:
    """Return column by role, and whether other columns are refused."""
    if inputs is None:
        return {}, False
    entries = [e.strip() for e in (inputs.split(",") if isinstance(inputs, str) else inputs) if e.strip()]
    pairs = {role.strip(): (column or role).strip() for role, _, column in (e.partition("=") for e in entries)}
    loose = pairs.pop("*", None) is not None
    for role in pairs:
        if role not in ROLES:
            raise InputError(
                f"{role!r} is no input", field="inputs", remedy=f"roles are {', '.join(ROLES)}; map: value=density"
            )
    return pairs, not loose


def _columns(
    frame: pd.DataFrame, declared: dict[str, str], strict: bool, property_name: str | None, subject: str
) -> dict[str, str]:
    """Return column by role for this file."""
    columns = dict(declared)
    for role in ("psmiles", "formula"):
        if role in frame.columns and not {"psmiles", "formula"} & set(declared):
            columns.setdefault(role, role)
    if property_name is not None and "value" not in columns:
        columns["value"] = _value_column(frame, property_name, subject)
    if property_name is None:
        columns.pop("value", None)
        columns.pop("stderr", None)
    for role, column in columns.items():
        if column not in frame.columns:
            raise InputError(
                f"no column {column!r} for {role}; there are {', '.join(map(str, frame.columns))}",
                subject=subject,
                field="inputs",
                remedy=f"map it: {role}=COLUMN",
            )
    used = set(columns.values())
    labels = set() if property_name is not None else {"value", "stderr", "group"}
    carries_role = {*ROLES, "T_C"} - labels - ({"formula", "psmiles"} if not strict else set())
    for name in frame.columns:
        if name not in used and (strict or name in carries_role) and not (property_name is None and name in labels):
            raise InputError(
                f"column {name!r} is not declared",
                subject=subject,
                field="inputs",
                remedy=f"add it to --inputs ({', '.join(columns)}, {name}), remove it, or end the list with * to leave"
                " other columns alone",
            )
    return columns


def _value_column(frame: pd.DataFrame, name: str, subject: str) -> str:
    for candidate in ("value", name):
        if candidate in frame.columns:
            return candidate
    near = [c for c in frame.columns if str(c).startswith(f"{name}_") and not str(c).endswith(("_std", "_min", "_max"))]
    aliases = {"refractive_index": "nD", "glass_transition": "Tg_K", "tg": "Tg_K"}
    near += [c for c in [aliases.get(name, "")] if c in frame.columns]
    if len(near) != 1:
        raise InputError(
            f"no column value or {name!r}; there are {', '.join(map(str, frame.columns))}",
            subject=subject,
            field="property",
            remedy="map it: --inputs psmiles,value=COLUMN,*",
        )
    return str(near[0])


def _rows(
    frame: pd.DataFrame,
    columns: dict[str, str],
    kind: str,
    identity: Callable[[str], str],
    subject: str,
    lenient: bool,
) -> Table:
    numbers = {
        role: pd.to_numeric(frame[columns[role]], errors="coerce").to_numpy(dtype=np.float64)
        for role in ("value", "stderr", "T_K")
        if role in columns
    }
    if "T_K" in numbers and columns["T_K"].endswith("_C"):
        numbers["T_K"] = numbers["T_K"] + 273.15
    names = [str(text).strip() for text in frame[columns[kind]]]
    present = frame[columns[kind]].notna().to_numpy(copy=True)
    for role in numbers:
        bad = np.isnan(numbers[role]) & frame[columns[role]].notna().to_numpy()
        if bad.any() and not lenient:
            row = int(np.flatnonzero(bad)[0])
            raise InputError(
                f"{frame[columns[role]].iloc[row]!r} is not a number",
                subject=f"{subject} row {row + 2}",
                field=columns[role],
                remedy="write a number or leave it empty",
            )
        if role != "stderr":
            present &= ~np.isnan(numbers[role])
    keys, skipped = _keys(names, present, identity, subject, lenient)
    rows = np.flatnonzero(present)
    if not len(rows):
        raise InputError("has no usable row", subject=subject, field=columns[kind], remedy="; ".join(skipped[:3]))
    nothing = np.full(len(frame), np.nan)
    text = {r: frame[columns[r]].astype(str).str.strip().tolist() for r in ("solvent", "group") if r in columns}
    table = Table(
        names=tuple(names),
        keys=tuple(keys),
        kind=kind,
        value=numbers.get("value", nothing),
        stderr=numbers.get("stderr", nothing),
        solvent=tuple(text["solvent"]) if "solvent" in text else None,
        temperature=numbers.get("T_K"),
        group=tuple(text["group"]) if "group" in text else None,
        skipped=tuple(skipped),
    )
    return table.take(rows)


def _keys(
    names: list[str], present: NDArray[np.bool_], identity: Callable[[str], str], subject: str, lenient: bool
) -> tuple[list[str], list[str]]:
    """Return keys of all rows; rows that cannot be read are taken out of ``present`` where that is allowed."""
    keys, skipped = [""] * len(names), []
    for row in np.flatnonzero(present):
        try:
            keys[row] = identity(names[row])
        except InputError as error:
            if not lenient:
                raise InputError(
                    error.reason, subject=f"{subject} row {row + 2}: {names[row]}", field=error.field,
                    remedy=error.remedy,
                ) from error  # fmt: skip
            skipped.append(f"row {row + 2}: {names[row]}: {error.reason}")
            present[row] = False
    return keys, skipped


def _polymer_identity(text: str) -> str:
    return polymer_key(text) if "|" in text else read_polymer(text).key


def _identity(text: str) -> str:
    if _KEY.match(text):
        return text
    return _polymer_identity(text) if "*" in text or "[Ce]" in text or "[3H]" in text else reduced_formula(text)


def _split_exclude(item: str) -> tuple[str, str | None]:
    """Split ``FILE:column``; a colon inside an existing path or an address stays."""
    head, colon, tail = item.rpartition(":")
    if colon and head and not Path(item).exists() and "/" not in tail and "\\" not in tail:
        return head, tail
    return item, None
