"""The figures show the curves and the predictions, with labelled axes."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

from pipeline.evaluation.figures import (
    learning_curves,
    predicted_against_true,
    residuals,
    write_figures,
)

NAMES = {"learning_curves.png", "predicted_against_true.png", "residuals.png"}
HISTORY = pd.DataFrame(
    {
        "epoch": [1, 2, 3],
        "loss": [4.0, 2.0, 1.0],
        "mae": [2.0, 1.5, 1.0],
        "validation_loss": [np.nan] * 3,
        "validation_mae": [np.nan] * 3,
    }
)
VALIDATED = HISTORY.assign(validation_loss=[5.0, 4.0, 3.0], validation_mae=[2.5, 2.0, 1.5])
PREDICTIONS = pd.DataFrame(
    {
        "part": "in_sample",
        "row": [1, 2, 3],
        "true": [1.0, 2.0, 3.0],
        "predicted": [1.5, 2.0, 2.0],
        "residual": [-0.5, 0.0, 1.0],
    }
)
PARTS = PREDICTIONS.assign(part=["train", "validation", "test"])


def lines(axis: Axes) -> dict[Any, list[list[float]]]:
    """The points of each line by its label."""
    return {line.get_label(): np.asarray(line.get_xydata()).tolist() for line in axis.lines}


def points(axis: Axes) -> dict[Any, list[list[float]]]:
    """The points of each scatter plot by its label."""
    return {dots.get_label(): np.asarray(dots.get_offsets()).tolist() for dots in axis.collections}


def test_learning_curves_have_loss_and_mae_by_epoch() -> None:
    left, right = learning_curves(HISTORY, "price", "huber").axes
    assert lines(left) == {"train": [[1, 4], [2, 2], [3, 1]]}
    assert lines(right) == {"train": [[1, 2], [2, 1.5], [3, 1]]}
    assert (left.get_ylabel(), left.get_xlabel()) == ("loss (huber)", "epoch")
    assert right.get_ylabel() == "mean absolute error, in units of price"


def test_learning_curves_of_a_validation_part_are_beside_those_of_training() -> None:
    left, right = learning_curves(VALIDATED, "y", "mse").axes
    assert lines(left)["validation"] == [[1, 5], [2, 4], [3, 3]]
    assert lines(right)["validation"] == [[1, 2.5], [2, 2], [3, 1.5]]
    assert lines(left)["train"] == [[1, 4], [2, 2], [3, 1]]


def test_the_curves_of_each_fold_are_beside_their_mean() -> None:
    each = pd.concat([VALIDATED.assign(fold=1), VALIDATED.assign(fold=2, mae=3.0)])
    _, right = learning_curves(VALIDATED, "y", "mse", each).axes
    drawn = [np.asarray(line.get_xydata()).tolist() for line in right.lines]
    assert len(drawn) == 2 * 2 + 2
    assert [[1, 3], [2, 3], [3, 3]] in drawn
    assert drawn.count([[1, 2.5], [2, 2], [3, 1.5]]) == 3
    (legend,) = [right.get_legend()]
    assert legend is not None
    assert [text.get_text() for text in legend.texts] == ["train", "validation"]


@pytest.mark.parametrize(("loss", "scale"), [(1.0, "log"), (0.0, "linear")])
def test_losses_are_on_a_logarithmic_scale_if_none_is_zero(loss: float, scale: str) -> None:
    left, _ = learning_curves(HISTORY.assign(loss=loss), "y", "mse").axes
    assert left.get_yscale() == scale


def test_predictions_are_drawn_against_true_values_by_part() -> None:
    (axis,) = predicted_against_true(PARTS, "price").axes
    assert points(axis) == {"train": [[1, 1.5]], "validation": [[2, 2]], "test": [[3, 2]]}
    assert lines(axis) == {"predicted = true": [[1, 1], [3, 3]]}
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("true price", "predicted price")


def test_residuals_are_drawn_by_prediction_and_part() -> None:
    (axis,) = residuals(PARTS, "price").axes
    assert points(axis) == {"train": [[1.5, -0.5]], "validation": [[2, 0]], "test": [[2, 1]]}
    assert axis.get_xlabel() == "predicted price"
    assert axis.get_ylabel() == "residual (true - predicted)"


@pytest.mark.parametrize("draw", [predicted_against_true, residuals])
def test_the_legend_has_every_part(draw: Any) -> None:
    held_out = PARTS.assign(part=["cv", "cv", "test"])
    for table, names in (
        (PARTS, {"train", "validation", "test"}),
        (PREDICTIONS, {"in-sample"}),
        (held_out, {"cv", "test"}),
    ):
        (legend,) = draw(table, "y").legends
        assert {text.get_text() for text in legend.texts} - {"predicted = true"} == names


def test_the_same_run_is_written_as_the_same_bytes(tmp_path: Path) -> None:
    contents = []
    for name in ("first", "again"):
        folder = tmp_path / name
        folder.mkdir()
        write_figures(VALIDATED, PARTS, "Größe in cm", "mse", folder)
        contents.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert contents[0] == contents[1]
    assert set(contents[0]) == NAMES


@pytest.mark.parametrize("target", ["a $^$ b", "$x$", "1 $", r"\alpha_1"])
def test_a_name_that_looks_like_a_formula_can_be_drawn(target: str, tmp_path: Path) -> None:
    write_figures(HISTORY.head(1), PREDICTIONS.head(1), target, "mse", tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == NAMES
