"""The bootstrap: what mean errors would be of other rows."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
# More rows or groups are joined at random to so many units first, which are then drawn.
MAX_UNITS = 2000


def drawn_means(
    errors: NDArray[np.float64], groups: NDArray[Any] | None = None
) -> tuple[NDArray[np.float64], int]:
    """The mean errors of rows that are drawn with replacement, always the same.

    Parameters
    ----------
    errors
        Shape (rows, columns); a draw has the same rows of all columns.
    groups
        The group of each row, (rows,), if there are any: rows of one group are not independent of
        each other, so that groups are drawn instead of rows.

    Returns
    -------
    means
        Shape (RESAMPLES, columns).
    units
        How many rows or groups are drawn, at most MAX_UNITS.
    """
    unit = np.arange(len(errors)) if groups is None else np.unique(groups, return_inverse=True)[1]
    units, random = int(unit.max()) + 1, np.random.default_rng(0)
    if units > MAX_UNITS:
        unit = (random.permutation(units) % MAX_UNITS)[unit]
        units = MAX_UNITS
    sums = np.stack([np.bincount(unit, column) for column in errors.T], axis=1)
    draws = random.multinomial(units, np.full(units, 1 / units), size=RESAMPLES)
    means = draws @ sums / (draws @ np.bincount(unit))[:, np.newaxis]
    # A draw may have only rows without an error.
    return means.clip(np.finfo(float).tiny), units


def student_t(freedom: int) -> float:
    """The 97.5 % quantile of Student's t (Abramowitz and Stegun, 26.7.5)."""
    z = 1.959964
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return z + float(sum(term / freedom**power for power, term in enumerate(terms, start=1)))
