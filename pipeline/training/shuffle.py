"""The order of the rows in an epoch: it follows from the seed, the epoch and the number of rows.

A table of up to WINDOW_BLOCKS blocks is shuffled as a whole. A longer one is shuffled in
windows: first the blocks, then the rows of each WINDOW_BLOCKS of them. So the order is the
same from memory and from a file, of which only a window is in memory at a time.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pipeline.dataset.rows import WINDOW_BLOCKS, Part, Stream

Order = NDArray[np.int32]


def windows(
    rows: int, block_rows: int, seed: int, epoch: int, *, shuffle: bool
) -> Iterator[tuple[list[int], Order]]:
    """The windows of an epoch (from 0): the blocks of each, and the order of their rows, which
    are counted from 0 through those blocks."""
    count = -(-rows // block_rows)
    if count <= WINDOW_BLOCKS:
        yield list(range(count)), order_of_rows(rows, block_rows, seed, epoch, shuffle=shuffle)
        return
    random = np.random.default_rng([seed, epoch])
    blocks = random.permutation(count) if shuffle else np.arange(count)
    for start in range(0, count, WINDOW_BLOCKS):
        chosen = [int(block) for block in blocks[start : start + WINDOW_BLOCKS]]
        within = sum(min(block_rows, rows - block * block_rows) for block in chosen)
        order = random.permutation(within) if shuffle else np.arange(within)
        yield chosen, order.astype(np.int32)


def order_of_rows(rows: int, block_rows: int, seed: int, epoch: int, *, shuffle: bool) -> Order:
    """The order of the rows in an epoch (from 0): a permutation of 0 to rows - 1."""
    if rows > block_rows * WINDOW_BLOCKS:
        orders = []
        for chosen, order in windows(rows, block_rows, seed, epoch, shuffle=shuffle):
            starts = [block * block_rows for block in chosen]
            blocks = [np.arange(start, min(rows, start + block_rows)) for start in starts]
            orders.append(np.concatenate(blocks)[order])
        return np.concatenate(orders).astype(np.int32)
    if not shuffle:
        return np.arange(rows, dtype=np.int32)
    return np.random.default_rng([seed, epoch]).permutation(rows).astype(np.int32)


def in_batches(order: Order, batch_size: int, count: int | None = None) -> Order:
    """order as (batches, batch_size), padded with -1: as many batches as it needs, or count."""
    batches = count or -(-len(order) // batch_size)
    filled = np.full(batches * batch_size, -1, np.int32)
    filled[: len(order)] = order
    return filled.reshape(batches, batch_size)


def streamed(
    stream: Stream, seed: int, epoch: int, *, batch_size: int, shuffle: bool
) -> Iterator[Part]:
    """The rows of an epoch in its order, window by window. Every piece but the last has whole
    batches: the rows that remain come with the next window."""
    rest: list[Part] = []
    for chosen, order in windows(stream.rows, stream.block_rows, seed, epoch, shuffle=shuffle):
        read = joined([stream.read(block) for block in chosen])
        ready = joined([*rest, Part(read.x[order], read.y[order])])
        whole = len(ready) // batch_size * batch_size
        rest = [Part(ready.x[whole:], ready.y[whole:])]
        if whole:
            yield Part(ready.x[:whole], ready.y[:whole])
    if len(rest[0]):
        yield rest[0]


def joined(parts: list[Part]) -> Part:
    """The rows of all parts, in their order."""
    return Part(
        np.concatenate([part.x for part in parts]), np.concatenate([part.y for part in parts])
    )
