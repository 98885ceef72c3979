"""Reading a table: from the path of CSV or Parquet files to a pandas DataFrame."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa

from pipeline.config.data import Reading
from pipeline.runtime.errors import UserError
from pipeline.tables.csv_detection import dialects
from pipeline.tables.csv_reader import read_csv
from pipeline.tables.files import files_of, is_parquet, row_of
from pipeline.tables.parquet_reader import read_parquet

DIABETES = "sklearn:diabetes"
_WIDE = 1000


@dataclass(frozen=True)
class Raw:
    """A table as its files have it, its rows numbered from 0: numbers are float64 or int64,
    text is pandas' str; a Parquet file may have bool and datetime64[us] as well. files
    has each file's number of rows, in order; the rest is how they were found to be
    written. For Parquet, delimiter is None."""

    table: pd.DataFrame
    files: list[tuple[str, int]]
    delimiter: str | None = None
    header: bool = True
    decimal: str = "."

    def place(self, position: int) -> str:
        """Where a person finds the row at this position, counted from 0."""
        for file, rows in self.files:
            if position < rows:
                return row_of(file, position + 1, below=self.delimiter is not None and self.header)
            position -= rows
        raise IndexError(position)


def read(
    path: str, reading: Reading, *, needed: Sequence[str] = (), texts: Collection[str] = ()
) -> Raw:
    """The rows of a CSV or Parquet file, of all those in a folder or that a pattern
    matches, or of scikit-learn's diabetes table for "sklearn:diabetes".

    Some of the columns that are needed tell the header from other rows; those in texts
    are text even where they look like numbers. Raises UserError for whatever is not
    a whole table, naming file and row.
    """
    if path.startswith("sklearn:"):
        return _diabetes(path)
    files = files_of(path)
    parquet = [is_parquet(file) for file in files]
    for file, kind in zip(files, parquet, strict=True):
        if kind != parquet[0]:
            kinds = {True: "Parquet", False: "CSV"}
            raise UserError(
                f"{file}: is a {kinds[kind]} file, but {files[0]} is a {kinds[parquet[0]]} file;"
                " let data.path name one kind"
            )
    if parquet[0]:
        table, rows = read_parquet(files, texts)
        return Raw(_frame(path, table), list(zip(map(str, files), rows, strict=True)))
    found = dialects(files, reading, needed)
    table, rows = read_csv(files, found, reading, texts)
    first = found[0]
    named = list(zip(map(str, files), rows, strict=True))
    return Raw(_frame(path, table), named, first.delimiter, first.header, first.decimal)


def _diabetes(path: str) -> Raw:
    if path != DIABETES:
        raise UserError(f"data.path: there is no table {path!r}; known is {DIABETES}")
    # Imported here: scikit-learn takes seconds, and only this table needs it.
    from sklearn.datasets import load_diabetes

    table = load_diabetes(as_frame=True, scaled=False).frame
    assert isinstance(table, pd.DataFrame)
    return Raw(table, [(path, len(table))])


def _frame(path: str, table: pa.Table) -> pd.DataFrame:
    if not table.num_rows:
        raise UserError(f"{path}: the table has columns but no rows; add rows or mend the path")
    # Each column of its own leaves Arrow's memory as it is copied; of very many columns
    # pandas is quicker with one block.
    frame = table.to_pandas(self_destruct=True, split_blocks=table.num_columns < _WIDE)
    assert isinstance(frame, pd.DataFrame)
    del table
    pa.default_memory_pool().release_unused()
    return frame
