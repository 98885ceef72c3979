"""Columns are divided into categories and into ranges of equally many rows."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.config.data import Kind
from pipeline.evaluation.bins import Bins, bin_column
from pipeline.schema.columns import Column

RANDOM = np.random.default_rng(0)


def binned(values: "pd.Series[Any]", kind: Kind, **limits: Any) -> Bins:
    column = Column(kind, format=limits.pop("format", None))
    given = {"count": 4, "min_rows": 2, "max_categories": 5} | limits
    return bin_column(values.rename("x"), column, **given)


def test_numbers_are_in_bins_of_equally_many_rows_whose_texts_are_their_ends() -> None:
    values = pd.Series(RANDOM.permutation(100) / 8)
    bins = binned(values, Kind.numeric)
    assert np.bincount(bins.codes).tolist() == [25] * 4
    for code, text in enumerate(bins.texts):
        inside = values[bins.codes == code]
        assert text == f"{inside.min():.5g} to {inside.max():.5g}"
        assert inside.min() < bins.middles[code] < inside.max()
        assert bins.middles[code] in inside.to_numpy()
    assert bins.conditions[0] == "x from 0 to 3"


def test_few_values_have_a_bin_each_and_a_frequent_one_is_alone() -> None:
    few = binned(pd.Series([3.0, 1.5, 3.0, 2.0]), Kind.numeric)
    assert (few.texts, few.codes.tolist()) == (["1.5", "2", "3"], [2, 0, 2, 1])
    assert few.conditions[2] == "x = 3"
    many = binned(pd.Series([0.0] * 60 + [*range(1, 41)]), Kind.numeric)
    assert many.texts == ["0", "1 to 15", "16 to 40"]


def test_rare_categories_are_in_one_bin_and_the_most_frequent_one_is_first() -> None:
    towns = pd.Series(["Ulm", "Bonn", "Bonn", "Ulm", "Bonn", "Kiel", "Wien"], dtype="str")
    bins = binned(towns, Kind.category)
    assert bins.texts == ["Bonn", "Ulm", "(other)"]
    assert bins.codes.tolist() == [1, 0, 0, 1, 0, 2, 2]
    assert bins.conditions == ["x = Bonn", "x = Ulm", "x = (other)"]
    assert bins.middles == ["Bonn", "Ulm", "Kiel"]
    assert binned(towns, Kind.category, max_categories=1).texts == ["Bonn", "(other)"]


@pytest.mark.parametrize(
    ("values", "kind", "texts"),
    [
        (pd.Series([np.nan, 1.0, np.nan, 2.0]), Kind.numeric, ["1", "2"]),
        (pd.Series([np.nan, 0.0, np.nan, 1.0]), Kind.boolean, ["false", "true"]),
        (pd.Series([None, "a", None, "b"], dtype="str"), Kind.category, ["a", "b"]),
        (pd.to_datetime(pd.Series([None, "2024-01-01", None, "2024-05-01"])).astype("M8[us]"),
         Kind.date, ["2024-01-01", "2024-05-01"]),
        (pd.Series([np.nan] * 4), Kind.numeric, []),
        (pd.Series([None] * 4, dtype="str"), Kind.category, []),
        (pd.Series([None] * 4, dtype="M8[us]"), Kind.date, []),
    ],
)  # fmt: skip
def test_missing_values_have_a_bin(values: "pd.Series[Any]", kind: Kind, texts: list[str]) -> None:
    bins = binned(values, kind, min_rows=1)
    assert bins.texts == [*texts, "(missing)"]
    assert bins.codes[[0, 2]].tolist() == [len(texts)] * 2
    assert bins.conditions[-1] == "x = (missing)"
    assert bins.middles[-1] is None
    assert len(bins.middles) == len(bins.names) == len(bins.conditions) == len(bins.texts)


def test_dates_are_written_as_dates_and_clocks_as_times() -> None:
    days = pd.Series(pd.date_range("2024-01-01", periods=8).astype("M8[us]"))
    assert binned(days, Kind.date, count=2).conditions == [
        "x from 2024-01-01 to 2024-01-04", "x from 2024-01-05 to 2024-01-08",
    ]  # fmt: skip
    hours = pd.Series(pd.date_range("1970-01-01", periods=8, freq="h").astype("M8[us]"))
    assert binned(hours, Kind.date, count=2, format="%H:%M").texts == [
        "00:00 to 03:00", "04:00 to 07:00",
    ]  # fmt: skip
    assert binned(hours, Kind.date, count=2).texts[1] == "1970-01-01 04:00 to 1970-01-01 07:00"
