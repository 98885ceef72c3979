"""What the network is to make of a table's columns, fitted on the training part alone."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from math import isfinite
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.command import UserError
from pipeline.config import Data, Impute, Kind, ScaleInputs, ScaleTarget
from pipeline.schema import Schema, what_train_writes

Values = NDArray[np.float64]

QUANTILES = 100
# In a small table, a category of this share of the rows is not rare.
COMMON_SHARE = 0.05
EPOCH = pd.Timestamp(1970, 1, 1)
DAY = pd.Timedelta(days=1)


@dataclass(frozen=True)
class Number:
    """A numeric or boolean column: fill stands in for a missing value, and told says whether
    the network is told that it was missing. It reads (value - mean) / deviation or, with
    quantiles, where the value lies between those: levels[i] at quantiles[i], along
    straight lines, and no further at either end."""

    fill: float
    told: bool
    mean: float = 0.0
    deviation: float = 1.0
    quantiles: list[float] = field(default_factory=list)
    levels: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Category:
    """A category column: 0 or 1 for each category, "" being a missing one, and if other,
    one for all that are not among them."""

    categories: list[str]
    other: bool


@dataclass(frozen=True)
class Date:
    """A date column, in days since 1970: (days - mean) / deviation, and sine and cosine of
    year and week, of the day too if clock. fill and told as of a Number."""

    fill: float
    told: bool
    mean: float
    deviation: float
    clock: bool


@dataclass(frozen=True)
class Target:
    """The network learns (y - mean) / deviation, of log(y) if log."""

    name: str
    log: bool = False
    mean: float = 0.0
    deviation: float = 1.0

    def scaled(self, y: Values) -> NDArray[np.float32]:
        """y of shape (rows,) in its own units, as the network learns it: (rows, 1)."""
        values = (np.log(y) if self.log else y) - self.mean
        return (values / self.deviation).astype(np.float32)[:, np.newaxis]

    def unscaled(self, z: NDArray[Any]) -> Values:
        """What the network answers, (rows,), in the target's own units."""
        values = z.astype(np.float64) * self.deviation + self.mean
        return np.exp(values) if self.log else values


@dataclass(frozen=True)
class Encoding:
    """From the columns of a table to the network's inputs, and from its output to the target."""

    numbers: dict[str, Number]
    categories: dict[str, Category]
    dates: dict[str, Date]
    target: Target

    @property
    def columns(self) -> list[str]:
        """The columns that are read."""
        return [*self.numbers, *self.categories, *self.dates]

    @property
    def names(self) -> list[str]:
        """Of the network's inputs, in their order."""
        return [
            *self.numbers,
            *(f"{name} is missing" for name, number in self.numbers.items() if number.told),
            *(
                f"{name} = {category or 'missing'}"
                for name, one in self.categories.items()
                for category in (
                    [*one.categories] if not one.other else ["(other)", *one.categories]
                )
            ),
            *(f"{name} {part}" for name, one in self.dates.items() for part in date_parts(one)),
        ]

    def write(self, path: Path) -> None:
        text = json.dumps(asdict(self), indent=1, ensure_ascii=False, allow_nan=False)
        path.write_text(text + "\n", "utf-8")

    @staticmethod
    def read(path: Path) -> "Encoding":
        """What `write` wrote. Raises UserError for anything else."""
        with what_train_writes(path):
            plain = json.loads(path.read_text("utf-8"))
            kinds = {"numbers": Number, "categories": Category, "dates": Date}
            sides: dict[str, Any] = {
                side: {name: kind(**values) for name, values in plain[side].items()}
                for side, kind in kinds.items()
            }
            return Encoding(**sides, target=Target(**plain["target"]))


def date_parts(date: Date) -> list[str]:
    """What the network is told of a date."""
    circles = ["year", "week", *(["day"] if date.clock else [])]
    parts = [f"{wave} of {circle}" for circle in circles for wave in ("sine", "cosine")]
    return ["days", *parts, *(["is missing"] if date.told else [])]


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
    # Not deviation > 0: rounding gives seven times 0.1 a deviation of 1e-17.
    varies = bool(values.max() > values.min())
    deviation = float(values.std())
    return float(values.mean()), deviation if varies and deviation > 0 else 1.0


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
    least = min(data.rare, max(1, int(COMMON_SHARE * len(values))))
    # Equally frequent ones by name, so that the order of rows does not matter.
    ranked = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))
    common = [str(name) for name, count in ranked if count >= least][: data.most_categories]
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
    mean, deviation = standard(y)
    if not (isfinite(mean) and isfinite(deviation)):
        raise UserError(
            f"column {data.target!r} varies so much that it cannot be standardised; give it"
            " in another unit, or set data.scale_target=log"
        )
    return Target(data.target, log, mean, deviation)


def of_columns(kernel: Values, bias: float, encoding: Encoding) -> tuple[Values, float]:
    """Kernel, (inputs,), and bias of a line of the network's inputs, as those of a line of
    the columns themselves, wherever an input is a straight line of its column."""
    scale, shift = np.ones(len(kernel)), np.zeros(len(kernel))
    for place, number in enumerate(encoding.numbers.values()):
        if not number.quantiles:
            scale[place], shift[place] = 1 / number.deviation, -number.mean / number.deviation
    return kernel * scale, bias + float(kernel @ shift)


def described(encoding: Encoding) -> dict[str, str]:
    """What is done to each column, in words."""
    said: dict[str, str] = {}
    for name, number in encoding.numbers.items():
        how = f"less {number.mean:.6g}, divided by {number.deviation:.6g}"
        if number.quantiles:
            how = f"by its place among {len(number.quantiles)} quantiles"
        elif (number.mean, number.deviation) == (0.0, 1.0):
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
    scaled = "as it is" if (target.mean, target.deviation) == (0.0, 1.0) else (
        f"less {target.mean:.6g}, divided by {target.deviation:.6g}"
    )  # fmt: skip
    said[target.name] = f"the target, {'its logarithm ' if target.log else ''}{scaled}"
    return said


def _told(one: Number | Date, fill: str) -> str:
    return f"; {fill} where missing, and whether it is" if one.told else ""
