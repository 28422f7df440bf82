"""The command line keeps its spellings: keys of every verb, columns of every view, exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CONTRACT = json.loads((Path(__file__).parent / "contract.json").read_text())
SMALL = """
name: contract
store: ./store
protocol: quick
polymers: ["*CCO*", "*CC"]
system: {chains: 8, atoms_per_chain: 100}
"""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OPENMM_CPU_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "polyomics", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment, check=False)


def printed(*arguments: str, code: int = 0) -> Any:
    result = run(*arguments, "--format", "json")
    assert result.returncode == code, result.stderr
    return json.loads(result.stdout)


def test_polymer_prints_one_object_per_input_in_order() -> None:
    rows = printed("polymer", "*CC*", "*CCCC*", "*CC", "*COC*")
    assert [list(row) for row in rows] == [CONTRACT["polymer"]] * 4
    assert [row["input"] for row in rows] == ["*CC*", "*CCCC*", "*CC", "*COC*"]
    assert rows[0]["key"] == rows[1]["key"] != rows[3]["key"]
    assert rows[2]["key"] is None
    assert rows[2]["error"]
    assert rows[0]["error"] is None


def test_type_prints_atoms_in_the_order_of_the_capped_smiles() -> None:
    from rdkit import Chem

    rows = printed("type", "*CC(*)c1ccccc1", "*C[Si]*")
    assert list(rows[0]) == CONTRACT["type"]
    assert list(rows[0]["atoms"][0]) == CONTRACT["type.atoms"]
    assert list(rows[1]) == ["input", "error"]
    mol = Chem.AddHs(Chem.MolFromSmiles(rows[0]["capped_smiles"]))
    atoms = rows[0]["atoms"]
    assert [a["element"] for a in atoms] == [a.GetSymbol() for a in mol.GetAtoms()]
    assert [a["index"] for a in atoms] == list(range(mol.GetNumAtoms()))
    assert abs(sum(a["charge"] for a in atoms)) < 1e-9
    assert sum(a["type"] == "ca" for a in atoms) == 12


def test_build_writes_files_and_prints_seconds_per_phase(tmp_path: Path) -> None:
    result = printed(
        "build", "*CC(*)c1ccccc1", "--chains", "4", "--atoms", "120", "--seed", "1", "--out", str(tmp_path / "cell")
    )
    assert set(CONTRACT["build"]) <= set(result)
    assert all(seconds >= 0 for seconds in result["seconds"].values())
    names = sorted(path.name for path in (tmp_path / "cell").iterdir())
    assert any(name.endswith(".pdb") for name in names)
    assert sum(name.endswith(".xml") for name in names) == 2


def test_validate_and_config(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(SMALL)
    result = printed("validate", str(file), code=105)
    assert list(result) == CONTRACT["validate"]
    assert [list(item) for item in result["rejected"]] == [CONTRACT["validate.rejected"]]
    shown = printed("config", str(file))
    assert set(CONTRACT["config"]) <= set(shown)
    assert shown["in_force"]["protocol"]["name"] == "quick"


def test_exit_codes_lie_where_argo_leaves_room() -> None:
    rows = printed("exit-codes")
    codes = {row["class"]: row["code"] for row in rows}
    assert codes == CONTRACT["exit-codes"]


def test_usage_errors_exit_with_2_and_failures_with_their_class() -> None:
    assert run("polymer").returncode == 2
    assert run("nonsense").returncode == 2
    missing = run("run", "/nowhere/campaign.yaml")
    assert missing.returncode == 105
    assert "remedy" in missing.stderr
    assert not missing.stdout


def test_doctor_names_every_capability_with_a_remedy_where_it_lacks() -> None:
    rows = printed("doctor")
    assert [list(row) for row in rows] == [CONTRACT["doctor"]] * len(rows)
    assert all(row["ok"] or row["remedy"] for row in rows)


def test_views_keep_their_columns(tmp_path: Path) -> None:
    from polyomics.store.address import open_store
    from polyomics.store.catalog import publish
    from polyomics.store.sql import open as open_database

    store = open_store(str(tmp_path / "store"))
    publish(store)
    with open_database(str(tmp_path / "store")) as database:
        tables = database.tables()
    for view, columns in CONTRACT["views"].items():
        assert view in tables, view
        assert tables[view][: len(columns)] == columns, "columns are only ever added, at the end"


@pytest.mark.parametrize("form", ["table", "csv"])
def test_other_formats_hold_the_same_rows(form: str) -> None:
    result = run("polymer", "*CC*", "*CCO*", "--format", form)
    assert result.returncode == 0
    assert all(text in result.stdout for text in ("*CC*", "*CCO*", "polyhydrocarbon"))
