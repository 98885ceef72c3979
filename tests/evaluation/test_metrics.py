"""Metrics are those of scikit-learn, except that rounding errors count as 0."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pipeline.evaluation.metrics import Vector, metrics, rmse_standard_error

# Whether there are subnormal numbers at all depends on the libraries that are loaded.
MODERATE = st.floats(-100, 100, allow_subnormal=False)


def vector(*values: float) -> Vector:
    return np.array(values, dtype=np.float64)


def test_metrics_of_three_rows_by_hand() -> None:
    # Residuals -1, 0 and 4; around their mean 3 the true values have 4 + 0 + 4.
    assert metrics(vector(1, 3, 5), vector(2, 3, 1)) == pytest.approx(
        {"mse": 17 / 3, "rmse": (17 / 3) ** 0.5, "mae": 5 / 3, "r2": 1 - 17 / 8}
    )


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
    from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score

    true, predicted = pair
    values = metrics(true, predicted)
    # 1e-12, because rounding errors count as 0.
    mse, mae = mean_squared_error(true, predicted), mean_absolute_error(true, predicted)
    assert values["mse"] == pytest.approx(mse, rel=1e-9, abs=1e-12)
    assert values["rmse"] == pytest.approx(values["mse"] ** 0.5)
    assert values["mae"] == pytest.approx(mae, rel=1e-9, abs=1e-12)
    if np.std(true) > 1e-3:
        assert values["r2"] == pytest.approx(r2_score(true, predicted))


def test_a_spread_too_small_to_be_squared_has_no_r2() -> None:
    assert "r2" not in metrics(vector(0, 1e-200), vector(0, 0))


def test_exact_predictions_have_no_error() -> None:
    assert metrics(vector(1, 2), vector(1, 2)) == {"mse": 0, "rmse": 0, "mae": 0, "r2": 1}


def test_predicting_the_mean_has_an_r2_of_zero() -> None:
    assert metrics(vector(1, 3), vector(2, 2))["r2"] == pytest.approx(0)


@pytest.mark.parametrize("true", [vector(4), vector(4, 4, 4)], ids=["one row", "equal rows"])
def test_without_rows_that_differ_there_is_no_r2(true: Vector) -> None:
    assert metrics(true, true + 2) == {"mse": 4, "rmse": 2, "mae": 2}


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


def test_the_standard_error_of_the_rmse_is_its_spread_over_samples_of_rows() -> None:
    random = np.random.default_rng(3)
    true = np.zeros(300)
    samples = random.standard_t(8, (3000, 300)) * 5
    spread = np.std([metrics(true, sample)["rmse"] for sample in samples])
    errors = [rmse_standard_error(true, sample) for sample in samples]
    assert np.mean(errors) == pytest.approx(spread, rel=0.05)
    assert rmse_standard_error(true, true) == 0
