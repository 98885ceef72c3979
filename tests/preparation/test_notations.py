"""From a table whose numbers are written in some notation to what is known of its columns, and to
new rows that are read in the same notation."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.config.data import Data, Kind, Lint, Reading, Split
from pipeline.preparation.preparation import Prepared, prepare
from pipeline.runtime.errors import UserError
from pipeline.schema.location import by_position

ROWS = 40
ACCEPTED = Lint(accept=["identifier:x"])
VALUES = np.random.default_rng(5).uniform(100, 3000, ROWS).round(1)
TARGET = np.random.default_rng(6).uniform(0, 9, ROWS).round(2)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def made(x: list[str], y: list[str] | None = None, sep: str = ";", **changed: Any) -> Prepared:
    """What becomes of a table of a column x and a target y."""
    y = [f"{value:.2f}" for value in TARGET] if y is None else y
    pd.DataFrame({"x": x, "y": y}).to_csv("t.csv", sep=sep, index=False)
    settings = {"split": Split(validation=0.2, test=0.2)} | changed
    return prepare(Data(path="t.csv", target="y", **settings))


def refusal(x: list[str], y: list[str] | None = None, **changed: Any) -> str:
    with pytest.raises(UserError) as caught:
        made(x, y, **changed)
    message = str(caught.value)
    assert "\n" not in message
    return message


def values(prepared: Prepared) -> list[float]:
    return pd.concat(prepared.parts.values())["x"].sort_index().tolist()


def german(value: float, decimals: int = 1) -> str:
    return f"{value:,.{decimals}f}".translate({ord(","): ".", ord("."): ","})


COMMAS = [german(value, 2) for value in TARGET]


@pytest.mark.parametrize(
    ("x", "sep"),
    [
        ([german(value) for value in VALUES], ";"),
        ([german(value) for value in VALUES], ","),
        ([f"${value:,.1f}" for value in VALUES], ";"),
        ([f"{value:.1f} %" for value in VALUES], ","),
        ([f"{value:,.1f}".replace(",", "\u202f") for value in VALUES], ","),
        ([f"{value:,.1f}".replace(",", "'") for value in VALUES], "\t"),
        ([f'="{value}"' for value in VALUES], ","),
        ([f"EUR {value:.1f}" for value in VALUES], ","),
        ([f"{v / 1000:.4f}k" if v > 500 else f"{v:.1f}" for v in VALUES], ","),
        ([f"${v / 1e6:.7f}M" if v > 500 else f"${v / 1000:.4f}K" for v in VALUES], ","),
        ([f"{value / 1000:.4f}D+03" for value in VALUES], ","),
    ],
)
def test_new_rows_are_read_as_the_table(x: list[str], sep: str) -> None:
    prepared = made(x, sep=sep)
    assert prepared.schema.columns["x"].kind is Kind.numeric
    assert values(prepared) == pytest.approx(VALUES.tolist())
    new = pd.read_csv("t.csv", sep=sep, dtype="str").add_suffix(" ")
    clean = prepared.contract.clean(new, "the table")
    rows, warnings = prepared.contract.validate(clean, by_position)
    assert (rows["x"].tolist(), warnings) == (values(prepared), [])


def test_beside_decimal_commas_a_point_groups_thousands() -> None:
    whole = [german(round(value), 0) for value in VALUES]
    expected = [round(value) for value in VALUES]
    for sep, reading in ((";", Reading()), ("\t", Reading()), (";", Reading(decimal=","))):
        prepared = made(whole, COMMAS, sep=sep, reading=reading)
        assert values(prepared) == expected
        column = prepared.contract.schema.columns["x"]
        assert (column.decimal, column.thousands) == (",", ".")
        assert "the decimal mark ','" in prepared.used_as["x"]


@pytest.mark.parametrize(
    ("x", "numbers", "words"),
    [
        ([f"{row},00,000" for row in range(1, 41)], [row * 1e5 for row in range(1, 41)], "lakhs"),
        ([f"{row}{'kM'[row % 2]}" for row in range(40)],
         [row * [1e3, 1e6][row % 2] for row in range(40)], "the suffixes k, M and B"),
    ],
)  # fmt: skip
def test_the_profile_says_how_large_numbers_are_written(
    x: list[str], numbers: list[float], words: str
) -> None:
    prepared = made(x)
    assert values(prepared) == numbers
    assert words in prepared.used_as["x"]


def test_where_nothing_decides_the_settings_are_asked_for() -> None:
    whole = [german(round(value), 0) for value in VALUES]
    y = [str(number % 7) for number in range(ROWS)]
    message = refusal(whole, y)
    first = next(row for row, cell in enumerate(whole, start=1) if "." in cell)
    cell = whole[first - 1]
    assert message == (
        f"t.csv, row {first} below the header, column 'x': {cell!r} is {cell} or"
        f" {cell.replace('.', '')}; write reading: {{decimal: '.'}} or reading: {{decimal: ','}}"
        " under data in params.yaml, or set data.kinds={x: category}"
    )
    assert values(made(whole, y, reading=Reading(decimal=","))) == [round(x) for x in VALUES]
    points = [float(cell) for cell in whole]
    assert values(made(whole, y, reading=Reading(decimal="."))) == points
    made(whole, y, kinds={"x": Kind.category}, lint=ACCEPTED)


@pytest.mark.parametrize("sep", [",", ";", "\t"])
def test_three_decimals_behind_a_point_stay_decimals(sep: str) -> None:
    x = [f"{value / 100:.3f}" for value in VALUES]
    assert values(made(x, [str(n % 7) for n in range(ROWS)], sep=sep)) == [float(c) for c in x]


@pytest.mark.parametrize("commas", [False, True])
@pytest.mark.parametrize("column", ["x", "y"])
def test_one_odd_cell_is_named_whatever_the_decimal_mark(column: str, *, commas: bool) -> None:
    table = {"x": [german(x) if commas else str(x) for x in VALUES]}
    table["y"] = [*COMMAS] if commas else [str(y) for y in TARGET]
    table[column][30] = "k.A."
    message = refusal(table["x"], table["y"])
    where = f"t.csv, row 31 below the header, column {column!r}: 'k.A.' is not a finite float32"
    assert message.startswith(where)
    if column == "x":
        assert "data.reading.more_missing=['k.A.']" in message
        reading = Reading(more_missing=["k.A."])
        assert np.isnan(values(made(table["x"], table["y"], reading=reading))[30])


@pytest.mark.parametrize(
    ("odd", "share"),
    [("-", 0.6), ("n.d.", 0.6), ("k.A.", 0.7), ("<120", 0.6), ("..", 0.9)],
)
def test_cells_beside_numbers_that_may_be_missing_are_a_question(odd: str, share: float) -> None:
    count = int(share * ROWS)
    x = [odd if row < count else str(value) for row, value in enumerate(VALUES)]
    message = refusal(x)
    assert message.startswith(
        f"t.csv, row 1 below the header, column 'x': {odd!r} is in {count} of {ROWS} cells, beside"
        " numbers; set data.reading.more_missing=["
    )
    assert message.endswith(", or set data.kinds={x: category}")
    marked = made(x, reading=Reading(more_missing=[odd]))
    assert np.isnan(values(marked)).sum() == count


@pytest.mark.parametrize(
    ("x", "odd"),
    [
        (
            [f"{'€' if row == 9 else '$'}{value}" for row, value in enumerate(VALUES)],
            "the unit '$'",
        ),
        ([f"{value}{'%' * (row != 9)}" for row, value in enumerate(VALUES)], "the unit '%'"),
    ],
)
def test_a_cell_of_another_unit_is_named(x: list[str], odd: str) -> None:
    message = refusal(x)
    assert message.startswith(f"t.csv, row 10 below the header, column 'x': {x[9]!r} is not a")
    assert odd in message
    made(x, kinds={"x": Kind.category}, lint=ACCEPTED)


def test_numbers_of_two_units_are_not_read_as_text_in_silence() -> None:
    x = [f"{value} {'kg' if row % 3 else 'g'}" for row, value in enumerate(VALUES)]
    (line,) = [line for line in made(x, lint=ACCEPTED).warnings if "no common notation" in line]
    assert line.startswith(f"t.csv, row 2 below the header, column 'x': {x[1]!r} holds a number")
    said = made(x, kinds={"x": Kind.category}, lint=ACCEPTED).warnings
    assert not [line for line in said if "notation" in line]
    assert refusal(x, kinds={"x": Kind.numeric}).startswith(
        f"t.csv, row 1 below the header, column 'x': {x[0]!r} is not a finite float32 number"
    )


def test_leading_zeros_make_a_category_and_a_line_says_so() -> None:
    codes = [f"{row % 8 * 111:05d}" for row in range(ROWS)]
    prepared = made(codes, sep=",")
    assert prepared.schema.columns["x"].kind is Kind.category
    assert (
        "t.csv, row 1 below the header, column 'x': '00000' has a leading zero; the column is read"
        " as category; if it is numeric, set data.kinds={x: numeric}"
    ) in prepared.warnings
    assert values(made(codes, sep=",", kinds={"x": Kind.numeric})) == [int(c) for c in codes]
    # As pandas reads them.
    rows, _ = prepared.contract.validate(pd.read_csv("t.csv"), by_position)
    assert rows["x"].tolist() == codes


def test_a_few_leading_zeros_among_numbers_are_not_read_in_silence() -> None:
    numbers = [f"{row:03d}" if row == 7 else str(row**2) for row in range(ROWS)]
    prepared = made(numbers, sep=",")
    assert prepared.schema.columns["x"].kind is Kind.numeric
    assert (
        "t.csv, row 8 below the header, column 'x': '007' has a leading zero; the column is read as"
        " numeric; if it is category, set data.kinds={x: category}"
    ) in prepared.warnings
    said = made(numbers, sep=",", kinds={"x": Kind.numeric}).warnings
    assert not [line for line in said if "leading zero" in line]


def test_a_target_may_have_leading_zeros() -> None:
    y = [f"{row % 8:03d}" for row in range(ROWS)]
    assert made([str(value) for value in VALUES], y, sep=",").schema.columns["y"].kind is (
        Kind.numeric
    )


def test_times_of_day_without_a_colon_are_numbers_or_times() -> None:
    times = [f"{row % 24:02d}{row % 60:02d}" for row in range(ROWS)]
    assert made(times, sep=",").schema.columns["x"].kind is not Kind.category


@pytest.mark.parametrize("gap", [False, True])
@pytest.mark.parametrize("first", [12345678901234567, 12345678901234567890])
def test_longer_integers_than_float64_represents_are_codes(first: int, *, gap: bool) -> None:
    x = [str(first + row % 4) for row in range(ROWS)]
    expected: list[str] = list(x)
    x[3] = "" if gap else x[3]
    prepared = made(x, sep=",")
    column = pd.concat(prepared.parts.values())["x"].sort_index()
    assert column.drop(3).tolist() == [*expected[:3], *expected[4:]]
    assert column.isna().sum() == gap


@pytest.mark.parametrize("cell", ["12345678901234567", "1234567890123456789012"])
def test_one_integer_that_would_be_rounded_is_an_error(cell: str) -> None:
    x = [str(row * row) for row in range(ROWS)]
    x[20] = cell
    assert refusal(x, sep=",").startswith(
        f"t.csv, row 21 below the header, column 'x': {cell!r} is not a finite float32 number,"
        " because it has more digits than float64; fix it"
    )


def test_names_that_differ_in_blanks_only_are_refused() -> None:
    contract = made([str(value) for value in VALUES]).contract
    table = pd.DataFrame({"x": ["1"], " x": ["2"]})
    with pytest.raises(UserError, match=r"the column 'x' more than once, apart from blanks"):
        contract.clean(table[[" x", "x"]].rename(columns={"x": "x "}), "the table")


def test_points_between_thousands_that_pandas_took_for_decimal_points_are_refused() -> None:
    whole = [german(round(value), 0) for value in VALUES]
    lines = ["x;z;y", *map(";".join, zip(whole, COMMAS[::-1], COMMAS, strict=True))]
    Path("t.csv").write_text("\n".join(lines))
    prepared = prepare(Data(path="t.csv", target="y", split=Split(validation=0.2, test=0.2)))
    with pytest.raises(UserError) as caught:
        prepared.contract.clean(pd.read_csv("t.csv", sep=";"), "the table")
    assert str(caught.value) == (
        "the table: column 'z' is text with decimal commas, but 'x' was read with decimal points;"
        " read them in one way, such as pandas.read_csv(..., decimal=',', thousands='.')"
    )
    read_well = pd.read_csv("t.csv", sep=";", decimal=",", thousands=".")
    rows, _ = prepared.contract.validate(read_well, by_position)
    assert rows["x"].tolist() == [round(value) for value in VALUES]
