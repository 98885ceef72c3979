"""What is fitted on the training part: the scales of inputs and target."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.tables import Columns


@dataclass(frozen=True)
class Scale:
    """value = mean + deviation * standardised value, one number of each a column."""

    mean: list[float]
    deviation: list[float]


@dataclass(frozen=True)
class Schema:
    """Everything about the table that the saved model needs to know.

    inputs or target is None where that side is left as it is.
    """

    columns: Columns
    inputs: Scale | None
    target: Scale | None

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n", "utf-8")

    @staticmethod
    def read(path: Path) -> "Schema":
        plain = json.loads(path.read_text("utf-8"))

        def scale(side: dict[str, Any] | None) -> Scale | None:
            return None if side is None else Scale(**side)

        return Schema(Columns(**plain["columns"]), scale(plain["inputs"]), scale(plain["target"]))


def fit_scale(table: pd.DataFrame) -> Scale:
    """Mean and standard deviation (of the population) of each column.

    A constant column has nothing to divide by and gets a deviation of 1.
    """
    deviation = table.std(ddof=0).to_numpy()
    return Scale(table.mean().tolist(), np.where(deviation > 0, deviation, 1.0).tolist())


def fit_schema(
    train: pd.DataFrame, columns: Columns, *, standardize_inputs: bool, standardize_target: bool
) -> Schema:
    """The columns and, where asked for, their scales on the training part."""
    return Schema(
        columns,
        fit_scale(train[columns.features]) if standardize_inputs else None,
        fit_scale(train[[columns.target]]) if standardize_target else None,
    )


def training_arrays(
    table: pd.DataFrame, schema: Schema
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """x of shape (rows, features) in its own units, which the network standardises
    itself, and y of shape (rows, 1), standardised if the schema says so."""
    x = table[schema.columns.features].to_numpy(np.float32)
    y = table[[schema.columns.target]].to_numpy(np.float64)
    if schema.target is not None:
        y = (y - schema.target.mean) / schema.target.deviation
    return x, y.astype(np.float32)
