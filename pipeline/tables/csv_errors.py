"""What is wrong with a CSV file, and in which row."""

import csv
import re
from pathlib import Path

from pipeline.runtime.errors import UserError
from pipeline.schema.location import Location
from pipeline.tables.csv_dialect import Dialect
from pipeline.tables.files import text_of

# NUL, or bytes that are not of the encoding (surrogateescape).
UNDECODED = re.compile("[\udc80-\udcff\0]")


def check_rows(file: Path, dialect: Dialect, encoding: str) -> None:
    """Raises UserError for the first row that is not like the others, if there is one. Slow,
    so for a file that Arrow failed on: it does not report the row."""
    row = 0 if dialect.header else 1
    where = f"{file}, the header" if dialect.header else str(Location(str(file), 1))
    with text_of(file, encoding) as lines:
        rows = csv.reader(lines, delimiter=dialect.delimiter, strict=True)
        try:
            for fields in rows:
                if fields:
                    _check_row(where, fields, dialect, encoding)
                    row += 1
                    where = str(Location(str(file), row, below_header=dialect.header))
        except csv.Error as error:
            what = "a quote opens there and does not close"
            if "field limit" in str(error):
                what = "has an endless field, as if a quote did not close"
            raise UserError(
                f"{where}: {what}; close it, double it if it is part of the text, or set"
                " data.reading.delimiter"
            ) from error


def _check_row(where: str, fields: list[str], dialect: Dialect, encoding: str) -> None:
    text = dialect.delimiter.join(fields)
    broken = UNDECODED.search(text)
    if broken and broken[0] == "\0":
        raise UserError(
            f"{where}: has a NUL byte, so the file is damaged or not text;"
            " fix it or set data.reading.encoding"
        )
    if broken:
        better = "utf-16" if text.startswith(("\udcff\udcfe", "\udcfe\udcff")) else "latin-1"
        raise UserError(
            f"{where}: the byte 0x{ord(broken[0]) - 0xDC00:x} is not {encoding};"
            f" set data.reading.encoding, perhaps to {better}"
        )
    if len(fields) != len(dialect.names):
        plural = "" if len(fields) == 1 else "s"
        first = "header" if dialect.header else "first row"
        raise UserError(
            f"{where}: has {len(fields)} field{plural}, but the {first} has {len(dialect.names)};"
            " fix the row or set data.reading.delimiter"
        )
