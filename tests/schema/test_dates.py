"""The formats of dates: which is found, what is read by it, and what is no date."""

from typing import Any

import pandas as pd
import pytest

from pipeline.schema.dates import (
    infer_format,
    integer_format,
    is_clock,
    is_format,
    parse_dates,
    with_format_of,
)


def column(*cells: str) -> "pd.Series[Any]":
    return pd.Series(cells, dtype="str")


def read(*cells: str) -> list[str]:
    """The dates of a column as texts, by the format that is inferred."""
    date_format = infer_format(column(*cells))
    assert date_format is not None
    return parse_dates(column(*cells), date_format).astype("str").tolist()


@pytest.mark.parametrize(
    ("cell", "date_format", "date"),
    [
        ("2019-1-5", "ISO8601", "2019-01-05"),
        ("2019-01", "ISO8601", "2019-01-01"),
        ("\u0662\u0660\u0661\u0669-\u0660\u0661-\u0660\u0665", "ISO8601", "2019-01-05"),
        ("\uff12\uff10\uff11\uff19/\uff11/\uff15", "ISO8601", "2019-01-05"),
        ("\u096b January 2019", "%d %B %Y", "2019-01-05"),
        ("20190105T0043", "ISO8601", "2019-01-05 00:43:00"),
        ("2019-01-05T00:43:05.5Z", "ISO8601", "2019-01-05 00:43:05.500"),
        ("2019-01-05 01:43+02:00", "ISO8601", "2019-01-04 23:43:00"),
        ("2019-01-05 00:43 UTC", "%Y-%m-%d %H:%M %Z", "2019-01-05 00:43:00"),
        ("2019-01-05 04:43 PM", "%Y-%m-%d %I:%M %p", "2019-01-05 16:43:00"),
        ("28-May-15", "%d-%b-%y", "2015-05-28"),
        ("28MAY2015", "%d%b%Y", "2015-05-28"),
        ("June 29, 2022", "%B %d, %Y", "2022-06-29"),
        ("Sept. 5, 2019", "%B %d, %Y", "2019-09-05"),
        ("29th June 2022", "%d %B %Y", "2022-06-29"),
        ("Wed, 29 Jun 2022 10:00:00 GMT", "%a, %d %b %Y %H:%M:%S %Z", "2022-06-29 10:00:00"),
        ("Wed Jun 29 10:00:00 2022", "%a %b %d %H:%M:%S %Y", "2022-06-29 10:00:00"),
        ("29/Jun/2022:10:00:00 +0200", "%d/%b/%Y:%H:%M:%S %z", "2022-06-29 08:00:00"),
        ("1. März 2019", "%d. %B %Y", "2019-03-01"),
        ("2 février 2019", "%d %B %Y", "2019-02-02"),
        ("29 de junio de 2022", "%d de %B de %Y", "2022-06-29"),
        ("9/24/06", "%m/%d/%y", "2006-09-24"),
        ("24.09.69", "%d.%m.%y", "1969-09-24"),
        ("1. 5. 2019", "%d. %m. %Y", "2019-05-01"),
        ("06/13/2019  04:24:39 PM", "%m/%d/%Y %I:%M:%S %p", "2019-06-13 16:24:39"),
        ("13/01/2019 00:43:05.488", "%d/%m/%Y %H:%M:%S.%f", "2019-01-13 00:43:05.488"),
        ("01-13-2019", "%m-%d-%Y", "2019-01-13"),
        ("Jan-2019", "%b-%Y", "2019-01-01"),
        ("Jan 1974", "%b %Y", "1974-01-01"),
        ("Jan-19", "%b-%y", "2019-01-01"),
        ("01/2019", "%m/%Y", "2019-01-01"),
        ("2019Q3", "%YQ%q", "2019-07-01"),
        ("q4 2019", "Q%q %Y", "2019-10-01"),
        ("2019-W05", "%G-W%V", "2019-01-28"),
        ("2019-W05-3", "%G-W%V-%u", "2019-01-30"),
        ("2019M05", "%YM%m", "2019-05-01"),
        ("13.01.2019 16:24 Uhr", "%d.%m.%Y %H:%M Uhr", "2019-01-13 16:24:00"),
        ("16:24 Uhr", "%H:%M Uhr", "1970-01-01 16:24:00"),
        ("13:08", "%H:%M", "1970-01-01 13:08:00"),
        ("1:08:30 p.m.", "%I:%M:%S %p", "1970-01-01 13:08:30"),
        ("9pm", "%I%p", "1970-01-01 21:00:00"),
        ("13:08:05.000123", "%H:%M:%S.%f", "1970-01-01 13:08:05.000123"),
    ],
)
def test_the_format_of_a_date_is_found_and_read(cell: str, date_format: str, date: str) -> None:
    assert infer_format(column(cell)) == date_format
    assert read(cell) == [date]


@pytest.mark.parametrize(
    "cell",
    [
        *("1990", "5", "1.2.3", "1.2.13", "2010-2012", "10/12", "12-345", "12-2345", "12345-6789"),
        *("555-1234", "555-123-4567", "01 02 03 04", "12-34-56", "1/2/3", "3-2", "2:1", "16:9"),
        *("35:12", "24:00", "1:32.456", "10:00-11:00", "192.168.1.1", "25-34", "A-12", "1 234 567"),
        *(
            "May",
            "Monday",
            "12 May",
            "Q1",
            "W05",
            "x 2019",
            "2019-01-05 00:43 gmt",
            "2001: A Space Odyssey",
            "now",
            "today",
        ),
        *("2019-02-30", "31.02.2019", "2024-01-01 - 2024-01-07", "", "%Y", "ISO8601"),
    ],
)
def test_other_texts_are_no_dates(cell: str) -> None:
    assert infer_format(column(cell)) is None


