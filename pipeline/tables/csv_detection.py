"""Detecting how a CSV file is written: its delimiter, its header, its decimal point."""

import csv
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.config.data import Reading
from pipeline.runtime.errors import UserError
from pipeline.tables.column_names import check_names, check_same_names
from pipeline.tables.csv_dialect import Dialect, encoding_of
from pipeline.tables.csv_errors import UNDECODED, check_rows
from pipeline.tables.files import text_of

DELIMITERS = ",;\t|"
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")
_MIN_LINES, _SAMPLE_LINES, _SAMPLE_SIZE = 3, 100, 2**20


def detect_dialects(files: list[Path], reading: Reading, needed: Sequence[str]) -> list[Dialect]:
    """How each of the files is written; what reading gives is not detected. Raises UserError
    if that cannot be detected, or if the files have different columns."""
    first = _dialect(files[0], reading, needed)
    given = replace(reading, delimiter=first.delimiter, header=first.header)
    found = [first, *(_dialect(file, given, needed) for file in files[1:])]
    for file, dialect in zip(files, found, strict=True):
        check_same_names(file, dialect.names, files[0], first.names)
    decimal = "," if any(dialect.decimal == "," for dialect in found) else first.decimal
    return [replace(dialect, decimal=decimal) for dialect in found]


def _dialect(file: Path, reading: Reading, needed: Sequence[str]) -> Dialect:
    encoding = encoding_of(reading)
    sample, whole = _sample(file, encoding)
    if not any(line.strip() for line in sample):
        raise UserError(f"{file}: the file is empty; it needs a header and rows")
    blank = next(number for number, line in enumerate(sample) if line.strip())
    rows = {
        delimiter: _rows(sample[blank:], delimiter, whole=whole)
        for delimiter in reading.delimiter or DELIMITERS
    }
    # Of equally likely delimiters, the first is the most usual.
    delimiter = max(rows, key=lambda delimiter: _likelihood(rows[delimiter], needed))
    first, *others = rows[delimiter]
    header = _has_header(file, first, reading, needed)
    dialect = Dialect(
        delimiter=delimiter,
        header=header,
        names=first if header else _invented_names(file, len(first), reading.names),
        decimal=reading.decimal or _decimal(others, delimiter, reading.thousands),
        blank=blank,
        width=max(map(len, sample)),
        empty=header and whole and not others,
    )
    if dialect.empty or UNDECODED.search("".join(sample)):
        check_rows(file, dialect, encoding)
    check_names(file, dialect.names)
    if len(first) == 1 and needed and dialect.names[0] not in needed:
        raise UserError(
            f"{file}: has one column, {dialect.names[0][:70]!r}, and none that is needed"
            f" ({', '.join(needed)}); set data.reading.delimiter"
        )
    return dialect


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
    """The first lines, and whether they are the whole file."""
    sample: list[str] = []
    size = 0
    with text_of(file, encoding) as lines:
        for line in lines:
            sample.append(line)
            size += len(line)
            enough = size > _SAMPLE_SIZE and len(sample) >= _MIN_LINES
            if enough or len(sample) == _SAMPLE_LINES:
                return sample, False
    return sample, True


def _rows(sample: list[str], delimiter: str, *, whole: bool) -> list[list[str]]:
    try:
        rows = [row for row in csv.reader(sample, delimiter=delimiter) if row]
    except csv.Error:
        # A field of megabytes, for lack of a closing quote: Arrow fails on it again.
        return [sample[0].strip().split(delimiter)]
    # The sample may end within a row.
    rows = rows if whole or len(rows) == 1 else rows[:-1]
    return [[cell.strip() for cell in row] for row in rows]


def _likelihood(rows: list[list[str]], needed: Sequence[str]) -> tuple[bool, bool, int, bool]:
    """The greater, the likelier it is that the delimiter is right."""
    fields = len(rows[0])
    equal = all(len(row) == fields for row in rows)
    return not set(needed).isdisjoint(rows[0]), equal and fields > 1, fields, equal


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
            f"{file}: seems to have no header, because the first line has the number {numbers[0]};"
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
