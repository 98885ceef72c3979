"""What the columns of a table are: the contract between a table and whoever reads it.

In a conformed table a numeric or a boolean (0, 1) column is float64 with NaN for missing
values, a category is text (pandas' str, NaN), a date is datetime64[us] (NaT).
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.config.data import Kind, Policy, Violations
from pipeline.runtime.errors import UserError
from pipeline.schema.columns import Column, Schema
from pipeline.schema.location import Place

# Which rows, and what is wrong with them.
Violation = tuple[NDArray[np.bool_], str]


def violations(
    table: pd.DataFrame, schema: Schema, policies: Violations, place: Place
) -> list[str]:
    """What a conformed table has that schema does not expect and policies warn of, a line
    for each kind of it. Raises UserError with those that are errors."""
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
            mend = f"; mend it, or set {key}=warn in params.yaml and run dvc repro"
            mend = mend if policy is Policy.error else f" ({key})"
            lines[policy].append(f"{_told(table, found, place)}{mend}")
    if lines[Policy.error]:
        raise UserError("\n".join(lines[Policy.error]))
    return lines[Policy.warn]


def _missing_value(values: "pd.Series[Any]", column: Column) -> Violation | None:
    return None if column.missing else _where(values.isna(), "is missing")


def _unseen_category(values: "pd.Series[Any]", column: Column) -> Violation | None:
    if column.categories is None:
        return None
    unseen = values.notna() & ~values.isin(column.categories)
    return _where(unseen, "is none of the categories")


def _out_of_range(values: "pd.Series[Any]", column: Column) -> Violation | None:
    least, most = column.least, column.most
    of_kind: Callable[[Any], Any] = pd.Timestamp if column.kind is Kind.date else float
    outside = pd.Series(data=False, index=values.index)
    if least is not None:
        outside |= values < of_kind(least)
    if most is not None:
        outside |= values > of_kind(most)
    where = f"below {least}" if most is None else f"above {most}"
    if least is not None and most is not None:
        where = f"not within {least} to {most}"
    return _where(outside, f"is {where}")


def _where(which: "pd.Series[bool]", what: str) -> Violation | None:
    return (which.to_numpy(), what) if which.any() else None


FINDERS = {
    "missing_value": _missing_value,
    "unseen_category": _unseen_category,
    "out_of_range": _out_of_range,
}


def _told(table: pd.DataFrame, found: Mapping[str, Violation], place: Place) -> str:
    """The first of the violations of a kind, and where there are others."""
    name, (which, what) = next(iter(found.items()))
    at = int(which.argmax())
    more = int(which.sum()) - 1
    cell = table[name].iloc[at]
    value = "the value" if pd.isna(cell) else f"the value {str(cell)!r}"
    text = f"{place(at)}, column {name!r}: {value} {what}"
    text += f", and {more} more" if more else ""
    others = ", ".join(repr(other) for other in list(found)[1:])
    return f"{text}; likewise in {others}" if others else text
