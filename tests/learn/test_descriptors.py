"""Claims about descriptors: golden vectors, frames, mixtures, compositions, the cache."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from polyomics.errors import InputError, UnsupportedError
from polyomics.learn.descriptors import (
    COMPOSITION_NAMES,
    FAMILIES,
    DescriptorCache,
    describe_formulas,
    describe_polymers,
    describe_solvents,
    force_field_kernel_mean,
    parse_formula,
    polymer_key,
    read_polymer,
    reduced_formula,
)
from polyomics.learn.descriptors import families as families_module
from polyomics.learn.descriptors.forcefield import unit_parameters
from polyomics.learn.descriptors.kernel_mean import NAMES, kernel_mean, mixed
from polyomics.store.address import open_store


def test_kernel_mean_is_that_of_the_published_program(shared):
    with (shared / "reference/ffkm190_golden.csv").open(encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    assert tuple(header[1:]) == NAMES
    assert len(rows) == 9
    for name, *values in rows:
        ours = force_field_kernel_mean(read_polymer(name))
        assert np.abs(ours - np.array(values, dtype=float)).max() < 1e-6, name


@pytest.mark.parametrize(
    ("psmiles", "total", "norm"),
    [
        ("*CC*", 12.748137, 2.548245),
        ("*CC(*)c1ccccc1", 13.263548, 2.343223),
        ("*CCOC(=O)c1ccc(C(=O)O*)cc1", 13.909259, 2.156105),
    ],
)
def test_kernel_mean_has_the_published_sum_and_norm(psmiles, total, norm):
    vector = force_field_kernel_mean(read_polymer(psmiles))
    assert vector.shape == (190,)
    assert vector.sum() == pytest.approx(total, abs=2e-6)
    assert np.linalg.norm(vector) == pytest.approx(norm, abs=2e-6)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("*CC(*)C(=O)OC", "*C(C(=O)OC)C*"),
        ("*CCO*", "*OCC*"),
        ("*CC*", "*CCCC*"),
        ("*NCCCCCC(*)=O", "*CC(=O)NCCCC*"),
        ("*c1ccc(*)cc1", "*c1ccc(-c2ccc(*)cc2)cc1"),
    ],
)
def test_descriptors_do_not_depend_on_the_frame(one, other):
    a, b = describe_polymers([one]), describe_polymers([other])
    assert a.keys == b.keys
    for family in FAMILIES:
        np.testing.assert_allclose(a.blocks[family], b.blocks[family], atol=1e-9)


def test_parameters_do_not_depend_on_oligomer_length(monkeypatch):
    from polyomics.learn.descriptors import forcefield

    short = unit_parameters(read_polymer("*CC(*)C(=O)OC").unit)
    monkeypatch.setattr(forcefield, "TYPE_REACH", 9)
    monkeypatch.setattr(forcefield, "CHARGE_REACH", 30)
    long = unit_parameters(read_polymer("*CC(*)C(=O)OC").unit)
    np.testing.assert_allclose(kernel_mean(short), kernel_mean(long), atol=1e-12)


def test_circular_environments_are_those_of_the_endless_chain():
    # Every atom of polyethylene has the same environments: one count per radius 0 to 3, per heavy atom.
    counts = describe_polymers(["*CC*"], ("morgan",)).blocks["morgan"][0]
    assert counts.sum() == pytest.approx(4.0)
    assert np.count_nonzero(counts) == 4


def test_two_polymers_that_differ_only_far_apart_differ_in_counts():
    block = describe_polymers(["*CC(*)Cl", "*CC(*)F"], ("morgan",)).blocks["morgan"]
    assert np.abs(block[0] - block[1]).sum() > 1


def test_a_polymer_outside_the_force_field_keeps_the_other_families_and_is_marked():
    described = describe_polymers(["*[Si](C)(C)O*", "*CC*"])
    assert np.isnan(described.blocks["ffkm"][0]).all()
    assert all(np.isfinite(described.blocks[name][0]).all() for name in ("unit", "rdkit2d", "morgan"))
    assert "silicon" in described.marks[0]
    assert "no ffkm" in described.marks[0]
    assert described.marks[1] == ""
    with pytest.raises(UnsupportedError):
        force_field_kernel_mean(read_polymer("*[Si](C)(C)O*"))


def test_a_copolymer_is_the_mixture_of_its_units():
    described = describe_polymers(["*CC* 0.3 | *CCO* 0.7", "*CC*", "*CCO*"])
    for block in described.blocks.values():
        np.testing.assert_allclose(block[0], 0.3 * block[1] + 0.7 * block[2], atol=1e-12)
    units = np.stack([force_field_kernel_mean(read_polymer(p)) for p in ("*CC*", "*CCO*")])
    np.testing.assert_allclose(mixed(units, np.array([3.0, 7.0])), described.blocks["ffkm"][0], atol=1e-12)
    assert polymer_key("*CCO* 7 | *CC* 3") == described.keys[0]
    assert polymer_key("*CC* 1 | *CCCC* 1") == polymer_key("*CC*")
    with pytest.raises(InputError, match="fractions"):
        polymer_key("*CC* 0.3 | *CCO* -1")


@pytest.mark.parametrize("text", ["CC", "*CC", "", "*CC(", "*=CC=*"])
def test_what_is_not_a_repeat_unit_is_refused(text):
    with pytest.raises(InputError):
        read_polymer(text)


def test_formulas_are_read_with_brackets_and_fractions():
    assert parse_formula("Ba2NaOsO6") == (("Ba", 2.0), ("Na", 1.0), ("O", 6.0), ("Os", 1.0))
    assert dict(parse_formula("Ag(W3Br7)2")) == {"Ag": 1.0, "W": 6.0, "Br": 14.0}
    assert dict(parse_formula("Ca((PO4)2)0.5")) == {"Ca": 1.0, "P": 1.0, "O": 4.0}
    assert reduced_formula("K4Mn4O8") == reduced_formula("KMnO2") == reduced_formula("O2MnK")
    assert reduced_formula("CO") != reduced_formula("Co")
    for wrong in ("", "Xx2", "A(", "2", "H2O)", "NaCl!"):
        with pytest.raises(InputError):
            parse_formula(wrong)


def test_composition_descriptors_are_weighted_statistics():
    vector = dict(zip(COMPOSITION_NAMES, describe_formulas(["NaCl"])[0], strict=True))
    assert vector["x_Na"] == vector["x_Cl"] == 0.5
    assert vector["number_mean"] == pytest.approx(14.0)
    assert vector["electronegativity_range"] == pytest.approx(3.16 - 0.93)
    assert vector["group_max"] == 17
    assert vector["group_min"] == 1
    assert vector["charge_guess"] == pytest.approx(0.0)
    np.testing.assert_allclose(describe_formulas(["NaCl"]), describe_formulas(["Na4Cl4"]), atol=1e-12)


def test_solvents_are_described_and_differ():
    block = describe_solvents(["CCO", "c1ccccc1", "CCO"])
    np.testing.assert_array_equal(block[0], block[2])
    assert np.isfinite(block).all()
    assert np.abs(block[0] - block[1]).max() > 0.1


def test_the_cache_gives_back_what_was_computed_without_computing(tmp_path, monkeypatch):
    store = open_store(str(tmp_path / "store"))
    texts = ["*CC*", "*CC(*)C", "*[Si](C)(C)O*"]
    fresh = describe_polymers(texts, cache=DescriptorCache(store))

    def refuse(*_):
        raise AssertionError("computed again")

    stale = {n: families_module.Family(f.name, f.version, f.names, refuse) for n, f in FAMILIES.items()}
    monkeypatch.setattr(families_module, "FAMILIES", stale)
    again = describe_polymers(["*CCCC*", *texts[1:]], cache=DescriptorCache(open_store(str(tmp_path / "store"))))
    for family in FAMILIES:
        np.testing.assert_array_equal(fresh.blocks[family], again.blocks[family])
