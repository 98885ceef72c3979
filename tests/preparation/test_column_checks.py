"""Columns without information, or with odd values."""

import pandas as pd
import pytest

from pipeline.config.data import Data
from pipeline.preparation.column_checks import rare_categories
from pipeline.preparation.findings import Finding
from tests.preparation.found import KINDS, ROWS, found_in, noise, table_of, texts, thirds


@pytest.mark.parametrize(
    ("column", "shown"),
    [(noise(0) * 0 + 0.5, "0.5"), (texts(["usa"] * ROWS), "'usa'")],
    ids=["number", "text"],
)
def test_a_column_of_one_value_is_constant(column: pd.Series, shown: str) -> None:
    assert found_in(table_of(a=column)) == [Finding("constant", "a", f"{shown} in 300 rows")]
    assert found_in(table_of(a=column.where(column.index > 0))) == []


@pytest.mark.parametrize("dtype", KINDS)
def test_a_column_without_a_value_is_found(dtype: str) -> None:
    column = pd.Series([None] * ROWS, dtype=dtype)
    assert found_in(table_of(a=column, b=noise(1))) == [
        Finding("all_missing", "a", "0 of 300 rows")
    ]


def test_future_dates_are_found() -> None:
    dates = pd.Series(["2026-01-31 23:59"] * 150 + ["2020-01-01"] * 150, dtype="datetime64[us]")
    parts = thirds(table_of(a=dates))
    assert found_in(parts | {"train": parts["train"].assign(a=dates[100:200].to_numpy())}) == []
    late = pd.Series(["2026-01-31", "2026-02-01", None, *["2026-01-30"] * 97], dtype=dates.dtype)
    parts["test"] = parts["test"].assign(a=late.to_numpy())
    parts["train"] = parts["train"].assign(a=dates[100:200].to_numpy())
    assert found_in(parts) == [
        Finding(
            "future_date",
            "a",
            "1 of 300 rows, such as 2026-02-01 in table.csv, row 202 below the header",
        )
    ]


@pytest.mark.parametrize(
    ("values", "evidence"),
    [
        (
            [f"{row % 40} %" for row in range(200)],
            (
                "the most frequent of 40 is in 5 of 200 rows, below 10; each of at least 3 rows has"
                " an input all the same"
            ),
        ),
        (
            [str(row) for row in range(200)],
            (
                "the most frequent of 200 is in 1 of 200 rows, below 10; the only input is 1 in"
                " every row"
            ),
        ),
        (["often"] * 10 + [str(row % 60) for row in range(190)], ""),
        (["often"] * 200, ""),
        ([None] * 10 + [str(row % 60) for row in range(190)], ""),
        ([str(row) for row in range(19)], ""),
    ],
)
def test_categories_that_are_all_rare_are_found(values: list[str | None], evidence: str) -> None:
    assert rare_categories(texts(values), Data(path="t.csv", target="y")) == evidence


def test_codes_for_missing_values_are_found_in_all_parts_with_their_first_row() -> None:
    parts = thirds(table_of(a=noise(1).round(3)))
    parts["test"] = parts["test"].assign(a=parts["test"]["a"].where(noise(2) > -1, -999))
    parts["test"].loc[203, "a"] = -999
    (one,) = found_in(parts)
    assert (one.kind, one.column, one.detail) == ("missing_code", "a", ("-999",))
    assert " rows, such as table.csv, row 20" in one.evidence
    assert one.evidence.endswith("; all others from -2.711 to 3.1")


def test_codes_in_the_target_are_a_finding_of_their_own() -> None:
    (one,) = found_in(table_of(a=noise(1), y=noise(0).where(noise(2) > -1, 9999)))
    assert (one.kind, one.column, one.detail) == ("target_missing_code", "y", ("9999",))
