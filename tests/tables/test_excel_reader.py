"""Excel files: types of cells, sheets, and lines that are no rows."""

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipeline.config.data import Reading
from pipeline.runtime.errors import UserError
from pipeline.tables.reading import Raw, read
from tests.tables.workbook import write_workbook

HEADER = ["a", "y"]
ROWS = [[1, 0.5], [4, 2.5], [7, 1.5]]
DAY = dt.datetime(2024, 1, 2)  # noqa: DTZ001 - Excel knows no zones


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def read_rows(*rows: Sequence[Any], merged: str | None = None, **settings: Any) -> Raw:
    write_workbook("t.xlsx", rows, merged=merged)
    return read("t.xlsx", Reading(**settings), needed=["y"])


def refusal(*rows: Sequence[Any], **settings: Any) -> str:
    with pytest.raises(UserError) as raised:
        read_rows(*rows, **settings)
    return str(raised.value)


def is_plain(raw: Raw) -> bool:
    return list(raw.table) == HEADER and raw.table.to_numpy().tolist() == ROWS


@pytest.mark.parametrize(
    ("cells", "kind", "expected"),
    [
        ([1, 2.0], "int64", [1, 2]),
        ([1.5, None], "float64", [1.5, None]),
        ([1, "#N/A"], "float64", [1, None]),
        ([1.5, "NA"], "float64", [1.5, None]),
        (["=A1*2", 1], "int64", [7, 1]),
        (["01234", "5"], "str", ["01234", "5"]),
        ([1, "x"], "str", ["1", "x"]),
        ([1.5, DAY], "str", ["1.5", "2024-01-02"]),
        ([True, False], "bool", [True, False]),
        ([True, None], "str", ["true", None]),
        ([DAY, None], "datetime64[us]", [pd.Timestamp(DAY), None]),
        ([dt.timedelta(hours=36), None], "float64", [1.5, None]),
        ([None, None], "float64", [None, None]),
        ([" u ", "v"], "str", ["u", "v"]),
    ],
)
def test_cells_keep_their_types(cells: list[Any], kind: str, expected: list[Any]) -> None:
    raw = read_rows(["x", "y"], *[[cell, 1] for cell in cells])

    assert str(raw.table["x"].dtype) == kind
    assert [None if pd.isna(cell) else cell for cell in raw.table["x"]] == expected


def test_texts_stay_text() -> None:
    write_workbook("t.xlsx", [["zip", "y"], [1234, 1], [None, 2]])

    assert read("t.xlsx", Reading(), texts=["zip"]).table["zip"].tolist()[0] == "1234"


def test_rows_are_counted_as_excel_shows_them() -> None:
    raw = read_rows(HEADER, ROWS[0], [], ROWS[1], ROWS[2])

    assert is_plain(raw)
    assert [str(raw.location(row)) for row in (0, 1)] == ["t.xlsx, row 2", "t.xlsx, row 4"]


def test_a_title_over_merged_cells_is_skipped_and_an_empty_first_column_left_out() -> None:
    title = ["Report", None, None]
    raw = read_rows(title, [], [None, *HEADER], *[[None, *row] for row in ROWS], merged="A1:C1")

    assert is_plain(raw)
    assert [line.split(": ", 1)[1] for line in raw.warnings] == [
        "'Report' and what follows it up to the header, which has 'y', is skipped",
        "column 1 has no name and no values; it is left out",
    ]


def test_settings_skip_what_is_no_row() -> None:
    above, units, total = ["A", "B"], ["kg", "s"], ["Total", 4.5]
    rows: list[list[Any]] = [above, ["# x"], HEADER, units, *ROWS, [], total]

    assert "set data.reading.skip_rows=2" in refusal(*rows)
    assert "set data.reading.units_row=true" in refusal(HEADER, units, *ROWS)
    assert is_plain(read_rows(*rows, skip_rows=2, units_row=True, skip_last=1))
    assert is_plain(read_rows(HEADER, ["# x"], *ROWS, comment="#"))


def test_merged_cells_in_the_header_are_named_by_the_user() -> None:
    rows: list[list[Any]] = [["g", None, "y"], *[[*row, 9] for row in ROWS]]

    assert refusal(*rows, merged="A1:B1") == (
        "t.xlsx, sheet 'Data', row 1: the header has merged cells; unmerge them, or set"
        " data.reading.header=true and data.reading.names, a name for each column"
    )
    named = read_rows(*rows, merged="A1:B1", header=True, names=["a", "b", "y"])
    assert list(named.table) == ["a", "b", "y"]


def test_merged_cells_below_the_header_are_said() -> None:
    assert read_rows(HEADER, *ROWS, merged="A2:A3").warnings == [
        "t.xlsx, sheet 'Data': of merged cells, only the first has a value"
    ]


def test_another_sheet_is_read_by_the_setting_that_is_said() -> None:
    write_workbook("t.xlsx", [["q"], [1]], [HEADER, *ROWS])

    assert read("t.xlsx", Reading()).warnings == [
        "t.xlsx: has 2 sheets, of which 'Data' is read (data.reading.sheet=Other reads another)"
    ]
    raw = read("t.xlsx", Reading(sheet="Other"), needed=["y"])
    assert is_plain(raw)
    assert raw.warnings == []
    with pytest.raises(UserError) as raised:
        read("t.xlsx", Reading(sheet="Third"))
    assert str(raised.value) == (
        "t.xlsx: has no sheet 'Third'; set data.reading.sheet to 'Data' or 'Other'"
    )


def test_the_first_sheet_with_a_needed_name_is_read() -> None:
    write_workbook("t.xlsx", [["About"], ["y is the yield"]], [["Report"], [], HEADER, *ROWS])

    raw = read("t.xlsx", Reading(), needed=["y"])
    assert is_plain(raw)
    assert raw.warnings[0] == (
        "t.xlsx: has 2 sheets, of which 'Other' is read (data.reading.sheet=Data reads another)"
    )
    assert list(read("t.xlsx", Reading(), needed=["z"]).table) == ["About"]


def test_files_of_a_folder_are_joined() -> None:
    Path("many").mkdir()
    write_workbook("many/1.xlsx", [HEADER, *ROWS])
    write_workbook("many/2.xlsx", [["y", "a"], [3, None]])

    raw = read("many", Reading(), needed=["y"])

    assert raw.table["y"].tolist() == [0.5, 2.5, 1.5, 3]
    assert str(raw.location(3)) == "many/2.xlsx, row 2"


def test_an_excel_file_may_have_another_name() -> None:
    write_workbook("t.csv", [HEADER, *ROWS])

    assert is_plain(read("t.csv", Reading(), needed=["y"]))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "t.xls: cannot be read as an Excel"),
        (b"PK\3\4" + bytes(600), "t.xls: cannot be read: File is not a zip file; the file is"),
    ],
)
def test_a_damaged_file_is_explained(content: bytes, message: str) -> None:
    Path("t.xls").write_bytes(content)
    with pytest.raises(UserError) as raised:
        read("t.xls", Reading())
    assert str(raised.value).startswith(message)


def test_a_sheet_without_rows_is_explained() -> None:
    assert refusal() == "t.xlsx, sheet 'Data': the sheet is empty; it needs a header and rows"
    assert refusal(HEADER) == "t.xlsx: the table has columns but no rows; add rows or fix the path"
