"""CSV files to an Arrow table, each column as numbers or as text."""

import io
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv

from pipeline.config.data import Reading
from pipeline.schema.numbers import (
    MAX_EXACT_INTEGER,
    POINT,
    Marks,
    UndecidedError,
    infer_marks,
    infer_notation,
    parse,
    with_same_signs,
)
from pipeline.tables.arrow_types import FLOAT, INT, TEXT, common_type, whole
from pipeline.tables.csv_dialect import Dialect
from pipeline.tables.csv_errors import check_rows
from pipeline.tables.files import explained

_TYPE_CHANGE = re.compile(r"In CSV column #(\d+): .*conversion error to (?!string)")
# An integer with leading zeros, and a cell that is one in bytes with this delimiter.
_PADDED = r"^\s*0[0-9]+\s*$"
_PADDED_CELL = r'[\r\nDELIMITER][ "]*0[0-9]+[ "]*[\r\nDELIMITER]'
_MAX_CELL = 64
_BLANK = r"^[\s\p{Z}]|[\s\p{Z}]$"
_BLOCK = 2**20
# Arrow's pool returns memory only in large pieces, so small ones are merged into these.
_MERGED = 2**25
_MAX_RETRIES = 8
_HEAD = 1000  # cells, to see whether a column has other cells than numbers


class _Watched:
    """The bytes of a file, and whether some cell may be an integer with leading zeros."""

    closed = False

    def __init__(self, stream: Any, encoding: str, delimiter: str, *, skip: bool) -> None:
        self._stream, self._last, self._lock = stream, b"\n", Lock()
        self._pattern = _PADDED_CELL.replace("DELIMITER", rf"\x{ord(delimiter):02x}")
        # The pattern is of ASCII.
        self.padded = skip or "0".encode(encoding) != b"0"

    def close(self) -> None:
        """Does nothing: the function that opened the stream closes it."""

    def end(self) -> None:
        """Waits for the thread that reads ahead, which gets no more: the next file to be opened
        may have the number of this one, and would lose what that thread still reads."""
        with self._lock:
            self._stream = io.BytesIO()

    def read(self, size: int = -1) -> Any:
        with self._lock:
            read = self._stream.read(size)
        if not self.padded:
            seen = pa.array([self._last + (read or b"\n")], pa.large_binary())
            self.padded = pc.match_substring_regex(seen, self._pattern)[0].as_py()
            self._last = read[-_MAX_CELL:]
        return read


class _TypeChangeError(Exception):
    """A later cell is not of the type that the first cells of its column have."""


def read_csv(
    files: list[Path], dialects: list[Dialect], reading: Reading, texts: Collection[str]
) -> tuple[pa.Table, list[int], Marks]:
    """All rows, how many each file has, and the marks in the numbers; the columns in texts are
    text. Markers of missing values only keep a column from being text; those that are left, and
    blanks around text, are for `mark_missing`."""
    names, marks = dialects[0].names, dialects[0].marks
    pairs = list(zip(files, dialects, strict=True))
    types = _first_types(pairs, reading, texts)
    for attempt in range(len(names) * 2 + 1):
        try:
            parsed = [_parse(file, dialect, reading, types) for file, dialect in pairs]
        except _TypeChangeError as error:
            name = str(error)
            # What a mark means may have to be seen in the text.
            types[name] = FLOAT if types[name] == INT and marks.proven else TEXT
        else:
            tables = [table for table, _ in parsed]
            changed = _rounded(tables, types)
            for (file, dialect), (_, padded) in zip(pairs, parsed, strict=True):
                changed += _with_zeros(file, dialect, reading, types) if padded else []
            if not changed:
                break
            types |= dict.fromkeys(changed, TEXT)
        # Each attempt may read everything: better too much memory than hundreds of attempts.
        if attempt == _MAX_RETRIES:
            types = dict.fromkeys(names, TEXT)
    rows = [table.num_rows for table in tables]
    # The columns may have another order in each file.
    table = pa.concat_tables([table.select(names) for table in tables])
    del tables, parsed
    open_ = [name for name in names if types[name] == TEXT and name not in texts]
    if not (marks.proven or marks.given):
        marks = infer_marks([_trimmed(table[name]) for name in open_], marks)
    if open_:
        columns = [
            _text_or_numbers(table[name], reading, marks) if name in open_ else table[name]
            for name in names
        ]
        table = pa.table(columns, names)
    return table, rows, marks


def _rounded(tables: list[pa.Table], types: dict[str, Any]) -> list[str]:
    """The columns of numbers that may be integers of more digits than float64 represents."""
    return [
        name
        for name, kind in types.items()
        if kind == FLOAT
        for table in tables
        if pc.any(pc.greater(pc.abs(table[name]), float(MAX_EXACT_INTEGER))).as_py()
    ]


def _first_types(
    pairs: list[tuple[Path, Dialect]], reading: Reading, texts: Collection[str]
) -> dict[str, Any]:
    """The types of the columns in the first block of each file: numbers or text, because dates
    and booleans are text in a CSV file."""
    schemas, codes = [], set(texts)
    for file, dialect in pairs:
        if dialect.empty:
            continue
        with _open(file, dialect, reading, {}) as (parser, _):
            schemas.append(parser.schema)
        integers = [name for name in dialect.names if schemas[-1].field(name).type == INT]
        with _open(file, dialect, reading, dict.fromkeys(integers, TEXT)) as (parser, _):
            block = parser.read_next_batch()
        # Those that have leading zeros may be codes.
        codes.update(x for x in integers if _is_padded(block[x]))
    common = {
        name: common_type({s.field(name).type for s in schemas}) for name in pairs[0][1].names
    }
    # Whether a mark is between decimals or thousands may have to be seen in the text.
    numbers = (INT, FLOAT) if pairs[0][1].marks.proven else (INT,)
    return {
        name: kind if kind in numbers and name not in codes else TEXT
        for name, kind in common.items()
    }


