"""How one CSV file is written."""

import codecs
from dataclasses import dataclass

from pipeline.config.data import Reading
from pipeline.runtime.errors import UserError
from pipeline.schema.numbers import Marks
from pipeline.tables.csv_lines import Lines


@dataclass(frozen=True)
class Dialect:
    """How a CSV file is written.

    Attributes
    ----------
    lines
        Which lines are read.
    delimiter
        One character.
    header
        Whether the first line that is not skipped names the columns.
    units
        Whether the row below the header contains units, not values.
    names
        The names of the columns, invented where there is no header.
    invented
        What the header has for those that have another name there, or none.
    marks
        Those in its numbers.
    skip
        The number of lines before the header, or before the first row where there is none.
    top
        The number of rows from there that contain no values: the header, units.
    width
        The characters of the longest line, as far as the file was looked at.
    empty
        Whether there is a header and nothing else.
    warnings
        A line each.

    """

    lines: Lines
    delimiter: str
    header: bool
    units: bool
    names: list[str]
    invented: dict[str, str]
    marks: Marks
    skip: int
    top: int
    width: int
    empty: bool
    warnings: list[str]


def encoding_of(reading: Reading) -> str:
    """Python's name of the encoding. Raises UserError if there is no such encoding."""
    try:
        "".encode(reading.encoding)  # Unlike lookup, refuses an encoding that is not of text.
        return codecs.lookup(reading.encoding).name.replace("utf-8-sig", "utf-8")
    except LookupError as error:
        raise UserError(
            f"data.reading.encoding: there is no encoding {reading.encoding!r}; utf-8, utf-16 and"
            " cp1252 are some"
        ) from error
