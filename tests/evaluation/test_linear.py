"""Least squares block by block has the solution of NumPy, and coefficients are those of columns."""

from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pipeline.dataset.encoding import Category, Encoding, Number, Target
from pipeline.evaluation.linear import LeastSquares, Line, coefficient_table, of_columns
from pipeline.evaluation.metrics import Vector

MODERATE = st.floats(-100, 100)
X = np.array([[1.0, 0.0], [2.0, 5.0], [3.0, 1.0], [5.0, 2.0]])
EXACT = Line(np.array([2.0, -1.0]), 3.0)


def vector(*values: float) -> Vector:
    return np.array(values, dtype=np.float64)


def least_squares(blocks: Iterable[tuple[Vector, Vector]]) -> Line:
    """The line of all blocks, after checking that its error is that of its predictions."""
    listed, fit = list(blocks), LeastSquares()
    for x, y in listed:
        fit.add(x, y)
    line, rmse = fit.solve()
    residual = np.concatenate([y - line.predict(x) for x, y in listed])
    scale = 1 + max(float(np.abs(y).max()) for _, y in listed)
    assert rmse == pytest.approx(np.sqrt(np.mean(residual**2)), rel=1e-6, abs=1e-9 * scale)
    return line


def test_least_squares_recovers_an_exact_line() -> None:
    line = least_squares([(X, EXACT.predict(X))])
    assert line.kernel == pytest.approx(EXACT.kernel)
    assert line.bias == pytest.approx(EXACT.bias)


def test_least_squares_takes_the_shortest_kernel_of_equal_lines() -> None:
    x = vector(1, 2, 3)
    line = least_squares([(np.column_stack([x, x]), 4 * x + 1)])
    assert line.kernel == pytest.approx([2, 2])
    assert line.bias == pytest.approx(1)


def test_least_squares_of_fewer_rows_than_features_has_no_error() -> None:
    y = vector(7, -2)
    assert least_squares([(X[:2], y)]).predict(X[:2]) == pytest.approx(y)


def test_least_squares_of_one_row_predicts_its_target() -> None:
    assert least_squares([(X[:1], vector(7))]).predict(X) == pytest.approx([7] * 4)


@given(
    table=st.integers(1, 40).flatmap(
        lambda rows: arrays.arrays(np.float64, (rows, 4), elements=MODERATE)
    ),
    size=st.integers(1, 12),
)
def test_least_squares_of_blocks_is_that_of_all_rows(table: Vector, size: int) -> None:
    # The last column depends linearly on another one, as one-hot columns do.
    x, y = np.column_stack([table[:, :3], 1 - table[:, 0]]), table[:, 3]
    cuts = range(0, len(y), size)
    line = least_squares((x[at : at + size], y[at : at + size]) for at in cuts)
    # Not for columns that hardly vary: the cutoff may treat them as constant or not.
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
def test_no_other_line_has_a_smaller_error(y: Vector, kernel: Vector, bias: float) -> None:
    best = np.mean((y - least_squares([(X, y)]).predict(X)) ** 2)
    other = np.mean((y - Line(kernel, bias).predict(X)) ** 2)
    assert best <= other + 1e-9


def test_coefficients_are_listed_beside_those_of_least_squares() -> None:
    table = coefficient_table(["a", "b"], Line(vector(1, 2), 3.0), Line(vector(1, 5), 2.5))
    assert table.to_dict("list") == {
        "weight": ["kernel of a", "kernel of b", "bias"],
        "network": [1.0, 2.0, 3.0],
        "least_squares": [1.0, 5.0, 2.5],
        "difference": [0.0, -3.0, 0.5],
    }


@given(
    st.lists(st.tuples(MODERATE, st.floats(0.1, 1e3), st.floats(-10, 10)), min_size=1, max_size=4),
    st.floats(-10, 10),
)
def test_coefficients_of_columns_give_the_predictions_of_those_of_inputs(
    lines: list[tuple[float, float, float]], bias: float
) -> None:
    means, stds, kernel = np.array(lines).T
    numbers = {
        f"x{index}": Number(0.0, False, mean, std) for index, (mean, std, _) in enumerate(lines)
    }
    columns, shift = of_columns(kernel, bias, Encoding(numbers, {}, {}, Target("y")))
    rows = means + stds * np.random.default_rng(1).normal(size=(5, len(lines)))
    expected = (rows - means) / stds @ kernel + bias
    np.testing.assert_allclose(rows @ columns + shift, expected, rtol=1e-6, atol=1e-5)


def test_inputs_that_are_not_linear_in_their_column_keep_their_coefficients() -> None:
    encoding = Encoding(
        {
            "a": Number(2.5, True, 1.5, 0.1),
            "b": Number(0.0, False, quantiles=[0.0, 1.0], levels=[-2.0, 2.0]),
            "d": Number(0.0, False, 1.0, 2.0, smooth_clip=True),
            "e": Number(0.0, False, 1.0, 2.0, edges=[0.0, 1.0, 2.0]),
        },
        {"c": Category(["x"], other=False)},
        {},
        Target("y"),
    )
    kernel = np.arange(1.0, 9.0)
    assert encoding.names == ["a", "b", "d", "e", "e bin 1", "e bin 2", "a is missing", "c = x"]
    columns, bias = of_columns(kernel, 2.0, encoding)
    np.testing.assert_allclose(columns, [10.0, 2.0, 3.0, 2.0, 5.0, 6.0, 7.0, 8.0])
    assert bias == pytest.approx(2.0 - 15.0 - 2.0)