def _with_zeros(file: Path, dialect: Dialect, reading: Reading, types: dict[str, Any]) -> list[str]:
    """The columns of integers that have leading zeros somewhere in a file."""
    integers = dict.fromkeys((name for name, kind in types.items() if kind == INT), TEXT)
    if not integers:
        return []
    with _open(file, dialect, reading, integers, [*integers]) as (parser, _):
        found = {name for block in parser for name in integers if _is_padded(block[name])}
    return sorted(found)


@contextmanager
def _open(
    file: Path,
    dialect: Dialect,
    reading: Reading,
    types: dict[str, Any],
    names: list[str] | None = None,
) -> Iterator[tuple[Any, _Watched]]:
    """A parser of all columns or of some, and its stream."""
    with _errors_named(file, dialect), dialect.lines.bytes(file) as (stream, encoding):
        watched = _Watched(stream, encoding, dialect.delimiter, skip=INT not in types.values())
        try:
            parser = arrow_csv.open_csv(
                pa.PythonFile(watched, mode="r"),
                arrow_csv.ReadOptions(
                    column_names=dialect.names,
                    skip_rows=dialect.start,
                    encoding=encoding,
                    # A wide table needs several rows in a block, or the cost per block dominates.
                    block_size=max(_BLOCK, 64 * dialect.width),
                ),
                arrow_csv.ParseOptions(delimiter=dialect.delimiter, newlines_in_values=True),
                arrow_csv.ConvertOptions(
                    column_types=types,
                    # Else a column of numbers with a marker would be text.
                    null_values=reading.markers,
                    strings_can_be_null=True,
                    decimal_point=dialect.marks.decimal,
                    include_columns=names or [],
                ),
            )
            yield parser, watched
        finally:
            watched.end()


def _parse(
    file: Path, dialect: Dialect, reading: Reading, types: dict[str, Any]
) -> tuple[pa.Table, bool]:
    """The table, and whether some cell may be an integer with leading zeros."""
    if dialect.empty:  # Arrow refuses a header without a line end.
        return pa.table({name: pa.array([], types[name]) for name in dialect.names}), False
    merged, batches, size = [], [], 0
    with _open(file, dialect, reading, types) as (parser, watched):
        for batch in parser:
            batches.append(batch)
            size += batch.nbytes
            if size > _MERGED:
                merged.append(pa.Table.from_batches(batches).combine_chunks())
                batches, size = [], 0
        merged.append(pa.Table.from_batches(batches, parser.schema).combine_chunks())
    table = pa.concat_tables(merged)
    if any(_suspicious(table[name]) for name, kind in types.items() if kind == TEXT):
        check_rows(file, dialect)
    return table, watched.padded


def _suspicious(column: pa.ChunkedArray) -> bool:
    """Whether there is a NUL, or the last cell has several lines, as if the file ended within
    quotes: Arrow accepts both."""
    last = column[-1].as_py() if len(column) else None
    return bool(re.search(r"[\r\n]", last or "")) or _any(pc.match_substring, column, "\0")


@contextmanager
def _errors_named(file: Path, dialect: Dialect) -> Iterator[None]:
    with explained(file):
        try:
            yield
        except pa.ArrowInvalid as error:
            change = _TYPE_CHANGE.search(str(error))
            if change:
                raise _TypeChangeError(dialect.names[int(change[1])]) from error
            check_rows(file, dialect)
            raise
        except UnicodeError:
            check_rows(file, dialect)
            raise


def _is_padded(cells: Any) -> bool:
    return bool(pc.any(pc.match_substring_regex(cells, _PADDED)).as_py())


def _any(test: Any, column: pa.ChunkedArray, pattern: str) -> bool:
    return any(pc.any(test(chunk, pattern)).as_py() for chunk in column.chunks)


def _trimmed(column: Any) -> Any:
    if _any(pc.match_substring_regex, column, _BLANK):
        return pc.utf8_trim_whitespace(column)
    return column


def _text_or_numbers(column: Any, reading: Reading, marks: Marks) -> Any:
    """The column, or numbers if all of its cells but the markers of missing values are numbers
    in these marks and none has leading zeros."""
    markers = pa.array(reading.markers, TEXT)

    def numbers_in(cells: Any) -> Any:
        """None if other cells are among them."""
        numbers = parse(cells, marks.notation)
        if numbers.null_count > cells.null_count:
            other = pc.and_(pc.is_null(numbers), pc.invert(pc.is_in(cells, markers)))
            if pc.any(pc.and_(other, pc.is_valid(cells))).as_py():
                return None
        return numbers

    if numbers_in(_trimmed(column.slice(0, _HEAD))) is None:
        return column
    trimmed = _trimmed(column)
    numbers = numbers_in(trimmed)
    if (
        numbers is None
        or _is_padded(with_same_signs(trimmed))
        or not _is_decided(trimmed, numbers, marks)
    ):
        return column
    return whole(numbers)


def _is_decided(cells: Any, numbers: Any, marks: Marks) -> bool:
    """Whether a column of numbers has the marks of its file."""
    if marks.proven or marks.given:
        return True
    integers = cells.filter(pc.equal(numbers, pc.floor(numbers)))
    # A point is between decimals but, perhaps, beside integers of one to three digits.
    if marks.decimal == POINT and not _any(
        pc.match_substring_regex, integers, "^[+-]?[1-9][0-9]{0,2}$"
    ):
        return True
    try:
        return infer_notation(cells.filter(pc.is_valid(numbers)), marks) == marks.notation
    except UndecidedError:
        return False
