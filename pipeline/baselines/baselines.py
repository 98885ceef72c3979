"""What a network is compared with: the mean, a straight line, ridge regression and gradient
boosting, fitted to the same rows."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from pipeline.dataset.encoding import Encoding
from pipeline.dataset.folds import Folds

DAY = np.timedelta64(1, "D")
# Of more cells, encoded for a line, a model is fitted to a random sample of the rows: 1 GB.
MAX_CELLS = 2**27
BLOCK_ROWS = 65_536
MAX_LOG = 350.0  # float64 has the square of its exponential
MAX_CATEGORIES = 250  # HistGradientBoostingRegressor refuses more than 255


def predict(
    parts: Mapping[str, pd.DataFrame], folds: Folds, encoding: Encoding
) -> dict[str, pd.DataFrame]:
    """The predictions of each baseline for each part that has rows.

    Parameters
    ----------
    parts
        By name, train first: the conformed rows of each part with their target.
    folds
        Those of the training part.
    encoding
        That of the whole training part, which says what each column is.

    Returns
    -------
    dict of str to pandas.DataFrame
        A column of predictions in the target's units for each baseline, with the index of the
        part. All are fitted to the training part. With folds there is a part cv after it: the rows
        that folds hold out, each predicted by the models that are fitted to the training rows of
        its folds, in the mean over the repeats.
    """
    # Two threads were slower for up to 20,000 rows on an idle machine, and ten times as slow on a
    # busy one.
    with threadpool_limits(limits=1):
        tables = {part: table for part, table in parts.items() if len(table)}
        train = tables["train"]
        fitted = _fitted(train, encoding)
        predicted = {part: _answers(fitted, table, encoding) for part, table in tables.items()}
        if not folds.count:
            return predicted
        total = 0 * predicted["train"]
        for fold, own in zip(folds, folds.encodings, strict=True):
            answers = _answers(
                _fitted(train.iloc[fold.train], own), train.iloc[fold.validation], own
            )
            total.iloc[fold.validation] += answers
        counts = (folds.held_out > 0).sum(axis=1)
        cv = total[counts > 0].div(counts[counts > 0], axis=0)
        return {"train": predicted.pop("train"), "cv": cv, **predicted}


def models(encoding: Encoding) -> dict[str, Any]:
    """The baselines as scikit-learn's regressors, from what `features` returns, the simplest
    first. The line is one in the target's units; ridge regression and gradient boosting learn the
    target's logarithm where the network does."""
    categories = list(encoding.categories)
    scaled = make_column_transformer(
        (
            # The categories that the network has inputs for; all others are 0 in each of them.
            OneHotEncoder(
                categories=[one.categories or [""] for one in encoding.categories.values()],
                handle_unknown="ignore",
                sparse_output=False,
            ),
            categories,
        ),
        remainder=make_pipeline(
            SimpleImputer(strategy="median", add_indicator=True),
            StandardScaler(),
        ),
    )
    codes = make_column_transformer(
        (
            OrdinalEncoder(
                handle_unknown="use_encoded_value",
                unknown_value=np.nan,
                max_categories=MAX_CATEGORIES,
            ),
            categories,
        ),
        remainder="passthrough",
    )
    # It holds out random rows to stop early on tables of more than 10,000.
    trees = HistGradientBoostingRegressor(
        categorical_features=range(len(categories)), random_state=0
    )

    def of_target(model: Any) -> Any:
        if not encoding.target.log:
            return model
        return TransformedTargetRegressor(model, func=np.log, inverse_func=_exp)

    return {
        "mean": DummyRegressor(),
        "least_squares": make_pipeline(scaled, LinearRegression()),
        "ridge": of_target(make_pipeline(scaled, RidgeCV(np.logspace(-2, 4, 13)))),
        "gradient_boosting": of_target(make_pipeline(codes, trees)),
    }


def features(table: pd.DataFrame, encoding: Encoding) -> pd.DataFrame:
    """The columns that the network reads: categories as text, "" where there is none, and numbers.
    A date is its days since 1970, and the day of year and of week and the time of day, where the
    network has inputs of them."""
    columns: dict[str, Any] = {
        name: table[name].fillna("").to_numpy(object) for name in encoding.categories
    }
    for name in encoding.numbers:
        columns[name] = table[name].to_numpy(np.float64)
    for name, date in encoding.dates.items():
        times = table[name]
        days = (times.to_numpy("datetime64[s]") - np.datetime64(0, "s")) / DAY
        columns[name] = days
        if date.calendar:
            columns[f"{name} day of year"] = times.dt.day_of_year.to_numpy(np.float64)
            columns[f"{name} day of week"] = times.dt.day_of_week.to_numpy(np.float64)
        if date.clock:
            columns[f"{name} time of day"] = days % 1
    return pd.DataFrame(columns, index=table.index)


def _exp(values: NDArray[np.float64]) -> NDArray[np.float64]:
    # A line may leave the range of the target so far that float64 does not have its exponential.
    return np.asarray(np.exp(values.clip(max=MAX_LOG)))


def _fitted(table: pd.DataFrame, encoding: Encoding) -> dict[str, Any]:
    count = MAX_CELLS // (len(encoding.names) - len(encoding.bins))
    if len(table) > count:
        table = table.sample(count, random_state=0)
    x, y = features(table, encoding), table[encoding.target.name].to_numpy(np.float64)
    # A column may have values only in rows that a fold holds out, and says nothing then.
    x.loc[:, x.isna().all()] = 0.0
    return {name: model.fit(x, y) for name, model in models(encoding).items()}


def _answers(fitted: Mapping[str, Any], table: pd.DataFrame, encoding: Encoding) -> pd.DataFrame:
    blocks = []
    for start in range(0, len(table), BLOCK_ROWS):
        x = features(table.iloc[start : start + BLOCK_ROWS], encoding)
        answers = {name: model.predict(x) for name, model in fitted.items()}
        blocks.append(pd.DataFrame(answers, index=x.index))
    return pd.concat(blocks)
