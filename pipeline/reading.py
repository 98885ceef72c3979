"""Reading a table: from the path of CSV or Parquet files to a pandas DataFrame."""

import codecs
import csv
import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from glob import glob
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq

from pipeline.command import UserError
from pipeline.config import Reading

DIABETES = "sklearn:diabetes"

_DELIMITERS = ",;\t|"
_TABLE = re.compile(r"[^.].*\.(csv|tsv|parquet|pq)(\.(gz|bz2|xz|zip|zst))?", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")
_UNLIKE = re.compile(r"In CSV column #(\d+): .*conversion error to (?!string)")
# Decoded bytes that are not of the encoding (surrogateescape), or NUL.
_BROKEN = re.compile("[\udc80-\udcff\0]")
_BLANK = r"^[\s\p{Z}]|[\s\p{Z}]$"

_TEXT, _INT, _FLOAT, _BOOL = pa.string(), pa.int64(), pa.float64(), pa.bool_()
_TIME = pa.timestamp("us")

_LEAST_LINES, _SAMPLE_LINES, _SAMPLE_SIZE = 3, 100, 2**20
_BLOCK = 2**20
# Arrow's pool hands memory back only in large pieces, so small ones are merged into these.
_MERGED = 2**25
_WIDE = 1000
_MOST_RETRIES = 8


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
                return _place(file, position + 1, below=self.delimiter is not None and self.header)
            position -= rows
        raise IndexError(position)


@dataclass(frozen=True)
class _Layout:
    """How a CSV file is written: blank lines come first, then the header, if there is one;
    width is that of its longest line, as far as is known; it is empty without further rows."""

    delimiter: str
    header: bool
    names: list[str]
    decimal: str
    blank: int
    width: int
    empty: bool


class _UnlikeError(Exception):
    """A later cell is not of the type that the first cells of its column had."""


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
    parquet = [_is_parquet(file) for file in files]
    for file, kind in zip(files, parquet, strict=True):
        if kind != parquet[0]:
            kinds = {True: "Parquet", False: "CSV"}
            raise UserError(
                f"{file}: is a {kinds[kind]} file, but {files[0]} is a {kinds[parquet[0]]} file;"
                " let data.path name one kind"
            )
    if parquet[0]:
        table, rows = _read_parquet(files, texts)
        return Raw(_frame(path, table), list(zip(map(str, files), rows, strict=True)))
    layouts = _layouts(files, reading, needed)
    table, rows = _read_csv(files, layouts, reading, texts)
    first = layouts[0]
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
        raise UserError(f"{path}: the table has columns but no rows; add rows or set data.path")
    # Each column of its own leaves Arrow's memory as it is copied; of very many columns
    # pandas is quicker with one block.
    frame = table.to_pandas(self_destruct=True, split_blocks=table.num_columns < _WIDE)
    assert isinstance(frame, pd.DataFrame)
    return frame


def _place(file: Path | str, row: int, *, below: bool) -> str:
    return f"{file}, row {row} below the header" if below else f"{file}, row {row}"


# Files


def files_of(path: str) -> list[Path]:
    """The files of the table at a path that is no table of scikit-learn's. Raises UserError."""
    place = Path(path)
    if place.is_dir():
        files = _tables(place.iterdir())
        if not files:
            raise UserError(
                f"{path}: the folder has no CSV or Parquet files; put the table there or set"
                " data.path"
            )
    elif re.search(r"[*?[]", path) and not place.exists():
        files = _tables(map(Path, glob(path, recursive=True)))  # noqa: PTH207 - absolute ones too
        if not files:
            raise UserError(f"{path}: matches no CSV or Parquet file; set data.path")
    else:
        files = [place]
    for file in files:
        if file.is_symlink() and not file.exists():
            raise UserError(
                f"{file}: is a link to nowhere, {file.readlink()}; mend it or run dvc checkout"
            )
    return files


def _tables(files: Iterator[Path]) -> list[Path]:
    return sorted(file for file in files if _TABLE.fullmatch(file.name) and not file.is_dir())


def _is_parquet(file: Path) -> bool:
    if file.suffix.lower() in {".parquet", ".pq"}:
        return True
    with _explained(file), file.open("rb") as stream:
        return stream.read(4) == b"PAR1"


@contextmanager
def _explained(file: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise UserError(f"{file}: no such file; put the table there or set data.path") from error
    except PermissionError as error:
        raise UserError(f"{file}: may not be read; change the file's permissions") from error
    except UnicodeError as error:
        raise UserError(
            f"{file}: cannot be decoded: {getattr(error, 'reason', error)}; set"
            " data.reading.encoding"
        ) from error
    except (
        OSError,
        EOFError,
        zlib.error,
        lzma.LZMAError,
        zipfile.BadZipFile,
        pa.ArrowException,
    ) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())[:200].rstrip(".")
        raise UserError(
            f"{file}: cannot be read: {reason}; the file is damaged or not what its name says"
        ) from error


def _bytes(file: Path) -> Any:
    """The file, uncompressed."""
    if file.suffix == ".xz":
        return lzma.open(file)
    if file.suffix == ".zip":
        archive = zipfile.ZipFile(file)
        members = [member for member in archive.infolist() if not member.is_dir()]
        if len(members) != 1:
            raise UserError(f"{file}: holds {len(members)} files instead of one table; unpack it")
        return archive.open(members[0])
    return pa.input_stream(str(file), compression="detect")


@contextmanager
def _lines(file: Path, encoding: str) -> Iterator[io.TextIOWrapper]:
    name = "utf-8-sig" if encoding == "utf-8" else encoding
    with (
        _explained(file),
        _bytes(file) as stream,
        io.TextIOWrapper(stream, name, errors="surrogateescape", newline="") as lines,
    ):
        yield lines


# How a CSV file is written


def _encoding(reading: Reading) -> str:
    try:
        "".encode(reading.encoding)  # Unlike lookup, refuses what is not of text.
        return codecs.lookup(reading.encoding).name.replace("utf-8-sig", "utf-8")
    except LookupError as error:
        raise UserError(
            f"data.reading.encoding: there is no encoding {reading.encoding!r}; utf-8, utf-16 and"
            " latin-1 are some"
        ) from error


def _layouts(files: list[Path], reading: Reading, needed: Sequence[str]) -> list[_Layout]:
    first = _layout(files[0], reading, needed)
    given = replace(reading, delimiter=first.delimiter, header=first.header)
    layouts = [first, *(_layout(file, given, needed) for file in files[1:])]
    for file, layout in zip(files, layouts, strict=True):
        _same_names(file, layout.names, files[0], first.names)
    decimal = "," if any(layout.decimal == "," for layout in layouts) else first.decimal
    return [replace(layout, decimal=decimal) for layout in layouts]


def _same_names(file: Path, names: list[str], first: Path, expected: list[str]) -> None:
    for name in sorted(set(expected).symmetric_difference(names)):
        has = "lacks the column" if name in expected else "has a column"
        raise UserError(f"{file}: {has} {name!r}, unlike {first}; give all files the same columns")


def _layout(file: Path, reading: Reading, needed: Sequence[str]) -> _Layout:
    encoding = _encoding(reading)
    sample, whole = _sample(file, encoding)
    if not any(line.strip() for line in sample):
        raise UserError(f"{file}: the file is empty; it needs a header and rows")
    blank = next(number for number, line in enumerate(sample) if line.strip())
    rows = {
        delimiter: _rows(sample[blank:], delimiter, whole=whole)
        for delimiter in reading.delimiter or _DELIMITERS
    }
    # The first of equals is the most usual.
    delimiter = max(rows, key=lambda delimiter: _likelihood(rows[delimiter], needed))
    first, *others = rows[delimiter]
    header = _has_header(file, first, reading, needed)
    layout = _Layout(
        delimiter=delimiter,
        header=header,
        names=first if header else _invented_names(file, len(first), reading.names),
        decimal=reading.decimal or _decimal(others, delimiter, reading.thousands),
        blank=blank,
        width=max(map(len, sample)),
        empty=header and whole and not others,
    )
    if layout.empty or _BROKEN.search("".join(sample)):
        _raise_fault(file, layout, encoding)
    _check_names(file, layout.names)
    if len(first) == 1 and needed and layout.names[0] not in needed:
        raise UserError(
            f"{file}: has one column, {layout.names[0][:70]!r}, and none that is needed"
            f" ({', '.join(needed)}); set data.reading.delimiter"
        )
    return layout


def _invented_names(file: Path, width: int, names: list[str] | None) -> list[str]:
    if names is None:
        return [f"column_{number + 1}" for number in range(width)]
    if len(names) != width:
        raise UserError(
            f"{file}: has {width} columns, but data.reading.names names {len(names)};"
            " name each column"
        )
    return [name.strip() for name in names]


def _sample(file: Path, encoding: str) -> tuple[list[str], bool]:
    """The first lines, and whether they are all."""
    sample: list[str] = []
    size = 0
    with _lines(file, encoding) as lines:
        for line in lines:
            sample.append(line)
            size += len(line)
            enough = size > _SAMPLE_SIZE and len(sample) >= _LEAST_LINES
            if enough or len(sample) == _SAMPLE_LINES:
                return sample, False
    return sample, True


def _rows(sample: list[str], delimiter: str, *, whole: bool) -> list[list[str]]:
    try:
        rows = [row for row in csv.reader(sample, delimiter=delimiter) if row]
    except csv.Error:
        # A field of megabytes, for want of a closing quote: Arrow comes upon it again.
        return [sample[0].strip().split(delimiter)]
    # The sample may end within a row.
    rows = rows if whole or len(rows) == 1 else rows[:-1]
    return [[cell.strip() for cell in row] for row in rows]


def _likelihood(rows: list[list[str]], needed: Sequence[str]) -> tuple[bool, bool, int, bool]:
    """The greater, the likelier it is that the rows were divided in the right places."""
    fields = len(rows[0])
    alike = all(len(row) == fields for row in rows)
    return not set(needed).isdisjoint(rows[0]), alike and fields > 1, fields, alike


def _has_header(file: Path, first: list[str], reading: Reading, needed: Sequence[str]) -> bool:
    if reading.header is not None:
        return reading.header
    if reading.names is not None:
        return False
    if not set(needed).isdisjoint(first):
        return True
    if needed and all(re.fullmatch(r"column_[1-9]\d*", name) for name in needed):
        return False
    numbers = [cell for cell in first if _NUMBER.fullmatch(cell)]
    if numbers:
        raise UserError(
            f"{file}: seems to have no header, for the first line has the number {numbers[0]};"
            f" its columns are then called column_1 to column_{len(first)}: set data.target to one"
            " of them, or data.reading.names, or data.reading.header=true if it is one"
        )
    return True


def _decimal(rows: list[list[str]], delimiter: str, thousands: str | None) -> str:
    if thousands == ".":
        return ","
    if delimiter == "," or thousands == ",":
        return "."
    numbers = "".join(cell for row in rows for cell in row if _NUMBER.fullmatch(cell))
    return "," if "," in numbers and "." not in numbers else "."


def _check_names(file: Path, names: list[str]) -> None:
    places: dict[str, int] = {}
    for place, name in enumerate(names, start=1):
        if not name:
            raise UserError(f"{file}: column {place} has no name; give it one in the header")
        if name in places:
            raise UserError(
                f"{file}: the name {name!r} stands twice, at columns {places[name]} and {place};"
                " rename one"
            )
        places[name] = place


# CSV


def _read_csv(
    files: list[Path], layouts: list[_Layout], reading: Reading, texts: Collection[str]
) -> tuple[pa.Table, list[int]]:
    """All rows, and how many each file has."""
    names, decimal = layouts[0].names, layouts[0].decimal
    pairs = list(zip(files, layouts, strict=True))
    types = _first_types(pairs, reading, texts)
    for attempt in range(len(names) * 2 + 1):
        try:
            tables = [_parse(file, layout, reading, types) for file, layout in pairs]
            break
        except _UnlikeError as error:
            name = str(error)
            types[name] = _FLOAT if types[name] == _INT else _TEXT
            # Each attempt may read all: rather too much memory than hundreds of attempts.
            if attempt == _MOST_RETRIES:
                types = dict.fromkeys(names, _TEXT)
    rows = [table.num_rows for table in tables]
    # The columns of a file may stand in another order.
    table = pa.concat_tables([table.select(names) for table in tables])
    del tables
    if _TEXT in types.values():
        columns = [
            _clean(table[name], reading, decimal, as_text=name in texts)
            if types[name] == _TEXT
            else table[name]
            for name in names
        ]
        table = pa.table(columns, names)
    return table, rows


def _first_types(
    pairs: list[tuple[Path, _Layout]], reading: Reading, texts: Collection[str]
) -> dict[str, Any]:
    """What the first block of each file says of the columns: numbers or text, for dates
    and booleans are text in a CSV file."""
    schemas = []
    for file, layout in pairs:
        if layout.empty:
            continue
        with _faults(file, layout, reading), _open(file, layout, reading, {}) as parser:
            schemas.append(parser.schema)
    common = {name: _common({s.field(name).type for s in schemas}) for name in pairs[0][1].names}
    return {
        name: kind if kind in (_INT, _FLOAT) and name not in texts else _TEXT
        for name, kind in common.items()
    }


def _common(kinds: set[Any]) -> Any:
    """The type that has room for all of these; None if there is none."""
    kinds = kinds - {pa.null()}
    if len(kinds) <= 1:
        return kinds.pop() if kinds else _FLOAT
    if kinds <= {_INT, _FLOAT}:
        return _FLOAT
    return _TEXT if kinds <= {_BOOL, _TEXT} else None


@contextmanager
def _open(file: Path, layout: _Layout, reading: Reading, types: dict[str, Any]) -> Iterator[Any]:
    encoding = _encoding(reading)
    with _bytes(file) as stream:
        yield arrow_csv.open_csv(
            stream,
            arrow_csv.ReadOptions(
                column_names=layout.names,
                skip_rows=layout.blank,
                skip_rows_after_names=int(layout.header),
                encoding="utf8" if encoding == "utf-8" else encoding,
                # A wide table needs some rows in a block for the work on a block to pay.
                block_size=max(_BLOCK, 64 * layout.width),
            ),
            arrow_csv.ParseOptions(delimiter=layout.delimiter, newlines_in_values=True),
            arrow_csv.ConvertOptions(
                column_types=types,
                null_values=reading.missing,
                strings_can_be_null=True,
                decimal_point=layout.decimal,
            ),
        )


def _parse(file: Path, layout: _Layout, reading: Reading, types: dict[str, Any]) -> pa.Table:
    if layout.empty:  # Arrow refuses a header that no line end follows.
        return pa.table({name: pa.array([], types[name]) for name in layout.names})
    merged, batches, size = [], [], 0
    with _faults(file, layout, reading), _open(file, layout, reading, types) as parser:
        for batch in parser:
            batches.append(batch)
            size += batch.nbytes
            if size > _MERGED:
                merged.append(pa.Table.from_batches(batches).combine_chunks())
                batches, size = [], 0
        merged.append(pa.Table.from_batches(batches, parser.schema).combine_chunks())
    table = pa.concat_tables(merged)
    if any(_suspicious(table[name]) for name, kind in types.items() if kind == _TEXT):
        _raise_fault(file, layout, _encoding(reading))
    return table


def _suspicious(column: pa.ChunkedArray) -> bool:
    """Whether there is a NUL, or the last cell has several lines, as if the file ended within
    quotes: Arrow minds neither."""
    last = column[-1].as_py() if len(column) else None
    return bool(re.search(r"[\r\n]", last or "")) or _any(pc.match_substring, column, "\0")


@contextmanager
def _faults(file: Path, layout: _Layout, reading: Reading) -> Iterator[None]:
    with _explained(file):
        try:
            yield
        except pa.ArrowInvalid as error:
            unlike = _UNLIKE.search(str(error))
            if unlike:
                raise _UnlikeError(layout.names[int(unlike[1])]) from error
            _raise_fault(file, layout, _encoding(reading))
            raise
        except UnicodeError:
            _raise_fault(file, layout, _encoding(reading))
            raise


def _raise_fault(file: Path, layout: _Layout, encoding: str) -> None:
    """Raises UserError for the first row that is at fault, if there is one. Slow, but Arrow
    does not say which row it is at."""
    row = 0 if layout.header else 1
    place = f"{file}, the header" if layout.header else _place(file, 1, below=False)
    with _lines(file, encoding) as lines:
        rows = csv.reader(lines, delimiter=layout.delimiter, strict=True)
        try:
            for fields in rows:
                if fields:
                    _check_row(place, fields, layout, encoding)
                    row += 1
                    place = _place(file, row, below=layout.header)
        except csv.Error as error:
            what = "a quote opens there and does not close"
            if "field limit" in str(error):
                what = "has an endless field, as if a quote did not close"
            raise UserError(
                f"{place}: {what}; close it, double it if it is part of the text, or set"
                " data.reading.delimiter"
            ) from error


def _check_row(place: str, fields: list[str], layout: _Layout, encoding: str) -> None:
    text = layout.delimiter.join(fields)
    broken = _BROKEN.search(text)
    if broken and broken[0] == "\0":
        raise UserError(
            f"{place}: has a NUL byte, so the file is damaged or not text;"
            " mend it or set data.reading.encoding"
        )
    if broken:
        better = "utf-16" if text.startswith(("\udcff\udcfe", "\udcfe\udcff")) else "latin-1"
        raise UserError(
            f"{place}: the byte 0x{ord(broken[0]) - 0xDC00:x} is not {encoding};"
            f" set data.reading.encoding, perhaps to {better}"
        )
    if len(fields) != len(layout.names):
        plural = "" if len(fields) == 1 else "s"
        first = "header" if layout.header else "first row"
        raise UserError(
            f"{place}: has {len(fields)} field{plural}, but the {first} has {len(layout.names)};"
            " mend the row or set data.reading.delimiter"
        )


def _any(test: Any, column: pa.ChunkedArray, pattern: str) -> bool:
    return any(pc.any(test(chunk, pattern)).as_py() for chunk in column.chunks)


def _clean(column: Any, reading: Reading, decimal: str, *, as_text: bool) -> Any:
    """Text without surrounding blanks, or numbers if the cells are numbers after all."""
    if _any(pc.match_substring_regex, column, _BLANK):
        column = pc.utf8_trim_whitespace(column)
        missing = pc.is_in(column, pa.array(reading.missing, _TEXT))
        column = pc.if_else(missing, pa.scalar(None, _TEXT), column)
    if as_text or not _all_numbers(column, decimal, reading.thousands):
        return column
    if reading.thousands:
        column = pc.replace_substring(column, reading.thousands, "")
    column = pc.replace_substring(column, decimal, ".")
    try:
        return column.cast(_INT)
    except pa.ArrowInvalid:
        return column.cast(_FLOAT)


def _all_numbers(column: Any, decimal: str, thousands: str | None) -> bool:
    point, mark = re.escape(decimal), re.escape(thousands or "")
    # Only where it divides groups of three: 1.2.2020 is not a number.
    grouped = rf"|\d{{1,3}}({mark}\d{{3}})+({point}\d*)?" if thousands else ""
    plain = rf"(\d+({point}\d*)?|{point}\d+{grouped})(e[+-]?\d+)?"
    pattern = rf"(?i)^[+-]?({plain}|inf|infinity|nan)$"
    return all(pc.all(pc.match_substring_regex(chunk, pattern)).as_py() for chunk in column.chunks)


# Parquet


def _read_parquet(files: list[Path], texts: Collection[str]) -> tuple[pa.Table, list[int]]:
    tables = [_parquet(file, texts) for file in files]
    first = tables[0]
    for file, table in zip(files, tables, strict=True):
        _same_names(file, table.column_names, files[0], first.column_names)
    fields = []
    for name in first.column_names:
        kinds = [table.field(name).type for table in tables]
        common = _common(set(kinds))
        if common is None:
            odd = next(place for place, kind in enumerate(kinds) if kind != kinds[0])
            raise UserError(
                f"{files[odd]}: column {name!r} is {kinds[odd]}, but {kinds[0]} in {files[0]};"
                " write both alike"
            )
        fields.append(pa.field(name, common))
    schema = pa.schema(fields)
    rows = [table.num_rows for table in tables]
    return pa.concat_tables(
        [table.select(first.column_names).cast(schema) for table in tables]
    ), rows


def _parquet(file: Path, texts: Collection[str]) -> pa.Table:
    with _explained(file), pq.ParquetFile(str(file)) as source:
        found = source.schema_arrow.names
        found = [name for name in found if not re.fullmatch(r"__index_level_\d+__", name)]
        names = [name.strip() for name in found]
        _check_names(file, names)
        # One at a time takes as long, and hardly more memory than the table.
        columns = [
            _plain(
                source.read(columns=[column])[column],
                f"{file}: column {name!r}",
                as_text=name in texts,
            )
            for column, name in zip(found, names, strict=True)
        ]
    return pa.table(columns, names)


def _plain(column: Any, where: str, *, as_text: bool) -> Any:
    """The column in one of the few types that a table has here."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    target = _TEXT if as_text else _plain_type(column)
    if pa.types.is_nested(column.type):
        raise UserError(
            f"{where} is nested ({column.type}); write its parts as columns or leave it out"
        )
    try:
        # Nanoseconds and the last bits of very long integers go.
        options = pc.CastOptions(target, allow_time_truncate=True, allow_float_truncate=True)
        return pc.cast(column, options=options)
    except pa.ArrowException as error:
        raise UserError(
            f"{where} is {column.type}, which is neither number, text nor date; leave it out"
        ) from error


def _plain_type(column: Any) -> Any:
    kind, types = column.type, pa.types
    if types.is_null(kind):
        return kind
    if types.is_integer(kind) and kind != pa.uint64():
        return _INT
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        return _FLOAT
    if types.is_date(kind) or types.is_timestamp(kind):
        return _TIME
    # pandas has no bool with missing values.
    return _BOOL if types.is_boolean(kind) and not column.null_count else _TEXT
