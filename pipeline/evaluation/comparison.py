"""A model beside its baselines, on the rows that it was not trained on."""

from collections.abc import Mapping
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.dataset.prepared import read_table
from pipeline.evaluation.metrics import MIN_UNITS, metrics
from pipeline.evaluation.paired import Improvement, improvement
from pipeline.runtime.errors import UserError, read_errors
from pipeline.runtime.paths import BASELINES, PREPARED

# The baselines in words, the simplest first.
IN_WORDS = {
    "mean": "the mean",
    "least_squares": "a straight line",
    "ridge": "ridge regression",
    "gradient_boosting": "gradient boosting",
}
HELD_OUT = ("cv", "validation", "test")
# A verdict is on the first of these parts that has rows: cross-validation has several times as many
# as the test part, and those of the validation part may have chosen the epoch.
JUDGED = ("cv", "test", "validation")
Comparisons = dict[str, dict[str, Improvement]]


def read(path: Path = BASELINES) -> dict[str, pd.DataFrame]:
    """By part: a column of predictions for each baseline. Raises UserError if the file is missing
    or damaged."""
    table = read_table(path)
    with read_errors(path):
        return {str(part): rows.droplevel("part") for part, rows in table.groupby("part")}


def compare(
    predictions: Mapping[str, pd.DataFrame], baselines: Mapping[str, pd.DataFrame]
) -> Comparisons:
    """By how much the RMSE of a model is lower than that of each baseline, by part and baseline,
    for the parts of HELD_OUT with as many rows, or groups, as an interval needs.

    Parameters
    ----------
    predictions
        By part: columns true and predicted, and group where rows are grouped.
    baselines
        By part: a column of predictions for each baseline.
    """
    compared: Comparisons = {}
    for part, rows in predictions.items():
        groups = rows["group"].to_numpy() if "group" in rows else None
        units = len(rows) if groups is None else len(np.unique(groups))
        if part in HELD_OUT and units >= MIN_UNITS:
            true = rows["true"].to_numpy()
            residuals = true - rows["predicted"].to_numpy()
            compared[part] = {
                str(name): improvement(residuals, true - other.to_numpy(), true, groups=groups)
                for name, other in baselines[part].items()
            }
    return compared


def errors(part: str, true: "pd.Series[float]", baselines: pd.DataFrame | None) -> dict[str, float]:
    """The RMSE of each baseline as {baseline}_rmse; of rows to which it was fitted, that of the
    line alone: others fit any rows. Raises UserError if they are predictions of other rows."""
    if baselines is None or not baselines.index.equals(true.index):
        raise UserError(
            f"{BASELINES}: has other rows of the part {part} than {PREPARED}; run dvc repro"
        )
    values = np.asarray(true, np.float64)
    return {
        f"{name}_rmse": metrics(values, np.asarray(predicted, np.float64))["rmse"]
        for name, predicted in baselines.items()
        if part in HELD_OUT or name == "least_squares"
    }


def table(compared: Comparisons) -> pd.DataFrame:
    """A row for each part and baseline: the fraction by which the model's RMSE is lower than that
    of the baseline, and the ends of its 95 % interval."""
    rows = [
        (part, name, *astuple(one)) for part, each in compared.items() for name, one in each.items()
    ]
    return pd.DataFrame(rows, columns=["part", "baseline", "improvement", "low", "high"])


def verdict(compared: Comparisons) -> str | None:
    """One line about what `judged` names. None if too few rows are held out for a comparison."""
    found = judged(compared)
    if found is None:
        return None
    part, name = found
    return f"{part}: {compared[part][name].in_words(IN_WORDS[name])}"


def judged(compared: Comparisons) -> tuple[str, str] | None:
    """The part that a verdict is on, and the simplest baseline that the model is not better than
    or, if it is better than each of them, the best one."""
    part = next((one for one in JUDGED if one in compared), None)
    if part is None:
        return None
    each = compared[part]
    names = [name for name in IN_WORDS if name in each]
    not_beaten = [name for name in names if each[name].low <= 0]
    return part, not_beaten[0] if not_beaten else min(names, key=lambda one: each[one].estimate)
