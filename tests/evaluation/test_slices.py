"""Slices with larger errors are found, and where there are none, none is."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from pipeline.config.data import Kind
from pipeline.evaluation.bins import Bins, bin_column
from pipeline.evaluation.metrics import Vector, metrics
from pipeline.evaluation.slices import (
    MIN_ROWS,
    bin_count,
    errors_by_column,
    holm,
    intraclass_correlation,
    worst_slices,
)
from pipeline.schema.columns import Column

Errors = Callable[[np.random.Generator, int], Vector]
KINDS = {"town": Kind.category, "house": Kind.category}


def normal(random: np.random.Generator, rows: int) -> Vector:
    return random.normal(size=rows)


def heavy_tailed(random: np.random.Generator, rows: int) -> Vector:
    return random.standard_t(2.5, rows)


def skewed(random: np.random.Generator, rows: int) -> Vector:
    return random.lognormal(0, 1.5, rows)


def table(random: np.random.Generator, rows: int) -> pd.DataFrame:
    """Numbers, of which the first two are correlated, and categories."""
    x = random.normal(size=(rows, 4))
    x[:, 1] += 2 * x[:, 0]
    towns = random.choice(["Bonn", "Kiel", "Ulm", "Wien"], rows, p=[0.4, 0.3, 0.2, 0.1])
    columns = {name: x[:, index] for index, name in enumerate("abcd")} | {"town": towns}
    return pd.DataFrame(columns).astype({"town": "str"})


def binned(rows: pd.DataFrame) -> list[Bins]:
    count = bin_count(len(rows))
    return [
        bin_column(column, Column(KINDS.get(str(name), Kind.numeric)), count, MIN_ROWS, 50)
        for name, column in rows.items()
    ]


@pytest.mark.parametrize(("errors", "rows"), [(normal, 100), (heavy_tailed, 800), (skewed, 800)])
def test_of_noise_at_most_one_table_in_twenty_has_a_slice(errors: Errors, rows: int) -> None:
    found = 0
    for seed in range(25):
        random = np.random.default_rng(seed)
        noise = table(random, rows)
        found += len(worst_slices(errors(random, rows), binned(noise))) > 0
    assert found <= 2


def test_of_groups_with_errors_of_their_own_size_at_most_one_table_in_twenty_has_a_slice() -> None:
    ignored = found = 0
    for seed in range(15):
        random = np.random.default_rng(seed)
        groups = random.integers(0, 60, 1200)
        of_groups = table(random, 60).iloc[groups].reset_index(drop=True)
        errors = random.normal(size=1200) * np.exp(0.7 * random.normal(size=60))[groups]
        found += len(worst_slices(errors, binned(of_groups), groups)) > 0
        ignored += len(worst_slices(errors, binned(of_groups))) > 0
    assert found <= 1
    assert ignored > 7


@pytest.mark.parametrize("errors", [normal, heavy_tailed])
def test_a_bad_category_is_found_and_its_slices_with_other_columns_are_not(errors: Errors) -> None:
    found = 0
    for seed in range(10):
        random = np.random.default_rng(seed)
        rows = table(random, 1500)
        residuals = errors(random, 1500) * np.where(rows["town"] == "Wien", 3, 1)
        found += worst_slices(residuals, binned(rows))["slice"].tolist() == ["town = Wien"]
    assert found >= 9


def test_a_bad_slice_of_two_columns_is_found_with_its_figures() -> None:
    random = np.random.default_rng(0)
    rows = table(random, 2000)
    bins = binned(rows)
    highest = rows["c"] >= float(bins[2].texts[-1].split(" to ")[0]) - 1e-4
    bad = ((rows["town"] == "Kiel") & highest).to_numpy()
    residuals = random.normal(size=2000) * np.where(bad, 3, 1)
    worst = worst_slices(residuals, bins)
    assert worst["slice"].tolist() == [f"{bins[2].conditions[-1]} and town = Kiel"]
    one = worst.iloc[0]
    zero = np.zeros(2000)
    assert one["rows"] == bad.sum()
    assert one["rmse"] == pytest.approx(metrics(residuals[bad], zero[bad])["rmse"])
    assert one["rmse_elsewhere"] == pytest.approx(metrics(residuals[~bad], zero[~bad])["rmse"])
    assert one["lower"] < 3 < one["upper"]
    assert one["p_value"] < 0.001


def test_of_columns_that_say_the_same_one_is_listed() -> None:
    random = np.random.default_rng(0)
    rows = table(random, 1500)
    rows["house"] = rows["town"] + " house"
    residuals = random.normal(size=1500) * np.where(rows["town"] == "Wien", 3, 1)
    (listed,) = worst_slices(residuals, binned(rows))["slice"]
    assert listed in ("town = Wien", "house = Wien house")


@pytest.mark.parametrize("residual", [0.0, 1.0])
def test_equal_errors_and_few_rows_have_no_slices(residual: float) -> None:
    rows = table(np.random.default_rng(0), 200)
    columns = ["slice", "rows", "rmse", "lower", "upper", "rmse_elsewhere", "p_value"]
    for found in (
        worst_slices(np.full(200, residual), binned(rows)),
        worst_slices(np.arange(12.0), binned(rows.head(12))),
        worst_slices(np.arange(200.0), []),
    ):
        assert found.columns.tolist() == columns
        assert found.empty


def test_errors_by_column_are_those_of_the_rows_of_each_bin() -> None:
    random = np.random.default_rng(0)
    rows = table(random, 300)
    true, predicted = random.normal(size=(2, 300))
    bins = binned(rows)
    listed = errors_by_column(true - predicted, bins).set_index(["column", "values"])
    assert listed.groupby("column")["rows"].sum().tolist() == [300] * 5
    for one in bins:
        for code, text in enumerate(one.texts):
            inside = one.codes == code
            expected = metrics(true[inside], predicted[inside])
            for name in ("rmse", "mae", "bias"):
                assert listed[name][(one.column, text)] == pytest.approx(expected[name])


def test_p_values_are_corrected_by_holm() -> None:
    corrected = holm(np.array([0.04, 0.01, 0.03, 0.5]))
    assert corrected == pytest.approx([0.09, 0.04, 0.09, 0.5])
    assert holm(np.array([])).tolist() == []


def test_values_of_groups_are_correlated_as_they_were_drawn() -> None:
    random = np.random.default_rng(0)
    groups = random.permutation(np.arange(4000) % 800)
    values = np.sqrt(0.3) * random.normal(size=800)[groups] + np.sqrt(0.7) * random.normal(
        size=4000
    )
    assert intraclass_correlation(values, groups) == pytest.approx(0.3, abs=0.04)
    assert intraclass_correlation(values, np.zeros(4000, np.intp)) == 0
    assert intraclass_correlation(values, np.arange(4000)) == 0
