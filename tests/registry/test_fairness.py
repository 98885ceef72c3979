"""A champion is compared on rows that are new to it, and in the units that it predicts."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.registry.fairness import other_units, row_hashes, trained_on

ROWS = pd.DataFrame(
    {
        "a": [1.0, 2.0, np.nan],
        "c": pd.Series(["x", None, "y"], dtype="str"),
        "d": pd.to_datetime(["2024-03-21", "", "2025-01-01"]).astype("datetime64[us]"),
    }
)


def test_the_hash_of_a_row_depends_on_its_cells_alone(tmp_path: Path) -> None:
    hashes = row_hashes(ROWS)
    assert len(set(hashes)) == len(ROWS)
    ROWS.to_parquet(tmp_path / "rows.parquet")
    again = pd.read_parquet(tmp_path / "rows.parquet", columns=["d", "a", "c"])
    np.testing.assert_array_equal(row_hashes(again.iloc[::-1]), hashes[::-1])
    changed = row_hashes(ROWS.assign(a=[1.0, 2.5, np.nan]))
    assert (changed == hashes).tolist() == [True, False, True]


def test_test_rows_that_a_model_was_trained_on_are_counted() -> None:
    hashes = np.arange(10, dtype=np.uint64)
    assert trained_on(hashes[:4], hashes[4:], hashes[4:]) == 0
    assert trained_on(hashes[:4], hashes[2:], hashes[4:]) == 2
    # What the training part has as well is duplicated in the table.
    assert trained_on(hashes[:4], hashes[2:], hashes[3:]) == 1


TRUE = 20 + 5 * np.random.default_rng(0).normal(size=200)
NOISE = np.random.default_rng(1).normal(size=200)


@given(error=st.floats(0.01, 20), shift=st.floats(-10, 10))
def test_errors_are_no_other_units(error: float, shift: float) -> None:
    assert other_units(TRUE, TRUE + error * NOISE + shift) is None


@given(share=st.floats(0.05, 1))
def test_predictions_that_vary_less_are_no_other_units_if_they_explain_little(share: float) -> None:
    assert other_units(TRUE, 20 + share * (0.3 * (TRUE - 20) + 5 * NOISE)) is None


def test_a_model_of_the_mean_has_no_other_units() -> None:
    assert other_units(TRUE, np.full(200, 20.0)) is None


@pytest.mark.parametrize(
    ("factor", "offset"), [(1000, 0), (0.001, 0), (1.609, 0), (1.8, 32), (1, 273.15), (-1, 0)]
)
def test_other_units_are_recognised(factor: float, offset: float) -> None:
    predicted = TRUE + NOISE
    assert other_units(TRUE * factor + offset, predicted) is not None


def test_other_units_of_a_poor_model_are_recognised_by_the_mean() -> None:
    assert other_units(TRUE * 1000, np.full(200, 20.0)) == (
        "their mean is 2.008e+04, and that of its predictions 20"
    )
