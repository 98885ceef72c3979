"""Reading tables, checking them, dividing their rows."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.command import UserError
from pipeline.tables import DIABETES, PARTS, Columns, choose_columns, numbers, read_table, split


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def written(content: str | bytes) -> str:
    Path("t.csv").write_bytes(content.encode() if isinstance(content, str) else content)
    return "t.csv"


def reading_error(content: str | bytes) -> str:
    with pytest.raises(UserError) as caught:
        read_table(written(content))
    return str(caught.value)


# Reading


def test_a_table_has_the_rows_and_columns_of_its_file() -> None:
    table = read_table(written("x,y\n1,2.5\n3,-4\n"))
    assert table.to_dict("list") == {"x": [1, 3], "y": [2.5, -4.0]}


def test_a_byte_order_mark_is_no_part_of_the_first_name() -> None:
    assert list(read_table(written(b"\xef\xbb\xbfx,y\n1,2\n")).columns) == ["x", "y"]
    message = reading_error(b"\xef\xbb\xbfx,x\n1,2\n")
    assert message == "t.csv: column 'x' stands twice in the header; rename one"


def test_column_names_may_hold_any_letters() -> None:
    table = read_table(written('Größe,"a, b",价格\n1,2,3\n'))
    assert list(table.columns) == ["Größe", "a, b", "价格"]


def test_the_diabetes_table_needs_no_file() -> None:
    table = read_table(DIABETES)
    assert table.shape == (442, 11)
    assert table.columns[-1] == "target"
    assert np.isfinite(table.to_numpy()).all()


def test_a_missing_file_is_named() -> None:
    with pytest.raises(UserError) as caught:
        read_table("data/raw/none.csv")
    assert str(caught.value) == (
        "data/raw/none.csv: no such file; put the table there or set data.path"
    )


def test_a_folder_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r": cannot be read as a UTF-8 CSV file: Is a directory$"):
        read_table(str(tmp_path))


def test_another_table_of_scikit_learn_is_not_known() -> None:
    with pytest.raises(UserError) as caught:
        read_table("sklearn:iris")
    assert str(caught.value) == (
        "data.path: there is no table 'sklearn:iris'; known is sklearn:diabetes"
    )


@pytest.mark.parametrize("content", ["", "\n\n"], ids=["no bytes", "blank lines"])
def test_an_empty_file_is_said_to_need_a_header(content: str) -> None:
    assert reading_error(content) == "t.csv: the file is empty; it needs a header and rows"


@pytest.mark.parametrize("content", ["x,y", "x,y\n"])
def test_a_header_alone_is_no_table(content: str) -> None:
    assert reading_error(content) == "t.csv: the table has a header but no rows"


@pytest.mark.parametrize("before", ["", "\n", "\n\n"], ids=["no", "one", "two"])
def test_a_name_that_stands_twice_is_named_below_blank_lines_as_well(before: str) -> None:
    assert reading_error(f"{before}x,y,x\n1,2,3\n") == (
        "t.csv: column 'x' stands twice in the header; rename one"
    )


def test_a_row_that_is_longer_than_the_others_is_named_by_its_line() -> None:
    message = reading_error("x,y\n1,2\n3,4,5\n")
    assert message.startswith("t.csv: cannot be read as a UTF-8 CSV file: ")
    assert "Expected 2 fields in line 3, saw 3" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    "rows", ["1,2,3\n", "1,2,3\n2,5,6\n", "1,2,3\n5,6,7\n6,7,8\n", "1,2,3\n3,4\n"]
)
def test_rows_that_are_longer_than_the_header_do_not_shift_the_columns(rows: str) -> None:
    assert reading_error(f"x,y\n{rows}") == (
        "t.csv: the rows have more fields than the header has names; name every column"
    )


@pytest.mark.parametrize(
    "content",
    ["x,Größe\n1,2\n".encode("latin-1"), "x,y\n1,2\n".encode("utf-16"), 'x,y\n"1,2\n'],
    ids=["latin-1", "utf-16", "open quote"],
)
def test_what_is_not_utf_8_csv_is_refused_in_one_line(content: str | bytes) -> None:
    message = reading_error(content)
    assert message.startswith("t.csv: cannot be read as a UTF-8 CSV file: ")
    assert "\n" not in message


# Choosing columns

TABLE = pd.DataFrame({"a": [1.0], "b": [2.0], "y": [3.0]})


def choosing_error(table: pd.DataFrame, target: str, features: list[str] | None) -> str:
    with pytest.raises(UserError) as caught:
        choose_columns(table, target, features, "t.csv")
    return str(caught.value)


def test_every_other_column_is_a_feature_where_none_is_named() -> None:
    assert choose_columns(TABLE, "b", None, "t.csv") == Columns(["a", "y"], "b")


def test_named_features_keep_their_order() -> None:
    assert choose_columns(TABLE, "y", ["b", "a"], "t.csv") == Columns(["b", "a"], "y")


def test_a_missing_target_is_named_beside_the_columns_there_are() -> None:
    assert choosing_error(TABLE, "z", None) == (
        "t.csv: has no column 'z' (data.target); it has a, b, y"
    )


def test_a_missing_feature_is_named_beside_the_columns_there_are() -> None:
    assert choosing_error(TABLE, "y", ["a", "c"]) == (
        "t.csv: has no column 'c' (data.features); it has a, b, y"
    )


def test_the_target_cannot_be_a_feature() -> None:
    assert choosing_error(TABLE, "y", ["a", "y"]) == (
        "data.features: names the target 'y', which would give it away"
    )


def test_a_feature_cannot_be_named_twice() -> None:
    assert choosing_error(TABLE, "y", ["a", "b", "a"]) == (
        "data.features: names 'a' twice; leave one out"
    )


def test_a_target_alone_cannot_be_predicted() -> None:
    assert choosing_error(TABLE[["y"]], "y", None) == (
        "t.csv: has no column beside the target 'y' to predict it from"
    )


# Numbers


def test_numbers_are_the_named_columns_in_their_order_as_float64() -> None:
    table = numbers(read_table(written("a,b,name\n1,2,x\n3,4.5,y\n")), ["b", "a"], "t.csv")
    assert table.to_dict("list") == {"b": [2.0, 4.5], "a": [1.0, 3.0]}
    assert set(table.dtypes) == {np.dtype("float64")}


@pytest.mark.parametrize(
    ("cell", "what"),
    [
        ("", "is missing"),
        ("NA", "is missing"),
        ("abc", "is 'abc', not a finite number of float32"),
        ('"1,5"', "is '1,5', not a finite number of float32"),
        ("0x10", "is '0x10', not a finite number of float32"),
        ("inf", "is 'inf', not a finite number of float32"),
        ("-inf", "is '-inf', not a finite number of float32"),
        ("1e999", "is 'inf', not a finite number of float32"),
        ("1e39", "is '1e+39', not a finite number of float32"),
        ("-1e39", "is '-1e+39', not a finite number of float32"),
    ],
)
def test_a_bad_cell_is_named_by_row_and_column(cell: str, what: str) -> None:
    table = read_table(written(f"x,y\n1,2\n3,{cell}\n5,6\n"))
    with pytest.raises(UserError) as caught:
        numbers(table, ["x", "y"], "t.csv")
    assert str(caught.value) == (
        f"t.csv, row 2 below the header, column 'y': the value {what};"
        " mend the cell or leave the column out with data.features"
    )


def test_the_largest_numbers_of_float32_are_numbers() -> None:
    table = numbers(read_table(written("x\n3.4e38\n-3.4e38\n")), ["x"], "t.csv")
    assert np.isfinite(table.to_numpy(np.float32)).all()


def test_a_row_that_is_too_short_misses_a_value() -> None:
    table = read_table(written("x,y\n1,2\n3\n"))
    with pytest.raises(UserError, match=r"^t.csv, row 2 .*, column 'y': the value is missing;"):
        numbers(table, ["x", "y"], "t.csv")


def test_a_bad_cell_in_a_column_that_is_not_read_does_no_harm() -> None:
    table = numbers(read_table(written("x,y\n1,abc\n2,\n")), ["x"], "t.csv")
    assert table.to_dict("list") == {"x": [1.0, 2.0]}


def test_a_column_that_the_model_reads_and_the_table_lacks_is_named() -> None:
    with pytest.raises(UserError) as caught:
        numbers(TABLE, ["a", "q"], "t.csv")
    assert str(caught.value) == "t.csv: has no column 'q', which the model reads"


# Splitting


@st.composite
def divisions(draw: st.DrawFn) -> tuple[int, int, int, int]:
    """Rows of the table, of its validation and its test part, and a seed."""
    rows = draw(st.integers(1, 200))
    validation = draw(st.integers(0, rows - 1))
    test = draw(st.integers(0, rows - 1 - validation))
    return rows, validation, test, draw(st.integers(0, 2**32))


def table_of(rows: int) -> pd.DataFrame:
    return pd.DataFrame({"x": np.arange(rows) * 1.5, "y": np.arange(rows) ** 2.0})


def parts_of(division: tuple[int, int, int, int]) -> dict[str, pd.DataFrame]:
    rows, validation, test, seed = division
    return split(table_of(rows), validation / rows, test / rows, seed)


@given(divisions())
def test_each_row_is_in_exactly_one_part(division: tuple[int, int, int, int]) -> None:
    parts = parts_of(division)
    assert tuple(parts) == PARTS
    together = pd.concat(list(parts.values())).sort_index()
    pd.testing.assert_frame_equal(together, table_of(division[0]))


@given(divisions())
def test_the_parts_have_the_sizes_that_are_asked_for(division: tuple[int, int, int, int]) -> None:
    rows, validation, test, _ = division
    sizes = {part: len(table) for part, table in parts_of(division).items()}
    assert sizes == {"train": rows - validation - test, "validation": validation, "test": test}


@given(divisions())
def test_each_part_keeps_the_order_of_the_table(division: tuple[int, int, int, int]) -> None:
    for part in parts_of(division).values():
        assert part.index.is_monotonic_increasing


@given(divisions())
def test_the_parts_follow_from_the_seed_and_not_from_the_values(
    division: tuple[int, int, int, int],
) -> None:
    rows, validation, test, seed = division
    others = split(-table_of(rows), validation / rows, test / rows, seed)
    for part, table in parts_of(division).items():
        assert table.index.equals(others[part].index)


def test_another_seed_gives_other_parts() -> None:
    first, second = (split(table_of(100), 0.2, 0.2, seed) for seed in (0, 1))
    for part in PARTS:
        assert not first[part].index.equals(second[part].index)


@pytest.mark.parametrize("part", ["validation", "test"])
def test_a_fraction_that_comes_to_no_row_is_refused(part: str) -> None:
    fractions = {"validation": 0.0, "test": 0.0, part: 0.04}
    with pytest.raises(UserError) as caught:
        split(table_of(10), **fractions, seed=0)
    assert str(caught.value) == (
        f"data.split.{part}: 0.04 of 10 rows is no row; raise it or set it to 0"
    )


def test_fractions_that_leave_nothing_to_train_on_are_refused() -> None:
    with pytest.raises(UserError) as caught:
        split(table_of(3), 0.49, 0.5, 0)
    assert str(caught.value) == ("data.split: 3 rows leave none to train on; lower the fractions")


def test_the_row_that_is_named_is_that_of_the_whole_table() -> None:
    table = pd.DataFrame({"x": ["1"] * 9 + ["no"]}).iloc[5:]
    with pytest.raises(UserError, match="row 10 below the header"):
        numbers(table, ["x"], "t.csv")
