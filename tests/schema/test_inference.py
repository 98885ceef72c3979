"""What kind a column is inferred to be of, and which values it is expected to have."""

from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config.data import Kind, Policy, Violations
from pipeline.runtime.errors import UserError
from pipeline.schema.columns import Column, Schema
from pipeline.schema.conversion import conform
from pipeline.schema.inference import infer_schema, with_observed_values
from pipeline.schema.violations import check_violations
from tests.locations import locate
from tests.schema.tables import COLUMNS, OBSERVED, TRAIN, fails, one, stamps


def inferred(values: Any, **kinds: Kind) -> Column:
    return infer_schema(one(values), kinds).columns["a"]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2], Kind.numeric),
        ([1.5, None], Kind.numeric),
        (["1", "2", "x"], Kind.numeric),
        (["1", "x"], Kind.category),
        ([None, None], Kind.numeric),
        ([True, False], Kind.boolean),
        ([True, None, False], Kind.boolean),
        (["true", "FALSE", None], Kind.boolean),
        (["true", "maybe"], Kind.category),
        (["red", "blue", None], Kind.category),
        (stamps("2024-03-21", None), Kind.date),
        (["2024-03-21", "2024-02-29"], Kind.date),
        (["2024-02-29", "2023-02-29"], Kind.category),
        (["25-34", "18-24"], Kind.category),
        (["now", "today"], Kind.category),
    ],
)
def test_the_kind_is_inferred_from_the_values(values: Any, kind: Kind) -> None:
    assert inferred(values).kind is kind


@pytest.mark.parametrize(
    ("text", "date_format"),
    [
        ("2024-03-21", "ISO8601"),
        ("2024-03-21T17:30:00Z", "ISO8601"),
        ("2024-03-21 17:30", "ISO8601"),
        ("21.03.2024", "%d.%m.%Y"),
        ("21.3.2024 17:30", "%d.%m.%Y %H:%M"),
        ("21/03/2024", "%d/%m/%Y"),
        ("03/21/2024", "%m/%d/%Y"),
        ("03/21/2024 17:30:59", "%m/%d/%Y %H:%M:%S"),
        ("21-03-2024", "%d-%m-%Y"),
    ],
)
def test_the_format_of_dates_is_found(text: str, date_format: str) -> None:
    assert inferred([text, None]) == Column(
        Kind.date, missing=True, format=date_format, zone=text.endswith("Z")
    )


@pytest.mark.parametrize(
    ("values", "zone"),
    [
        (["2024-03-21 17:30+02:00", "2024-03-21T17:30Z", None], True),
        (["21.03.2024 17:30 UTC"], True),
        (pd.to_datetime(["2024-03-21T17:30+02:00"]), True),
        (["2024-03-21 17:30", "2024-03-21"], False),
        ([20240321, 20240322], False),
        (stamps("2024-03-21", None), False),
        (["2024-03-21 17:30+02:00", "2024-03-21T17:30"], None),
        (["red"], None),
    ],
)
def test_whether_dates_have_a_time_zone_is_known(values: Any, zone: object) -> None:
    assert inferred(values).zone is zone


def test_seasons_are_no_months() -> None:
    seasons = ["2008-09", "2009-10", "2010-11"]
    assert inferred(seasons).kind is Kind.category
    assert inferred(seasons, a=Kind.date).kind is Kind.date
    for months in (["2009-10", "2010-12"], ["2009-10", "2009-10"]):
        assert inferred(months).kind is Kind.date


def test_iso_dates_with_and_without_a_time_are_of_one_format() -> None:
    assert inferred(["2024-03-21", "2024-03-21 17:30"]).format == "ISO8601"


def test_values_may_be_missing_where_some_are() -> None:
    assert inferred([1.0, None]).missing
    assert not inferred([1.0, 2.0]).missing


