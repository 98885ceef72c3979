"""Fitting the encoding to the training part, and to the rows that each fold is trained on."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from math import isfinite
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.config.data import BinEdges, Data, Impute, Kind, ScaleInputs, ScaleTarget
from pipeline.dataset.encoding import Category, Date, Encoding, Number, Target, Values, date_parts
from pipeline.dataset.folds import Folds
from pipeline.runtime.errors import UserError
from pipeline.runtime.imports import heavy_import
from pipeline.schema.columns import Column, Schema
from pipeline.schema.dates import is_clock

QUANTILES = 100
# A smaller interquartile range would have squares beyond float64.
MIN_SPREAD = 1e-100
# Fewer distinct values, or edges, need no bins: the standardised value says as much.
MIN_VALUES = 3
# With fewer rows a bin, a network learns their noise (`make bench BENCH=quality`).
ROWS_PER_BIN = 25
MIN_BINS = 4
# A leaf of the tree has at least 1 / LEAVES of the rows that a quantile bin has.
LEAVES = 4
# In a small table, a category with this share of the rows has an input too.
MIN_SHARE = 0.05
# With this std, every value is the input 0.
BEYOND_SCALE = sys.float_info.max
ZERO = Number(0.0, missing_indicator=False, std=BEYOND_SCALE)
EPOCH = pd.Timestamp(1970, 1, 1)
DAY = pd.Timedelta(days=1)


def fit_encoding(
    train: pd.DataFrame, schema: Schema, features: Sequence[str], data: Data
) -> Encoding:
    """The encoding of the features and the target in the conformed training part. Raises
    UserError for a target that cannot be scaled as data.scale_target requires."""
    of_kind = {
        kind: [name for name in features if schema.columns[name].kind is kind] for kind in Kind
    }
    target = _target(train[data.target], data)
    learned = target.scaled(train[data.target].to_numpy(np.float64))[:, 0]
    numbers = {
        name: _number(train[name], learned, data, kind)
        for name in features
        if (kind := schema.columns[name].kind) in (Kind.numeric, Kind.boolean)
    }
    return Encoding(
        numbers,
        {name: _category(train[name], data) for name in of_kind[Kind.category]},
        {name: _date(train[name], schema.columns[name]) for name in of_kind[Kind.date]},
        target,
    )


def fit_fold_encodings(
    train: pd.DataFrame, folds: Folds, schema: Schema, features: Sequence[str], data: Data
) -> list[Encoding]:
    """The encoding of each fold of the training part, fitted to the rows that its network is
    trained on. Numbers and dates that do not vary in these become the input 0: their scale in
    the rows that the fold holds out is not known, and no weight for them is trained."""
    encodings = []
    for fold in folds:
        rows = train.iloc[fold.train]
        one = fit_encoding(rows, schema, features, data)
        varies = {
            name: bool(rows[name].min() < rows[name].max()) for name in [*one.numbers, *one.dates]
        }
        numbers = {
            name: number
            if varies[name]
            else replace(ZERO, missing_indicator=number.missing_indicator)
            for name, number in one.numbers.items()
        }
        dates = {
            name: date if varies[name] else replace(date, std=BEYOND_SCALE)
            for name, date in one.dates.items()
        }
        encodings.append(replace(one, numbers=numbers, dates=dates))
    return encodings


def _number(
    values: "pd.Series[Any]", learned: NDArray[np.float32], data: Data, kind: Kind
) -> Number:
    known = values.notna().to_numpy()
    present = values.to_numpy(np.float64)[known]
    indicator = len(present) < len(values)
    present = present if len(present) else np.zeros(1)
    fill = float(np.median(present) if data.impute is Impute.median else present.mean())
    if data.scale_inputs is ScaleInputs.none:
        return Number(fill, indicator)
    scale = data.scale_inputs if kind is Kind.numeric else ScaleInputs.standardize
    if scale is ScaleInputs.quantile:
        return Number(fill, indicator, 0.0, 1.0, *_quantiles(present))
    if scale is ScaleInputs.robust:
        return Number(fill, indicator, *_robust(present), smooth_clip=True)
    piecewise = scale is ScaleInputs.piecewise
    edges = _edges(present, learned[known], data) if piecewise else []
    # Clipped, because one value far from all others would have any prediction.
    return Number(fill, indicator, *standard(present), smooth_clip=piecewise, edges=edges)


def standard(values: Values) -> tuple[float, float]:
    """Mean and population standard deviation, which is 1 for values that do not vary."""
    # Not std > 0: by rounding, seven times 0.1 has a std of 1e-17.
    varies = bool(values.max() > values.min())
    std = float(values.std())
    return float(values.mean()), std if varies and std > 0 else 1.0


def _robust(values: Values) -> tuple[float, float]:
    """Median and interquartile range, or half the range where that is 0, or 1 for values that do
    not vary."""
    low, first, median, third, high = np.quantile(values, [0, 0.25, 0.5, 0.75, 1]).tolist()
    spreads = (third - first, (high - low) / 2)
    return median, next((spread for spread in spreads if spread > MIN_SPREAD), 1.0)


def _edges(values: Values, learned: NDArray[np.float32], data: Data) -> list[float]:
    """From the minimum to the maximum of values, where data.bins bins meet, or fewer: each of few
    distinct values is an edge, and few rows have fewer bins; none for values that need no bins."""
    distinct, which = np.unique(values, return_inverse=True)
    if len(distinct) < MIN_VALUES:
        return []
    if len(distinct) <= data.bins + 1:
        every: list[float] = distinct.tolist()
        return every
    bins = min(data.bins, max(MIN_BINS, len(values) // ROWS_PER_BIN))
    if data.bin_edges is BinEdges.tree:
        edges = np.append(_thresholds(distinct, which, learned, bins), distinct[[0, -1]])
    else:
        edges = np.quantile(values, np.linspace(0, 1, bins + 1))
    ascending: list[float] = np.unique(edges).tolist()
    return ascending if len(ascending) >= MIN_VALUES else []


def _thresholds(
    distinct: Values, which: NDArray[np.intp], learned: NDArray[np.float32], bins: int
) -> Values:
    """Where a regression tree of one column has its splits, midway between two of its values."""
    with heavy_import():
        from sklearn.tree import DecisionTreeRegressor
    # By the rank of a value, because the tree computes with float32 numbers.
    tree = DecisionTreeRegressor(
        max_leaf_nodes=bins, min_samples_leaf=max(1, len(which) // (LEAVES * bins)), random_state=0
    ).fit(which[:, np.newaxis], learned)
    thresholds = tree.tree_.threshold[tree.tree_.feature == 0]
    below = thresholds.astype(np.intp).clip(max=len(distinct) - 2)
    return np.asarray((distinct[below] + distinct[below + 1]) / 2, np.float64)


def _quantiles(values: Values) -> tuple[list[float], list[float]]:
    """The distinct quantiles of values, and the quantiles of the normal distribution at the
    same probabilities, or their mean where several quantiles are equal."""
    shares = np.linspace(0, 1, min(QUANTILES, len(values)) + 1)
    half = 0.5 / len(shares)
    normal = np.array([NormalDist().inv_cdf(share) for share in shares.clip(half, 1 - half)])
    unique, which = np.unique(np.quantile(values, shares), return_inverse=True)
    levels = np.bincount(which, normal) / np.bincount(which)
    return unique.tolist(), levels.tolist()


def _category(values: "pd.Series[Any]", data: Data) -> Category:
    counts = values.fillna("").value_counts()
    min_count = min_rows_of_category(counts, data)
    # Ties are broken by name, so that the order of rows does not matter.
    ranked = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))
    common = [str(name) for name, count in ranked if count >= min_count][: data.max_categories]
    return Category(sorted(common), other=len(common) < len(counts))


def min_rows_of_category(counts: "pd.Series[Any]", data: Data, *, lowered: bool = True) -> int:
    """The number of rows from which a category has an input. If none has as many, it is lowered
    to half the rows of the most frequent one, or the only input would be 1 in every row.

    Parameters
    ----------
    counts
        The number of rows of each category in the training part, in descending order.

    """
    enough = min(data.min_category_count, max(1, int(MIN_SHARE * counts.sum())))
    frequent = int(counts.iloc[0])
    return max(2, (frequent + 1) // 2) if lowered and frequent < enough else enough


def _date(values: "pd.Series[Any]", column: Column) -> Date:
    days = in_days(values)
    present = days[~np.isnan(days)]
    indicator = len(present) < len(days)
    present = present if len(present) else np.zeros(1)
    clock = bool((present % 1 > 0).any())
    return Date(
        float(np.median(present)), indicator, *standard(present), clock,
        calendar=not is_clock(column.format),
    )  # fmt: skip


def in_days(values: "pd.Series[Any]") -> Values:
    """Dates in days since 1970, NaN where one is missing."""
    return np.asarray((values - EPOCH) / DAY, np.float64)


def _target(values: "pd.Series[Any]", data: Data) -> Target:
    y = values.to_numpy(np.float64)
    if data.scale_target is ScaleTarget.none:
        return Target(data.target)
    log = data.scale_target is ScaleTarget.log
    if log:
        y = np.log(y)
    mean, std = standard(y)
    if not (isfinite(mean) and isfinite(std)):
        raise UserError(
            f"column {data.target!r} varies so much that it cannot be standardised; give it"
            " in another unit, or set data.scale_target=log"
        )
    return Target(data.target, log, mean, std)


def describe(encoding: Encoding) -> dict[str, str]:
    """How each column is encoded, in words."""
    words: dict[str, str] = {}
    for name, number in encoding.numbers.items():
        how = _scaling(number.mean, number.std)
        if number.quantiles:
            how = f"mapped to the normal distribution by {len(number.quantiles)} quantiles"
        if number.smooth_clip:
            how = f"centred by {number.mean:.6g}, divided by {number.std:.6g}"
            how += ", and smoothly clipped at 3"
        if number.edges:
            low, *_, high = number.edges
            how += f", and piecewise linear in {len(number.edges) - 1} bins"
            how += f" from {low:.6g} to {high:.6g}"
        words[name] = how + _imputation(number, f"{number.fill:.6g}")
    for name, one in encoding.categories.items():
        listed = ", ".join(category or "missing" for category in one.categories)
        others = "; one input for all other categories" if one.other else ""
        words[name] = f"one-hot: {listed}{others}"
    for name, date in encoding.dates.items():
        fill = EPOCH + date.fill * DAY
        words[name] = f"{', '.join(date_parts(date))}" + _imputation(
            date, f"{fill:%Y-%m-%d}" if date.calendar else f"{fill:%H:%M}"
        )
    target = encoding.target
    log = "logarithm " if target.log else ""
    words[target.name] = f"target: {log}{_scaling(target.mean, target.std)}"
    return words


def _scaling(mean: float, std: float) -> str:
    if (mean, std) == (0.0, 1.0):
        return "unchanged"
    return f"standardised by mean {mean:.6g} and std {std:.6g}"


def _imputation(one: Number | Date, fill: str) -> str:
    return f"; {fill} where missing, with a missing indicator" if one.missing_indicator else ""
