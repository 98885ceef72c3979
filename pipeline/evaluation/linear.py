"""The coefficients of a linear neuron, and the least squares that are its optimum."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.dataset.encoding import Encoding, Values
from pipeline.evaluation.metrics import Vector


def of_columns(kernel: Values, bias: float, encoding: Encoding) -> tuple[Values, float]:
    """From kernel (inputs,) and bias for encoded rows to those for the columns themselves, for
    all inputs that are a linear function of their column."""
    scale, shift = np.ones(len(kernel)), np.zeros(len(kernel))
    for index, number in enumerate(encoding.numbers.values()):
        if not number.quantiles and not number.smooth_clip:
            scale[index], shift[index] = 1 / number.std, -number.mean / number.std
    return kernel * scale, bias + float(kernel @ shift)


@dataclass(frozen=True)
class Line:
    """y = x @ kernel + bias, with kernel of shape (features,)."""

    kernel: Vector
    bias: float

    def predict(self, x: NDArray[np.floating]) -> Vector:
        """Predictions (rows,) for x of shape (rows, features)."""
        return np.asarray(x @ self.kernel + self.bias, dtype=np.float64)


class LeastSquares:
    """Ordinary least squares over blocks of rows: the optimum of a single linear neuron.

    If several lines have the minimal error, the solution is the one with the shortest kernel,
    as that of numpy.linalg.lstsq. Only the triangular factor of the QR decomposition of the
    rows is kept, which each block updates.

    References
    ----------
    Demmel et al. (2012), "Communication-optimal parallel and sequential QR and LU
    factorizations", section 3.
    """

    def __init__(self) -> None:
        self._triangle, self._origin, self._rows = np.empty((0, 0)), np.empty(0), 0

    def add(self, x: NDArray[np.floating], y: Vector) -> None:
        """Adds a block of rows: x of shape (rows, features) and y of shape (rows,)."""
        block = np.column_stack([x.astype(np.float64), y])
        if not self._rows:
            self._origin = block.mean(axis=0)  # centred values keep more digits
            self._triangle = np.empty((0, 1 + len(self._origin)))
        self._rows += len(y)
        added = np.hstack([np.ones((len(y), 1)), block - self._origin])
        # It is an array, but NumPy's type hints ignore the mode.
        self._triangle = np.asarray(np.linalg.qr(np.vstack([self._triangle, added]), mode="r"))

    def solve(self) -> tuple[Line, float]:
        """The line, and its root mean squared error over all rows."""
        # The first column is constant: its row of the triangle has the means, and the other rows
        # are the triangle of the columns minus their means.
        centre = self._origin + self._triangle[0, 1:] / self._triangle[0, 0]
        x, y = self._triangle[1:, 1:-1], self._triangle[1:, -1]
        cutoff = np.finfo(np.float64).eps * max(self._rows, len(self._origin) - 1)
        kernel = np.linalg.lstsq(x, y, rcond=cutoff)[0].astype(np.float64)
        bias = float(centre[-1] - centre[:-1] @ kernel)
        rmse = float(np.linalg.norm(y - x @ kernel) / np.sqrt(self._rows))
        return Line(kernel, bias), rmse


def coefficient_table(features: list[str], network: Line, optimum: Line) -> pd.DataFrame:
    """Kernel and bias of a linear neuron beside those of least squares; a row for each."""
    trained = [*network.kernel, network.bias]
    optimal = [*optimum.kernel, optimum.bias]
    return pd.DataFrame(
        {
            "weight": [f"kernel of {name}" for name in features] + ["bias"],
            "network": trained,
            "least_squares": optimal,
            "difference": np.subtract(trained, optimal),
        }
    )
