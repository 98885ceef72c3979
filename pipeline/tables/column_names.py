"""The column names that a file may have."""

from pathlib import Path

from pipeline.runtime.errors import UserError


def check_names(file: Path, names: list[str]) -> None:
    """Raises UserError for a column without a name and for a duplicated name."""
    numbers: dict[str, int] = {}
    for number, name in enumerate(names, start=1):
        if not name:
            raise UserError(f"{file}: column {number} has no name; give it one in the header")
        if name in numbers:
            raise UserError(
                f"{file}: the name {name!r} is duplicated, in columns {numbers[name]} and"
                f" {number}; rename one"
            )
        numbers[name] = number


def check_same_names(file: Path, names: list[str], first: Path, expected: list[str]) -> None:
    """Raises UserError if a file has other columns than the first one."""
    for name in sorted(set(expected).symmetric_difference(names)):
        has = "lacks the column" if name in expected else "has a column"
        raise UserError(f"{file}: {has} {name!r}, unlike {first}; give all files the same columns")
