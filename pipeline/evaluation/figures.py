"""Figures of an evaluation, as PNG files."""

from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

COLOURS = {
    "train": "#1f77b4", "in_sample": "#1f77b4", "validation": "#ff7f0e", "cv": "#ff7f0e",
    "test": "#2ca02c",
}  # fmt: skip


def write_figures(
    history: pd.DataFrame,
    predictions: pd.DataFrame,
    target: str,
    loss: str,
    folder: Path,
    *,
    folds: pd.DataFrame | None = None,
) -> None:
    """Writes learning_curves.png, predicted_against_true.png and residuals.png.

    Parameters
    ----------
    history
        The table of epochs, as in training.fitting.Fitted.
    predictions
        As evaluation.prediction_table returns them.
    target
        Name of the target, for the labels of the axes.
    loss
        Name of the loss.
    folder
        An existing folder.
    folds
        The tables of epochs of all folds, whose mean history is then, with their number.
    """
    target = target.replace("$", r"\$")  # or matplotlib reads it as a formula
    figures = {
        "learning_curves": learning_curves(history, target, loss, folds),
        "predicted_against_true": predicted_against_true(predictions, target),
        "residuals": residuals(predictions, target),
    }
    for name, figure in figures.items():
        figure.savefig(folder / f"{name}.png", dpi=110)


def learning_curves(
    history: pd.DataFrame, target: str, loss: str, folds: pd.DataFrame | None = None
) -> Figure:
    """Loss and MAE by epoch, of training and validation; those of each fold as thin lines."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for axis, name in ((left, "loss"), (right, "mae")):
        for _, fold in folds.groupby("fold") if folds is not None else ():
            for prefix, part in (("", "train"), ("validation_", "validation")):
                axis.plot(
                    fold["epoch"], fold[prefix + name],
                    color=COLOURS[part], linewidth=0.5, alpha=0.5,
                )  # fmt: skip
    _curve(left, history, "loss", f"loss ({loss})")
    _curve(right, history, "mae", f"mean absolute error, in units of {target}")
    figure.suptitle("Learning curves")
    return figure


def predicted_against_true(predictions: pd.DataFrame, target: str) -> Figure:
    """The predictions of each part, beside the line on which they are exact."""
    figure = Figure(figsize=(6, 6), layout="constrained")
    axis = figure.subplots()
    values = predictions[["true", "predicted"]]
    ends = [values.min().min(), values.max().max()]
    axis.plot(ends, ends, color="grey", linewidth=1, label="predicted = true")
    _scatter(axis, predictions, "true", "predicted")
    axis.set(xlabel=f"true {target}", ylabel=f"predicted {target}", title="Predicted against true")
    # Outside, because finding the best location inside is slow for many rows.
    figure.legend(loc="outside lower center", ncols=4)
    return figure


def residuals(predictions: pd.DataFrame, target: str) -> Figure:
    """The residuals of each part by prediction."""
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axis = figure.subplots()
    axis.axhline(0, color="grey", linewidth=1)
    _scatter(axis, predictions, "predicted", "residual")
    axis.set(xlabel=f"predicted {target}", ylabel="residual (true - predicted)", title="Residuals")
    figure.legend(loc="outside lower center", ncols=4)
    return figure


def _curve(axis: Axes, history: pd.DataFrame, name: str, label: str) -> None:
    axis.plot(history["epoch"], history[name], color=COLOURS["train"], label="train")
    validation = history[f"validation_{name}"]
    if validation.notna().any():
        axis.plot(history["epoch"], validation, color=COLOURS["validation"], label="validation")
    values = pd.concat([history[name], validation]).dropna()
    if (values > 0).all():
        axis.set_yscale("log")
    axis.set(xlabel="epoch", ylabel=label)
    axis.grid(alpha=0.3)
    axis.legend(loc="upper right")


def _scatter(axis: Axes, predictions: pd.DataFrame, x: str, y: str) -> None:
    for part, rows in predictions.groupby("part", sort=False):
        name = str(part)
        axis.scatter(
            rows[x], rows[y], s=18, alpha=0.7, color=COLOURS[name], label=name.replace("_", "-")
        )
    axis.grid(alpha=0.3)
