"""The values of a column in bins: categories, and ranges of numbers and dates."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.config.data import Kind
from pipeline.schema.columns import Column
from pipeline.schema.dates import is_clock
from pipeline.schema.numbers import MAX_EXACT_INTEGER

# As the inputs of a network are called.
OTHER, MISSING = "(other)", "(missing)"


@dataclass(frozen=True)
class Bins:
    """The rows of a column in bins, none of them empty.

    Attributes
    ----------
    column
        Its name.
    codes
        The bin of each row, (rows,), from 0.
    texts
        The values of each bin: a category, a number or date, or the lowest and the highest value
        as in "40 to 52"; OTHER for rare categories, and MISSING.
    conditions
        The same with the column, as in "age from 40 to 52" and "region = north".
    middles
        A value in the middle of each bin.
    names
        These as text.
    """

    column: str
    codes: NDArray[np.intp]
    texts: list[str]
    conditions: list[str]
    middles: list[Any]
    names: list[str]


def bin_column(
    values: "pd.Series[Any]", column: Column, count: int, min_rows: int, max_categories: int
) -> Bins:
    """The values of a conformed column in bins.

    Parameters
    ----------
    values
        As conversion.conform returns them.
    column
        What the column holds.
    count
        The number of bins of numbers and dates: of equally many rows, or one for each value if
        there are no more values.
    min_rows, max_categories
        The categories of fewer rows, and all but the most frequent, are in one bin.
    """
    missing = values.isna().to_numpy()
    present, name = values[~missing], str(values.name)
    text = _texts_of(column)
    if column.kind is Kind.category:
        counts = present.value_counts()
        ordered = sorted(counts.index, key=lambda one: (-counts[one], one))
        own = [one for one in ordered[:max_categories] if counts[one] >= min_rows]
        found = pd.Index(own, dtype=object).get_indexer(present.astype(object))
        codes = np.where(found < 0, len(own), found)
        has_other = len(own) < len(ordered)
        middles = ordered[: len(own) + has_other]
        ends = [(one, one) for one in own]
        labels = [*own, *([OTHER] if has_other else [])]
    else:
        edges = present.drop_duplicates().sort_values()
        if len(edges) > count:
            levels = np.arange(1, count) / count
            edges = present.quantile(levels, interpolation="lower").drop_duplicates()
        places = np.searchsorted(edges.to_numpy(), present.to_numpy())
        codes = np.unique(places, return_inverse=True)[1]
        bins = present.groupby(codes)
        middles = bins.quantile(0.5, interpolation="lower").tolist()
        ends = list(zip(map(text, bins.min()), map(text, bins.max()), strict=True))
        labels = [text(one) for one in middles]
    texts = [low if low == high else f"{low} to {high}" for low, high in ends]
    conditions = [
        f"{name} = {low}" if low == high else f"{name} from {low} to {high}" for low, high in ends
    ]
    for label, there in ((OTHER, len(texts) < len(labels)), (MISSING, missing.any())):
        if there:
            texts, conditions = [*texts, label], [*conditions, f"{name} = {label}"]
    if missing.any():
        middles, labels = [*middles, None], [*labels, MISSING]
    placed = np.full(len(values), len(texts) - 1)
    placed[~missing] = codes
    return Bins(name, placed, texts, conditions, middles, labels)


def _texts_of(column: Column) -> Callable[[Any], str]:
    """How the values of a column are written."""
    if column.kind is Kind.boolean:
        return lambda value: "true" if value else "false"
    if column.kind is Kind.date:
        clock = is_clock(column.format)
        return lambda value: _moment(value.floor("s"), clock=clock)
    return _number if column.kind is Kind.numeric else str


def _moment(value: pd.Timestamp, *, clock: bool) -> str:
    text = str(value.time()) if clock else str(value).removesuffix(" 00:00:00")
    return text.removesuffix(":00")


def _number(value: float) -> str:
    exact = value.is_integer() and abs(value) < MAX_EXACT_INTEGER
    return f"{value:.0f}" if exact else f"{value:.5g}"
