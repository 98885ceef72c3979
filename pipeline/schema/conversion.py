"""Conforming a table: each column converted to the one type of its kind.

In a conformed table a numeric or a boolean (0, 1) column is float64 with NaN for missing
values, a category column is text (pandas' str, NaN), a date column is datetime64[us] (NaT).
"""

import math
import re
from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.config.data import Kind
from pipeline.runtime.errors import UserError
from pipeline.schema.columns import Column, Schema
from pipeline.schema.dates import ISO, as_list, parse_dates, with_format_of
from pipeline.schema.location import Locate
from pipeline.schema.numbers import MAX_EXACT_INTEGER, Notation, parse
from pipeline.schema.remedy import leave_out, row_remedy, set_formats, set_kind, set_missing

DAY_SECONDS = 86_400
BOOLEANS = {"true": 1.0, "false": 0.0}
PLAIN = Notation()
MAX_MARKERS = 8  # that an error offers
LONG = r"[+-]?\d{16,}"
# The converted values, and which of them are invalid all the same: one bool per row, or False.
Converted = tuple["pd.Series[Any]", NDArray[np.bool_] | bool]


def conform(
    table: pd.DataFrame,
    schema: Schema,
    locate: Locate,
    *,
    inferred: Collection[str] = (),
    notation: Notation = PLAIN,
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
    notation
        That of numbers in text, where their column does not say.

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
        if column.kind is Kind.numeric:
            converted, invalid = _numeric(values, column.notation(notation))
        else:
            converted, invalid = CONVERSIONS[column.kind](values, column)
        wrong = (converted.isna() & values.notna()).to_numpy() | invalid
        if wrong.any():
            at = int(wrong.argmax())
            what = DESCRIPTIONS[column.kind].format(" or ".join(as_list(column.format)))
            cell = values.iloc[at]
            if column.kind is Kind.numeric:
                what += _details(cell, column.notation(notation))
            guessed = converted.isna().iloc[at] or re.fullmatch(LONG, str(cell))
            offered = name in inferred and guessed
            remedies = _remedies(name, column, values[wrong]) if offered else ""
            if inferred and column.kind is Kind.numeric and wrong.sum() == 1:
                remedies = row_remedy(at, len(values)) + remedies
            raise UserError(
                f"{locate(at)}, column {name!r}: {str(cell)!r} is {what}; fix it{remedies}"
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


def _numeric(values: "pd.Series[Any]", notation: Notation) -> Converted:
    if pd.api.types.is_datetime64_any_dtype(values):
        return pd.Series(math.nan, values.index), False
    if pd.api.types.is_timedelta64_dtype(values):
        # In days, as those of Excel: another file may have another unit.
        values = values.dt.total_seconds() / DAY_SECONDS
    numbers = values
    if values.dtype != "float64":
        if not pd.api.types.is_numeric_dtype(values):
            values = _parsed(values, notation)
        numbers = pd.to_numeric(values, errors="coerce").astype("float64")
    # The network computes in float32, so a number beyond its range is infinite there.
    invalid = (numbers.abs() > np.finfo(np.float32).max).to_numpy()
    if pd.api.types.is_integer_dtype(values):
        too_large = (values > MAX_EXACT_INTEGER) | (values < -MAX_EXACT_INTEGER)
        invalid = invalid | too_large.fillna(value=False).to_numpy(bool)
    return numbers, invalid


def _parsed(values: "pd.Series[Any]", notation: Notation) -> "pd.Series[Any]":
    """The numbers in cells that are text; other cells as they are."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(object)
    texts = (
        values
        if values.dtype == "str"
        else values.where(values.map(lambda cell: isinstance(cell, str)))
    )
    parsed = parse(pa.array(texts, pa.large_string(), from_pandas=True), notation)
    numbers = pd.Series(parsed.to_numpy(zero_copy_only=False), values.index)
    return numbers if values.dtype == "str" else values.mask(texts.notna(), numbers)


def _details(cell: object, notation: Notation) -> str:
    """Why a cell is not a number, as far as that is not plain to see."""
    if re.fullmatch(LONG, str(cell)):
        return ", because it has more digits than float64"
    return f" with {notation}" if isinstance(cell, str) and str(notation) else ""


def _remedies(name: str, column: Column, wrong: "pd.Series[Any]") -> str:
    cells = list(dict.fromkeys(map(str, wrong)))
    if column.kind is Kind.date and (formats := with_format_of(column.format, cells[0])):
        return f", or {set_formats(name, formats)}"
    missing = f", {set_missing(cells)}" if len(cells) <= MAX_MARKERS else f", {leave_out(name)}"
    return f"{missing}, or {set_kind(name, Kind.category)}"


def _boolean(values: "pd.Series[Any]", _column: Column) -> Converted:
    if pd.api.types.is_numeric_dtype(values):
        numbers = values.astype("float64")
        return numbers, (numbers.notna() & ~numbers.isin([0.0, 1.0])).to_numpy()
    texts = values.map(lambda cell: BOOLEANS.get(str(cell).lower(), math.nan))
    return texts.astype("float64"), False


def _category(values: "pd.Series[Any]", column: Column) -> Converted:
    texts = to_text(values)
    widths = {len(one) for one in column.categories or []}
    numeric = pd.api.types.is_numeric_dtype(values)
    if len(widths) == 1 and numeric and (values.dropna() % 1 == 0).all():
        # Codes such as 01001, from which a reader took the zeros.
        texts = texts.str.zfill(widths.pop())
    return texts, False


def _date(values: "pd.Series[Any]", column: Column) -> Converted:
    if pd.api.types.is_datetime64_any_dtype(values):
        return pd.to_datetime(values, utc=True).dt.tz_localize(None).astype("datetime64[us]"), False
    return parse_dates(to_text(values), column.format or ISO), False


CONVERSIONS = {
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
