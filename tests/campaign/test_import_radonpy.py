"""RadonPy's public table beside our own schema: units, flags, identity, and the same rows when imported twice."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from polyomics.campaign.radonpy import import_radonpy
from polyomics.errors import InputError
from polyomics.store.address import open_store
from polyomics.store.catalog import publish
from polyomics.store.sql import open as open_database

SHARED = Path(os.environ.get("POLYOMICS_SHARED") or Path(__file__).parents[3] / "shared")
HEADER = [
    "UUID",
    "smiles_list",
    "density",
    "Cp",
    "Rg",
    "r2",
    "thermal_conductivity",
    "check_tc",
    "check_eq",
    "RadonPy_ver",
]


def write(path, rows):
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([HEADER, *rows])
    return path


def test_known_traps_are_flagged_and_units_converted(tmp_path):
    file = write(
        tmp_path / "p.csv",
        [
            ["a", "*CC*", 0.84, 4700, 20.0, 22.3, 43.0, "False", "True", "0.2.9"],
            ["b", "*CCCC*", 0.85, "", "", "", 0.45, "True", "False", "0.2.10"],
            ["c", "nonsense(", 1.0, "", "", "", "", "", "", ""],
            ["d", "*CCO*", 0.0, "", "", "", 0.2, "True", "True", "0.2.10"],
        ],
    )
    store = open_store(tmp_path / "store")
    result = import_radonpy(store, file)
    assert result["rows"] == 9
    assert result["flagged"]["check_tc failed"] == 1
    assert result["flagged"]["same polymer as an earlier row"] == 1
    assert result["flagged"]["unreadable or unsupported structure"] == 1
    assert result["flagged"]["not positive"] == 1
    before = {info.key for info in store.list("")}
    import_radonpy(store, file)
    assert {info.key for info in store.list("")} == before
    publish(store)
    with open_database(store.address) as database:
        rows = database.sql("SELECT property, value, quality FROM properties_all WHERE polymer = '*C*'").dicts()
        shown = {row["property"] for row in database.sql("SELECT property FROM properties").dicts()}
    found = {row["property"]: row for row in rows if row["value"] not in (850.0, 0.45)}
    assert found["density"]["value"] == pytest.approx(840.0)
    assert found["radius_of_gyration"]["value"] == pytest.approx(2e-9)
    assert found["end_to_end_distance_squared"]["value"] == pytest.approx(22.3e-18), "nm2, whatever is documented"
    assert found["thermal_conductivity"]["quality"] == "rejected"
    assert "heat_capacity_p_classical" not in shown


def test_a_table_of_something_else_is_refused(tmp_path):
    file = tmp_path / "x.csv"
    file.write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="no RadonPy table"):
        import_radonpy(open_store(tmp_path / "store"), file)


@pytest.mark.skipif(not SHARED.exists() and os.environ.get("CI") != "true", reason="no shared folder")
def test_the_public_table_of_1070_polymers_lands_whole(tmp_path):
    store = open_store(tmp_path / "store")
    result = import_radonpy(store, SHARED / "data/source_md_radonpy_pi1070.csv")
    assert result["rows"] > 7 * 1070
    assert "unreadable or unsupported structure" not in result["flagged"]
    publish(store)
    with open_database(store.address) as database:
        (row,) = database.sql(
            "SELECT count(*) AS n, median(value) AS m FROM properties WHERE property = 'density'"
        ).dicts()
    assert row["n"] == 1075
    assert row["m"] == pytest.approx(1127.0, abs=1.0)
