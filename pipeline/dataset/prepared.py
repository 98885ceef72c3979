"""A prepared part as training takes it: in memory, or block by block from its file."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pandas as pd
import psutil
import pyarrow.parquet as pq

from pipeline.dataset.rows import Part, Stream, block_rows

Encode = Callable[[pd.DataFrame], Part]
# A cell is a float64 in the table. An input is a float32 in two arrays, and for a moment
# in a third and more: 800,000 rows of 905 inputs took 13.3 bytes each at the most.
CELL_BYTES = 8
INPUT_BYTES = 16
TABLE_ROWS = 16_384


def write(table: pd.DataFrame, path: Path, inputs: int) -> None:
    """A Parquet file of rows that become so many inputs, in row groups of block_rows, which
    `stream` reads one at a time."""
    # A dictionary of numbers would be as long as they are. The index is a column, because a
    # block's rows would else be counted from 0.
    texts = [name for name in table.columns if not pd.api.types.is_numeric_dtype(table[name])]
    table.to_parquet(path, index=True, row_group_size=block_rows(inputs), use_dictionary=texts)


def read(path: Path, encode: Encode) -> Part:
    """All rows, in memory."""
    return encode(pd.read_parquet(path))


def load(path: Path, encode: Encode, *, streaming: bool) -> Part | Stream:
    """The rows in memory or, with streaming, where they are."""
    return stream(path, encode) if streaming else read(path, encode)


def stream(path: Path, encode: Encode) -> Stream:
    """The rows where they are; a block is read when it is asked for."""
    file = pq.ParquetFile(path)
    groups = file.metadata.num_row_groups

    def block(number: int) -> Part:
        return encode(file.read_row_group(number).to_pandas())

    return Stream(
        file.metadata.num_rows, file.metadata.row_group(0).num_rows if groups else 1, block
    )


def encoded_block_by_block(table: pd.DataFrame, encode: Encode, inputs: int) -> Stream:
    """The rows of a table in memory, encoded when they are asked for."""
    size = block_rows(inputs)
    return Stream(
        len(table), size, lambda number: encode(table.iloc[number * size : (number + 1) * size])
    )


def tables(path: Path) -> Iterator[pd.DataFrame]:
    """All rows, TABLE_ROWS at a time; one table without rows if there are none."""
    file = pq.ParquetFile(path)
    if not file.metadata.num_rows:
        yield file.read().to_pandas()
    for batch in file.iter_batches(TABLE_ROWS):
        yield batch.to_pandas()


def fits_in_memory(paths: Iterable[Path], inputs: int) -> bool:
    """Whether the rows, and what so many inputs make of them, fit into the free memory."""
    metadata = [pq.read_metadata(path) for path in paths]
    tables = sum(one.num_rows * one.num_columns * CELL_BYTES for one in metadata)
    return inputs_fit_in_memory(sum(one.num_rows for one in metadata), inputs, beside=tables)


def inputs_fit_in_memory(rows: int, inputs: int, beside: int = 0) -> bool:
    """Whether what training makes of so many rows, and so many bytes beside, fits."""
    return bool(rows * inputs * INPUT_BYTES + beside < psutil.virtual_memory().available)


def rows(path: Path) -> int:
    """How many there are."""
    return int(pq.read_metadata(path).num_rows)


def first_rows(path: Path, count: int) -> pd.DataFrame:
    """The first rows, as a table."""
    first: pd.DataFrame = next(pq.ParquetFile(path).iter_batches(count)).to_pandas()
    return first
