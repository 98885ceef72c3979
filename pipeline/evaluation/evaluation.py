"""Evaluation of a saved model on the prepared parts, compared with its baselines."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pipeline.dataset import results
from pipeline.dataset.encoding import Encoding, Values
from pipeline.dataset.folds import NO_FOLDS, Folds
from pipeline.dataset.prepared import GROUP
from pipeline.evaluation import comparison
from pipeline.evaluation.diagnosis import Diagnosis, diagnose
from pipeline.evaluation.linear import LeastSquares, Line, coefficient_table, of_columns
from pipeline.evaluation.metrics import error_intervals, metrics, zero_if_rounding
from pipeline.evaluation.out_of_fold import out_of_fold
from pipeline.evaluation.prediction_intervals import Intervals, calibrate
from pipeline.evaluation.predictor import Predictor
from pipeline.evaluation.recorded import check_recorded
from pipeline.network import dense
from pipeline.network.encoder import folds_of
from pipeline.runtime.files import write_table
from pipeline.runtime.paths import VERDICT

ENDS = ("lower", "upper")
NO_INTERVALS = (
    "no prediction intervals, because there are no rows, or too few, for validation or in folds"
)
Metrics = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Evaluation:
    """The result of an evaluation.

    Attributes
    ----------
    metrics
        By part, with folds also cv: those of metrics.metrics, for cv and test their intervals,
        for cv those of out_of_fold, and the errors of the baselines. For a single linear neuron
        also optimum: the mse of the least-squares line on the training part and excess_mse, how
        much larger the neuron's is. All in the target's units.
    compared
        What comparison.compare returns.
    predictions
        A row for each row of the parts; see prediction_table. With folds, those of the training
        part are out of fold, called cv; rows that no fold holds out are left out.
    out_of_fold
        The same of the training part, with its folds; None without.
    coefficients
        Kernel and bias of a single linear neuron beside those of least squares; None for any
        other network.
    intervals
        The prediction intervals, calibrated with the rows of the validation part, or with folds
        with the out-of-fold predictions; None if these are too few.
    diagnosis
        Where the model fails, and what its predictions depend on.
    """

    metrics: Metrics
    compared: comparison.Comparisons
    predictions: pd.DataFrame
    out_of_fold: pd.DataFrame | None
    coefficients: pd.DataFrame | None
    intervals: Intervals | None
    diagnosis: Diagnosis

    @property
    def verdict(self) -> str | None:
        """One line about the model beside its baselines; see comparison.verdict."""
        return comparison.verdict(self.compared)

    @property
    def lines(self) -> list[str]:
        """The results as they are printed."""
        without = [] if self.intervals else [NO_INTERVALS]
        return [*results.lines(self.metrics, self.verdict), *self.diagnosis.lines, *without]

    def write(self, folder: Path) -> None:
        """Writes the tables that there are, as CSV files of their names, and the figures of the
        diagnosis."""
        for name in ("predictions", "out_of_fold", "coefficients"):
            table: pd.DataFrame | None = getattr(self, name)
            if table is not None:
                write_table(table, folder / f"{name}.csv")
        if self.intervals:
            self.intervals.write(folder)
        if self.compared:
            write_table(comparison.table(self.compared), folder / "baselines.csv")
            (folder / VERDICT).write_text(f"{self.verdict}\n", "utf-8")
        self.diagnosis.write(folder)


def evaluate(
    predictor: Predictor,
    parts: Mapping[str, Iterable[pd.DataFrame]],
    folds: Folds = NO_FOLDS,
    *,
    baselines: Mapping[str, pd.DataFrame],
    coverage: float = 0.9,
    recorded: Sequence[float] = (),
) -> Evaluation:
    """Evaluates a saved model on each part.

    Parameters
    ----------
    predictor
        The saved model. It gets the prediction intervals.
    parts
        By name, train first: the conformed rows of each part with their target, in blocks, so
        that a table of any size can be evaluated. They are read twice. With folds, the training
        part is read as a whole.
    folds
        Those of the training part, which the model was trained with.
    baselines
        By part, and cv with folds: a column of predictions for each baseline.
    coverage
        That of the prediction intervals.
    recorded
        What recorded.mae returns for its training.

    Raises
    ------
    UserError
        If the model is not the one that was trained, or the baselines are of other rows.
    """
    held_out: pd.DataFrame | None = None
    of_folds: dict[str, float] = {}
    if folds.count:
        train = pd.concat(parts["train"])
        parts = {**parts, "train": [train]}
        held_out, of_folds = out_of_fold(predictor, train, folds, recorded)
    neuron, least_squares = _neuron(predictor), LeastSquares()
    predictions = {
        part: _predictions(predictor, tables, least_squares if neuron and part == "train" else None)
        for part, tables in parts.items()
    }
    if recorded and not folds.count:
        (mae,), rows = recorded, predictions["validation"]
        check_recorded(mae, rows["true"].to_numpy(), rows["predicted"].to_numpy(), "validation")
    if held_out is not None:
        predictions = {"train": predictions.pop("train"), "cv": held_out, **predictions}
    evaluated, baselines = name_parts(predictions), name_parts(baselines)
    predictor.intervals = intervals = _calibrated(predictor, evaluated, coverage)
    if intervals:
        for rows in evaluated.values():
            rows["lower"], rows["upper"] = intervals.ends(rows["predicted"].to_numpy())
    errors = {
        part: _metrics(part, rows) | comparison.errors(part, rows["true"], baselines.get(part))
        for part, rows in evaluated.items()
    }
    if intervals and "test" in evaluated:
        errors["test"] |= measured(evaluated["test"], intervals)
    coefficients = None
    if neuron:
        line, rmse = least_squares.solve()
        fitted = next(iter(evaluated))
        optimum = zero_if_rounding(rmse, evaluated[fitted]["true"].to_numpy()) ** 2
        errors["optimum"] = {"mse": optimum, "excess_mse": errors[fitted]["mse"] - optimum}
        coefficients = _coefficients(neuron, line, predictor.encoding)
    if held_out is not None:
        del evaluated["train"]
        errors["cv"] |= of_folds
    listed = pd.concat(prediction_table(*item) for item in evaluated.items())
    return Evaluation(
        errors,
        comparison.compare(evaluated, baselines),
        listed,
        held_out,
        coefficients,
        intervals,
        diagnose(predictor, listed, parts),
    )


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
        Columns true and predicted, and lower and upper where there are intervals; the index has
        the positions of the rows in the raw table, counted from 0. In the result, row counts from
        1.
    """
    true, predicted = predictions["true"].to_numpy(), predictions["predicted"].to_numpy()
    return pd.DataFrame(
        {
            "part": part,
            "row": predictions.index + 1,
            "true": true,
            "predicted": predicted,
            "residual": true - predicted,
            **{name: predictions[name].to_numpy() for name in ENDS if name in predictions},
        }
    )


