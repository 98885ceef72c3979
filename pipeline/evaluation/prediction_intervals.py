"""Prediction intervals: between which values a new row's target is expected."""

import hashlib
import json
from dataclasses import asdict, dataclass
from math import ceil
from pathlib import Path

import numpy as np

from pipeline.evaluation.metrics import Vector
from pipeline.runtime.errors import read_errors
from pipeline.runtime.paths import INTERVALS, intervals_path

# Rows in a bin of predictions, and bins, by which the size of errors is estimated.
BIN_ROWS, MAX_BINS = 20, 10
# Of the mean error: where errors happened to be smaller, intervals still have some width.
MIN_SCALE = 0.1


@dataclass(frozen=True)
class Intervals:
    """How intervals follow from predictions.

    Attributes
    ----------
    coverage
        The fraction of rows whose true value is to be in their interval.
    rows
        How many rows the intervals are calibrated with.
    factor
        Half the width of an interval, in units of the error that is expected of the prediction.
    log
        Whether errors are those of the target's logarithm.
    predictions, scales
        Predictions in ascending order, and the error that is expected of each: it is interpolated
        between them, and constant beyond both ends.
    model
        A hash of the model that the intervals are for.
    """

    coverage: float
    rows: int
    factor: float
    log: bool
    predictions: list[float]
    scales: list[float]
    model: str

    def ends(self, predicted: Vector) -> tuple[Vector, Vector]:
        """The lower and the upper ends of the intervals, (rows,) each."""
        if self.log:
            with np.errstate(divide="ignore", over="ignore"):
                factor = np.exp(self._half(predicted))
                return predicted / factor, predicted * factor
        half = self._half(predicted)
        return predicted - half, predicted + half

    def _half(self, predicted: Vector) -> Vector:
        return self.factor * np.interp(predicted, self.predictions, self.scales)

    def write(self, folder: Path) -> None:
        text = json.dumps(asdict(self), indent=1, allow_nan=False)
        (folder / INTERVALS).write_text(text + "\n", "utf-8")


def calibrate(
    true: Vector, predicted: Vector, *, coverage: float, log: bool, model: str
) -> Intervals | None:
    """Intervals by conformal prediction.

    The absolute error of a row, divided by the error that is expected of its prediction, is a
    score. So many rows as coverage asks for have a score up to a quantile, and as many new rows
    will have if they are exchangeable with these. The expected error is the mean of the absolute
    errors in bins of equally many rows by their prediction.

    Parameters
    ----------
    true, predicted
        Rows that the model was not trained on, (rows,), in the target's units: those of the
        validation part, or with folds the out-of-fold predictions.
    coverage
        The fraction of new rows whose true value is to be in their interval.
    log
        Whether the network learns the target's logarithm: errors are those of the logarithm then.
    model
        What model_hash returns.

    Returns
    -------
    Intervals, or None if there are too few rows: for 0.9 at least 9.

    References
    ----------
    Lei et al. (2018), "Distribution-free predictive inference for regression", for split conformal
    prediction and its local weights. Barber et al. (2021), "Predictive inference with the
    jackknife+", for residuals of cross-validation.
    """
    rows = len(true)
    position = ceil((rows + 1) * coverage)
    if position > rows:
        return None
    errors = np.abs(np.log(true) - np.log(predicted) if log else true - predicted)
    order, bins = np.argsort(predicted, kind="stable"), min(MAX_BINS, max(1, rows // BIN_ROWS))
    of_bins = np.array_split(order, bins)
    means = np.array([errors[one].mean() for one in of_bins])
    scales = means.clip(MIN_SCALE * errors.mean()) if errors.any() else np.ones(bins)
    levels = [float(predicted[one].mean()) for one in of_bins]
    expected = np.interp(predicted, levels, scales)
    factor = float(np.sort(errors / expected)[position - 1])
    if not np.isfinite([factor, *levels, *scales]).all():
        return None
    return Intervals(coverage, rows, factor, log, levels, scales.tolist(), model)


def model_hash(file: Path) -> str:
    """What tells the file of a model from that of any other."""
    with read_errors(file), file.open("rb") as content:
        return hashlib.file_digest(content, "md5").hexdigest()


def find(folder: Path, model: str) -> Intervals | None:
    """The intervals of the model in a folder; None if there are none, or if they are for another
    model, such as the one before the last training."""
    path = intervals_path(folder)
    if not path.is_file():
        return None
    with read_errors(path):
        intervals = Intervals(**json.loads(path.read_text("utf-8")))
    return intervals if intervals.model == model_hash(folder / model) else None
