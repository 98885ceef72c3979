"""What the stages wrote of a result, as far as its report shows it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.compose.schema import Config
from pipeline.dataset import prepared
from pipeline.dataset.curves import read_folds, read_history
from pipeline.dataset.folds import Folds
from pipeline.dataset.rows import PARTS
from pipeline.evaluation.comparison import Comparisons
from pipeline.evaluation.paired import Improvement
from pipeline.runtime.errors import read_errors
from pipeline.runtime.paths import EVALUATION, FOLDS, INTERVALS, METRICS, MODEL, PREPARED, WARNINGS

# Files in data/evaluation/ that there may be, as .csv and .png.
TABLES = ("baselines", "slices", "errors_by_column", "importance")
FIGURES = (
    "predicted_against_true", "residuals", "importance", "partial_dependence", "learning_curves",
)  # fmt: skip


@dataclass(frozen=True)
class Result:
    """A result.

    Attributes
    ----------
    config
        Its configuration.
    metrics
        Those of data/metrics.json.
    rows
        The number of rows of each part in metrics.
    folds
        Those of the training part.
    tables, figures
        By name, those of TABLES that have rows, and the content of the PNG files.
    calibrated_with
        The number of rows that prediction intervals are calibrated with; None without intervals.
    columns
        The profile of the training part, a row for each column.
    warnings
        What was found in the table, a line each.
    epochs, kept
        How many epochs were trained, and the one whose weights were kept, if it is one.
    """

    config: Config
    metrics: Mapping[str, Mapping[str, float]]
    rows: Mapping[str, int]
    folds: Folds
    tables: Mapping[str, pd.DataFrame]
    figures: Mapping[str, bytes]
    calibrated_with: int | None
    columns: pd.DataFrame
    warnings: Sequence[str]
    epochs: int
    kept: int | None

    @property
    def compared(self) -> Comparisons:
        """The model beside its baselines, as comparison.compare returns it."""
        compared: Comparisons = {}
        for row in self.tables.get("baselines", pd.DataFrame()).itertuples(index=False):
            part, name, *numbers = row
            compared.setdefault(part, {})[name] = Improvement(*numbers)
        return compared


def read_result(config: Config) -> Result:
    """The result under data/. Raises UserError if a file of it is missing or damaged."""
    metrics = _json(METRICS)
    folds = Folds.read(PREPARED / FOLDS)
    rows = {part: prepared.count_rows(PREPARED / f"{part}.parquet") for part in PARTS}
    rows |= {"in_sample": rows["train"], "cv": int(folds.held_out.any(axis=1).sum())}
    intervals = EVALUATION / INTERVALS
    history = read_history(MODEL)
    kept = history["epoch"][history["kept"]]
    trained = read_folds(MODEL)
    return Result(
        config,
        metrics=metrics,
        rows={part: rows[part] for part in metrics if part in rows},
        folds=folds,
        tables={name: table for name in TABLES if len(table := _table(EVALUATION / f"{name}.csv"))},
        figures={
            name: path.read_bytes()
            for name in FIGURES
            if (path := EVALUATION / f"{name}.png").is_file()
        },
        calibrated_with=_json(intervals)["rows"] if intervals.is_file() else None,
        columns=_table(PREPARED / "profile.csv"),
        warnings=_json(PREPARED / WARNINGS),
        epochs=int((history if trained is None else trained)["epoch"].max()),
        kept=int(kept.iloc[0]) if len(kept) else None,
    )


def _json(path: Path) -> Any:
    with read_errors(path):
        return json.loads(path.read_text("utf-8"))


def _table(path: Path) -> pd.DataFrame:
    """A CSV file, with names as they are written; no rows where there is none."""
    if not path.is_file():
        return pd.DataFrame()
    with read_errors(path):
        texts = {"column": str, "slice": str, "values": str, "most_frequent": str}
        return pd.read_csv(path, dtype=texts, keep_default_na=False, na_values=[""])
