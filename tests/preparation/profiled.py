"""A table with a column of each kind, and tables of numbers."""

import pandas as pd

from pipeline.config.data import Kind
from pipeline.preparation.profile import profile
from pipeline.schema.columns import Column, Schema

NAN = float("nan")
TABLE = pd.DataFrame(
    {
        "size": [1.0, 2.0, 3.0, 4.0, NAN],
        "colour": pd.Series(["red", "blue", "red", None, "red"], dtype="str"),
        "used": [0.0, 1.0, 1.0, 1.0, NAN],
        "sold": pd.to_datetime(
            ["2024-01-02", "2023-05-01", "", "2024-01-02 10:30", "2023-05-01"], format="ISO8601"
        ).astype("datetime64[us]"),
        "price": [2.0, 4.0, 6.0, 8.0, 10.0],
    }
)
KINDS = {
    "size": Kind.numeric,
    "colour": Kind.category,
    "used": Kind.boolean,
    "sold": Kind.date,
    "price": Kind.numeric,
}
SCHEMA = Schema({name: Column(kind) for name, kind in KINDS.items()})


def numeric(**columns: list[float]) -> tuple[pd.DataFrame, Schema]:
    table = pd.DataFrame(columns, dtype="float64")
    return table, Schema({str(name): Column(Kind.numeric) for name in table})


def by_column(table: pd.DataFrame, schema: Schema, target: str) -> pd.DataFrame:
    """The profile with the names of the columns as index."""
    return profile(table, schema, target).set_index("column")
