"""Where a table begins, and lines of a file that are no rows of it."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.config.data import Reading
from pipeline.runtime.errors import UserError
from pipeline.tables.reading import Raw, read

PLAIN = "a,b,y\n1,2,3\n4,5,6\n7,8,9\n"
ROWS = [[1, 2, 3], [4, 5, 6], [7, 8, 9]]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def read_text(text: str, *, needed: tuple[str, ...] = ("y",), **settings: Any) -> Raw:
    Path("t.csv").write_text(text, encoding="utf-8")
    return read("t.csv", Reading(**settings), needed=needed)


def refusal(text: str, **settings: Any) -> str:
    with pytest.raises(UserError) as raised:
        read_text(text, **settings)
    return str(raised.value)


def is_plain(raw: Raw) -> bool:
    return list(raw.table) == ["a", "b", "y"] and raw.table.to_numpy().tolist() == ROWS


@pytest.mark.parametrize(
    "above",
    ["Report\n", "Report\n\nof 2024\n\n", "Report,,\n,,\n", '"A, B"\n', "# 1, 2, 3, 4, 5\n# x\n"],
)
def test_lines_above_the_header_are_skipped_and_said(above: str) -> None:
    raw = read_text(above + PLAIN)

    assert is_plain(raw)
    (line,) = raw.warnings
    assert line.startswith("t.csv: ")
    assert line.endswith("up to the header, which has 'y', is skipped")
    assert str(raw.location(0)) == "t.csv, row 1 below the header"


def test_lines_that_could_be_the_header_are_skipped_by_a_setting_that_the_error_names() -> None:
    text = "\nA,B,C\n\n" + PLAIN

    assert refusal(text) == (
        "t.csv: the first line does not name 'y', but line 4 does; if that is the header, set"
        " data.reading.skip_rows=3"
    )
    assert is_plain(read_text(text, skip_rows=3))


def test_a_cell_that_is_the_name_of_a_column_is_no_header() -> None:
    raw = read_text("a,b\ny,1\nn,2\n")

    assert list(raw.table) == ["a", "b"]
    assert raw.warnings == []


@pytest.mark.parametrize("units", ["kg,m2,s", "[kg],(m),%", ",,EUR", "n/a,m,s"])
def test_units_below_the_header_are_skipped_by_a_setting_that_the_error_names(units: str) -> None:
    text = PLAIN.replace("y\n", f"y\n\n{units}\n", 1)

    assert refusal(text) == (
        f"t.csv, row 1 below the header, column 'y': {units.split(',')[2]!r} is not a number,"
        " unlike the rows below it; if the row holds units, set data.reading.units_row=true,"
        " otherwise fix it"
    )
    raw = read_text(text, units_row=True)
    assert is_plain(raw)
    assert str(raw.location(0)) == "t.csv, row 2 below the header"


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_a_header_of_several_lines_may_have_blank_lines_around_it(end: str) -> None:
    lines = ["Report", "", '"a', "", '(m)",y', "", "m,kg", "", "1,2", "", "3,4", ""]
    Path("t.csv").write_bytes(end.join(lines).encode())

    raw = read("t.csv", Reading(units_row=True), needed=["y"])
    assert raw.table.to_numpy().tolist() == [[1, 2], [3, 4]]
    assert list(raw.table) == [f"a{end}{end}(m)", "y"]
    assert str(raw.location(0)) == "t.csv, row 2 below the header"


def test_units_are_seen_where_the_target_has_none() -> None:
    text = PLAIN.replace("y\n", "y\nkg,m,\n", 1)

    assert "column 'a': 'kg' is not a number, unlike" in refusal(text)
    assert is_plain(read_text(text, units_row=True))


@pytest.mark.parametrize("row", ["1,1,1", "1000,1,2"])
def test_a_row_of_other_numbers_below_the_header_is_skipped_with_it(row: str) -> None:
    """It cannot be told from values: a series may start so."""
    text = PLAIN.replace("y\n", f"y\n{row}\n", 1)

    assert len(read_text(text, units_row=True).table) == 4
    assert is_plain(read_text(text, skip_rows=2, header=False, names=["a", "b", "y"]))


def test_lines_of_few_fields_are_no_header() -> None:
    with pytest.raises(UserError, match="one column"):
        read_text("x\nnot y numeric\nz\n1,2,3\n")


def test_a_first_row_like_the_others_is_no_row_of_units() -> None:
    """New rows may come without the units that the training table has."""
    assert len(read_text("a,b,y\n5,2,3\n4,5,6\n", units_row=True).table) == 2
    texts = "c,y\nu,1\nv,2\n"
    assert len(read_text(texts, units_row=True).table) == 2


@pytest.mark.parametrize(
    ("end", "last"),
    [("Total\n", 1), ("\nTotal\nSource: x\n\n", 2), ("a note, of, four, cells\n", 1)],
)
def test_rows_at_the_end_are_skipped_by_a_setting_that_the_error_names(end: str, last: int) -> None:
    assert f"set data.reading.delimiter, or data.reading.skip_last={last} if" in refusal(
        PLAIN + end
    )
    assert is_plain(read_text(PLAIN + end, skip_last=last))


@pytest.mark.parametrize("settings", [{"skip_last": 9}, {"skip_rows": 9}, {"skip_rows": 999}])
def test_that_all_lines_are_skipped_is_said(settings: dict[str, int]) -> None:
    assert refusal(PLAIN, **settings) == (
        "t.csv: the file is empty but for the lines that data.reading skips; it needs a header and"
        " rows"
    )


def test_comment_lines_are_skipped_by_a_setting_that_the_error_names() -> None:
    text = PLAIN + "# end\n" + PLAIN[6:]

    assert refusal(text).endswith("or data.reading.comment='#' if it is a comment")
    raw = read_text("# made by x, 1, 2, 3\n" + text, comment="#")
    assert raw.table.to_numpy().tolist() == ROWS * 2


def test_a_comment_sign_within_a_quoted_cell_is_text() -> None:
    raw = read_text('c,y\n"u\n# v",1\n# w\n x,2\n', comment="#")

    assert raw.table["c"].tolist() == ["u\n# v", "x"]


def test_lines_that_are_skipped_are_counted_before_comments() -> None:
    assert is_plain(read_text("# A,B,C\n# B\n" + PLAIN, comment="#", skip_rows=1))


@pytest.mark.parametrize(
    ("first", "delimiter"), [("sep=;", ";"), ('"sep=;"', ";"), ("SEP=\t", "\t"), ("sep=|;;", "|")]
)
def test_a_first_line_may_state_the_delimiter(first: str, delimiter: str) -> None:
    assert is_plain(read_text(f"{first}\n{PLAIN.replace(',', delimiter)}"))


@pytest.mark.parametrize("text", ["sep=;", "sep=;\n", "sep=;\n\n \n"])
def test_a_stated_delimiter_alone_is_no_table(text: str) -> None:
    assert refusal(text) == "t.csv: the file is empty; it needs a header and rows"


@pytest.mark.parametrize("blank", ["\n", "  \n", "\t\n\n"])
def test_blank_lines_above_the_header_are_no_rows(blank: str) -> None:
    for text in (blank + PLAIN, blank + "sep=,\n" + blank + PLAIN):
        raw = read_text(text)
        assert is_plain(raw)
        assert raw.warnings == []


def test_names_replace_those_of_the_header() -> None:
    raw = read_text("x,x,\n1,2,3\n4,5,6\n7,8,9\n", header=True, names=["a", "b", "y"])

    assert is_plain(raw)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a", "b", "a"], "data.reading.names: 'a' is duplicated; give each column its own name"),
        (["a", "", "y"], "data.reading.names: '' is no name; give each column its own name"),
        (["a", "y"], "t.csv: has 3 columns, but data.reading.names names 2; name each column"),
    ],
)
def test_names_that_do_not_fit_are_refused(names: list[str], message: str) -> None:
    assert refusal(PLAIN, header=True, names=names) == message


@pytest.mark.parametrize("delimiter", ["§", "^^", "::", "~"])
def test_an_unusual_delimiter_is_read_by_the_setting_that_the_error_names(delimiter: str) -> None:
    text = PLAIN.replace(",", delimiter).replace("2", f'"2{delimiter}2"')

    assert f"; set data.reading.delimiter='{delimiter}', or " in refusal(text)
    raw = read_text(text, delimiter=delimiter)
    assert raw.table["b"].tolist() == [f"2{delimiter}2", "5", "8"]
    assert raw.table["y"].tolist() == [3, 6, 9]


@pytest.mark.parametrize(
    "text",
    [
        "a    b   y\n1    2   3\n4    5   6\n7    8   9\n",
        "   a  b \t y \n   1  2   3\n   4\t5 \t6\n  7  8   9 \n",
        "a b y\n1 2 3\n4 5 6\n7 8 9\n",
        "# a b y\n1 2 3\n4 5 6\n7 8 9\n",
        '"a" "b" "y"\n"1" 1 2 3\n"2" 4 5 6\n"3" 7 8 9\n',
        "   a  b  y\n0  1  2  3\n1  4  5  6\n2  7  8  9\n",
    ],
)
def test_aligned_columns_are_divided_by_runs_of_blanks(text: str) -> None:
    assert is_plain(read_text(text))


def test_aligned_columns_may_have_decimal_commas_or_no_header() -> None:
    raw = read_text("a    b    y\n1,5   2,5  3\n4,5   5,5  6\n")
    assert raw.table.to_numpy().tolist() == [[1.5, 2.5, 3], [4.5, 5.5, 6]]

    raw = read_text("1.5   2.5  3\n4.5   5.5  6\n", needed=("column_3",))
    assert raw.table.to_numpy().tolist() == [[1.5, 2.5, 3], [4.5, 5.5, 6]]


def test_runs_of_tabs_further_down_are_divided_by_the_setting_that_the_error_names() -> None:
    text = "a\ty\n" + "1\t2\n" * 200 + "1\t\t2\n" * 20

    assert "data.reading.delimiter=whitespace if runs of blanks" in refusal(text)
    assert read_text(text, delimiter="whitespace").table["y"].tolist() == [2] * 220


def test_only_the_last_of_aligned_columns_may_be_behind_a_tab() -> None:
    text = "".join(f'{row}.0   8   {row}   ?\t"some car"\n' for row in range(3))

    table = read_text(text, needed=("column_1",)).table
    assert table["column_1"].tolist() == [0, 1, 2]
    assert table["column_5"].tolist() == ["some car"] * 3
    names = ["mpg", "cylinders", "weight", "year", "name"]
    assert list(read_text(text, needed=("mpg",), names=names).table) == names


def test_text_with_blanks_is_no_aligned_column() -> None:
    raw = read_text("some text\nu v\nw x\n", needed=("some text",))

    assert raw.table["some text"].tolist() == ["u v", "w x"]
