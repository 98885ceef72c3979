"""A saved model that takes tables: rows as read_csv gives them, to predictions.

MLflow loads the logged model through _load_pyfunc; predict and evaluate use the
same Predictor.
"""

import zipfile
from pathlib import Path

import pandas as pd

from pipeline.backend import keras
from pipeline.command import UserError
from pipeline.features import Schema
from pipeline.model_folder import MODEL, SCHEMA
from pipeline.tables import numbers

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
    """The model in a folder that holds model.keras and schema.json."""

    def __init__(self, folder: Path) -> None:
        for name in (MODEL, SCHEMA):
            if not (folder / name).is_file():
                raise UserError(f"{folder}: holds no {name}; the train stage writes a model folder")
        try:
            self.schema = Schema.read(folder / SCHEMA)
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{folder / SCHEMA}: is not what the train stage writes") from error
        if not zipfile.is_zipfile(folder / MODEL):
            raise UserError(f"{folder / MODEL}: is not a Keras model")
        try:
            # Safe mode: a model file may come from anywhere and must not run code.
            self.network = keras.saving.load_model(folder / MODEL, compile=False, safe_mode=True)
        except DAMAGE as error:
            reason = " ".join(str(error).split())
            raise UserError(f"{folder / MODEL}: cannot be loaded by Keras: {reason}") from error
        reads, named = self.network.input_shape[1], len(self.schema.columns.features)
        if reads != named:
            raise UserError(
                f"{folder}: {MODEL} reads {reads} columns, but {SCHEMA} names {named};"
                " they are not of one training"
            )

    def predict(self, table: pd.DataFrame, source: str = "the table") -> pd.DataFrame:
        """One column, predicted, in the target's units; index and order are the
        table's. Columns may stand in any order and others are ignored.

        Raises UserError for a missing column or a cell that is no finite number.
        """
        features = numbers(table, self.schema.columns.features, source)
        if features.empty:
            return pd.DataFrame({"predicted": pd.Series(dtype="float32")}, index=table.index)
        predicted = self.network.predict(
            features.to_numpy("float32"), batch_size=BATCH_ROWS, verbose=0
        )
        return pd.DataFrame({"predicted": predicted[:, 0]}, index=table.index)


def _load_pyfunc(path: str) -> Predictor:
    return Predictor(Path(path))
