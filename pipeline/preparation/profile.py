"""The figures of a table's columns: what to see of the data before trusting a model."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.config.data import Kind
from pipeline.schema.columns import Schema
from pipeline.schema.dates import is_clock

NUMBERS = ["min", "lower_quartile", "median", "upper_quartile", "max", "mean", "std"]
FIELDS = [
    *("column", "kind", "values", "missing", "missing_percent", "distinct"),
    *NUMBERS,
    *("most_frequent", "most_frequent_percent", "correlation"),
]
DAY = 86_400e6  # microseconds
Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Values:
    """The values of a column as numbers, (rows,), NaN where one is missing: of dates the days
    since 1970, of categories and booleans the codes of their names."""

    kind: Kind
    x: Vector
    names: "pd.Index[str]"

    def counts(self) -> NDArray[np.intp]:
        """The number of values of each name."""
        return np.bincount(self.x[~np.isnan(self.x)].astype(int), minlength=len(self.names))


def values_of(column: "pd.Series[Any]", kind: Kind) -> Values:
    """The values of a conformed column."""
    if kind is Kind.category:
        codes, names = pd.factorize(column)
        return Values(kind, np.where(codes < 0, np.nan, codes), names)
    if kind is Kind.date:
        microseconds = column.to_numpy("datetime64[us]")
        days = np.where(np.isnat(microseconds), np.nan, microseconds.astype(np.int64) / DAY)
        return Values(kind, days, pd.Index([], dtype="str"))
    texts = ["false", "true"] if kind is Kind.boolean else []
    return Values(kind, column.to_numpy(np.float64), pd.Index(texts, dtype="str"))


@np.errstate(over="ignore", invalid="ignore")
def profile(table: pd.DataFrame, schema: Schema, target: str) -> pd.DataFrame:
    """The figures of a conformed table, a row for each column.

    most_frequent and its percentage (of the values that are not missing) are of categories and
    booleans; quartiles, mean and std (of the population) of numbers; min and max of numbers and,
    as ISO 8601 texts, of dates. correlation is that with the target, over the rows that have
    both: of numbers and booleans Pearson's r, of categories the correlation ratio

        eta = sqrt(sum_c n_c (mean_c - mean)^2 / sum_i (y_i - mean)^2),

    where n_c rows of category c have the mean mean_c. The target itself and dates have none.

    Parameters
    ----------
    table
        The training part.
    schema
        Has all columns of the table.
    target
        Name of a column.

    Returns
    -------
    The columns FIELDS; NaN or None where a figure does not apply or is undefined.

    Raises
    ------
    KeyError
        For a target that the table lacks, or a column that the schema lacks.

    References
    ----------
    K. Pearson (1905), On the general theory of skew correlation and non-linear regression.

    """
    y = values_of(table[target], schema.columns[target].kind).x
    rows = []
    for name, column in table.items():
        values = values_of(column, schema.columns[str(name)].kind)
        missing = int(column.isna().sum())
        general = {
            "column": name,
            "kind": values.kind.value,
            "values": len(column) - missing,
            "missing": missing,
            "missing_percent": 100 * missing / len(column) if missing else 0.0,
            "correlation": None if name == target else _correlation(values, y),
        }
        clock = is_clock(schema.columns[str(name)].format)
        rows.append(general | _figures(values, column, clock=clock))
    return pd.DataFrame(rows, columns=FIELDS)


def rows_with_both(x: Vector, y: Vector) -> tuple[Vector, Vector] | None:
    """The rows that have both values, or None if x or y is constant in them."""
    both = np.isfinite(x) & np.isfinite(y)
    x, y = x[both], y[both]
    return (x, y) if len(x) and x.min() < x.max() and y.min() < y.max() else None


def _figures(values: Values, column: "pd.Series[Any]", *, clock: bool) -> dict[str, Any]:
    x = values.x[np.isfinite(values.x)]
    if not len(x):
        return {"distinct": 0}
    if len(values.names):
        counts = values.counts()
        first = int(counts.argmax())
        return {
            "distinct": int(np.count_nonzero(counts)),
            "most_frequent": str(values.names[first]),
            "most_frequent_percent": 100 * float(counts[first]) / len(x),
        }
    distinct = len(np.unique(x))
    if values.kind is Kind.date:
        ends = [iso(moment, clock=clock) for moment in (column.min(), column.max())]
        return {"distinct": distinct, "min": ends[0], "max": ends[1]}
    five = np.quantile(x, [0, 0.25, 0.5, 0.75, 1])
    numbers = [float(value) for value in (*five, x.mean(), x.std())]
    return {"distinct": distinct, **dict(zip(NUMBERS, numbers, strict=True))}


def iso(moment: pd.Timestamp, *, clock: bool) -> str:
    """A date as text; a clock has only its time of day."""
    if clock:
        return moment.time().isoformat()
    return moment.isoformat().removesuffix("T00:00:00")


def _correlation(values: Values, y: Vector) -> float | None:
    both = None if values.kind is Kind.date else rows_with_both(values.x, y)
    if both is None:
        return None
    x, y = both
    if values.kind is Kind.category:
        codes, y = x.astype(int), _centred(y)
        sums, counts = np.bincount(codes, y), np.bincount(codes)
        ratio = (sums**2 / np.maximum(counts, 1)).sum() / (y * y).sum()
        return float(min(np.sqrt(ratio), 1.0))
    return pearson(x, y)


def pearson(x: Vector, y: Vector) -> float:
    """The correlation of values that are finite and vary."""
    x, y = _centred(x), _centred(y)
    return float(np.clip((x * y).sum() / np.sqrt((x * x).sum() * (y * y).sum()), -1, 1))


def _centred(values: Vector) -> Vector:
    """With the mean 0, and not too small or large to be squared."""
    centred: Vector = values / np.abs(values).max()
    centred -= centred.mean()
    centred /= np.abs(centred).max()
    return centred
