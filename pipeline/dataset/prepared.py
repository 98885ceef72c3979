"""The Parquet file of a prepared part, encoded in memory or block by block. What reads one
raises UserError if it is missing or damaged."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.dataset.encoding import Encoding
from pipeline.dataset.folds import Folds
from pipeline.dataset.rows import Part, Stream, block_rows
from pipeline.runtime.errors import UserError, made_again, read_errors
from pipeline.runtime.paths import CONTRACT, ENCODING, FOLDS

Encode = Callable[[pd.DataFrame], Part]
# A cell is a float64 in the table. An input is a float32 in two arrays, and temporarily in a
# third: the maximum for 800,000 rows of 905 inputs was 13.3 bytes each.
CELL_BYTES = 8
INPUT_BYTES = 16
BATCH_ROWS = 16_384
# The group of each row, where rows are grouped; no column of a table has a name with a blank
# around it.
GROUP = " group"


@dataclass(frozen=True)
class TrainingFiles:
    """The prepared files that a training needs.

    Attributes
    ----------
    encoding, folds
        Those of the training part.
    contract
        The text of the contract, which the model's folder gets as it is.
    train, validation
        The files of the two parts.
    """

    encoding: Encoding
    folds: Folds
    contract: str
    train: Path
    validation: Path

    @classmethod
    def read(cls, folder: Path) -> "TrainingFiles":
        """Raises UserError if a file is missing or damaged, or if they are of different
        tables."""
        with read_errors(folder / CONTRACT):
            contract = (folder / CONTRACT).read_text("utf-8")
            json.loads(contract)
        encoding, folds = Encoding.read(folder / ENCODING), Folds.read(folder / FOLDS)
        train, validation = folder / "train.parquet", folder / "validation.parquet"
        for path in (train, validation):
            check_encoding(encoding, path)
        return cls(encoding, folds, contract, train, validation)


def write(table: pd.DataFrame, path: Path, inputs: int) -> None:
    """Writes rows that are encoded as so many inputs, in row groups of block_rows, which
    `stream` reads one at a time."""
    # A dictionary of numbers would be as long as they are. The index is a column, or the rows of
    # each block would be numbered from 0.
    texts = [name for name in table.columns if not pd.api.types.is_numeric_dtype(table[name])]
    table.to_parquet(path, index=True, row_group_size=block_rows(inputs), use_dictionary=texts)


def read(path: Path, encode: Encode) -> Part:
    """All rows, in memory."""
    return encode(read_table(path))


def read_table(path: Path) -> pd.DataFrame:
    """All rows, as a table."""
    with read_errors(path):
        return pd.read_parquet(path)


def load(path: Path, encode: Encode, *, streaming: bool) -> Part | Stream:
    """All rows, in memory or, with streaming, in their file."""
    return stream(path, encode) if streaming else read(path, encode)


def stream(path: Path, encode: Encode) -> Stream:
    """The rows in their file; a block is read and encoded when it is needed."""
    with read_errors(path):
        file = pq.ParquetFile(path)
    groups = file.metadata.num_row_groups

    def block(number: int) -> Part:
        with read_errors(path):
            table = file.read_row_group(number).to_pandas()
        return encode(table)

    return Stream(
        file.metadata.num_rows, file.metadata.row_group(0).num_rows if groups else 1, block
    )


def stream_table(table: pd.DataFrame, encode: Encode, inputs: int) -> Stream:
    """The rows of a table in memory; a block is encoded when it is needed."""
    size = block_rows(inputs)
    return Stream(
        len(table), size, lambda number: encode(table.iloc[number * size : (number + 1) * size])
    )


@dataclass(frozen=True)
class Batches:
    """All rows of a file as tables of BATCH_ROWS, one without rows if there are none, which can be
    read again."""

    path: Path

    def __iter__(self) -> Iterator[pd.DataFrame]:
        with read_errors(self.path):
            file = pq.ParquetFile(self.path)
            if not file.metadata.num_rows:
                yield file.read().to_pandas()
            for batch in file.iter_batches(BATCH_ROWS):
                yield batch.to_pandas()


def check_encoding(encoding: Encoding, path: Path) -> None:
    """Raises UserError if a part lacks a column of its encoding, or has it in another type: one of
    the files was edited, or is of another version."""
    with read_errors(path):
        schema = pq.read_schema(path)
    kinds = {field.name: _kind(field.type) for field in schema}
    needed = dict.fromkeys([*encoding.numbers, encoding.target.name], "numbers")
    needed |= dict.fromkeys(encoding.categories, "texts") | dict.fromkeys(encoding.dates, "dates")
    for name, kind in needed.items():
        if kinds.get(name) != kind:
            what = f"has {kinds[name]}" if name in kinds else "is missing"
            raise UserError(
                f"{path.with_name(ENCODING)}: expects {kind} in column {name!r}, which {what} in"
                f" {path.name}{made_again(path)}"
            )


def _kind(column: pa.DataType) -> str:
    if pa.types.is_timestamp(column):
        return "dates"
    return "texts" if pa.types.is_large_string(column) or pa.types.is_string(column) else "numbers"


def fits_in_memory(paths: Iterable[Path], inputs: int) -> bool:
    """Whether the tables and their rows of so many inputs fit into the free memory."""
    metadata = [_metadata(path) for path in paths]
    cells = sum(one.num_rows * one.num_columns for one in metadata)
    return inputs_fit_in_memory(sum(one.num_rows for one in metadata), inputs, CELL_BYTES * cells)


def inputs_fit_in_memory(rows: int, inputs: int, other_bytes: int = 0) -> bool:
    """Whether rows of so many inputs, and other bytes, fit into the free memory."""
    return bool(rows * inputs * INPUT_BYTES + other_bytes < psutil.virtual_memory().available)


def count_rows(path: Path) -> int:
    """The number of rows, from the metadata."""
    return int(_metadata(path).num_rows)


def first_rows(path: Path, count: int) -> pd.DataFrame:
    """The first rows, as a table."""
    with read_errors(path):
        first: pd.DataFrame = next(pq.ParquetFile(path).iter_batches(count)).to_pandas()
        return first


def _metadata(path: Path) -> pq.FileMetaData:
    with read_errors(path):
        return pq.read_metadata(path)
