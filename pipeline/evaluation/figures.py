"""Figures of an evaluation, as PNG files."""

from pathlib import Path

import matplotlib as mpl
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

mpl.use("Agg")  # works without a display
COLOURS = {"train": "#1f77b4", "in_sample": "#1f77b4", "validation": "#ff7f0e", "test": "#2ca02c"}


def write_figures(
    history: pd.DataFrame, predictions: pd.DataFrame, target: str, loss: str, folder: Path
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
    """
    target = target.replace("$", r"\$")  # or matplotlib reads it as a formula
    figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    _curve(axes[0], history, "loss", f"loss ({loss})")
    _curve(axes[1], history, "mae", f"mean absolute error, in units of {target}")
    figure.suptitle("Learning curves")
    figure.savefig(folder / "learning_curves.png", dpi=110)
    plt.close(figure)

    figure, axis = plt.subplots(figsize=(6, 6), layout="constrained")
    ends = [
        predictions[["true", "predicted"]].min().min(),
        predictions[["true", "predicted"]].max().max(),
    ]
    axis.plot(ends, ends, color="grey", linewidth=1, label="predicted = true")
    _scatter(axis, predictions, "true", "predicted")
    axis.set(xlabel=f"true {target}", ylabel=f"predicted {target}", title="Predicted against true")
    # Outside, because finding the best location inside is slow for many rows.
    figure.legend(loc="outside lower center", ncols=4)
    figure.savefig(folder / "predicted_against_true.png", dpi=110)
    plt.close(figure)

    figure, axis = plt.subplots(figsize=(8, 4.5), layout="constrained")
    axis.axhline(0, color="grey", linewidth=1)
    _scatter(axis, predictions, "predicted", "residual")
    axis.set(xlabel=f"predicted {target}", ylabel="residual (true - predicted)", title="Residuals")
    figure.legend(loc="outside lower center", ncols=4)
    figure.savefig(folder / "residuals.png", dpi=110)
    plt.close(figure)


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
