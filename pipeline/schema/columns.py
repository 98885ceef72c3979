"""The schema of a table: what each of its columns holds."""

import datetime as dt
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pipeline.config.data import Kind
from pipeline.runtime.errors import UserError
from pipeline.schema.dates import FORMAT, Format, is_format, is_of_integers, moment
from pipeline.schema.numbers import Notation, notation

RENAMED = {"least": "min", "most": "max"}
# How the numbers of a column may be written: what each key matches, in words.
NOTATION = {
    "decimal": ("[.,]", "'.' or ','"),
    "thousands": ("[.,' ]|lakh", "'.', ',', an apostrophe, a space or lakh"),
    "unit": (r"\S.{0,30}", "a text such as '%' or 'EUR'"),
}


@dataclass(frozen=True)
class Column:
    """What a column is expected to hold.

    Attributes
    ----------
    kind
        What its values are.
    missing
        Whether values may be missing.
    min, max
        The range of a numeric column as numbers, of a date column as ISO 8601 texts.
    categories
        All categories of a category column.
    format
        The format of dates; see `dates`.
    zone
        Whether dates have a time zone; None if only some have one, or if it is not known.
    decimal, thousands, unit, suffixes
        How the numbers of a numeric column are written, if not with a decimal point alone; see
        `numbers.Notation`.

    """

    kind: Kind
    missing: bool = False
    min: float | str | None = None
    max: float | str | None = None
    categories: list[str] | None = None
    format: Format | None = None
    zone: bool | None = None
    decimal: str | None = None
    thousands: str | None = None
    unit: str | None = None
    suffixes: bool = False

    def notation(self, default: Notation) -> Notation:
        """How its numbers are written; the marks that it leaves open are those of default."""
        decimal, thousands = self.decimal, self.thousands
        if decimal in (None, default.decimal):
            decimal, thousands = default.decimal, thousands or default.thousands
        return notation(decimal, thousands, self.unit, suffixes=self.suffixes)


@dataclass(frozen=True)
class Schema:
    """The columns of a table by name, in the table's order."""

    columns: dict[str, Column]

    def select(self, names: Iterable[str]) -> "Schema":
        """The schema of some of the columns."""
        return Schema({name: self.columns[name] for name in names})

    def texts(self, decimal: str | None) -> set[str]:
        """The columns whose cells are read as text, even if they look like numbers, in a file with
        this decimal mark: categories, numbers with another mark, and dates."""
        return {
            name
            for name, column in self.columns.items()
            if column.kind is Kind.category
            or column.decimal not in (None, decimal)
            or (column.kind is Kind.date and not is_of_integers(column.format))
        }

    def to_dict(self) -> dict[str, Any]:
        """Plain values for YAML and JSON, without the defaults."""
        fields = Column.__dataclass_fields__
        return {
            name: {
                key: value.value if isinstance(value, Kind) else value
                for key, value in asdict(column).items()
                if value is not fields[key].default
            }
            for name, column in self.columns.items()
        }

    @staticmethod
    def from_dict(plain: Any, source: str) -> "Schema":
        """The inverse of `to_dict`. Raises UserError, which names source and column."""
        if not isinstance(plain, Mapping):
            raise UserError(f"{source}: must map each column to its expected content")
        return Schema({str(name): _column(str(name), item, source) for name, item in plain.items()})


def _column(name: str, plain: Any, source: str) -> Column:
    fields = Column.__dataclass_fields__
    kinds = ", ".join(kind.value for kind in Kind)
    where = f"{source}, column {name!r}"
    if not isinstance(plain, Mapping) or "kind" not in plain:
        raise UserError(f"{where}: has no kind; it is one of {kinds}")
    unknown = [key for key in plain if key not in fields]
    for key in [key for key in unknown if key in RENAMED][:1]:
        raise UserError(f"{where}: the key {key!r} was renamed to {RENAMED[key]!r}")
    if unknown:
        raise UserError(f"{where}: unknown key {unknown[0]!r}; known are {', '.join(fields)}")
    try:
        kind = Kind(plain["kind"])
    except ValueError:
        raise UserError(f"{where}: kind is {plain['kind']!r}, but must be one of {kinds}") from None
    # YAML reads an unquoted date as one, which JSON does not have.
    given: dict[str, Any] = {
        key: str(value) if isinstance(value, dt.date) else value
        for key, value in plain.items()
        if value is not None
    }
    for key, must_be in _problems(kind, given):
        raise UserError(f"{where}: {key} is {given[key]!r}, but must be {must_be}")
    return Column(**(given | {"kind": kind}))


def _problems(kind: Kind, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each key whose value is not of its type, and what it must be."""
    for key in ("missing", "zone", "suffixes"):
        if not isinstance(given.get(key, False), bool):
            yield key, "true or false"
    for key in [key for key in ("min", "max") if key in given]:
        if kind is Kind.category:
            yield key, "left out: categories have no order"
        elif kind is Kind.date and not _is_date(given[key]):
            yield key, "a date such as '2024-03-21' or a time such as '16:24', without a time zone"
        elif kind is not Kind.date and not _is_number(given[key]):
            yield key, "a number"
    categories = given.get("categories", [])
    if not (isinstance(categories, list) and all(isinstance(one, str) for one in categories)):
        yield "categories", "a list of texts; quote those that YAML reads as another type"
    if "format" in given and not is_format(given["format"]):
        yield "format", FORMAT
    yield from _notation_problems(kind, given)


def _notation_problems(kind: Kind, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key in [key for key in NOTATION if key in given]:
        if kind is not Kind.numeric:
            yield key, "left out: only numbers have it"
        elif not re.fullmatch(NOTATION[key][0], str(given[key])):
            yield key, NOTATION[key][1]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_date(value: Any) -> bool:
    try:
        return isinstance(value, str) and moment(value).tz is None
    except ValueError:
        return False
