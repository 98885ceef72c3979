"""Figures of an evaluation, as PNG files."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from pipeline.evaluation.bins import MISSING

# Those of Okabe and Ito, which people with colour blindness can tell apart.
BLUE, VERMILION, GREEN = "#0072B2", "#D55E00", "#009E73"
COLOURS = {
    "train": BLUE, "in_sample": BLUE, "validation": VERMILION, "cv": VERMILION, "test": GREEN,
}  # fmt: skip
# Legible at half the size, which is that of a column of print.
WIDTH, DPI = 7.2, 150
STYLE: Any = {
    "font.size": 11,
    "date.converter": "concise",
    "axes.titlesize": "medium",
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.alpha": 0.3,
    "legend.frameon": False,
}
MAX_COLUMNS, MAX_NAME, MAX_TICKS = 15, 24, 7


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
    with mpl.rc_context(STYLE):
        _save(learning_curves(history, target, loss, folds), folder, "learning_curves")
        _save(predicted_against_true(predictions, target), folder, "predicted_against_true")
        _save(residuals(predictions, target), folder, "residuals")


def write_explanation(
    importance: pd.DataFrame, dependence: pd.DataFrame, target: str, folder: Path
) -> None:
    """Writes importance.png and partial_dependence.png of what the functions of the module
    importance return, each if it has rows."""
    with mpl.rc_context(STYLE):
        if len(importance):
            _save(permutation_importance(importance, target), folder, "importance")
        if len(dependence):
            _save(partial_dependence(dependence, target), folder, "partial_dependence")


def _save(figure: Figure, folder: Path, name: str) -> None:
    figure.savefig(folder / f"{name}.png", dpi=DPI)


def learning_curves(
    history: pd.DataFrame, target: str, loss: str, folds: pd.DataFrame | None = None
) -> Figure:
    """Loss and MAE by epoch, of training and validation; those of each fold as thin lines."""
    figure = Figure(figsize=(WIDTH, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    for axis, name in ((left, "loss"), (right, "mae")):
        for _, fold in folds.groupby("fold") if folds is not None else ():
            for prefix, part in (("", "train"), ("validation_", "validation")):
                axis.plot(
                    fold["epoch"], fold[prefix + name],
                    color=COLOURS[part], linewidth=0.5, alpha=0.5,
                )  # fmt: skip
    _curve(left, history, "loss", f"loss ({loss})")
    _curve(right, history, "mae", f"MAE, in units of {_shortened(target)}")
    # Outside, because finding the best location inside is slow for many epochs.
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def predicted_against_true(predictions: pd.DataFrame, target: str) -> Figure:
    """The predictions of each part, beside the line on which they are exact."""
    values = predictions[["true", "predicted"]]
    ends = [values.min().min(), values.max().max()]
    figure, axes = _panels(predictions, "true", "predicted")
    for axis in axes:
        lines = axis.plot(ends, ends, color="black", linewidth=1, label="predicted = true")
        axis.set(xlabel=f"true {_shortened(target)}", aspect="equal")
    axes[0].set_ylabel(f"predicted {_shortened(target)}")
    axes[0].legend(handles=lines, loc="upper left")
    return figure


def residuals(predictions: pd.DataFrame, target: str) -> Figure:
    """The residuals of each part by prediction."""
    figure, axes = _panels(predictions, "predicted", "residual")
    for axis in axes:
        axis.axhline(0, color="black", linewidth=1)
        axis.set_xlabel(f"predicted {_shortened(target)}")
    axes[0].set_ylabel(f"residual of {_shortened(target)}\n(true - predicted)")
    return figure


def permutation_importance(importance: pd.DataFrame, target: str) -> Figure:
    """The most important columns with their intervals, the first at the top."""
    shown = importance.head(MAX_COLUMNS).iloc[::-1]
    figure = Figure(figsize=(WIDTH, 1.2 + 0.3 * len(shown)), layout="constrained")
    axis = figure.subplots()
    axis.axvline(0, color="black", linewidth=1)
    spread = [shown["rmse_increase"] - shown["lower"], shown["upper"] - shown["rmse_increase"]]
    names = [_shortened(str(name)) for name in shown["column"]]
    axis.errorbar(
        shown["rmse_increase"], range(len(shown)), xerr=spread,
        fmt="o", color=BLUE, markersize=6, capsize=3,
    )  # fmt: skip
    axis.set_yticks(range(len(shown)), names)
    axis.set_xlabel(f"rise of RMSE if the column is permuted, in units of {_shortened(target)}")
    axis.margins(y=0.5 / len(shown))
    return figure


def partial_dependence(dependence: pd.DataFrame, target: str) -> Figure:
    """The mean prediction by the value of each column; areas of dots are shares of the rows."""
    names = list(dict.fromkeys(dependence["column"]))
    rows = -(-len(names) // 2)
    figure = Figure(figsize=(WIDTH, 0.4 + 2.6 * rows), layout="constrained")
    axes = figure.subplots(rows, min(2, len(names)), sharey=True, squeeze=False).ravel()
    for axis, name in zip(axes, names, strict=False):
        _dependence(axis, dependence[dependence["column"] == name])
        axis.set_xlabel(_shortened(name))
    for axis in axes[len(names) :]:
        axis.set_visible(False)
    figure.supylabel(f"mean predicted {_shortened(target)}", fontsize=mpl.rcParams["font.size"])
    return figure


def _dependence(axis: Axes, curve: pd.DataFrame) -> None:
    """A line over numbers and dates, and dots over categories."""
    present = curve[curve["value"] != MISSING]
    numbers = pd.to_numeric(present["value"], errors="coerce")
    dates = pd.to_datetime(present["value"], errors="coerce", format="ISO8601")
    x = next((one for one in (numbers, dates) if len(one) and one.notna().all()), None)
    if x is None:
        axis.scatter(range(len(curve)), curve["predicted"], 12 + 300 * curve["share"], color=BLUE)
        names = [_shortened(str(value), 12) for value in curve["value"]]
        axis.set_xticks(range(len(curve)), names)
    else:
        axis.plot(x, present["predicted"], color=BLUE)
        axis.scatter(x, present["predicted"], 12 + 300 * present["share"], color=BLUE)
        for level in curve["predicted"][curve["value"] == MISSING]:
            axis.axhline(level, color=VERMILION, linestyle="--", label="missing")
            axis.legend(loc="best")
    if x is None:
        axis.tick_params(axis="x", rotation=30)
        for label in axis.get_xticklabels():
            label.set(horizontalalignment="right", rotation_mode="anchor")
    elif x is numbers and len(x) <= MAX_TICKS:
        axis.set_xticks(x)
    elif x is numbers:
        axis.xaxis.set_major_locator(MaxNLocator(5))


def _curve(axis: Axes, history: pd.DataFrame, name: str, label: str) -> None:
    axis.plot(history["epoch"], history[name], color=COLOURS["train"], label="train")
    validation = history[f"validation_{name}"]
    if validation.notna().any():
        axis.plot(history["epoch"], validation, color=COLOURS["validation"], label="validation")
    values = pd.concat([history[name], validation]).dropna()
    if (values > 0).all():
        axis.set_yscale("log")
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.yaxis.set_major_formatter("{x:g}")
        axis.yaxis.set_minor_formatter(NullFormatter())
    axis.set(xlabel="epoch", ylabel=label)


def _panels(predictions: pd.DataFrame, x: str, y: str) -> tuple[Figure, list[Axes]]:
    """A scatter plot for each part, so that none hides the rows of another, on equal axes."""
    parts = dict(list(predictions.groupby("part", sort=False)))
    size = (WIDTH if len(parts) > 1 else 0.6 * WIDTH, 0.3 + WIDTH / max(len(parts), 2))
    figure = Figure(figsize=size, layout="constrained")
    axes = list(figure.subplots(1, len(parts), sharex=True, sharey=True, squeeze=False)[0])
    for axis, (part, rows) in zip(axes, parts.items(), strict=True):
        dense = float(np.clip(np.sqrt(200 / len(rows)), 0.2, 1))
        axis.scatter(
            rows[x], rows[y], s=20 * dense, alpha=0.2 + 0.6 * dense, linewidths=0,
            color=COLOURS[str(part)],
        )  # fmt: skip
        axis.set_title(f"{str(part).replace('_', '-')}, {len(rows):,} rows")
        axis.xaxis.set_major_locator(MaxNLocator(4))
    return figure, axes


def _shortened(name: str, length: int = MAX_NAME) -> str:
    return _text(name if len(name) <= length else f"{name[: length - 1]}…")


def _text(name: str) -> str:
    """A name that matplotlib does not read as a formula."""
    return name.replace("$", r"\$")
