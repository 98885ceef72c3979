"""Reading a table: from the path of CSV or Parquet files to a pandas DataFrame."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import pandas as pd
import pyarrow as pa

from pipeline.config.data import Reading
from pipeline.runtime.errors import UserError
from pipeline.schema.location import Location
from pipeline.schema.missing import mark_missing
from pipeline.tables.csv_detection import detect_dialects
from pipeline.tables.csv_reader import read_csv
from pipeline.tables.files import files_of, is_parquet
from pipeline.tables.parquet_reader import read_parquet

DIABETES = "sklearn:diabetes"
_WIDE = 1000


@dataclass(frozen=True)
class Raw:
    """A table as its files have it.

    Attributes
    ----------
    table
        The cells, rows numbered from 0: numbers are float64 or int64, text is pandas' str, and
        from Parquet also bool and datetime64[us]. Missing values are marked.
    files
        Each file and its number of rows, in order.
    delimiter, header, decimal
        How the CSV files are written; for Parquet, delimiter is None.

    """

    table: pd.DataFrame
    files: list[tuple[str, int]]
    delimiter: str | None = None
    header: bool = True
    decimal: str = "."

    def location(self, position: int) -> Location:
        """Where a person finds the row at this position, counted from 0."""
        for file, rows in self.files:
            if position < rows:
                below_header = self.delimiter is not None and self.header
                return Location(file, position + 1, below_header=below_header)
            position -= rows
        raise IndexError(position)


def read(
    path: str, reading: Reading, *, needed: Sequence[str] = (), texts: Collection[str] = ()
) -> Raw:
    """Reads a table.

    Parameters
    ----------
    path
        A CSV or Parquet file, a folder or a pattern of such files, or "sklearn:diabetes".
    reading
        How CSV files are written, and what marks a missing value.
    needed
        Columns of which at least one distinguishes the header from other rows.
    texts
        Columns that are text even if they look like numbers.

    Raises
    ------
    UserError
        For anything that is not a whole table, naming file and row.

    """
    sklearn = path.startswith("sklearn:")
    raw = _read_sklearn(path) if sklearn else _read_files(path, reading, needed, texts)
    return replace(raw, table=mark_missing(raw.table, reading.markers))


def _read_files(path: str, reading: Reading, needed: Sequence[str], texts: Collection[str]) -> Raw:
    files = files_of(path)
    parquet = [is_parquet(file) for file in files]
    for file, kind in zip(files, parquet, strict=True):
        if kind != parquet[0]:
            kinds = {True: "Parquet", False: "CSV"}
            raise UserError(
                f"{file}: is a {kinds[kind]} file, but {files[0]} is a {kinds[parquet[0]]} file;"
                " let data.path name files of one kind"
            )
    if parquet[0]:
        table, rows = read_parquet(files, texts)
        return Raw(_frame(path, table), list(zip(map(str, files), rows, strict=True)))
    dialects = detect_dialects(files, reading, needed)
    table, rows = read_csv(files, dialects, reading, texts)
    first = dialects[0]
    counted = list(zip(map(str, files), rows, strict=True))
    return Raw(_frame(path, table), counted, first.delimiter, first.header, first.decimal)


def _read_sklearn(path: str) -> Raw:
    if path != DIABETES:
        raise UserError(f"data.path: there is no table {path!r}; known is {DIABETES}")
    # scikit-learn takes seconds to import, and only this table needs it.
    from sklearn.datasets import load_diabetes

    table = load_diabetes(as_frame=True, scaled=False).frame
    assert isinstance(table, pd.DataFrame)
    return Raw(table, [(path, len(table))])


def _frame(path: str, table: pa.Table) -> pd.DataFrame:
    if not table.num_rows:
        raise UserError(f"{path}: the table has columns but no rows; add rows or fix the path")
    # Separate columns leave Arrow's memory as they are copied; of very many columns pandas is
    # quicker with one block.
    frame = table.to_pandas(self_destruct=True, split_blocks=table.num_columns < _WIDE)
    assert isinstance(frame, pd.DataFrame)
    del table
    pa.default_memory_pool().release_unused()
    return frame
