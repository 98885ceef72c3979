"""CSV files to an Arrow table, each column as numbers or as text."""

import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv

from pipeline.config.data import Reading
from pipeline.tables.arrow_types import FLOAT, INT, TEXT, common_type
from pipeline.tables.csv_dialect import Dialect, encoding_of
from pipeline.tables.csv_errors import check_rows
from pipeline.tables.files import explained, uncompressed

_TYPE_CHANGE = re.compile(r"In CSV column #(\d+): .*conversion error to (?!string)")
_BLANK = r"^[\s\p{Z}]|[\s\p{Z}]$"
_BLOCK = 2**20
# Arrow's pool returns memory only in large pieces, so small ones are merged into these.
_MERGED = 2**25
_MAX_RETRIES = 8


class _TypeChangeError(Exception):
    """A later cell is not of the type that the first cells of its column have."""


def read_csv(
    files: list[Path], dialects: list[Dialect], reading: Reading, texts: Collection[str]
) -> tuple[pa.Table, list[int]]:
    """All rows, and how many each file has; the columns in texts are text. Markers of missing
    values only keep a column from being text; those that are left are for `mark_missing`."""
    names, decimal = dialects[0].names, dialects[0].decimal
    pairs = list(zip(files, dialects, strict=True))
    types = _first_types(pairs, reading, texts)
    for attempt in range(len(names) * 2 + 1):
        try:
            tables = [_parse(file, dialect, reading, types) for file, dialect in pairs]
            break
        except _TypeChangeError as error:
            name = str(error)
            types[name] = FLOAT if types[name] == INT else TEXT
            # Each attempt may read everything: better too much memory than hundreds of attempts.
            if attempt == _MAX_RETRIES:
                types = dict.fromkeys(names, TEXT)
    rows = [table.num_rows for table in tables]
    # The columns may have another order in each file.
    table = pa.concat_tables([table.select(names) for table in tables])
    del tables
    if TEXT in types.values():
        columns = [
            _text_or_numbers(table[name], reading, decimal, as_text=name in texts)
            if types[name] == TEXT
            else table[name]
            for name in names
        ]
        table = pa.table(columns, names)
    return table, rows


def _first_types(
    pairs: list[tuple[Path, Dialect]], reading: Reading, texts: Collection[str]
) -> dict[str, Any]:
    """The types of the columns in the first block of each file: numbers or text, because dates
    and booleans are text in a CSV file."""
    schemas = []
    for file, dialect in pairs:
        if dialect.empty:
            continue
        with _errors_named(file, dialect, reading), _open(file, dialect, reading, {}) as parser:
            schemas.append(parser.schema)
    common = {
        name: common_type({s.field(name).type for s in schemas}) for name in pairs[0][1].names
    }
    return {
        name: kind if kind in (INT, FLOAT) and name not in texts else TEXT
        for name, kind in common.items()
    }


@contextmanager
def _open(file: Path, dialect: Dialect, reading: Reading, types: dict[str, Any]) -> Iterator[Any]:
    encoding = encoding_of(reading)
    with uncompressed(file) as stream:
        yield arrow_csv.open_csv(
            stream,
            arrow_csv.ReadOptions(
                column_names=dialect.names,
                skip_rows=dialect.blank,
                skip_rows_after_names=int(dialect.header),
                encoding="utf8" if encoding == "utf-8" else encoding,
                # A wide table needs several rows in a block, or the cost per block dominates.
                block_size=max(_BLOCK, 64 * dialect.width),
            ),
            arrow_csv.ParseOptions(delimiter=dialect.delimiter, newlines_in_values=True),
            arrow_csv.ConvertOptions(
                column_types=types,
                # Else a column of numbers with a marker would be text.
                null_values=reading.markers,
                strings_can_be_null=True,
                decimal_point=dialect.decimal,
            ),
        )


def _parse(file: Path, dialect: Dialect, reading: Reading, types: dict[str, Any]) -> pa.Table:
    if dialect.empty:  # Arrow refuses a header without a line end.
        return pa.table({name: pa.array([], types[name]) for name in dialect.names})
    merged, batches, size = [], [], 0
    with _errors_named(file, dialect, reading), _open(file, dialect, reading, types) as parser:
        for batch in parser:
            batches.append(batch)
            size += batch.nbytes
            if size > _MERGED:
                merged.append(pa.Table.from_batches(batches).combine_chunks())
                batches, size = [], 0
        merged.append(pa.Table.from_batches(batches, parser.schema).combine_chunks())
    table = pa.concat_tables(merged)
    if any(_suspicious(table[name]) for name, kind in types.items() if kind == TEXT):
        check_rows(file, dialect, encoding_of(reading))
    return table


def _suspicious(column: pa.ChunkedArray) -> bool:
    """Whether there is a NUL, or the last cell has several lines, as if the file ended within
    quotes: Arrow accepts both."""
    last = column[-1].as_py() if len(column) else None
    return bool(re.search(r"[\r\n]", last or "")) or _any(pc.match_substring, column, "\0")


@contextmanager
def _errors_named(file: Path, dialect: Dialect, reading: Reading) -> Iterator[None]:
    with explained(file):
        try:
            yield
        except pa.ArrowInvalid as error:
            change = _TYPE_CHANGE.search(str(error))
            if change:
                raise _TypeChangeError(dialect.names[int(change[1])]) from error
            check_rows(file, dialect, encoding_of(reading))
            raise
        except UnicodeError:
            check_rows(file, dialect, encoding_of(reading))
            raise


def _any(test: Any, column: pa.ChunkedArray, pattern: str) -> bool:
    return any(pc.any(test(chunk, pattern)).as_py() for chunk in column.chunks)


def _text_or_numbers(column: Any, reading: Reading, decimal: str, *, as_text: bool) -> Any:
    """Text without surrounding blanks, or numbers if all cells but the markers are numbers."""
    if _any(pc.match_substring_regex, column, _BLANK):
        column = pc.utf8_trim_whitespace(column)
    pattern, markers = _number_pattern(decimal, reading.thousands), pa.array(reading.markers, TEXT)

    def only_numbers(chunk: Any) -> Any:
        numbers = pc.match_substring_regex(chunk, pattern)
        return pc.all(pc.or_(numbers, pc.is_in(chunk, markers))).as_py()

    if as_text or not all(only_numbers(chunk) for chunk in column.chunks):
        return column
    numbers = pc.match_substring_regex(column, pattern)
    column = pc.if_else(numbers, column, pa.scalar(None, TEXT))
    if reading.thousands:
        column = pc.replace_substring(column, reading.thousands, "")
    column = pc.replace_substring(column, decimal, ".")
    try:
        return column.cast(INT)
    except pa.ArrowInvalid:
        return column.cast(FLOAT)


def _number_pattern(decimal: str, thousands: str | None) -> str:
    point, mark = re.escape(decimal), re.escape(thousands or "")
    # Only where it divides groups of three: 1.2.2020 is not a number.
    grouped = rf"|\d{{1,3}}({mark}\d{{3}})+({point}\d*)?" if thousands else ""
    plain = rf"(\d+({point}\d*)?|{point}\d+{grouped})(e[+-]?\d+)?"
    return rf"(?i)^[+-]?({plain}|inf|infinity|nan)$"
