"""Checks of a table before training: leaks of the target, and columns without information.

Leakage, and why to look for it in the data itself: Kaufman, Rosset, Perlich and Stitelman,
Leakage in Data Mining, ACM TKDD 6 (4), 2012.
"""

import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.config.data import Kind, Lint, Policy
from pipeline.runtime.errors import UserError
from pipeline.schema.columns import Schema
from pipeline.schema.location import Locate

Floats = NDArray[np.float64]
# Of a copy of the target: a number, by its correlation, or a category.
MIN_ROWS = 5
MIN_CORRELATION = 0.9999
MIN_CATEGORIES = 10  # a few categories may have one target each by chance
MIN_MEDIAN_ROWS = 2  # of a category: a single row has one target anyway
# Of a target that is computed from features.
MIN_TERMS = 2  # with one, it is a copy
SUM_ROWS = 20_000
MAX_UNEXPLAINED = 1e-8  # of the variance
MIN_COEFFICIENT = 1e-4  # standardised; a smaller one explains less than MAX_UNEXPLAINED
SHOWN_TERMS = 6
# Of an identifier.
MIN_VALUES = 20
MIN_UNIQUE = 0.6
LEAVE_OUT = "leave it out with data.leave_out=[{name}]"


class Description(NamedTuple):
    """What a kind of finding means, and what to do about it."""

    what: str
    remedy: str


KINDS = {
    "shared_rows": Description("equal rows are in more than one part", "remove the copies"),
    "shared_group": Description(
        "groups are in more than one part",
        "split by them with data.split.by=group data.split.column={name}",
    ),
    "target_copy": Description("is a copy of the target", LEAVE_OUT),
    "target_sum": Description(
        "the target is computed from features", "leave one of them out with data.leave_out"
    ),
    "identifier": Description("could be memorised: looks like an identifier", LEAVE_OUT),
    "constant": Description("has one value in all training rows", LEAVE_OUT),
    "all_missing": Description("has no value in the training rows", LEAVE_OUT),
    "future_date": Description("has future dates", "fix them"),
}
UNINFORMATIVE = ("identifier", "constant", "all_missing")


@dataclass(frozen=True)
class Finding:
    """Something that a check found: its kind, a field of config.data.Lint; the column, or ""
    for whole rows; and the evidence in numbers."""

    kind: str
    column: str
    evidence: str

    @property
    def accept(self) -> str:
        """The entry of data.lint.accept that accepts it."""
        return f"{self.kind}:{self.column}" if self.column else self.kind

    @property
    def uninformative(self) -> bool:
        """Whether the column is to be left out."""
        return self.kind in UNINFORMATIVE

    def message(self, source: str, *, left_out: bool = False) -> str:
        """One line: where, what, the evidence, and what to do or what was done."""
        where = f"{source}, column {self.column!r}" if self.column else source
        what, remedy = KINDS[self.kind]
        remedy = remedy.format(name=_quoted(self.column))
        accept = f"data.lint.accept=[{_quoted(self.accept)}]"
        if left_out:
            keep = "" if self.kind == "all_missing" else f"; keep it with {accept}"
            return f"{where}: {what} ({self.evidence}), so it is left out{keep}"
        return f"{where}: {what} ({self.evidence}); {remedy}, or accept it with {accept}"


def run_checks(
    parts: Mapping[str, pd.DataFrame],
    schema: Schema,
    *,
    target: str,
    features: Sequence[str],
    group: str | None,
    today: dt.date,
    locate: Locate,
) -> list[Finding]:
    """Reasons against training on these features.

    Rows are compared, and dates checked, in all parts; everything else about a column depends
    on the training part alone.

    Parameters
    ----------
    parts
        What `split` returns: conformed tables whose index numbers the rows of the whole table.
    schema
        The schema of the features and the target.
    target, features
        Names of columns.
    group
        The column whose groups must not be in several parts, if any.
    today
        Later dates are in the future.
    locate
        Where a person finds the row of a number.

    """
    train = parts["train"]
    found = [*_shared_rows(parts, [*features, target], locate), *_shared_group(parts, group)]
    numeric = {}
    for name in features:
        kind, column = schema.columns[name].kind, train[name]
        evidence = {
            "all_missing": _all_missing(column),
            "constant": _constant(column),
            "identifier": _identifier(column, kind, sum(map(len, parts.values()))),
            "target_copy": _target_copy(column, kind, train[target]),
            "future_date": _future_date(parts, name, today, locate) if kind is Kind.date else "",
        }
        found += [Finding(check, name, text) for check, text in evidence.items() if text]
        excluded = any(evidence[check] for check in ("all_missing", "constant", "target_copy"))
        if kind in (Kind.numeric, Kind.boolean) and not excluded:
            numeric[name] = column
    return [*found, *_target_sum(numeric, train[target])]


