from __future__ import annotations

import json
import multiprocessing
import re
import shutil
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from store_samples import estimate_marker, key_of, property_row, thermo_bytes

from polyomics.errors import InputError, NotFoundError
from polyomics.store import catalog, fold, layout, local, schemas, sql
from polyomics.store.address import open_store
from polyomics.store.catalog import publish
from polyomics.store.engine import extension_path
from polyomics.store.interface import Marker
from polyomics.store.markers import MarkerStore
from polyomics.store.shell import answer, completer
from polyomics.store.verify import verify

FROZEN = Path(__file__).parent / "frozen_schemas.json"


def filled(store, numbers):
    markers = MarkerStore(store)
    for number in numbers:
        marker = estimate_marker(number)
        markers.commit(marker, {"thermo": thermo_bytes(marker.stage_key)})
    return markers


def all_rows(address, at=None):
    """Every row of every raw table, as text, sorted."""
    with sql.open(address, at) as database:
        return {name: sorted(map(repr, database.sql(f"SELECT * FROM raw.{name}").rows())) for name in schemas.TABLES}


def rounded(rows):
    """Rows in order, floats to 12 digits: a mean over threads depends on who came first in the last one."""
    return sorted(repr([float(f"{item:.12g}") if isinstance(item, float) else item for item in row]) for row in rows)


def check(report, name):
    return next(item for item in report["checks"] if item["name"] == name)


def test_released_columns_keep_their_names_types_and_field_ids():
    now = {
        table.name: {column.name: [number, column.kind.value] for number, column in enumerate(table.columns, 1)}
        for table in schemas.TABLES.values()
    }
    frozen = json.loads(FROZEN.read_text())
    changed = {
        (table, column): (was, now.get(table, {}).get(column))
        for table, columns in frozen.items()
        for column, was in columns.items()
        if now.get(table, {}).get(column) != was
    }
    assert not changed, "released columns may only be added to"
    assert now == frozen, "new columns: add them to frozen_schemas.json"


def test_property_columns_begin_as_the_design_says():
    design = (
        "system_key polymer property component T_K P_Pa conditions value unit stderr stderr_kind n_eff n_replicas "
        "quality reasons protocol stage_version run_key series_id"
    )
    assert schemas.PROPERTIES.schema.names[:19] == design.split()


def test_published_rows_are_the_markers_rows(store, address):
    filled(store, range(3))
    report = publish(store)
    assert report["seq"] == 1
    assert report["snapshot"] == f"{1:020d}"
    assert report["markers"] == 3
    assert set(report) == {
        "snapshot", "seq", "files", "rows", "markers", "pending", "seconds", "s3", "peak_mb"
    }  # fmt: skip
    with sql.open(address) as database:
        rows = database.sql("SELECT polymer, property, value FROM properties ORDER BY ALL").rows()
        assert rows == sorted((f"*C{n}*", f"property_{i}", n + i / 7) for n in range(3) for i in range(3))
        thermo = database.sql("SELECT stage_key, step, rg2, end_vector, pressure_bar FROM thermo ORDER BY ALL").rows()
        assert len(thermo) == 15
        assert len(thermo[0][2]) == 2
        assert len(thermo[0][3]) == 6
        assert thermo[0][4] is None
        stage = database.sql("SELECT stage, version, n_files, platform, wall_seconds FROM stages LIMIT 1").rows()
        assert stage == [("estimate", 1, 1, "CPU", 1.25)]
        assert database.sql("SELECT class, n FROM class_statistics LIMIT 1").rows() == [("polyolefins", 3)]
    assert verify(store)["ok"]


def test_publishing_again_adds_nothing(store, address):
    filled(store, range(2))
    first = publish(store)
    rows = all_rows(address)
    again = publish(store)
    assert (again["seq"], again["rows"], again["markers"]) == (first["seq"], 0, 0)
    filled(store, range(3))
    assert publish(store)["markers"] == 1
    assert len(all_rows(address)["stages"]) == 3
    assert all_rows(address, at=1) == rows
    assert verify(store)["ok"]


