"""What the network is to make of a table's columns, fitted on the training part alone."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.runtime.model_files import what_train_writes

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Number:
    """A numeric or boolean column: fill stands in for a missing value, and told says whether
    the network is told that it was missing. It reads (value - mean) / std or, with
    quantiles, where the value lies between those: levels[i] at quantiles[i], along
    straight lines, and no further at either end."""

    fill: float
    told: bool
    mean: float = 0.0
    std: float = 1.0
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
    """A date column, in days since 1970: (days - mean) / std, and sine and cosine of
    year and week, of the day too if clock. fill and told as of a Number."""

    fill: float
    told: bool
    mean: float
    std: float
    clock: bool


@dataclass(frozen=True)
class Target:
    """The network learns (y - mean) / std, of log(y) if log."""

    name: str
    log: bool = False
    mean: float = 0.0
    std: float = 1.0

    def scaled(self, y: Values) -> NDArray[np.float32]:
        """y of shape (rows,) in its own units, as the network learns it: (rows, 1)."""
        values = (np.log(y) if self.log else y) - self.mean
        return (values / self.std).astype(np.float32)[:, np.newaxis]

    def unscaled(self, z: NDArray[Any]) -> Values:
        """What the network answers, (rows,), in the target's own units."""
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
