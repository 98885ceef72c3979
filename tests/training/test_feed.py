"""The tensors for the compiled functions have each row of the part once."""

from typing import Any

import numpy as np
import pytest

from pipeline.training.feed import blocks_of_chunks, chunks, in_memory, padded, pieces
from pipeline.training.shuffle import order_of_rows
from tests.rows import from_blocks, numbered, small_windows

BLOCK, WINDOW = 8, 3


def test_all_rows_are_in_their_order() -> None:
    part = numbered(5)
    rows = in_memory(part)
    np.testing.assert_array_equal(rows.x, part.x)
    np.testing.assert_array_equal(rows.y, part.y)
    assert rows.counts is None


@pytest.mark.parametrize(
    ("counts", "max_rows", "shape"),
    [
        ([7], 7, (1, 1, 7)),
        ([7], 100, (1, 1, 7)),
        ([7], 3, (3, 1, 3)),
        ([6, 5], 3, (2, 2, 3)),
        ([2, 4, 1], 2, (2, 3, 2)),
        ([3], 0, (3, 1, 1)),
    ],
)
def test_chunks_have_each_fold_s_rows_once_and_at_most_max_rows(
    counts: list[int], max_rows: int, shape: tuple[int, ...]
) -> None:
    positions = [np.arange(count, dtype=np.int32) + 10 * count for count in counts]
    order = chunks(positions, max_rows)
    assert order.shape == shape
    for fold, expected in enumerate(positions):
        assert order[:, fold][order[:, fold] >= 0].tolist() == expected.tolist()


@pytest.mark.parametrize("batch_size", [5, 8, 30])
@pytest.mark.parametrize("count", [23, 24, 40, 101])
def test_pieces_have_the_rows_of_an_epoch_in_its_order_and_one_shape(
    monkeypatch: pytest.MonkeyPatch, count: int, batch_size: int
) -> None:
    small_windows(monkeypatch, BLOCK, WINDOW)
    part = numbered(count)
    batch_size = min(batch_size, count)
    xs: list[Any] = []
    ys: list[Any] = []
    shapes, batches = set(), 0
    for x, y, order, steps in pieces(
        from_blocks(part, BLOCK), 3, 1, batch_size=batch_size, shuffle=True
    ).as_numpy_iterator():
        shapes.add((x.shape, y.shape, order.shape))
        batches += int(steps)
        assert (order[steps:] == -1).all()
        assert order[:steps].shape[1] == batch_size
        taken = order[order >= 0]
        xs.append(x[taken])
        ys.append(y[taken])
    expected = order_of_rows(count, BLOCK, 3, 1, shuffle=True)
    np.testing.assert_array_equal(np.concatenate(xs), part.x[expected])
    np.testing.assert_array_equal(np.concatenate(ys), part.y[expected])
    assert batches == -(-count // batch_size)
    assert len(shapes) == 1


@pytest.mark.parametrize("max_rows", [3, 100])
@pytest.mark.parametrize("count", [5, 24, 29])
def test_blocks_have_each_row_once_in_order_and_one_shape(count: int, max_rows: int) -> None:
    part = numbered(count)
    read = list(blocks_of_chunks(from_blocks(part, BLOCK), max_rows))
    assert len(read) == -(-count // BLOCK)
    assert len({(x.shape, y.shape, order.shape) for x, y, order in read}) == 1
    assert read[0][2].shape[1] <= max_rows
    taken = [(x, y, np.asarray(order)[np.asarray(order) >= 0]) for x, y, order in read]
    for index, name in enumerate(("x", "y")):
        rows = [np.asarray(block[index])[block[2]] for block in taken]
        np.testing.assert_array_equal(np.concatenate(rows), getattr(part, name))


def test_an_array_is_padded_with_zeros() -> None:
    array = np.ones((2, 3), np.int32)
    result = padded(array, 2)
    assert result.tolist() == [[1, 1, 1], [1, 1, 1], [0, 0, 0], [0, 0, 0]]
    assert result.dtype == np.int32
    assert padded(np.ones(2), 1).tolist() == [1, 1, 0]


def test_an_array_without_padding_is_not_copied() -> None:
    array = np.ones(3)
    assert padded(array, 0) is array
