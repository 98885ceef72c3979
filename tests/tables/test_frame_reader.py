"""A DataFrame is read as a file of it would be."""

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.config.data import Reading
from pipeline.runtime.errors import UserError
from pipeline.tables.reading import Raw, read

ROWS = 6
FRAME = pd.DataFrame(
    {
        "number": [1.5, np.nan, 3.0, -1.0, 0.0, 2.0],
        "integer": range(ROWS),
        "nullable": pd.array([1, None, 3, 4, 5, 6], "Int64"),
        "flag": [True, False] * 3,
        "perhaps": pd.array([True, None, False] * 2, "boolean"),
        "text": ["a ", None, "?", "b", "c", "d"],
        "nullable text": pd.array(["a", None, "c"] * 2, "string"),
        "level": pd.Categorical(["low", "high", None] * 2),
        "when": pd.date_range("2024-01-01", periods=ROWS, freq="h"),
        "zoned": pd.date_range("2024-01-01", periods=ROWS, tz="Europe/Berlin"),
    }
)


def read_column(cells: Any) -> "pd.Series[Any]":
    return read(pd.DataFrame({"x": cells}), Reading()).table["x"]


def mistake(frame: pd.DataFrame, **options: Any) -> str:
    with pytest.raises(UserError) as raised:
        read(frame, Reading(), **options)
    return str(raised.value)


def test_a_frame_is_read_as_its_parquet_file_and_stays_as_it_was(tmp_path: Path) -> None:
    FRAME.to_parquet(tmp_path / "rows.parquet")
    before = FRAME.copy(deep=True)
    raw = read(FRAME, Reading())
    file = read(str(tmp_path / "rows.parquet"), Reading())
    pd.testing.assert_frame_equal(raw.table, file.table)
    assert raw.warnings == file.warnings == []
    pd.testing.assert_frame_equal(FRAME, before)


@pytest.mark.parametrize(
    "cells",
    [
        [1, "a", 2.5, None],
        [1.5, True, None, 2],  # not 1.0
        [dt.date(2024, 1, 1), dt.datetime(2024, 1, 1, 3)],  # noqa: DTZ001 - not without its time
        [2**70, 1],
        pd.period_range("2024-01", periods=3, freq="M"),
        pd.cut([1.0, 2.0, 3.0], 2),
    ],
)
def test_what_is_of_no_one_type_is_its_text_as_in_a_csv_file(cells: Any) -> None:
    written = pd.Series(cells, dtype=object)
    read_back = read_column(cells)
    assert read_back.dtype == "str"
    assert read_back.dropna().tolist() == [str(cell) for cell in written.dropna()]


def test_a_duration_is_in_days_whatever_its_unit_is() -> None:
    days = pd.Series(pd.to_timedelta([36, 48, None], "h"))
    units: list[Any] = ["s", "ns"]
    for unit in units:
        np.testing.assert_array_equal(read_column(days.dt.as_unit(unit)), [1.5, 2, np.nan])


@pytest.mark.parametrize("labels", [list("abcdef"), range(10, 70, 10), [7] * ROWS])
def test_a_row_is_named_by_its_label_also_after_others_are_left_out(labels: Any) -> None:
    raw = read(FRAME.set_axis(labels), Reading())
    expected = [f"the DataFrame, label {label!r}" for label in labels]
    assert [str(raw.location(at)) for at in range(ROWS)] == expected
    kept = raw.select(np.array([False, True] * 3))
    assert [str(kept.location(at)) for at in range(3)] == expected[1::2]


def test_two_columns_of_one_name_are_told_apart_unless_one_is_needed() -> None:
    frame = pd.DataFrame([[1, 2, 3]], columns=["x", "y", " x"])
    raw = read(frame, Reading(), needed=["y"])
    assert list(raw.table) == ["x", "y", "x.2"]
    (line,) = raw.warnings
    assert line.endswith("in columns 1 and 3; the latter is called 'x.2' (rename one of them)")
    message = "the DataFrame: the column 'x' is duplicated; rename or remove one"
    assert mistake(frame, needed=["x"]) == message


def test_names_are_texts_and_an_index_without_a_name_is_left_out_as_in_a_file() -> None:
    frame = pd.DataFrame([[0, 1.5, 2], [1, 2.5, 4]], columns=["Unnamed: 0", 3, ""])
    raw: Raw = read(frame, Reading())
    assert list(raw.table) == ["3", "column_3"]
    (line,) = raw.warnings
    assert "'Unnamed: 0'" in line


def test_nothing_to_read_is_said() -> None:
    message = "the DataFrame: has 0 rows of 10 columns; there is nothing to read"
    assert mistake(FRAME.head(0)) == message
