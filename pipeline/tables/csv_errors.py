"""What is wrong with a CSV file, and in which row."""

import csv
import re
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from pipeline.config.data import WHITESPACE
from pipeline.runtime.errors import UserError
from pipeline.schema.location import Location
from pipeline.schema.remedy import quoted
from pipeline.tables.csv_dialect import Dialect
from pipeline.tables.header import COMMENT_SIGNS

# NUL, or bytes that are not of the encoding (surrogateescape).
UNDECODED = re.compile("[\udc80-\udcff\0]")
# Many such bytes in a row are words of another script; and Windows' Western text has not all.
NOT_WESTERN = re.compile("[\udc80-\udcff]{4}|[\udc81\udc8d\udc8f\udc90\udc9d]")
_MAX_LAST = 10  # so many rows at the end may be notes or totals


def check_rows(file: Path, dialect: Dialect) -> None:
    """Raises UserError for the first row that is not like the others, if there is one. Slow,
    so for a file that Arrow failed on: it does not report the row."""
    row = 1 - dialect.header.exists
    where = f"{file}, the header" if dialect.header.exists else str(Location(str(file), 1))
    with dialect.lines.text(file) as lines:
        kept = islice(lines, dialect.skip, None)
        rows = csv.reader(kept, delimiter=dialect.delimiter, strict=True)
        try:
            for fields in rows:
                if fields:
                    _check_text(where, dialect.delimiter.join(fields), dialect.lines.encoding)
                    if row > dialect.header.units and len(fields) != len(dialect.names):
                        raise UserError(_other_width(where, fields, dialect, rows))
                    row += 1
                    where = str(Location(str(file), row, below_header=dialect.header.exists))
        except csv.Error as error:
            what = "a quote opens there and does not close"
            if "field limit" in str(error):
                what = "has an endless field, as if a quote did not close"
            raise UserError(
                f"{where}: {what}; close it, double it if it is part of the text, or set"
                " data.reading.delimiter"
            ) from error


def _check_text(where: str, text: str, encoding: str) -> None:
    broken = UNDECODED.search(text)
    if broken and broken[0] == "\0":
        raise UserError(
            f"{where}: has a NUL byte, so the file is damaged or not text;"
            " fix it or set data.reading.encoding"
        )
    if broken:
        # Western text of Windows. What it has beside latin-1, such as the euro sign, is invisible
        # there.
        better = "cp1252" if encoding != "cp1252" else "cp850 or mac-roman"
        if NOT_WESTERN.search(text):
            better = "cp1251, gb18030, shift_jis or euc_kr"
        if text.startswith(("\udcff\udcfe", "\udcfe\udcff")):
            better = "utf-32" if text[2:4] == "\0\0" else "utf-16"
        raise UserError(
            f"{where}: the byte 0x{ord(broken[0]) - 0xDC00:x} is not {encoding};"
            f" set data.reading.encoding, perhaps to {better}"
        )


def _other_width(where: str, fields: list[str], dialect: Dialect, rest: Iterable[list[str]]) -> str:
    """What is wrong with a row that has more or fewer fields than the others."""
    plural = "" if len(fields) == 1 else "s"
    first = "header" if dialect.header.exists else "first row"
    advice = "fix the row or set data.reading.delimiter"
    if dialect.delimiter in "\t ":
        advice += f"={WHITESPACE} if runs of blanks divide the columns"
    last = 1 + sum(map(bool, islice(rest, _MAX_LAST)))
    sign = next((sign for sign in COMMENT_SIGNS if fields[0].lstrip().startswith(sign)), None)
    if sign:
        advice += f", or data.reading.comment={quoted(sign)} if it is a comment"
    elif last <= _MAX_LAST:
        what = "the last row is" if last == 1 else f"the last {last} rows are"
        advice += f", or data.reading.skip_last={last} if {what} not part of the table"
    return (
        f"{where}: has {len(fields)} field{plural}, but the {first} has {len(dialect.names)};"
        f" {advice}"
    )
