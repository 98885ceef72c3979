"""The figures of a run."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from pipeline.evaluation.figures import write_figures

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
PREDICTIONS = pd.DataFrame(
    {
        "part": "in_sample",
        "row": [1, 2, 3],
        "true": [1.0, 2.0, 3.0],
        "predicted": [1.5, 2.0, 2.0],
        "residual": [-0.5, 0.0, 1.0],
    }
)


def figures(
    folder: Path,
    history: pd.DataFrame = HISTORY,
    predictions: pd.DataFrame = PREDICTIONS,
    target: str = "y",
) -> dict[str, bytes]:
    folder.mkdir()
    write_figures(history, predictions, target, "mse", folder)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return figures(tmp_path_factory.mktemp("figures") / "a")


def changed(before: dict[str, bytes], after: dict[str, bytes]) -> set[str]:
    return {name for name in NAMES if before[name] != after[name]}


def test_the_three_figures_are_pictures_with_something_on_them(drawn: dict[str, bytes]) -> None:
    assert set(drawn) == NAMES
    for picture in drawn.values():
        assert plt.imread(BytesIO(picture)).std() > 0


def test_the_same_run_gives_the_same_bytes_and_leaves_no_figure_open(
    drawn: dict[str, bytes], tmp_path: Path
) -> None:
    assert figures(tmp_path / "b") == drawn
    assert plt.get_fignums() == []


def test_a_validation_part_is_drawn_into_the_learning_curves(
    drawn: dict[str, bytes], tmp_path: Path
) -> None:
    validated = HISTORY.assign(validation_loss=[5.0, 4.0, 3.0], validation_mae=[2.5, 2.0, 1.5])
    assert changed(drawn, figures(tmp_path / "b", validated)) == {"learning_curves.png"}


def test_each_part_is_told_from_the_others(drawn: dict[str, bytes], tmp_path: Path) -> None:
    parts = PREDICTIONS.assign(part=["train", "validation", "test"])
    after = figures(tmp_path / "b", predictions=parts)
    assert changed(drawn, after) == {"predicted_against_true.png", "residuals.png"}


def test_every_figure_in_the_targets_units_names_the_target(
    drawn: dict[str, bytes], tmp_path: Path
) -> None:
    assert changed(drawn, figures(tmp_path / "b", target="Größe in cm")) == NAMES


@pytest.mark.parametrize("target", ["a $^$ b", "$x$", "1 $", r"\alpha_1"])
def test_a_name_that_looks_like_a_formula_can_be_drawn(target: str, tmp_path: Path) -> None:
    assert set(figures(tmp_path / "a", target=target)) == NAMES


def test_losses_of_zero_can_be_drawn(tmp_path: Path) -> None:
    assert set(figures(tmp_path / "a", HISTORY.assign(loss=0.0))) == NAMES


def test_one_epoch_and_one_row_can_be_drawn(tmp_path: Path) -> None:
    assert set(figures(tmp_path / "a", HISTORY.head(1), PREDICTIONS.head(1))) == NAMES
