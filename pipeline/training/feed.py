"""Rows as the compiled functions take them: all at once, in chunks, or as they are read."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.dataset.rows import WINDOW_BLOCKS, Array, Part, Stream, blocks
from pipeline.network.backend import tf
from pipeline.training.epoch import Rows
from pipeline.training.shuffle import Order, in_batches, streamed


def held(part: Part) -> Rows:
    """All rows, in their own order."""
    return Rows(tf.constant(part.x), tf.constant(part.y))


def chunks(part: Part, most: int, count: int | None = None) -> Rows:
    """x, y and which rows count, (chunks, rows, ...), of at most so many rows a chunk; of
    the part's rows the first count do, or all."""
    size = min(len(part), max(1, most))
    order = in_batches(np.arange(len(part), dtype=np.int32), size)
    counted = (order >= 0) & (order < (len(part) if count is None else count))
    counts = counted.astype(np.float32)[..., np.newaxis]
    return Rows(tf.constant(part.x[order]), tf.constant(part.y[order]), tf.constant(counts))


def pieces(
    stream: Stream, seed: int, epoch: int, *, batch_size: int, shuffle: bool
) -> tf.data.Dataset:
    """The rows of an epoch, window by window; the next is read while one is trained on.

    An element is x, y, the order of its rows in batches, and how many batches those
    are. All elements have one size, so that one compilation serves them.
    """
    rows = (
        min(-(-len(stream) // batch_size), stream.block_rows * WINDOW_BLOCKS // batch_size + 1)
        * batch_size
    )

    def read() -> Iterator[tuple[Array, Array, Order, int]]:
        for part in streamed(stream, seed, epoch, batch_size=batch_size, shuffle=shuffle):
            order = np.full(rows, -1, np.int32)
            order[: len(part)] = np.arange(len(part))
            spare = rows - len(part)
            steps = -(-len(part) // batch_size)
            yield longer(part.x, spare), longer(part.y, spare), order.reshape(-1, batch_size), steps

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


def blocks_of_chunks(stream: Stream, most: int) -> tf.data.Dataset:
    """The rows in their own order, block by block, each as `chunks` of at most so many
    rows; all elements have one size. The next is read while one is worked on."""
    size = min(stream.rows, stream.block_rows)

    def read() -> Iterator[Rows]:
        for part in blocks(stream):
            spare = size - len(part)
            yield chunks(Part(longer(part.x, spare), longer(part.y, spare)), most, len(part))

    return tf.data.Dataset.from_generator(
        read, output_signature=tf.nest.map_structure(tf.type_spec_from_value, next(read()))
    ).prefetch(1)


def longer(array: NDArray[Any], spare: int) -> NDArray[Any]:
    """array with so many zeros more along its first axis."""
    return np.pad(array, [(0, spare)] + [(0, 0)] * (array.ndim - 1)) if spare else array
