"""How good the predictions are, in the target's units, and against a line."""

from collections.abc import Iterable
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


def least_squares(blocks: Iterable[tuple[Vector, Vector]]) -> Line:
    """The line with the least mean squared error over blocks of x, shape (rows, features),
    and y, shape (rows,): the optimum of a single linear neuron. Where several lines share
    it, the one with the shortest kernel (numpy.linalg.lstsq).

    What the rows so far say is kept as the triangle of their QR decomposition, to which
    each block is added: Demmel et al. (2012), "Communication-optimal parallel and
    sequential QR and LU factorizations", section 3.
    """
    triangle, origin, rows = np.empty((0, 0)), np.empty(0), 0
    for x, y in blocks:
        block = np.column_stack([x, y])
        if not rows:
            origin = block.mean(axis=0)  # near 0, no digits are lost
            triangle = np.empty((0, 1 + len(origin)))
        rows += len(y)
        ones = np.ones((len(y), 1))
        added = np.hstack([ones, block - origin])
        # An array already, but NumPy's types know of no mode.
        triangle = np.asarray(np.linalg.qr(np.vstack([triangle, added]), mode="r"))
    # The ones come first: their row has the means, and what is below is the triangle of
    # the columns less those.
    centre = origin + triangle[0, 1:] / triangle[0, 0]
    x, y = triangle[1:, 1:-1], triangle[1:, -1]
    least = np.finfo(np.float64).eps * max(rows, len(origin) - 1)
    kernel = np.linalg.lstsq(x, y, rcond=least)[0]
    return Line(kernel.astype(np.float64), float(centre[-1] - centre[:-1] @ kernel))


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


def named(answers: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The parts that have rows. Without any part set aside, the training part is all there
    is, and is called in_sample: it says how well the rows were learned, not how well
    others will be predicted."""
    filled = {part: table for part, table in answers.items() if len(table)}
    return {"in_sample": filled["train"]} if list(filled) == ["train"] else filled


def evaluate(answers: dict[str, pd.DataFrame]) -> dict[str, dict[str, float]]:
    """The metrics of each part, beside the RMSE of the least-squares line on it. A part's
    table has the columns true, predicted and least_squares."""
    return {
        part: {
            **metrics(*(table[name].to_numpy() for name in ("true", "predicted"))),
            "least_squares_rmse": metrics(
                *(table[name].to_numpy() for name in ("true", "least_squares"))
            )["rmse"],
        }
        for part, table in answers.items()
    }


def prediction_table(part: str, answers: pd.DataFrame) -> pd.DataFrame:
    """True and predicted value of each row, of a table as `evaluate` takes it whose index
    counts the rows of the raw table from 0; row counts from 1."""
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
