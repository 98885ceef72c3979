"""In which order an epoch takes the rows: a matter of seed, epoch and the table's size alone.

A table of up to WINDOW_BLOCKS blocks is shuffled as a whole. A longer one is shuffled
in windows: the blocks in a new order, and the rows of every WINDOW_BLOCKS of them
among each other. So the same order can be had from memory and, with a few blocks in
memory at a time, from a file.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pipeline.dataset.rows import WINDOW_BLOCKS, Part, Stream

Order = NDArray[np.int32]


def windows(
    rows: int, block_rows: int, seed: int, epoch: int, *, shuffle: bool
) -> Iterator[tuple[list[int], Order]]:
    """The windows of an epoch (from 0): the blocks of each, and in which order it takes
    their rows, which are counted from 0 through the blocks as listed."""
    count = -(-rows // block_rows)
    if count <= WINDOW_BLOCKS:
        yield list(range(count)), order_of_rows(rows, block_rows, seed, epoch, shuffle=shuffle)
        return
    random = np.random.default_rng([seed, epoch])
    listed = random.permutation(count) if shuffle else np.arange(count)
    for start in range(0, count, WINDOW_BLOCKS):
        chosen = [int(block) for block in listed[start : start + WINDOW_BLOCKS]]
        within = sum(min(block_rows, rows - block * block_rows) for block in chosen)
        order = random.permutation(within) if shuffle else np.arange(within)
        yield chosen, order.astype(np.int32)


def order_of_rows(rows: int, block_rows: int, seed: int, epoch: int, *, shuffle: bool) -> Order:
    """In which order an epoch (from 0) takes the rows: a permutation of 0 to rows - 1."""
    if rows > block_rows * WINDOW_BLOCKS:
        taken = []
        for chosen, order in windows(rows, block_rows, seed, epoch, shuffle=shuffle):
            starts = [block * block_rows for block in chosen]
            listed = [np.arange(start, min(rows, start + block_rows)) for start in starts]
            taken.append(np.concatenate(listed)[order])
        return np.concatenate(taken).astype(np.int32)
    if not shuffle:
        return np.arange(rows, dtype=np.int32)
    return np.random.default_rng([seed, epoch]).permutation(rows).astype(np.int32)


def in_batches(order: Order, batch_size: int) -> Order:
    """order as (batches, batch_size); the last batch is filled up with -1, no row."""
    batches = -(-len(order) // batch_size)
    filled = np.full(batches * batch_size, -1, np.int32)
    filled[: len(order)] = order
    return filled.reshape(batches, batch_size)


def streamed(
    stream: Stream, seed: int, epoch: int, *, batch_size: int, shuffle: bool
) -> Iterator[Part]:
    """The rows of an epoch in its order, a window at a time. Every piece but the last
    has whole batches: rows that fill none wait for the next."""
    waiting: list[Part] = []
    for chosen, order in windows(stream.rows, stream.block_rows, seed, epoch, shuffle=shuffle):
        read = joined([stream.read(block) for block in chosen])
        ready = joined([*waiting, Part(read.x[order], read.y[order])])
        whole = len(ready) // batch_size * batch_size
        waiting = [Part(ready.x[whole:], ready.y[whole:])]
        if whole:
            yield Part(ready.x[:whole], ready.y[:whole])
    if len(waiting[0]):
        yield waiting[0]


def joined(parts: list[Part]) -> Part:
    """The rows of all parts, one part after the other."""
    return Part(
        np.concatenate([part.x for part in parts]), np.concatenate([part.y for part in parts])
    )
