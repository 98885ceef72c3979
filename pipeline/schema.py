"""What the columns of a table are: the contract between a table and whoever reads it.

In a conformed table a numeric or a boolean (0, 1) column is float64 with NaN for missing
values, a category is text (pandas' str, NaN), a date is datetime64[us] (NaT).
"""

import datetime as dt
import json
import math
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray

from pipeline.command import UserError
from pipeline.config import Deviations, Kind, Policy, Reading
from pipeline.places import SCHEMAS

# From a row's position, counted from 0, to how a person finds it: "table.csv, row 3 below
# the header".
Place = Callable[[int], str]
# Which rows, and what is wrong with them.
Deviation = tuple[NDArray[np.bool_], str]

TRUTH = {"true": 1.0, "false": 0.0}
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
# Up to here, float64 has every whole number.
MOST_WHOLE = 2**53


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


@dataclass(frozen=True)
class Contract:
    """What whoever gives rows to the model must keep to: its columns, how the training
    table was written, and what to do about values that are not expected."""

    target: str
    schema: Schema
    reading: Reading
    policies: Deviations

    def kept(self, table: pd.DataFrame, place: Place) -> tuple[pd.DataFrame, list[str]]:
        """The columns of the schema, conformed, and what to warn of. Raises UserError."""
        reading = self.reading
        rows = conform(
            table, self.schema, place,
            missing=reading.missing, decimal=reading.decimal, thousands=reading.thousands,
        )  # fmt: skip
        return rows, deviations(rows, self.schema, self.policies, place)

    def write(self, path: Path) -> None:
        plain = {
            "target": self.target,
            "reading": vars(self.reading),
            "deviations": {name: policy.value for name, policy in vars(self.policies).items()},
            "columns": self.schema.plain(),
        }
        text = json.dumps(plain, indent=1, ensure_ascii=False, allow_nan=False)
        path.write_text(text + "\n", "utf-8")

    @staticmethod
    def read(path: Path) -> "Contract":
        """What `write` wrote. Raises UserError for anything else."""
        with what_train_writes(path):
            plain = json.loads(path.read_text("utf-8"))
            policies = {name: Policy(value) for name, value in plain["deviations"].items()}
            schema = Schema.of(plain["columns"], str(path))
            return Contract(
                plain["target"], schema, Reading(**plain["reading"]), Deviations(**policies)
            )


@contextmanager
def what_train_writes(path: Path) -> Iterator[None]:
    """A file of a model folder that is missing or damaged becomes a UserError."""
    try:
        yield
    except FileNotFoundError as error:
        raise UserError(
            f"{path.parent}: holds no {path.name}; the train stage writes a model folder"
        ) from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: is not what the train stage writes") from error


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
    texts = _texts(values.dropna())
    formats = [day + time for day in FORMATS for time in (TIMES if "%" in day else TIMES[:1])]
    shares = {one: _dates(texts, one).notna().mean() for one in formats}
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
        swapped = _dates(texts, other + str(column.format)[8:])
        if swapped.notna().all() and (swapped != _dates(texts, str(column.format))).any():
            lines.append(
                f"{_file(place)}, column {name!r}: {texts.iloc[0]!r} is read as {column.format},"
                f" but could be {other}; if it is, say so as its format in data/schema/"
            )
    return lines


def _dates(texts: "pd.Series[Any]", date_format: str) -> "pd.Series[Any]":
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
                f"{_file(place)}: has no column {name!r}, which the model reads; it has"
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
    return _texts(values), False


def _texts(values: "pd.Series[Any]") -> "pd.Series[Any]":
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
    texts = _texts(values)
    dates = _dates(texts, column.format or "ISO8601")
    return dates.fillna(_dates(texts[dates.isna()], "ISO8601")), False


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


def deviations(
    table: pd.DataFrame, schema: Schema, policies: Deviations, place: Place
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
            key = f"data.deviations.{kind}"
            mend = f"; mend it, or set {key}=warn in params.yaml and run dvc repro"
            mend = mend if policy is Policy.error else f" ({key})"
            lines[policy].append(f"{_told(table, found, place)}{mend}")
    if lines[Policy.error]:
        raise UserError("\n".join(lines[Policy.error]))
    return lines[Policy.warn]


def _missing_value(values: "pd.Series[Any]", column: Column) -> Deviation | None:
    return None if column.missing else _where(values.isna(), "is missing")


def _unseen_category(values: "pd.Series[Any]", column: Column) -> Deviation | None:
    if column.categories is None:
        return None
    unseen = values.notna() & ~values.isin(column.categories)
    return _where(unseen, "is none of the categories")


def _out_of_range(values: "pd.Series[Any]", column: Column) -> Deviation | None:
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


def _where(which: "pd.Series[bool]", what: str) -> Deviation | None:
    return (which.to_numpy(), what) if which.any() else None


FINDERS = {
    "missing_value": _missing_value,
    "unseen_category": _unseen_category,
    "out_of_range": _out_of_range,
}


def _told(table: pd.DataFrame, found: Mapping[str, Deviation], place: Place) -> str:
    """The first of the deviations of a kind, and where there are others."""
    name, (which, what) = next(iter(found.items()))
    at = int(which.argmax())
    more = int(which.sum()) - 1
    cell = table[name].iloc[at]
    value = "the value" if pd.isna(cell) else f"the value {str(cell)!r}"
    text = f"{place(at)}, column {name!r}: {value} {what}"
    text += f", and {more} more" if more else ""
    others = ", ".join(repr(other) for other in list(found)[1:])
    return f"{text}; likewise in {others}" if others else text


def file_of(source: str) -> Path:
    """Where the schema of a table is kept."""
    return SCHEMAS / f"{Path(source.replace(':', '-').replace('*', '_')).name or 'table'}.yaml"


def text(schema: Schema, source: str) -> str:
    """The file of a schema that was inferred from source."""
    head = (
        f"# What is expected of {source}, as its first reading found it. Edit and commit it:\n"
        "# later rows are held against it. Delete it to have it inferred anew.\n"
    )
    plain = {"path": source, "columns": schema.plain()}
    return head + yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=100)


def known(source: str) -> Schema | None:
    """The schema that is kept of a table, or None where there is none, or it is that of
    another table of the same name. Raises UserError for one that says what no schema can."""
    path = file_of(source)
    if not path.is_file():
        return None
    try:
        plain = yaml.safe_load(path.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(plain, Mapping) or plain.get("path") != source:
        return None
    return Schema.of(plain.get("columns"), str(path))


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


def _file(place: Place) -> str:
    return place(0).rpartition(", row")[0]
