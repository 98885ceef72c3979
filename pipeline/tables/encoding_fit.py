"""What the network is to make of a table's columns, fitted on the training part alone."""

from collections.abc import Sequence
from math import isfinite
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd

from pipeline.config.data import Data, Impute, Kind, ScaleInputs, ScaleTarget
from pipeline.dataset.encoding import Category, Date, Encoding, Number, Target, Values, date_parts
from pipeline.runtime.errors import UserError
from pipeline.schema.columns import Schema

QUANTILES = 100
# In a small table, a category of this share of the rows is not rare.
COMMON_SHARE = 0.05
EPOCH = pd.Timestamp(1970, 1, 1)
DAY = pd.Timedelta(days=1)


def fit(train: pd.DataFrame, schema: Schema, features: Sequence[str], data: Data) -> Encoding:
    """The encoding of the conformed training part's features and target.

    Raises UserError for a target that cannot be scaled as data.scale_target says.
    """
    of_kind = {
        kind: [name for name in features if schema.columns[name].kind is kind] for kind in Kind
    }
    numbers = {
        name: _number(train[name], data, kind)
        for name in features
        if (kind := schema.columns[name].kind) in (Kind.numeric, Kind.boolean)
    }
    return Encoding(
        numbers,
        {name: _category(train[name], data) for name in of_kind[Kind.category]},
        {name: _date(train[name]) for name in of_kind[Kind.date]},
        _target(train[data.target], data),
    )


def _number(values: "pd.Series[Any]", data: Data, kind: Kind) -> Number:
    present = values.dropna().to_numpy(np.float64)
    fill = float(np.median(present) if data.impute is Impute.median else present.mean())
    told = len(present) < len(values)
    if data.scale_inputs is ScaleInputs.none:
        return Number(fill, told)
    if data.scale_inputs is ScaleInputs.quantile and kind is Kind.numeric:
        return Number(fill, told, 0.0, 1.0, *_quantiles(present))
    return Number(fill, told, *standard(present))


def standard(values: Values) -> tuple[float, float]:
    """Mean and standard deviation (of the population); the latter is 1 for values that do
    not vary: there is nothing to divide by."""
    # Not std > 0: rounding gives seven times 0.1 a std of 1e-17.
    varies = bool(values.max() > values.min())
    std = float(values.std())
    return float(values.mean()), std if varies and std > 0 else 1.0


def _quantiles(values: Values) -> tuple[list[float], list[float]]:
    """Quantiles of values, all different, and the normal distribution's at the same places,
    the mean of them where several quantiles are one value."""
    places = np.linspace(0, 1, min(QUANTILES, len(values)) + 1)
    half = 0.5 / len(places)
    normal = np.array([NormalDist().inv_cdf(place) for place in places.clip(half, 1 - half)])
    unique, which = np.unique(np.quantile(values, places), return_inverse=True)
    levels = np.bincount(which, normal) / np.bincount(which)
    return unique.tolist(), levels.tolist()


def _category(values: "pd.Series[Any]", data: Data) -> Category:
    counts = values.fillna("").value_counts()
    least = min(data.min_category_count, max(1, int(COMMON_SHARE * len(values))))
    # Equally frequent ones by name, so that the order of rows does not matter.
    ranked = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))
    common = [str(name) for name, count in ranked if count >= least][: data.max_categories]
    return Category(sorted(common), other=len(common) < len(counts))


def _date(values: "pd.Series[Any]") -> Date:
    days = in_days(values)
    present = days[~np.isnan(days)]
    clock = bool((present % 1 > 0).any())
    return Date(float(np.median(present)), len(present) < len(days), *standard(present), clock)


def in_days(values: "pd.Series[Any]") -> Values:
    """Dates in days since 1970, NaN where there is none."""
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


def described(encoding: Encoding) -> dict[str, str]:
    """What is done to each column, in words."""
    said: dict[str, str] = {}
    for name, number in encoding.numbers.items():
        how = f"less {number.mean:.6g}, divided by {number.std:.6g}"
        if number.quantiles:
            how = f"by its place among {len(number.quantiles)} quantiles"
        elif (number.mean, number.std) == (0.0, 1.0):
            how = "as it is"
        said[name] = how + _told(number, f"{number.fill:.6g}")
    for name, one in encoding.categories.items():
        listed = ", ".join(category or "missing" for category in one.categories)
        others = "; all others as one" if one.other else ""
        said[name] = f"0 or 1 for each of {listed}{others}"
    for name, date in encoding.dates.items():
        fill = EPOCH + date.fill * DAY
        said[name] = f"{', '.join(date_parts(date))}" + _told(date, f"{fill:%Y-%m-%d}")
    target = encoding.target
    scaled = "as it is" if (target.mean, target.std) == (0.0, 1.0) else (
        f"less {target.mean:.6g}, divided by {target.std:.6g}"
    )  # fmt: skip
    said[target.name] = f"the target, {'its logarithm ' if target.log else ''}{scaled}"
    return said


def _told(one: Number | Date, fill: str) -> str:
    return f"; {fill} where missing, and whether it is" if one.told else ""
