"""The rows of a training, encoded: those of two parts, or those of the folds of one."""

import numpy as np
import pandas as pd

from pipeline.config.training import When
from pipeline.dataset import prepared
from pipeline.dataset.encoding import Encoding
from pipeline.dataset.folds import Fold, Folds
from pipeline.dataset.prepared import TrainingFiles
from pipeline.dataset.rows import Part, Stream, TrainingRows
from pipeline.network.encoder import Encoder
from pipeline.runtime.errors import UserError, read_errors
from pipeline.runtime.paths import ENCODING
from pipeline.training.shuffle import joined


def read(files: TrainingFiles, streaming: When) -> TrainingRows:
    """The rows of the prepared parts, those of the training part in folds if there are any.

    Raises UserError for a file that is damaged, and where the memory cannot hold the rows of all
    folds, which are not streamed.
    """
    if files.folds.count:
        return of_folds(prepared.read_table(files.train), files.folds, streaming)
    encoder, paths = Encoder(files.encoding), [files.train, files.validation]
    fits = prepared.fits_in_memory(paths, len(files.encoding.names))
    streams = streaming.decided(useful=not fits)
    with read_errors(files.train.with_name(ENCODING)):
        parts = [prepared.load(path, encoder.part, streaming=streams) for path in paths]
    return of_parts(parts[0], parts[1], files.encoding)


def of_parts(
    train: Part | Stream, validation: Part | Stream | None, encoding: Encoding
) -> TrainingRows:
    """Rows for training, and rows for validation, of which there may be none.

    Raises ValueError if only one of them is a stream.
    """
    if validation is not None and type(validation) is not type(train):
        raise ValueError("train and validation are either both streams or both in memory")
    if isinstance(train, Stream):
        assert not isinstance(validation, Part)
        return TrainingRows(train, encodings=[encoding], validation=validation)
    assert not isinstance(validation, Stream)
    rows = joined([train, validation]) if validation else train
    positions = np.arange(len(rows), dtype=np.int32)
    fold = Fold(positions[: len(train)], positions[len(train) :])
    return TrainingRows(rows, [fold], [encoding])


def of_folds(table: pd.DataFrame, folds: Folds, streaming: When = When.auto) -> TrainingRows:
    """The rows of all folds of a conformed table, each encoded by its fold's encoding.

    Raises UserError where the memory cannot hold them, and if they are to be streamed.
    """
    if streaming is When.always:
        raise UserError(
            "training.streaming: always needs data.split.folds=0; the rows of all folds are"
            " trained on at once"
        )
    inputs = max(len(encoding.names) for encoding in folds.encodings)
    if not prepared.inputs_fit_in_memory(len(table) * folds.count, inputs):
        needed = len(table) * folds.count * inputs * prepared.INPUT_BYTES / 1e9
        raise UserError(
            f"data.split.folds: {len(table)} rows of {inputs} inputs need {needed:.1f} GB of memory"
            f" in {folds.count} folds, more than is free; lower it, or set data.split.folds=0 to"
            " train on one part"
        )
    x = np.zeros((folds.count * len(table), inputs), np.float32)
    y = np.empty((folds.count * len(table), 1), np.float32)
    positions = []
    for number, encoding in enumerate(folds.encodings):
        start = number * len(table)
        part = Encoder(encoding).part(table)
        x[start : start + len(table), : part.x.shape[1]] = part.x
        y[start : start + len(table)] = part.y
        fold = folds.rows(number)
        positions.append(Fold(fold.train + start, fold.validation + start, fold.repeat))
    return TrainingRows(Part(x, y), positions, list(folds.encodings))
