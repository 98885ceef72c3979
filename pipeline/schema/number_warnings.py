"""Warnings of text that may be numbers, and of numbers that may be codes."""

from itertools import compress
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.config.data import Kind
from pipeline.schema.columns import Schema
from pipeline.schema.dates import infer_format, sample_of
from pipeline.schema.location import Locate
from pipeline.schema.numbers import CURRENCY, MIN_DIFFERENT, are_codes, with_same_signs
from pipeline.schema.remedy import set_kind

MIN_SHARE = 0.9  # of the cells that hold a number
MIN_ALIKE, MAX_FORMS = 2, 20  # cells that differ in their numbers only, and kinds of them
MAX_SHOWN = 70  # characters of a cell
LEADING_ZERO = "^0[0-9]+$"
NUMBER = r"(?:[0-9][0-9.,' ]*)?[0-9](?:[eE][+-]?[0-9]+)?|[.,][0-9]+"
MONTH = "(?:(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*)"
# A cell that begins with a number, or is a day without a year or a time such as 08h30; and one
# that rather is a code: 1.2.3, 12A, 1039_s_at, 17q21.
QUANTITY = (
    rf"^(?:[-±~≈<>≤≥=(\[ '\x22]|ca?\.|circa|about|approx\.?|{CURRENCY})*"
    r"(?:[.,][0-9]|(?:0|[1-9][0-9]{0,15})(?:[^0-9]|$))"
    rf"|^[0-9]+(?:h[0-9]+|[ .-]+{MONTH})$|^{MONTH}[ .-]+[0-9]+$"
)
CODE = (
    r"^[0-9]+(?:[-.:][0-9]+)+$|^[0-9-]+[A-Z]$|_|-[A-Z](?:[^a-z]|$)|[0-9]{3}-[0-9]{4}"
    "|[A-DF-WYZ][0-9]|[a-df-gi-wyz][0-9.]+$"
)
RANGE = r"^[1-9][0-9]{0,3} ?- ?[1-9][0-9]{0,3}$"


def number_warnings(table: pd.DataFrame, schema: Schema, locate: Locate) -> list[str]:
    """A line for each column with leading zeros, whether it is read as codes or as numbers, and
    for each category whose cells hold numbers.

    Parameters
    ----------
    table
        The cells as they were read, missing values marked.
    schema
        Columns whose kind was inferred; the table conforms to it.
    locate
        Where a person finds a row.

    """
    lines = []
    for name, column in schema.columns.items():
        if table[name].dtype != "str" or column.kind not in (Kind.category, Kind.numeric):
            continue
        texts = table[name].dropna()
        codes = are_codes(pa.array(texts))
        if codes is (column.kind is Kind.category):
            found = _leading_zero(texts, name, column.kind)
        else:
            found = None if column.kind is Kind.numeric else _number(texts, name)
        if found:
            text, what = found
            at = int((table[name] == text).argmax())
            lines.append(f"{locate(at)}, column {name!r}: {text[:MAX_SHOWN]!r} {what}")
    return lines


def _leading_zero(texts: "pd.Series[Any]", name: str, kind: Kind) -> tuple[str, str] | None:
    """A cell, and what to say about it."""
    zeros = texts[texts.str.contains(LEADING_ZERO)]
    if zeros.empty:
        return None
    other = Kind.numeric if kind is Kind.category else Kind.category
    return zeros.iloc[0], (
        f"has a leading zero; the column is read as {kind.value}; if it is {other.value},"
        f" {set_kind(name, other)}"
    )


def _number(texts: "pd.Series[Any]", name: str) -> tuple[str, str] | None:
    """As `_leading_zero`."""
    share, forms = _forms(sample_of(texts))
    if share < MIN_SHARE:
        return None
    others = [f"they have no common notation ({text[:MAX_SHOWN]!r})" for text in forms[1:2]]
    known = others[0] if others else "in no notation that is known"
    return forms[0], (
        f"holds a number, as {share:.0%} of the cells do, but {known}; the column is read as text:"
        " write the numbers in one notation, set data.date_formats if they are dates, or"
        f" {set_kind(name, Kind.category)} to keep it"
    )


def _forms(texts: "pd.Series[Any]") -> tuple[float, list[str]]:
    """The share of texts that hold a number and are of a form that is repeated, and a text of each
    form, the most frequent first: 5 kg and 7 kg are of one."""
    cells = with_same_signs(pa.array(texts))
    numbers = pc.match_substring_regex(cells, QUANTITY)
    codes = pc.match_substring_regex(cells, CODE)
    ranges = pc.match_substring_regex(cells, RANGE)
    single = pc.and_(numbers, pc.invert(codes))
    if len(cells.filter(single).unique()) < MIN_DIFFERENT:
        return 0, []
    held = pc.and_(numbers, pc.or_(single, ranges)).to_numpy(zero_copy_only=False)
    forms = pc.replace_substring_regex(cells, NUMBER, "#").to_pandas().set_axis(texts.index)[held]
    counts = forms.value_counts()
    common = counts[counts >= MIN_ALIKE][:MAX_FORMS]
    first = [str(texts[(forms == form).idxmax()]) for form in common.index]
    kept = [infer_format(pd.Series([text], dtype="str"), given=True) is None for text in first]
    return common[kept].sum() / len(texts), [*compress(first, kept)]
