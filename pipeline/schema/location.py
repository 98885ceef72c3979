"""Where a person finds a row of a table."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass


@dataclass(frozen=True)
class Location:
    """A row of a source, such as a file: its number, counted from 1 (from the header, if the
    source has one), or its label; with is_label, one that could be taken for a number."""

    source: str
    row: Hashable
    below_header: bool = False
    is_label: bool = False

    def __str__(self) -> str:
        below = " below the header" if self.below_header else ""
        return f"{self.source}, {'label' if self.is_label else 'row'} {self.row!r}{below}"


# From the position of a row in a table, counted from 0.
Locate = Callable[[int], Location]


def by_position(position: int) -> Location:
    """That of a row in a table that is in memory."""
    return Location("the table", position + 1)
