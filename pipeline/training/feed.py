"""Rows as tensors for the compiled functions: all at once, or from a stream."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.dataset.rows import WINDOW_BLOCKS, Array, Part, Stream, blocks
from pipeline.network.backend import tf
from pipeline.training.epoch import Rows
from pipeline.training.shuffle import Order, in_batches, streamed


def in_memory(part: Part) -> Rows:
    """All rows, in their order."""
    return Rows(tf.constant(part.x), tf.constant(part.y))


def chunks(positions: Sequence[Order], max_rows: int) -> Order:
    """The positions of each fold's rows in chunks of at most max_rows: (chunks, folds, rows),
    where -1 is padding."""
    longest = max(map(len, positions))
    size = min(longest, max(1, max_rows))
    count = -(-longest // size)
    return np.stack([in_batches(one, size, count) for one in positions], axis=1)


def pieces(
    stream: Stream, seed: int, epoch: int, *, batch_size: int, shuffle: bool
) -> tf.data.Dataset:
    """The rows of an epoch, window by window; the next one is read during training.

    An element is x (rows, features), y (rows, 1), the order of its rows in batches (batches,
    batch_size), where -1 is padding, and the number of batches that have rows. All elements
    have the same shape, so that they need a single compilation.
    """
    rows = (
        min(-(-len(stream) // batch_size), stream.block_rows * WINDOW_BLOCKS // batch_size + 1)
        * batch_size
    )

    def read() -> Iterator[tuple[Array, Array, Order, int]]:
        for part in streamed(stream, seed, epoch, batch_size=batch_size, shuffle=shuffle):
            order = np.full(rows, -1, np.int32)
            order[: len(part)] = np.arange(len(part))
            batches = order.reshape(-1, batch_size)
            missing = rows - len(part)
            steps = -(-len(part) // batch_size)
            yield padded(part.x, missing), padded(part.y, missing), batches, steps

    features = stream.read(0).x.shape[1]
    return tf.data.Dataset.from_generator(
        read,
        output_signature=(
            tf.TensorSpec((rows, features), tf.float32),
            tf.TensorSpec((rows, 1), tf.float32),
            tf.TensorSpec((rows // batch_size, batch_size), tf.int32),
            tf.TensorSpec((), tf.int32),
        ),
    ).prefetch(1)


def blocks_of_chunks(stream: Stream, max_rows: int) -> tf.data.Dataset:
    """The rows in their order, block by block: x, y, and their order in chunks of at most
    max_rows rows, (chunks, rows), where -1 is padding. All elements have the same shape. The next
    block is read while one is used."""
    size = min(stream.rows, stream.block_rows)
    columns = min(size, max(1, max_rows))

    def read() -> Iterator[tuple[Array, Array, Order]]:
        for part in blocks(stream):
            missing = size - len(part)
            order = in_batches(np.arange(len(part), dtype=np.int32), columns, -(-size // columns))
            yield padded(part.x, missing), padded(part.y, missing), order

    return tf.data.Dataset.from_generator(
        read, output_signature=tf.nest.map_structure(tf.type_spec_from_value, next(read()))
    ).prefetch(1)


def padded(array: NDArray[Any], count: int) -> NDArray[Any]:
    """array with count zeros appended along its first axis."""
    return np.pad(array, [(0, count)] + [(0, 0)] * (array.ndim - 1)) if count else array
