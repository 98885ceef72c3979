"""How a CSV file is written: its delimiter, its header, its decimal point."""

import codecs
from dataclasses import dataclass

from pipeline.config.data import Reading
from pipeline.runtime.errors import UserError


@dataclass(frozen=True)
class Dialect:
    """How a CSV file is written: blank lines come first, then the header, if there is one;
    width is that of its longest line, as far as is known; it is empty without further rows."""

    delimiter: str
    header: bool
    names: list[str]
    decimal: str
    blank: int
    width: int
    empty: bool


def encoding_of(reading: Reading) -> str:
    """Python's name of it. Raises UserError for one that there is not."""
    try:
        "".encode(reading.encoding)  # Unlike lookup, refuses what is not of text.
        return codecs.lookup(reading.encoding).name.replace("utf-8-sig", "utf-8")
    except LookupError as error:
        raise UserError(
            f"data.reading.encoding: there is no encoding {reading.encoding!r}; utf-8, utf-16 and"
            " latin-1 are some"
        ) from error
