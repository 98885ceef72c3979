"""Whether one model is better than another on the same rows, beyond chance."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.evaluation.metrics import ROUNDING, Vector
from pipeline.evaluation.resampling import drawn_means, student_t

# From here on, how much higher an error is is no longer said in percent.
MANY_TIMES = 10


@dataclass(frozen=True)
class Improvement:
    """The fraction by which the error of a model is lower than that of another, and the ends of
    its 95 % interval; negative if it is higher."""

    estimate: float
    low: float
    high: float

    def in_words(self, other: str = "") -> str:
        """What the model is, compared with the other one if that is named."""
        than = f" than {other}" if other else ""
        if self.low > 0:
            return f"better{than} by {_percent(self.estimate, self.low, self.high)}"
        if self.estimate == -math.inf:
            return f"much worse{than}"
        if self.high < 1 - MANY_TIMES:
            ratio, low, high = (f"{1 - one:.3g}" for one in (self.estimate, self.high, self.low))
            return f"worse{than}: its error is {ratio} times as high ({low} to {high})"
        if self.high < 0:
            return f"worse{than} by {_percent(-self.estimate, -self.high, -self.low)}"
        return f"no better{than} ({_range(self.low, self.high)})"


def improvement(
    residuals: Vector,
    other: Vector,
    true: Vector,
    *,
    squared: bool = True,
    selected_from: Sequence[Vector] = (),
    groups: NDArray[Any] | None = None,
) -> Improvement:
    """How much lower the error of a model is than that of another, by a paired bootstrap.

    Rows are drawn with replacement, the same for both models, and the interval is that of a
    normal logarithm of the ratio of the errors with the standard deviation over the draws. It
    covers another sample of rows, but not another training: other seeds, or networks that are
    trained on other rows.

    Parameters
    ----------
    residuals, other
        Those of the model and of the other one, of shape (rows,).
    true
        The target, of shape (rows,): what is a rounding error beside it counts as 0.
    squared
        Whether the error is the RMSE or the MAE.
    selected_from
        The residuals of the models of which this one has the lowest error on these rows, itself
        among them. The lowest error is too low by chance; by how much is estimated by selecting
        in each draw anew, and the lower end of the interval is lowered by it.
    groups
        The group of each row, (rows,), if there are any: groups are drawn instead of rows.

    References
    ----------
    Efron (1983), "Estimating the error rate of a prediction rule: improvement on
    cross-validation", for the correction.
    """
    power = 2 if squared else 1
    errors = np.abs(np.stack([residuals, other, *selected_from], axis=1)) ** power
    whole = errors.mean(axis=0)
    zero = whole <= (ROUNDING * true.std()) ** power
    if not np.isfinite(whole[:2]).all():  # a learned logarithm may be too large to be undone
        exact = 1.0 if np.isfinite(whole[0]) else -np.inf
        return Improvement(exact, exact, exact)
    if zero[:2].any():
        exact = (0.0 if zero[0] else -np.inf) if zero[1] else 1.0
        return Improvement(exact, exact, exact)
    drawn, units = drawn_means(errors, groups)
    with np.errstate(divide="ignore", over="ignore"):
        ratios = np.log(drawn[:, 0] / drawn[:, 1]) / power
        reached = np.log(whole[0] / whole[1]) / power
        spread = ratios.std(ddof=1) * student_t(units - 1) if units > 1 else np.inf
        optimism = 0.0
        if selected_from:
            best = 2 + drawn[:, 2:].argmin(axis=1)
            promised = drawn[np.arange(len(drawn)), best] / drawn[:, 1]
            optimism = np.log(whole[best] / whole[1] / promised).mean() / power
        ends = 1 - np.exp([reached, reached + spread + max(0.0, optimism), reached - spread])
    return Improvement(*map(float, ends))


def _percent(estimate: float, low: float, high: float) -> str:
    return f"{100 * estimate:.1f} % ({_range(low, high)})"


def _range(low: float, high: float) -> str:
    return f"{100 * low:.1f} to {100 * high:.1f} %"
