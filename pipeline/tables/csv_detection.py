"""Detecting how a CSV file is written: its delimiter, its header, its decimal point."""

import csv
import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from pipeline.config.data import WHITESPACE, Reading
from pipeline.runtime.errors import UserError
from pipeline.schema.numbers import COMMA, OTHER, POINT, Marks, proven_marks
from pipeline.schema.remedy import quoted
from pipeline.tables.column_names import check_same_names
from pipeline.tables.csv_dialect import SEPARATOR, Dialect, Lines, encoding_of, separate
from pipeline.tables.csv_errors import UNDECODED, check_rows
from pipeline.tables.file_kinds import check_is_text
from pipeline.tables.files import explained, uncompressed
from pipeline.tables.header import COMMENT_SIGNS, are_invented, find_header, fit_header, title_rows

DELIMITERS = ",;\t|"
# A first line that names the delimiter for Excel.
_SEP = re.compile(r'"?sep=([^\w\s"]|\t)"?[,;\t\s]*', re.IGNORECASE)
_MARK = re.compile(r"[0-9][.,]|[.,][0-9]")
_MARKED_CELLS = 10_000
_ALIGNED = re.compile(r"\d {2,}\S")
_COMMENT = "comment to what comment lines begin with"
_SKIP_ROWS = "skip_rows to the number of lines above the header"
_MIN_LINES, _SAMPLE_LINES, _SAMPLE_SIZE, _HEAD = 3, 100, 2**20, 2**12


class _Rows(NamedTuple):
    """Rows of a file that are not blank, blanks around cells removed; and the number of lines
    before each, and before what follows them."""

    cells: list[list[str]]
    starts: list[int]


def detect_dialects(
    files: list[Path], reading: Reading, needed: Sequence[str], texts: Collection[str]
) -> list[Dialect]:
    """How each of the files is written; what reading gives is not detected. Raises UserError
    if that cannot be detected, or if the files have different columns."""
    first = _dialect(files[0], reading, needed, texts)
    delimiter = first.lines.delimiter or first.delimiter
    given = replace(reading, delimiter=delimiter, header=first.header.exists)
    found = [first, *(_dialect(file, given, needed, texts) for file in files[1:])]
    for file, dialect in zip(files, found, strict=True):
        check_same_names(file, dialect.names, files[0], first.names)
    proven = {dialect.marks.decimal for dialect in found if dialect.marks.proven}
    marks = _decided(first.marks, proven)
    return [replace(dialect, marks=marks) for dialect in found]


def _dialect(
    file: Path, reading: Reading, needed: Sequence[str], texts: Collection[str]
) -> Dialect:
    lines = Lines(encoding_of(reading), reading.skip_rows, reading.comment, reading.skip_last)
    with explained(file), uncompressed(file) as stream:
        check_is_text(file, stream.read(_HEAD), lines.encoding)
    sample, whole = _sample(file, lines)
    filled = [at for at, line in enumerate(sample) if at >= reading.skip_rows and line.strip()]
    stated = _SEP.fullmatch(sample[filled[0]]) if filled else None
    filled = filled[1:] if stated else filled
    if not filled:
        skips = reading.skip_rows or reading.skip_last or reading.comment
        said = " but for the lines that data.reading skips" if skips else ""
        raise UserError(f"{file}: the file is empty{said}; it needs a header and rows")
    skip = filled[0]
    given = reading.delimiter or (stated and stated[1])
    delimiter, rows = _divided(sample[skip:], given, reading, needed, whole=whole)
    row_names = delimiter != "," or all(line.startswith('"') for line in sample[skip + 1 :])
    starts = [skip + start for start in rows.starts]
    header = find_header(
        str(file), rows.cells, reading, needed, texts, lines=starts, row_names=row_names
    )
    others = rows.cells[header.start + header.rows :]
    foreign = len(delimiter) > 1 or not delimiter.isascii()
    dialect = Dialect(
        lines=replace(lines, delimiter=delimiter) if foreign else lines,
        delimiter=SEPARATOR if foreign else delimiter,
        header=header,
        marks=_marks(others, delimiter, reading),
        skip=starts[header.start],
        start=starts[header.start + header.rows],
        width=max(map(len, sample)),
        empty=header.exists and whole and not others,
    )
    if lines.encoding == "iso8859-1" and re.search("[\x80-\x9f]", "".join(sample)):
        header.warnings.append(
            f"{file}: has bytes that latin-1 has no characters for, but Windows has: set"
            " data.reading.encoding=cp1252"
        )
    if dialect.empty or UNDECODED.search("".join(sample)):
        check_rows(file, dialect)
    if len(dialect.names) == 1 and needed and dialect.names[0] not in needed:
        if delimiter in DELIMITERS and all(sample[at][0] == '"' for at in filled):
            raise UserError(
                f"{file}: each line is within quotes, such as {dialect.names[0][:70]!r}, so that it"
                " is one column; write the file without them"
            )
        comment = dialect.names[0].startswith(COMMENT_SIGNS)
        raise UserError(
            f"{file}: has one column, {dialect.names[0][:70]!r}, and none that is needed"
            f" ({', '.join(needed)}); set data.reading.delimiter"
            f"{_around(needed, dialect.names[0])}, or data.reading."
            f"{_COMMENT if comment else _SKIP_ROWS}"
        )
    return dialect


