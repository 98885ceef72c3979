"""Metrics are those of scikit-learn, except that rounding errors count as 0."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pipeline.evaluation import resampling
from pipeline.evaluation.metrics import MIN_UNITS, Vector, error_intervals, metrics

# Whether there are subnormal numbers at all depends on the libraries that are loaded.
MODERATE = st.floats(-100, 100, allow_subnormal=False)


def vector(*values: float) -> Vector:
    return np.array(values, dtype=np.float64)


def test_metrics_of_three_rows_by_hand() -> None:
    # Residuals -1, 0 and 4; around their mean 3 the true values have 4 + 0 + 4.
    assert metrics(vector(1, 3, 5), vector(2, 3, 1)) == pytest.approx(
        {
            "mse": 17 / 3, "rmse": (17 / 3) ** 0.5, "mae": 5 / 3, "r2": 1 - 17 / 8,
            "median_absolute_error": 1, "max_error": 4, "bias": -1,
        }
    )  # fmt: skip


@given(
    st.integers(2, 30).flatmap(
        lambda rows: st.tuples(
            arrays.arrays(np.float64, rows, elements=MODERATE),
            arrays.arrays(np.float64, rows, elements=MODERATE),
        )
    )
)
def test_metrics_are_those_of_scikit_learn(pair: tuple[Vector, Vector]) -> None:
    # Seconds that only this test needs to take.
    from sklearn.metrics import (
        max_error,
        mean_absolute_error,
        mean_squared_error,
        median_absolute_error,
        r2_score,
    )

    true, predicted = pair
    values = metrics(true, predicted)
    # 1e-12, because rounding errors count as 0.
    mse, mae = mean_squared_error(true, predicted), mean_absolute_error(true, predicted)
    assert values["mse"] == pytest.approx(mse, rel=1e-9, abs=1e-12)
    assert values["rmse"] == pytest.approx(values["mse"] ** 0.5)
    assert values["mae"] == pytest.approx(mae, rel=1e-9, abs=1e-12)
    for score in (max_error, median_absolute_error):
        expected = score(true, predicted)
        assert values[score.__name__] == pytest.approx(expected, rel=1e-9, abs=1e-7)
    assert values["bias"] == pytest.approx(np.mean(predicted - true), rel=1e-9, abs=1e-7)
    if np.std(true) > 1e-3:
        assert values["r2"] == pytest.approx(r2_score(true, predicted))


def test_a_spread_too_small_to_be_squared_has_no_r2() -> None:
    assert "r2" not in metrics(vector(0, 1e-200), vector(0, 0))


def test_exact_predictions_have_no_error() -> None:
    values = metrics(vector(1, 2), vector(1, 2))
    assert values.pop("r2") == 1
    assert set(values.values()) == {0}


def test_predicting_the_mean_has_an_r2_of_zero() -> None:
    assert metrics(vector(1, 3), vector(2, 2))["r2"] == pytest.approx(0)


@pytest.mark.parametrize("true", [vector(4), vector(4, 4, 4)], ids=["one row", "equal rows"])
def test_without_rows_that_differ_there_is_no_r2(true: Vector) -> None:
    expected = {"mse": 4, "rmse": 2, "mae": 2, "median_absolute_error": 2, "max_error": 2}
    assert metrics(true, true + 2) == expected | {"bias": 2}


def test_rounding_errors_count_as_zero() -> None:
    true = vector(1, 2, 3)
    assert metrics(true, true + 1e-12)["mse"] == 0
    assert metrics(true, true + 1e-6)["mse"] > 0


@pytest.mark.parametrize(
    ("true", "predicted"),
    [
        (np.zeros(3), np.zeros((3, 1))),
        (np.zeros((3, 1)), np.zeros((3, 1))),
        (np.zeros(3), np.zeros(4)),
    ],
)
def test_other_shapes_than_rows_are_refused(true: Vector, predicted: Vector) -> None:
    with pytest.raises(ValueError, match=r"are not both \(rows,\)$"):
        metrics(true, predicted)


@pytest.mark.parametrize("rows", [20, 60])
def test_an_interval_contains_the_error_of_all_rows_in_95_of_100_samples(
    rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resampling, "RESAMPLES", 200)
    random, inside = np.random.default_rng(3), {"rmse": 0, "mae": 0}
    expected = {"rmse": 5.0, "mae": 5 * np.sqrt(2 / np.pi)}
    for _ in range(300):
        ends = error_intervals(np.zeros(rows), 5 * random.normal(size=rows))
        for name, value in expected.items():
            inside[name] += ends[f"{name}_low"] <= value <= ends[f"{name}_high"]
    # The binomial distribution has a standard deviation of 0.013.
    assert all(0.91 <= count / 300 <= 0.99 for count in inside.values())


def test_an_interval_is_about_that_of_scipy() -> None:
    from scipy.stats import bootstrap  # a second that only this test needs to take

    residuals = np.random.default_rng(3).laplace(size=400)
    ends = error_intervals(np.zeros(400), residuals)
    for name, values, power in (("rmse", residuals**2, 0.5), ("mae", np.abs(residuals), 1)):
        expected = bootstrap((values,), np.mean, rng=0).confidence_interval
        assert ends[f"{name}_low"] == pytest.approx(expected.low**power, rel=0.02)
        assert ends[f"{name}_high"] == pytest.approx(expected.high**power, rel=0.02)


def test_the_standard_error_of_rmse_is_that_of_samples() -> None:
    random = np.random.default_rng(3)
    samples = 5 * random.normal(size=(400, 50))
    spread = np.sqrt((samples**2).mean(axis=1)).std()
    errors = [error_intervals(np.zeros(50), one)["rmse_standard_error"] for one in samples[:20]]
    assert np.mean(errors) == pytest.approx(spread, rel=0.1)


def test_rows_of_one_group_count_as_one_observation() -> None:
    # Each row is there 10 times.
    residuals = np.repeat(np.random.default_rng(3).normal(size=100), 10)
    groups = np.repeat(np.array([f"group {i}" for i in range(100)]), 10)
    true = np.zeros(1000)
    once, by_group = (
        error_intervals(true[:100], residuals[::10]),
        error_intervals(true, residuals, groups),
    )
    assert by_group == pytest.approx(once, rel=0.05)
    by_row = error_intervals(true, residuals)
    width = {
        name: one["rmse_high"] - one["rmse_low"]
        for name, one in (("group", by_group), ("row", by_row))
    }
    assert width["group"] > 2.5 * width["row"]


def test_few_rows_or_groups_and_errors_of_0_have_no_interval() -> None:
    true, residuals = np.zeros(40), np.random.default_rng(3).normal(size=40)
    for rows in range(1, MIN_UNITS):
        assert error_intervals(true[:rows], residuals[:rows]) == {}
    ends = {"rmse_low", "rmse_high", "mae_low", "mae_high"}
    assert set(error_intervals(true, residuals)) == {"rmse_standard_error", *ends}
    assert error_intervals(true, residuals, np.arange(40) % (MIN_UNITS - 1)) == {}
    assert error_intervals(true, true) == {}
    assert error_intervals(true, np.full(40, np.inf)) == {}
