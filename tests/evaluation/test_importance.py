"""Importance is by how much the error rises; partial dependence is the mean prediction."""

import numpy as np
import pandas as pd
import pytest

from pipeline.config.data import Kind
from pipeline.evaluation.bins import bin_column
from pipeline.evaluation.importance import partial_dependence, permutation_importance
from pipeline.evaluation.metrics import Vector
from pipeline.schema.columns import Column

RANDOM = np.random.default_rng(0)
ROWS = 400
TABLE = pd.DataFrame(
    {
        "a": RANDOM.normal(size=ROWS),
        "b": np.where(RANDOM.random(ROWS) < 0.1, np.nan, RANDOM.integers(0, 3, ROWS)),
        "town": pd.Series(RANDOM.choice(["Bonn", "Ulm"], ROWS, p=[0.8, 0.2]), dtype="str"),
        "sold": pd.Timestamp(2024, 1, 1) + pd.to_timedelta(RANDOM.integers(0, 9, ROWS), "D"),
        "unused": RANDOM.normal(size=ROWS),
    }
).astype({"sold": "datetime64[us]"})
KINDS = [Kind.numeric, Kind.numeric, Kind.category, Kind.date, Kind.numeric]


def predict(rows: pd.DataFrame) -> Vector:
    """3 a + b + 2 in Ulm + days / 2."""
    days = (rows["sold"] - pd.Timestamp(2024, 1, 1)).dt.days
    predicted = 3 * rows["a"] + rows["b"].fillna(5) + days / 2
    answers: Vector = predicted.to_numpy(np.float64) + 2 * (rows["town"] == "Ulm").to_numpy()
    return answers


TRUE = predict(TABLE) + RANDOM.normal(size=ROWS)


def test_columns_are_in_the_order_of_what_the_model_makes_of_them() -> None:
    found = permutation_importance(predict, TABLE, TRUE).set_index("column")
    assert found.index[0] == "a"
    assert found.index[-1] == "unused"
    assert not found.loc[["unused"]].to_numpy().any()
    # 2 var(3 a) is what a permutation adds to the squared error.
    error = np.mean((TRUE - predict(TABLE)) ** 2)
    expected = np.sqrt(error + 18 * TABLE["a"].to_numpy().var()) - np.sqrt(error)
    assert found.loc["a", "rmse_increase"] == pytest.approx(expected, rel=0.1)
    assert (found["lower"].drop("unused") > 0).all()
    assert (found["lower"] <= found["rmse_increase"]).all()
    assert (found["upper"] >= found["rmse_increase"]).all()


def test_intervals_have_the_increase_of_many_rows() -> None:
    many = np.sqrt(1 + 18) - 1
    within = 0
    for seed in range(20):
        random = np.random.default_rng(seed)
        rows = TABLE.head(100).assign(a=random.normal(size=100))
        true = predict(rows) + random.normal(size=100)
        found = permutation_importance(predict, rows, true).set_index("column").loc["a"]
        within += found["lower"] <= many <= found["upper"]
    assert within >= 17


def test_few_rows_or_groups_and_predictions_that_are_not_finite_have_no_importance() -> None:
    for found in (
        permutation_importance(predict, TABLE.head(9), TRUE[:9]),
        permutation_importance(predict, TABLE, TRUE, groups=np.arange(ROWS) % 9),
        permutation_importance(lambda rows: predict(rows) * np.inf, TABLE, TRUE),
    ):
        assert found.columns.tolist() == ["column", "rmse_increase", "lower", "upper"]
        assert found.empty


def test_partial_dependence_has_the_mean_prediction_for_each_value() -> None:
    bins = [
        bin_column(TABLE[name], Column(kind), 9, 1, 5)
        for name, kind in zip(TABLE, KINDS, strict=True)
    ]
    found = partial_dependence(predict, TABLE, bins)
    by_town = found[found["column"] == "town"].set_index("value")
    bonn = predict(TABLE.assign(town="Bonn")).mean()
    assert by_town["predicted"].to_dict() == pytest.approx({"Bonn": bonn, "Ulm": bonn + 2})
    share = (TABLE["town"] == "Ulm").mean()
    assert by_town["share"].to_dict() == pytest.approx({"Bonn": 1 - share, "Ulm": share})
    by_b = found[found["column"] == "b"].set_index("value")["predicted"]
    assert by_b.index.tolist() == ["0", "1", "2", "(missing)"]
    assert (by_b - by_b["0"]).tolist() == pytest.approx([0, 1, 2, 5])
    by_day = found[found["column"] == "sold"].set_index("value")["predicted"]
    assert by_day["2024-01-09"] - by_day["2024-01-01"] == pytest.approx(4)
    assert np.ptp(found["predicted"][found["column"] == "unused"]) == 0
    assert partial_dependence(predict, TABLE, []).columns.tolist() == [
        "column", "value", "predicted", "share",
    ]  # fmt: skip
