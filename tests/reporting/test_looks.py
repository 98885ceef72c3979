"""What choosing among results on one test part costs."""

import math

import numpy as np
import pytest

from pipeline.reporting.looks import Looks


@pytest.mark.parametrize("count", [2, 3, 10, 50])
def test_the_bias_is_that_of_the_lowest_of_equally_good_results(count: int) -> None:
    drawn = 5 + 0.1 * np.random.default_rng(0).normal(size=(4000, count))
    lowest = float((5 - drawn.min(axis=1)).mean())
    estimates = [Looks(list(one), 1, "s").selection_bias(math.inf) or 0 for one in drawn[:2000]]
    # The deviation of two numbers is a fifth lower than the standard deviation, on average.
    assert np.mean(estimates) == pytest.approx(lowest, rel=0.2 if count == 2 else 0.12)


def test_differences_beyond_the_standard_error_are_real() -> None:
    far = Looks([2.0, 9.0, 40.0], 1, "s")
    assert far.selection_bias(0.1) == pytest.approx(0.1 * 0.846, rel=0.05)  # Teichroew's table


def test_a_single_result_was_chosen_among_none() -> None:
    assert Looks([2.0], 1, "s").selection_bias(0.1) is None


def test_errors_that_are_not_known_are_counted_all_the_same() -> None:
    looks = Looks([math.nan, 2.0], 2, "s")
    assert looks.is_lowest
    assert looks.selection_bias(0.1) == pytest.approx(0.1 * 0.564, rel=0.05)


@pytest.mark.parametrize(("number", "lowest"), [(1, False), (2, True), (3, True)])
def test_the_lowest_error_may_be_shared(number: int, *, lowest: bool) -> None:
    assert Looks([3.0, 2.0, 2.0], number, "s").is_lowest is lowest
