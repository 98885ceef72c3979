"""An epoch has every row once, in an order that follows from the seed and the epoch."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.dataset.rows import WINDOW_BLOCKS, WINDOW_CELLS, Part, Stream, block_rows
from pipeline.training.shuffle import in_batches, joined, order_of_rows, streamed, windows
from tests.rows import from_blocks, numbered, small_windows

SEEDS = st.integers(0, 2**32 - 1)
EPOCHS = st.integers(0, 1000)
BLOCK, WINDOW = 7, 3


@contextmanager
def small_blocks() -> Iterator[None]:
    """Makes a table of more than 21 rows a long one."""
    with pytest.MonkeyPatch.context() as patch:
        small_windows(patch, BLOCK, WINDOW)
        yield


@given(inputs=st.integers(1, 4000))
def test_a_window_has_a_limited_number_of_cells(inputs: int) -> None:
    rows = block_rows(inputs)
    assert rows * WINDOW_BLOCKS * inputs <= WINDOW_CELLS
    # The largest power of two within the limit, up to a maximum for narrow tables.
    assert rows == 32_768 or 2 * rows * WINDOW_BLOCKS * inputs > WINDOW_CELLS


def test_blocks_of_the_widest_rows_have_a_minimal_size() -> None:
    assert block_rows(50_000) == 1024


@given(rows=st.integers(1, 200), seed=SEEDS, epoch=EPOCHS, shuffle=st.booleans())
def test_an_order_has_every_row_once(rows: int, seed: int, epoch: int, *, shuffle: bool) -> None:
    with small_blocks():
        order = order_of_rows(rows, BLOCK, seed, epoch, shuffle=shuffle)
    assert order.dtype == np.int32
    assert sorted(order.tolist()) == list(range(rows))


@given(rows=st.integers(1, 200), seed=SEEDS, epoch=EPOCHS)
def test_an_order_follows_from_seed_and_epoch(rows: int, seed: int, epoch: int) -> None:
    with small_blocks():
        first, again = (order_of_rows(rows, BLOCK, seed, epoch, shuffle=True) for _ in range(2))
    assert first.tolist() == again.tolist()


@pytest.mark.parametrize("rows", [20, 100], ids=["one window", "several windows"])
def test_every_epoch_and_every_seed_has_another_order(rows: int) -> None:
    with small_blocks():
        orders = {
            tuple(order_of_rows(rows, BLOCK, seed, epoch, shuffle=True).tolist())
            for seed in range(10)
            for epoch in range(10)
        }
    assert len(orders) == 100


@given(rows=st.integers(1, 200), seed=SEEDS, epoch=EPOCHS)
def test_without_shuffling_the_order_is_the_table_s(rows: int, seed: int, epoch: int) -> None:
    with small_blocks():
        assert order_of_rows(rows, BLOCK, seed, epoch, shuffle=False).tolist() == list(range(rows))


@given(rows=st.integers(BLOCK * WINDOW + 1, 200), seed=SEEDS, epoch=EPOCHS, shuffle=st.booleans())
def test_a_window_has_exactly_the_rows_of_its_blocks(
    rows: int, seed: int, epoch: int, *, shuffle: bool
) -> None:
    with small_blocks():
        order = order_of_rows(rows, BLOCK, seed, epoch, shuffle=shuffle).tolist()
        each = list(windows(rows, BLOCK, seed, epoch, shuffle=shuffle))
    for blocks, within in each:
        assert len(blocks) <= WINDOW
        assert sorted(within.tolist()) == list(range(len(within)))
        taken, order = order[: len(within)], order[len(within) :]
        assert {row // BLOCK for row in taken} == set(blocks)
    assert order == []
    assert sorted(block for blocks, _ in each for block in blocks) == list(range(-(-rows // BLOCK)))


def test_the_windows_of_another_epoch_have_other_blocks() -> None:
    with small_blocks():
        first, second = (
            [blocks for blocks, _ in windows(200, BLOCK, 3, epoch, shuffle=True)]
            for epoch in (0, 1)
        )
    assert first != second


@given(rows=st.integers(1, BLOCK * WINDOW), seed=SEEDS, epoch=EPOCHS)
def test_a_short_table_is_shuffled_as_a_whole(rows: int, seed: int, epoch: int) -> None:
    with small_blocks():
        ((blocks, within),) = windows(rows, BLOCK, seed, epoch, shuffle=True)
        order = order_of_rows(rows, BLOCK, seed, epoch, shuffle=True)
    assert blocks == list(range(-(-rows // BLOCK)))
    assert within.tolist() == order.tolist()


@given(rows=st.integers(1, 60), batch_size=st.integers(1, 70))
def test_the_last_batch_is_padded(rows: int, batch_size: int) -> None:
    order = order_of_rows(rows, BLOCK, 0, 0, shuffle=True)
    batches = in_batches(order, batch_size)
    assert batches.shape == (-(-rows // batch_size), batch_size)
    flat = batches.ravel().tolist()
    assert flat[:rows] == order.tolist()
    assert flat[rows:] == [-1] * (batches.size - rows)
    assert batches.size - rows < batch_size


@given(
    rows=st.integers(1, 200),
    seed=SEEDS,
    epoch=EPOCHS,
    batch_size=st.integers(1, 40),
    shuffle=st.booleans(),
)
def test_rows_from_disk_have_the_order_of_those_in_memory(
    rows: int, seed: int, epoch: int, batch_size: int, *, shuffle: bool
) -> None:
    part = numbered(rows)
    with small_blocks():
        order = order_of_rows(rows, BLOCK, seed, epoch, shuffle=shuffle)
        stream = from_blocks(part, BLOCK)
        pieces = list(streamed(stream, seed, epoch, batch_size=batch_size, shuffle=shuffle))
    whole = joined(pieces)
    np.testing.assert_array_equal(whole.x, part.x[order])
    np.testing.assert_array_equal(whole.y, part.y[order])
    assert all(len(piece) > 0 for piece in pieces)
    assert all(len(piece) % batch_size == 0 for piece in pieces[:-1])


def test_no_more_than_a_window_of_blocks_is_read_at_a_time() -> None:
    read: list[int] = []
    stream = from_blocks(numbered(100), BLOCK)

    def noted(block: int) -> Part:
        read.append(block)
        return stream.read(block)

    with small_blocks():
        pieces = streamed(Stream(100, BLOCK, noted), 3, 0, batch_size=5, shuffle=True)
        counts = [len(read) for _ in pieces]
    assert counts[0] == WINDOW
    assert max(np.diff(counts)) <= WINDOW
    assert sorted(read) == list(range(15))


def test_parts_are_joined_in_their_order() -> None:
    part = numbered(5)
    whole = joined([Part(part.x[:2], part.y[:2]), Part(part.x[2:], part.y[2:])])
    np.testing.assert_array_equal(whole.x, part.x)
    np.testing.assert_array_equal(whole.y, part.y)
    assert len(whole) == 5
