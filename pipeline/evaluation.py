"""How good the predictions are, in the target's units, and against a line."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Vector = NDArray[np.float64]

# Of the target's standard deviation: below this, an error is rounding noise.
ROUNDING = 1e-9


@dataclass(frozen=True)
class Line:
    """target = features @ kernel + bias; kernel has shape (features,)."""

    kernel: Vector
    bias: float

    def predict(self, x: NDArray[np.floating]) -> Vector:
        """x of shape (rows, features) to shape (rows,)."""
        return np.asarray(x @ self.kernel + self.bias, dtype=np.float64)


def least_squares(x: Vector, y: Vector) -> Line:
    """The line with the least mean squared error on x, shape (rows, features),
    and y, shape (rows,): the optimum of a single linear neuron. Where several
    lines share it, the one with the shortest kernel (numpy.linalg.lstsq)."""
    centre_x, centre_y = x.mean(axis=0), y.mean()
    kernel = np.linalg.lstsq(x - centre_x, y - centre_y, rcond=None)[0]
    return Line(kernel, float(centre_y - centre_x @ kernel))


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
    rmse = _unless_rounding(float(np.sqrt(np.mean(residual**2))), true)
    mae = _unless_rounding(float(np.mean(np.abs(residual))), true)
    values = {"mse": rmse**2, "rmse": rmse, "mae": mae}
    around = true - true.mean()
    if np.ptp(true) > 0 and around @ around > 0:  # the squares of tiny numbers are 0
        values["r2"] = 1 - float(residual @ residual) / float(around @ around)
    return values


def _unless_rounding(error: float, true: Vector) -> float:
    return 0.0 if error < ROUNDING * float(true.std()) else error


def evaluate(
    parts: dict[str, tuple[Vector, Vector, Vector]], line: Line
) -> dict[str, dict[str, float]]:
    """The metrics of each part that has rows, beside the RMSE of line on it.

    parts maps a part's name to its x (rows, features), true and predicted (rows,).
    Without any part set aside, the training part is all there is, and is called
    in_sample: it says how well the rows were learned, not how well others will be
    predicted.
    """
    filled = {name: part for name, part in parts.items() if len(part[1])}
    names = {"train": "in_sample"} if list(filled) == ["train"] else {}
    return {
        names.get(name, name): {
            **metrics(true, predicted),
            "least_squares_rmse": metrics(true, line.predict(x))["rmse"],
        }
        for name, (x, true, predicted) in filled.items()
    }


def prediction_table(part: str, index: pd.Index, true: Vector, predicted: Vector) -> pd.DataFrame:
    """True and predicted value of each row; row counts from 1 in the raw table."""
    return pd.DataFrame(
        {
            "part": part,
            "row": index + 1,
            "true": true,
            "predicted": predicted,
            "residual": true - predicted,
        }
    )


def coefficient_table(features: list[str], network: Line, optimum: Line) -> pd.DataFrame:
    """Kernel and bias that the network reached, beside the least-squares ones."""
    reached = [*network.kernel, network.bias]
    best = [*optimum.kernel, optimum.bias]
    return pd.DataFrame(
        {
            "weight": [f"kernel of {name}" for name in features] + ["bias"],
            "network": reached,
            "least_squares": best,
            "difference": np.subtract(reached, best),
        }
    )
