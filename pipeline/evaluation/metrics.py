"""Errors of predictions, in the target's units."""

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
# Smaller errors, as a fraction of the target's standard deviation, are rounding errors.
ROUNDING = 1e-9


def metrics(true: Vector, predicted: Vector) -> dict[str, float]:
    """Mean squared error, its root, mean absolute error and the coefficient of determination.

    Parameters
    ----------
    true, predicted
        Of shape (rows,), in the target's units.

    Returns
    -------
    dict of str to float
        mse, rmse, mae and, unless all true values are equal, r2. As in sklearn.metrics, which
        takes three seconds to import; but a rounding error counts as 0.

    Raises
    ------
    ValueError
        For other shapes, because (rows, 1) would broadcast to (rows, rows).
    """
    if true.ndim != 1 or true.shape != predicted.shape:
        raise ValueError(f"shapes {true.shape} and {predicted.shape} are not both (rows,)")
    residual = true - predicted
    rmse = zero_if_rounding(float(np.sqrt(np.mean(residual**2))), true)
    mae = zero_if_rounding(float(np.mean(np.abs(residual))), true)
    values = {"mse": rmse**2, "rmse": rmse, "mae": mae}
    around = true - true.mean()
    if np.ptp(true) > 0 and around @ around > 0:  # squares of tiny numbers underflow to 0
        values["r2"] = 1 - float(residual @ residual) / float(around @ around)
    return values


def rmse_standard_error(true: Vector, predicted: Vector) -> float:
    """The standard error of the root mean squared error over rows, which are taken as independent
    of each other: that of the mean squared error by the delta method."""
    squares = (true - predicted) ** 2
    rmse = float(np.sqrt(squares.mean()))
    return float(squares.std(ddof=1) / np.sqrt(len(squares)) / (2 * rmse)) if rmse > 0 else 0.0


def zero_if_rounding(error: float, true: Vector) -> float:
    """error, or 0 if it is a rounding error relative to the spread of the true values."""
    return 0.0 if error < ROUNDING * float(true.std()) else error
