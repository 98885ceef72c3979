"""Evaluation of a saved model on the prepared parts, compared with the least-squares line."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.dataset.folds import NO_FOLDS, Folds
from pipeline.dataset.prepared import GROUP
from pipeline.evaluation.linear import LeastSquares, Line, coefficient_table, of_columns
from pipeline.evaluation.metrics import intervals, metrics, zero_if_rounding
from pipeline.evaluation.out_of_fold import out_of_fold
from pipeline.evaluation.predictor import Predictor
from pipeline.evaluation.recorded import check_recorded
from pipeline.network import dense
from pipeline.network.encoder import folds_of
from pipeline.runtime.files import write_table

Metrics = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Evaluation:
    """The result of an evaluation.

    Attributes
    ----------
    metrics
        By part: those of metrics.metrics, for test the ends of their intervals, and
        least_squares_rmse, the error of the least-squares line. With folds also cv, the errors of
        out_of_fold. For a single linear neuron also optimum: the mse of the line on the training
        part and excess_mse, how much larger the neuron's is. All in the target's units.
    predictions
        A row for each row of the parts; see prediction_table. With folds, those of the training
        part are out of fold, called cv; rows that no fold holds out are left out.
    out_of_fold
        The same of the training part, with its folds; None without.
    coefficients
        Kernel and bias of a single linear neuron beside those of least squares; None for any
        other network.
    """

    metrics: Metrics
    predictions: pd.DataFrame
    out_of_fold: pd.DataFrame | None
    coefficients: pd.DataFrame | None

    def write(self, folder: Path) -> None:
        """Writes the tables that there are, as CSV files of their names."""
        for name in ("predictions", "out_of_fold", "coefficients"):
            table: pd.DataFrame | None = getattr(self, name)
            if table is not None:
                write_table(table, folder / f"{name}.csv")


def evaluate(
    predictor: Predictor,
    parts: Mapping[str, Iterable[pd.DataFrame]],
    folds: Folds = NO_FOLDS,
    recorded: Sequence[float] = (),
) -> Evaluation:
    """Evaluates a saved model on each part.

    Parameters
    ----------
    predictor
        The saved model.
    parts
        By name, train first: the conformed rows of each part with their target, in blocks, so
        that a table of any size can be evaluated. Each block is read and encoded once. With
        folds, the training part is read as a whole.
    folds
        Those of the training part, which the model was trained with.
    recorded
        What recorded.recorded_mae returns for its training.

    Raises
    ------
    UserError
        If the model is not the one that was trained.
    """
    cv: dict[str, float] = {}
    held_out = None
    if folds.count:
        train = pd.concat(parts["train"])
        parts = {**parts, "train": [train]}
        cv, held_out = out_of_fold(predictor, train, folds, recorded)
    predictions: dict[str, pd.DataFrame] = {}
    line_errors: dict[str, float] = {}
    line = None
    for part, tables in parts.items():
        least_squares, blocks, squares = LeastSquares(predictor.encoding.bins), [], 0.0
        for table in tables:
            x, predicted = predictor.with_inputs(table)
            true = table[predictor.encoding.target.name].to_numpy("float64")
            block = pd.DataFrame({"true": true, "predicted": predicted}, index=table.index)
            blocks.append(block.assign(group=table[GROUP]) if GROUP in table else block)
            if line is None:
                least_squares.add(x, true)
            else:
                squares += float(np.square(true - line.predict(x)).sum())
        predictions[part] = pd.concat(blocks)
        line_errors[part] = float(np.sqrt(squares / max(len(predictions[part]), 1)))
        if line is None:
            line, line_errors[part] = least_squares.solve()
    assert line is not None
    if recorded and not folds.count:
        (mae,), rows = recorded, predictions["validation"]
        true, predicted = rows["true"].to_numpy(), rows["predicted"].to_numpy()
        check_recorded(mae, true, predicted, predictor.encoding.target, "validation")
    line_errors["in_sample"] = line_errors["train"]
    if held_out is not None:
        predictions = {"train": predictions.pop("train"), "cv": held_out, **predictions}
    evaluated = name_parts(predictions)
    results = {
        part: cv if part == "cv" else _metrics(part, table, line_errors[part])
        for part, table in evaluated.items()
    }
    coefficients = _coefficients(predictor, line)
    if coefficients is not None:
        fitted = next(iter(results.values()))
        optimum = fitted["least_squares_rmse"] ** 2
        results["optimum"] = {"mse": optimum, "excess_mse": fitted["mse"] - optimum}
    if held_out is not None:
        del evaluated["train"]
    listed = pd.concat(prediction_table(*item) for item in evaluated.items())
    return Evaluation(results, listed, held_out, coefficients)


def name_parts(predictions: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The parts that have rows. If that is the training part alone, it is called in_sample,
    because its errors say nothing about other rows."""
    filled = {part: table for part, table in predictions.items() if len(table)}
    return {"in_sample": filled["train"]} if list(filled) == ["train"] else filled


def prediction_table(part: str, predictions: pd.DataFrame) -> pd.DataFrame:
    """True and predicted value and residual of each row of a part.

    Parameters
    ----------
    part
        Name of the part.
    predictions
        Columns true and predicted; the index has the positions of the rows in the raw table,
        counted from 0. In the result, row counts from 1.
    """
    true, predicted = predictions["true"].to_numpy(), predictions["predicted"].to_numpy()
    return pd.DataFrame(
        {
            "part": part,
            "row": predictions.index + 1,
            "true": true,
            "predicted": predicted,
            "residual": true - predicted,
        }
    )


def _metrics(part: str, table: pd.DataFrame, least_squares_rmse: float) -> dict[str, float]:
    true, predicted = table["true"].to_numpy(), table["predicted"].to_numpy()
    groups = table["group"].to_numpy() if "group" in table else None
    return {
        **metrics(true, predicted),
        **(intervals(true, predicted, groups) if part == "test" else {}),
        "least_squares_rmse": zero_if_rounding(least_squares_rmse, true),
    }


def _coefficients(predictor: Predictor, optimum: Line) -> pd.DataFrame | None:
    """In units of the columns and the target; none where the network learns its logarithm, whose
    least squares are others, where it has inputs that least squares leaves out, and of a mean of
    networks."""
    if folds_of(predictor.model) or predictor.encoding.bins:
        return None
    neuron, target = dense.line(predictor.model.get_layer("network")), predictor.encoding.target
    if neuron is None or target.log:
        return None
    kernel, bias = neuron
    lines = (
        Line(*of_columns(*one, predictor.encoding))
        for one in (
            (kernel * target.std, bias * target.std + target.mean),
            (optimum.kernel, optimum.bias),
        )
    )
    return coefficient_table(predictor.encoding.names, *lines)
