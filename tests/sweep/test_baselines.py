"""The winner of a sweep is compared with lines and trees that are fitted to the same rows."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor

from pipeline.config.training import When
from pipeline.dataset.encoding import Category, Date
from pipeline.preparation.preparation import Prepared
from pipeline.sweep import baselines
from pipeline.sweep.tables import table
from tests.small import prepared, with_log_target

PREPARED = prepared(rows=200)
PARTS = ["train", "validation", "test"]


NUMBERS = {
    name: replace(one, edges=[one.mean - one.std, one.mean, one.mean + one.std])
    for name, one in PREPARED.encoding.numbers.items()
}
BINNED = replace(PREPARED, encoding=replace(PREPARED.encoding, numbers=NUMBERS))


@pytest.mark.parametrize(
    "data", [PREPARED, with_log_target(PREPARED), BINNED], ids=["plain", "log", "bins"]
)
def test_least_squares_is_a_line_in_the_units_of_the_target(
    monkeypatch: pytest.MonkeyPatch, data: Prepared
) -> None:
    monkeypatch.setattr("pipeline.dataset.rows.MAX_BLOCK_ROWS", 32)
    columns = {
        name: np.column_stack([part[["a", "b"]], np.ones(len(part))])
        for name, part in data.parts.items()
    }
    line = np.linalg.lstsq(columns["train"], data.parts["train"]["y"].to_numpy())[0]
    for when in (When.never, When.always):
        predicted = baselines.least_squares(table(data, when))
        assert list(predicted) == PARTS
        for part in PARTS:
            np.testing.assert_allclose(predicted[part], columns[part] @ line, rtol=1e-5)


def test_gradient_boosting_is_scikit_learn_s_with_its_defaults(tmp_path: Path) -> None:
    predicted = baselines.gradient_boosting(table(PREPARED), tmp_path / "a", "1")
    x = {name: part[["a", "b"]].to_numpy() for name, part in PREPARED.parts.items()}
    model = HistGradientBoostingRegressor().fit(x["train"], PREPARED.parts["train"]["y"])
    assert list(predicted) == PARTS
    for part in PARTS:
        np.testing.assert_allclose(predicted[part], model.predict(x[part]))


def test_gradient_boosting_is_fitted_once(tmp_path: Path) -> None:
    cache = tmp_path / "sweep" / "boosting.npz"
    first = baselines.gradient_boosting(table(PREPARED), cache, "1")
    changed = table(replace(PREPARED, parts={n: -part for n, part in PREPARED.parts.items()}))
    again = baselines.gradient_boosting(changed, cache, "1")
    other = baselines.gradient_boosting(changed, cache, "2")
    for part in PARTS:
        np.testing.assert_array_equal(again[part], first[part])
    assert not np.array_equal(other["test"], first["test"])


def test_features_are_the_columns_as_numbers() -> None:
    days = np.array(["1970-01-02", "NaT", "1970-01-01T12"], "datetime64[s]")
    table = pd.DataFrame({"a": [1.5, np.nan, 2.0], "city": ["B", "A", None], "day": days})
    encoding = replace(
        PREPARED.encoding,
        numbers={"a": PREPARED.encoding.numbers["a"]},
        categories={"city": Category(["B"], other=True)},
        dates={"day": Date(0.0, missing_indicator=True, mean=0.0, std=1.0, clock=False)},
    )
    data = replace(PREPARED, parts={"train": table}, encoding=encoding)
    expected = [[1.5, 1.0, 1.0], [np.nan, 0.0, np.nan], [2.0, np.nan, 0.5]]
    np.testing.assert_array_equal(baselines.features(table, data), expected)
    unknown = baselines.features(table.assign(city="C"), data)
    assert np.isnan(unknown[:, 1]).all()
