"""The folds of cross-validation, and the encoding of each."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.dataset.encoding import Encoding
from pipeline.runtime.errors import read_errors

Positions = NDArray[np.int32]


@dataclass(frozen=True)
class Fold:
    """The positions of the rows that a network is trained on, and of those that it is validated
    on, (rows,) each; and the repeat of cross-validation, from 0, that the fold belongs to."""

    train: Positions
    validation: Positions
    repeat: int = 0


@dataclass(frozen=True)
class Folds:
    """Which rows of the training part each fold holds out.

    Attributes
    ----------
    held_out
        Shape (rows, repeats), in the order of the training part: the number, from 1, of the fold
        that holds the row out in each repeat; 0 where none does. Numbers go on from repeat to
        repeat.
    count
        How many folds there are in all repeats; 0 without cross-validation.
    expanding
        Whether a fold's network is trained on the rows of the folds before it alone, as for rows
        in the order of time, or on all rows that the fold does not hold out.
    encodings
        Of each fold, fitted to the rows that its network is trained on.
    """

    held_out: NDArray[np.int32]
    count: int = 0
    expanding: bool = False
    encodings: Sequence[Encoding] = field(default_factory=list)

    @property
    def repeats(self) -> int:
        return int(self.held_out.shape[1])

    def rows(self, fold: int) -> Fold:
        """The rows of a fold (from 0), in the order of the training part."""
        number, repeat = fold + 1, fold * self.repeats // self.count
        column = self.held_out[:, repeat]
        train = column < number if self.expanding else column != number
        return Fold(_positions(train), _positions(column == number), repeat)

    def __iter__(self) -> Iterator[Fold]:
        return map(self.rows, range(self.count))

    def write(self, path: Path) -> None:
        plain = {
            "count": self.count,
            "expanding": self.expanding,
            "encodings": [asdict(one) for one in self.encodings],
            "held_out": self.held_out.tolist(),
        }
        path.write_text(json.dumps(plain, ensure_ascii=False, allow_nan=False) + "\n", "utf-8")

    @staticmethod
    def read(path: Path) -> "Folds":
        """What `write` wrote. Raises UserError for anything else."""
        with read_errors(path):
            plain = json.loads(path.read_text("utf-8"))
            encodings = [Encoding.from_plain(one) for one in plain["encodings"]]
            held_out = np.array(plain["held_out"], np.int32, ndmin=2)
            return Folds(held_out, plain["count"], plain["expanding"], encodings)


def _positions(rows: NDArray[np.bool_]) -> Positions:
    return np.flatnonzero(rows).astype(np.int32)


NO_FOLDS = Folds(np.zeros((0, 0), np.int32))
