"""What becomes of the cells of a column, and what is reported of those it cannot hold."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser

from pipeline.config.data import Kind
from pipeline.runtime.errors import UserError
from pipeline.schema.columns import Column, Schema
from pipeline.schema.conversion import column_names, conform
from pipeline.schema.missing import mark_missing
from tests.locations import locate
from tests.schema.tables import fails, one, stamps

FLOAT32_MAX = float(np.finfo(np.float32).max)


def conformed(
    values: Any, kind: Kind, date_format: str | None = None, *, inferred: bool = True
) -> "pd.Series[Any]":
    """A column of these cells, of which "" and "NA" are missing."""
    schema = Schema({"a": Column(kind, format=date_format)})
    table = mark_missing(one(values), ["", "NA"])
    return conform(table, schema, locate, inferred=["a"] if inferred else [])["a"]


def dates(*texts: str | None) -> list[Any]:
    return stamps(*texts).tolist()


@pytest.mark.parametrize(
    ("kind", "values", "made"),
    [
        (Kind.numeric, [1, 2], [1.0, 2.0]),
        (Kind.numeric, ["1e3", " 2 ", None], [1000.0, 2.0, None]),
        (Kind.numeric, ["1", "NA", ""], [1.0, None, None]),
        (Kind.numeric, [True, False], [1.0, 0.0]),
        (Kind.numeric, [FLOAT32_MAX, -FLOAT32_MAX], [FLOAT32_MAX, -FLOAT32_MAX]),
        (Kind.numeric, pd.to_timedelta(["36h", None]).as_unit("s"), [1.5, None]),
        (Kind.boolean, [True, False], [1.0, 0.0]),
        (Kind.boolean, [True, None, False], [1.0, None, 0.0]),
        (Kind.boolean, ["True", "NA", "false"], [1.0, None, 0.0]),
        (Kind.boolean, [1, 0], [1.0, 0.0]),
        (Kind.boolean, [1.0, None], [1.0, None]),
        (Kind.category, ["red", "NA", None], ["red", None, None]),
        (Kind.category, [70, 80], ["70", "80"]),
        (Kind.category, [70.0, None], ["70", None]),
        (Kind.category, [70.5, 80.0], ["70.5", "80.0"]),
        (Kind.category, [1e300, 80.0], ["1e+300", "80.0"]),
        (Kind.category, [None, None], [None, None]),
        (Kind.category, [True, False], ["True", "False"]),
        (Kind.date, stamps("2024-03-21", None), dates("2024-03-21", None)),
        (
            Kind.date,
            ["2024-03-21", "2024-03-21T17:30", "NA"],
            dates("2024-03-21 00:00", "2024-03-21 17:30", None),
        ),
        (Kind.date, [2023, 2024], dates("2023-01-01", "2024-01-01")),
        (Kind.date, [2023.0, None], dates("2023-01-01", None)),
    ],
)
def test_a_column_becomes_one_of_its_kind(kind: Kind, values: Any, made: Any) -> None:
    dtype = {Kind.category: "str", Kind.date: "datetime64[us]"}.get(kind, "float64")
    expected: pd.Series[Any] = pd.Series(made, name="a", dtype=dtype)
    pd.testing.assert_series_equal(conformed(values, kind), expected)


def test_dates_of_the_column_s_format_are_read_by_it() -> None:
    assert conformed(["3.4.2024"], Kind.date, "%d.%m.%Y").tolist() == dates("2024-04-03")
    assert conformed(["3/4/2024"], Kind.date, "%m/%d/%Y").tolist() == dates("2024-03-04")


def test_iso_dates_are_accepted_beside_any_format() -> None:
    made = conformed(["3/4/2024", "2024-03-05", None], Kind.date, "%m/%d/%Y")
    assert made.tolist() == dates("2024-03-04", "2024-03-05", None)


def test_a_date_with_a_zone_is_universal_time() -> None:
    text = "2024-03-21T01:00:00+02:00"
    for values in ([text], pd.to_datetime([text])):
        assert conformed(values, Kind.date).tolist() == dates("2024-03-20 23:00")


@pytest.mark.parametrize(
    ("kind", "values", "value", "words"),
    [
        (Kind.numeric, ["1", "NA", "12o"], "12o", "not a finite float32 number"),
        (Kind.numeric, [1.0, 2.0, np.inf], "inf", "not a finite float32 number"),
        (Kind.numeric, ["1", "2", "-inf"], "-inf", "not a finite float32 number"),
        (Kind.numeric, [1.0, 2.0, -3.5e38], "-3.5e+38", "not a finite float32 number"),
        (
            Kind.numeric,
            stamps(None, None, "2024-03-21"),
            "2024-03-21 00:00:00",
            "not a finite float32 number",
        ),
        (Kind.boolean, ["true", "NA", "yes"], "yes", "neither true nor false"),
        (Kind.boolean, [1, 0, 2], "2", "neither true nor false"),
        (
            Kind.date,
            ["2024-03-21", "NA", "2023-02-29"],
            "2023-02-29",
            "not a date of the format ISO8601",
        ),
        (Kind.date, ["2024-03-21", "2024", "now"], "now", "not a date of the format ISO8601"),
    ],
)
def test_the_first_cell_that_its_column_cannot_hold_is_named(
    kind: Kind, values: Any, value: str, words: str
) -> None:
    with fails(f"table.csv, row 3 below the header, column 'a': {value!r} is {words}; fix it"):
        conformed(values, kind, inferred=False)


def test_the_format_of_a_wrong_date_is_named() -> None:
    with pytest.raises(
        UserError, match=r"'2.13.2024' is not a date of the format %d.%m.%Y; fix it"
    ):
        conformed(["2.13.2024"], Kind.date, "%d.%m.%Y")


@pytest.mark.parametrize("name", ["a_1", "größe", "it's a name", 'a "b": c', "1"])
def test_an_inferred_kind_can_be_changed_as_the_message_says(name: str) -> None:
    table, columns = pd.DataFrame({name: ["x"]}), Schema({name: Column(Kind.numeric)})
    with pytest.raises(UserError) as caught:
        conform(table, columns, locate, inferred=[name])
    message, remedy = str(caught.value).split(" if it stands for a missing value, or ")
    assert message.endswith(
        "'x' is not a finite float32 number; fix it, set data.reading.more_missing=[x]"
    )
    if remedy.startswith("set "):
        override = OverridesParser.create().parse_override(remedy.removeprefix("set "))
        assert (override.key_or_group, override.value()) == ("data.kinds", {name: "category"})
    else:
        stated = remedy.removeprefix("write ").removesuffix(" under data in params.yaml")
        assert yaml.safe_load(stated) == {"kinds": {name: "category"}}


@pytest.mark.parametrize(
    ("kind", "value"), [(Kind.numeric, float("inf")), (Kind.numeric, 1e39), (Kind.boolean, 2)]
)
def test_for_a_number_out_of_bounds_no_other_kind_is_offered(kind: Kind, value: float) -> None:
    with pytest.raises(UserError, match=r"; fix it$"):
        conformed([value], kind)


def test_columns_may_be_in_any_order_and_others_are_ignored() -> None:
    table = pd.DataFrame({"b": ["x"], "other": [object()], "a": [1]}, index=[7])
    made = conform(table, Schema({"a": Column(Kind.numeric), "b": Column(Kind.category)}), locate)
    pd.testing.assert_frame_equal(made, pd.DataFrame({"a": [1.0], "b": ["x"]}, index=[7]))


def test_a_missing_column_is_named() -> None:
    with fails("table.csv: has no column 'c', which the model reads; it has b, a"):
        conform(pd.DataFrame({"b": [1], "a": [1]}), Schema({"c": Column(Kind.numeric)}), locate)


def test_of_very_many_columns_the_first_are_named() -> None:
    table = pd.DataFrame(columns=[f"x{number}" for number in range(23)])
    assert column_names(table).endswith("x18, x19 and 3 more")
