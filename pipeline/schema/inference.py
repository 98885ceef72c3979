"""Inferring a schema: the kinds of columns, and the values that they are expected to hold."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline.config.data import Kind
from pipeline.runtime.errors import UserError
from pipeline.schema.columns import Column, Schema
from pipeline.schema.conversion import BOOLEANS
from pipeline.schema.dates import (
    ISO,
    Format,
    have_zones,
    infer_format,
    integer_format,
    is_clock,
    parse_dates,
    sample_of,
)
from pipeline.schema.location import Locate, by_position
from pipeline.schema.numbers import (
    MAX_EXACT_INTEGER,
    MIN_NUMBERS,
    Marks,
    Notation,
    UndecidedError,
    are_codes,
    blanks_beside_numbers,
    infer_notation,
)
from pipeline.schema.remedy import set_formats, set_kind, set_missing

MARKS = Marks()
NO_FORMATS: Mapping[str, Format] = {}
# A column of more categories accepts any other, too.
MAX_CATEGORIES = 1000


def infer_schema(
    table: pd.DataFrame,
    kinds: Mapping[str, Kind],
    locate: Locate = by_position,
    *,
    marks: Marks = MARKS,
    names: Collection[str] | None = None,
    target: str | None = None,
    formats: Mapping[str, Format] = NO_FORMATS,
) -> Schema:
    """The schema of a table as it was read.

    Parameters
    ----------
    table
        The cells, missing values marked.
    kinds
        The kinds of some of the columns; those of the others are inferred.
    locate
        Where a person finds a row, for the error.
    marks
        Those in the numbers of the file.
    names
        The columns that are used; all by default.
    target
        A column of numbers: leading zeros make no codes of them, and integers are no dates.
    formats
        The formats of columns of dates, as far as they are given.

    Raises
    ------
    UserError
        For a used column of numbers that can be read in two ways, for one in which most cells
        seem to stand for missing values, and for dates in no known format.

    """
    columns = {}
    for name in table.columns:
        values = table[name]
        given = Kind.numeric if name == target and _are_numbers(values) else None
        given = kinds.get(name, given)
        try:
            if given is Kind.date and name in formats:
                column = Column(given, format=formats[name])
            else:
                column = _infer(values, given, marks)
        except _DoubtError as doubt:
            if names is not None and name not in names:
                column = Column(Kind.category)
            else:
                raise UserError(doubt.message(name, values, locate)) from None
        zoned = have_zones(values).unique().tolist() if column.kind is Kind.date else []
        zone = zoned[0] if len(zoned) == 1 else None
        columns[name] = replace(column, missing=bool(values.isna().any()), zone=zone)
    return Schema(columns)


class _DoubtError(Exception):
    """A cell of a column, at a position among those that are not missing, leaves it open what the
    column holds."""

    def __init__(self, position: int, what: str, remedy: str) -> None:
        super().__init__(what)
        self.position, self.what, self.remedy = position, what, remedy

    def message(self, name: str, values: "pd.Series[Any]", locate: Locate) -> str:
        at = int(np.flatnonzero(values.notna())[self.position])
        cell = repr(str(values.iloc[at]))
        category = set_kind(name, Kind.category)
        return f"{locate(at)}, column {name!r}: {cell} {self.what}; {self.remedy}, or {category}"


def _infer(values: "pd.Series[Any]", given: Kind | None, marks: Marks) -> Column:
    """The kind of a column, if it is not given, and how its values are written."""
    types = pd.api.types
    if types.is_numeric_dtype(values) or values.isna().all():
        return _infer_numbers(values, given, marks)
    if types.is_datetime64_any_dtype(values):
        return Column(given or Kind.date)
    texts = values.dropna().astype("str").reset_index(drop=True)
    match given:
        case Kind.numeric:
            return _numeric(_infer_notation(texts, marks) or marks.notation, marks)
        case Kind.date:
            return Column(Kind.date, format=_given_format(texts))
        case None:
            return _infer_text(texts, marks)
    return Column(given)


def _infer_numbers(values: "pd.Series[Any]", given: Kind | None, marks: Marks) -> Column:
    date_format = integer_format(values) if given in (None, Kind.date) else None
    kind = given or (Kind.date if date_format else _kind_of_numbers(values))
    if kind is Kind.numeric:
        return _numeric(marks.notation, marks)
    return Column(kind, format=date_format)


def _kind_of_numbers(values: "pd.Series[Any]") -> Kind:
    if pd.api.types.is_bool_dtype(values):
        return Kind.boolean
    # Integers that float64 rounds number something.
    integers = pd.api.types.is_integer_dtype(values)
    rounded = integers and (values.abs() > MAX_EXACT_INTEGER).mean() > MIN_NUMBERS
    return Kind.category if rounded else Kind.numeric


def _infer_text(texts: "pd.Series[Any]", marks: Marks) -> Column:
    if sample_of(texts).str.lower().isin(BOOLEANS).all():
        return Column(Kind.boolean)
    date_format = infer_format(texts)
    if date_format is not None:
        return Column(Kind.date, format=date_format)
    cells = pa.array(texts)
    if are_codes(cells):
        return Column(Kind.category)
    notation = _infer_notation(texts, marks)
    if notation is not None:
        return _numeric(notation, marks)
    blank = blanks_beside_numbers(cells)
    if blank is not None:
        found = texts[blank.to_numpy(zero_copy_only=False)]
        count = int((found == found.iloc[0]).sum())
        at = int(found.index[0])
        what = f"is in {count} of {len(texts)} cells, beside numbers"
        raise _DoubtError(at, what, set_missing(found.unique().tolist()))
    return Column(Kind.category)


def _infer_notation(texts: "pd.Series[Any]", marks: Marks) -> Notation | None:
    try:
        return infer_notation(pa.array(texts), marks)
    except UndecidedError as error:
        digits = re.sub("[^0-9.,]", "", error.number).strip(".,")
        point, whole = digits.replace(",", "."), re.sub("[.,]", "", digits)
        this, other = (".", ",") if "." in digits else (",", ".")
        raise _DoubtError(
            error.position,
            f"is {point} or {whole}",
            f"write reading: {{decimal: {this!r}}} or reading: {{decimal: {other!r}}} under data in"
            " params.yaml",
        ) from None


def _given_format(texts: "pd.Series[Any]") -> Format | None:
    """The format of texts that are given to be dates."""
    date_format = infer_format(texts, given=True)
    unread = parse_dates(texts, date_format or ISO).isna()
    if date_format is None and unread.any():
        raise _DoubtError(
            int(unread.argmax()),
            "is in no format of dates that is known",
            f"{set_formats(str(texts.name), ['%d.%m.%Y'])}, with the format that it has",
        )
    return date_format


def _numeric(how: Notation, marks: Marks) -> Column:
    plain = how.decimal == marks.decimal == MARKS.decimal
    decimal = None if plain else how.decimal
    written = {key: getattr(how, key) for key in ("thousands", "unit", "suffixes")}
    return Column(Kind.numeric, decimal=decimal, **written)


def _are_numbers(values: "pd.Series[Any]") -> bool:
    numeric = pd.api.types.is_numeric_dtype(values)
    return _are_codes(values) or (numeric and _kind_of_numbers(values) is Kind.numeric)


def _are_codes(values: "pd.Series[Any]") -> bool:
    return values.dtype == "str" and are_codes(pa.array(values.dropna()))


def with_observed_values(
    schema: Schema, train: pd.DataFrame, rows: pd.DataFrame, names: Iterable[str]
) -> Schema:
    """The schema with the values that the named columns have: the categories in the training
    part, because no other can be learned, and the ranges in all rows, because nothing is
    fitted to them. Both tables are conformed."""
    columns = dict(schema.columns)
    for name in names:
        kind = columns[name].kind
        values = (train if kind is Kind.category else rows)[name].dropna()
        if values.empty:
            continue
        match kind:
            case Kind.numeric:
                observed: dict[str, Any] = {"min": float(values.min()), "max": float(values.max())}
            case Kind.date:
                ends = [values.min(), values.max()]
                if is_clock(columns[name].format):
                    ends = [end.time() for end in ends]
                observed = {"min": ends[0].isoformat(), "max": ends[1].isoformat()}
            case Kind.category:
                categories = sorted(values.unique().tolist())
                observed = {"categories": categories if len(categories) <= MAX_CATEGORIES else None}
            case Kind.boolean:
                observed = {}
        columns[name] = replace(columns[name], **observed)
    return Schema(columns)
