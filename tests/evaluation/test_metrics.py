"""Metrics, the least-squares line, and the tables of an evaluation."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score

from pipeline.evaluation.evaluation import name_parts, prediction_table
from pipeline.evaluation.linear import LeastSquares, Line, coefficient_table
from pipeline.evaluation.metrics import Vector, metrics

MODERATE = st.floats(-100, 100)
X = np.array([[1.0, 0.0], [2.0, 5.0], [3.0, 1.0], [5.0, 2.0]])
EXACT = Line(np.array([2.0, -1.0]), 3.0)


def least_squares(blocks: Iterable[tuple[Vector, Vector]]) -> Line:
    """The line of all blocks, whose error has to be that of its predictions."""
    listed, fit = list(blocks), LeastSquares()
    for x, y in listed:
        fit.add(x, y)
    line, rmse = fit.solve()
    residual = np.concatenate([y - line.predict(x) for x, y in listed])
    scale = 1 + max(float(np.abs(y).max()) for _, y in listed)
    assert rmse == pytest.approx(np.sqrt(np.mean(residual**2)), rel=1e-6, abs=1e-9 * scale)
    return line


def vector(*values: float) -> Vector:
    return np.array(values, dtype=np.float64)


# Metrics


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
    true, predicted = pair
    values = metrics(true, predicted)
    # 1e-12: errors that are rounding noise beside the target count as none.
    mse, mae = mean_squared_error(true, predicted), mean_absolute_error(true, predicted)
    assert values["mse"] == pytest.approx(mse, rel=1e-9, abs=1e-12)
    assert values["rmse"] == pytest.approx(values["mse"] ** 0.5)
    assert values["mae"] == pytest.approx(mae, rel=1e-9, abs=1e-12)
    if np.std(true) > 1e-3:
        assert values["r2"] == pytest.approx(r2_score(true, predicted))


def test_a_spread_too_small_to_be_squared_has_no_r2() -> None:
    assert "r2" not in metrics(vector(0, 1e-200), vector(0, 0))


def test_predictions_without_an_error_are_perfect() -> None:
    assert metrics(vector(1, 2), vector(1, 2)) == {"mse": 0, "rmse": 0, "mae": 0, "r2": 1}


def test_the_mean_as_the_prediction_explains_nothing() -> None:
    assert metrics(vector(1, 3), vector(2, 2))["r2"] == pytest.approx(0)


@pytest.mark.parametrize("true", [vector(4), vector(4, 4, 4)], ids=["one row", "equal rows"])
def test_without_rows_that_differ_there_is_no_r2(true: Vector) -> None:
    assert metrics(true, true + 2) == {"mse": 4, "rmse": 2, "mae": 2}


def test_rounding_noise_is_no_error() -> None:
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


# The least-squares line


def test_least_squares_recovers_an_exact_line() -> None:
    line = least_squares([(X, EXACT.predict(X))])
    assert line.kernel == pytest.approx(EXACT.kernel)
    assert line.bias == pytest.approx(EXACT.bias)


def test_least_squares_takes_the_shortest_kernel_of_equal_lines() -> None:
    x = vector(1, 2, 3)
    line = least_squares([(np.column_stack([x, x]), 4 * x + 1)])
    assert line.kernel == pytest.approx([2, 2])
    assert line.bias == pytest.approx(1)


def test_least_squares_of_fewer_rows_than_features_goes_through_them() -> None:
    y = vector(7, -2)
    assert least_squares([(X[:2], y)]).predict(X[:2]) == pytest.approx(y)


def test_least_squares_of_one_row_is_its_target() -> None:
    assert least_squares([(X[:1], vector(7))]).predict(X) == pytest.approx([7] * 4)


@given(
    table=st.integers(1, 40).flatmap(
        lambda rows: arrays.arrays(np.float64, (rows, 4), elements=MODERATE)
    ),
    size=st.integers(1, 12),
)
def test_least_squares_of_blocks_is_that_of_all_rows(table: Vector, size: int) -> None:
    # A column that is another's twin, as categories are of each other.
    x, y = np.column_stack([table[:, :3], 1 - table[:, 0]]), table[:, 3]
    cuts = range(0, len(y), size)
    line = least_squares((x[at : at + size], y[at : at + size]) for at in cuts)
    # Without the columns that hardly vary, of which either may count as none.
    centred = x - x.mean(axis=0)
    singular = np.linalg.svd(centred, compute_uv=False)
    if (singular < 1e-6 * max(1, singular[0]))[:3].any():
        return
    kernel = np.linalg.lstsq(centred, y - y.mean(), rcond=1e-9)[0]
    np.testing.assert_allclose(line.kernel, kernel, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(line.predict(x), y.mean() + centred @ kernel, atol=1e-6)


@given(
    y=arrays.arrays(np.float64, len(X), elements=MODERATE),
    kernel=arrays.arrays(np.float64, 2, elements=MODERATE),
    bias=MODERATE,
)
def test_no_other_line_is_better_than_the_least_squares_one(
    y: Vector, kernel: Vector, bias: float
) -> None:
    best = np.mean((y - least_squares([(X, y)]).predict(X)) ** 2)
    other = np.mean((y - Line(kernel, bias).predict(X)) ** 2)
    assert best <= other + 1e-9


# Parts


def part_of(rows: int, error: float = 0.0) -> pd.DataFrame:
    true = EXACT.predict(X[:rows])
    return pd.DataFrame({"true": true, "predicted": true + error})


def test_a_training_part_alone_is_called_in_sample() -> None:
    parts = {"train": part_of(4), "validation": part_of(0), "test": part_of(0)}
    assert list(name_parts(parts)) == ["in_sample"]


@pytest.mark.parametrize("aside", ["validation", "test"])
def test_beside_a_part_set_aside_the_training_part_keeps_its_name(aside: str) -> None:
    parts = {"train": part_of(4), "validation": part_of(0), "test": part_of(0)} | {
        aside: part_of(2)
    }
    assert list(name_parts(parts)) == ["train", aside]


# Tables


def test_predictions_are_listed_by_their_row_in_the_raw_table() -> None:
    answers = pd.DataFrame({"predicted": [1.5, 1], "true": [1, 2.0]}, index=[0, 4])
    table = prediction_table("test", answers)
    assert table.to_dict("list") == {
        "part": ["test", "test"],
        "row": [1, 5],
        "true": [1.0, 2.0],
        "predicted": [1.5, 1.0],
        "residual": [-0.5, 1.0],
    }


def test_coefficients_stand_beside_the_optimum() -> None:
    table = coefficient_table(["a", "b"], Line(vector(1, 2), 3.0), Line(vector(1, 5), 2.5))
    assert table.to_dict("list") == {
        "weight": ["kernel of a", "kernel of b", "bias"],
        "network": [1.0, 2.0, 3.0],
        "least_squares": [1.0, 5.0, 2.5],
        "difference": [0.0, -3.0, 0.5],
    }