@pytest.mark.parametrize("kind", Kind)
def test_a_given_kind_overrides_inference(kind: Kind) -> None:
    assert inferred([0, 1], a=kind).kind is kind
    assert infer_schema(one([0, 1]), {"b": kind}).columns["a"].kind is Kind.numeric


def test_the_format_of_a_given_date_column_is_found() -> None:
    mixed = ["21.03.2024"] * 9 + ["1"]
    assert inferred(mixed, a=Kind.date).format == "%d.%m.%Y"
    assert inferred(["21.03.2024"], a=Kind.category).format is None


def test_one_value_in_twenty_need_not_be_a_date() -> None:
    values = ["2024-03-21"] * 19 + ["soon"]
    assert inferred(values).kind is Kind.date
    with fails(
        "table.csv, row 20 below the header, column 'a': 'soon' is not a date of the format"
        " ISO8601; fix it, set data.reading.more_missing=[soon] if it stands for a missing value,"
        " or set data.kinds={a: category}"
    ):
        conform(one(values), Schema({"a": Column(Kind.date)}), locate, inferred=["a"])


SPECIAL = [
    "1",
    "-1.5e3",
    "inf",
    "true",
    "False",
    "2024-03-21",
    "21.03.2024",
    "now",
    "nan",
    "02/03/24",
]


@settings(max_examples=30)
@given(
    st.lists(st.none() | st.sampled_from(SPECIAL) | st.text(max_size=4), min_size=1, max_size=12)
)
def test_any_text_conforms_to_what_is_inferred_of_it_or_is_refused(
    cells: list[str | None],
) -> None:
    table = one(pd.Series(cells, dtype="str"))
    try:
        columns = infer_schema(table, {})
        made = conform(table, columns, locate)
    except UserError:
        return
    again = conform(made, columns, locate)
    pd.testing.assert_frame_equal(again, made)
    assert check_violations(made, columns, Violations(), locate) == []


# The values


def test_ranges_and_categories_are_those_of_the_rows() -> None:
    assert OBSERVED.to_dict() == {
        "number": {"kind": "numeric", "missing": True, "min": -2.0, "max": 1.5},
        "flag": {"kind": "boolean", "missing": True},
        "colour": {"kind": "category", "missing": True, "categories": ["blue", "red"]},
        "when": {
            "kind": "date",
            "missing": True,
            "min": "2023-01-01T00:00:00",
            "max": "2024-03-21T17:30:00",
            "format": "ISO8601",
        },
        "nothing": {"kind": "numeric", "missing": True},
    }


def test_categories_are_those_of_the_training_part_and_ranges_those_of_all_rows() -> None:
    rows = pd.concat(
        [TRAIN, TRAIN.assign(number=9.0, colour="pink", when=pd.Timestamp(2030, 1, 1))]
    )
    seen = with_observed_values(COLUMNS, TRAIN, rows, COLUMNS.columns).columns
    assert (seen["number"].min, seen["number"].max) == (-2.0, 9.0)
    assert seen["when"].max == "2030-01-01T00:00:00"
    assert seen["colour"].categories == ["blue", "red"]


def test_columns_that_are_not_named_stay_as_they_were() -> None:
    assert with_observed_values(COLUMNS, TRAIN, TRAIN, ["colour"]).columns == COLUMNS.columns | {
        "colour": OBSERVED.columns["colour"]
    }


@pytest.mark.parametrize(("count", "kept"), [(1000, True), (1001, False)])
def test_very_many_categories_are_not_listed(count: int, *, kept: bool) -> None:
    train = one([str(number) for number in range(count)]).astype("str")
    columns = Schema({"a": Column(Kind.category)})
    seen = with_observed_values(columns, train, train, ["a"]).columns["a"]
    assert (seen.categories is not None) == kept


def test_the_observed_rows_have_no_violations() -> None:
    strict = Violations(Policy.error, Policy.error, Policy.error)
    assert check_violations(TRAIN, OBSERVED, strict, locate) == []
