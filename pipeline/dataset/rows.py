"""The rows of a part as training takes them: arrays in memory, or a stream of blocks."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.dataset.encoding import Encoding
from pipeline.dataset.folds import Fold

Array = NDArray[np.float32]
# The parts that the rows of a table are split into.
PARTS = ("train", "validation", "test")
WINDOW_BLOCKS = 16
# Of a window: 256 MB of float32.
WINDOW_CELLS = 2**26
MIN_BLOCK_ROWS, MAX_BLOCK_ROWS = 1024, 32_768


@dataclass(frozen=True)
class Part:
    """Encoded rows in memory: x of shape (rows, features) and y of shape (rows, 1)."""

    x: Array
    y: Array

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True)
class Stream:
    """Rows that are encoded block by block: read(block) returns block_rows rows, from
    block * block_rows on; the last block may have fewer."""

    rows: int
    block_rows: int
    read: Callable[[int], Part]

    def __len__(self) -> int:
        return self.rows


@dataclass(frozen=True)
class TrainingRows:
    """The rows that networks are trained and validated on.

    Attributes
    ----------
    rows
        In memory, the rows of all folds, those for training and those for validation. As a
        stream, those for training.
    folds
        The positions in rows of each fold's, one fold without cross-validation; none for a stream.
    encodings
        The encoding of each fold's rows. Those with fewer inputs are followed by zeros.
    validation
        The rows for validation beside a stream, or None.
    """

    rows: Part | Stream
    folds: Sequence[Fold] = ()
    encodings: Sequence[Encoding] = ()
    validation: Stream | None = None

    @property
    def counts(self) -> list[int]:
        """The number of training rows of each fold."""
        return [len(fold.train) for fold in self.folds] or [len(self.rows)]

    @property
    def validated(self) -> bool:
        """Whether there are rows for validation."""
        if self.folds:
            return any(len(fold.validation) for fold in self.folds)
        return self.validation is not None and len(self.validation) > 0


def blocks(part: Part | Stream) -> Iterator[Part]:
    """The rows in their order, block by block."""
    if isinstance(part, Stream):
        for number in range(-(-part.rows // part.block_rows)):
            yield part.read(number)
    else:
        size = block_rows(part.x.shape[1])
        for start in range(0, len(part), size):
            yield Part(part.x[start : start + size], part.y[start : start + size])


def block_rows(inputs: int) -> int:
    """The number of rows in a block: a power of two, smaller for rows of many inputs, so that
    a window has at most WINDOW_CELLS cells."""
    fitting = max(1, WINDOW_CELLS // WINDOW_BLOCKS // inputs)
    power: int = 1 << (fitting.bit_length() - 1)
    return min(MAX_BLOCK_ROWS, max(MIN_BLOCK_ROWS, power))
