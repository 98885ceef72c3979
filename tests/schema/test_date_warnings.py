"""What is said of dates that can be read in two ways, and of text that is nearly dates."""

import re

import pandas as pd
import pytest
import yaml

from pipeline.config.data import Data, Kind
from pipeline.runtime.errors import UserError
from pipeline.schema.conversion import conform
from pipeline.schema.date_warnings import date_warnings, missing_zones
from pipeline.schema.inference import infer_schema
from tests.locations import locate
from tests.schema.tables import fails, one


def table_of(*texts: str | None) -> pd.DataFrame:
    return one(pd.Series(texts, dtype="str"))


def warnings(*texts: str | None) -> list[str]:
    table = table_of(*texts)
    schema = infer_schema(table, {})
    conform(table, schema, locate)
    return date_warnings(table, schema, locate)


def test_dates_that_another_format_reads_as_other_days_are_ambiguous() -> None:
    assert warnings(None, "04/04/2024", "05/06/2024") == [
        (
            "table.csv, row 3 below the header, column 'a': '05/06/2024' is read as %d/%m/%Y, but"
            " could be %m/%d/%Y; if it is, set data.date_formats={a: '%m/%d/%Y'}"
        )
    ]


@pytest.mark.parametrize(
    ("text", "read", "other"),
    [
        ("03/04/2024 17:30", "%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M"),
        ("03/04/2024 5:30 PM", "%d/%m/%Y %I:%M %p", "%m/%d/%Y %I:%M %p"),
        ("03-04-2024", "%d-%m-%Y", "%m-%d-%Y"),
        ("03/04/05", "%d/%m/%y", "%m/%d/%y or %y/%m/%d"),
    ],
)
def test_ambiguous_dates_may_be_written_in_any_way(text: str, read: str, other: str) -> None:
    [line] = warnings(text)
    assert f"{text!r} is read as {read}, but could be {other}; if it is, set" in line


@pytest.mark.parametrize(
    "texts",
    [
        ("03/04/2024", "13/04/2024"),
        ("03/04/2024", "03/13/2024"),
        ("03/03/2024", "04/04/2024"),
        ("03.04.2024",),
        ("03.04.24",),
        ("2024-03-04",),
        ("2024-03-04 4:30 PM",),
        ("3 April 2024",),
        ("13:08",),
        ("red", "blue"),
        ("1.2.3", "1.2.4"),
        ("25-34", "18-24"),
        (None, None),
    ],
)
def test_what_can_be_read_in_one_way_is_not_warned_of(texts: tuple[str, ...]) -> None:
    assert warnings(*texts) == []


def test_dates_beside_iso_8601_are_read_and_reported() -> None:
    assert warnings("06.01.2024", "2024-01-07") == [
        (
            "table.csv, row 2 below the header, column 'a': '2024-01-07' is read as ISO 8601 beside"
            " dates of the format %d.%m.%Y; if both are right, set"
            " data.date_formats={a: ['%d.%m.%Y', 'ISO8601']}"
        )
    ]


def zones(*texts: str | None) -> list[str]:
    table = table_of(*texts)
    return missing_zones(table, infer_schema(table, {}), locate)


def test_a_time_without_a_zone_beside_others_with_one_is_reported() -> None:
    assert zones(None, "2024-03-21T17:30+02:00", "2024-03-21T17:30") == [
        (
            "table.csv, row 3 below the header, column 'a': '2024-03-21T17:30' has no time zone and"
            " is read as universal time, but '2024-03-21T17:30+02:00' has one; write it in all"
            " cells or in none"
        )
    ]
    assert len(zones("21.03.2024 17:30 UTC", "21.03.2024 17:30")) == 1
    assert len(zones("2024-03-21T17:30Z", "2024-03-21")) == 1


@pytest.mark.parametrize(
    "texts",
    [
        ("2024-03-21T17:30Z", "2024-03-21T17:30+02:00", None),
        ("2024-03-21", "2024-03-21T17:30", "2024-03-12 05:06:07"),
        ("21-03-2024", "22-03-2024"),
        ("red Z", "blue"),
    ],
)
def test_zones_in_all_cells_or_in_none_are_right(texts: tuple[str, ...]) -> None:
    assert zones(*texts) == []


@pytest.mark.parametrize(
    ("known", "new", "what"),
    [
        (
            "2024-03-21T17:30+02:00",
            "2024-03-21T17:30",
            (
                "has no time zone, but the column has one in the schema; write it, such as Z for"
                " universal time"
            ),
        ),
        (
            "2024-03-21T17:30",
            "2024-03-21T17:30+02:00",
            (
                "has a time zone, but the column has none in the schema; write the local time"
                " without it"
            ),
        ),
    ],
)
def test_a_zone_that_the_schema_does_not_expect_is_an_error(
    known: str, new: str, what: str
) -> None:
    schema = infer_schema(table_of(known), {})
    message = f"table.csv, row 3 below the header, column 'a': {new!r} {what}"
    with fails(message):
        missing_zones(table_of(None, known, new), schema, locate)
    stamps = pd.to_datetime(one([new])["a"])
    with pytest.raises(UserError, match=r"has (a|no) time zone, but the column has"):
        missing_zones(one(stamps), schema, locate)
    assert missing_zones(table_of(known, None), schema, locate) == []


