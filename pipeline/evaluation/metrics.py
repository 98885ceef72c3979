"""Errors of predictions, in the target's units."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.evaluation.resampling import drawn_means, student_t

Vector = NDArray[np.float64]
# Smaller errors, as a fraction of the target's standard deviation, are rounding errors.
ROUNDING = 1e-9
# Of fewer rows or groups there is no interval: it would say less than it promises.
MIN_UNITS = 10


def metrics(true: Vector, predicted: Vector) -> dict[str, float]:
    """Errors of predictions.

    Parameters
    ----------
    true, predicted
        Of shape (rows,), in the target's units.

    Returns
    -------
    dict of str to float
        mse, rmse, mae and, unless all true values are equal, r2; median_absolute_error,
        max_error, and bias, the mean of predicted - true. As in sklearn.metrics, which takes
        seconds to import; but a rounding error counts as 0.

    Raises
    ------
    ValueError
        For other shapes, because (rows, 1) would broadcast to (rows, rows).
    """
    if true.ndim != 1 or true.shape != predicted.shape:
        raise ValueError(f"shapes {true.shape} and {predicted.shape} are not both (rows,)")
    residual = true - predicted
    absolute = np.abs(residual)
    rmse = zero_if_rounding(float(np.sqrt(np.mean(residual**2))), true)
    mae = zero_if_rounding(float(np.mean(absolute)), true)
    values = {"mse": rmse**2, "rmse": rmse, "mae": mae}
    around = true - true.mean()
    if np.ptp(true) > 0 and around @ around > 0:  # squares of tiny numbers underflow to 0
        values["r2"] = 1 - float(residual @ residual) / float(around @ around)
    values["median_absolute_error"] = zero_if_rounding(float(np.median(absolute)), true)
    values["max_error"] = zero_if_rounding(float(absolute.max()), true)
    values["bias"] = zero_if_rounding(float(-residual.mean()), true)
    return values


def error_intervals(
    true: Vector, predicted: Vector, groups: NDArray[Any] | None = None
) -> dict[str, float]:
    """The standard error of rmse, and the ends of 95 % intervals of rmse and mae, by a bootstrap.

    An interval is that of a normal logarithm of the error with the standard deviation over the
    draws, as in paired.improvement. In simulations it covered the error at least as often as
    scipy.stats.bootstrap's BCa did, and of 10 rows in 92 instead of 86 of 100 cases. It covers
    another sample of rows, but not another training.

    Parameters
    ----------
    true, predicted
        Of shape (rows,), in the target's units.
    groups
        The group of each row, as `resampling.drawn_means` takes it.

    Returns
    -------
    dict of str to float
        rmse_standard_error, and rmse_low, rmse_high, mae_low and mae_high;
        empty for fewer rows or groups than MIN_UNITS, and where an error is 0 or not finite.
    """
    values = metrics(true, predicted)
    if not (values["rmse"] > 0 and np.isfinite(values["mse"])):
        return {}
    absolute = np.abs(true - predicted)
    drawn, units = drawn_means(np.stack([absolute**2, absolute], axis=1), groups)
    if units < MIN_UNITS:
        return {}
    relative = np.log(drawn).std(axis=0, ddof=1) * [0.5, 1]
    spreads = np.exp(relative * student_t(units - 1))
    ends = {
        f"{name}_{end}": values[name] * float(factor)
        for name, spread in zip(("rmse", "mae"), spreads, strict=True)
        for end, factor in (("low", 1 / spread), ("high", spread))
    }
    return {"rmse_standard_error": values["rmse"] * float(relative[0]), **ends}


def zero_if_rounding(error: float, true: Vector) -> float:
    """error, or 0 if it is a rounding error relative to the spread of the true values."""
    return 0.0 if abs(error) < ROUNDING * float(true.std()) else error
