"""What the columns of a table are: the contract between a table and whoever reads it.

In a conformed table a numeric or a boolean (0, 1) column is float64 with NaN for missing
values, a category is text (pandas' str, NaN), a date is datetime64[us] (NaT).
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from pipeline.config.data import Kind
from pipeline.schema.columns import Column, Schema
from pipeline.schema.conversion import TRUTH, as_dates, as_texts
from pipeline.schema.location import Place, source_of

# What a text column is taken for if no more of its values disagree.
MOST_DISAGREE = 0.5
LEAST_DATES = 0.9
SAMPLE = 1000
FORMATS = ("ISO8601", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%d-%m-%Y")
# Which of day and month comes first may be told by no value of a column.
SWAPPED = {"%d/%m/%Y": "%m/%d/%Y", "%m/%d/%Y": "%d/%m/%Y"}
TIMES = ("", " %H:%M", " %H:%M:%S")
# Of more categories than these, none is unexpected.
MOST_CATEGORIES = 1000


def infer(table: pd.DataFrame, kinds: Mapping[str, Kind]) -> Schema:
    """What the columns of a table as it was read seem to be; kinds is what is known."""
    columns = {}
    for name in table.columns:
        values = table[name]
        kind, date_format = _guess(values)
        known = kinds.get(name)
        if known is not None and known is not kind:
            kind, date_format = known, _date_format(values) if known is Kind.date else None
        columns[name] = Column(kind, bool(values.isna().any()), format=date_format)
    return Schema(columns)


def _guess(values: "pd.Series[Any]") -> tuple[Kind, str | None]:
    types = pd.api.types
    present = values.dropna()
    if types.is_bool_dtype(values):
        return Kind.boolean, None
    if types.is_numeric_dtype(values) or present.empty:
        return Kind.numeric, None
    if types.is_datetime64_any_dtype(values):
        return Kind.date, None
    sample = present.iloc[:: max(1, len(present) // SAMPLE)].astype(str)
    if sample.str.lower().isin(TRUTH).all():
        return Kind.boolean, None
    if pd.to_numeric(sample, errors="coerce").notna().mean() > MOST_DISAGREE:
        return Kind.numeric, None
    date_format = _date_format(sample)
    return (Kind.category, None) if date_format is None else (Kind.date, date_format)


def _date_format(values: "pd.Series[Any]") -> str | None:
    """The format of (nearly) all of some texts, ISO8601 among them, or None."""
    texts = as_texts(values.dropna())
    formats = [day + time for day in FORMATS for time in (TIMES if "%" in day else TIMES[:1])]
    shares = {one: as_dates(texts, one).notna().mean() for one in formats}
    best = max(shares, key=lambda one: shares[one])
    return best if len(texts) and shares[best] >= LEAST_DATES else None


def doubts(table: pd.DataFrame, schema: Schema, place: Place) -> list[str]:
    """Dates in text that another format reads as other days, a line for each column."""
    lines = []
    for name, column in schema.columns.items():
        other = SWAPPED.get(str(column.format)[:8])
        if column.kind is not Kind.date or other is None or name not in table.columns:
            continue
        texts = table[name].dropna().astype("str")
        swapped = as_dates(texts, other + str(column.format)[8:])
        if swapped.notna().all() and (swapped != as_dates(texts, str(column.format))).any():
            lines.append(
                f"{source_of(place)}, column {name!r}: {texts.iloc[0]!r} is read as"
                f" {column.format}, but could be {other}; if it is, say so as its format"
                " in data/schema/"
            )
    return lines


def observed(
    schema: Schema, train: pd.DataFrame, rows: pd.DataFrame, names: Iterable[str]
) -> Schema:
    """schema with what the named columns of a conformed table have: the categories that
    the training part has, for no other can be learned, and the ranges of all rows, from
    which nothing is."""
    columns = dict(schema.columns)
    for name in names:
        of_kind = train if columns[name].kind is Kind.category else rows
        values = of_kind[name].dropna()
        if values.empty:
            continue
        match columns[name].kind:
            case Kind.numeric:
                seen: dict[str, Any] = {"least": float(values.min()), "most": float(values.max())}
            case Kind.date:
                seen = {"least": values.min().isoformat(), "most": values.max().isoformat()}
            case Kind.category:
                categories = sorted(values.unique().tolist())
                seen = {"categories": categories if len(categories) <= MOST_CATEGORIES else None}
            case Kind.boolean:
                seen = {}
        columns[name] = replace(columns[name], **seen)
    return Schema(columns)
