"""Parquet files to an Arrow table."""

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.runtime.errors import UserError
from pipeline.tables.arrow_types import BOOL, FLOAT, INT, TEXT, TIME, ZONED_TIME, Part
from pipeline.tables.column_names import unique_names
from pipeline.tables.files import explained


def read_parquet(file: Path, needed: Collection[str], texts: Collection[str]) -> Part:
    """The rows of a file, the columns in texts as text. Raises UserError, for example if a needed
    column is neither a number, text nor a date."""
    with explained(file), pq.ParquetFile(str(file)) as source:
        found = source.schema_arrow.names
        found = [name for name in found if not re.fullmatch(r"__index_level_\d+__", name)]
        names, _, warnings = unique_names(str(file), found)
        columns, dropped = {}, []
        # Reading one column at a time takes as long, and hardly more memory than the table.
        for column, name in zip(found, names, strict=True):
            values = source.read(columns=[column])[column]
            plain = plain_column(values, as_text=name in texts)
            if plain is not None:
                columns[name] = plain
                continue
            what = f"{file}: column {name!r} is {values.type}, not numbers, text or dates"
            if name in needed:
                raise UserError(f"{what}; write its parts as columns")
            dropped.append(name)
            warnings.append(f"{what}; it is left out")
    return Part(pa.table(columns), dropped=dropped, warnings=warnings)


def plain_column(column: Any, *, as_text: bool) -> Any:
    """The column as one of the types in `arrow_types`; None if it is of no such type."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    target = TEXT if as_text else _plain_type(column)
    try:
        # Nanoseconds and the last bits of very long integers are lost.
        options = pc.CastOptions(target, allow_time_truncate=True, allow_float_truncate=True)
        return pc.cast(column, options=options)
    except pa.ArrowException:
        return None


def _plain_type(column: Any) -> Any:
    kind, types = column.type, pa.types
    if types.is_null(kind):
        return kind
    if types.is_integer(kind) and kind != pa.uint64():
        return INT
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        return FLOAT
    if types.is_timestamp(kind) and kind.tz:
        return ZONED_TIME
    if types.is_date(kind) or types.is_timestamp(kind):
        return TIME
    # pandas has no bool with missing values.
    return BOOL if types.is_boolean(kind) and not column.null_count else TEXT
