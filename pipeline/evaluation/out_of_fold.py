"""Out-of-fold predictions: of each row, by the networks that were not trained on it."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipeline.dataset.folds import Folds
from pipeline.dataset.prepared import GROUP
from pipeline.evaluation.metrics import metrics
from pipeline.evaluation.predictor import Predictor
from pipeline.evaluation.recorded import check_recorded
from pipeline.runtime.errors import UserError
from pipeline.runtime.paths import FOLDS, MODEL, PREPARED


def out_of_fold(
    predictor: Predictor, table: pd.DataFrame, folds: Folds, recorded: Sequence[float] = ()
) -> tuple[pd.DataFrame, dict[str, float]]:
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
        What recorded.mae returns for their training.

    Returns
    -------
    predictions
        The rows that a fold holds out, with the index of the table: row (from 1, in the raw
        table), fold (with repeats fold_repeat_1 and so on), true, predicted (the mean over the
        repeats), residual, and group if rows are grouped.
    errors
        fold_1_rmse and so on, of the rows that a fold holds out.

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
    predicted, errors = np.full(folds.held_out.shape, np.nan), {}
    answers = zip(folds, predictor.of_folds(table), strict=True)
    for number, (fold, answered) in enumerate(answers, start=1):
        rows = fold.validation
        predicted[rows, fold.repeat] = answered[rows]
        if recorded:
            check_recorded(recorded[number - 1], true[rows], answered[rows], f"fold {number}")
        errors[f"fold_{number}_rmse"] = metrics(true[rows], answered[rows])["rmse"]

    held_out = np.flatnonzero(folds.held_out.any(axis=1))
    true, mean = true[held_out], np.nanmean(predicted[held_out], axis=1)
    repeats = [f"fold_repeat_{repeat}" for repeat in range(1, folds.repeats + 1)]
    columns = repeats if folds.repeats > 1 else ["fold"]
    listed = pd.DataFrame(folds.held_out[held_out], table.index[held_out], columns)
    listed.insert(0, "row", listed.index + 1)
    listed = listed.assign(true=true, predicted=mean, residual=true - mean)
    return (listed.assign(group=table[GROUP]) if GROUP in table else listed), errors