def test_rebuilding_from_markers_gives_the_same_rows(store, address):
    filled(store, range(4))
    publish(store)
    markers = filled(store, range(7))
    markers.fail(key_of("x"), {"class": "bug", "message": "boom"})
    markers.announce("first", {"campaigns": [{"campaign": "first", "spec": {"replicas": 3}}]})
    publish(store)
    rows = all_rows(address)
    assert publish(store, rebuild=True)["seq"] == 3
    assert all_rows(address) == rows
    for info in list(store.list("catalog/")):
        store.delete(info.key)
    with pytest.raises(NotFoundError, match="publish"):
        sql.open(address)
    assert publish(store)["seq"] == 1
    assert all_rows(address) == rows
    assert verify(store)["ok"]


def test_views_show_the_newest_version_of_an_estimate(tmp_path):
    store = open_store(tmp_path)
    markers = MarkerStore(store)

    def estimate(version, **changes):
        rows = {"properties": [property_row(stage_version=version, **changes)]}
        markers.commit(Marker(key_of(version, sorted(changes.items())), "estimate", version, {}, {}, rows=rows))
        publish(store)

    def shown(view):
        with sql.open(tmp_path) as database:
            return database.sql(f"SELECT value FROM {view} ORDER BY ALL").rows()

    estimate(2, value=2.0)
    estimate(1, value=1.0)
    assert shown("properties") == [(2.0,)]
    estimate(3, value=3.0)
    assert shown("properties") == [(3.0,)]
    estimate(3, value=4.0, T_K=400)
    estimate(3, value=5.0, component="xx")
    estimate(3, value=6.0, conditions={"wavelength": 589.0})
    estimate(3, value=7.0, run_key="run-2")
    assert shown("properties") == [(3.0,), (4.0,), (5.0,), (6.0,), (7.0,)]
    estimate(4, value=8.0, quality="rejected", reasons=["not_stationary"])
    assert shown("properties") == [(4.0,), (5.0,), (6.0,), (7.0,)]
    assert (8.0,) in shown("properties_all")
    with sql.open(tmp_path) as database:
        assert len(database.sql("FROM raw.properties")) == 8


def test_views_separate_by_quality_and_default(tmp_path):
    store = open_store(tmp_path)
    rows = [
        property_row(property="a"),
        property_row(property="b", quality="provisional"),
        property_row(property="c", quality="rejected", value=None, stderr=None, reasons=["few_samples"]),
        property_row(property="d", default_view=False),
    ]
    MarkerStore(store).commit(Marker(key_of(1), "estimate", 1, {}, {}, rows={"properties": rows}))
    publish(store)
    with sql.open(tmp_path) as database:
        names = {
            view: [name for (name,) in database.sql(f"SELECT property FROM {view} ORDER BY ALL").rows()]
            for view in ("properties", "properties_accepted", "properties_all")
        }
        assert names == {
            "properties": ["a", "b"],
            "properties_accepted": ["a"],
            "properties_all": ["a", "b", "c", "d"],
        }
        reasons = database.sql("SELECT reasons, component, conditions FROM properties_all WHERE property='c'").rows()
        assert reasons == [(["few_samples"], "", "{}")]


def test_the_wide_view_has_one_row_per_polymer_and_condition(tmp_path):
    store = open_store(tmp_path)
    rows = [
        property_row(property="density", value=850.0, run_key="r1"),
        property_row(property="density", value=851.0, run_key="combined", n_replicas=3),
        property_row(property="density", value=800.0, T_K=400, run_key="r2"),
        property_row(property="rg", value=1.5, quality="provisional"),
        property_row(property="rg", component="xx", value=0.5),
        property_row(property="RG_xx", value=9.0),
        property_row(property="name", value=7.0),
        property_row(property="bad", value=1.0, quality="rejected"),
    ]
    MarkerStore(store).commit(Marker(key_of(1), "estimate", 1, {}, {}, rows={"properties": rows}))
    publish(store)
    with sql.open(tmp_path) as database:
        wide = database.sql("SELECT * FROM properties_wide ORDER BY T_K").dicts()
        assert [(row["T_K"], row["density"]) for row in wide] == [(300.0, 851.0), (400.0, 800.0)]
        assert wide[0]["rg"] == 1.5
        assert wide[0]["rg_quality"] == "provisional"
        assert sorted(value for key, value in wide[0].items() if key.lower() in ("rg_xx", "rg_xx_")) == [0.5, 9.0]
        assert "bad" not in wide[0]


