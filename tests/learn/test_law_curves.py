"""Reading learning curves: what is averaged, left out and refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from polyomics.errors import InputError
from polyomics.learn.curves import Curve, curve_of, read_curve

HEAD = "n,ordering,fold,error\n"


def rows(text: str) -> list[dict[str, object]]:
    return [dict(zip(("n", "ordering", "fold", "error"), line.split(","), strict=True)) for line in text.split()]


def test_replicates_are_followed_over_n_and_seeds_averaged(tmp_path: Path) -> None:
    path = tmp_path / "curve.csv"
    path.write_text(HEAD + "64,1,a,2\n32,1,a,4\n32,1,a,6\n32,0,a,8\n64,0,a,1\n")
    curve = read_curve(path)
    assert curve.n.tolist() == [32, 64]
    assert list(zip(curve.folds, curve.orderings, strict=True)) == [("a", "0"), ("a", "1")]
    assert curve.errors.tolist() == [[8, 1], [5, 2]]


def test_columns_may_come_in_any_order_among_others_and_after_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "curve.csv"
    path.write_text("\ufefferror, fold,seed,n,ordering\n0.5, a,7,32,1\n", encoding="utf-8")
    assert read_curve(path).errors.tolist() == [[0.5]]


def test_roots_are_averaged_as_squares() -> None:
    curve = curve_of(rows("32,0,0,3 32,0,0,4"), metric="rmse")
    assert curve.errors[0, 0] == pytest.approx(np.sqrt(12.5))


def test_the_control_without_source_is_left_out_and_said() -> None:
    curve = curve_of(rows("0,0,0,9 32,0,0,3"))
    assert curve.n.tolist() == [32]
    assert "control" in curve.notes[0]


def test_an_unfinished_study_keeps_its_whole_replicates_and_says_what_it_left_out() -> None:
    done = "32,0,0,3 64,0,0,2 32,1,0,3 64,1,0,2 32,2,0,3"
    curve = curve_of(rows(done + " 128,0,0,1"))
    assert curve.n.tolist() == [32, 64]
    assert curve.orderings == ("0", "1")
    assert "128" in curve.notes[0]
    assert "1 of 3 replicates" in curve.notes[1]


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("n,ordering,error\n1,0,2\n", "fold"),
        ("size,ordering,fold,error\n1,0,0,2\n", "n"),
        (HEAD + "32,0,0,cold\n", "error"),
        (HEAD + "32,0,0,nan\n", "error"),
        (HEAD + "32,0,0,-0.1\n", "error"),
        (HEAD + "many,0,0,1\n", "n"),
        (HEAD + "-32,0,0,1\n", "n"),
        (HEAD + "32,,0,1\n", "ordering"),
        (HEAD + "32,0\n", "error"),
        (HEAD, "error"),
        ("", "n"),
        (HEAD + "32,0,0,0\n", "error"),
        (HEAD + "0,0,0,1\n", "error"),
    ],
)
def test_a_bad_table_is_refused_naming_the_column_and_a_remedy(tmp_path: Path, text: str, column: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_curve(path)
    assert caught.value.field == column
    assert "bad.csv" in caught.value.subject
    assert caught.value.remedy


def test_a_missing_file_and_an_unknown_metric_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_curve(tmp_path / "none.csv")
    with pytest.raises(InputError, match="unknown metric"):
        curve_of(rows("32,0,0,1"), metric="r2")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="source size"):
        curve_of(rows("32,0,0,1"), source_size=0)
    with pytest.raises(InputError, match="less than the largest n"):
        curve_of(rows("32,0,0,1"), source_size=16)


def test_a_replicate_given_twice_is_refused() -> None:
    with pytest.raises(InputError, match="twice"):
        Curve(np.array([32.0]), ("a", "a"), ("0", "0"), np.ones((2, 1)))
