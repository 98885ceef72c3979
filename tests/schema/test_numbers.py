"""Numbers as people write them: which notation a column has, and how cells are read by it."""

import math
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.schema.numbers import (
    Marks,
    Notation,
    UndecidedError,
    are_codes,
    blanks_beside_numbers,
    infer_marks,
    infer_notation,
    notation,
    parse,
    proven_marks,
)

POINT, COMMA = Notation(), notation(",")
UNPROVEN = Marks(proven=False, delimiter=";")


def cells(*texts: str | None) -> Any:
    return pa.array(texts, pa.large_string())


def parsed(how: Notation, *texts: str | None) -> list[float | None]:
    values: list[float | None] = parse(cells(*texts), how).to_pylist()
    return values


@pytest.mark.parametrize(
    ("how", "texts", "number"),
    [
        (POINT, ["5", "+5", "5.", "5.0", "0.5e1", "50E-1", ".5D+01", '="5"', "005"], 5),
        (POINT, ["-5", "\u22125", "5-", "(5)", "- 5", "-5.0"], -5),
        (POINT, ["inf", "Infinity", "1e400"], math.inf),
        (COMMA, ["1234", "1.234", "1.234,0", "1234,"], 1234),
        (notation(".", ","), ["1234", "1,234", "1,234.0"], 1234),
        (notation(".", "\u2019"), ["1'234", "1\u2019234"], 1234),
        (notation(".", "\u00a0"), ["1 234", "1\u00a0234", "1\u202f234", "1\u2009234"], 1234),
        (notation(".", ",", "%"), ["1,234%", "1234 %"], 1234),
        (notation(".", ",", "$"), ["-$1,234", "$-1,234", "($1,234)", "$(1,234)", "$ 1234-"], -1234),
        (
            POINT,
            [
                "\u0664\u0662.\u0665",
                "\u0664\u0662\u066b\u0665",
                "\u096a\u0968.\u096b",
                "\uff14\uff12\uff0e\uff15",
                "\u06f4\u06f2\u066b\u06f5",
            ],
            42.5,
        ),
        (notation(".", "'"), ["\u0661\u066c\u0662\u0663\u0664", "1\u066c234"], 1234),
        (
            notation(".", ",", "%"),
            ["\uff11\uff0c\uff12\uff13\uff14\uff05", "\u0661\u0662\u0663\u0664\u066a"],
            1234,
        ),
        (notation(".", suffixes=True), ["\uff11\uff0e\uff15k", "1500"], 1500),
        (notation(",", None, "€"), ["12,50 €", "€ 12,5", "€12,50"], 12.5),
        (notation(".", None, "EUR"), ["EUR 12.5", "12.50 EUR"], 12.5),
        (notation(".", None, "kg"), ["12.5 kg", "12.5kg"], 12.5),
        (notation(".", ",", "Rs."), ["Rs.1,234", "1,234 Rs.", "Rs. 1,234.00"], 1234),
        (notation(".", "lakh"), ["1234567", "12,34,567", "12,34,567.0"], 1234567),
        (notation(".", "lakh"), ["99,999", "99999"], 99999),
        (
            notation(".", suffixes=True),
            ["1500", "1.5k", "1.5K", "1.5 K", "0.0015M"],
            1500,
        ),
        (notation(".", ",", "$", suffixes=True), ["$1,200K", "$1.2 M", "1.2M $"], 1.2e6),
        (notation(",", None, "€", suffixes=True), ["1,2M €", "1200 k €", "€1,2M"], 1.2e6),
    ],
)
def test_ways_to_write_one_number(how: Notation, texts: list[str], number: float) -> None:
    assert parsed(how, *texts) == [number] * len(texts)


@pytest.mark.parametrize(
    ("how", "texts"),
    [
        (POINT, ["1,234", "1 234", "5%", "$5", "<5", "5+", "1.2.3", "1_000", "0x10", "x", "", "-"]),
        (POINT, ["--5", "(-5)", "(5", "5)", "5--", "-5-", None, "12:30", "5e", "1/2", "now"]),
        (COMMA, ["2.5", "12.34", "0.123", "1.23.456", "1,234.5", "1'234"]),
        (notation(".", ","), ["1,50", "0,123", "1234,567", "12,34,567", "1.234,5"]),
        (notation(".", None, "%"), ["5", "5 $", "%"]),
        (notation(".", None, "$"), ["5", "€5", "$5%"]),
        (notation(".", "lakh"), ["1,234,567", "123,456", "1,23", "1,2,345"]),
        (notation(".", ","), ["1.5k", "3M"]),
        (notation(".", suffixes=True), ["5 kg", "3 km", "1.5m", "2kk", "k", "5G"]),
    ],
)
def test_what_is_not_a_number_in_a_notation(how: Notation, texts: list[str | None]) -> None:
    assert parsed(how, *texts) == [None] * len(texts)


