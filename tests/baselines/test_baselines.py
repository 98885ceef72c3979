"""Baselines are scikit-learn's models, fitted to the rows that the network is trained on."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression, RidgeCV
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from pipeline.baselines import baselines
from pipeline.baselines.baselines import features, predict
from pipeline.dataset.encoding import Category, Date, Encoding, Number, Target
from pipeline.dataset.folds import NO_FOLDS, Folds
from tests import folds as made

RANDOM = np.random.default_rng(7)
NUMBERS = {name: Number(0.0, missing_indicator=False) for name in ("a", "b")}
PLAIN = Encoding(NUMBERS, {}, {}, Target("y"))
LOG = replace(PLAIN, target=Target("y", log=True))


def table(rows: int) -> pd.DataFrame:
    a, b = RANDOM.normal(50, 10, rows), RANDOM.normal(0.2, 0.1, rows)
    y = np.exp(1 + a / 50 + 3 * (b - 0.2) ** 2 + RANDOM.normal(0, 0.1, rows))
    return pd.DataFrame({"a": a, "b": b, "y": y}, index=RANDOM.permutation(rows))


PARTS = {"train": table(200), "validation": table(0), "test": table(50)}


@pytest.mark.parametrize("log", [False, True], ids=["target", "logarithm"])
def test_the_baselines_are_scikit_learn_s(monkeypatch: pytest.MonkeyPatch, *, log: bool) -> None:
    monkeypatch.setattr(baselines, "BLOCK_ROWS", 30)
    predicted = predict(PARTS, NO_FOLDS, LOG if log else PLAIN)
    assert list(predicted) == ["train", "test"]
    train, x = (PARTS[part][["a", "b"]].to_numpy() for part in ("train", "test"))
    scaler = StandardScaler().fit(train)
    scaled, y = scaler.transform(train), PARTS["train"]["y"].to_numpy()
    line = LinearRegression().fit(scaled, y)
    learned = np.log(y) if log else y
    ridge = RidgeCV(np.logspace(-2, 4, 13)).fit(scaled, learned)
    with threadpool_limits(1):
        trees = HistGradientBoostingRegressor().fit(train, learned)
    back = np.exp if log else np.asarray
    expected = {
        "mean": np.full(50, y.mean()),
        "least_squares": line.predict(scaler.transform(x)),
        "ridge": back(ridge.predict(scaler.transform(x))),
        "gradient_boosting": back(trees.predict(x)),
    }
    assert list(predicted["test"]) == list(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(predicted["test"][name], values, rtol=1e-9)
    for part, rows in predicted.items():
        assert rows.index.equals(PARTS[part].index)


def test_a_logarithm_far_beyond_the_table_stays_finite() -> None:
    far = PARTS["test"].assign(a=1e9)
    predicted = predict(PARTS | {"test": far}, NO_FOLDS, LOG)["test"]
    assert np.isfinite(predicted).all(axis=None)


@pytest.mark.parametrize(
    "folds", [made.THREE, made.REPEATED, made.EXPANDING], ids=["3", "2 x 2", "expanding"]
)
def test_a_row_is_predicted_by_models_that_are_not_fitted_to_it(folds: Folds) -> None:
    parts = {"train": made.TABLE, "test": made.TABLE.head(0)}
    predicted = predict(parts, folds, made.encoding())
    assert list(predicted) == ["train", "cv"]
    expected = np.zeros((len(made.TABLE), 4))
    for fold, encoding in zip(folds, folds.encodings, strict=True):
        alone = {
            "train": made.TABLE.iloc[fold.train],
            "test": made.TABLE.iloc[fold.validation],
        }
        expected[fold.validation] += predict(alone, NO_FOLDS, encoding)["test"].to_numpy()
    counts = (folds.held_out > 0).sum(axis=1)
    held_out = counts > 0
    assert predicted["cv"].index.equals(made.TABLE.index[held_out])
    np.testing.assert_allclose(
        predicted["cv"], expected[held_out] / counts[held_out, np.newaxis], rtol=1e-9
    )
    # The target of a row has no part in its own prediction.
    changed = made.TABLE.copy()
    changed.loc[changed.index[-1], "y"] += 1000
    again = predict(parts | {"train": changed}, folds, made.encoding())
    pd.testing.assert_series_equal(again["cv"].iloc[-1], predicted["cv"].iloc[-1])


def test_categories_missing_values_and_dates_are_columns_of_all_baselines() -> None:
    rows = 600
    day = pd.Timestamp("2020-01-01") + pd.to_timedelta(RANDOM.integers(0, 1000, rows), "D")
    city = RANDOM.choice(["A", "B", "C"], rows).astype(object)
    number = RANDOM.normal(size=rows)
    y = (
        5.0 * (city == "B")
        + (pd.Series(day).dt.day_of_week == 2)
        + 3 * number
        + RANDOM.normal(0, 0.1, rows)
    )
    number[::5], city[::7] = np.nan, None
    whole = pd.DataFrame({"n": number, "city": pd.array(city, "str"), "day": day, "y": y})
    whole.loc[::11, "day"] = pd.NaT
    encoding = Encoding(
        {"n": Number(0.0, missing_indicator=True)},
        {"city": Category(["A", "B", ""], other=True)},
        {"day": Date(0.0, missing_indicator=True, mean=0.0, std=1.0, clock=False)},
        Target("y"),
    )
    test = whole.iloc[400:].assign(city=whole["city"].iloc[400:].replace("C", "unseen"))
    predicted = predict({"train": whole.iloc[:400], "test": test}, NO_FOLDS, encoding)["test"]
    rmse = np.sqrt(np.square(predicted.sub(test["y"], axis=0)).mean())
    # The missing numbers have a standard deviation of 3, and are a fifth.
    assert rmse["least_squares"] < 0.6 * rmse["mean"]
    assert rmse["gradient_boosting"] < 0.6 * rmse["mean"]


def test_features_are_the_columns_that_the_network_reads() -> None:
    days = np.array(["1970-01-02", "NaT", "1970-01-03T12"], "datetime64[s]")
    rows = pd.DataFrame({"a": [1.5, np.nan, 2.0], "city": ["B", "A", None], "day": days, "y": 0})
    date = Date(0.0, missing_indicator=True, mean=0.0, std=1.0, clock=True)
    encoding = Encoding(
        {"a": NUMBERS["a"]}, {"city": Category(["B"], other=True)}, {"day": date}, PLAIN.target
    )
    expected = pd.DataFrame(
        {
            "city": np.array(["B", "A", ""], object), "a": rows["a"], "day": [1.0, np.nan, 2.5],
            "day day of year": [2.0, np.nan, 3.0], "day day of week": [4.0, np.nan, 5.0],
            "day time of day": [0.0, np.nan, 0.5],
        }
    )  # fmt: skip
    pd.testing.assert_frame_equal(features(rows, encoding), expected, check_dtype=False)
    clock = replace(encoding, dates={"day": replace(date, calendar=False)})
    assert list(features(rows, clock)) == ["city", "a", "day", "day time of day"]


@pytest.mark.parametrize("categories", [["A"], [""], []])
def test_columns_without_a_value_in_the_training_rows_say_nothing(categories: list[str]) -> None:
    encoding = replace(
        PLAIN,
        numbers=NUMBERS | {"empty": Number(0.0, missing_indicator=True)},
        categories={"city": Category(categories, other=True)},
        dates={"day": Date(0.0, missing_indicator=True, mean=0.0, std=1.0, clock=True)},
    )
    train = PARTS["train"].assign(
        empty=np.nan, city=pd.Series(dtype="str"), day=np.datetime64("NaT")
    )
    train = train.astype({"day": "datetime64[s]"})
    test = PARTS["test"].assign(empty=7.0, city="A", day=pd.Timestamp("2024-01-01"))
    predicted = predict({"train": train, "test": test}, NO_FOLDS, encoding)["test"]
    expected = predict(PARTS, NO_FOLDS, PLAIN)["test"]
    np.testing.assert_allclose(predicted, expected, rtol=1e-6)


def test_a_large_table_is_fitted_by_a_sample_of_its_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baselines, "MAX_CELLS", 100)
    predicted = predict(PARTS, NO_FOLDS, PLAIN)
    sample = PARTS["train"].sample(50, random_state=0)["y"]
    assert predicted["test"]["mean"].iloc[0] == pytest.approx(sample.mean())
    assert len(predicted["train"]) == 200
