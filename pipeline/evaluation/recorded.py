"""Whether a saved model is the one that was trained, by the error that its training recorded."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipeline.dataset.curves import read_folds, read_history
from pipeline.evaluation.metrics import Vector
from pipeline.runtime.errors import UserError
from pipeline.runtime.paths import MODEL

# Of the recorded error, and of the largest value of the target, which float32 has 24 bits of.
RELATIVE, ROUNDING = 1e-3, 1e-5


def mae(folder: Path) -> Sequence[float]:
    """The mean absolute error on the rows that a network was not trained on, in the epoch whose
    weights were kept, from the histories in a model folder: of each fold's network or, without
    folds, of the only one. NaN without such an epoch, as Keras callbacks may leave weights of none,
    and without such rows."""
    of_folds = read_folds(folder)
    tables = (
        [read_history(folder)] if of_folds is None else [one for _, one in of_folds.groupby("fold")]
    )
    return [float(one["validation_mae"][one["kept"]].mean()) for one in tables]


def check_recorded(recorded: float, true: Vector, predicted: Vector, name: str) -> None:
    """Raises UserError if the mean absolute error of a saved network is not the recorded one.

    This error is compared because it is in the target's units whatever the loss is, and differs at
    most by as much as predictions do. The errors of the training part are not compared: those of
    an epoch are means over batches, each before its step.

    Parameters
    ----------
    recorded
        One of `mae`; NaN is not compared.
    true, predicted
        The rows that the network was validated on, (rows,), in the target's units.
    name
        What the message calls the rows.
    """
    if np.isnan(recorded):
        return
    found = float(np.abs(true - predicted).mean())
    tolerance = RELATIVE * recorded + ROUNDING * float(np.abs(true).max())
    if abs(found - recorded) > tolerance:
        raise UserError(
            f"{MODEL}: the saved model has a mean absolute error of {found:.6g} on the rows of"
            f" {name}, but its training recorded {recorded:.6g}; `dvc repro --force train` trains"
            " it again"
        )
