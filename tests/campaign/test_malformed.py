"""Forty ways to get a campaign wrong: each refusal names the polymer (or file), the field and the remedy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from polyomics.campaign.run import prepare, validate

if TYPE_CHECKING:
    from pathlib import Path

GOOD = '{psmiles: "*CCO*", name: good}'


def campaign(polymers: str, rest: str = "") -> str:
    head = "name: bad\nstore: ./store\nprotocol: quick\nsystem: {chains: 8, atoms_per_chain: 100}\n"
    return f"{head}polymers: [{polymers}]\n{rest}\n"


BAD_POLYMERS = {
    "unclosed ring": ("*CC(*)c1ccccc", "psmiles"),
    "unclosed branch": ("*CC(*", "psmiles"),
    "five-valent carbon": ("*CC(*)(C)(C)C", "psmiles"),
    "not SMILES": ("polyethylene", "psmiles"),
    "empty text": ("", "psmiles"),
    "blank text": ("  ", "psmiles"),
    "no star": ("CCO", "psmiles"),
    "one star": ("*CCO", "psmiles"),
    "three stars": ("*CC(*)C*", "psmiles"),
    "ladder of four ends": ("*C1CC(*)C(*)CC1*", "psmiles"),
    "two fragments": ("*CC*.CC", "psmiles"),
    "salt": ("*CC(*)C(=O)[O-].[Na+]", "psmiles"),
    "charged": ("*CC(*)C(=O)[O-]", "psmiles"),
    "radical": ("*C[CH]*", "psmiles"),
    "silicon": ("*O[Si](C)(C)*", "psmiles"),
    "iron": ("*C[Fe]C*", "psmiles"),
    "boron": ("*CB(*)C", "psmiles"),
    "selenium": ("*CC[Se]*", "psmiles"),
    "deuterium": ("*CC([2H])*", "psmiles"),
    "stars joined": ("**", "psmiles"),
    "double bond to a star": ("*=CC=*", "psmiles"),
    "2,000-atom unit": ("*" + "C" * 700 + "*", "psmiles"),
    "same polymer, doubled and shifted": ("*COCCOC*", "psmiles"),
    "same polymer, reversed": ("*OCC*", "psmiles"),
}


@pytest.mark.parametrize("case", BAD_POLYMERS)
def test_a_bad_polymer_is_named_with_its_field_and_a_remedy_while_the_good_one_stays(case: str, tmp_path: Path) -> None:
    text, field = BAD_POLYMERS[case]
    file = tmp_path / "c.yaml"
    file.write_text(campaign(f'{GOOD}, "{text}"'))
    plan = prepare(file)
    assert [subject.entry.name for subject in plan.subjects] == ["good"]
    (item,) = plan.rejected
    assert item.polymer == text
    assert item.field == field
    assert item.reason
    assert item.remedy
    assert validate(file) == {"ok": False, "rejected": [item.as_dict()]}


BAD_FILES = {
    "empty file": ("", "file"),
    "a list": ("- a\n- b\n", "file"),
    "broken YAML": ("name: [", "file"),
    "a key twice": ("name: a\nname: b\n", "file"),
    "unknown key": (campaign(GOOD, "temprature: 300"), "temprature"),
    "unknown key in system": (campaign(GOOD).replace("chains", "chain"), "system.chain"),
    "temperature as text": (campaign(GOOD, "temperature: hot"), "temperature"),
    "negative temperature": (campaign(GOOD, "temperature: -5"), "temperature"),
    "temperature not finite": (campaign(GOOD, "temperature: .nan"), "temperature"),
    "empty temperature list": (campaign(GOOD, "temperature: []"), "temperature"),
    "pressure as a mapping": (campaign(GOOD, "pressure: {bar: 1}"), "pressure"),
    "chains as text": (campaign(GOOD).replace("chains: 8", 'chains: "8"'), "system.chains"),
    "no chains": (campaign(GOOD).replace("chains: 8", "chains: 0"), "system.chains"),
    "both lengths": (campaign(GOOD).replace("chains: 8", "degree_of_polymerization: 5, chains: 8"), "system"),
    "unknown protocol": (campaign(GOOD).replace("quick", "fast"), "protocol"),
    "unknown property": (campaign(GOOD, "properties: [colour]"), "properties"),
    "unknown charges": (campaign(GOOD, "charges: magic"), "charges"),
    "unknown force field": (campaign(GOOD, "force_field: amber99"), "force_field"),
    "replicas as a fraction": (campaign(GOOD, "replicas: 1.5"), "replicas"),
    "keep misspelled": (campaign(GOOD, "keep: all"), "keep"),
    "name with blanks": (campaign(GOOD).replace("name: bad", "name: my campaign"), "name"),
    "no polymers": (campaign(""), "polymers"),
    "absent table": (campaign(GOOD).replace(f"[{GOOD}]", "{csv: nowhere.csv}"), "polymers"),
    "entry with both kinds": (campaign('{psmiles: "*CC*", smiles: CC}'), "polymers"),
    "start density as text": (campaign(GOOD).replace("chains: 8", "start_density: thin"), "system.start_density"),
    "cell below twice the cutoff": (campaign(GOOD).replace("chains: 8", "chains: 1"), ""),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_file_is_refused_with_file_field_and_remedy(case: str, tmp_path: Path) -> None:
    text, field = BAD_FILES[case]
    file = tmp_path / "c.yaml"
    file.write_text(text)
    result = validate(file)
    assert not result["ok"]
    item = result["rejected"][0]
    assert field in item["field"]
    assert item["reason"]
    assert item["remedy"]
    assert item["polymer"], "a refusal names the polymer or the file"


def test_an_absent_and_an_empty_table_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    (tmp_path / "t.csv").write_text("psmiles\n")
    file.write_text(campaign(GOOD).replace(f"[{GOOD}]", "{csv: t.csv}"))
    assert "no rows" in validate(file)["rejected"][0]["reason"]
    (tmp_path / "t.csv").write_text("smiles\n*CC*\n")
    assert "no column 'psmiles'" in validate(file)["rejected"][0]["reason"]


def test_a_table_of_polymers_is_read_with_names_and_bad_rows_reported(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("psmiles,label\n*CCO*,PEO\n*CC,broken\n*CC*,PE\n")
    file = tmp_path / "c.yaml"
    file.write_text(campaign(GOOD).replace(f"[{GOOD}]", "{csv: t.csv, name_column: label}"))
    plan = prepare(file)
    assert [s.entry.name for s in plan.subjects] == ["PEO", "PE"]
    assert [r.polymer for r in plan.rejected] == ["*CC"]
