"""Signs that a table gives its target away, or holds columns to learn nothing from.

They are looked for before any training, in the conformed table's parts. What leakage is,
and that it is best looked for in the data itself: Kaufman, Rosset, Perlich and Stitelman,
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
from pipeline.schema.location import Place
from pipeline.tables.split import numbered

Floats = NDArray[np.float64]
LEAST_ROWS = 5  # of a correlation
COPY = 0.9999
LEAST_CATEGORIES = 10  # of a copy in words; a few may have a target each by chance
LEAST_ALIKE = 2  # rows of most categories; a single row has a target of its own anyway
LEAST_TERMS = 2  # of a sum; with one, it is a copy
SUM_ROWS = 20_000
SUM_UNEXPLAINED = 1e-8
SUM_NAMED = 6
# A coefficient below this explains less than SUM_UNEXPLAINED of a variance.
SUM_WEIGHT = 1e-4
LEAST_NAMES = 20
NAMES = 0.6
LEAVE_OUT = "leave it out with data.leave_out=[{name}]"


class Said(NamedTuple):
    """What a kind of finding is called, and the way out of it."""

    what: str
    remedy: str


SAID = {
    "shared_rows": Said("equal rows are in more than one part", "remove the copies"),
    "shared_group": Said(
        "groups are in more than one part",
        "divide by them with data.split.by=group data.split.column={name}",
    ),
    "target_copy": Said("all but equals the target", LEAVE_OUT),
    "target_sum": Said(
        "the target is computed from features", "leave one of them out with data.leave_out"
    ),
    "identifier": Said("tells the rows apart, so it can be learnt by heart", LEAVE_OUT),
    "constant": Said("has one value in all training rows", LEAVE_OUT),
    "all_missing": Said("has no value in the training rows", LEAVE_OUT),
    "future_date": Said("holds dates that are yet to come", "mend them"),
}
USELESS = ("identifier", "constant", "all_missing")


@dataclass(frozen=True)
class Finding:
    """What kind of sign (a field of config.Lint), in which column ("" where it is of
    whole rows), and the numbers that speak for it."""

    kind: str
    column: str
    evidence: str

    @property
    def accept(self) -> str:
        """The entry of data.lint.accept that says that it is all right."""
        return f"{self.kind}:{self.column}" if self.column else self.kind

    @property
    def useless(self) -> bool:
        """Whether a column of which that is so is better left out."""
        return self.kind in USELESS

    def message(self, source: str, *, left_out: bool = False) -> str:
        """One line: where, what, by which evidence, and what to do, or was done."""
        where = f"{source}, column {self.column!r}" if self.column else source
        what, remedy = SAID[self.kind]
        todo = remedy.format(name=_quoted(self.column))
        accept = f"data.lint.accept=[{_quoted(self.accept)}]"
        if left_out:
            keep = "" if self.kind == "all_missing" else f"; keep it with {accept}"
            return f"{where}: {what} ({self.evidence}), so it is left out{keep}"
        return f"{where}: {what} ({self.evidence}); {todo}, or accept it with {accept}"


def findings(
    parts: Mapping[str, pd.DataFrame],
    schema: Schema,
    *,
    target: str,
    features: Sequence[str],
    group: str | None,
    today: dt.date,
    place: Place = numbered,
) -> list[Finding]:
    """What speaks against training on these features.

    parts are those of splitting.split: conformed tables that are numbered by the row in
    the whole, and place says where a person finds one. What rows share and dates are looked
    for in all parts; a column is judged by the training part alone.
    """
    train = parts["train"]
    found = [*_shared_rows(parts, [*features, target], place), *_shared_group(parts, group)]
    numeric = {}
    for name in features:
        kind, column = schema.columns[name].kind, train[name]
        evidence = {
            "all_missing": _all_missing(column),
            "constant": _constant(column),
            "identifier": _identifier(column, kind, sum(map(len, parts.values()))),
            "target_copy": _target_copy(column, kind, train[target]),
            "future_date": _future_date(parts, name, today, place) if kind is Kind.date else "",
        }
        found += [Finding(sign, name, why) for sign, why in evidence.items() if why]
        useless = any(evidence[sign] for sign in ("all_missing", "constant", "target_copy"))
        if kind in (Kind.numeric, Kind.boolean) and not useless:
            numeric[name] = column
    return [*found, *_target_sum(numeric, train[target])]


def judged(found: Sequence[Finding], lint: Lint, source: str) -> list[Finding]:
    """The findings to warn of.

    Raises UserError with a line for each finding whose policy is error, unless
    lint.accept has it, and for an entry of lint.accept that is of no known kind.
    """
    for entry in lint.accept:
        kind = entry.partition(":")[0]
        if kind not in SAID:
            raise UserError(
                f"data.lint.accept: {entry!r} is of the unknown kind {kind!r};"
                f" the kinds are {', '.join(SAID)}"
            )
    open_ones = [one for one in found if one.accept not in lint.accept]
    wrong = [one for one in open_ones if getattr(lint, one.kind) is Policy.error]
    if wrong:
        raise UserError("\n".join(one.message(source) for one in wrong))
    return [one for one in open_ones if getattr(lint, one.kind) is Policy.warn]


def _quoted(text: str) -> str:
    """As a value of an override in Hydra's grammar."""
    bare = re.fullmatch(r"[a-z_]\w*(:[a-z_]\w*)?", text, re.ASCII | re.IGNORECASE)
    if bare and text.lower() not in {"null", "true", "false", "nan", "inf"}:
        return text
    # Hydra takes a backslash for itself, but for those that stand before a quote.
    escaped = re.sub(r"(\\*)('|$)", lambda at: at[1] * 2 + at[2].replace("'", "\\'"), text)
    return f"'{escaped}'"


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else repr(str(value))