def test_seasons_are_reported_and_the_setting_that_makes_them_months_is_named() -> None:
    seasons = ["2008-09", "2009-10"]
    assert warnings(*seasons) == [
        (
            "table.csv, row 1 below the header, column 'a': '2008-09' is read as text, a season of"
            " two years; if it is a month, set data.date_formats={a: '%Y-%m'}, or set"
            " data.kinds={a: category} to keep it"
        )
    ]
    schema = infer_schema(table_of(*seasons), {"a": Kind.date}, formats={"a": "%Y-%m"})
    assert conform(table_of(*seasons), schema, locate)["a"].dt.month.tolist() == [9, 10]


MIXED = ["Jan 5, 2024", "5.1.2024", "Jan 6, 2024"]


def test_dates_of_two_formats_are_text_and_the_setting_that_reads_them_is_named() -> None:
    [line] = warnings(*MIXED)
    assert line == (
        "table.csv, row 2 below the header, column 'a': '5.1.2024' is not a date of the format"
        " %b %d, %Y, as other cells are, so the column is read as text; set"
        " data.date_formats={a: ['%b %d, %Y', '%d.%m.%Y']}, or set data.kinds={a: category} to"
        " keep it"
    )
    found = re.search(r"data\.date_formats=(\{.*?\}),", line)
    assert found is not None
    formats = Data(date_formats=yaml.safe_load(found[1])).date_formats
    schema = infer_schema(table_of(*MIXED), {"a": Kind.date}, formats=formats)
    assert conform(table_of(*MIXED), schema, locate)["a"].dt.day.tolist() == [5, 5, 6]


@pytest.mark.parametrize(
    ("texts", "odd", "remedy"),
    [
        (("13/01/2024", "01/13/2024"), "01/13/2024", "fix it"),
        (
            ("13/01/2024", "14/01/2024", "-"),
            "-",
            "set data.reading.more_missing=['-'] if it stands for a missing value",
        ),
        (("9/24/06", "9/25/06", "9/32/06"), "9/32/06", "fix it"),
    ],
)
def test_text_of_which_most_is_dates_is_reported(
    texts: tuple[str, ...], odd: str, remedy: str
) -> None:
    [line] = warnings(*texts)
    assert f"column 'a': {odd!r} is not a date of the format" in line
    assert f"so the column is read as text; {remedy}, or set data.kinds={{a: category}}" in line


@pytest.mark.parametrize(
    ("texts", "odd"), [(("12:10", "35:12"), "35:12"), (("1:32.456", "1:33.020"), "1:32.456")]
)
def test_durations_are_not_times_of_day(texts: tuple[str, ...], odd: str) -> None:
    [line] = warnings(*texts)
    assert line.endswith(
        f"column 'a': {odd!r} is no time of day, so the column, which may hold durations, is read"
        " as text; write them as numbers, or set data.kinds={a: category} to keep it"
    )


@pytest.mark.parametrize(
    ("texts", "date_format"),
    [
        ([f"{day}.{1 + day % 9}.20" for day in range(1, 13)], "%d.%m.%y"),
        ([f"2020-{day:03}" for day in range(340, 352)], "%Y-%j"),
        ([f"{day:02}032016" for day in range(1, 13)], "%d%m%Y"),
        ([f"{day}-Mar" for day in range(1, 13)], "%d-%b"),
        ([f"June {day}" for day in range(1, 13)], "%b %d"),
        ([f"{month}/86" for month in range(1, 13)], "%m/%y"),
        ([f"{hour}h15" for hour in range(12)], "%Hh%M"),
        ([f"2020年{month}月1日" for month in range(1, 13)], "%Y年%m月%d日"),
    ],
)
def test_dates_that_may_be_something_else_are_text_and_may_be_given_as_dates(
    texts: list[str], date_format: str
) -> None:
    (line,) = warnings(*texts)
    assert line.startswith(f"table.csv, row 1 below the header, column 'a': {texts[0]!r} is read")
    assert f"could be a date of the format {date_format}; if it is, set data.date_formats=" in line
    table = table_of(*texts)
    schema = infer_schema(table, {"a": Kind.date})
    assert schema.columns["a"].format == date_format
    assert conform(table, schema, locate)["a"].notna().all()


@pytest.mark.parametrize("form", ["1.{}.300", "51-40{}", "R {}", "{} 1/2", "0{}01"])
def test_codes_and_numbers_could_be_no_dates(form: str) -> None:
    assert warnings(*(form.format(number) for number in range(30, 45))) == []