def _predictions(
    predictor: Predictor, tables: Iterable[pd.DataFrame], least_squares: LeastSquares | None
) -> pd.DataFrame:
    """Columns true and predicted of a part, and group where rows are grouped; with least_squares,
    the encoded rows are added to it."""
    blocks = []
    for table in tables:
        block = pd.DataFrame({"true": table[predictor.encoding.target.name].astype(float)})
        if least_squares:
            x, predicted = predictor.with_inputs(table)
            least_squares.add(x, block["true"].to_numpy())
        else:
            predicted = predictor.predict_conformed(table)["predicted"].to_numpy()
        block["predicted"] = predicted
        blocks.append(block.assign(group=table[GROUP]) if GROUP in table else block)
    return pd.concat(blocks)


def _metrics(part: str, rows: pd.DataFrame) -> dict[str, float]:
    true, predicted = rows["true"].to_numpy(), rows["predicted"].to_numpy()
    groups = rows["group"].to_numpy() if "group" in rows else None
    ends = error_intervals(true, predicted, groups) if part in ("cv", "test") else {}
    return metrics(true, predicted) | ends


def measured(rows: pd.DataFrame, intervals: Intervals) -> dict[str, float]:
    """The fraction of rows whose true value is in their interval, beside the one that is asked
    for, and the mean width of the intervals."""
    within = rows["true"].between(rows["lower"], rows["upper"])
    return {
        "nominal_coverage": intervals.coverage,
        "coverage": float(within.mean()),
        "interval_width": float((rows["upper"] - rows["lower"]).mean()),
    }


def _calibrated(
    predictor: Predictor, predictions: Mapping[str, pd.DataFrame], coverage: float
) -> Intervals | None:
    for part in ("cv", "validation"):
        if part in predictions:
            true, predicted = (predictions[part][name].to_numpy() for name in ("true", "predicted"))
            log, model = predictor.encoding.target.log, predictor.model_hash
            return calibrate(true, predicted, coverage=coverage, log=log, model=model)
    return None


def _neuron(predictor: Predictor) -> tuple[Values, float] | None:
    """Kernel and bias of a model that is a single linear neuron, between the encoded columns and
    the target in its units; None where the network learns its logarithm, whose least squares are
    others, where it has inputs that are no linear function of a column, and of a mean of
    networks."""
    target = predictor.encoding.target
    if folds_of(predictor.model) or predictor.encoding.bins or target.log:
        return None
    neuron = dense.line(predictor.model.get_layer("network"))
    if neuron is None:
        return None
    kernel, bias = neuron
    return kernel * target.std, bias * target.std + target.mean


def _coefficients(neuron: tuple[Values, float], optimum: Line, encoding: Encoding) -> pd.DataFrame:
    """In units of the columns and the target."""
    lines = (Line(*of_columns(*one, encoding)) for one in (neuron, (optimum.kernel, optimum.bias)))
    return coefficient_table(encoding.names, *lines)