def _shared_rows(
    parts: Mapping[str, pd.DataFrame], columns: list[str], place: Place
) -> Iterator[Finding]:
    hashes = {
        part: pd.util.hash_pandas_object(rows[columns], index=False) for part, rows in parts.items()
    }
    twice = _in_two_parts(hashes)
    if twice.empty:
        return
    (row, part), (other, other_part) = _first_pair(twice)
    one, same = parts[part].loc[[row], columns], parts[other_part].loc[[other], columns]
    # Among a million rows, two that differ have one hash by a chance of one in 30 million.
    if one.reset_index(drop=True).equals(same.reset_index(drop=True)):
        pair = f"{place(row)}, in {part} and {place(other)}, in {other_part}"
        count = len(twice["key"].unique())
        more = f", and {count - 1} more such" if count > 1 else ""
        yield Finding("shared_rows", "", pair + more)


def _shared_group(parts: Mapping[str, pd.DataFrame], group: str | None) -> Iterator[Finding]:
    if group is None:
        return
    groups = {part: rows[group].dropna() for part, rows in parts.items()}
    twice = _in_two_parts(groups)
    if twice.empty:
        return
    (_, part), (_, other_part) = _first_pair(twice)
    count, of = len(twice["key"].unique()), len(pd.concat(groups).unique())
    value = _shown(twice["key"].iloc[0])
    evidence = f"{count} of {of}, such as {value} in {part} and {other_part}"
    yield Finding("shared_group", group, evidence)


def _in_two_parts(keys: Mapping[str, pd.Series]) -> pd.DataFrame:
    """The keys that several parts have: key, part and row of the first of each part."""
    firsts = [
        pd.DataFrame({"key": own, "part": part, "row": own.index})
        for part, own in ((part, own.drop_duplicates()) for part, own in keys.items())
        if len(own)
    ]
    if not firsts:
        return pd.DataFrame(columns=["key", "part", "row"])
    every = pd.concat(firsts, ignore_index=True)
    return every[every["key"].duplicated(keep=False)]


def _first_pair(twice: pd.DataFrame) -> list[tuple[int, str]]:
    pair = twice[twice["key"] == twice["key"].iloc[0]].iloc[:2]
    return [(int(row), str(part)) for row, part in zip(pair["row"], pair["part"], strict=True)]


def _all_missing(column: pd.Series) -> str:
    return f"0 of {len(column)} rows" if len(column) and column.isna().all() else ""


def _constant(column: pd.Series) -> str:
    alike = len(column) > 1 and bool((column == column.iloc[0]).all())
    return f"{_shown(column.iloc[0])} in {len(column)} rows" if alike else ""


def _identifier(column: pd.Series, kind: Kind, rows: int) -> str:
    """rows are those of all parts: numbers that count them have gaps in the training part."""
    known = column.dropna()
    if len(known) < LEAST_NAMES:
        return ""
    if kind is Kind.category:
        once = int((~known.duplicated(keep=False)).sum())
        return _names(once, len(known))
    if kind is Kind.numeric:
        return _counted(known.to_numpy("float64"), rows)
    return ""


def _names(once: int, values: int) -> str:
    return f"{once} of {values} values differ from all others" if once > NAMES * values else ""


