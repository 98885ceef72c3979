"""The figures show curves, predictions and what they depend on, with labelled axes."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

from pipeline.evaluation.figures import (
    learning_curves,
    partial_dependence,
    permutation_importance,
    predicted_against_true,
    residuals,
    write_explanation,
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
IMPORTANCE = pd.DataFrame(
    {"column": ["b", "a"], "rmse_increase": [3.0, 0.5], "lower": [2, -0.5], "upper": [4, 1.5]}
)
DEPENDENCE = pd.DataFrame(
    [
        ("area", "1", 10.0, 0.5),
        ("area", "2.5", 20.0, 0.3),
        ("area", "(missing)", 12.0, 0.2),
        ("sold", "2023-01-01", 10.0, 0.5),
        ("sold", "2024-01-02", 15.0, 0.5),
        ("town", "Bonn", 10.0, 0.9),
        ("town", "(other)", 30.0, 0.1),
    ],
    columns=["column", "value", "predicted", "share"],
)


def lines(axis: Axes) -> dict[Any, list[list[float]]]:
    """The points of each line by its label."""
    return {line.get_label(): np.asarray(line.get_xydata()).tolist() for line in axis.lines}


def points(axis: Axes) -> list[list[float]]:
    """The points of the scatter plot."""
    (dots,) = axis.collections
    found: list[list[float]] = np.asarray(dots.get_offsets()).tolist()
    return found


def test_learning_curves_have_loss_and_mae_by_epoch() -> None:
    left, right = learning_curves(HISTORY, "price", "huber").axes
    assert lines(left) == {"train": [[1, 4], [2, 2], [3, 1]]}
    assert lines(right) == {"train": [[1, 2], [2, 1.5], [3, 1]]}
    assert (left.get_ylabel(), left.get_xlabel()) == ("loss (huber)", "epoch")
    assert right.get_ylabel() == "MAE, in units of price"


def test_learning_curves_of_a_validation_part_are_beside_those_of_training() -> None:
    left, right = learning_curves(VALIDATED, "y", "mse").axes
    assert lines(left)["validation"] == [[1, 5], [2, 4], [3, 3]]
    assert lines(right)["validation"] == [[1, 2.5], [2, 2], [3, 1.5]]
    assert lines(left)["train"] == [[1, 4], [2, 2], [3, 1]]


def test_the_curves_of_each_fold_are_beside_their_mean() -> None:
    each = pd.concat([VALIDATED.assign(fold=1), VALIDATED.assign(fold=2, mae=3.0)])
    figure = learning_curves(VALIDATED, "y", "mse", each)
    _, right = figure.axes
    drawn = [np.asarray(line.get_xydata()).tolist() for line in right.lines]
    assert len(drawn) == 2 * 2 + 2
    assert [[1, 3], [2, 3], [3, 3]] in drawn
    assert drawn.count([[1, 2.5], [2, 2], [3, 1.5]]) == 3
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.texts] == ["train", "validation"]


@pytest.mark.parametrize(("loss", "scale"), [(1.0, "log"), (0.0, "linear")])
def test_losses_are_on_a_logarithmic_scale_if_none_is_zero(loss: float, scale: str) -> None:
    left, _ = learning_curves(HISTORY.assign(loss=loss), "y", "mse").axes
    assert left.get_yscale() == scale


@pytest.mark.parametrize(
    ("draw", "drawn", "labels"),
    [
        (
            predicted_against_true,
            {"train": [[1, 1.5]], "validation": [[2, 2]], "test": [[3, 2]]},
            ("true price", "predicted price"),
        ),
        (
            residuals,
            {"train": [[1.5, -0.5]], "validation": [[2, 0]], "test": [[2, 1]]},
            ("predicted price", "residual of price\n(true - predicted)"),
        ),
    ],
)
def test_each_part_has_a_panel_with_its_rows_on_the_same_axes(
    draw: Any, drawn: dict[str, list[list[float]]], labels: tuple[str, str]
) -> None:
    axes = draw(PARTS, "price").axes
    assert {axis.get_title().split(",")[0]: points(axis) for axis in axes} == drawn
    assert (axes[0].get_xlabel(), axes[0].get_ylabel()) == labels
    assert len({axis.get_xlim() + axis.get_ylim() for axis in axes}) == 1
    (alone,) = draw(PREDICTIONS, "price").axes
    assert alone.get_title() == "in-sample, 3 rows"


def test_predictions_are_beside_the_line_on_which_they_are_exact() -> None:
    for axis in predicted_against_true(PARTS, "price").axes:
        assert lines(axis) == {"predicted = true": [[1, 1], [3, 3]]}


def test_the_most_important_column_is_at_the_top_with_its_interval() -> None:
    (axis,) = permutation_importance(IMPORTANCE, "price").axes
    assert [label.get_text() for label in axis.get_yticklabels()] == ["a", "b"]  # from below
    (_, _, (bars,)) = axis.containers[0]
    assert np.asarray(bars.get_segments()).tolist() == [[[-0.5, 0], [1.5, 0]], [[2, 1], [4, 1]]]
    assert "RMSE" in axis.get_xlabel()
    assert "price" in axis.get_xlabel()


def test_partial_dependence_is_a_line_over_numbers_and_dates_and_dots_over_categories() -> None:
    figure = partial_dependence(DEPENDENCE, "price")
    number, date, category = (axis for axis in figure.axes if axis.get_visible())
    assert lines(number) == {"_child0": [[1, 10], [2.5, 20]], "missing": [[0, 12], [1, 12]]}
    assert [x for x, _ in points(date)] == [19358, 19724]  # days since 1970
    assert points(category) == [[0, 10], [1, 30]]
    assert [label.get_text() for label in category.get_xticklabels()] == ["Bonn", "(other)"]
    dots: Any = category.collections[0]  # a PathCollection, which Axes does not say
    sizes = np.asarray(dots.get_sizes())
    assert sizes[0] > sizes[1]
    assert [axis.get_xlabel() for axis in (number, date, category)] == ["area", "sold", "town"]


def test_the_same_run_is_written_as_the_same_bytes(tmp_path: Path) -> None:
    contents = []
    for name in ("first", "again"):
        folder = tmp_path / name
        folder.mkdir()
        write_figures(VALIDATED, PARTS, "Größe in cm", "mse", folder)
        write_explanation(IMPORTANCE, DEPENDENCE, "Größe in cm", folder)
        contents.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert contents[0] == contents[1]
    assert set(contents[0]) == NAMES | {"importance.png", "partial_dependence.png"}


def test_without_rows_there_is_nothing_to_explain(tmp_path: Path) -> None:
    write_explanation(IMPORTANCE.head(0), DEPENDENCE.head(0), "y", tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("target", ["a $^$ b", "$x$", "1 $", r"\alpha_1"])
def test_a_name_that_looks_like_a_formula_can_be_drawn(target: str, tmp_path: Path) -> None:
    write_figures(HISTORY.head(1), PREDICTIONS.head(1), target, "mse", tmp_path)
    write_explanation(IMPORTANCE.assign(column=target), DEPENDENCE.head(0), target, tmp_path)
    write_explanation(
        IMPORTANCE.head(0), DEPENDENCE.assign(column=target, value=target), target, tmp_path
    )
    assert len(list(tmp_path.iterdir())) == 5
