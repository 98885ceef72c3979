"""Columns that name the rows instead of describing them."""

import re
from math import lgamma, log

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.config.data import Kind

Floats = NDArray[np.float64]
MIN_VALUES = 20
MIN_UNIQUE = 0.6  # of texts
# Of numbers whose name says that they are identifiers.
MIN_DISTINCT = 0.9
# The logarithm of the probability that drawn numbers would all be different.
MAX_LOG_PROBABILITY = -10.0
IDENTIFIERS = {"id", "ids", "pid", "uid", "uuid", "guid", "sku", "ean", "isbn", "serial", "imei"}
IDENTIFIERS |= {"vin", "ssn", "fips"}
NUMBERS = {"nr", "no", "num", "number", "nummer", "code", "key", "kennung", "idx", "reference"}
ENDINGS = re.compile(
    r".+(nr|nummer|number|code|uuid|guid|kennung)"
    r"|.*(account|client|customer|device|employee|house|item|member|order|patient|person|product"
    r"|property|record|row|sample|station|store|student|subject|transaction|user|kunden?)id"
)
TIMES = {"time", "timestamp", "date", "year", "month", "week", "day", "hour", "minute", "second"}
TIMES |= {"zeit", "datum", "jahr", "monat", "woche", "tag", "stunde"}


def identifier(name: str, column: pd.Series, kind: Kind, rows: int) -> str:
    """The evidence that a column of the training part is an identifier, or "".

    Texts are one if most are unique. Whole numbers are one if

    - all are different, and lie so close together that numbers drawn at random would not be: of
      n numbers out of a range of S, the probability is at most S! / ((S - n)! S^n). A multiple
      of a step, such as the settings of an experiment, does not count, nor does a time;
    - or nearly all are different, and the name says so.

    Parameters
    ----------
    name, column, kind
        Of the column, conformed.
    rows
        The number of rows in all parts.

    """
    present = column.dropna()
    if len(present) < MIN_VALUES:
        return ""
    if kind is Kind.category:
        unique = int((~present.duplicated(keep=False)).sum())
        if unique <= MIN_UNIQUE * len(present):
            return ""
        return f"{unique} of {len(present)} values are unique"
    values = present.to_numpy("float64") if kind is Kind.numeric else np.empty(0)
    if not len(values) or (values != np.floor(values)).any():
        return ""
    distinct = np.unique(values)
    share = len(distinct) / len(values)
    close = share == 1 and _is_close(name, distinct, rows)
    if not close and share < _min_distinct(name):
        return ""
    different = f"{len(distinct)} different integers from {distinct[0]:.0f} to {distinct[-1]:.0f}"
    return different if share == 1 else f"{different} in {len(values)} rows"


def _is_close(name: str, values: Floats, rows: int) -> bool:
    """Whether distinct integers are too close together to differ by chance."""
    span = float(values[-1] - values[0]) + 1
    # Row numbers have gaps in the training part, because other parts have rows too. Of a part
    # of less than half the rows, numbers may all differ by chance.
    if span <= min(rows, 2 * len(values)):
        return True
    if span > len(values) ** 2 or TIMES & set(_words(name)):
        return False
    step = np.gcd.reduce(np.diff(values).astype("int64"))
    return bool(step == 1 and _log_probability(len(values), span) < MAX_LOG_PROBABILITY)


def _log_probability(count: int, span: float) -> float:
    """The logarithm of the probability that count numbers, drawn from span numbers with
    replacement, are all different."""
    return lgamma(span + 1) - lgamma(span - count + 1) - count * log(span)


def _min_distinct(name: str) -> float:
    """The share of different values from which the name of a column makes it an identifier."""
    words = _words(name) or [""]
    if words[-1] in IDENTIFIERS or words[0] == "id":
        return MIN_DISTINCT
    # NO is nitric oxide; an index may be one of prices.
    if (
        (words[-1] in NUMBERS and name != "NO")
        or words == ["index"]
        or ENDINGS.fullmatch(words[-1])
    ):
        return 1.0
    return 2.0


def _words(name: str) -> list[str]:
    """The words of a name, in lower case: order and id of orderID, order_id and "Order ID"."""
    return [word.lower() for word in re.findall(r"[A-Z0-9]*(?:[^\W_A-Z]+|[A-Z0-9]+)", name)]
