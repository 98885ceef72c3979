"""What the columns of a table are: the contract between a table and whoever reads it.

In a conformed table a numeric or a boolean (0, 1) column is float64 with NaN for missing
values, a category is text (pandas' str, NaN), a date is datetime64[us] (NaT).
"""

import json
import math
import re
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pandas as pd

from pipeline.config.data import Kind
from pipeline.runtime.errors import UserError
from pipeline.schema.columns import Column, Schema
from pipeline.schema.location import Place, source_of

TRUTH = {"true": 1.0, "false": 0.0}
# Up to here, float64 has every whole number.
MOST_WHOLE = 2**53


def as_dates(texts: "pd.Series[Any]", date_format: str) -> "pd.Series[Any]":
    # To pandas these are the time of reading, whatever the format.
    texts = texts.mask(texts.isin(["now", "today"]))
    dates = pd.to_datetime(texts, format=date_format, errors="coerce", utc=True)
    return dates.dt.tz_localize(None).astype("datetime64[us]")


def unmarked(values: "pd.Series[Any]", missing: Sequence[str]) -> "pd.Series[Any]":
    """A column as it was read, without the texts that stand for a missing value; of numbers,
    without those of the texts that are numbers (-99.0 as well as -99)."""
    marks: list[Any] = list(missing)
    if pd.api.types.is_numeric_dtype(values):
        codes = pd.to_numeric(pd.Series(marks, dtype="str"), errors="coerce")
        marks = codes[np.isfinite(codes)].tolist()
    if not marks or pd.api.types.is_bool_dtype(values):
        return values
    gone = values.isin(marks)
    return values.mask(gone) if gone.any() else values


def conform(
    table: pd.DataFrame,
    schema: Schema,
    place: Place,
    *,
    missing: Sequence[str] = (),
    inferred: Collection[str] = (),
    decimal: str | None = None,
    thousands: str | None = None,
) -> pd.DataFrame:
    """The columns of schema, each of the type of its kind; missing are the texts that
    stand for a missing value, inferred the columns whose kind was only a guess, decimal
    and thousands the marks in numbers that are still text.

    Raises UserError for a column that the table lacks, and for a cell that is not what
    the column holds, naming row, column and value.
    """
    columns = {}
    for name, column in schema.columns.items():
        if name not in table.columns:
            raise UserError(
                f"{source_of(place)}: has no column {name!r}, which the model reads; it has"
                f" {named(table)}"
            )
        values = unmarked(table[name], missing)
        if column.kind is Kind.numeric and (decimal not in (None, ".") or thousands):
            values = _plain_numbers(values, decimal or ".", thousands or "")
        made, wrong = CONVERSIONS[column.kind](values, column)
        bad = (made.isna() & values.notna()).to_numpy() | wrong
        if bad.any():
            at = int(bad.argmax())
            what = WORDS[column.kind].format(column.format or "ISO8601")
            guessed = name in inferred and made.isna().iloc[at]
            raise UserError(
                f"{place(at)}, column {name!r}: {str(values.iloc[at])!r} is {what}; mend it"
                + (_hint(name) if guessed else "")
            )
        columns[name] = made
    # Without copying what is of the right type already.
    return pd.DataFrame(columns, index=table.index, copy=False)


def _plain_numbers(values: "pd.Series[Any]", decimal: str, thousands: str) -> "pd.Series[Any]":
    """Numbers that are text as Python writes them."""
    if pd.api.types.is_numeric_dtype(values) or pd.api.types.is_datetime64_any_dtype(values):
        return values
    return values.map(
        lambda cell: (
            cell.replace(thousands, "").replace(decimal, ".") if isinstance(cell, str) else cell
        )
    )


def _numeric(values: "pd.Series[Any]", _column: Column) -> tuple["pd.Series[Any]", Any]:
    if pd.api.types.is_datetime64_any_dtype(values):
        return pd.Series(math.nan, values.index), False
    numbers = values
    if values.dtype != "float64":
        numbers = pd.to_numeric(values, errors="coerce").astype("float64")
    # The network computes in float32, so what that cannot hold is infinite as well.
    return numbers, (numbers.abs() > np.finfo(np.float32).max).to_numpy()


def _boolean(values: "pd.Series[Any]", _column: Column) -> tuple["pd.Series[Any]", Any]:
    if pd.api.types.is_numeric_dtype(values):
        numbers = values.astype("float64")
        return numbers, (numbers.notna() & ~numbers.isin([0.0, 1.0])).to_numpy()
    return values.map(lambda cell: TRUTH.get(str(cell).lower(), math.nan)).astype("float64"), False


def _category(values: "pd.Series[Any]", _column: Column) -> tuple["pd.Series[Any]", Any]:
    return as_texts(values), False


def as_texts(values: "pd.Series[Any]") -> "pd.Series[Any]":
    present = values.dropna()
    if pd.api.types.is_float_dtype(values) and (
        ((present % 1 == 0) & (present.abs() < MOST_WHOLE)).all()
    ):
        # 70, not 70.0, which is what a column of whole numbers becomes by a missing one.
        values = values.astype("Int64")
    return values.astype("str").where(values.notna())


def _date(values: "pd.Series[Any]", column: Column) -> tuple["pd.Series[Any]", Any]:
    if pd.api.types.is_datetime64_any_dtype(values):
        return pd.to_datetime(values, utc=True).dt.tz_localize(None).astype("datetime64[us]"), False
    # ISO 8601 has but one meaning, so that it is understood beside any format.
    texts = as_texts(values)
    dates = as_dates(texts, column.format or "ISO8601")
    return dates.fillna(as_dates(texts[dates.isna()], "ISO8601")), False


CONVERSIONS = {
    Kind.numeric: _numeric,
    Kind.boolean: _boolean,
    Kind.category: _category,
    Kind.date: _date,
}
WORDS = {
    Kind.numeric: "no finite number of float32",
    Kind.boolean: "neither true nor false",
    Kind.category: "no text",
    Kind.date: "no date of the format {}",
}
HINT = ", add it to data.reading.missing if it stands for a missing value, or "


def named(table: pd.DataFrame, most: int = 20) -> str:
    """The names of the columns, or of the first of very many."""
    names = [str(name) for name in table.columns]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _hint(name: str) -> str:
    if re.fullmatch(r"[a-z_]\w*", name, re.ASCII | re.IGNORECASE):
        return f"{HINT}set data.kinds={{{name}: category}}"
    # YAML takes any name in quotes as a key, Hydra's command line does not.
    quoted = json.dumps(name, ensure_ascii=False)
    return f"{HINT}write kinds: {{{quoted}: category}} under data in params.yaml"
