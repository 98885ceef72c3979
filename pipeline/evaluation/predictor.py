"""Predictions of a saved model for tables, as pandas.read_csv returns them.

MLflow loads a logged model with _load_pyfunc; predict and evaluate use the same Predictor.
"""

import zipfile
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.dataset.encoding import Encoding
from pipeline.dataset.rows import Array
from pipeline.evaluation.prediction_intervals import find, model_hash
from pipeline.network import archive
from pipeline.network.backend import keras, tf
from pipeline.network.encoder import folds_of, inputs, with_inputs
from pipeline.network.model_folder import FOLDS_MODEL, MODEL
from pipeline.runtime.errors import UserError, made_again, read_errors, refusal, warn
from pipeline.runtime.paths import CONTRACT, ENCODING
from pipeline.schema.contract import Contract
from pipeline.schema.flags import flags
from pipeline.schema.location import Locate, Location

Predictions = NDArray[np.float64]
BATCH_ROWS = 4096
MAX_REASON = 300  # characters
# Keras and zipfile raise these for a damaged file.
DAMAGE_ERRORS = (
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
    """A saved model that predicts tables.

    Parameters
    ----------
    folder
        With model.keras, contract.json and encoding.json, as the train stage writes it.

    Attributes
    ----------
    contract
        The columns of a table that it accepts.
    encoding
        The encoding of those columns.
    model
        The Keras model, from columns to predictions in the target's units.
    intervals
        The prediction intervals that an evaluation of this model has calibrated, or None.

    Raises
    ------
    UserError
        If a file is missing or damaged, or if the files are from different trainings.

    """

    def __init__(self, folder: Path) -> None:
        self.contract = Contract.read(folder / CONTRACT)
        self.encoding = Encoding.read(folder / ENCODING)
        self.model = _load(folder / MODEL)
        self.intervals = find(folder, MODEL)
        self._folder = folder
        read, encoded = len(self.model.inputs), len(self.encoding.columns)
        if read != encoded:
            raise UserError(
                f"{folder}: {MODEL} reads {read} columns, but {ENCODING} has {encoded};"
                " they are from different trainings"
            )

    def predict(
        self, table: pd.DataFrame, source: str = "the table", locate: Locate | None = None
    ) -> pd.DataFrame:
        """Predicts the rows of a table as pandas reads them.

        Parameters
        ----------
        table
            Has the columns that the model reads, in any order, and may have others.
        source
            The table's name in messages.
        locate
            Where a person finds a row; by default, by the labels of the table.

        Returns
        -------
        pandas.DataFrame
            What `answer` returns, with the index of the table.

        Raises
        ------
        UserError
            For a missing column, for a cell that its column cannot hold, and for values that the
            contract does not accept. Values that it warns of are printed.

        """

        def by_label(position: int) -> Location:
            # Without rows, only the columns can be wrong.
            label = table.index[position] if len(table) else position
            if isinstance(label, int | np.integer):
                return Location(source, int(label) + 1, below_header=True)
            return Location(source, label)

        marked = self.contract.clean(table, source)
        rows, warnings = self.contract.validate(marked, locate or by_label)
        for line in warnings:
            warn(line)
        return self.answer(rows)

    def answer(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Predicts conformed rows for a user: what `predict_conformed` returns, and a column flags
        that says what is unusual about a row (see schema.flags)."""
        return self.predict_conformed(rows).assign(flags=flags(rows, self.contract.schema))

    def predict_conformed(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Predicts conformed rows: a column predicted, in the target's units, and if the model has
        intervals, their ends lower and upper."""
        predicted = self._answers(self._call, rows)
        answers = pd.DataFrame({"predicted": predicted}, index=rows.index)
        if self.intervals:
            answers["lower"], answers["upper"] = self.intervals.ends(predicted)
        return answers

    @cached_property
    def model_hash(self) -> str:
        """What tells this model from any other."""
        return model_hash(self._folder / MODEL)

    def completed(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Conformed rows with the columns that `predict_conformed` returns beside them."""
        return pd.concat([rows, self.predict_conformed(rows)], axis=1)

    def with_inputs(self, rows: pd.DataFrame) -> tuple[Array, Predictions]:
        """Encodes and predicts conformed rows: x (rows, inputs), and predictions (rows,). They
        are encoded only once."""
        blocks = [
            self._call_with_inputs(inputs(rows.iloc[start : start + BATCH_ROWS], self.encoding))
            for start in range(0, max(len(rows), 1), BATCH_ROWS)
        ]
        x, predicted = (np.concatenate(one) for one in zip(*blocks, strict=True))
        return x, predicted[:, 0].astype(np.float64)

    def of_folds(self, rows: pd.DataFrame) -> Iterator[Predictions]:
        """The predictions of each fold's network for conformed rows, (rows,)."""
        return (self._answers(_compiled(fold), rows) for fold in self.folds)

    @cached_property
    def folds(self) -> list[keras.Model]:
        """The networks of cross-validation, each from columns to predictions: those whose mean
        the model predicts, or those beside it; none without folds."""
        beside = self._folder / FOLDS_MODEL
        return folds_of(self.model) or (folds_of(_load(beside)) if beside.exists() else [])

    def _answers(self, call: Any, rows: pd.DataFrame) -> Predictions:
        predicted = [np.empty(0)]
        for start in range(0, len(rows), BATCH_ROWS):
            block = inputs(rows.iloc[start : start + BATCH_ROWS], self.encoding)
            predicted.append(call(block).numpy()[:, 0])
        return np.concatenate(predicted)

    @cached_property
    def _call(self) -> Any:
        return _compiled(self.model)

    @cached_property
    def _call_with_inputs(self) -> Any:
        # Built when first used, because predictions do not need it.
        return _compiled(with_inputs(self.model, self.encoding))


def _load(path: Path) -> keras.Model:
    with read_errors(path):
        path.stat()
    if not zipfile.is_zipfile(path):
        raise UserError(f"{path}: is not a Keras model{made_again(path)}")
    try:
        # A model file may come from anywhere and must not run code.
        archive.check(path)
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except DAMAGE_ERRORS as error:
        # Keras puts the whole configuration before the reason.
        reason = " ".join(str(error).split()).rpartition("Exception encountered: ")[2]
        raise refusal(error, path) or UserError(
            f"{path}: cannot be loaded by Keras: {reason[:MAX_REASON]}{made_again(path)}"
        ) from error


def _compiled(model: keras.Model) -> Any:
    return tf.function(model, reduce_retracing=True, autograph=False)


def _load_pyfunc(path: str) -> Predictor:
    return Predictor(Path(path))
