"""A prepared part gives the same rows from memory and from its file."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import psutil
import pyarrow.parquet as pq
import pytest

from pipeline.dataset import prepared
from pipeline.dataset.rows import Part
from pipeline.runtime.errors import UserError
from tests.rows import ROWS, table

BLOCK = 5


def encode(rows: pd.DataFrame) -> Part:
    """Stands for an encoder: two columns as inputs."""
    x = rows[["b", "a"]].fillna(-1).to_numpy(np.float32)
    return Part(x, rows[["y"]].to_numpy(np.float32))


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("pipeline.dataset.rows.MAX_BLOCK_ROWS", BLOCK)
    prepared.write(table(), tmp_path / "train.parquet", inputs=3)
    return tmp_path / "train.parquet"


def test_a_part_is_read_as_it_was_written(path: Path) -> None:
    pd.testing.assert_frame_equal(pd.read_parquet(path), table())


def test_a_file_has_a_row_group_for_each_block(path: Path) -> None:
    metadata = pq.read_metadata(path)
    groups = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
    assert groups == [BLOCK] * 4 + [3]


def test_the_rows_are_encoded(path: Path) -> None:
    part, expected = prepared.read(path, encode), encode(table())
    np.testing.assert_array_equal(part.x, expected.x)
    np.testing.assert_array_equal(part.y, expected.y)


def test_a_stream_s_blocks_are_the_rows_in_memory(path: Path) -> None:
    whole = prepared.read(path, encode)
    of_the_file = prepared.stream(path, encode)
    of_the_table = prepared.stream_table(table(), encode, inputs=3)
    for stream in (of_the_file, of_the_table):
        assert len(stream) == len(whole) == ROWS
        assert stream.block_rows == BLOCK
        # In any order, and repeatedly, as an epoch reads them.
        for block in (4, 0, 2, 1, 3, 0):
            part = stream.read(block)
            taken = slice(block * BLOCK, (block + 1) * BLOCK)
            np.testing.assert_array_equal(part.x, whole.x[taken])
            np.testing.assert_array_equal(part.y, whole.y[taken])


@pytest.mark.parametrize("count", [0, 2, 8, ROWS])
def test_batches_have_all_rows_with_their_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr(prepared, "BATCH_ROWS", 4)
    for rows in (table().head(count), table().head(count).reset_index(drop=True)):
        prepared.write(rows, tmp_path / "part.parquet", inputs=3)
        read = list(prepared.Batches(tmp_path / "part.parquet"))
        assert len(read) == max(1, -(-count // 4))
        assert all(len(one) <= 4 for one in read)
        pd.testing.assert_frame_equal(pd.concat(read), rows, check_index_type=False)


def test_a_part_without_rows_is_a_stream_without_rows(tmp_path: Path) -> None:
    prepared.write(table().head(0), tmp_path / "part.parquet", inputs=3)
    assert len(prepared.stream(tmp_path / "part.parquet", encode)) == 0


@pytest.mark.parametrize("count", [1, 3])
def test_the_first_rows_are_those_of_the_table(path: Path, count: int) -> None:
    pd.testing.assert_frame_equal(prepared.first_rows(path, count), table().head(count))


def test_rows_are_counted_without_being_read(path: Path) -> None:
    assert prepared.count_rows(path) == len(table())


def test_rows_fit_if_memory_is_free_for_them_and_their_inputs(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of two parts, five columns and the index; and three inputs.
    inputs = 2 * ROWS * 3 * prepared.INPUT_BYTES
    needed = 2 * ROWS * 6 * prepared.CELL_BYTES + inputs
    for available, whole, alone in (
        (needed + 1, True, True), (needed, False, True), (inputs, False, False), (0, False, False),
    ):  # fmt: skip
        memory = SimpleNamespace(available=available)
        monkeypatch.setattr(psutil, "virtual_memory", lambda memory=memory: memory)
        assert prepared.fits_in_memory([path, path], inputs=3) is whole
        assert prepared.inputs_fit_in_memory(2 * ROWS, inputs=3) is alone


def test_a_small_part_fits_into_this_machine_s_memory(path: Path) -> None:
    assert prepared.fits_in_memory([path], inputs=3)


READERS: list[Callable[[Path], object]] = [
    prepared.read_table,
    prepared.count_rows,
    lambda path: prepared.read(path, encode),
    lambda path: prepared.stream(path, encode),
    lambda path: list(prepared.Batches(path)),
    lambda path: prepared.first_rows(path, 1),
    lambda path: prepared.fits_in_memory([path], 3),
]


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("size", [None, 0, 1000])
def test_a_file_that_is_missing_or_cut_is_named_with_what_makes_it_again(
    path: Path, read: Callable[[Path], object], size: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(path.parent)
    file = Path("data/prepared/train.parquet")
    file.parent.mkdir(parents=True)
    if size is not None:
        file.write_bytes(path.read_bytes()[:size])
    with pytest.raises(UserError) as caught:
        read(file)
    what = "no such file" if size is None else "is damaged"
    assert str(caught.value) == f"{file}: {what}; `dvc repro prepare` makes it again"


def test_rows_that_are_damaged_within_a_file_are_found_when_they_are_read(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4:400] = bytes(396)
    path.write_bytes(content)
    stream = prepared.stream(path, encode)
    with pytest.raises(UserError, match=r"train\.parquet: is not what the train stage writes"):
        stream.read(0)