def _around(needed: Sequence[str], line: str) -> str:
    """The delimiter beside a needed name, as the value of a setting; nothing if none is there."""
    for name in needed:
        beside = re.search(rf"(?:^|([^\w\s\"]+))\"?{re.escape(name)}\"?(?:([^\w\s\"]+)|$)", line)
        if beside and (beside[1] or beside[2]):
            return f"={quoted(beside[1] or beside[2])}"
    return ""


def _sample(file: Path, lines: Lines) -> tuple[list[str], bool]:
    """The first lines, and whether they are the whole file."""
    sample: list[str] = []
    size = 0
    with lines.text(file) as text:
        for line in text:
            sample.append(line)
            size += len(line)
            enough = size > _SAMPLE_SIZE and len(sample) >= _MIN_LINES
            if enough or len(sample) == lines.skip_rows + _SAMPLE_LINES:
                return sample, False
    return sample, True


def _divided(
    sample: list[str], given: str | None, reading: Reading, needed: Sequence[str], *, whole: bool
) -> tuple[str, _Rows]:
    """The delimiter, detected if it is not given, and the rows."""
    if given is not None:
        return given, _rows(sample, given, whole=whole)
    rows = {delimiter: _rows(sample, delimiter, whole=whole) for delimiter in DELIMITERS}
    # Of equally likely delimiters, the first is the most usual.
    best = max(DELIMITERS, key=lambda delimiter: _likelihood(rows[delimiter].cells, needed))
    _, found, equal, fields, _ = _likelihood(rows[best].cells, needed)
    found = found or _fits(fields, reading, needed)
    # Of columns that blanks align, only the last may be behind a tab.
    blanks = best == "\t" and all(any(map(_ALIGNED.search, row)) for row in rows[best].cells)
    if equal and not blanks and (found or not needed):
        return best, rows[best]
    aligned = _rows(sample, WHITESPACE, whole=whole)
    _, also_found, also_equal, fields, _ = _likelihood(aligned.cells, needed, row_names=True)
    also_found = also_found or _fits(fields, reading, needed)
    better = (also_found, blanks or not equal) > (found, False)
    if also_equal and better and len(aligned.cells) > 1:
        return WHITESPACE, aligned
    return best, rows[best]


def _fits(fields: int, reading: Reading, needed: Sequence[str]) -> bool:
    """Whether a file without header may have so many columns."""
    names = reading.names
    return are_invented(needed, fields) if names is None else fields == len(names)


def _rows(sample: list[str], delimiter: str, *, whole: bool) -> _Rows:
    if len(delimiter) > 1 or not delimiter.isascii():
        sample, delimiter = list(map(separate(delimiter), sample)), SEPARATOR
    reader = csv.reader(sample, delimiter=delimiter)
    cells, starts = [], [0]
    try:
        for row in reader:
            if row:
                cells.append([cell.strip() for cell in row])
                starts.append(reader.line_num)
            else:
                starts[-1] = reader.line_num
    except csv.Error:
        # A field of megabytes, for lack of a closing quote: Arrow fails on it again.
        return _Rows([sample[0].strip().split(delimiter)], [0, 1])
    # The sample may end within a row.
    return _Rows(cells if whole or len(cells) == 1 else cells[:-1], starts)


def _likelihood(
    rows: list[list[str]], needed: Sequence[str], *, row_names: bool = False
) -> tuple[bool, bool, bool, int, bool]:
    """The greater, the likelier it is that the delimiter is right."""
    start = title_rows(rows, needed)
    top = fit_header(rows[start], rows[start + 1 :], row_names=row_names)
    fields = len(top)
    equal = all(len(row) == fields for row in rows[start + 1 :])
    found = not set(needed).isdisjoint(top)
    return found and start == 0, found, equal and fields > 1, fields, equal


def _marks(rows: list[list[str]], delimiter: str, reading: Reading) -> Marks:
    """The marks in the numbers of these rows."""
    given = reading.decimal or OTHER.get(reading.thousands or "")
    if given:
        return Marks(given, reading.thousands, given=True, delimiter=delimiter)
    marked = (cell for row in rows for cell in row if _MARK.search(cell))
    cells = [cell for cell in islice(marked, _MARKED_CELLS) if not UNDECODED.search(cell)]
    proven = proven_marks(pa.array(cells, pa.string()))
    # Between commas, cells such as "1,5" may also be lists.
    proven = {POINT} if delimiter == COMMA and POINT in proven else proven
    return _decided(Marks(POINT, reading.thousands, delimiter=delimiter), proven)


def _decided(marks: Marks, proven: Collection[str]) -> Marks:
    """Marks with the decimal mark that is proven, if there is one and no other."""
    decided = len(proven) == 1
    return replace(marks, decimal=next(iter(proven)) if decided else marks.decimal, proven=decided)
