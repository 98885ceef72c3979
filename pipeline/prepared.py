"""A prepared part as training takes it: in memory, or block by block from its file."""

from pathlib import Path

import pandas as pd
import psutil
import pyarrow.parquet as pq

from pipeline.batches import BLOCK_ROWS, Part, Stream
from pipeline.features import Schema, training_arrays

# A cell is a float64 in the table, and a float32 in two arrays made from it.
CELL_BYTES = 16


def write(table: pd.DataFrame, path: Path) -> None:
    """A Parquet file in row groups of BLOCK_ROWS, which `stream` reads one at a time."""
    table.to_parquet(path, row_group_size=BLOCK_ROWS)


def read(path: Path, schema: Schema) -> Part:
    """All rows, in memory."""
    return Part(*training_arrays(pd.read_parquet(path), schema))


def stream(path: Path, schema: Schema) -> Stream:
    """The rows where they are; a block is read when it is asked for."""
    file = pq.ParquetFile(path)
    names = [*schema.columns.features, schema.columns.target]

    def block(number: int) -> Part:
        table = file.read_row_group(number, columns=names)
        return Part(*training_arrays(table.to_pandas(), schema))

    return Stream(file.metadata.num_rows, block)


def fits_in_memory(path: Path) -> bool:
    """Whether the rows and what is made of them fit into the memory that is free."""
    metadata = pq.read_metadata(path)
    cells = metadata.num_rows * metadata.num_columns
    return bool(cells * CELL_BYTES < psutil.virtual_memory().available)


def first_row(path: Path, schema: Schema) -> "pd.Series[float]":
    """The features of the first row, in their own units."""
    batch = next(pq.ParquetFile(path).iter_batches(1))
    row: pd.Series[float] = batch.to_pandas()[schema.columns.features].iloc[0]
    return row
