"""Values that the schema does not expect, and the policy for each kind of them."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.config.data import Kind, Policy, Violations
from pipeline.runtime.errors import UserError
from pipeline.schema.columns import Column, Schema
from pipeline.schema.dates import is_clock, moment
from pipeline.schema.location import Locate

# Which rows, (rows,), and what is wrong with them.
Violation = tuple[NDArray[np.bool_], str]


def check_violations(
    table: pd.DataFrame, schema: Schema, policies: Violations, locate: Locate
) -> list[str]:
    """A warning for each kind of violation in a conformed table, if its policy is to warn.
    Raises UserError with a line for each kind whose policy is error."""
    lines: dict[Policy, list[str]] = {policy: [] for policy in Policy}
    for kind, find in FINDERS.items():
        found = {
            name: one
            for name, column in schema.columns.items()
            if (one := find(table[name], column)) is not None
        }
        if found:
            policy = getattr(policies, kind)
            key = f"data.violations.{kind}"
            remedy = f"; fix it, or set {key}=warn in params.yaml and run dvc repro"
            remedy = remedy if policy is Policy.error else f" ({key})"
            lines[policy].append(f"{_describe(table, schema, found, locate)}{remedy}")
    if lines[Policy.error]:
        raise UserError("\n".join(lines[Policy.error]))
    return lines[Policy.warn]


def _missing_value(values: "pd.Series[Any]", column: Column) -> Violation | None:
    return None if column.missing else _violation(values.isna(), "is missing")


def _unseen_category(values: "pd.Series[Any]", column: Column) -> Violation | None:
    if column.categories is None:
        return None
    unseen = values.notna() & ~values.isin(column.categories)
    return _violation(unseen, "is not one of the categories")


def _out_of_range(values: "pd.Series[Any]", column: Column) -> Violation | None:
    low, high = column.min, column.max
    convert: Callable[[Any], Any] = moment if column.kind is Kind.date else float
    outside = pd.Series(data=False, index=values.index)
    if low is not None:
        outside |= values < convert(low)
    if high is not None:
        outside |= values > convert(high)
    what = f"below {low}" if high is None else f"above {high}"
    if low is not None and high is not None:
        what = f"not within {low} to {high}"
    return _violation(outside, f"is {what}")


def _violation(rows: "pd.Series[bool]", what: str) -> Violation | None:
    return (rows.to_numpy(), what) if rows.any() else None


FINDERS = {
    "missing_value": _missing_value,
    "unseen_category": _unseen_category,
    "out_of_range": _out_of_range,
}


def _describe(
    table: pd.DataFrame, schema: Schema, found: Mapping[str, Violation], locate: Locate
) -> str:
    """The first violation of a kind, and which other columns have some."""
    name, (rows, what) = next(iter(found.items()))
    at = int(rows.argmax())
    more = int(rows.sum()) - 1
    cell = table[name].iloc[at]
    if is_clock(schema.columns[name].format) and not pd.isna(cell):
        cell = cell.time()
    value = "the value" if pd.isna(cell) else f"the value {str(cell)!r}"
    text = f"{locate(at)}, column {name!r}: {value} {what}"
    text += f", and {more} more" if more else ""
    others = ", ".join(repr(other) for other in list(found)[1:])
    return f"{text}; likewise in {others}" if others else text
