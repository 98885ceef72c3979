"""Reading a table: from the path of CSV, Parquet or Excel files to a pandas DataFrame."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.config.data import Reading
from pipeline.runtime.errors import UserError
from pipeline.schema.location import Location
from pipeline.schema.missing import mark_missing
from pipeline.schema.numbers import MAX_EXACT_INTEGER, Marks
from pipeline.tables.arrow_types import INT, TEXT, Part, joined
from pipeline.tables.column_names import without_index
from pipeline.tables.csv_detection import detect_dialects
from pipeline.tables.csv_reader import read_csv
from pipeline.tables.excel_reader import read_excel
from pipeline.tables.file_kinds import FileKind, kind_of
from pipeline.tables.files import explained, files_of
from pipeline.tables.frame_reader import SOURCE, read_frame
from pipeline.tables.parquet_reader import read_parquet

DIABETES = "sklearn:diabetes"
_WIDE = 1000
PLAIN = Marks()


@dataclass(frozen=True)
class Raw:
    """A table as its files, or a DataFrame, have it.

    Attributes
    ----------
    table
        The cells, rows numbered from 0: numbers are float64 or int64, text is pandas' str, and
        from Parquet and Excel also bool and datetime64[us]. Missing values are marked.
    files
        Each file and its number of rows, in order.
    delimiter, header, marks
        How the CSV files are written; for others, delimiter is None.
    rows
        The number that each row has in its file; None if they are counted from 1.
    positions
        The position that each row has among all rows, counted from 0; None if none is left out.
    labels
        The index of a DataFrame; None for files.
    dropped
        The columns of the files that the table does not have.
    invented
        What the header has for columns that have another name there, or none.
    warnings
        A line each.

    """

    table: pd.DataFrame
    files: list[tuple[str, int]]
    delimiter: str | None = None
    header: bool = True
    marks: Marks = PLAIN
    rows: NDArray[np.int64] | None = None
    positions: NDArray[np.int64] | None = None
    labels: "pd.Index[Any] | None" = None
    dropped: frozenset[str] = frozenset()
    invented: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    @property
    def decimal(self) -> str:
        """The decimal mark of the CSV files."""
        return self.marks.decimal

    def location(self, position: int) -> Location:
        """Where a person finds the row at this position, counted from 0."""
        if self.labels is not None:
            return Location(SOURCE, self.labels[[position]].tolist()[0], is_label=True)
        number = None if self.rows is None else int(self.rows[position])
        for file, rows in self.files:
            if position < rows:
                below_header = self.delimiter is not None and self.header
                return Location(file, number or position + 1, below_header=below_header)
            position -= rows
        raise IndexError(position)

    def select(self, kept: NDArray[np.bool_]) -> "Raw":
        """The rows for which kept is true, with the locations that they had."""
        ends = np.cumsum([rows for _, rows in self.files])
        parts = np.split(kept, ends[:-1])
        numbers = self.rows
        if numbers is None:
            numbers = np.concatenate([np.arange(1, len(part) + 1) for part in parts])
        files = [(file, int(part.sum())) for (file, _), part in zip(self.files, parts, strict=True)]
        positions = np.arange(len(kept)) if self.positions is None else self.positions
        return replace(
            self,
            table=self.table[kept].reset_index(drop=True),
            files=files,
            rows=numbers[kept],
            positions=positions[kept],
            labels=None if self.labels is None else self.labels[kept],
        )


def read(
    path: str | pd.DataFrame,
    reading: Reading,
    *,
    needed: Sequence[str] = (),
    texts: Collection[str] = (),
    keep: Collection[str] = (),
) -> Raw:
    """Reads a table.

    Parameters
    ----------
    path
        A CSV, Parquet or Excel file, a folder or a pattern of such files, or "sklearn:diabetes";
        or a DataFrame, which is not changed.
    reading
        How the files are written, and what marks a missing value.
    needed
        Columns of which at least one distinguishes the header from other rows.
    texts
        Columns that are text even if they look like numbers.
    keep
        Further columns that are not dropped, even if they look like an index.

    Raises
    ------
    UserError
        For anything that is not a whole table, naming file and row.

    """
    if isinstance(path, pd.DataFrame):
        part = read_frame(path, needed, texts)
        raw = replace(_joined(SOURCE, [Path(SOURCE)], [part]), labels=path.index)
        path = SOURCE
    elif path.startswith("sklearn:"):
        raw = _read_sklearn(path)
    else:
        raw = _read_files(path, reading, needed, texts)
    raw = _without_repeated_headers(raw)
    table = mark_missing(raw.table, reading.markers)
    counts = [rows for _, rows in raw.files]
    kept, warnings = without_index(
        table, path, counts, invented=raw.invented, keep={*needed, *keep}
    )
    dropped = raw.dropped.union(set(table.columns) - set(kept.columns))
    return replace(raw, table=kept, dropped=dropped, warnings=[*raw.warnings, *warnings])


def _without_repeated_headers(raw: Raw) -> Raw:
    """Without the rows that have the names of all columns, as in files that were joined."""
    if not raw.header or any(dtype != "str" for dtype in raw.table.dtypes):
        return raw
    headers = np.ones(len(raw.table), bool)
    for name, column in raw.table.items():
        headers &= (column.str.strip() == name).to_numpy(bool, na_value=False)
    if not headers.any() or headers.all():
        return raw
    line = f"{raw.location(int(headers.argmax()))}: repeats the header; left out"
    line += f", with {headers.sum() - 1} more" if headers.sum() > 1 else ""
    return replace(raw.select(~headers), warnings=[*raw.warnings, line])


def _read_files(path: str, reading: Reading, needed: Sequence[str], texts: Collection[str]) -> Raw:
    files, warnings = files_of(path)
    kinds = []
    for file in files:
        with explained(file):
            kinds.append(kind_of(file))
    for file, kind in zip(files, kinds, strict=True):
        if kind is not kinds[0]:
            raise UserError(
                f"{file}: is {kind.value}, but {files[0]} is {kinds[0].value};"
                " let data.path name files of one kind"
            )
    match kinds[0]:
        case FileKind.CSV:
            raw = _read_csv(path, files, reading, needed, texts)
        case FileKind.PARQUET:
            raw = _joined(path, files, [read_parquet(file, needed, texts) for file in files])
        case FileKind.EXCEL:
            parts = [read_excel(file, reading, needed, texts) for file in files]
            raw = _joined(path, files, parts)
    return replace(raw, warnings=[*warnings, *raw.warnings])


def _read_csv(
    path: str, files: list[Path], reading: Reading, needed: Sequence[str], texts: Collection[str]
) -> Raw:
    dialects = detect_dialects(files, reading, needed, texts)
    table, counts, marks = read_csv(files, dialects, reading, texts)
    first = dialects[0]
    numbers = None
    if any(dialect.header.units for dialect in dialects):
        pairs = zip(dialects, counts, strict=True)
        numbers = np.concatenate([np.arange(n) + 1 + one.header.units for one, n in pairs])
    warnings = [line for dialect in dialects for line in dialect.header.warnings]
    return Raw(
        _frame(path, table), list(zip(map(str, files), counts, strict=True)),
        first.delimiter, first.header.exists, marks,
        rows=numbers, invented=first.header.invented, warnings=warnings,
    )  # fmt: skip


def _joined(path: str, files: list[Path], parts: list[Part]) -> Raw:
    table = joined(files, [part.table for part in parts])
    rows = [part.rows for part in parts if part.rows is not None]
    return Raw(
        _frame(path, table),
        [(str(file), part.table.num_rows) for file, part in zip(files, parts, strict=True)],
        rows=np.concatenate(rows) if rows else None,
        dropped=frozenset(name for part in parts for name in part.dropped),
        invented=parts[0].invented,
        warnings=[line for part in parts for line in part.warnings],
    )


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
    for index, column in enumerate(table.columns):
        # pandas has no integers beside missing values.
        gaps = column.type == INT and column.null_count
        if gaps and pc.any(pc.greater(pc.abs(column), MAX_EXACT_INTEGER)).as_py():
            table = table.set_column(index, table.field(index).name, column.cast(TEXT))
    # Separate columns leave Arrow's memory as they are copied; of very many columns pandas is
    # quicker with one block.
    frame = table.to_pandas(self_destruct=True, split_blocks=table.num_columns < _WIDE)
    assert isinstance(frame, pd.DataFrame)
    del table
    pa.default_memory_pool().release_unused()
    return frame
