"""Where a model fails: its errors by column, and slices of rows with larger errors than others."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import gammaincc, ndtri, stdtrit

from pipeline.evaluation.bins import Bins
from pipeline.evaluation.metrics import Vector

Codes = NDArray[np.intp]
Rows = NDArray[np.bool_]
# Of a slice, and of the rows that it is compared with.
MIN_ROWS = 20
# Slices of two columns are of the first so many columns.
PAIR_COLUMNS = 30
# Scores of a smaller variance are equal, but for rounding.
EQUAL = 1e-12
# Smaller p-values are not that exact.
MIN_P_VALUE = 1e-6
SIGNIFICANCE, MAX_SLICES = 0.05, 10
SLICES = ["slice", "rows", "rmse", "lower", "upper", "rmse_elsewhere", "p_value"]
ERRORS = ["column", "values", "rows", "rmse", "mae", "bias"]


def bin_count(rows: int) -> int:
    """The number of bins of a column with which 50 rows, on average, are in a bin of two."""
    return int(np.clip(np.sqrt(rows / 50), 3, 8))


def errors_by_column(residuals: Vector, columns: Sequence[Bins]) -> pd.DataFrame:
    """The errors in each bin of each column; bias is the mean of predicted - true.

    Parameters
    ----------
    residuals
        True - predicted, (rows,).
    columns
        The same rows in bins.
    """
    each = []
    for one in columns:
        rows = np.bincount(one.codes)
        squares, absolute, sums = (
            np.bincount(one.codes, values) / rows
            for values in (residuals**2, np.abs(residuals), residuals)
        )
        table = {"column": one.column, "values": one.texts, "rows": rows,
                 "rmse": np.sqrt(squares), "mae": absolute, "bias": -sums}  # fmt: skip
        each.append(pd.DataFrame(table))
    return pd.concat(each) if each else pd.DataFrame(columns=ERRORS)


def worst_slices(
    residuals: Vector, columns: Sequence[Bins], groups: NDArray[Any] | None = None
) -> pd.DataFrame:
    """The slices of one or two columns whose errors are larger than those of other rows.

    A slice of one column is compared with all other rows. One of two columns is also compared
    with the other rows of its bin of either column, and has to be worse than each of the three:
    where a column is bad, its slices with other columns are not found as well.

    The test compares the sum of the slice's scores, see `scores`, with that of as many rows drawn
    at random, whose mean and variance are known, and whose distribution is nearly a gamma
    distribution. It depends on ranks only, so that it holds for errors of any distribution.
    P-values are corrected for the number of slices that are tested (Holm), so that with a
    probability of at least 95 % none is found where errors do not depend on the columns.

    Parameters
    ----------
    residuals
        True - predicted, (rows,), of rows that the model was not trained on.
    columns
        The same rows in bins, the most important columns first.
    groups
        The group of each row, (rows,), if there are any. Scores of one group are then correlated,
        which increases the variance of their sum.

    Returns
    -------
    pandas.DataFrame
        The columns SLICES, the highest lower end first, and at most MAX_SLICES rows. A slice that
        is not worse without the rows of those before it is left out. lower and upper are the ends
        of the 95 % interval of rmse.

    References
    ----------
    Holm (1979), "A simple sequentially rejective multiple test procedure". Berger (1982),
    "Multiparameter hypothesis testing and acceptance sampling", for having to pass three tests.
    """
    tests = _Tests.of(residuals, groups)
    slices = [(one, code) for one in _slices(columns, tests) for code in one.tested]
    corrected = holm(np.array([one.p_values[code] for one, code in slices]))
    squares, found = residuals**2, []
    for (one, code), p in zip(slices, corrected, strict=True):
        if p <= SIGNIFICANCE:
            rows = one.rows(code)
            rmse, lower, upper = interval(squares[rows], tests.groups[rows])
            elsewhere = float(np.sqrt(squares[~rows].mean()))
            figures = [one.condition(code), int(rows.sum()), rmse, lower, upper, elsewhere]
            if rmse > elsewhere:
                found.append((lower, [*figures, max(p, MIN_P_VALUE)], one, code))
    listed: list[list[Any]] = []
    left = np.ones(len(residuals), bool)
    for _, values, one, code in sorted(found, key=lambda each: -each[0]):
        rows = one.rows(code)
        p = tests.of_rows(left).p_values(rows[left].astype(np.intp), np.zeros(2, np.intp))[1]
        if p * len(slices) <= SIGNIFICANCE:
            listed.append(values)
            left &= ~rows
        if len(listed) == MAX_SLICES:
            break
    return pd.DataFrame(listed, columns=SLICES)


def scores(residuals: Vector) -> Vector:
    """The squares that residuals of these absolute ranks would have if they were normal, (rows,),
    as in the test of Klotz (1962), "Nonparametric tests for scale"."""
    ranks = pd.Series(np.abs(residuals)).rank().to_numpy()
    squares: Vector = ndtri((1 + ranks / (len(ranks) + 1)) / 2) ** 2
    return squares


def holm(p_values: Vector) -> Vector:
    """P-values corrected for their number."""
    order, count = np.argsort(p_values, kind="stable"), len(p_values)
    corrected = np.empty(count)
    corrected[order] = np.maximum.accumulate(p_values[order] * np.arange(count, 0, -1)).clip(max=1)
    return corrected


def interval(squares: Vector, groups: Codes) -> tuple[float, float, float]:
    """The root mean square and the ends of its 95 % interval: that of a normal logarithm, with the
    standard error of a mean over groups."""
    mean, rows = float(squares.mean()), len(squares)
    sums = np.bincount(np.unique(groups, return_inverse=True)[1], squares - mean)
    units = len(sums)
    error = np.sqrt((sums @ sums) * units / max(1, units - 1)) / rows / mean / 2
    rmse, factor = np.sqrt(mean), np.exp(error * stdtrit(max(1, units - 1), 0.975))
    return float(rmse), float(rmse / factor), float(rmse * factor)


@dataclass(frozen=True)
class _Slices:
    """The slices of one or two columns, and the p-value of each, NaN where it is not tested."""

    columns: tuple[Bins, ...]
    p_values: Vector

    @property
    def tested(self) -> Codes:
        return np.flatnonzero(~np.isnan(self.p_values))

    def condition(self, code: int) -> str:
        return " and ".join(one.conditions[at] for one, at in self._bins(code))

    def rows(self, code: int) -> Rows:
        rows: Rows = np.logical_and.reduce([one.codes == at for one, at in self._bins(code)])
        return rows

    def _bins(self, code: int) -> Iterator[tuple[Bins, int]]:
        sizes = [len(one.texts) for one in self.columns]
        return zip(self.columns, map(int, np.unravel_index(code, sizes)), strict=True)


@dataclass(frozen=True)
class _Tests:
    """The scores of rows, their groups, from 0, and the correlation of scores in a group."""

    scores: Vector
    groups: Codes
    correlation: float

    @staticmethod
    def of(residuals: Vector, groups: NDArray[Any] | None) -> "_Tests":
        values = scores(residuals)
        if groups is None:
            return _Tests(values, np.arange(len(values)), 0.0)
        codes = np.unique(groups, return_inverse=True)[1]
        return _Tests(values, codes, intraclass_correlation(values, codes))

    def of_rows(self, rows: Rows) -> "_Tests":
        return _Tests(self.scores[rows], self.groups[rows], self.correlation)

    def p_values(self, slices: Codes, parents: Codes) -> Vector:
        """Of each slice, (slices,), against the other rows of its parent; NaN for too few rows.

        Parameters
        ----------
        slices
            The slice of each row, (rows,).
        parents
            The parent of each slice, (slices,).
        """
        count = len(parents)

        def sums(codes: Codes, values: Vector | None = None) -> Vector:
            return np.bincount(codes, values, minlength=count).astype(float)

        within = parents[slices]
        rows, all_rows = sums(slices), sums(within)
        with np.errstate(all="ignore"):
            means = sums(within, self.scores) / all_rows
            variances = sums(within, (self.scores - means[within]) ** 2) / all_rows
            effective = rows
            if self.correlation:
                pairs, sizes = np.unique(self.groups * count + slices, return_counts=True)
                effective = rows + self.correlation * sums(pairs % count, sizes * (sizes - 1.0))
            of_all = all_rows[parents]
            mean = rows * means[parents]
            # Of a sum of rows that are drawn without replacement.
            variance = effective * variances[parents] * (of_all - rows) / (of_all - 1)
            p = gammaincc(mean**2 / variance, sums(slices, self.scores) * mean / variance)
        enough = (rows >= MIN_ROWS) & (of_all - rows >= MIN_ROWS)
        return np.where(enough & (variances[parents] > EQUAL), p, np.nan)


def _slices(columns: Sequence[Bins], tests: _Tests) -> Iterator[_Slices]:
    for one in columns:
        parents = np.zeros(len(one.texts), np.intp)
        yield _Slices((one,), tests.p_values(one.codes, parents))
    for first, second in combinations(columns[:PAIR_COLUMNS], 2):
        size = len(second.texts)
        codes = first.codes * size + second.codes
        slices = np.arange(len(first.texts) * size)
        each = [tests.p_values(codes, of) for of in (slices * 0, slices // size, slices % size)]
        yield _Slices((first, second), np.maximum.reduce(each))


def intraclass_correlation(values: Vector, groups: Codes) -> float:
    """The correlation of two values of one group, by analysis of variance; at least 0. Groups are
    numbered from 0, each with a row."""
    sizes = np.bincount(groups)
    count, rows = len(sizes), len(values)
    if not 1 < count < rows:
        return 0.0
    means = np.bincount(groups, values) / sizes
    between = float(sizes @ (means - values.mean()) ** 2) / (count - 1)
    inside = float(((values - means[groups]) ** 2).sum()) / (rows - count)
    size = (rows - float(sizes @ sizes) / rows) / (count - 1)
    total = between + (size - 1) * inside
    return max(0.0, (between - inside) / total) if total else 0.0
