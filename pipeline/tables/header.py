"""Where a table begins among the rows of a file, and what its header says."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from pipeline.config.data import Reading
from pipeline.runtime.errors import UserError
from pipeline.schema.location import Location
from pipeline.tables.column_names import unique_names

COMMENT_SIGNS = ("#", "//", "%", "*", ";")
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")
# Also with marks between groups of digits.
_LIKE_A_NUMBER = re.compile(r"[+-]?(\d[\d.,']*|[.,]\d+)([eE][+-]?\d+)?")
_INVENTED = re.compile(r"column_([1-9]\d*)")
MAX_BY_CHANCE = 2  # numbers that follow each other
# The header is looked for in so many rows.
_MAX_TITLES = 30


@dataclass(frozen=True)
class Header:
    """Where a table begins, and its columns.

    Attributes
    ----------
    start
        The position of the header among the rows, or of the first row where there is none.
    exists
        Whether there is a header.
    units
        Whether the row below the header contains units.
    names
        The names of the columns, invented where the file has none.
    invented
        What the header has for those that have another name there, or none.
    warnings
        A line each.

    """

    start: int
    exists: bool
    units: bool
    names: list[str]
    invented: dict[str, str]
    warnings: list[str]

    @property
    def rows(self) -> int:
        """The number of rows above the first one with values: the header, units."""
        return self.exists + self.units


def find_header(
    source: str,
    rows: Sequence[Sequence[str]],
    reading: Reading,
    needed: Sequence[str],
    texts: Collection[str],
    *,
    lines: Sequence[int],
    row_names: bool = True,
) -> Header:
    """Finds the header in the first rows of a file; none is blank, nor are there blanks around
    cells. lines is the number of lines above each row, and row_names says whether the first column
    may be one that the header leaves out, as R writes it; the others are as in `reading.read`.

    Raises UserError if there is no header and nothing says so, or if lines above or below it look
    as if they were not part of the table.
    """
    warnings = []
    start = 0
    if reading.header is not False and reading.names is None and not reading.skip_rows:
        start = title_rows(rows, needed)
    if start:
        warnings.append(_titles_warning(source, rows, start, needed, lines[start]))
    header = _has_header(source, rows[start], reading, needed)
    body = rows[start + header :]
    if not header or reading.names is not None:
        width = len(body[0]) if body else len(rows[start])
        names, invented = _invented_names(source, width, reading.names), dict[str, str]()
    else:
        fitted = fit_header(rows[start], body, row_names=row_names)
        names, invented, numbered = unique_names(source, fitted)
        warnings += numbered
    units = header and _has_units(source, names, body, reading, needed=needed, texts=texts)
    return Header(start, header, units, names, invented, warnings)


def title_rows(rows: Sequence[Sequence[str]], needed: Sequence[str]) -> int:
    """The number of rows above the first one that has a needed name, and numbers below it."""
    wanted = set(needed)
    if not wanted.isdisjoint(rows[0]):
        return 0
    for at, row in enumerate(rows[1:_MAX_TITLES], start=1):
        found = [number for number, cell in enumerate(row) if cell in wanted]
        if not found or any(map(_NUMBER.fullmatch, row)):
            continue
        below = [other[n] for other in rows[at + 1 : at + 3] for n in found if n < len(other)]
        if len(found) == len(wanted) > 1 or any(map(_LIKE_A_NUMBER.fullmatch, below)):
            return at
    return 0


def _titles_warning(
    source: str, rows: Sequence[Sequence[str]], start: int, needed: Sequence[str], lines: int
) -> str:
    name = next(cell for cell in rows[start] if cell in set(needed))
    filled = sum(map(bool, rows[start]))
    for above in rows[:start]:
        if sum(map(bool, above)) >= filled and not above[0].startswith(COMMENT_SIGNS):
            raise UserError(
                f"{source}: the first line does not name {name!r}, but line {lines + 1} does; if"
                f" that is the header, set data.reading.skip_rows={lines}"
            )
    text = " ".join(filter(None, rows[0]))[:70]
    return (
        f"{source}: {text!r} and what follows it up to the header, which has {name!r}, is skipped"
    )


def fit_header(
    header: Sequence[str], body: Sequence[Sequence[str]], *, row_names: bool
) -> list[str]:
    """The cells of the header, as many as the rows below it have, if these are as long as each
    other and differ by delimiters at the end of lines, or by names of rows."""
    widths = {len(row) for row in body}
    if len(widths) != 1 or widths == {len(header)}:
        return list(header)
    width = widths.pop()
    more = width - len(header)
    if more == -1 and header[0] == "#":  # as NumPy writes it
        return list(header[1:])
    if more < 0:
        return list(header[:width] if not any(header[width:]) else header)
    if not any(cell for row in body for cell in row[-more:]):
        return [*header, *[""] * more]
    return ["", *header] if row_names and more == 1 and _are_labels(body) else list(header)


def _are_labels(body: Sequence[Sequence[str]]) -> bool:
    """Whether the first cells of the rows could be labels: 1, 2, 3 or different texts."""
    labels = [row[0] for row in body]
    if all(map(str.isdecimal, labels)):
        first = int(labels[0])
        return first in (0, 1) and list(map(int, labels)) == list(range(first, first + len(body)))
    return len(set(labels)) == len(body) and not any(map(_NUMBER.fullmatch, labels))


def _invented_names(source: str, width: int, names: list[str] | None) -> list[str]:
    if names is None:
        return [f"column_{number + 1}" for number in range(width)]
    if len(names) != width:
        raise UserError(
            f"{source}: has {width} columns, but data.reading.names names {len(names)};"
            " name each column"
        )
    repeated = [name for name in names if names.count(name) > 1]
    if repeated or not all(names):
        raise UserError(
            f"data.reading.names: {repeated[0] if repeated else ''!r} is"
            f" {'duplicated' if repeated else 'no name'}; give each column its own name"
        )
    return names


def _has_header(source: str, first: Sequence[str], reading: Reading, needed: Sequence[str]) -> bool:
    if reading.header is not None:
        return reading.header
    if reading.names is not None:
        return False
    if not set(needed).isdisjoint(first):
        return True
    if are_invented(needed):
        return False
    numbers = [cell for cell in first if _NUMBER.fullmatch(cell)]
    if numbers:
        raise UserError(
            f"{source}: seems to have no header, because the first line has the number"
            f" {numbers[0]}; its columns are then called column_1 to column_{len(first)}: set"
            " data.target to one of them, or data.reading.names, or data.reading.header=true if it"
            " is one"
        )
    return True


def are_invented(needed: Sequence[str], width: int | None = None) -> bool:
    """Whether the needed names are those of a file without header that has that many columns."""
    found = [_INVENTED.fullmatch(name) for name in needed]
    return bool(found) and all(
        match is not None and (width is None or int(match[1]) <= width) for match in found
    )


def _has_units(
    source: str,
    names: Sequence[str],
    body: Sequence[Sequence[str]],
    reading: Reading,
    *,
    needed: Sequence[str],
    texts: Collection[str],
) -> bool:
    """Whether the first row is unlike those below it: text where they have numbers."""
    markers = {marker.strip() for marker in reading.markers}
    first, others = (body[0], body[1:]) if body else ((), ())
    # Number and marker are all that is below.
    numeric = {
        name: cell
        for number, (name, cell) in enumerate(zip(names, first, strict=False))
        if _only_numbers([row[number] for row in others if len(row) > number], markers)
    }
    units = [
        name
        for name, cell in numeric.items()
        if cell not in markers and not _starts_with_digit(cell)
    ]
    if not units or reading.units_row:
        return bool(units) or (reading.units_row and repeats_header(first, names))
    # Elsewhere, a numeric column may well be left out.
    wanted = [name for name in needed if name in numeric and name not in texts]
    wrong = [name for name in wanted if name in units]
    if not wrong and not any(map(_starts_with_digit, first)):
        wrong = [name for name in wanted if numeric[name] in markers] and units
    if wrong:
        where = Location(source, 1, below_header=True)
        raise UserError(
            f"{where}, column {wrong[0]!r}: {numeric[wrong[0]]!r} is not a number, unlike the rows"
            " below it; if the row holds units, set data.reading.units_row=true, otherwise fix it"
        )
    return False


def repeats_header(cells: Sequence[str], names: Sequence[str]) -> bool:
    """Whether the cells of a row are the names of their columns, or number the columns; of two
    columns they may do so by chance."""
    numbered = [[str(first + at) for at in range(len(names))] for first in (0, 1)]
    plain = [cell.removesuffix(".0") for cell in cells]
    return len(names) > MAX_BY_CHANCE and plain in ([*names], *numbered)


def _only_numbers(cells: Sequence[str], markers: Collection[str]) -> bool:
    present = [cell for cell in cells if cell not in markers]
    return bool(present) and all(map(_LIKE_A_NUMBER.fullmatch, present))


def _starts_with_digit(cell: str) -> bool:
    return bool(re.match(r"\W*\d", cell))
