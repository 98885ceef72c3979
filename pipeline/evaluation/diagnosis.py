"""Where a model fails, and what its predictions depend on."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.dataset.prepared import GROUP
from pipeline.evaluation.bins import Bins, bin_column
from pipeline.evaluation.comparison import JUDGED
from pipeline.evaluation.figures import write_explanation
from pipeline.evaluation.importance import (
    DEPENDENCE,
    IMPORTANCE,
    REPEATS,
    partial_dependence,
    permutation_importance,
)
from pipeline.evaluation.metrics import MIN_UNITS, ROUNDING, Vector
from pipeline.evaluation.slices import (
    ERRORS,
    MIN_ROWS,
    SLICES,
    bin_count,
    errors_by_column,
    worst_slices,
)
from pipeline.runtime.files import write_table
from pipeline.schema.columns import Schema

if TYPE_CHECKING:
    from pipeline.evaluation.predictor import Predictor

# The model explains itself on the first of these parts that has rows. Those of cv are the rows of
# the training part: it has no other ones then.
EXPLAINED = ("test", "validation", "cv", "in_sample")
FILES = {"cv": "train", "in_sample": "train"}
# Of more rows, a random sample is searched for slices.
MAX_ROWS = 100_000
# Permutation importance predicts so many rows in all, but MIN_EXPLAINED of each permutation.
PREDICTIONS, MIN_EXPLAINED = 40_000, 200
# Partial dependence is computed for so many columns, values and rows.
STRONGEST, CURVE_VALUES, CURVE_ROWS = 4, 24, 400
MAX_CATEGORIES, CURVE_CATEGORIES = 50, 10
NAMED = 3


@dataclass(frozen=True)
class Diagnosis:
    """Where a model fails, and what its predictions depend on: tables that have no rows where too
    few are held out.

    Attributes
    ----------
    slices, errors_by_column
        What the module slices returns, of the part that a verdict is on; see comparison.JUDGED.
    importance, partial_dependence
        What the module importance returns, of the part EXPLAINED.
    judged, explained
        The names of these two parts.
    target
        The name of the target.
    """

    slices: pd.DataFrame
    errors_by_column: pd.DataFrame
    importance: pd.DataFrame
    partial_dependence: pd.DataFrame
    judged: str
    explained: str
    target: str

    @property
    def lines(self) -> list[str]:
        """The worst slice and the most important columns, as they are printed."""
        texts = [
            f"{self.judged}: worst where {one['slice']}: rmse {one['rmse']:.5g}"
            f" ({one['lower']:.5g} to {one['upper']:.5g}) in {one['rows']} rows,"
            f" {one['rmse_elsewhere']:.5g} in the others"
            for one in self.slices.head(1).to_dict("records")
        ]
        certain = _certain(self.importance).head(NAMED)
        pairs = zip(certain["column"], certain["rmse_increase"], strict=True)
        each = [f"{name} (rmse +{increase:.5g} if permuted)" for name, increase in pairs]
        return [*texts, *([f"{self.explained}: depends most on {', '.join(each)}"] if each else [])]

    def write(self, folder: Path) -> None:
        """Writes the four tables as CSV files of their names, and the figures of the last two."""
        for name in ("slices", "errors_by_column", "importance", "partial_dependence"):
            write_table(getattr(self, name), folder / f"{name}.csv")
        write_explanation(self.importance, self.partial_dependence, self.target, folder)


@np.errstate(over="ignore")
def diagnose(
    predictor: "Predictor",
    predictions: pd.DataFrame,
    parts: Mapping[str, Iterable[pd.DataFrame]],
) -> Diagnosis:
    """Searches for slices with large errors, and measures what predictions depend on.

    Parameters
    ----------
    predictor
        The model.
    predictions
        As evaluation.prediction_table returns them, of all parts.
    parts
        The conformed rows of train, validation and test, in blocks.
    """

    def predict(rows: pd.DataFrame) -> Vector:
        return predictor.predict_conformed(rows)["predicted"].to_numpy()

    schema = predictor.contract.schema
    columns = list(schema.columns)
    of_parts = {str(part): rows for part, rows in predictions.groupby("part", sort=False)}
    enough = {part: rows for part, rows in of_parts.items() if len(rows) >= MIN_UNITS}
    none = (pd.DataFrame(columns=names) for names in (SLICES, ERRORS, IMPORTANCE, DEPENDENCE))
    slices, errors, importance, dependence = none
    explained, judged = (
        next((part for part in order if part in enough), "") for order in (EXPLAINED, JUDGED)
    )
    if explained:
        most = max(MIN_EXPLAINED, PREDICTIONS // (REPEATS * len(columns)))
        rows = _Rows.of(enough[explained], parts[FILES.get(explained, explained)], most)
        table = rows.table[columns]
        importance = permutation_importance(predict, table, rows.true, rows.groups)
        strongest = _certain(importance)["column"].head(STRONGEST)
        bins = _bins(table, schema, strongest, CURVE_VALUES, 1, CURVE_CATEGORIES)
        dependence = partial_dependence(predict, table.head(CURVE_ROWS), bins)
    if judged:
        rows = _Rows.of(enough[judged], parts[FILES.get(judged, judged)], MAX_ROWS)
        if np.isfinite(rows.residuals**2).all():
            ordered = importance["column"] if len(importance) else columns
            count = bin_count(len(rows.table))
            bins = _bins(rows.table, schema, ordered, count, MIN_ROWS, MAX_CATEGORIES)
            slices = worst_slices(rows.residuals, bins, rows.groups)
            errors = errors_by_column(rows.residuals, bins)
    target = predictor.encoding.target.name
    return Diagnosis(slices, errors, importance, dependence, judged, explained, target)


def _certain(importance: pd.DataFrame) -> pd.DataFrame:
    """The columns that the model does depend on, beyond chance."""
    return importance[importance["lower"] > 0]


def _bins(table: pd.DataFrame, schema: Schema, names: Iterable[str], *limits: int) -> list[Bins]:
    return [bin_column(table[name], schema.columns[name], *limits) for name in names]


@dataclass(frozen=True)
class _Rows:
    """Rows of a part in random order: their columns, true values, residuals and groups."""

    table: pd.DataFrame
    true: Vector
    residuals: Vector
    groups: NDArray[Any] | None

    @staticmethod
    def of(predictions: pd.DataFrame, blocks: Iterable[pd.DataFrame], most: int) -> "_Rows":
        """At most so many of the rows that are predicted."""
        chosen = predictions.sample(min(most, len(predictions)), random_state=0)
        positions = pd.Index(chosen["row"] - 1)
        table = pd.concat([block[block.index.isin(positions)] for block in blocks]).loc[positions]
        true, residuals = chosen["true"].to_numpy(), chosen["residual"].to_numpy(copy=True)
        residuals[np.abs(residuals) < ROUNDING * predictions["true"].std(ddof=0)] = 0
        return _Rows(table, true, residuals, table[GROUP].to_numpy() if GROUP in table else None)
