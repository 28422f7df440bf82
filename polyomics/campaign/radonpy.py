"""The public RadonPy and PolyOmics tables in our schema: units converted, known defects flagged, origin kept."""

from __future__ import annotations

import csv
import hashlib
import math
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from rdkit import rdBase

from polyomics.errors import InputError, PolyOmicsError
from polyomics.pipeline.keys import content_key
from polyomics.polymer.classes import classify
from polyomics.polymer.identity import certificate, key_of
from polyomics.polymer.reading import repeat_core
from polyomics.store.markers import MarkerStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from polyomics.store.interface import ObjectStore

PROTOCOL = "radonpy-import"
BATCH = 2000
STRUCTURES = ("psmiles", "smiles_list", "smiles_1", "smiles")
DETAILS = ("UUID", "monomer_ID", "RadonPy_ver", "preset_eq_ver", "preset_tc_ver", "preset_tg_ver", "tacticity", "DP")
ORIENTED = 0.4
"""W/(m K): of the 24 public values above, the paper counts eight as amorphous."""


@dataclass(frozen=True)
class Column:
    """One of their columns in our terms: property, unit, factor, and whether the default view shows it."""

    property: str
    unit: str
    factor: float = 1.0
    shown: bool = True


COLUMNS = {
    "density": Column("density", "kg/m3", 1e3),
    "Cp": Column("heat_capacity_p_classical", "J/(kg K)", shown=False),
    "Cv": Column("heat_capacity_v_classical", "J/(kg K)", shown=False),
    "volume_expansion": Column("volume_expansion", "1/K"),
    "linear_expansion": Column("linear_expansion", "1/K"),
    "compressibility": Column("isothermal_compressibility", "1/Pa"),
    "isentropic_compressibility": Column("isentropic_compressibility", "1/Pa"),
    "bulk_modulus": Column("bulk_modulus", "Pa"),
    "isentropic_bulk_modulus": Column("isentropic_bulk_modulus", "Pa"),
    "Rg": Column("radius_of_gyration", "m", 1e-10),
    "r2": Column("end_to_end_distance_squared", "m2", 1e-18),
    "self-diffusion": Column("self_diffusion", "m2/s"),
    "nematic_order_parameter": Column("nematic_order", "1"),
    "fractional_free_volume": Column("fractional_free_volume", "1"),
    "sp_ced": Column("cohesive_energy_density", "J/m3", 1e6),
    "sp_total": Column("solubility_parameter", "Pa^0.5", 1e3),
    "refractive_index": Column("refractive_index", "1"),
    "thermal_conductivity": Column("thermal_conductivity", "W/(m K)"),
    "static_dielectric_const": Column("dielectric_constant_orientational", "1"),
    "dielectric_const_dc": Column("static_dielectric_constant", "1"),
    "tg": Column("glass_transition_temperature", "K"),
}

SIGNED = frozenset({"volume_expansion", "linear_expansion"})


def import_radonpy(store: ObjectStore, path: Path) -> dict[str, Any]:
    """Read a table into the store as rows of a campaign of its own; doing it again changes nothing.

    Parameters
    ----------
    store
        The store; ``publish`` makes the rows visible.
    path
        CSV with the header of RadonPy's ``PI1070.csv`` or of the public PolyOmics files.

    Returns
    -------
    dict
        ``rows`` written and ``flagged``: how many per reason.

    Raises
    ------
    InputError
        The file cannot be read, or has neither a structure nor a property column that is known.
    """
    markers, flagged, count = MarkerStore(store), Counter[str](), 0
    digest = _sha256(path)
    campaign = f"import-radonpy-{digest[:12]}"
    seen: set[str] = set()
    batch: dict[str, list[dict[str, Any]]] = {"polymers": [], "properties": []}
    for number, row in enumerate(_rows(path)):
        rows = _property_rows(row, content_key("radonpy", digest, number), campaign, flagged, seen, batch["polymers"])
        batch["properties"] += rows
        count += len(rows)
        if len(batch["properties"]) >= BATCH * 4:
            markers.announce(campaign, batch)
            batch = {"polymers": [], "properties": []}
    origin = {"campaign": campaign, "contributor": "RadonPy consortium", "licence": "CC-BY-4.0"}
    details = {"file": path.name, "sha256": digest}
    markers.announce(campaign, {"campaigns": [{**origin, "details": details}], **batch})
    return {"rows": count, "flagged": dict(flagged)}


