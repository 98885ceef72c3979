"""Tables of one column, and a schema of one column of each kind."""

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.config.data import Kind
from pipeline.runtime.errors import UserError
from pipeline.schema.columns import Column, Schema
from pipeline.schema.inference import with_observed_values


def one(values: Any) -> pd.DataFrame:
    """A table of one column, a."""
    return pd.DataFrame({"a": values})


def stamps(*texts: str | None) -> "pd.Series[Any]":
    """Dates as a Parquet file has them."""
    return pd.to_datetime(pd.Series(texts), format="ISO8601").astype("datetime64[us]")


def fails(message: str) -> Any:
    """Expects a UserError of exactly this text."""
    return pytest.raises(UserError, match=f"^{re.escape(message)}$")


TRAIN = pd.DataFrame(
    {
        "number": [1.5, np.nan, -2.0],
        "flag": [1.0, 0.0, np.nan],
        "colour": ["red", None, "blue"],
        "when": stamps("2024-03-21 17:30", "2023-01-01", None),
        "nothing": [np.nan, np.nan, np.nan],
    }
).astype({"colour": "str"})
COLUMNS = Schema(
    {
        "number": Column(Kind.numeric, missing=True),
        "flag": Column(Kind.boolean, missing=True),
        "colour": Column(Kind.category, missing=True),
        "when": Column(Kind.date, missing=True, format="ISO8601"),
        "nothing": Column(Kind.numeric, missing=True),
    }
)
OBSERVED = with_observed_values(COLUMNS, TRAIN, TRAIN, COLUMNS.columns)
# Names and values that YAML and JSON could misread.
ODD = Schema(
    {
        **OBSERVED.columns,
        "Größe: 'a', \"b\" # 価": Column(Kind.category, categories=["yes", "70", "", "null"]),
        "1": Column(Kind.date, min="2024-03-21", format="%d.%m.%Y", zone=False),
        "k": Column(Kind.numeric, unit="$", suffixes=True),
        "large": Column(Kind.numeric, min=-1e300, max=1e16),
    }
)
# What the rows of GOOD keep to.
EXPECTED = Schema(
    {
        "a": Column(Kind.numeric, min=0.0, max=5.0),
        "b": Column(Kind.category, categories=["blue", "red"]),
        "c": Column(Kind.date, min="2023-01-01T00:00:00", max="2024-01-01T00:00:00"),
        "d": Column(Kind.numeric, min=0.0, max=5.0),
    }
)
GOOD = pd.DataFrame(
    {"a": [0.0, 5.0, 1.0], "b": ["red", "blue", "red"], "c": ["2023-01-01"] * 3, "d": [1.0] * 3}
).astype({"b": "str", "c": "datetime64[us]"})
