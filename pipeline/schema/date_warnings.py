"""Warnings of dates that can be read in two ways, and of text that is nearly dates."""

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from pipeline.config.data import Kind
from pipeline.runtime.errors import UserError
from pipeline.schema.columns import Schema
from pipeline.schema.dates import (
    GLANCE,
    ISO,
    MIN_DATES,
    Format,
    are_seasons,
    as_list,
    have_zones,
    infer_format,
    is_swapped,
    layouts,
    looks_like_date,
    parse_dates,
    sample_of,
)
from pipeline.schema.location import Locate
from pipeline.schema.numbers import MIN_DIFFERENT
from pipeline.schema.remedy import set_formats, set_kind, set_missing

MIN_SHARE = 0.5  # of dates or durations
CLOCKS = ["%H:%M", "%H:%M:%S"]
DURATION = r"^\d+:[0-5]\d(?::[0-5]\d)?(?:[.,]\d+)?$"
ISO_DAY = r"^\d{4}-\d\d-\d\d"
# The position of a text, and what to say about it.
Warnings = Iterator[tuple[int, str]]


def date_warnings(table: pd.DataFrame, schema: Schema, locate: Locate) -> list[str]:
    """A line for each doubt about columns of dates, and for each category that may be one of
    dates or durations.

    Parameters
    ----------
    table
        The cells as they were read, missing values marked.
    schema
        Columns whose kind and format were inferred; the table conforms to it.
    locate
        Where a person finds a row.

    """
    lines = []
    for name, column in schema.columns.items():
        find = {Kind.date: _of_dates, Kind.category: _of_categories}.get(column.kind)
        if find is None or table[name].dtype != "str":
            continue
        texts = table[name].dropna().reset_index(drop=True)
        positions = np.flatnonzero(table[name].notna())
        lines += [
            f"{locate(int(positions[at]))}, column {name!r}: {texts.iloc[at]!r} {what}"
            for at, what in find(texts, name, column.format)
        ]
    return lines


def missing_zones(table: pd.DataFrame, schema: Schema, locate: Locate) -> list[str]:
    """A line for each column of dates of which only some have a time zone. Raises UserError if
    one has a zone that the schema does not expect, or has none."""
    lines = []
    for name, column in schema.columns.items():
        if column.kind is not Kind.date:
            continue
        zoned = have_zones(table[name]).to_numpy()
        wrong = zoned != (zoned.any() if column.zone is None else column.zone)
        if not wrong.any():
            continue
        positions = np.flatnonzero(table[name].notna())
        cells = table[name].iloc[positions].astype("str")
        at = int(wrong.argmax())
        where = f"{locate(int(positions[at]))}, column {name!r}: {cells.iloc[at]!r}"
        if column.zone is None:
            lines.append(
                f"{where} has no time zone and is read as universal time, but"
                f" {cells.iloc[zoned.argmax()]!r} has one; write it in all cells or in none"
            )
        elif column.zone:
            raise UserError(
                f"{where} has no time zone, but the column has one in the schema; write it, such as"
                " Z for universal time"
            )
        else:
            raise UserError(
                f"{where} has a time zone, but the column has none in the schema; write the local"
                " time without it"
            )
    return lines


def _of_dates(texts: "pd.Series[Any]", name: str, date_format: Format | None) -> Warnings:
    formats = as_list(date_format)
    written = " or ".join(formats)
    if ISO in formats:
        return
    iso = texts.str.contains(ISO_DAY)
    if iso.any() and "%Y-%m-%d" not in written:
        yield (
            _first(iso),
            (
                f"is read as ISO 8601 beside dates of the format {written}; if both are right,"
                f" {set_formats(name, [*formats, ISO])}"
            ),
        )
    # With points, or if the year comes first, one order only is usual.
    days = {one.day for one in layouts(sample_of(texts)) if not re.search(r"^ISO|^%Y|\.", one.day)}
    if len(days) == 1:
        return
    dates = parse_dates(texts, formats)
    others = [
        one
        for one in layouts(texts, days)
        if one.dates.notna().all() and (one.dates != dates).any()
    ]
    if others:
        could_be = " or ".join(" or ".join(one.formats) for one in others)
        yield (
            _first(others[0].dates != dates),
            (
                f"is read as {written}, but could be {could_be}; if it is,"
                f" {set_formats(name, others[0].formats)}"
            ),
        )


def _of_categories(texts: "pd.Series[Any]", name: str, _: Format | None) -> Warnings:
    sample = sample_of(texts)
    keep = f"{set_kind(name, Kind.category)} to keep it"
    if are_seasons(sample):
        month = set_formats(name, ["%Y-%m"])
        yield 0, f"is read as text, a season of two years; if it is a month, {month}, or {keep}"
        return
    if sample.str.contains(DURATION).mean() >= MIN_SHARE:
        yield (
            _first(parse_dates(texts, CLOCKS).isna()),
            (
                "is no time of day, so the column, which may hold durations, is read as text; write"
                f" them as numbers, or {keep}"
            ),
        )
        return
    found = layouts(sample)
    if any(one.share == 1 for one in found):
        sample = texts
        found = layouts(texts)
    found.sort(key=lambda one: -one.share)
    formats: list[str] = []
    dates = pd.Series(pd.NaT, sample.index, dtype="datetime64[us]")
    for one in found:
        # Times of day are not read beside dates.
        alike = bool(one.day) == bool(found[0].day)
        if alike and one.dates[dates.isna()].notna().any():
            dates = dates.fillna(one.dates)
            # Cells that are dates in both orders would be read in the first.
            formats += [each for each in one.formats if not is_swapped(each, formats)]
    if dates.isna().all() and (rare := _rare_format(sample)):
        format_ = f"{rare}; if it is, {set_formats(name, as_list(rare))}, or {keep}"
        yield 0, f"is read as text, but could be a date of the format {format_}"
    if not found or dates.notna().mean() < MIN_SHARE or found[0].dates.notna().all():
        return
    written, at = found[0].formats, sample.index[_first(found[0].dates.isna())]
    remedy = "fix it"
    if formats != written:
        remedy = set_formats(name, formats)
    elif not looks_like_date(texts[at]):
        remedy = set_missing([texts[at]])
    yield (
        at,
        (
            f"is not a date of the format {' or '.join(written)}, as other cells are, so the column"
            f" is read as text; {remedy}, or {keep}"
        ),
    )


def _rare_format(texts: "pd.Series[Any]") -> Format | None:
    """The format of dates that texts are written in, if they are different."""
    glance = texts.iloc[:: max(1, len(texts) // GLANCE)]
    if glance.str.contains(r"\d").mean() < MIN_DATES or texts.nunique() < MIN_DIFFERENT:
        return None
    return infer_format(texts, given=True) if infer_format(glance, given=True) else None


def _first(which: "pd.Series[bool]") -> int:
    return int(which.to_numpy().argmax())
