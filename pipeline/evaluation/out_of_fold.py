"""Out-of-fold predictions: of each row, by the networks that were not trained on it."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipeline.dataset.folds import Folds
from pipeline.dataset.prepared import GROUP
from pipeline.evaluation.linear import LeastSquares
from pipeline.evaluation.metrics import intervals, metrics
from pipeline.evaluation.predictor import Predictor
from pipeline.evaluation.recorded import check_recorded
from pipeline.runtime.errors import UserError
from pipeline.runtime.paths import FOLDS, MODEL, PREPARED


def out_of_fold(
    predictor: Predictor, table: pd.DataFrame, folds: Folds, recorded: Sequence[float] = ()
) -> tuple[dict[str, float], pd.DataFrame]:
    """Predicts each row of the training part by the network of the fold that holds it out.

    Parameters
    ----------
    predictor
        A saved model with folds.
    table
        The training part, conformed.
    folds
        Its folds.
    recorded
        What recorded.recorded_mae returns for their training.

    Returns
    -------
    errors
        Those of metrics.metrics, their intervals, least_squares_rmse, of lines that are fitted to
        the training rows of each fold, and fold_1_rmse and so on, of the rows that a fold holds
        out.
    predictions
        The rows that a fold holds out, with the index of the table: row (from 1, in the raw
        table), fold (with repeats fold_repeat_1 and so on), true, predicted (the mean over the
        repeats) and residual.

    Raises
    ------
    UserError
        If the model is of other folds, or its errors are not those that were recorded.
    """
    if (len(predictor.folds), len(table)) != (folds.count, len(folds.held_out)):
        raise UserError(
            f"{MODEL} has {len(predictor.folds)} folds, {PREPARED / FOLDS} {folds.count} of"
            f" {len(folds.held_out)} rows, and {PREPARED}/train.parquet {len(table)} rows; run"
            " dvc repro"
        )
    true = table[predictor.encoding.target.name].to_numpy("float64")
    predicted, lines = (np.full(folds.held_out.shape, np.nan) for _ in range(2))
    of_folds = {}
    answers = zip(folds, predictor.of_folds(table), strict=True)
    for number, (fold, (x, answered)) in enumerate(answers, start=1):
        least_squares = LeastSquares(folds.encodings[number - 1].bins)
        least_squares.add(x[fold.train], true[fold.train])
        line, _ = least_squares.solve()
        rows = fold.validation
        predicted[rows, fold.repeat] = answered[rows]
        lines[rows, fold.repeat] = line.predict(x[rows])
        target = folds.encodings[number - 1].target
        if recorded:
            name = f"fold {number}"
            check_recorded(recorded[number - 1], true[rows], answered[rows], target, name)
        of_folds[f"fold_{number}_rmse"] = metrics(true[rows], answered[rows])["rmse"]

    held_out = np.flatnonzero(folds.held_out.any(axis=1))
    true = true[held_out]
    groups = table[GROUP].to_numpy()[held_out] if GROUP in table else None
    mean, line_mean = (np.nanmean(values[held_out], axis=1) for values in (predicted, lines))
    errors = {
        **metrics(true, mean),
        **intervals(true, mean, groups),
        "least_squares_rmse": metrics(true, line_mean)["rmse"],
        **of_folds,
    }
    repeats = [f"fold_repeat_{repeat}" for repeat in range(1, folds.repeats + 1)]
    columns = repeats if folds.repeats > 1 else ["fold"]
    listed = pd.DataFrame(folds.held_out[held_out], table.index[held_out], columns)
    listed.insert(0, "row", listed.index + 1)
    return errors, listed.assign(true=true, predicted=mean, residual=true - mean)
