"""Claims about learning tables: declared columns, identities, exclusion."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
import pytest

from polyomics.errors import InputError
from polyomics.learn.data import exclusion, keys_hash, merged, read_table, without
from polyomics.learn.descriptors import read_polymer


def write(folder, name="t.csv", **columns):
    path = folder / name
    frame = pd.DataFrame(columns)
    frame.to_parquet(path) if name.endswith(".parquet") else frame.to_csv(path, index=False)
    return path


@pytest.mark.parametrize("column", ["T_K", "solvent", "stderr", "group"])
def test_an_undeclared_role_is_an_error_that_names_the_column(tmp_path, column):
    path = write(tmp_path, psmiles=["*CC*"], value=[1.0], **{column: ["300"]})
    with pytest.raises(InputError, match=rf"'{column}' is not declared"):
        read_table(path, "density")
    with pytest.raises(InputError, match=rf"'{column}' is not declared"):
        read_table(path, "density", "psmiles,value")
    table = read_table(path, "density", f"psmiles,value,{column}")
    assert len(table) == 1


def test_with_declared_inputs_any_other_column_is_an_error_that_names_it(tmp_path):
    path = write(tmp_path, psmiles=["*CC*"], value=[1.0], humidity=[0.5])
    with pytest.raises(InputError, match="'humidity' is not declared"):
        read_table(path, "density", "psmiles,value")
    with pytest.raises(InputError, match="'humidity' is not declared"):
        read_table(path, "density", "psmiles")
    assert len(read_table(path, "density", "psmiles,value,*")) == 1


def test_open_files_are_read_as_they_are(shared):
    data = shared / "data"
    source = read_table(data / "source_md_radonpy_pi1070.csv", "density", lenient=True)
    assert len(source) == 1075
    assert len(set(source.keys)) == 1065
    target = read_table(data / "target_density_exp_rhnet.csv", "density")
    assert len(target) == 93
    assert len(read_table(data / "target_refractive_index_exp_spacier_rii.csv", "refractive_index")) == 35
    pairs = read_table(data / "target_chi_exp.csv", "chi", "psmiles,solvent,T_K=T_C,value=chi,*")
    assert pairs.roles == ("psmiles", "solvent", "T_K")
    assert pairs.temperature.min() > 200
    with pytest.raises(InputError, match="solvent"):
        read_table(data / "target_chi_exp.csv", "chi")


def test_columns_are_mapped_and_celsius_is_converted(tmp_path):
    path = write(tmp_path, smiles=["*CC*", "*CCO*"], rho=[0.9, 1.1], T_C=[25.0, 0.0])
    table = read_table(path, "density", "psmiles=smiles,value=rho,T_K=T_C")
    np.testing.assert_allclose(table.temperature, [298.15, 273.15])
    np.testing.assert_allclose(table.value, [0.9, 1.1])


def test_the_value_column_is_found_by_the_property_with_a_unit(tmp_path):
    path = write(tmp_path, psmiles=["*CC*"], density_g_cm3=[0.9], density_min=[0.8])
    assert read_table(path, "density").value[0] == 0.9
    with pytest.raises(InputError, match="'tg'"):
        read_table(path, "tg")


def test_csv_parquet_and_query_give_the_same_rows(tmp_path):
    columns = {"psmiles": ["*CC*", "*CC(*)C"], "value": [0.9, 0.8]}
    tables = [read_table(write(tmp_path, name, **columns), "density") for name in ("a.csv", "a.parquet")]
    assert tables[0].keys == tables[1].keys
    np.testing.assert_array_equal(tables[0].value, tables[1].value)
    with pytest.raises(InputError, match="store"):
        read_table("SELECT polymer AS psmiles, value FROM properties", "density")


def test_wrong_rows_are_named_or_left_out_with_a_reason(tmp_path):
    path = write(tmp_path, psmiles=["*CC*", "CCO", "*CCO*"], value=["0.9", "1.0", "heavy"])
    with pytest.raises(InputError, match=r"row 4.*'heavy' is not a number"):
        read_table(path, "density")
    path = write(tmp_path, psmiles=["*CC*", "CCO"], value=[0.9, 1.0])
    with pytest.raises(InputError, match="row 3: CCO"):
        read_table(path, "density")
    table = read_table(path, "density", lenient=True)
    assert len(table) == 1
    assert table.skipped[0].startswith("row 3: CCO")


def test_exclusion_is_by_identity_not_by_spelling(tmp_path):
    table = read_table(write(tmp_path, psmiles=["*CC*", "*CC(*)C", "*CCO*"], value=[1.0, 2.0, 3.0]), "density")
    other = write(tmp_path, "e.csv", psmiles=["*CCCC*", "*OCC*"], value=[0.0, 0.0])
    left = without(table, exclusion(str(other)))
    assert left.names == ("*CC(*)C",)
    by_column = write(tmp_path, "f.csv", unit=["C(C*)C*"], psmiles=["*CC(*)C"])
    assert without(table, exclusion(f"{by_column}:psmiles")).names == ("*CC*", "*CCO*")
    keyed = write(tmp_path, "k.csv", key=[read_polymer("*CC*").key])
    assert without(table, exclusion(f"{keyed}:key")).names == ("*CC(*)C", "*CCO*")
    with pytest.raises(InputError, match="no column nothing"):
        exclusion(f"{keyed}:nothing")


def test_crystals_are_excluded_by_reduced_formula(tmp_path):
    table = read_table(write(tmp_path, formula=["K4Mn4O8", "NaCl", "CoO"], gap_eV=[1.0, 5.0, 2.0]), "gap")
    other = write(tmp_path, "e.csv", formula=["MnKO2", "CO"])
    assert without(table, exclusion(str(other))).names == ("NaCl", "CoO")


def test_pairs_are_excluded_with_their_solvent(tmp_path):
    columns = {"psmiles": ["*CC*", "*CC*"], "solvent": ["CCO", "CO"], "value": [1.0, 2.0]}
    path = write(tmp_path, **columns)
    table = read_table(path, "chi", "psmiles,solvent,value")
    other = write(tmp_path, "e.csv", psmiles=["*CCCC*"], solvent=["CCO"])
    assert without(table, exclusion(str(other))).solvent == ("CO",)
    assert len(without(table, exclusion(f"{other}:psmiles"))) == 0
    assert without(table, exclusion(f"{other}:solvent")).solvent == ("CO",)


def test_the_hash_of_excluded_keys_does_not_depend_on_order():
    expected = hashlib.sha256(b"a\nb\nc").hexdigest()
    assert keys_hash(["c", "a", "b", "a"]) == expected


def test_repeated_polymers_become_their_mean(tmp_path):
    path = write(tmp_path, psmiles=["*CC*", "*CCO*", "*CCCC*"], value=[1.0, 5.0, 2.0])
    table = merged(read_table(path, "density"))
    assert table.names == ("*CC*", "*CCO*")
    np.testing.assert_allclose(table.value, [1.5, 5.0])
