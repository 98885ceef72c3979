"""What a model's predictions depend on: permutation importance and partial dependence."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.evaluation.bins import Bins
from pipeline.evaluation.metrics import MIN_UNITS, ROUNDING, Vector
from pipeline.evaluation.resampling import drawn_means, student_t

# From conformed rows to predictions, (rows,).
Predict = Callable[[pd.DataFrame], Vector]
REPEATS = 5
IMPORTANCE = ["column", "rmse_increase", "lower", "upper"]
DEPENDENCE = ["column", "value", "predicted", "share"]


def permutation_importance(
    predict: Predict,
    table: pd.DataFrame,
    true: Vector,
    groups: NDArray[Any] | None = None,
) -> pd.DataFrame:
    """By how much the RMSE rises when the values of a column are permuted among the rows.

    Parameters
    ----------
    predict
        The model.
    table
        Conformed rows, with the columns that the model reads alone.
    true
        The target, (rows,), in its units.
    groups
        The group of each row, as `resampling.drawn_means` takes it.

    Returns
    -------
    pandas.DataFrame
        The columns IMPORTANCE, the most important column first: the mean over REPEATS
        permutations, and the ends of its 95 % interval for another sample of rows. No rows if
        there are fewer rows or groups than MIN_UNITS, or if a prediction is not finite.

    References
    ----------
    Breiman (2001), "Random forests"; Fisher, Rudin and Dominici (2019), "All models are wrong, but
    many are useful".
    """
    none = pd.DataFrame(columns=IMPORTANCE)
    random = np.random.default_rng(0)
    squares = [(true - predict(table)) ** 2]
    orders = [random.permutation(len(table)) for _ in range(REPEATS)]
    for name in table.columns:
        values = table[name].to_numpy()
        permuted = pd.concat([table.assign(**{name: values[order]}) for order in orders])
        each = (true - predict(permuted).reshape(REPEATS, -1)) ** 2
        if not (np.isfinite(squares[0]).all() and np.isfinite(each).all()):
            return none
        more = each - squares[0]
        # Another sample would have other rows to predict, and other values to give them.
        given = [one[np.argsort(order)] for one, order in zip(more, orders, strict=True)]
        squares.append(squares[0] + more.mean(axis=0) + np.mean(given, axis=0) - more.mean())
    errors = np.stack(squares, axis=1)
    drawn, units = drawn_means(errors, groups)
    if units < MIN_UNITS:
        return none
    roots, drawn_roots = np.sqrt(errors.mean(axis=0)), np.sqrt(drawn)
    increase = roots[1:] - roots[0]
    half = (drawn_roots[:, 1:] - drawn_roots[:, :1]).std(axis=0, ddof=1) * student_t(units - 1)
    ends = np.stack([increase, increase - half, increase + half], axis=1)
    ends[np.abs(ends) < ROUNDING * true.std()] = 0
    found = pd.DataFrame(ends, columns=IMPORTANCE[1:])
    found.insert(0, IMPORTANCE[0], list(table.columns))
    return found.sort_values("rmse_increase", ascending=False, kind="stable")


def partial_dependence(
    predict: Predict, table: pd.DataFrame, columns: Sequence[Bins]
) -> pd.DataFrame:
    """The mean prediction of all rows, given one value of a column, for a value of each bin.

    Parameters
    ----------
    predict
        The model.
    table
        Conformed rows.
    columns
        The columns to vary, in bins of any rows.

    Returns
    -------
    pandas.DataFrame
        The columns DEPENDENCE; share is that of the rows in the bin.

    References
    ----------
    Friedman (2001), "Greedy function approximation: a gradient boosting machine".
    """
    parts = []
    for one in columns:
        dtype = table[one.column].dtype
        constant = (pd.Series(middle, table.index, dtype) for middle in one.middles)
        tables = pd.concat([table.assign(**{one.column: values}) for values in constant])
        each = predict(tables).reshape(len(one.middles), -1)
        curve = {
            "column": one.column,
            "value": one.names,
            "predicted": each.mean(axis=1),
            "share": np.bincount(one.codes) / len(one.codes),
        }
        parts.append(pd.DataFrame(curve))
    return pd.concat(parts) if parts else pd.DataFrame(columns=DEPENDENCE)