def test_an_integer_that_float64_would_round_is_not_a_number() -> None:
    rounded = ["9007199254740993", "12345678901234567", "-123456789012345678901"]
    assert parsed(POINT, *rounded) == [None] * len(rounded)
    assert parsed(POINT, "100000000000000000000", "9007199254740991") == [1e20, 2**53 - 1]


@settings(max_examples=50)
@given(
    st.floats(-1e9, 1e9).map(lambda number: round(number, 3)),
    st.sampled_from([".", ","]),
    st.sampled_from([None, "'", " "]),
    st.sampled_from(["", "%", "€"]),
)
def test_a_number_is_read_as_it_was_written(
    number: float, decimal: str, thousands: str | None, unit: str
) -> None:
    text = f"{number:,.3f}" if thousands else f"{number:.3f}"
    text = text.translate({ord(","): thousands, ord("."): decimal}) + unit
    assert parsed(notation(decimal, thousands, unit or None), text) == [number]


@pytest.mark.parametrize(
    ("texts", "marks", "how"),
    [
        (["1", "2.5", "x"], Marks(), POINT),
        (["52.88%", "5%"], Marks(), Notation(unit="%")),
        (["$22,417", "$5"], Marks(), Notation(".", ",", "$")),
        (["100 €", "5 €"], Marks(), Notation(unit="€")),
        (["100- €", "5-%", "5-€"], Marks(), Notation(unit="€")),
        (["12 kg", "3 kg"], Marks(), Notation(unit="kg")),
        (["1.2M", "950K", "3 k", "700"], Marks(), Notation(suffixes=True)),
        (["1.2k", "950", "3k"], Marks(), Notation(suffixes=True)),
        (["$1.2B", "$3B"], Marks(), Notation(unit="$", suffixes=True)),
        (["1,2M", "3,45K", "9B"], Marks(","), Notation(",", ".", suffixes=True)),
        # One of them alone may be a unit.
        (["300 K", "295 K"], Marks(), Notation(unit="K")),
        (["16M"] * 9 + ["32"], Marks(), Notation(unit="M")),
        (["1,00,000", "12,34,567", "99,999"], Marks(), Notation(".", "lakh")),
        (["1,00,000", "99,999"], UNPROVEN, Notation(".", "lakh")),
        (["₹1,00,000", "₹99,999"], Marks(), Notation(".", "lakh", "₹")),
        (["1,234,567", "99,999", "1,00,000"], Marks(), Notation(".", ",")),
        (["Rs.1,500", "Rs.12,000"], Marks(), Notation(".", ",", "Rs.")),
        (["1,500", "12,000"], Marks(), Notation(".", ",")),
        (["12,5", "3,75"], Marks(), COMMA),
        (["1.234.567", "5"], Marks(), COMMA),
        (["1'200", "5"], Marks(), Notation(".", "'")),
        (["1\u202f200,5", "7,25"], Marks(), Notation(",", " ")),
        (["899", "1.234"], Marks(","), COMMA),
        (["2.5", "0.25", "1.125"], Marks(","), POINT),
        # One odd cell does not change what the others mean.
        (["1.234", "2.345", "2.5"], Marks(","), COMMA),
        (["1.5"] * 3 + ["1,5"], Marks(proven=False), POINT),
        (["12,5", "3,75"], Marks(".", given=True), POINT),
        # Beside decimal points, a few may be lists.
        (["1", "2", "4", "4,6"], Marks(), POINT),
        (["1", "2", "4", "4.6"], Marks(","), POINT),
        (["\uff14,\uff15", "\uff16,\uff17\uff15"], UNPROVEN, COMMA),
    ],
)
def test_the_notation_of_a_column(texts: list[str], marks: Marks, how: Notation) -> None:
    assert infer_notation(cells(*texts), marks) == how


