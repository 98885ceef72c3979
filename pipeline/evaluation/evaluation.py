"""Evaluating a saved model on the prepared parts, beside the least-squares line."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.evaluation.linear import LeastSquares, Line, coefficient_table, of_columns
from pipeline.evaluation.metrics import metrics, unless_rounding
from pipeline.evaluation.predictor import Predictor
from pipeline.network import dense

Metrics = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation results in.

    metrics has those of each part, predictions a row for each row of the parts (see
    prediction_table), coefficients the kernel and bias of a single linear neuron beside the
    least-squares ones, or None for any other network.
    """

    metrics: Metrics
    predictions: pd.DataFrame
    coefficients: pd.DataFrame | None


def evaluate(predictor: Predictor, parts: Mapping[str, Iterable[pd.DataFrame]]) -> Evaluation:
    """The saved model on the rows of each part, which come block by block, so that a table
    of any length is evaluated; each block is read and encoded once.

    The training part comes first: the line is fitted on it.
    """
    answers: dict[str, pd.DataFrame] = {}
    line_errors: dict[str, float] = {}
    line = None
    for part, tables in parts.items():
        fit, blocks, squares = LeastSquares(), [], 0.0
        for table in tables:
            x, predicted = predictor.with_inputs(table)
            true = table[predictor.encoding.target.name].to_numpy("float64")
            blocks.append(pd.DataFrame({"true": true, "predicted": predicted}, index=table.index))
            if line is None:
                fit.add(x, true)
            else:
                squares += float(np.square(true - line.predict(x)).sum())
        answers[part] = pd.concat(blocks)
        line_errors[part] = float(np.sqrt(squares / max(len(answers[part]), 1)))
        if line is None:
            line, line_errors[part] = fit.solve()
    assert line is not None
    line_errors["in_sample"] = line_errors["train"]
    named = name_parts(answers)
    results = {part: _metrics(table, line_errors[part]) for part, table in named.items()}
    coefficients = _coefficients(predictor, line)
    if coefficients is not None:
        fitted = next(iter(results.values()))
        optimum = fitted["least_squares_rmse"] ** 2
        results["optimum"] = {"mse": optimum, "excess_mse": fitted["mse"] - optimum}
    predictions = pd.concat(prediction_table(*item) for item in named.items())
    return Evaluation(results, predictions, coefficients)


def name_parts(answers: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The parts that have rows. Without any part set aside, the training part is all there
    is, and is called in_sample: it says how well the rows were learned, not how well
    others will be predicted."""
    filled = {part: table for part, table in answers.items() if len(table)}
    return {"in_sample": filled["train"]} if list(filled) == ["train"] else filled


def prediction_table(part: str, answers: pd.DataFrame) -> pd.DataFrame:
    """True and predicted value of each row, of a table with the columns true and predicted
    whose index counts the rows of the raw table from 0; row counts from 1."""
    true, predicted = answers["true"].to_numpy(), answers["predicted"].to_numpy()
    return pd.DataFrame(
        {
            "part": part,
            "row": answers.index + 1,
            "true": true,
            "predicted": predicted,
            "residual": true - predicted,
        }
    )


def _metrics(table: pd.DataFrame, least_squares_rmse: float) -> dict[str, float]:
    true = table["true"].to_numpy()
    error = unless_rounding(least_squares_rmse, true)
    return metrics(true, table["predicted"].to_numpy()) | {"least_squares_rmse": error}


def _coefficients(predictor: Predictor, optimum: Line) -> pd.DataFrame | None:
    """Of the columns; the least squares of a logarithm are not those of the target."""
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
