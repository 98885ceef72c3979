"""The section `data`: the table, its columns, and how they are prepared."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from omegaconf import MISSING

from pipeline.config.section import bounded


class Policy(Enum):
    """What to do about a finding or a violation."""

    error = "error"
    warn = "warn"
    accept = "accept"


class Kind(Enum):
    """What a column of a table holds."""

    numeric = "numeric"
    category = "category"
    boolean = "boolean"
    date = "date"


class SplitBy(Enum):
    """What decides which part a row belongs to."""

    random = "random"
    group = "group"
    time = "time"
    hash = "hash"
    column = "column"


class ScaleInputs(Enum):
    """How numeric inputs are scaled."""

    none = "none"
    standardize = "standardize"
    robust = "robust"
    quantile = "quantile"
    piecewise = "piecewise"


class BinEdges(Enum):
    """Where the bins of piecewise linear inputs meet."""

    quantile = "quantile"
    tree = "tree"


class ScaleTarget(Enum):
    """How the target is scaled for training."""

    none = "none"
    standardize = "standardize"
    log = "log"


class Impute(Enum):
    """What replaces a missing number."""

    median = "median"
    mean = "mean"


class MissingTarget(Enum):
    """What to do about rows whose target is missing."""

    error = "error"
    drop = "drop"


# Zero-width characters, among them the byte order mark, and the soft hyphen.
_INVISIBLE = re.compile("[\u00ad\u200b-\u200d\u2060\ufeff]")
WHITESPACE = "whitespace"
DEFAULT_FRACTION = 0.2  # of the rows, for validation and for test
_THOUSANDS = "[.,'\u2019\u02bc\\s]"


def column_name(text: str) -> str:
    """The name of a column as it is compared: without surrounding blanks, and without differences
    that cannot be seen: how accents are composed, zero-width characters, kinds of blanks."""
    if not text.isascii():
        text = _INVISIBLE.sub("", unicodedata.normalize("NFC", text))
        text = re.sub(r"[^\S\r\n]", " ", text)
    return text.strip()


@dataclass
class Reading:
    """How the files of a table are written; what is None is detected."""

    delimiter: str | None = None
    header: bool | None = None
    names: list[str] | None = None
    decimal: str | None = None
    thousands: str | None = None
    encoding: str = "utf-8"
    missing: list[str] = field(
        default_factory=lambda: ["", "?", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None"]
    )
    more_missing: list[str] = field(default_factory=list)
    skip_rows: int = bounded(0, at_least=0)
    units_row: bool = False
    skip_last: int = bounded(0, at_least=0)
    comment: str | None = None
    sheet: str | None = None

    def __post_init__(self) -> None:
        self.names = self.names and [column_name(name) for name in self.names]

    @property
    def markers(self) -> list[str]:
        """The cells that are read as missing values."""
        return [*self.missing, *self.more_missing]

    def problem(self) -> str | None:
        return next(self._problems(), None)

    def _problems(self) -> Iterator[str]:
        if self.delimiter is not None and not _may_divide(self.delimiter):
            yield (
                f"delimiter is {self.delimiter!r}, but must be one character, several that are"
                f' neither letters nor digits, or {WHITESPACE}; a tab is "\\t" in double quotes'
            )
        for name, allowed, words in (
            ("decimal", "[.,]", "'.' or ','"),
            ("thousands", _THOUSANDS, "'.', ',', an apostrophe or a blank"),
        ):
            mark = getattr(self, name)
            if mark is not None and not re.fullmatch(allowed, mark):
                yield f"{name} is {mark!r}, but must be {words}"
        if self.comment is not None and not self.comment.strip():
            yield f"comment is {self.comment!r}, but must be what comment lines begin with"
        for name in ("thousands", "delimiter"):
            if self.decimal is not None and self.decimal == getattr(self, name):
                yield f"decimal and {name} are both {self.decimal!r}"


def _may_divide(delimiter: str) -> bool:
    """Whether the text may be a delimiter."""
    return delimiter in (WHITESPACE, "\t", " ", "\x1e", "\x1f") or bool(
        re.fullmatch(r"([^\w\s\"\\]|_)+", delimiter)
    )


@dataclass
class Split:
    """The fractions of the rows for validation and test, and how these rows are chosen; the
    rest are for training. by group, time, hash and column use the column. A fraction that is
    None is a fifth or, by column, what the column says. With folds, the rows that are not for
    test are divided into so many folds, repeats times, instead of training and validation; None
    is chosen by their number."""

    by: SplitBy = SplitBy.random
    column: str | None = None
    validation: float | None = bounded(0.0, at_least=0, below=1)
    test: float | None = bounded(0.0, at_least=0, below=1)
    folds: int | None = bounded(0, at_least=0)
    repeats: int = bounded(1, at_least=1)
    seed: int = bounded(0, at_least=0)

    def __post_init__(self) -> None:
        self.column = self.column and column_name(self.column)

    @property
    def fractions(self) -> tuple[float, float]:
        """Of the rows for validation and test; 0 for those that the column says, and for
        validation with folds."""
        default = 0.0 if self.by is SplitBy.column else DEFAULT_FRACTION
        validation, test = (default if x is None else x for x in (self.validation, self.test))
        return (0.0 if self.folds else validation), test

    def problem(self) -> str | None:
        return next(self._problems(), None)

    def _problems(self) -> Iterator[str]:
        if sum(self.fractions) >= 1:
            yield "validation + test must be below 1, or no rows are left for training"
        if self.column is not None and self.by is SplitBy.random:
            yield "column has an effect only with by: group, time, hash or column"
        if self.column is None and self.by is not SplitBy.random:
            yield f"by is {self.by.value}, which needs column"
        if self.folds == 1:
            yield "folds is 1, but must be at least 2, or 0 for one validation part"
        if self.folds and self.validation:
            yield (
                f"validation is {self.validation}, but with folds, each row that is not for test is"
                " held out in turn; set data.split.validation=null or data.split.folds=0"
            )
        if self.repeats > 1 and self.folds == 0:
            yield f"repeats is {self.repeats}, which has an effect only with folds"
        if self.repeats > 1 and self.by in (SplitBy.time, SplitBy.column):
            yield (
                f"repeats is {self.repeats}, but must be 1 with by: {self.by.value}, which divides"
                " the rows into folds in one way only"
            )


@dataclass
class Violations:
    """What to do about values that violate the schema."""

    missing_value: Policy = Policy.error
    unseen_category: Policy = Policy.warn
    out_of_range: Policy = Policy.warn


@dataclass
class Lint:
    """What to do about each kind of finding in a table. accept lists single findings to
    ignore, each as kind:column."""

    totals_row: Policy = Policy.error
    header_row: Policy = Policy.warn
    shared_rows: Policy = Policy.warn
    shared_group: Policy = Policy.error
    target_missing_code: Policy = Policy.error
    target_copy: Policy = Policy.error
    target_sum: Policy = Policy.error
    target_near_sum: Policy = Policy.warn
    identifier: Policy = Policy.warn
    constant: Policy = Policy.warn
    all_missing: Policy = Policy.warn
    missing_code: Policy = Policy.warn
    rare_categories: Policy = Policy.warn
    future_date: Policy = Policy.warn
    accept: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.accept = [column_name(finding) for finding in self.accept]


@dataclass
class Data:
    """The table, its columns, how they are prepared, and how the rows are split."""

    path: str = MISSING
    target: str = MISSING
    features: list[str] | None = None
    leave_out: list[str] = field(default_factory=list)
    kinds: dict[str, Kind] = field(default_factory=dict)
    date_formats: dict[str, Any] = field(default_factory=dict)
    group: str | None = None
    new_rows: str | None = None
    missing_target: MissingTarget = MissingTarget.error
    reading: Reading = field(default_factory=Reading)
    split: Split = field(default_factory=Split)
    violations: Violations = field(default_factory=Violations)
    lint: Lint = field(default_factory=Lint)
    scale_inputs: ScaleInputs = ScaleInputs.standardize
    bins: int = bounded(24, at_least=2)
    bin_edges: BinEdges = BinEdges.quantile
    scale_target: ScaleTarget = ScaleTarget.standardize
    impute: Impute = Impute.median
    min_category_count: int = bounded(10, at_least=1)
    max_categories: int = bounded(50, at_least=1)

    def __post_init__(self) -> None:
        self.target = column_name(self.target)
        self.features = self.features and [column_name(name) for name in self.features]
        self.leave_out = [column_name(name) for name in self.leave_out]
        self.date_formats = {
            column_name(name): [one] if isinstance(one, str) else one
            for name, one in self.date_formats.items()
        }
        dates = dict.fromkeys(self.date_formats, Kind.date)
        self.kinds = dates | {column_name(name): kind for name, kind in self.kinds.items()}
        self.group = self.group and column_name(self.group)

    @property
    def group_column(self) -> str | None:
        """The column whose equal values say which rows belong together."""
        return self.group or (self.split.column if self.split.by is SplitBy.group else None)

    def problem(self) -> str | None:
        for name, formats in self.date_formats.items():
            texts = isinstance(formats, list) and all(isinstance(one, str) for one in formats)
            if not texts or not formats:
                return (
                    f"date_formats: {name} is {formats!r}, but must be a format such as"
                    " '%d.%m.%Y', or a list of formats"
                )
            if self.kinds[name] is not Kind.date:
                return (
                    f"date_formats has a format of {name!r}, whose kind in kinds is"
                    f" {self.kinds[name].value}; leave one of them out"
                )
        return None
