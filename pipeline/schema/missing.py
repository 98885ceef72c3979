"""Markers: the texts, and the numbers among them, that stand for a missing value."""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pandas as pd


def mark_missing(
    table: pd.DataFrame, markers: Sequence[str], names: Collection[str] | None = None
) -> pd.DataFrame:
    """The table with the markers replaced by missing values, and text without surrounding blanks,
    in all columns or the named ones. In a column of numbers, a marker that is a number stands for
    every equal one: -99 for -99.0 too."""
    numbers = pd.to_numeric(pd.Series(list(markers), dtype="str"), errors="coerce")
    finite = numbers[np.isfinite(numbers)].tolist()
    columns = {
        name: _mark(column, markers, finite) if names is None or name in names else column
        for name, column in table.items()
    }
    # Without copying the columns that have no marker.
    return pd.DataFrame(columns, index=table.index, copy=False)


def _mark(
    values: "pd.Series[Any]", markers: Sequence[str], numbers: Sequence[float]
) -> "pd.Series[Any]":
    values = _trimmed(values)
    wanted = numbers if pd.api.types.is_numeric_dtype(values) else markers
    if not wanted or pd.api.types.is_bool_dtype(values):
        return values
    found = values.isin(wanted)
    return values.mask(found) if found.any() else values


def _trimmed(values: "pd.Series[Any]") -> "pd.Series[Any]":
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(values.cat.categories.dtype)
    if values.dtype == "str":
        return values.str.strip()
    if values.dtype == object:
        return values.map(lambda cell: cell.strip() if isinstance(cell, str) else cell)
    return values