def apply_policies(found: Sequence[Finding], lint: Lint, source: str) -> list[Finding]:
    """The findings to warn of.

    Raises UserError with a line for each finding whose policy is error, unless lint.accept has
    it, and for an entry of lint.accept whose kind does not exist.
    """
    for entry in lint.accept:
        kind = entry.partition(":")[0]
        if kind not in KINDS:
            raise UserError(
                f"data.lint.accept: the kind {kind!r} of {entry!r} does not exist;"
                f" the kinds are {', '.join(KINDS)}"
            )
    remaining = [one for one in found if one.accept not in lint.accept]
    errors = [one for one in remaining if getattr(lint, one.kind) is Policy.error]
    if errors:
        raise UserError("\n".join(one.message(source) for one in errors))
    return [one for one in remaining if getattr(lint, one.kind) is Policy.warn]


def _quoted(text: str) -> str:
    """A text as a value in Hydra's grammar of overrides."""
    bare = re.fullmatch(r"[a-z_]\w*(:[a-z_]\w*)?", text, re.ASCII | re.IGNORECASE)
    if bare and text.lower() not in {"null", "true", "false", "nan", "inf"}:
        return text
    # Hydra takes a backslash literally, except before a quote.
    escaped = re.sub(r"(\\*)('|$)", lambda at: at[1] * 2 + at[2].replace("'", "\\'"), text)
    return f"'{escaped}'"