def _rows(path: Path) -> Iterator[dict[str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            names = set(reader.fieldnames or ())
            if not names & set(STRUCTURES) or not names & set(COLUMNS):
                raise InputError(
                    "is no RadonPy table", subject=str(path), field="file",
                    remedy=f"a structure column ({', '.join(STRUCTURES)}) and property columns such as density",
                )  # fmt: skip
            yield from reader
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read ({error})", subject=str(path), remedy="check the path") from error


def _property_rows(
    row: Mapping[str, str], run: str, campaign: str, flagged: Counter[str], seen: set[str],
    polymers: list[dict[str, Any]],
) -> list[dict[str, Any]]:  # fmt: skip
    text = next((row[name] for name in STRUCTURES if row.get(name)), "")
    try:
        canonical, key, label = _identity(text)
    except PolyOmicsError:
        flagged["unreadable or unsupported structure"] += 1
        return []
    if key in seen:
        flagged["same polymer as an earlier row"] += 1
    else:
        seen.add(key)
        polymers.append({"key": key, "polymer": canonical, "class": label, "input": text})
    rows = []
    details = {name: row[name] for name in DETAILS if row.get(name)}
    for name, column in COLUMNS.items():
        value = _number(row.get(name, ""))
        if value is None:
            continue
        reasons, quality = _defects(name, value, row)
        flagged.update(reasons)
        spread = _number(row.get(f"{name}_std", ""))
        replicas = _number(row.get(f"{name}_count", ""))
        factor = 1e-20 if "r2 in square angstrom" in reasons else column.factor
        rows.append(
            {
                "system_key": run, "polymer": canonical, "key": key, "property": column.property, "T_K": 300.0,
                "P_Pa": 101325.0, "value": value * factor, "unit": column.unit,
                "stderr": None if spread is None else spread * factor,
                "stderr_kind": "" if spread is None else "between",
                "n_replicas": None if replicas is None else int(replicas), "quality": quality, "reasons": reasons,
                "protocol": PROTOCOL, "stage_version": 1, "run_key": run, "campaign": campaign,
                "default_view": column.shown, "contributor": "RadonPy consortium", "licence": "CC-BY-4.0",
                "details": details,
            }
        )  # fmt: skip
    return rows


def _defects(name: str, value: float, row: Mapping[str, str]) -> tuple[list[str], str]:
    """Return what is known to be wrong with a value, and the quality that leaves."""
    reasons, quality = [], "accepted"
    if value <= 0 and name not in SIGNED:
        return ["not positive"], "rejected"
    if _false(row.get("check_eq")):
        reasons.append("check_eq failed")
        quality = "provisional"
    if name == "thermal_conductivity":
        if _false(row.get("check_tc")):
            return [*reasons, "check_tc failed"], "rejected"
        if value > ORIENTED:
            reasons.append("conductivity above 0.4: oriented or not converged")
            quality = "provisional"
    if name == "r2":
        # A flexible chain has r2/Rg2 of 4 to 12; documented in square angstrom, the column is stored in nm2.
        gyration = _number(row.get("Rg", ""))
        nm = gyration is None or value * 100.0 / gyration**2 < 40.0
        reasons.append("r2 documented in square angstrom, stored in nm2" if nm else "r2 in square angstrom")
    if name == "static_dielectric_const":
        reasons.append("orientational part only")
    return reasons, quality


def _false(text: str | None) -> bool:
    return text is not None and text.strip().lower() in ("false", "0", "0.0")


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


@lru_cache(maxsize=4096)
def _identity(text: str) -> tuple[str, str, str]:
    with rdBase.BlockLogs():
        core = repeat_core(text)
        canonical = certificate(core)
        return canonical, key_of(canonical), classify(core)


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"cannot be read ({error})", subject=str(path), remedy="check the path") from error
