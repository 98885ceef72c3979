"""Columns without information, and columns that are hardly what they should be."""

import datetime as dt

import numpy as np
import pandas as pd

from pipeline.config.data import Data
from pipeline.preparation.encoding_fit import min_rows_of_category
from pipeline.preparation.findings import Finding
from pipeline.preparation.leaks import format_value
from pipeline.preparation.missing_codes import find_codes
from pipeline.schema.location import Locate

MIN_CATEGORIES = 2


def all_missing(column: pd.Series) -> str:
    """The evidence that a column has no value, or ""."""
    return f"0 of {len(column)} rows" if len(column) and column.isna().all() else ""


def constant(column: pd.Series) -> str:
    """The evidence that a column has one value in all rows, or ""."""
    same = len(column) > 1 and bool((column == column.iloc[0]).all())
    return f"{format_value(column.iloc[0])} in {len(column)} rows" if same else ""


def rare_categories(column: pd.Series, data: Data) -> str:
    """The evidence that no category of a text column has data.min_category_count rows, so that
    fewer suffice for an input; or ""."""
    counts = column.fillna("").value_counts()
    wanted, enough = (min_rows_of_category(counts, data, lowered=one) for one in (False, True))
    frequent = int(counts.iloc[0]) if len(counts) else 0
    if len(counts) < MIN_CATEGORIES or frequent >= wanted:
        return ""
    return (
        f"the most frequent of {len(counts)} is in {frequent} of {len(column)} rows, below"
        f" {wanted}; "
    ) + (
        f"each of at least {enough} rows has an input all the same"
        if frequent >= enough
        else "the only input is 1 in every row"
    )


def missing_codes(kind: str, column: pd.Series, locate: Locate) -> list[Finding]:
    """The finding, of this kind, that values of a numeric column stand for missing ones."""
    values = column.to_numpy("float64")
    codes = find_codes(values)
    if codes is None:
        return []
    texts = tuple(f"{code:.12g}" for code in codes.counts)
    counts = zip(texts, codes.counts.values(), strict=True)
    first = locate(int(column.index[int(np.isin(values, list(codes.counts)).argmax())]))
    evidence = (
        f"{', '.join(f'{text} in {count} rows' for text, count in counts)}, such as {first};"
        f" all others from {codes.low:g} to {codes.high:g}"
    )
    return [Finding(kind, str(column.name), evidence, texts)]


def future_date(column: pd.Series, today: dt.date, locate: Locate) -> str:
    """The evidence that dates are later than today, or ""."""
    later = column[column >= pd.Timestamp(today) + pd.Timedelta(days=1)]
    if later.empty:
        return ""
    first = f"{later.iloc[0].date()} in {locate(int(later.index[0]))}"
    return f"{len(later)} of {len(column)} rows, such as {first}"
