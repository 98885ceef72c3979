"""Excel files to an Arrow table: one sheet of each, its cells with the types they have there."""

import datetime as dt
from collections.abc import Collection, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.config.data import Reading, column_name
from pipeline.runtime.errors import UserError
from pipeline.schema.remedy import quoted
from pipeline.tables.arrow_types import BOOL, FLOAT, TEXT, TIME, Part, whole
from pipeline.tables.files import explained
from pipeline.tables.header import find_header

_SAMPLE = 100  # rows, to find the header


def read_excel(file: Path, reading: Reading, needed: Sequence[str], texts: Collection[str]) -> Part:
    """The table in a sheet of an Excel or OpenDocument file, with the numbers that Excel shows
    beside its rows; the columns in texts are text.

    Of formulas, the values that Excel saved are read, and errors such as #N/A are missing.
    Raises UserError.
    """
    cells, merged, where, warnings = _sheet(file, reading, needed)
    # Their numbers are counted from 1.
    numbered = [
        (number, row)
        for number, row in islice(enumerate(cells, start=1), reading.skip_rows, None)
        if any(cell != "" for cell in row) and not _is_comment(row, reading.comment)
    ]
    numbered = numbered[: len(numbered) - reading.skip_last]
    if not numbered:
        raise UserError(f"{where}: the sheet is empty; it needs a header and rows")
    sample = [[to_text(cell).strip() for cell in row] for _, row in numbered[:_SAMPLE]]
    lines = [number - 1 for number, _ in numbered]
    header = find_header(where, sample, reading, needed, texts, lines=lines)
    warnings += header.warnings
    at = numbered[header.start][0]
    named = header.exists and reading.names is None
    if named and any(top <= at <= bottom for top, bottom in merged):
        raise UserError(
            f"{where}, row {at}: the header has merged cells; unmerge them, or set"
            " data.reading.header=true and data.reading.names, a name for each column"
        )
    body = numbered[header.start + header.rows :]
    if body and any(first >= body[0][0] for first, _ in merged):
        warnings.append(f"{where}: of merged cells, only the first has a value")
    markers = {marker.strip() for marker in reading.markers}
    columns = [
        _column([row[at] for _, row in body], markers, as_text=name in texts)
        for at, name in enumerate(header.names)
    ]
    rows = np.array([number for number, _ in body], dtype="int64")
    table = pa.table(columns, header.names)
    return Part(table, rows, invented=header.invented, warnings=warnings)


def _sheet(
    file: Path, reading: Reading, needed: Sequence[str]
) -> tuple[list[list[Any]], list[tuple[int, int]], str, list[str]]:
    """The cells, the first and last row of ranges of merged cells, counted from 1, where it is,
    and warnings."""
    # Only these files need it.
    import python_calamine as calamine

    warnings = []
    try:
        with explained(file), calamine.CalamineWorkbook.from_path(file) as book:
            sheets = [
                sheet.name
                for sheet in book.sheets_metadata
                if sheet.typ is calamine.SheetTypeEnum.WorkSheet
            ]
            name = reading.sheet
            if name is None and sheets:
                # Others may have notes, or the values to choose from.
                having = (one for one in sheets if _has_name(book.get_sheet_by_name(one), needed))
                name = next(having, sheets[0]) if len(sheets) > 1 else sheets[0]
            if name is None or name not in sheets:
                raise UserError(
                    f"{file}: has no sheet {name!r}; set data.reading.sheet to"
                    f" {' or '.join(map(repr, sheets))}"
                )
            if reading.sheet is None and len(sheets) > 1:
                other = next(one for one in sheets if one != name)
                warnings.append(
                    f"{file}: has {len(sheets)} sheets, of which {name!r} is read"
                    f" (data.reading.sheet={quoted(other)} reads another)"
                )
            sheet = book.get_sheet_by_name(name)
            merged = [
                (top + 1, bottom + 1)
                for (top, left), (bottom, right) in sheet.merged_cell_ranges or []
                if (top, left) != (bottom, right)
            ]
            cells = sheet.to_python(skip_empty_area=False)
    except calamine.PasswordError as error:
        raise UserError(f"{file}: is encrypted; save it without its password") from error
    except calamine.CalamineError as error:
        raise UserError(
            f"{file}: cannot be read as an Excel file: {error}; save it again, or as CSV"
        ) from error
    return cells, merged, f"{file}, sheet {name!r}", warnings


def _has_name(sheet: Any, names: Collection[str]) -> bool:
    """Whether a sheet has one of these names in its first rows."""
    rows = sheet.to_python(nrows=_SAMPLE)
    return any(column_name(to_text(cell)) in names for row in rows for cell in row)


def _is_comment(row: Sequence[Any], sign: str | None) -> bool:
    return sign is not None and to_text(row[0]).lstrip().startswith(sign)


def _column(cells: list[Any], markers: Collection[str], *, as_text: bool) -> pa.Array:
    """The cells as one of the types in `arrow_types`."""
    present = [None if to_text(cell).strip() in markers else cell for cell in cells]
    kinds = {type(cell) for cell in present if cell is not None}
    if as_text:
        kinds = {str}
    if kinds <= {int, float}:
        return whole(pa.array(present, FLOAT))
    if kinds == {bool} and None not in present:
        return pa.array(present, BOOL)
    if kinds <= {dt.date, dt.datetime}:
        return pa.array(np.array(present, "datetime64[us]"), TIME)
    if kinds == {dt.timedelta}:
        # Excel stores a duration as a number of days.
        days = np.array(present, "timedelta64[us]") / np.timedelta64(1, "D")
        return pa.array(days, FLOAT, from_pandas=True)
    return pa.array([None if cell is None else to_text(cell) for cell in present], TEXT)


def to_text(cell: Any) -> str:
    """A cell as it would be in a CSV file: 5, not 5.0, dates in ISO 8601."""
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float) and cell % 1 == 0 and abs(cell) < 2**53:
        return str(int(cell))
    return str(cell)
