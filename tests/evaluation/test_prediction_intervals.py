"""As many new rows as asked for are within their prediction interval."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.evaluation.metrics import Vector
from pipeline.evaluation.prediction_intervals import Intervals, calibrate, find, model_hash
from pipeline.runtime.errors import UserError
from pipeline.runtime.paths import INTERVALS

NEW = 200


def rows(random: np.random.Generator, count: int, *, noisier: bool) -> tuple[Vector, Vector]:
    """True and predicted values; noisier where predictions are larger, or the same everywhere."""
    predicted = random.uniform(1, 10, count)
    noise = random.standard_t(4, count)
    return predicted + (0.2 * predicted if noisier else 1) * noise, predicted


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9])
@pytest.mark.parametrize("count", [30, 300])
@pytest.mark.parametrize("noisier", [False, True])
def test_new_rows_are_within_their_interval_as_often_as_asked_for(
    coverage: float, count: int, *, noisier: bool
) -> None:
    random, inside, samples = np.random.default_rng(1), 0.0, 200
    for _ in range(samples):
        intervals = calibrate(
            *rows(random, count, noisier=noisier), coverage=coverage, log=False, model=""
        )
        assert intervals is not None
        true, predicted = rows(random, NEW, noisier=noisier)
        lower, upper = intervals.ends(predicted)
        inside += ((lower <= true) & (true <= upper)).mean() / samples
    # The quantile of so few rows, and the new rows, differ from sample to sample.
    deviation = np.sqrt(coverage * (1 - coverage) * (1 / count + 1 / NEW) / samples)
    # The scale is estimated from the same rows, so that a little less than asked for is covered.
    assert coverage - 4 * deviation - 0.02 <= inside <= coverage + 4 * deviation + 1 / (count + 1)


def test_intervals_are_wider_where_errors_are_larger_and_narrower_for_it() -> None:
    random = np.random.default_rng(2)
    true, predicted = rows(random, 2000, noisier=True)
    intervals = calibrate(true, predicted, coverage=0.9, log=False, model="")
    assert intervals is not None
    lower, upper = intervals.ends(np.array([1.5, 9.0]))
    assert 4 < (upper - lower)[1] / (upper - lower)[0] < 8
    same = 2 * np.quantile(np.abs(true - predicted), 0.9)
    mean = np.subtract(*intervals.ends(predicted)[::-1]).mean()
    assert mean < 0.95 * same


def test_intervals_of_a_logarithm_are_factors() -> None:
    random = np.random.default_rng(3)
    predicted = np.exp(random.normal(size=500))
    true = predicted * np.exp(0.3 * random.normal(size=500))
    intervals = calibrate(true, predicted, coverage=0.8, log=True, model="")
    assert intervals is not None
    lower, upper = intervals.ends(predicted)
    assert (lower > 0).all()
    np.testing.assert_allclose(lower * upper, predicted**2)
    assert ((lower <= true) & (true <= upper)).mean() == pytest.approx(0.8, abs=0.01)


def test_too_few_rows_have_no_intervals() -> None:
    true, predicted = rows(np.random.default_rng(4), 9, noisier=False)
    assert calibrate(true, predicted, coverage=0.9, log=False, model="") is not None
    assert calibrate(true[:8], predicted[:8], coverage=0.9, log=False, model="") is None
    assert calibrate(true[:0], predicted[:0], coverage=0.5, log=False, model="") is None


def test_exact_predictions_have_intervals_without_width() -> None:
    exact = np.arange(40.0)
    intervals = calibrate(exact, exact, coverage=0.9, log=False, model="")
    assert intervals is not None
    np.testing.assert_array_equal(intervals.ends(exact), [exact, exact])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model").mkdir()
    (tmp_path / "evaluation").mkdir()
    (tmp_path / "model/model.keras").write_bytes(b"a model")
    return tmp_path


def test_intervals_are_found_in_the_folder_of_a_model_or_beside_it(folder: Path) -> None:
    assert find(folder / "model", "model.keras") is None
    model = model_hash(folder / "model/model.keras")
    intervals = Intervals(0.9, 20, 1.5, log=False, predictions=[1.0], scales=[2.0], model=model)
    intervals.write(folder / "evaluation")
    assert find(folder / "model", "model.keras") == intervals
    inside = replace(intervals, coverage=0.5)
    inside.write(folder / "model")
    assert find(folder / "model", "model.keras") == inside


def test_intervals_of_another_model_are_not_used(folder: Path) -> None:
    Intervals(0.9, 20, 1.5, log=False, predictions=[1.0], scales=[2.0], model="another").write(
        folder / "evaluation"
    )
    assert find(folder / "model", "model.keras") is None


def test_damaged_intervals_are_named(folder: Path) -> None:
    (folder / "evaluation" / INTERVALS).write_text("{}", "utf-8")
    with pytest.raises(UserError, match=r"intervals\.json: "):
        find(folder / "model", "model.keras")
