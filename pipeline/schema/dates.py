"""Dates: the format that a column of texts is written in, and reading texts by it."""

from typing import Any

import pandas as pd

from pipeline.config.data import Kind
from pipeline.schema.columns import Schema
from pipeline.schema.location import Locate

# The share of dates from which a column of texts is one of dates.
MIN_DATES = 0.9
FORMATS = ("ISO8601", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%d-%m-%Y")
# The values of a column may leave it open whether the day or the month comes first.
SWAPPED = {"%d/%m/%Y": "%m/%d/%Y", "%m/%d/%Y": "%d/%m/%Y"}
TIMES = ("", " %H:%M", " %H:%M:%S")


def parse_dates(texts: "pd.Series[Any]", date_format: str) -> "pd.Series[Any]":
    """Texts as datetime64[us] in UTC, NaT where one is not of the format."""
    # pandas reads these as the current time, whatever the format.
    texts = texts.mask(texts.isin(["now", "today"]))
    dates = pd.to_datetime(texts, format=date_format, errors="coerce", utc=True)
    return dates.dt.tz_localize(None).astype("datetime64[us]")


def infer_format(texts: "pd.Series[Any]") -> str | None:
    """The format that most texts are dates of, if it is nearly all of them; else None."""
    formats = [day + time for day in FORMATS for time in (TIMES if "%" in day else TIMES[:1])]
    shares = {one: parse_dates(texts, one).notna().mean() for one in formats}
    best = max(shares, key=lambda one: shares[one])
    return best if len(texts) and shares[best] >= MIN_DATES else None


def ambiguous_dates(table: pd.DataFrame, schema: Schema, locate: Locate) -> list[str]:
    """A warning for each column of text dates that are other days if day and month are swapped."""
    lines = []
    for name, column in schema.columns.items():
        other = SWAPPED.get(str(column.format)[:8])
        if column.kind is not Kind.date or other is None or name not in table.columns:
            continue
        texts = table[name].dropna().astype("str")
        swapped = parse_dates(texts, other + str(column.format)[8:])
        if swapped.notna().all() and (swapped != parse_dates(texts, str(column.format))).any():
            lines.append(
                f"{locate(0).source}, column {name!r}: {texts.iloc[0]!r} is read as"
                f" {column.format}, but could be {other}; if it is, set the column's format in"
                " data/schema/"
            )
    return lines
