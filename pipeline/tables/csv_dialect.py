"""How a CSV file is written, and its lines that are read, as text or as bytes for Arrow."""

import codecs
import io
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

from pipeline.config.data import WHITESPACE, Reading
from pipeline.runtime.errors import UserError
from pipeline.schema.numbers import Marks
from pipeline.tables.files import explained, uncompressed
from pipeline.tables.header import Header

# Stands for a delimiter that is not a single ASCII character, which Arrow does not take.
SEPARATOR = "\x1f"


@dataclass(frozen=True)
class Lines:
    """Which lines of a file are read, and how.

    Attributes
    ----------
    encoding
        Python's name of it.
    skip_rows
        The number of first lines that are no comments, whatever they begin with.
    comment
        What the lines begin with that are left out.
    skip_last
        The number of last lines that are left out; blank ones do not count.
    delimiter
        `whitespace` or a text, which SEPARATOR replaces; None leaves the delimiter as it is.

    """

    encoding: str
    skip_rows: int = 0
    comment: str | None = None
    skip_last: int = 0
    delimiter: str | None = None

    @contextmanager
    def text(self, file: Path) -> Iterator[Iterator[str]]:
        """The lines; bytes that are not of the encoding become surrogates."""
        name = "utf-8-sig" if self.encoding == "utf-8" else self.encoding
        with (
            explained(file),
            uncompressed(file) as stream,
            io.TextIOWrapper(stream, name, errors="surrogateescape", newline="") as lines,
        ):
            yield self._changed(lines)

    @contextmanager
    def bytes(self, file: Path) -> Iterator[tuple[Any, str]]:
        """The lines as a binary stream, and Arrow's name of its encoding."""
        if self == Lines(self.encoding, self.skip_rows):
            with uncompressed(file) as stream:
                yield stream, "utf8" if self.encoding == "utf-8" else self.encoding
        else:
            with self.text(file) as lines:
                yield io.BufferedReader(_Encoded(lines), 2**20), "utf8"

    def _changed(self, lines: Iterable[str]) -> Iterator[str]:
        lines = iter(lines)
        if self.comment:
            lines = chain(islice(lines, self.skip_rows), _without_comments(lines, self.comment))
        if self.skip_last:
            lines = _without_last(lines, self.skip_last)
        if self.delimiter:
            lines = map(separate(self.delimiter), lines)
        return lines


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
        Where the table begins, and its columns.
    marks
        Those in its numbers.
    skip
        The number of lines before the header, or before the first row where there is none.
    start
        The number of lines before the first row with values.
    width
        The characters of the longest line, as far as the file was looked at.
    empty
        Whether there is a header and nothing else.

    """

    lines: Lines
    delimiter: str
    header: Header
    marks: Marks
    skip: int
    start: int
    width: int
    empty: bool

    @property
    def names(self) -> list[str]:
        """The names of the columns."""
        return self.header.names


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


def _without_comments(lines: Iterable[str], comment: str) -> Iterator[str]:
    quotes = 0
    for line in lines:
        # Within a quoted cell of several lines, there are no comments.
        if quotes % 2 == 0 and line.lstrip().startswith(comment):
            continue
        quotes += line.count('"')
        yield line


def _without_last(lines: Iterable[str], number: int) -> Iterator[str]:
    last: deque[str] = deque()
    held = 0
    for line in lines:
        last.append(line)
        held += bool(line.strip())
        while held > number:
            held -= bool(last[0].strip())
            yield last.popleft()


def separate(delimiter: str) -> Callable[[str], str]:
    """A function that replaces the delimiters of a line, which are not within quotes."""
    quoted = r'"(?:[^"]|"")*"'
    if delimiter == WHITESPACE:
        field = re.compile(rf"(?:{quoted}|\S)+")
        return lambda line: SEPARATOR.join(field.findall(line)) + "\n"
    escaped = re.escape(delimiter)
    either = re.compile(rf"(?:^|(?<={escaped})){quoted}|{escaped}")
    return lambda line: either.sub(lambda m: SEPARATOR if m[0] == delimiter else m[0], line)


class _Encoded(io.RawIOBase):
    """Lines as bytes in UTF-8."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._rest:
            lines = "".join(islice(self._lines, 1000))
            self._rest = lines.encode("utf-8", "surrogateescape")
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size