def _format(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else repr(str(value))


def _shared_rows(
    parts: Mapping[str, pd.DataFrame], columns: list[str], locate: Locate
) -> Iterator[Finding]:
    hashes = {
        part: pd.util.hash_pandas_object(rows[columns], index=False) for part, rows in parts.items()
    }
    shared = _in_several_parts(hashes)
    if shared.empty:
        return
    (row, part), (other, other_part) = _first_pair(shared)
    first, second = parts[part].loc[[row], columns], parts[other_part].loc[[other], columns]
    # Two different rows of a million have the same hash with a probability of 1 to 30 million.
    if first.reset_index(drop=True).equals(second.reset_index(drop=True)):
        pair = f"{locate(row)}, in {part} and {locate(other)}, in {other_part}"
        count = len(shared["key"].unique())
        more = f", and {count - 1} more such" if count > 1 else ""
        yield Finding("shared_rows", "", pair + more)


def _shared_group(parts: Mapping[str, pd.DataFrame], group: str | None) -> Iterator[Finding]:
    if group is None:
        return
    groups = {part: rows[group].dropna() for part, rows in parts.items()}
    shared = _in_several_parts(groups)
    if shared.empty:
        return
    (_, part), (_, other_part) = _first_pair(shared)
    count, of = len(shared["key"].unique()), len(pd.concat(groups).unique())
    value = _format(shared["key"].iloc[0])
    evidence = f"{count} of {of}, such as {value} in {part} and {other_part}"
    yield Finding("shared_group", group, evidence)


def _in_several_parts(keys: Mapping[str, pd.Series]) -> pd.DataFrame:
    """The keys that are in several parts: key, part and first row in each part."""
    firsts = [
        pd.DataFrame({"key": unique, "part": part, "row": unique.index})
        for part, unique in ((part, values.drop_duplicates()) for part, values in keys.items())
        if len(unique)
    ]
    if not firsts:
        return pd.DataFrame(columns=["key", "part", "row"])
    every = pd.concat(firsts, ignore_index=True)
    return every[every["key"].duplicated(keep=False)]


def _first_pair(shared: pd.DataFrame) -> list[tuple[int, str]]:
    pair = shared[shared["key"] == shared["key"].iloc[0]].iloc[:2]
    return [(int(row), str(part)) for row, part in zip(pair["row"], pair["part"], strict=True)]


def _all_missing(column: pd.Series) -> str:
    return f"0 of {len(column)} rows" if len(column) and column.isna().all() else ""


def _constant(column: pd.Series) -> str:
    constant = len(column) > 1 and bool((column == column.iloc[0]).all())
    return f"{_format(column.iloc[0])} in {len(column)} rows" if constant else ""


def _identifier(column: pd.Series, kind: Kind, rows: int) -> str:
    """rows is the number of rows in all parts."""
    present = column.dropna()
    if len(present) < MIN_VALUES:
        return ""
    if kind is Kind.category:
        unique = int((~present.duplicated(keep=False)).sum())
        return f"{unique} of {len(present)} values are unique" * (
            unique > MIN_UNIQUE * len(present)
        )
    if kind is Kind.numeric:
        return _row_numbers(present.to_numpy("float64"), rows)
    return ""


def _row_numbers(values: Floats, rows: int) -> str:
    """Row numbers have gaps in the training part, because other parts have rows too."""
    first, last = values.min(), values.max()
    span = last - first + 1
    # Of a training part of less than half the rows, numbers may all differ by chance.
    if span > min(rows, 2 * len(values)) or (values != np.floor(values)).any():
        return ""
    if len(np.unique(values)) < len(values):
        return ""
    return f"{len(values)} different integers from {first:.0f} to {last:.0f}"


def _target_copy(column: pd.Series, kind: Kind, target: pd.Series) -> str:
    if kind is Kind.category:
        return _category_copy(column, target)
    if kind is Kind.date:
        return ""
    r = _correlation(column.to_numpy("float64"), target.to_numpy("float64"))
    return f"r = {r:.5f}" if abs(r) >= MIN_CORRELATION else ""


def _correlation(x: Floats, y: Floats) -> float:
    """Pearson's r over the rows that have both; 0 where it is undefined."""
    both = ~(np.isnan(x) | np.isnan(y))
    x, y = x[both], y[both]
    if len(x) < MIN_ROWS or np.ptp(x) == 0 or np.ptp(y) == 0:
        return 0.0
    x, y = x - x.mean(), y - y.mean()
    return float(x @ y / np.sqrt((x @ x) * (y @ y)))


def _category_copy(column: pd.Series, target: pd.Series) -> str:
    """Whether each category has one target that no other has, although most have several
    rows."""
    targets = target.groupby(column)
    sizes, low, high = targets.count(), targets.min(), targets.max()
    if len(sizes) < MIN_CATEGORIES or sizes.median() < MIN_MEDIAN_ROWS:
        return ""
    if (low != high).any() or low.duplicated().any():
        return ""
    return f"each of {len(sizes)} categories has a different target, in {sizes.sum()} rows"


def _target_sum(features: Mapping[str, pd.Series], target: pd.Series) -> Iterator[Finding]:
    """Whether the target is a linear combination, by least squares on complete rows."""
    columns = [column.to_numpy("float64") for column in features.values()]
    y = target.to_numpy("float64")
    rows = _complete_rows([*columns, y])
    if len(columns) < MIN_TERMS or len(rows) < 2 * (len(columns) + 1) or np.ptp(y[rows]) == 0:
        return
    x, y = np.column_stack([column[rows] for column in columns]), y[rows]
    stds = np.where(np.ptp(x, axis=0) == 0, 1, x.std(axis=0))
    inputs, outputs = (x - x.mean(axis=0)) / stds, (y - y.mean()) / y.std()
    coefficients = np.linalg.lstsq(inputs, outputs, rcond=1e-9)[0]
    if np.square(outputs - inputs @ coefficients).mean() < MAX_UNEXPLAINED:
        factors = coefficients * y.std() / stds
        names = list(features)
        relevant = np.flatnonzero(np.abs(coefficients) > MIN_COEFFICIENT)
        terms = [(float(factors[index]), names[index]) for index in relevant]
        constant = float(y.mean() - x.mean(axis=0) @ factors)
        constant *= abs(constant) > MIN_COEFFICIENT * y.std()
        yield Finding("target_sum", "", _formula(terms, constant))


def _complete_rows(columns: Sequence[Floats]) -> NDArray[np.intp]:
    """The rows without a missing value, or a random sample of SUM_ROWS of them."""
    rows = np.flatnonzero(~np.any([np.isnan(column) for column in columns], axis=0))
    if len(rows) <= SUM_ROWS:
        return rows
    return np.random.default_rng(0).choice(rows, SUM_ROWS, replace=False)


def _formula(terms: list[tuple[float, str]], constant: float) -> str:
    signed = [f"{_signed(factor)} · {name}" for factor, name in terms[:SHOWN_TERMS]]
    if len(terms) > SHOWN_TERMS:
        signed.append(f"+ {len(terms) - SHOWN_TERMS} more terms")
    if constant:
        signed.append(_signed(constant))
    return f"= {' '.join(signed).removeprefix('+ ')}"


def _signed(value: float) -> str:
    return f"{'-' if value < 0 else '+'} {abs(value):.4g}"


def _future_date(
    parts: Mapping[str, pd.DataFrame], name: str, today: dt.date, locate: Locate
) -> str:
    dates = pd.concat([rows[name] for rows in parts.values()]).sort_index()
    later = dates[dates >= pd.Timestamp(today) + pd.Timedelta(days=1)]
    if later.empty:
        return ""
    first = f"{later.iloc[0].date()} in {locate(int(later.index[0]))}"
    return f"{len(later)} of {len(dates)} rows, such as {first}"
