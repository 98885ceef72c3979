"""Whether a comparison with the champion is fair: on rows new to it, in the units that it knows."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.evaluation.metrics import Vector

# A model that explains this much of the target's variance has its scale, too.
MIN_R2 = 0.5
# Beyond these, the scale is that of other units rather than a change of the values.
MAX_SCALE, MAX_SHIFT = 1.4, 3.0

Hashes = NDArray[np.uint64]


def row_hashes(rows: pd.DataFrame) -> Hashes:
    """A hash of each conformed row, (rows,), which does not depend on the order of the columns."""
    hashed = pd.util.hash_pandas_object(rows[sorted(rows.columns)], index=False)
    return np.asarray(hashed, np.uint64)


def trained_on(test: Hashes, seen: Hashes, train: Hashes) -> int:
    """The number of test rows that a model has seen in its training. Rows that the training part
    beside this test part has as well are duplicates, and do not count."""
    return int((np.isin(test, seen) & ~np.isin(test, train)).sum())


def other_units(true: Vector, predicted: Vector) -> str | None:
    """How a target seems to differ in its units from what a model predicts, in words, or None.

    Predictions that explain the target by a line through them, but on another scale, are of other
    units; so are those that miss it by several times its spread.
    """
    shift = float(true.mean() - predicted.mean())
    slope, r2 = 1.0, 0.0
    if np.ptp(predicted) > 0 and np.ptp(true) > 0:
        covariance = np.cov(predicted, true)
        slope = float(covariance[0, 1] / covariance[0, 0])
        r2 = float(slope * covariance[0, 1] / covariance[1, 1])
    # Errors of the predictions lower the slope: the scale is between it and slope / r2, which is
    # that of a regression of the predictions on the target.
    if r2 > MIN_R2 and (slope > MAX_SCALE or slope / r2 < 1 / MAX_SCALE):
        return f"they vary {slope:.3g} times as much as its predictions"
    if abs(shift) > MAX_SHIFT * float(true.std()):
        return (
            f"their mean is {true.mean():.4g}, and that of its predictions {predicted.mean():.4g}"
        )
    return None
