"""Codes for missing values: numbers such as -999 that are no measurements."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
MAX_CODES = 3  # at each end of the range
MIN_COUNT = 2  # once is an outlier
MIN_OTHERS = 10  # different values; fewer may be levels that someone chose
# What a code's distance to the nearest other value exceeds, in ranges of the others.
MIN_RANGES = 3.0
MIN_RANGES_OF_USUAL = 1.0
# As instruments and surveys write them, beside -9, 99, -999, 99.99 and so on.
USUAL = {*("77", "88", "97", "98", "777", "888", "998", "7777", "8888", "9998", "200")}
USUAL |= {"32767", "32768", "65535", "2147483647", "2147483648"}
HUGE = 1e30  # as climate models write them
MIN_NEGATIVE_DISTANCE = 10  # of the only negative value
SAMPLE = 1000
# There is no year 0.
YEARS = (1000, 2200)


class Codes(NamedTuple):
    """Values that are far from all others, how often each of them occurs, and the range of the
    others."""

    counts: dict[float, int]
    low: float
    high: float


class _Others(NamedTuple):
    """The distinct values that are no codes, in ascending order, and their counts."""

    values: Floats
    counts: NDArray[np.intp]

    @property
    def span(self) -> float:
        return float(self.values[-1] - self.values[0])

    @property
    def are_prices(self) -> bool:
        """Whether most end in 9, as 4.99 and 49 do."""
        texts = (f"{value:.2f}".removesuffix(".00") for value in self.values[:SAMPLE])
        return sum(text.endswith("9") for text in texts) > min(len(self.values), SAMPLE) / 2

    @property
    def low_decile(self) -> float:
        rows = np.cumsum(self.counts)
        return float(self.values[np.searchsorted(rows, rows[-1] / 10)])


def find_codes(column: Floats) -> Codes | None:
    """The values at one or both ends of a column that are probably codes, if there are any.

    A code is repeated, whole or of nines (99.9), and far from all other values: the distance
    exceeds their range, or several ranges if it does not look like a usual code. A negative
    one may also be the only negative value, if it looks like a usual code, or if the distance
    exceeds the spread of the lowest tenth of the others. So neither zero nor the limit of a
    sensor is a code, nor what rounding repeats; 0 is one among years.

    Parameters
    ----------
    column
        Its values, (rows,); NaN where one is missing.

    """
    finite = column[np.isfinite(column)]
    # Most columns need not be sorted.
    if not any(_may_be_code(end(finite), finite) for end in (np.min, np.max) if len(finite)):
        return None
    values, counts = np.unique(finite, return_counts=True)
    for lowest, highest in _ends(len(values)):
        at = np.r_[:lowest, len(values) - highest : len(values)]
        inner = slice(lowest, len(values) - highest)
        others = _Others(values[inner], counts[inner])
        if all(_is_code(float(values[i]), int(counts[i]), others) for i in at):
            found = {float(values[i]): int(counts[i]) for i in at}
            return Codes(found, float(others.values[0]), float(others.values[-1]))
    return None


def _ends(distinct: int) -> Iterator[tuple[int, int]]:
    """How many of the lowest and highest values may be codes: most at first, because of two
    codes the inner one is near the outer."""
    ends = range(MAX_CODES + 1)
    pairs = [(low, high) for low in ends for high in ends if 0 < low + high < distinct]
    return iter(sorted(pairs, key=lambda pair: (-sum(pair), -pair[0])))


def _may_be_code(value: float, column: Floats) -> bool:
    whole = float(value).is_integer() or _is_usual(value)
    return whole and bool(np.count_nonzero(column == value) >= MIN_COUNT)


def _is_code(value: float, count: int, others: _Others) -> bool:
    usual = _is_usual(value) and not (value > 0 and others.are_prices)
    if count < MIN_COUNT or not (usual or value.is_integer()):
        return False
    low, high = float(others.values[0]), float(others.values[-1])
    distance = low - value if value < low else value - high
    many = len(others.values) >= MIN_OTHERS
    if value == 0:
        years = low >= YEARS[0] and high <= YEARS[1] and (others.values % 1 == 0).all()
        return bool(many and years and distance > MIN_RANGES * others.span)
    only_negative = value < 0 <= low and distance >= MIN_NEGATIVE_DISTANCE
    if usual and len(others.values) > 1:
        ranges = MIN_RANGES_OF_USUAL if many else MIN_RANGES
        if distance > ranges * others.span or (only_negative and value < -MIN_NEGATIVE_DISTANCE):
            return True
    if not many or count <= MIN_COUNT:
        return False
    if distance > MIN_RANGES * others.span:
        return True
    return only_negative and distance > others.low_decile - low


def _is_usual(value: float) -> bool:
    digits = f"{abs(value):.12g}".replace(".", "")
    nines = set(digits) == {"9"} and (len(digits) > 1 or value < 0)
    return nines or digits in USUAL or abs(value) >= HUGE
