"""Codes for missing values among numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.preparation.missing_codes import Codes, find_codes

RNG = np.random.default_rng(0)
ROWS = 200
TEMPERATURE = RNG.uniform(-5, 38, ROWS).round(1)
AGE = RNG.integers(18, 91, ROWS) * 1.0
SALES = RNG.lognormal(6, 1, ROWS).round() + 300
ANSWERS = RNG.integers(1, 6, ROWS) * 1.0
YEAR = RNG.integers(1950, 2016, ROWS) * 1.0


def with_values(others: np.ndarray, **counts: int) -> np.ndarray:
    """The others, of which the first are replaced: v_999=3 by three times -999."""
    codes = [float(text[1:].replace("_", "-")) for text in counts]
    changed = others.copy()
    changed[: sum(counts.values())] = np.repeat(codes, list(counts.values()))
    return changed


@pytest.mark.parametrize(
    ("others", "counts"),
    [
        (TEMPERATURE, {"v_999": 2}),
        (TEMPERATURE, {"v_200": 20}),
        (TEMPERATURE, {"v_9999": 190}),
        (TEMPERATURE, {"v9999": 5}),
        (TEMPERATURE, {"v999.9": 5}),
        (TEMPERATURE, {"v1e20": 5}),
        (TEMPERATURE, {"v_99": 4, "v_999": 2}),
        (TEMPERATURE, {"v_999": 4, "v999": 2}),
        (AGE, {"v_1": 5}),
        (AGE, {"v_9": 5}),
        (AGE, {"v999": 2}),
        (SALES, {"v_200": 20}),
        (SALES, {"v_99": 3}),
        (ANSWERS, {"v99": 5}),
        (np.repeat([0.0, 5.0, 100.0, 1000.0], 50), {"v_99": 2}),
        (SALES - 290, {"v_99": 2}),
        (ANSWERS, {"v98": 3, "v99": 5}),
        (YEAR, {"v0": 90}),
        (YEAR, {"v9999": 2}),
        (100 + AGE, {"v_1": 5}),
        (AGE / 100, {"v30": 5}),
    ],
)
def test_a_repeated_value_far_from_all_others_is_a_code(
    others: np.ndarray, counts: dict[str, int]
) -> None:
    codes = find_codes(with_values(others, **counts))
    assert codes is not None
    expected = {float(text[1:].replace("_", "-")): count for text, count in counts.items()}
    rest = others[sum(counts.values()) :]
    assert codes == Codes(expected, rest.min(), rest.max())


@pytest.mark.parametrize(
    "values",
    [
        TEMPERATURE,
        with_values(TEMPERATURE, v_999=1),
        with_values(TEMPERATURE, v500=1),
        with_values(TEMPERATURE, v_9=5),
        with_values(TEMPERATURE, v_1=50),
        with_values(AGE, v0=5),
        with_values(RNG.normal(100, 3, ROWS), v0=60),
        with_values(RNG.uniform(480, 738, ROWS), v0=190),
        with_values(TEMPERATURE - 1000, v_9999=1),
        with_values(ANSWERS, v9=5),
        with_values(ANSWERS, v_1=5),
        with_values(ANSWERS, v20=9),
        SALES,
        np.minimum(SALES, 2000),
        RNG.poisson(0.3, ROWS) * 1.0,
        RNG.normal(size=ROWS).clip(-1, 1),
        np.ceil(RNG.lognormal(1, 2, ROWS)),
        np.repeat([1.0, 10.0, 100.0, 1000.0], 50),
        np.repeat([1.0, 999.0], 50),
        np.repeat([*np.arange(49, 500, 50.0), 999.0], 5),
        np.repeat([*np.arange(0.99, 30), 99.99], 5),
        np.repeat([0.0, 1.0], 50),
        np.full(50, -999.0),
        np.full(50, np.nan),
        np.empty(0),
    ],
)
def test_a_measurement_is_no_code(values: np.ndarray) -> None:
    assert find_codes(values) is None


@given(st.permutations(range(30)), st.floats(-1e3, 1e3), st.floats(0.1, 50))
def test_neither_order_nor_gaps_matter(order: list[int], shift: float, scale: float) -> None:
    others = np.linspace(shift, shift + scale, 24)
    values = np.array([*others, *[-99999.0] * 4, np.nan, np.nan])[order]
    assert find_codes(values) == Codes({-99999.0: 4}, others[0], others[-1])
