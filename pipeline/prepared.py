"""A prepared part as training takes it: in memory, or block by block from its file."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import psutil
import pyarrow.parquet as pq

from pipeline.batches import BLOCK_ROWS, Part, Stream

Encode = Callable[[pd.DataFrame], Part]

# A cell is a float64 in the table; an input is a float32 in two arrays.
CELL_BYTES = 8
INPUT_BYTES = 8


def write(table: pd.DataFrame, path: Path) -> None:
    """A Parquet file in row groups of BLOCK_ROWS, which `stream` reads one at a time."""
    # A dictionary of numbers would be as long as they are.
    texts = [name for name in table.columns if not pd.api.types.is_numeric_dtype(table[name])]
    table.to_parquet(path, row_group_size=BLOCK_ROWS, use_dictionary=texts)


def read(path: Path, encode: Encode) -> Part:
    """All rows, in memory."""
    return encode(pd.read_parquet(path))


def stream(path: Path, encode: Encode) -> Stream:
    """The rows where they are; a block is read when it is asked for."""
    file = pq.ParquetFile(path)

    def block(number: int) -> Part:
        return encode(file.read_row_group(number).to_pandas())

    return Stream(file.metadata.num_rows, block)


def fits_in_memory(path: Path, inputs: int) -> bool:
    """Whether the rows, and what so many inputs make of them, fit into the free memory."""
    metadata = pq.read_metadata(path)
    bytes_of_row = metadata.num_columns * CELL_BYTES + inputs * INPUT_BYTES
    return bool(metadata.num_rows * bytes_of_row < psutil.virtual_memory().available)


def rows(path: Path) -> int:
    """How many there are."""
    return int(pq.read_metadata(path).num_rows)


def first_rows(path: Path, count: int) -> pd.DataFrame:
    """The first rows, as a table."""
    first: pd.DataFrame = next(pq.ParquetFile(path).iter_batches(count)).to_pandas()
    return first
