"""Inferring a schema: the kinds of columns, and the values that they are expected to hold."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from pipeline.config.data import Kind
from pipeline.schema.columns import Column, Schema
from pipeline.schema.conversion import BOOLEANS, to_text
from pipeline.schema.dates import infer_format

SAMPLE = 1000  # values of a text column
# The share of numbers above which a text column is numeric.
MIN_NUMBERS = 0.5
# A column of more categories accepts any other, too.
MAX_CATEGORIES = 1000


def infer_schema(table: pd.DataFrame, kinds: Mapping[str, Kind]) -> Schema:
    """The kinds of the columns of a table as it was read, except for those that are given."""
    columns = {}
    for name in table.columns:
        values = table[name]
        kind, date_format = _infer_kind(values)
        given = kinds.get(name)
        if given is not None and given is not kind:
            kind, date_format = (
                given,
                infer_format(to_text(values.dropna())) if given is Kind.date else None,
            )
        columns[name] = Column(kind, bool(values.isna().any()), format=date_format)
    return Schema(columns)


def _infer_kind(values: "pd.Series[Any]") -> tuple[Kind, str | None]:
    types = pd.api.types
    present = values.dropna()
    if types.is_bool_dtype(values):
        return Kind.boolean, None
    if types.is_numeric_dtype(values) or present.empty:
        return Kind.numeric, None
    if types.is_datetime64_any_dtype(values):
        return Kind.date, None
    sample = present.iloc[:: max(1, len(present) // SAMPLE)].astype(str)
    if sample.str.lower().isin(BOOLEANS).all():
        return Kind.boolean, None
    if pd.to_numeric(sample, errors="coerce").notna().mean() > MIN_NUMBERS:
        return Kind.numeric, None
    date_format = infer_format(sample)
    return (Kind.category, None) if date_format is None else (Kind.date, date_format)


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
                observed = {"min": values.min().isoformat(), "max": values.max().isoformat()}
            case Kind.category:
                categories = sorted(values.unique().tolist())
                observed = {"categories": categories if len(categories) <= MAX_CATEGORIES else None}
            case Kind.boolean:
                observed = {}
        columns[name] = replace(columns[name], **observed)
    return Schema(columns)
