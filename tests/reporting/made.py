"""A result as the stages would have written it."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from pipeline.compose.schema import Config
from pipeline.dataset.curves import CURVES
from pipeline.dataset.folds import NO_FOLDS
from pipeline.preparation.prepared_files import write as write_prepared
from pipeline.reporting.result import Result
from pipeline.runtime.files import write_table, write_text
from pipeline.runtime.paths import EVALUATION, METRICS, MODEL, PREPARED
from tests.small import experiment
from tests.small import prepared as small_table

ERRORS = {
    "mse": 4.0, "rmse": 2.0, "mae": 1.5, "r2": 0.75, "median_absolute_error": 1.25,
    "max_error": 6.0, "bias": -0.5,
}  # fmt: skip
HELD_OUT = ERRORS | {
    "rmse_standard_error": 0.25, "rmse_low": 1.6, "rmse_high": 2.5, "mae_low": 1.1, "mae_high": 1.9,
    "mean_rmse": 4.0, "ridge_rmse": 2.2,
}  # fmt: skip
TEST = HELD_OUT | {"nominal_coverage": 0.9, "coverage": 0.875, "interval_width": 7.0}
COLUMNS = {
    "column": ["size", "colour", "y"],
    "kind": ["numeric", "category", "numeric"],
    "missing_percent": [12.5, 0.0, 0.0],
    "distinct": [90, 2, 100],
    "min": [1.0, None, -3.0],
    "max": [12345.6, None, 9.0],
    "most_frequent": [None, "red", None],
    "most_frequent_percent": [None, 60.0, None],
    "used_as": ["standardised", "one input for each of 2 categories", "the target"],
}


def baselines(*rows: tuple[str, str, float, float, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["part", "baseline", "improvement", "low", "high"])


BETTER = baselines(("test", "mean", 0.5, 0.4, 0.6), ("test", "ridge", 0.09, 0.01, 0.17))


def config(**split: Any) -> Config:
    made = experiment()
    return replace(made, data=replace(made.data, split=replace(made.data.split, **split)))


def result(**fields: Any) -> Result:
    """60 training and 40 test rows, unless given otherwise."""
    values: dict[str, Any] = {
        "config": config(),
        "metrics": {"train": ERRORS, "test": TEST},
        "rows": {"train": 60, "test": 40},
        "folds": NO_FOLDS,
        "tables": {"baselines": BETTER},
        "figures": {},
        "calibrated_with": 30,
        "columns": pd.DataFrame(COLUMNS),
        "warnings": [],
        "epochs": 6,
        "kept": 4,
    }
    return Result(**(values | fields))


SLICES = pd.DataFrame(
    {"slice": ["size > 3 and colour = red"], "rows": [1200], "rmse": [5.0], "lower": [4.0],
     "upper": [6.25], "rmse_elsewhere": [1.5], "p_value": [0.0012]}
)  # fmt: skip
BY_COLUMN = pd.DataFrame(
    {"column": ["size", "colour"], "values": ["1 to 3", "red"], "rows": [20, 24],
     "rmse": [1.0, 3.0], "mae": [0.75, 2.0], "bias": [0.0, -1.0]}
)  # fmt: skip
IMPORTANCE = pd.DataFrame(
    {"column": ["colour", "size"], "rmse_increase": [2.5, np.float64(0.125)], "lower": [2.0, -0.1],
     "upper": [3.0, 0.35]}
)  # fmt: skip


def write(test: float = 0.25) -> Config:
    """Writes a result of a small table into the working directory; returns its configuration."""
    table, made = small_table(test=test), config()
    for path in (PREPARED, MODEL, EVALUATION):
        path.mkdir(parents=True)
    write_prepared(table, made.data, PREPARED)
    history = pd.DataFrame({"epoch": [1, 2]} | dict.fromkeys(CURVES, 0.5))
    write_table(history.assign(kept=[False, True]), MODEL / "history.csv")
    write_text(EVALUATION / "predictions.csv", "part,row\n")
    metrics = {"train": ERRORS, "validation": HELD_OUT} | ({"test": TEST} if test else {})
    write_text(METRICS, json.dumps(metrics))
    return made
