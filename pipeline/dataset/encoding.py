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
    """A numeric or boolean column: fill replaces a missing value and, with missing_indicator,
    another input is 1 where it was missing. The input is (value - mean) / std or, with quantiles,
    the linear interpolation of levels at quantiles, constant beyond both ends."""

    fill: float
    missing_indicator: bool
    mean: float = 0.0
    std: float = 1.0
    quantiles: list[float] = field(default_factory=list)
    levels: list[float] = field(default_factory=list)


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
