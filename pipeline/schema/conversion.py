"""Conforming a table: each column converted to the one type of its kind.

In a conformed table a numeric or a boolean (0, 1) column is float64 with NaN for missing
values, a category column is text (pandas' str, NaN), a date column is datetime64[us] (NaT).
"""

import json
import math
import re
from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.config.data import Kind
from pipeline.runtime.errors import UserError
from pipeline.schema.columns import Column, Schema
from pipeline.schema.dates import parse_dates
from pipeline.schema.location import Locate

BOOLEANS = {"true": 1.0, "false": 0.0}
# float64 represents every integer up to here.
MAX_EXACT_INTEGER = 2**53
# The converted values, and which of them are invalid all the same: one bool per row, or False.
Converted = tuple["pd.Series[Any]", NDArray[np.bool_] | bool]


def conform(
    table: pd.DataFrame,
    schema: Schema,
    locate: Locate,
    *,
    inferred: Collection[str] = (),
    decimal: str | None = None,
    thousands: str | None = None,
) -> pd.DataFrame:
    """The columns of the schema, each converted to the type of its kind.

    Parameters
    ----------
    table
        Cells as they were read, missing values marked; may have more columns.
    schema
        The columns to return, in its order.
    locate
        Where a person finds a row, for the error.
    inferred
        Columns whose kind was inferred and not given; the error offers to change it.
    decimal, thousands
        The marks in numbers that are still text.

    Raises
    ------
    UserError
        For a column that the table lacks, and for the first cell that its column cannot hold.

    """
    columns = {}
    for name, column in schema.columns.items():
        if name not in table.columns:
            raise UserError(
                f"{locate(0).source}: has no column {name!r}, which the model reads; it has"
                f" {column_names(table)}"
            )
        values = table[name]
        if column.kind is Kind.numeric and (decimal not in (None, ".") or thousands):
            values = _with_decimal_point(values, decimal or ".", thousands or "")
        converted, invalid = CONVERSIONS[column.kind](values, column)
        wrong = (converted.isna() & values.notna()).to_numpy() | invalid
        if wrong.any():
            at = int(wrong.argmax())
            what = DESCRIPTIONS[column.kind].format(column.format or "ISO8601")
            guessed = name in inferred and converted.isna().iloc[at]
            raise UserError(
                f"{locate(at)}, column {name!r}: {str(values.iloc[at])!r} is {what}; fix it"
                + (_hint(name) if guessed else "")
            )
        columns[name] = converted
    # Without copying the columns that had the right type already.
    return pd.DataFrame(columns, index=table.index, copy=False)


def to_text(values: "pd.Series[Any]") -> "pd.Series[Any]":
    """Values as text: 70, not 70.0, where missing values made floats of integers."""
    present = values.dropna()
    if pd.api.types.is_float_dtype(values) and (
        ((present % 1 == 0) & (present.abs() < MAX_EXACT_INTEGER)).all()
    ):
        values = values.astype("Int64")
    return values.astype("str").where(values.notna())


def column_names(table: pd.DataFrame, limit: int = 20) -> str:
    """The names of the columns for a message; of very many, the first."""
    names = [str(name) for name in table.columns]
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


def _with_decimal_point(values: "pd.Series[Any]", decimal: str, thousands: str) -> "pd.Series[Any]":
    """Numbers that are text, as Python writes them."""
    if pd.api.types.is_numeric_dtype(values) or pd.api.types.is_datetime64_any_dtype(values):
        return values
    return values.map(
        lambda cell: (
            cell.replace(thousands, "").replace(decimal, ".") if isinstance(cell, str) else cell
        )
    )


def _numeric(values: "pd.Series[Any]", _column: Column) -> Converted:
    if pd.api.types.is_datetime64_any_dtype(values):
        return pd.Series(math.nan, values.index), False
    numbers = values
    if values.dtype != "float64":
        numbers = pd.to_numeric(values, errors="coerce").astype("float64")
    # The network computes in float32, so a number beyond its range is infinite there.
    return numbers, (numbers.abs() > np.finfo(np.float32).max).to_numpy()


def _boolean(values: "pd.Series[Any]", _column: Column) -> Converted:
    if pd.api.types.is_numeric_dtype(values):
        numbers = values.astype("float64")
        return numbers, (numbers.notna() & ~numbers.isin([0.0, 1.0])).to_numpy()
    texts = values.map(lambda cell: BOOLEANS.get(str(cell).lower(), math.nan))
    return texts.astype("float64"), False


def _category(values: "pd.Series[Any]", _column: Column) -> Converted:
    return to_text(values), False


def _date(values: "pd.Series[Any]", column: Column) -> Converted:
    if pd.api.types.is_datetime64_any_dtype(values):
        return pd.to_datetime(values, utc=True).dt.tz_localize(None).astype("datetime64[us]"), False
    # An ISO 8601 date has one meaning only, so it is accepted beside any format.
    texts = to_text(values)
    dates = parse_dates(texts, column.format or "ISO8601")
    return dates.fillna(parse_dates(texts[dates.isna()], "ISO8601")), False


CONVERSIONS = {
    Kind.numeric: _numeric,
    Kind.boolean: _boolean,
    Kind.category: _category,
    Kind.date: _date,
}
# Of a cell that cannot be converted.
DESCRIPTIONS = {
    Kind.numeric: "not a finite float32 number",
    Kind.boolean: "neither true nor false",
    Kind.category: "not text",
    Kind.date: "not a date of the format {}",
}


def _hint(name: str) -> str:
    hint = ", add it to data.reading.missing if it stands for a missing value, or "
    if re.fullmatch(r"[a-z_]\w*", name, re.ASCII | re.IGNORECASE):
        return f"{hint}set data.kinds={{{name}: category}}"
    # YAML accepts any quoted name as a key, Hydra's command line does not.
    quoted = json.dumps(name, ensure_ascii=False)
    return f"{hint}write kinds: {{{quoted}: category}} under data in params.yaml"
