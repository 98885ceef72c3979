"""The names of a table's columns, and columns that are none."""

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.config.data import column_name
from pipeline.runtime.errors import UserError
from pipeline.schema.dates import infer_format

_EXPORTED_INDEX = re.compile(r"Unnamed: 0(\.\d+)*")
_SAMPLE = 100  # labels that may be dates
_NAME_THEM = "data.reading.header=true and data.reading.names name the columns otherwise"


def unique_names(
    source: str, cells: Sequence[str], remedy: str = _NAME_THEM
) -> tuple[list[str], dict[str, str], list[str]]:
    """The names in the cells of a header; what is in the cell, for each that is invented because
    the cell is empty or its name duplicated; and warnings of the latter, with their remedy."""
    names: dict[str, None] = {}  # in order
    invented = {}
    warnings = []
    wanted = [column_name(cell) for cell in cells]
    others = set(wanted)
    for number, name in enumerate(wanted, start=1):
        unique = name or f"column_{number}"
        suffix = 2
        while unique in names or (unique != name and unique in others):
            unique = f"{name or f'column_{number}'}.{suffix}"
            suffix += 1
        if unique != name:
            invented[unique] = name
        if name and unique != name:
            warnings.append(
                f"{source}: the name {name!r} is duplicated, in columns {wanted.index(name) + 1}"
                f" and {number}; the latter is called {unique!r} ({remedy})"
            )
        names[unique] = None
    return list(names), invented, warnings


def check_same_names(
    file: Path, names: Collection[str], first: Path, expected: Collection[str]
) -> None:
    """Raises UserError if a file has other columns than the first one."""
    for name in sorted(set(expected).symmetric_difference(names)):
        has = "lacks the column" if name in expected else "has a column"
        raise UserError(f"{file}: {has} {name!r}, unlike {first}; give all files the same columns")


def without_index(
    table: pd.DataFrame,
    source: str,
    rows: Sequence[int],
    *,
    invented: Mapping[str, str],
    keep: Collection[str],
) -> tuple[pd.DataFrame, list[str]]:
    """The table without columns that a program added as it wrote the file, and warnings.

    Parameters
    ----------
    table
        Rows as they were read, missing values marked.
    source
        Where it comes from, for the warnings.
    rows
        The number of rows of each file.
    invented
        What the header has for columns that have another name there, or none.
    keep
        Columns that are kept in any case, because the configuration names them.

    """
    dropped, warnings = [], []
    leading = True
    for number, name in enumerate(map(str, table.columns), start=1):
        unnamed = invented.get(name) == ""
        leading = leading and (unnamed or bool(_EXPORTED_INDEX.fullmatch(name)))
        if name in keep or not (unnamed or leading):
            continue
        what = "has no name" if unnamed else f"is called {name!r}"
        values = table[name]
        if unnamed and values.isna().all():
            dropped.append(name)
            warnings.append(f"{source}: column {number} has no name and no values; it is left out")
        elif leading and is_index(values, rows):
            dropped.append(name)
            warnings.append(
                f"{source}: column {number} {what} and numbers or labels the rows; it is left out"
                f" (naming {name!r} in data.features or data.kinds keeps it)"
            )
        elif unnamed:
            warnings.append(
                f"{source}: column {number} has no name; it is called {name!r} ({_NAME_THEM})"
            )
    return (table.drop(columns=dropped) if dropped else table), warnings


def is_index(values: "pd.Series[Any]", rows: Sequence[int]) -> bool:
    """Whether a column numbers the rows of each file, or labels each by another text or whole
    number."""
    if values.isna().any() or pd.api.types.is_bool_dtype(values):
        return False
    ends = np.cumsum(rows)
    parts = [values.iloc[end - size : end] for end, size in zip(ends, rows, strict=True)]
    if pd.api.types.is_datetime64_any_dtype(values):
        return False
    if not pd.api.types.is_numeric_dtype(values):
        # Dates may be worth more than their order.
        return all(part.is_unique for part in parts) and not infer_format(values.iloc[:_SAMPLE])
    return all(_numbers_rows(part.to_numpy(dtype="float64")) for part in parts if len(part))


def _numbers_rows(values: NDArray[np.floating[Any]]) -> bool:
    """Whether values are whole and different, or count from 0 or 1, again and again where the
    rows of several tables were joined."""
    if not (values % 1 == 0).all():
        return False
    if len(np.unique(values)) == len(values):
        return True
    restarts = np.flatnonzero(np.diff(values) != 1) + 1
    first = values[0]
    return bool(
        first in (0, 1) and (values[restarts] == first).all() and 2 * len(restarts) <= len(values)
    )
