"""How a CSV file is written: its delimiter, its header, its decimal point."""

import csv
import re
from pathlib import Path

from pipeline.runtime.errors import UserError
from pipeline.tables.csv_dialect import Dialect
from pipeline.tables.files import row_of, text_of

# Decoded bytes that are not of the encoding (surrogateescape), or NUL.
BROKEN = re.compile("[\udc80-\udcff\0]")


def raise_fault(file: Path, dialect: Dialect, encoding: str) -> None:
    """Raises UserError for the first row that is at fault, if there is one. Slow, but Arrow
    does not say which row it is at."""
    row = 0 if dialect.header else 1
    place = f"{file}, the header" if dialect.header else row_of(file, 1, below=False)
    with text_of(file, encoding) as lines:
        rows = csv.reader(lines, delimiter=dialect.delimiter, strict=True)
        try:
            for fields in rows:
                if fields:
                    _check_row(place, fields, dialect, encoding)
                    row += 1
                    place = row_of(file, row, below=dialect.header)
        except csv.Error as error:
            what = "a quote opens there and does not close"
            if "field limit" in str(error):
                what = "has an endless field, as if a quote did not close"
            raise UserError(
                f"{place}: {what}; close it, double it if it is part of the text, or set"
                " data.reading.delimiter"
            ) from error


def _check_row(place: str, fields: list[str], dialect: Dialect, encoding: str) -> None:
    text = dialect.delimiter.join(fields)
    broken = BROKEN.search(text)
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
    if len(fields) != len(dialect.names):
        plural = "" if len(fields) == 1 else "s"
        first = "header" if dialect.header else "first row"
        raise UserError(
            f"{place}: has {len(fields)} field{plural}, but the {first} has {len(dialect.names)};"
            " mend the row or set data.reading.delimiter"
        )
