"""What a tracked run says about a curve."""

import math

import pandas as pd
import pytest

from pipeline.runs import curve_metrics


def history(
    loss: list[float], validation: list[float] | None = None, *, kept: int | None = None
) -> pd.DataFrame:
    """fit's table; an MAE is a tenth of the loss beside it."""
    losses = pd.Series(loss)
    validations = pd.Series(validation or [math.nan] * len(loss))
    epochs = pd.Series(range(1, len(loss) + 1))
    return pd.DataFrame(
        {
            "epoch": epochs,
            "loss": losses,
            "mae": losses / 10,
            "validation_loss": validations,
            "validation_mae": validations / 10,
            "learning_rate": 0.01,
            "kept": epochs == (kept or len(loss)),
        }
    )


def test_without_validation_the_best_epoch_has_the_least_training_loss() -> None:
    metrics = curve_metrics(history([5.0, 1.0, 2.0, 3.0]))
    assert metrics == {
        "final_loss": 3.0,
        "final_mae": pytest.approx(0.3),
        "best_loss": 1.0,
        "best_mae": pytest.approx(0.1),
        "best_epoch": 2.0,
        "epochs": 4.0,
        "model_epoch": 4.0,
    }


def test_with_validation_the_best_epoch_has_the_least_validation_loss() -> None:
    metrics = curve_metrics(history([5.0, 4.0, 3.0, 2.0], [9.0, 8.0, 6.0, 7.0]))
    assert metrics == {
        "final_loss": 2.0,
        "final_mae": pytest.approx(0.2),
        "final_validation_loss": 7.0,
        "final_validation_mae": pytest.approx(0.7),
        "best_loss": 3.0,
        "best_mae": pytest.approx(0.3),
        "best_validation_loss": 6.0,
        "best_validation_mae": pytest.approx(0.6),
        "best_epoch": 3.0,
        "epochs": 4.0,
        "model_epoch": 4.0,
    }


def test_the_model_s_epoch_is_the_one_that_was_kept() -> None:
    # min_delta can keep an epoch that is not quite the best.
    metrics = curve_metrics(history([3.0, 2.0, 1.9], [3.0, 2.0, 1.9], kept=2))
    assert (metrics["model_epoch"], metrics["best_epoch"], metrics["epochs"]) == (2.0, 3.0, 3.0)


def test_of_equal_epochs_the_first_is_the_best() -> None:
    assert curve_metrics(history([2.0, 1.0, 1.0]))["best_epoch"] == 2.0


def test_a_single_epoch_is_the_last_and_the_best() -> None:
    metrics = curve_metrics(history([2.0], [3.0]))
    assert metrics["final_validation_loss"] == metrics["best_validation_loss"] == 3.0
    assert metrics["model_epoch"] == metrics["best_epoch"] == metrics["epochs"] == 1.0


def test_metrics_are_plain_numbers() -> None:
    assert {type(value) for value in curve_metrics(history([2.0], [3.0])).values()} == {float}


def test_a_missing_loss_is_never_the_best() -> None:
    metrics = curve_metrics(history([5.0, 4.0, 3.0], [2.0, math.nan, 1.0]))
    assert metrics["best_epoch"] == 3.0
