"""The Arrow types that the columns of a table are read as, and the table in one file."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.runtime.errors import UserError
from pipeline.tables.column_names import check_same_names

TEXT, INT, FLOAT, BOOL = pa.string(), pa.int64(), pa.float64(), pa.bool_()
TIME, ZONED_TIME = pa.timestamp("us"), pa.timestamp("us", "UTC")


@dataclass(frozen=True)
class Part:
    """The rows of one file. The other attributes are those of `reading.Raw`."""

    table: pa.Table
    rows: NDArray[np.int64] | None = None
    dropped: list[str] = field(default_factory=list)
    invented: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def whole(numbers: Any) -> Any:
    """A column of float64, as integers if its numbers are."""
    try:
        return numbers.cast(INT)
    except pa.ArrowInvalid:
        return numbers


def common_type(kinds: set[Any]) -> Any:
    """The type that holds the values of all of these; None if there is none."""
    kinds = kinds - {pa.null()}
    if len(kinds) <= 1:
        return kinds.pop() if kinds else FLOAT
    if kinds <= {INT, FLOAT}:
        return FLOAT
    return TEXT if kinds <= {BOOL, TEXT} else None


def joined(files: Sequence[Path], tables: Sequence[pa.Table]) -> pa.Table:
    """The rows of all files, whose columns may have another order. Raises UserError if they are
    not the same columns, or if a column has types that do not fit together."""
    first = tables[0]
    for file, table in zip(files, tables, strict=True):
        check_same_names(file, table.column_names, files[0], first.column_names)
    fields = []
    for name in first.column_names:
        kinds = [table.field(name).type for table in tables]
        common = common_type(set(kinds))
        if common is None:
            file, kind = next(
                (file, kind) for file, kind in zip(files, kinds, strict=True) if kind != kinds[0]
            )
            raise UserError(
                f"{file}: column {name!r} is {kind}, but {kinds[0]} in {files[0]}; write both as"
                " one type"
            )
        fields.append(pa.field(name, common))
    schema = pa.schema(fields)
    return pa.concat_tables([table.select(first.column_names).cast(schema) for table in tables])