@pytest.mark.parametrize(
    ("cells", "date_format"),
    [
        (["03/04/2024", "13/04/2024"], "%d/%m/%Y"),
        (["03/04/2024", "04/13/2024"], "%m/%d/%Y"),
        (["03/04/24", "13/04/24"], "%d/%m/%y"),
        (["19-01-05", "19-02-03"], "%y-%m-%d"),
        (["05-01-19", "03-02-19"], "%d-%m-%y"),
        (["June 5, 2019", "May 5, 2019"], "%B %d, %Y"),
        (["2024-01-01", "06.01.2024"], "%d.%m.%Y"),
        (["13/01/2019", "14/01/2019 16:24"], ["%d/%m/%Y", "%d/%m/%Y %H:%M"]),
        (["13:08", "9:05:10"], ["%H:%M", "%H:%M:%S"]),
    ],
)
def test_all_cells_decide_on_the_format(cells: list[str], date_format: Any) -> None:
    assert infer_format(column(*cells)) == date_format
    assert "NaT" not in read(*cells)


def test_a_late_cell_decides_on_the_order_of_day_and_month() -> None:
    cells = ["03/04/2024"] * 5001
    assert infer_format(column(*cells)) == "%d/%m/%Y"
    cells[4999] = "03/14/2024"
    assert infer_format(column(*cells)) == "%m/%d/%Y"


@pytest.mark.parametrize(
    ("good", "odd"),
    [("13:08", "35:12"), ("9/24/06", "9/32/06"), ("10.12.99", "10.13.99"), ("01/2019", "01/9999")],
)
def test_one_cell_that_is_no_date_shows_that_doubtful_ones_are_none(good: str, odd: str) -> None:
    assert infer_format(column(*[good] * 30)) is not None
    assert infer_format(column(*[good] * 30, odd)) is None


@pytest.mark.parametrize(
    ("good", "odd"), [("24.12.2024", "24.13.2024"), ("13:08", "noon"), ("2024-01-01", "2024-13-01")]
)
def test_one_odd_cell_beside_dates_is_left_for_an_error(good: str, odd: str) -> None:
    date_format = infer_format(column(*[good] * 30))
    assert infer_format(column(*[good] * 30, odd)) == date_format
    assert date_format is not None
    assert parse_dates(column(odd), date_format).isna().all()


def test_less_is_asked_of_a_column_that_is_given_to_be_one_of_dates() -> None:
    cells = column("13:08", "35:12", "9:12")
    assert infer_format(cells) is None
    assert infer_format(cells, given=True) == "%H:%M"


@pytest.mark.parametrize(
    ("numbers", "date_format"),
    [
        ([20190101, 20190102], "%Y%m%d"),
        ([20190101.0, 20191231.0], "%Y%m%d"),
        ([20190101004305], "%Y%m%d%H%M%S"),
        ([20190101, 20190132], None),
        ([20190101.5], None),
        ([1990, 2019], None),
        ([20310101], None),
        ([], None),
    ],
)
def test_integers_are_dates_if_all_are(numbers: list[float], date_format: str | None) -> None:
    assert integer_format(pd.Series(numbers, dtype="float64")) == date_format


def test_the_first_format_that_reads_a_cell_is_used() -> None:
    cells = column("03/04/2024", "03.04.2024", "2024-04-03", "2024", "x")
    dates = parse_dates(cells, ["%m/%d/%Y", "%d.%m.%Y"])
    assert dates.dt.month.fillna(0).tolist() == [3, 4, 4, 0, 0]
    assert dates.dtype == "datetime64[us]"


def test_rows_may_have_any_labels() -> None:
    cells = pd.Series(["June 5, 2019", "x", "2019-06-06"], index=[7, 7, 0], dtype="str")
    dates = parse_dates(cells, "%b %d, %Y")
    assert dates.index.tolist() == [7, 7, 0]
    assert dates.dt.day.fillna(0).tolist() == [5, 0, 6]


def test_a_time_of_day_in_iso_8601_is_read_beside_any_format() -> None:
    cells = column("9pm", "13:08:05", "8:05")
    assert parse_dates(cells, "%I%p").dt.hour.tolist() == [21, 13, 8]


@pytest.mark.parametrize(
    ("value", "valid"),
    [
        *((text, True) for text in ("%d.%m.%Y", "ISO8601", "%YQ%q", "%G-W%V", "%H:%M")),
        (["%d.%m.%Y", "ISO8601"], True),
        *((other, False) for other in ("%Q", "%q", "%", "mixed", "", 2019, None, [], [2019])),
    ],
)
def test_a_format_is_known_by_its_codes(value: Any, *, valid: bool) -> None:
    assert is_format(value) == valid


def test_a_format_without_a_date_is_one_of_times_of_day() -> None:
    assert is_clock("%I:%M %p")
    assert is_clock(["%H:%M", "%H:%M:%S.%f"])
    assert not is_clock("%d.%m.%Y %H:%M")
    assert not is_clock(None)


@pytest.mark.parametrize(
    ("cell", "formats"),
    [
        ("03.04.2024", ["%d/%m/%Y", "%d.%m.%Y"]),
        ("03/14/2024", None),
        ("11:34", None),
        ("soon", None),
    ],
)
def test_a_format_is_offered_for_a_cell_in_another_one(cell: str, formats: Any) -> None:
    assert with_format_of("%d/%m/%Y", cell) == formats
