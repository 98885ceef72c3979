"""Parquet files to an Arrow table."""

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.runtime.errors import UserError
from pipeline.tables.arrow_types import BOOL, FLOAT, INT, TEXT, TIME, common_type
from pipeline.tables.column_names import check_names, check_same_names
from pipeline.tables.files import explained


def read_parquet(files: list[Path], texts: Collection[str]) -> tuple[pa.Table, list[int]]:
    """All rows, and how many each file has; the columns in texts are text. Raises UserError."""
    tables = [_parquet(file, texts) for file in files]
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
    rows = [table.num_rows for table in tables]
    return pa.concat_tables(
        [table.select(first.column_names).cast(schema) for table in tables]
    ), rows


def _parquet(file: Path, texts: Collection[str]) -> pa.Table:
    with explained(file), pq.ParquetFile(str(file)) as source:
        found = source.schema_arrow.names
        found = [name for name in found if not re.fullmatch(r"__index_level_\d+__", name)]
        names = [name.strip() for name in found]
        check_names(file, names)
        # Reading one column at a time takes as long, and hardly more memory than the table.
        columns = [
            _plain(
                source.read(columns=[column])[column],
                f"{file}: column {name!r}",
                as_text=name in texts,
            )
            for column, name in zip(found, names, strict=True)
        ]
    return pa.table(columns, names)


def _plain(column: Any, where: str, *, as_text: bool) -> Any:
    """The column as one of the types in `arrow_types`."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    target = TEXT if as_text else _plain_type(column)
    if pa.types.is_nested(column.type):
        raise UserError(
            f"{where} is nested ({column.type}); write its parts as columns or leave it out"
        )
    try:
        # Nanoseconds and the last bits of very long integers are lost.
        options = pc.CastOptions(target, allow_time_truncate=True, allow_float_truncate=True)
        return pc.cast(column, options=options)
    except pa.ArrowException as error:
        raise UserError(
            f"{where} is {column.type}, which is neither a number, text nor a date; leave it out"
        ) from error


def _plain_type(column: Any) -> Any:
    kind, types = column.type, pa.types
    if types.is_null(kind):
        return kind
    if types.is_integer(kind) and kind != pa.uint64():
        return INT
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        return FLOAT
    if types.is_date(kind) or types.is_timestamp(kind):
        return TIME
    # pandas has no bool with missing values.
    return BOOL if types.is_boolean(kind) and not column.null_count else TEXT
