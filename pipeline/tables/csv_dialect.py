"""How one CSV file is written."""

import codecs
from dataclasses import dataclass

from pipeline.config.data import Reading
from pipeline.runtime.errors import UserError


@dataclass(frozen=True)
class Dialect:
    """How a CSV file is written.

    Attributes
    ----------
    delimiter, decimal
        One character each.
    header
        Whether the first line that is not blank names the columns.
    names
        The names of the columns, invented where there is no header.
    blank
        The number of blank lines before the first other one.
    width
        The characters of the longest line, as far as the file was looked at.
    empty
        Whether there is a header and nothing else.

    """

    delimiter: str
    header: bool
    names: list[str]
    decimal: str
    blank: int
    width: int
    empty: bool


def encoding_of(reading: Reading) -> str:
    """Python's name of the encoding. Raises UserError if there is no such encoding."""
    try:
        "".encode(reading.encoding)  # Unlike lookup, refuses an encoding that is not of text.
        return codecs.lookup(reading.encoding).name.replace("utf-8-sig", "utf-8")
    except LookupError as error:
        raise UserError(
            f"data.reading.encoding: there is no encoding {reading.encoding!r}; utf-8, utf-16 and"
            " latin-1 are some"
        ) from error
