"""The straight line that a network is compared with, and a linear neuron's own."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.dataset.encoding import Encoding, Values
from pipeline.evaluation.metrics import Vector


def of_columns(kernel: Values, bias: float, encoding: Encoding) -> tuple[Values, float]:
    """Kernel, (inputs,), and bias of a line of the network's inputs, as those of a line of
    the columns themselves, wherever an input is a straight line of its column."""
    scale, shift = np.ones(len(kernel)), np.zeros(len(kernel))
    for place, number in enumerate(encoding.numbers.values()):
        if not number.quantiles:
            scale[place], shift[place] = 1 / number.std, -number.mean / number.std
    return kernel * scale, bias + float(kernel @ shift)


@dataclass(frozen=True)
class Line:
    """target = features @ kernel + bias; kernel has shape (features,)."""

    kernel: Vector
    bias: float

    def predict(self, x: NDArray[np.floating]) -> Vector:
        """x of shape (rows, features) to shape (rows,)."""
        return np.asarray(x @ self.kernel + self.bias, dtype=np.float64)


class LeastSquares:
    """The line with the least mean squared error over blocks of rows: the optimum of a
    single linear neuron. Where several lines share it, the one with the shortest kernel
    (numpy.linalg.lstsq).

    The rows so far are kept as the triangle of their QR decomposition, to which each block
    is added: Demmel et al. (2012), "Communication-optimal parallel and sequential QR and LU
    factorizations", section 3.
    """

    def __init__(self) -> None:
        self._triangle, self._origin, self._rows = np.empty((0, 0)), np.empty(0), 0

    def add(self, x: NDArray[np.floating], y: Vector) -> None:
        """A block of x, shape (rows, features), and y, shape (rows,)."""
        block = np.column_stack([x.astype(np.float64), y])
        if not self._rows:
            self._origin = block.mean(axis=0)  # near 0, no digits are lost
            self._triangle = np.empty((0, 1 + len(self._origin)))
        self._rows += len(y)
        added = np.hstack([np.ones((len(y), 1)), block - self._origin])
        # An array already, but NumPy's types know of no mode.
        self._triangle = np.asarray(np.linalg.qr(np.vstack([self._triangle, added]), mode="r"))

    def solve(self) -> tuple[Line, float]:
        """The line, and its root mean squared error over all rows that were added."""
        # The ones come first: their row has the means, and what is below is the triangle of
        # the columns less those.
        centre = self._origin + self._triangle[0, 1:] / self._triangle[0, 0]
        x, y = self._triangle[1:, 1:-1], self._triangle[1:, -1]
        cutoff = np.finfo(np.float64).eps * max(self._rows, len(self._origin) - 1)
        kernel = np.linalg.lstsq(x, y, rcond=cutoff)[0].astype(np.float64)
        line = Line(kernel, float(centre[-1] - centre[:-1] @ kernel))
        return line, float(np.linalg.norm(y - x @ kernel) / np.sqrt(self._rows))


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
