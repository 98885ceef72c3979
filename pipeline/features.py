"""What is fitted on the training part: the scales of inputs and target."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.command import UserError
from pipeline.tables import Columns

# Keras's Normalization divides by 1e-7 at the least, and squares must stay finite.
LEAST_DEVIATION, MOST_DEVIATION = 1e-6, 1e18


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
    # Not deviation > 0: rounding gives seven times 0.1 a deviation of 1e-17.
    varies = (table.max() > table.min()).to_numpy()
    return Scale(table.mean().tolist(), np.where(varies, deviation, 1.0).tolist())


def fit_schema(
    train: pd.DataFrame, columns: Columns, *, standardize_inputs: bool, standardize_target: bool
) -> Schema:
    """The columns and, where asked for, their scales on the training part.

    Raises UserError for a column that varies so little or so much that float32
    cannot standardise it.
    """

    def scale(names: list[str]) -> Scale:
        fitted = fit_scale(train[names])
        for name, deviation in zip(names, fitted.deviation, strict=True):
            if not LEAST_DEVIATION <= deviation <= MOST_DEVIATION:
                raise UserError(
                    f"column {name!r} has a standard deviation of {deviation:.3g}, which float32"
                    " cannot standardise; give the column in another unit"
                )
        return fitted

    return Schema(
        columns,
        scale(columns.features) if standardize_inputs else None,
        scale([columns.target]) if standardize_target else None,
    )


def training_arrays(
    table: pd.DataFrame, schema: Schema
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """x of shape (rows, features) and y of shape (rows, 1), each standardised if the
    schema says so; x in float32, as the saved network does it."""
    x = table[schema.columns.features].to_numpy(np.float32)
    if schema.inputs is not None:
        mean = np.array(schema.inputs.mean, np.float32)
        x = (x - mean) / np.array(schema.inputs.deviation, np.float32)
    y = table[[schema.columns.target]].to_numpy(np.float64)
    if schema.target is not None:
        y = (y - schema.target.mean) / schema.target.deviation
    return x, y.astype(np.float32)