def test_failures_and_tasks_are_rows(store, address):
    markers = MarkerStore(store)
    done, failed, lifted, waiting = (estimate_marker(n).stage_key for n in range(4))
    markers.commit(estimate_marker(0))
    markers.fail(failed, {"class": "numerics", "message": "NaN", "polymer": "*CC*", "task": "b"})
    markers.fail(lifted, {"class": "transient", "message": "network"})
    markers.retry(lifted)
    plans = {"a": [done], "b": [done, failed], "c": [done, lifted], "d": [done, waiting]}
    tasks = [{"task_key": k, "polymer": "*CC*", "campaign": "first", "stage_keys": v} for k, v in plans.items()]
    markers.announce("first", {"tasks": tasks})
    publish(store)
    with sql.open(address) as database:
        states = database.sql("SELECT task_key, state, n_done, n_stages FROM tasks ORDER BY ALL").rows()
        assert states == [("a", "done", 1, 1), ("b", "failed", 1, 2), ("c", "waiting", 1, 2), ("d", "waiting", 1, 2)]
        errors = database.sql("SELECT class, message, number, state FROM errors ORDER BY ALL").rows()
        assert errors == [("numerics", "NaN", 1, "standing"), ("transient", "network", 1, "retried")]
    markers.commit(estimate_marker(1))
    publish(store)
    with sql.open(address) as database:
        assert database.sql("SELECT state FROM errors WHERE class = 'numerics'").rows() == [("resolved",)]
        assert database.sql("SELECT state FROM tasks WHERE task_key = 'b'").rows() == [("done",)]


def _publish(address):
    return publish(open_store(address))["seq"]


def test_two_committers_lose_and_double_nothing(address):
    filled(open_store(address), range(12))
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        numbers = pool.map(_publish, [address] * 2, chunksize=1)
    assert max(numbers) == 1
    assert len(all_rows(address)["stages"]) == 12
    assert verify(open_store(address))["ok"]


def test_a_committer_that_comes_second_starts_over(tmp_path, monkeypatch):
    store = open_store(tmp_path)
    filled(store, range(3))
    build = catalog.build_catalog

    def overtaken(store, snapshot):
        monkeypatch.setattr(catalog, "build_catalog", build)
        filled(store, range(5))
        assert publish(store)["seq"] == 1  # another committer, with more in its hands
        return build(store, snapshot)

    monkeypatch.setattr(catalog, "build_catalog", overtaken)
    assert publish(store)["seq"] == 1
    assert len(all_rows(tmp_path)["stages"]) == 5
    assert verify(store)["ok"]


def test_a_committer_that_dies_before_the_catalog_leaves_only_garbage(tmp_path, monkeypatch):
    store = open_store(tmp_path)
    filled(store, range(3))

    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(catalog, "build_catalog", die)
        with pytest.raises(KeyboardInterrupt):
            publish(store)
    assert catalog.latest(store) == 0
    assert publish(store)["markers"] == 3
    store.delete(layout.views_key(1))  # the committer died between catalog and views
    assert publish(store)["seq"] == 1
    assert store.head(layout.views_key(1)) is not None
    report = verify(store)
    assert report["ok"]
    assert check(report, "unreferenced_file")["count"] == 0


def test_a_moved_store_works_without_a_new_catalog(tmp_path):
    store = open_store(tmp_path / "here")
    filled(store, range(2))
    publish(store)
    rows = all_rows(tmp_path / "here")
    shutil.move(tmp_path / "here", tmp_path / "there")
    assert all_rows(tmp_path / "there") == rows
    moved = open_store(tmp_path / "there")
    filled(moved, range(4))
    assert publish(moved)["markers"] == 2
    assert len(all_rows(tmp_path / "there")["stages"]) == 4
    assert verify(moved)["ok"]


