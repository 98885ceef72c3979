"""A saved model that takes tables: rows as read_csv gives them, to predictions.

MLflow loads the logged model through _load_pyfunc; predict and evaluate use the
same Predictor.
"""

import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.dataset.encoding import Encoding
from pipeline.dataset.rows import Array
from pipeline.network.backend import keras, tf
from pipeline.network.encoder import inputs, with_inputs
from pipeline.network.model_folder import MODEL
from pipeline.runtime.errors import UserError, warn
from pipeline.runtime.model_files import what_train_writes
from pipeline.runtime.paths import CONTRACT, ENCODING
from pipeline.schema.contract import Contract
from pipeline.schema.location import Place

BATCH_ROWS = 4096
# What Keras and zipfile raise for a file that is not whole.
DAMAGE = (
    AttributeError,
    EOFError,
    KeyError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
)


class Predictor:
    """The model in a folder that holds model.keras, contract.json and encoding.json."""

    def __init__(self, folder: Path) -> None:
        self.contract = Contract.read(folder / CONTRACT)
        self.encoding = Encoding.read(folder / ENCODING)
        with what_train_writes(folder / MODEL):
            (folder / MODEL).stat()
        if not zipfile.is_zipfile(folder / MODEL):
            raise UserError(f"{folder / MODEL}: is not a Keras model")
        try:
            # Safe mode: a model file may come from anywhere and must not run code.
            self.model = keras.saving.load_model(folder / MODEL, compile=False, safe_mode=True)
        except DAMAGE as error:
            reason = " ".join(str(error).split())
            raise UserError(f"{folder / MODEL}: cannot be loaded by Keras: {reason}") from error
        reads, named = len(self.model.inputs), len(self.encoding.columns)
        if reads != named:
            raise UserError(
                f"{folder}: {MODEL} reads {reads} columns, but {ENCODING} names {named};"
                " they are not of one training"
            )
        self._call = tf.function(self.model, reduce_retracing=True, autograph=False)
        self._call_with_inputs = tf.function(
            with_inputs(self.model), reduce_retracing=True, autograph=False
        )

    def predict(
        self, table: pd.DataFrame, source: str = "the table", where: Place | None = None
    ) -> pd.DataFrame:
        """One column, predicted, in the target's units; index and order are the
        table's. Columns may stand in any order and others are ignored. where says how a
        person finds a row, if that is not by its index in source.

        Raises UserError for a missing column, for a cell that is not what its column
        holds, and for values that the contract does not allow; warns of those that it
        says to warn of.
        """
        rows, warnings = self.contract.kept(table, where or partial(place, source, table.index))
        for line in warnings:
            warn(line)
        return self.answers(rows)

    def get_raw_model(self) -> "Predictor":
        """By this name MLflow hands out what it has wrapped."""
        return self

    def with_inputs(self, rows: pd.DataFrame) -> tuple[Array, NDArray[np.float64]]:
        """The network's inputs for conformed rows, (rows, inputs), and the predictions,
        (rows,): the rows are encoded once for both."""
        x = np.empty((len(rows), len(self.encoding.names)), np.float32)
        predicted = np.empty(len(rows))
        for start in range(0, len(rows), BATCH_ROWS):
            block = slice(start, start + BATCH_ROWS)
            encoded, answers = self._call_with_inputs(inputs(rows.iloc[block], self.encoding))
            x[block], predicted[block] = encoded, answers[:, 0]
        return x, predicted

    def answers(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The same for rows that are conformed."""
        blocks = [np.empty(0)]
        for start in range(0, len(rows), BATCH_ROWS):
            block = inputs(rows.iloc[start : start + BATCH_ROWS], self.encoding)
            blocks.append(self._call(block).numpy()[:, 0])
        return pd.DataFrame({"predicted": np.concatenate(blocks)}, index=rows.index)


def place(source: str, index: pd.Index, position: int) -> str:
    """Where a row is; the index of a table as it was read counts its rows from 0."""
    # Of no rows, only their columns can be wrong.
    label = index[position] if len(index) else position
    row = (
        f"row {label + 1} below the header"
        if isinstance(label, int | np.integer)
        else f"row {label!r}"
    )
    return f"{source}, {row}"


def _load_pyfunc(path: str) -> Predictor:
    return Predictor(Path(path))
