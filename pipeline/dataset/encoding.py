"""The encoding of a table's columns as inputs of the network, fitted on the training part."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.runtime.errors import read_errors

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Number:
    """A numeric or boolean column.

    Attributes
    ----------
    fill
        Replaces a missing value.
    missing_indicator
        Whether another input is 1 where a value is missing.
    mean, std
        The input is z = (value - mean) / std. Of robust scaling, mean is the median and std the
        interquartile range, or half the range where that is 0.
    smooth_clip
        The input is z / sqrt(1 + (z / 3)**2) instead, which is between -3 and 3.
    quantiles, levels
        With quantiles, the input is the linear interpolation of levels at quantiles instead,
        constant beyond both ends.
    edges
        Further inputs, one for each bin between two edges: the fraction of the bin that is below
        the value, from 0 to 1.
    """

    fill: float
    missing_indicator: bool
    mean: float = 0.0
    std: float = 1.0
    quantiles: list[float] = field(default_factory=list)
    levels: list[float] = field(default_factory=list)
    smooth_clip: bool = False
    edges: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Category:
    """A category column, one-hot encoded: an input for each category, where "" is a missing
    value, and with other one for all categories that are not listed."""

    categories: list[str]
    other: bool


@dataclass(frozen=True)
class Date:
    """A date column, in days since 1970: (days - mean) / std, and sine and cosine of the time
    of year and of week, if it has a calendar, which times of day have not, and, with clock, of
    day. fill and missing_indicator as of a Number."""

    fill: float
    missing_indicator: bool
    mean: float
    std: float
    clock: bool
    calendar: bool = True


@dataclass(frozen=True)
class Target:
    """The network learns (y - mean) / std, with log that of log(y)."""

    name: str
    log: bool = False
    mean: float = 0.0
    std: float = 1.0

    def scaled(self, y: Values) -> NDArray[np.float32]:
        """The target in its units, (rows,), as the network learns it, (rows, 1)."""
        values = (np.log(y) if self.log else y) - self.mean
        return (values / self.std).astype(np.float32)[:, np.newaxis]

    def unscaled(self, z: NDArray[Any]) -> Values:
        """The output of the network, (rows,), in the units of the target."""
        values = z.astype(np.float64) * self.std + self.mean
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
        """The columns that the network reads."""
        return [*self.numbers, *self.categories, *self.dates]

    @property
    def names(self) -> list[str]:
        """The names of the inputs of the network, in order."""
        return [
            *self.numbers,
            *(
                f"{name} bin {number}"
                for name, one in self.numbers.items()
                for number in range(1, len(one.edges))
            ),
            *(f"{name} is missing" for name, one in self.numbers.items() if one.missing_indicator),
            *(
                f"{name} = {category or 'missing'}"
                for name, one in self.categories.items()
                for category in (
                    [*one.categories] if not one.other else ["(other)", *one.categories]
                )
            ),
            *(f"{name} {part}" for name, one in self.dates.items() for part in date_parts(one)),
        ]

    @property
    def bins(self) -> range:
        """The positions of the inputs that are bins."""
        count = sum(max(0, len(one.edges) - 1) for one in self.numbers.values())
        return range(len(self.numbers), len(self.numbers) + count)

    def write(self, path: Path) -> None:
        text = json.dumps(asdict(self), indent=1, ensure_ascii=False, allow_nan=False)
        path.write_text(text + "\n", "utf-8")

    @staticmethod
    def read(path: Path) -> "Encoding":
        """What `write` wrote. Raises UserError for anything else."""
        with read_errors(path):
            return Encoding.from_plain(json.loads(path.read_text("utf-8")))

    @staticmethod
    def from_plain(plain: dict[str, Any]) -> "Encoding":
        """From the mappings that dataclasses.asdict returns."""
        kinds = {"numbers": Number, "categories": Category, "dates": Date}
        sides: dict[str, Any] = {
            side: {name: kind(**values) for name, values in plain[side].items()}
            for side, kind in kinds.items()
        }
        return Encoding(**sides, target=Target(**plain["target"]))


def date_parts(date: Date) -> list[str]:
    """The inputs that a date is encoded as."""
    cycles = [*(["year", "week"] if date.calendar else []), *(["day"] if date.clock else [])]
    parts = [f"{wave} of {cycle}" for cycle in cycles for wave in ("sine", "cosine")]
    return ["days", *parts, *(["is missing"] if date.missing_indicator else [])]
