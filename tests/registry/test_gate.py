"""A model passes its thresholds, or what it fails is said with by how much."""

import math

import pytest

from pipeline.evaluation.paired import Improvement
from pipeline.registry.gate import Gate, flat_metrics
from pipeline.runtime.errors import UserError

NONE: dict[str, dict[str, float]] = {"max": {}, "min": {}, "improvement_over": {}}
METRICS = {"test_rmse": 2.5, "test_r2": 0.75}


def failures(
    improvements: dict[str, Improvement] | None = None,
    metrics: dict[str, float] = METRICS,
    **thresholds: dict[str, float],
) -> list[str]:
    gate = Gate(**(NONE | thresholds))
    gate.check_names(metrics)
    compared = {name: ("test", one) for name, one in (improvements or {}).items()}
    return list(gate.failures(metrics, compared))


def test_without_thresholds_every_model_passes() -> None:
    assert failures() == []


def test_a_limit_may_be_reached() -> None:
    assert failures(max={"test_rmse": 2.5}, min={"test_r2": 0.75}) == []


def test_each_limit_that_is_passed_is_named_with_by_how_much() -> None:
    assert failures(max={"test_rmse": 2.2, "test_r2": 1}, min={"test_r2": 0.8}) == [
        "test_rmse is 2.5, 0.3 above registry.max.test_rmse=2.2",
        "test_r2 is 0.75, 0.05 below registry.min.test_r2=0.8",
    ]


def test_a_metric_that_is_no_number_passes_no_limit() -> None:
    (line,) = failures(metrics={"test_rmse": math.nan}, max={"test_rmse": 100})
    assert line.startswith("test_rmse is nan, ")


@pytest.mark.parametrize("threshold", [-0.05, 0.0, 0.0999])
def test_an_improvement_passes_with_the_lower_end_of_its_interval(threshold: float) -> None:
    assert (
        failures({"ridge": Improvement(0.2, 0.1, 0.3)}, improvement_over={"ridge": threshold}) == []
    )


def test_an_improvement_that_may_be_chance_is_none() -> None:
    (line,) = failures({"ridge": Improvement(0.1, -0.02, 0.2)}, improvement_over={"ridge": 0})
    assert line == (
        "test: no better than ridge regression (-2.0 to 20.0 %); the lower end has to be 2"
        " percentage points higher, above registry.improvement_over.ridge=0"
    )


def test_an_improvement_that_is_beyond_chance_may_still_be_too_small() -> None:
    one = Improvement(0.1, 0.01, 0.2)
    (line,) = failures({"champion": one}, improvement_over={"champion": 0.05})
    assert line == (
        "test: better than the champion by 10.0 % (1.0 to 20.0 %); the lower end has to be 4"
        " percentage points higher, above registry.improvement_over.champion=0.05"
    )


@pytest.mark.parametrize("estimate", [0.0, -math.inf])
def test_the_same_errors_and_much_larger_ones_are_no_improvement(estimate: float) -> None:
    one = Improvement(estimate, estimate, estimate)
    assert len(failures({"champion": one}, improvement_over={"champion": 0})) == 1


@pytest.mark.parametrize("key", ["max", "min"])
def test_an_unknown_metric_is_named_with_those_that_there_are(key: str) -> None:
    with pytest.raises(UserError) as caught:
        Gate(**(NONE | {key: {"test_rsme": 3.0}})).check_names(METRICS)
    assert str(caught.value) == (
        f"registry.{key}: data/metrics.json has no metric 'test_rsme'; it has test_rmse, test_r2"
    )


def test_an_unknown_baseline_is_named_with_those_that_there_are() -> None:
    with pytest.raises(UserError) as caught:
        failures(improvement_over={"lasso": 0})
    assert str(caught.value) == (
        "registry.improvement_over: 'lasso' is neither champion nor a baseline, which are mean,"
        " least_squares, ridge, gradient_boosting"
    )


def test_metrics_are_named_by_part() -> None:
    assert flat_metrics({"test": {"rmse": 2.0}, "in_sample": {"r2": 1.0}}) == {
        "test_rmse": 2.0,
        "in_sample_r2": 1.0,
    }