def test_plain_duckdb_attaches_the_catalog_in_one_line(tmp_path):
    store = open_store(tmp_path)
    filled(store, range(2))
    publish(store)
    with duckdb.connect(config={"autoinstall_known_extensions": "false"}) as connection:
        connection.execute(f"LOAD '{extension_path('ducklake')}'")
        connection.execute(f"ATTACH 'ducklake:{tmp_path}/{layout.catalog_key(1)}' AS w (READ_ONLY)")
        assert connection.execute("SELECT count(*) FROM w.properties").fetchone() == (6,)
        assert connection.execute("SELECT count(*) FROM w.tasks").fetchone() == (0,)


def test_plain_views_need_no_catalog_format(tmp_path, monkeypatch):
    store = open_store(tmp_path / "a")
    filled(store, range(2))
    publish(store)
    with sql.open(tmp_path / "a") as database:
        expected = {name: rounded(database.sql(f"FROM {name}").rows()) for name in database.tables()}
    shutil.move(tmp_path / "a", tmp_path / "b")
    monkeypatch.chdir(tmp_path / "b")
    with duckdb.connect() as connection:
        connection.execute(Path(layout.views_key(1)).read_text())
        found = {name: rounded(connection.execute(f"FROM {name}").fetchall()) for name in expected}
    assert found == expected


def test_files_written_before_a_column_existed_are_read(tmp_path, monkeypatch):
    store = open_store(tmp_path)
    filled(store, range(2))
    publish(store)
    wider = schemas.Table(
        "properties",
        (*schemas.PROPERTIES.columns, schemas.Column("grade", schemas.Kind.TEXT)),
        order=schemas.PROPERTIES.order,
        identity=schemas.PROPERTIES.identity,
    )
    monkeypatch.setitem(schemas.TABLES, "properties", wider)
    rows = {"properties": [property_row(grade="fine")]}
    MarkerStore(store).commit(Marker(key_of("new"), "estimate", 1, {}, {}, rows=rows))
    publish(store)
    query = "SELECT grade, count(*) FROM raw.properties GROUP BY ALL ORDER BY ALL"
    with sql.open(tmp_path) as database:
        assert database.sql(query).rows() == [("fine", 1), (None, 6)]
    monkeypatch.setattr(fold, "SMALL_FILES", 0)
    filled(store, range(3))
    publish(store)
    with sql.open(tmp_path) as database:
        assert database.sql(query).rows() == [("fine", 1), (None, 9)]


def test_many_publications_stay_few_files(tmp_path, monkeypatch):
    store = open_store(tmp_path)
    monkeypatch.setattr(fold, "SMALL_FILES", 3)
    for number in range(9):
        filled(store, [number])
        report = publish(store)
    n = number + 1
    assert report["files"] <= 7 * (fold.SMALL_FILES + 1)
    rows = all_rows(tmp_path)
    assert len(rows["stages"]) == len(rows["polymers"]) == n
    assert len(rows["thermo"]) == 5 * n
    assert len(all_rows(tmp_path, at=3)["stages"]) == 3
    assert verify(store)["ok"]
    files = [file for file in catalog.load_snapshot(store, n).files if file.table == "properties"]
    merged = pq.read_table(tmp_path / max(files, key=lambda file: file.rows).key)
    order = [(name, "ascending") for name in schemas.PROPERTIES.order]
    assert merged.equals(merged.sort_by(order))
    assert merged.schema.field("value").metadata[b"PARQUET:field_id"] == b"8"


