"""Which columns of a table are features."""

from collections.abc import Sequence

import pandas as pd

from pipeline.config.data import Data, SplitBy
from pipeline.runtime.errors import UserError
from pipeline.schema.conversion import column_names

# A network with an input layer for each column takes seconds to build and to load.
MAX_FEATURES = 1000


def choose_features(table: pd.DataFrame, data: Data) -> list[str]:
    """The columns in data.features, or else all that have no other purpose. Raises UserError for
    a name that the table lacks, and for no features or too many."""
    for key, names in _names_by_key(data).items():
        for name in names:
            check_column(table, name, key, data.path)
    if data.target in data.leave_out:
        raise UserError(
            f"data.leave_out: includes the target {data.target!r}, which is never a feature;"
            " remove it"
        )
    excluded = {data.target, *data.leave_out}
    if data.features is not None:
        repeated = [name for name in data.features if data.features.count(name) > 1]
        if repeated:
            raise UserError(f"data.features: {repeated[0]!r} is duplicated; remove one")
        if data.target in data.features:
            raise UserError(
                f"data.features: includes the target {data.target!r}, which is not known of new"
                " rows; remove it"
            )
        features = [name for name in data.features if name not in excluded]
    else:
        excluded |= {data.group} if data.group else set()
        if data.split.by is not SplitBy.time and data.split.column:
            excluded |= {data.split.column}
        features = [name for name in table.columns if name not in excluded]
    if not features:
        raise UserError(f"{data.path}: has no feature, only the target {data.target!r}")
    if len(features) > MAX_FEATURES:
        raise UserError(
            f"{data.path}: has {len(features)} features, but the maximum is {MAX_FEATURES}; choose"
            " some with data.features"
        )
    return features


def check_column(table: pd.DataFrame, name: str, key: str, source: str) -> None:
    """Raises UserError if the table lacks a column that a configuration key names."""
    if name not in table.columns:
        raise UserError(f"{source}: has no column {name!r} ({key}); it has {column_names(table)}")


def _names_by_key(data: Data) -> dict[str, Sequence[str]]:
    return {
        "data.target": [data.target],
        "data.features": data.features or [],
        "data.leave_out": data.leave_out,
        "data.group": [data.group] if data.group else [],
        "data.split.column": [data.split.column] if data.split.column else [],
    }