def _counted(values: Floats, rows: int) -> str:
    first, last = values.min(), values.max()
    span = last - first + 1
    # Where less than half are trained on, numbers that all differ may do so by chance.
    if span > min(rows, 2 * len(values)) or (values != np.floor(values)).any():
        return ""
    if len(np.unique(values)) < len(values):
        return ""
    return f"{len(values)} different whole numbers from {first:.0f} to {last:.0f}"


def _target_copy(column: pd.Series, kind: Kind, target: pd.Series) -> str:
    if kind is Kind.category:
        return _copy_in_words(column, target)
    if kind is Kind.date:
        return ""
    r = _correlation(column.to_numpy("float64"), target.to_numpy("float64"))
    return f"r = {r:.5f}" if abs(r) >= COPY else ""


def _correlation(x: Floats, y: Floats) -> float:
    """Pearson's, of the rows that have both; 0 where it has no meaning."""
    both = ~(np.isnan(x) | np.isnan(y))
    x, y = x[both], y[both]
    if len(x) < LEAST_ROWS or np.ptp(x) == 0 or np.ptp(y) == 0:
        return 0.0
    x, y = x - x.mean(), y - y.mean()
    return float(x @ y / np.sqrt((x @ x) * (y @ y)))


def _copy_in_words(column: pd.Series, target: pd.Series) -> str:
    """Whether each category has a target of its own, although most have several rows."""
    targets = target.groupby(column)
    sizes, low, high = targets.count(), targets.min(), targets.max()
    if len(sizes) < LEAST_CATEGORIES or sizes.median() < LEAST_ALIKE:
        return ""
    if (low != high).any() or low.duplicated().any():
        return ""
    return f"each of {len(sizes)} categories has a target of its own, in {sizes.sum()} rows"


def _target_sum(features: Mapping[str, pd.Series], target: pd.Series) -> Iterator[Finding]:
    """By least squares on a sample of the rows that miss nothing."""
    columns = [column.to_numpy("float64") for column in features.values()]
    y = target.to_numpy("float64")
    rows = _complete([*columns, y])
    if len(columns) < LEAST_TERMS or len(rows) < 2 * (len(columns) + 1) or np.ptp(y[rows]) == 0:
        return
    x, y = np.column_stack([column[rows] for column in columns]), y[rows]
    deviations = np.where(np.ptp(x, axis=0) == 0, 1, x.std(axis=0))
    inputs, outputs = (x - x.mean(axis=0)) / deviations, (y - y.mean()) / y.std()
    weights = np.linalg.lstsq(inputs, outputs, rcond=1e-9)[0]
    if np.square(outputs - inputs @ weights).mean() < SUM_UNEXPLAINED:
        factors = weights * y.std() / deviations
        matter = np.flatnonzero(np.abs(weights) > SUM_WEIGHT)
        names = list(features)
        terms = [(float(factors[place]), names[place]) for place in matter]
        constant = float(y.mean() - x.mean(axis=0) @ factors)
        constant *= abs(constant) > SUM_WEIGHT * y.std()
        yield Finding("target_sum", "", _sum_in_words(terms, constant))


def _complete(columns: Sequence[Floats]) -> NDArray[np.intp]:
    """The rows in which no column is missing, at most SUM_ROWS, drawn at random."""
    rows = np.flatnonzero(~np.any([np.isnan(column) for column in columns], axis=0))
    if len(rows) <= SUM_ROWS:
        return rows
    return np.random.default_rng(0).choice(rows, SUM_ROWS, replace=False)


def _sum_in_words(terms: list[tuple[float, str]], constant: float) -> str:
    signed = [f"{_signed(factor)} · {name}" for factor, name in terms[:SUM_NAMED]]
    if len(terms) > SUM_NAMED:
        signed.append(f"+ {len(terms) - SUM_NAMED} more terms")
    if constant:
        signed.append(_signed(constant))
    return f"= {' '.join(signed).removeprefix('+ ')}"


def _signed(value: float) -> str:
    return f"{'-' if value < 0 else '+'} {abs(value):.4g}"


def _future_date(parts: Mapping[str, pd.DataFrame], name: str, today: dt.date, place: Place) -> str:
    dates = pd.concat([rows[name] for rows in parts.values()]).sort_index()
    later = dates[dates >= pd.Timestamp(today) + pd.Timedelta(days=1)]
    if later.empty:
        return ""
    first = f"{later.iloc[0].date()} in {place(int(later.index[0]))}"
    return f"{len(later)} of {len(dates)} rows, such as {first}"