def test_mistakes_in_sql_are_explained(tmp_path):
    store = open_store(tmp_path)
    with pytest.raises(NotFoundError, match="publish"):
        sql.open(tmp_path)
    filled(store, range(1))
    publish(store)
    with sql.open(tmp_path) as database:
        with pytest.raises(InputError, match=r"tables are .*properties_wide"):
            database.sql("SELECT * FROM propertys")
        with pytest.raises(InputError, match=r"value \(in properties"):
            database.sql("SELECT valeu FROM properties")
        with pytest.raises(InputError, match="syntax"):
            database.sql("SELEC 1")
        with pytest.raises(InputError, match="read-only"):
            database.sql("DELETE FROM raw.properties")
        result = database.sql("SELECT 1 AS one, [1, 2] AS two")
        assert result.columns == ["one", "two"]
        assert result.rows() == [(1, [1, 2])]
        assert list(result.df()["one"]) == [1]
        assert isinstance(result.arrow(), pa.Table)
        assert result.stats["snapshot"] == f"{1:020d}"
        assert result.stats["rows"] == 1
    for at in (7, "yesterday"):
        with pytest.raises((NotFoundError, InputError), match="at"):
            sql.open(tmp_path, at=at)


def test_the_shell_answers_and_completes(tmp_path):
    from prompt_toolkit.completion import CompleteEvent
    from prompt_toolkit.document import Document

    store = open_store(tmp_path)
    filled(store, range(1))
    publish(store)
    with sql.open(tmp_path) as database:
        assert "0.142857" in answer(database, "SELECT value FROM properties WHERE property = 'property_1';")
        assert "remedy" in answer(database, "SELECT nothing;")
        assert "properties(" in answer(database, ".tables")
        offered = completer(database).get_completions(Document("SELECT * FROM propert"), CompleteEvent())
        assert {"properties", "properties_wide"} <= {completion.text for completion in offered}


def test_verify_finds_each_defect(tmp_path):
    store = open_store(tmp_path)
    markers = filled(store, range(3))
    publish(store)
    assert verify(store)["ok"]
    file = markers.get(estimate_marker(0).stage_key).files[0]
    store.put(file.key, store.get(file.key)[::-1])
    store.delete(layout.marker_key(estimate_marker(1).stage_key))
    filled(store, [5])
    report = verify(store)
    assert not report["ok"]
    assert check(report, "missing_or_corrupt_file")["count"] == 1
    assert check(report, "missing_or_corrupt_file")["examples"] == [f"{file.key}: hash"]
    assert check(report, "row_without_marker")["count"] > 0
    assert check(report, "marker_without_row")["count"] > 0
    assert estimate_marker(5).stage_key in check(report, "marker_without_row")["examples"][0]
    store.delete(file.key)
    assert check(verify(store, hashes=False), "missing_or_corrupt_file")["examples"] == [f"{file.key}: missing"]


def test_verify_finds_doubled_rows(tmp_path, monkeypatch):
    store = open_store(tmp_path)
    filled(store, range(3))
    publish(store)
    monkeypatch.setattr(catalog, "folded_sources", lambda *_: set())  # a committer that forgets what it folded
    assert len(all_rows(tmp_path)["stages"]) == 3
    publish(store)
    assert len(all_rows(tmp_path)["stages"]) == 3  # the very same files: no harm done
    filled(store, range(4))
    publish(store)
    monkeypatch.undo()
    report = verify(store)
    assert check(report, "duplicate_stage")["count"] > 0
    assert check(report, "row_without_marker")["count"] > 0
    assert not report["ok"]


def test_nothing_in_the_package_lets_ducklake_delete():
    forbidden = re.compile(r"expire_snapshots|cleanup_old_files|delete_orphaned_files|\bCHECKPOINT\b")
    for path in Path(catalog.__file__).parents[1].rglob("*.py"):
        assert not forbidden.search(path.read_text()), path


def test_thousands_of_markers_become_few_sorted_files(tmp_path, monkeypatch):
    monkeypatch.setattr(local.os, "fsync", lambda _: None)  # nobody pulls the plug here
    store = open_store(tmp_path)
    markers = MarkerStore(store)
    for number in range(5000):
        markers.commit(estimate_marker(number, n_properties=2))
    report = publish(store)
    assert report["markers"] == 5000
    assert report["files"] <= 10
    assert report["peak_mb"] < 4096
    with sql.open(tmp_path) as database:
        assert database.sql("SELECT count(*) FROM properties").rows() == [(10_000,)]
        assert database.sql("SELECT count(*) FROM polymers").rows() == [(5000,)]
