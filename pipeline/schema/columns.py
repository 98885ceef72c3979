"""What the columns of a table are: the contract between a table and whoever reads it.

In a conformed table a numeric or a boolean (0, 1) column is float64 with NaN for missing
values, a category is text (pandas' str, NaN), a date is datetime64[us] (NaT).
"""

import datetime as dt
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from pipeline.config.data import Kind
from pipeline.runtime.errors import UserError


@dataclass(frozen=True)
class Column:
    """What is expected of a column: whether values may be missing; the least and the most
    value, of a numeric column numbers, of a date column ISO 8601 texts; the categories of a
    category column; the strptime format of dates that are not ISO 8601."""

    kind: Kind
    missing: bool = False
    least: float | str | None = None
    most: float | str | None = None
    categories: list[str] | None = None
    format: str | None = None


@dataclass(frozen=True)
class Schema:
    """The columns of a table by name, in the table's order."""

    columns: dict[str, Column]

    def only(self, names: Iterable[str]) -> "Schema":
        """That of some of the columns."""
        return Schema({name: self.columns[name] for name in names})

    def plain(self) -> dict[str, Any]:
        """As YAML and JSON hold it: what is not expected is left out."""
        return {
            name: {
                key: value.value if isinstance(value, Kind) else value
                for key, value in asdict(column).items()
                if value is not None and value is not False
            }
            for name, column in self.columns.items()
        }

    @staticmethod
    def of(plain: Any, source: str) -> "Schema":
        """The schema that `plain` gave. Raises UserError, naming source and column."""
        if not isinstance(plain, Mapping):
            raise UserError(f"{source}: must map columns to what is expected of them")
        return Schema({str(name): _column(str(name), item, source) for name, item in plain.items()})


def _column(name: str, plain: Any, source: str) -> Column:
    known = Column.__dataclass_fields__
    kinds = ", ".join(kind.value for kind in Kind)
    if not isinstance(plain, Mapping) or "kind" not in plain:
        raise UserError(f"{source}, column {name!r}: has no kind; it is one of {kinds}")
    unknown = [key for key in plain if key not in known]
    if unknown:
        raise UserError(
            f"{source}, column {name!r}: unknown key {unknown[0]!r}; known are {', '.join(known)}"
        )
    try:
        kind = Kind(plain["kind"])
    except ValueError:
        raise UserError(
            f"{source}, column {name!r}: kind is {plain['kind']!r}, but must be one of {kinds}"
        ) from None
    # An unquoted date is YAML's own, which JSON does not have.
    stated: dict[str, Any] = {
        key: str(value) if isinstance(value, dt.date) else value
        for key, value in plain.items()
        if value is not None
    }
    for key, must in _faults(kind, stated):
        raise UserError(f"{source}, column {name!r}: {key} is {stated[key]!r}, but must be {must}")
    return Column(**(stated | {"kind": kind}))


def _faults(kind: Kind, stated: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each key whose value is not of its type, and what it must be."""
    if not isinstance(stated.get("missing", False), bool):
        yield "missing", "true or false"
    for key in [key for key in ("least", "most") if key in stated]:
        if kind is Kind.category:
            yield key, "left out: categories have no order"
        elif kind is Kind.date and not _is_date(stated[key]):
            yield key, "a date such as '2024-03-21', without a zone"
        elif kind is not Kind.date and not _is_number(stated[key]):
            yield key, "a number"
    categories = stated.get("categories", [])
    if not (isinstance(categories, list) and all(isinstance(one, str) for one in categories)):
        yield "categories", "a list of texts; quote those that YAML takes for something else"
    if "format" in stated and not _is_format(stated["format"]):
        yield "format", "ISO8601 or one of strptime, such as '%d.%m.%Y'"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_date(value: Any) -> bool:
    try:
        return isinstance(value, str) and pd.Timestamp(value).tz is None
    except ValueError:
        return False


def _is_format(value: Any) -> bool:
    try:
        pd.to_datetime(["2024"], format=value, errors="coerce")
    except (TypeError, ValueError):
        return False
    return isinstance(value, str)
