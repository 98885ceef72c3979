"""In which order an epoch takes the rows: a matter of seed, epoch and the table's size alone.

A table of up to WINDOW_BLOCKS blocks is shuffled as a whole. A longer one is shuffled
in windows: the blocks in a new order, and the rows of every WINDOW_BLOCKS of them
among each other. So the same order can be had from memory and, with a few blocks in
memory at a time, from a file.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
# Into these the rows of a table are divided.
PARTS = ("train", "validation", "test")
WINDOW_BLOCKS = 16
# Of a window: 256 MB of float32.
WINDOW_CELLS = 2**26
LEAST_BLOCK_ROWS, MOST_BLOCK_ROWS = 1024, 32_768


@dataclass(frozen=True)
class Part:
    """x of shape (rows, features) and y of shape (rows, 1), as training sees them."""

    x: Array
    y: Array

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True)
class Stream:
    """A part that is not held as training sees it: read(block) gives its rows from
    block * block_rows on, block_rows of them but for the last block."""

    rows: int
    block_rows: int
    read: Callable[[int], Part]

    def __len__(self) -> int:
        return self.rows


def blocks(part: Part | Stream) -> Iterator[Part]:
    """The rows in their own order, block by block."""
    if isinstance(part, Stream):
        for number in range(-(-part.rows // part.block_rows)):
            yield part.read(number)
    else:
        size = block_rows(part.x.shape[1])
        for start in range(0, len(part), size):
            yield Part(part.x[start : start + size], part.y[start : start + size])


def block_rows(inputs: int) -> int:
    """How many rows of so many inputs make a block: a power of two, less for wide rows, so
    that a window of them takes no more memory."""
    fitting = max(1, WINDOW_CELLS // WINDOW_BLOCKS // inputs)
    power: int = 1 << (fitting.bit_length() - 1)
    return min(MOST_BLOCK_ROWS, max(LEAST_BLOCK_ROWS, power))
