"""DataFrames of pandas to an Arrow table, as a file of them would be read."""

import warnings
from collections.abc import Collection
from typing import Any

import pandas as pd
import pyarrow as pa

from pipeline.runtime.errors import UserError
from pipeline.schema.conversion import DAY_SECONDS
from pipeline.tables.arrow_types import TEXT, Part
from pipeline.tables.column_names import unique_names
from pipeline.tables.parquet_reader import plain_column

# What messages call it.
SOURCE = "the DataFrame"
# Columns of objects of one of these types; any other is read as its text, as in a CSV file: Arrow
# would take True for 1 beside numbers, and the time from a date beside other dates.
_OF_ONE_TYPE = {
    "boolean", "bytes", "decimal", "empty", "floating", "integer", "mixed-integer-float", "string",
    "time",
}  # fmt: skip


def read_frame(frame: pd.DataFrame, needed: Collection[str], texts: Collection[str]) -> Part:
    """The rows of a DataFrame, without its index, the columns in texts as text. Raises UserError
    if there are none, and for a needed column that is duplicated."""
    if frame.empty:
        rows, columns = frame.shape
        raise UserError(f"{SOURCE}: has {rows} rows of {columns} columns; there is nothing to read")
    cells = [str(name).strip() or f"column_{at}" for at, name in enumerate(frame.columns, start=1)]
    names, invented, found = unique_names(SOURCE, cells, remedy="rename one of them")
    for name in needed:
        if name in invented.values():
            raise UserError(f"{SOURCE}: the column {name!r} is duplicated; rename or remove one")
    plain = {
        name: _plain(frame.iloc[:, at], as_text=name in texts) for at, name in enumerate(names)
    }
    return Part(pa.table(plain), invented=invented, warnings=found)


def _plain(values: "pd.Series[Any]", *, as_text: bool) -> Any:
    """The column as one of the types in `arrow_types`."""
    if pd.api.types.is_timedelta64_dtype(values):
        # In days, as those of Excel: another frame may have another unit.
        values = values.dt.total_seconds() / DAY_SECONDS
    plain = None
    if values.dtype != object or pd.api.types.infer_dtype(values) in _OF_ONE_TYPE:
        # pyarrow asks for times with a zone in a way that pandas 3.1 deprecates.
        with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
            plain = _as_arrow(values, as_text=as_text)
    if plain is None:
        texts = values.astype(object).map(str, na_action="ignore")
        plain = pa.Array.from_pandas(texts, type=TEXT)
    return plain


def _as_arrow(values: "pd.Series[Any]", *, as_text: bool) -> Any:
    """The column as Arrow reads it; None if it cannot, or has a type of pandas for it."""
    try:
        column = pa.Array.from_pandas(values)
    except (pa.ArrowException, OverflowError):
        return None
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    # Periods and intervals.
    extended = isinstance(kind, pa.BaseExtensionType)
    return None if extended else plain_column(column, as_text=as_text)