@pytest.mark.parametrize(
    "texts",
    [
        ["red", "blue"],
        ["1", "x"],
        ["10-20", "20-30"],
        ["3½", "4½", "5¼"],
        ["1-Mar", "2-Mar", "3-Mar"],
        ["300-C", "301-C"],
        ["1,2", "1", "2", "1,2,3", "3,4,5"],
        ["(1)", "(2)", "(3)"],
        ["12 kg", "3 m", "5 s"],
        ["12K", "14C", "7A", "3M"],
        ["A12", "B13"],
        ["12345678901234567", "12345678901234568"],
        ["192.168.1.1", "10.0.0.1"],
        [],
    ],
)
def test_a_column_that_is_not_of_numbers_has_no_notation(texts: list[str]) -> None:
    assert infer_notation(cells(*texts), Marks()) is None


@pytest.mark.parametrize(
    ("texts", "marks", "position"),
    [
        (["899", "1.234"], UNPROVEN, 1),
        (["899", "1,234"], UNPROVEN, 1),
        (["1,234", "2,345"], Marks(proven=False, delimiter="\t"), 0),
    ],
)
def test_a_mark_that_nothing_decides_is_found(
    texts: list[str], marks: Marks, position: int
) -> None:
    with pytest.raises(UndecidedError) as caught:
        infer_notation(cells(*texts), marks)
    assert caught.value.position == position


@pytest.mark.parametrize(
    ("texts", "delimiter", "how"),
    [
        (["0", "1.234"], ";", POINT),
        (["1.234", "2.345"], "\t", POINT),
        (["12345", "1.234"], ";", POINT),
        (["1,234", "2,345"], ";", COMMA),
        (["1,234", "999"], ",", Notation(".", ",")),
    ],
)
def test_a_mark_alone_is_read_as_is_usual_beside_the_delimiter(
    texts: list[str], delimiter: str, how: Notation
) -> None:
    marks = infer_marks([cells(*texts)], Marks(proven=False, delimiter=delimiter))
    assert infer_notation(cells(*texts), marks) == how


def test_a_number_before_words_proves_no_mark() -> None:
    assert proven_marks(cells("2,4-D", "1,cathedral", "3, red")) == set()
    assert proven_marks(cells("2,45 €", "x")) == {","}


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        (["1.5", "-", "2.5", "<3"], [False, True, False, True]),
        (["1.5 kg", "n.d.", "3 kg"], [False, True, False]),
        (["\u0661\u066b\u0665", "<\u0663", "\u0664"], [False, True, False]),
        (["1 virgin", "8 pregnant", "none"], None),
        (["1st", "2nd", "*", "3rd"], None),
        (["1", "2", "3"], None),
        (["red", "-", "blue"], None),
        ([*map(str, range(12)), "closed"], [False] * 12 + [True]),
        ([*map(str, range(12)), "closed", "open"], None),
        ([*map(str, range(8)), "closed"], None),
    ],
)
def test_cells_that_may_stand_for_missing_values_among_numbers(
    texts: list[str], found: list[bool] | None
) -> None:
    blank = blanks_beside_numbers(cells(*texts))
    assert (None if blank is None else blank.to_pylist()) == found


def test_the_columns_of_a_file_prove_its_decimal_mark_together() -> None:
    numbers, prices = cells("27,2", "3"), cells("899", "2.217")
    assert infer_marks([numbers, prices], UNPROVEN).notation == COMMA
    assert infer_marks([prices, cells("2.5")], UNPROVEN) == Marks(delimiter=";")
    assert not infer_marks([numbers, cells("2.5")], UNPROVEN).proven


@pytest.mark.parametrize(
    ("texts", "codes"),
    [
        (["01001", "36001"], True),
        (["007", "12", "1234"], True),
        (["01", "12"], True),
        (["0", "10", "5"], False),
        (["0.5", "00.5"], False),
        (["0043", "2359", "1230"], False),
        (["007", *map(str, range(100))], False),
        (["01001", "x", "y"], False),
        (["\u0660\u0661\u0660\u0660\u0661", "\u0663\u0666\u0660\u0660\u0661"], True),
        (["red", "blue"], False),
    ],
)
def test_integers_with_leading_zeros_are_codes(texts: list[str], *, codes: bool) -> None:
    assert are_codes(cells(*texts)) == codes
