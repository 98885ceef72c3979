"""The Arrow types that the columns of a table are read as."""

from typing import Any

import pyarrow as pa

TEXT, INT, FLOAT, BOOL = pa.string(), pa.int64(), pa.float64(), pa.bool_()
TIME = pa.timestamp("us")


def common_type(kinds: set[Any]) -> Any:
    """The type that holds the values of all of these; None if there is none."""
    kinds = kinds - {pa.null()}
    if len(kinds) <= 1:
        return kinds.pop() if kinds else FLOAT
    if kinds <= {INT, FLOAT}:
        return FLOAT
    return TEXT if kinds <= {BOOL, TEXT} else None
