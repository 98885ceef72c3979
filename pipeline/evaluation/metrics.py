"""How good predictions are, in the target's units."""

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
# Of the target's standard deviation: below this, an error is rounding noise.
ROUNDING = 1e-9


def metrics(true: Vector, predicted: Vector) -> dict[str, float]:
    """Mean squared error, its root, mean absolute error and the coefficient of
    determination, which needs rows that differ and is left out without.

    Both of shape (rows,); raises ValueError for anything else, because (rows, 1)
    would broadcast to (rows, rows). By hand, because scikit-learn, which has them too
    and which a test compares them with, takes three seconds to import.
    """
    if true.ndim != 1 or true.shape != predicted.shape:
        raise ValueError(f"shapes {true.shape} and {predicted.shape} are not both (rows,)")
    residual = true - predicted
    rmse = unless_rounding(float(np.sqrt(np.mean(residual**2))), true)
    mae = unless_rounding(float(np.mean(np.abs(residual))), true)
    values = {"mse": rmse**2, "rmse": rmse, "mae": mae}
    around = true - true.mean()
    if np.ptp(true) > 0 and around @ around > 0:  # the squares of tiny numbers are 0
        values["r2"] = 1 - float(residual @ residual) / float(around @ around)
    return values


def unless_rounding(error: float, true: Vector) -> float:
    """error, or 0 where it is rounding noise beside the spread of the true values."""
    return 0.0 if error < ROUNDING * float(true.std()) else error
