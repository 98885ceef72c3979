"""The figures of a table's columns."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.data import Kind
from pipeline.preparation.profile import profile
from pipeline.schema.columns import Column, Schema
from tests.preparation.profiled import NAN, SCHEMA, TABLE, by_column, numeric


def test_a_row_for_each_column_in_the_tables_order() -> None:
    found = profile(TABLE, SCHEMA, "price")
    assert list(found["column"]) == list(TABLE)
    assert list(found["kind"]) == ["numeric", "category", "boolean", "date", "numeric"]
    assert list(found["values"]) == [4, 4, 4, 4, 5]
    assert list(found["missing"]) == [1, 1, 1, 1, 0]
    assert list(found["missing_percent"]) == [20, 20, 20, 20, 0]
    assert list(found["distinct"]) == [4, 2, 2, 3, 5]


def test_the_figures_of_numbers() -> None:
    row = by_column(TABLE, SCHEMA, "price").loc["size"]
    five = row[["min", "lower_quartile", "median", "upper_quartile", "max"]]
    assert list(five) == [1.0, 1.75, 2.5, 3.25, 4.0]
    assert (row["mean"], row["std"]) == (2.5, pytest.approx(np.sqrt(1.25)))
    assert row["correlation"] == pytest.approx(1)
    assert row[["most_frequent", "most_frequent_percent"]].isna().all()


def test_the_figures_of_categories_booleans_and_dates() -> None:
    found = by_column(TABLE, SCHEMA, "price")
    assert list(found["most_frequent"].dropna()) == ["red", "true"]
    assert list(found["most_frequent_percent"].dropna()) == [75, 75]
    assert list(found.loc["sold", ["min", "max"]]) == ["2023-05-01", "2024-01-02T10:30:00"]
    assert found.loc[["colour", "used", "sold"], ["median", "mean"]].isna().all(axis=None)


def test_the_correlation_ratio_is_the_root_of_the_share_of_the_squares() -> None:
    # red: 2, 6, 10 and blue: 4, whose mean is 5.5.
    expected = np.sqrt((3 * 0.5**2 + 1.5**2) / (3.5**2 + 0.5**2 + 4.5**2 + 1.5**2))
    found = by_column(TABLE, SCHEMA, "price")
    assert found.loc["colour", "correlation"] == pytest.approx(expected)


def test_the_target_and_dates_have_no_correlation() -> None:
    found = by_column(TABLE, SCHEMA, "price")
    assert found.loc[["price", "sold"], "correlation"].isna().all()


PAIRS = st.lists(st.tuples(*[st.integers(-50, 50)] * 2), min_size=3, max_size=40)


@given(PAIRS)
def test_pearsons_correlation_is_numpys(pairs: list[tuple[int, int]]) -> None:
    x, y = np.array(pairs, dtype=float).T
    found = by_column(*numeric(x=list(x), y=list(y)), "y")["correlation"].astype(float)["x"]
    expected = np.corrcoef(x, y)[0, 1] if np.ptp(x) and np.ptp(y) else NAN
    assert found == pytest.approx(expected, abs=1e-9, nan_ok=True)


@given(PAIRS)
def test_of_a_boolean_the_correlation_ratio_would_be_pearsons_size(
    pairs: list[tuple[int, int]],
) -> None:
    x, y = np.array(pairs, dtype=float).T
    table = pd.DataFrame({"flag": (x > 0) * 1.0, "text": np.where(x > 0, "a", "b"), "y": y})
    kinds = {"flag": Kind.boolean, "text": Kind.category, "y": Kind.numeric}
    schema = Schema({name: Column(kind) for name, kind in kinds.items()})
    found = by_column(table, schema, "y")["correlation"].astype(float)
    assert found["text"] == pytest.approx(abs(found["flag"]), abs=1e-9, nan_ok=True)


def test_times_of_day_are_shown_without_a_date() -> None:
    times = pd.to_datetime(pd.Series(["1970-01-01 13:08", "1970-01-01 09:05"]))
    table = pd.DataFrame({"when": times, "y": [1.0, 2.0]})
    schema = Schema({"when": Column(Kind.date, format="%H:%M"), "y": Column(Kind.numeric)})
    figures = profile(table, schema, "y").set_index("column").loc["when"]
    assert (figures["min"], figures["max"]) == ("09:05:00", "13:08:00")
