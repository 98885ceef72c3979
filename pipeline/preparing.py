"""What a raw table becomes: its parts, the new rows, the schema."""

from dataclasses import dataclass

import pandas as pd

from pipeline.config import Data
from pipeline.features import Schema, fit_schema
from pipeline.tables import choose_columns, numbers, read_table, split


@dataclass(frozen=True)
class Prepared:
    """parts has the rows of train, validation and test; new those without a target."""

    parts: dict[str, pd.DataFrame]
    new: pd.DataFrame
    schema: Schema


def prepare(data: Data) -> Prepared:
    """Reads the tables that data names, checks and divides them. Raises UserError for
    whatever is wrong with them."""
    raw = read_table(data.path)
    columns = choose_columns(raw, data.target, data.features, data.path)
    table = numbers(raw, [*columns.features, columns.target], data.path)
    parts = split(table, data.split.validation, data.split.test, data.split.seed)
    new = table.iloc[:0]
    if data.new_rows:
        new = numbers(read_table(data.new_rows), columns.features, data.new_rows)
    schema = fit_schema(
        parts["train"],
        columns,
        standardize_inputs=data.standardize_inputs,
        standardize_target=data.standardize_target,
    )
    return Prepared(parts, new[columns.features], schema)
