"""A diagnosis names the worst slice of the rows held out, and what predictions depend on."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.config.data import Kind
from pipeline.dataset.prepared import GROUP
from pipeline.evaluation import diagnosis
from pipeline.evaluation.diagnosis import Diagnosis, diagnose
from pipeline.schema.columns import Column, Schema

RANDOM = np.random.default_rng(0)
FILES = ["slices.csv", "errors_by_column.csv", "importance.csv", "partial_dependence.csv"]


class Line:
    """A predictor of 5 a."""

    slope = 5.0
    contract = SimpleNamespace(
        schema=Schema(
            {"a": Column(Kind.numeric), "town": Column(Kind.category), "b": Column(Kind.boolean)}
        )
    )
    encoding = SimpleNamespace(target=SimpleNamespace(name="price"))

    def predict_conformed(self, rows: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame({"predicted": self.slope * rows["a"]})


def part(rows: int, first: int = 0) -> pd.DataFrame:
    """Rows of which those of Ulm have three times the errors, with their true price."""
    table = pd.DataFrame(
        {
            "a": RANDOM.normal(size=rows),
            "town": pd.Series(RANDOM.choice(["Bonn", "Ulm"], rows, p=[0.8, 0.2]), dtype="str"),
            "b": RANDOM.integers(0, 2, rows).astype(float),
        }
    ).set_axis(first + RANDOM.permutation(rows), axis="index")
    noise = RANDOM.normal(size=rows) * np.where(table["town"] == "Ulm", 3, 1)
    return table.assign(price=5 * table["a"] + noise)


def predictions(part: str, rows: pd.DataFrame) -> pd.DataFrame:
    true, predicted = rows["price"], 5 * rows["a"]
    return pd.DataFrame(
        {"part": part, "row": rows.index + 1, "true": true, "predicted": predicted,
         "residual": true - predicted}
    )  # fmt: skip


PARTS = {"train": part(600), "validation": part(0), "test": part(200, first=1000)}


def diagnosed(parts: dict[str, pd.DataFrame], *names: str) -> Diagnosis:
    """With the parts of these names, which are those of predictions."""
    predictor: Any = Line()
    listed = [predictions(name, parts[diagnosis.FILES.get(name, name)]) for name in names]
    blocks = {name: [rows.iloc[:50], rows.iloc[50:]] for name, rows in parts.items()}
    return diagnose(predictor, pd.concat(listed), blocks)


def test_slices_are_of_the_rows_of_cross_validation_and_importance_is_of_the_test_part() -> None:
    found = diagnosed(PARTS, "cv", "test")
    assert (found.judged, found.explained) == ("cv", "test")
    assert found.slices["slice"].tolist() == ["town = Ulm"]
    ulm = PARTS["train"][PARTS["train"]["town"] == "Ulm"]
    assert found.slices["rows"].tolist() == [len(ulm)]
    assert found.errors_by_column.groupby("column")["rows"].sum().tolist() == [600] * 3
    assert found.importance["column"].tolist()[0] == "a"
    assert found.partial_dependence["column"].unique().tolist() == ["a"]
    slope = found.partial_dependence.astype({"value": float})
    assert slope["predicted"].tolist() == pytest.approx((5 * slope["value"]).tolist(), abs=1e-3)
    worst, depends = found.lines
    assert worst.startswith(f"cv: worst where town = Ulm: rmse {found.slices['rmse'][0]:.5g} (")
    increase = found.importance["rmse_increase"].iloc[0]
    assert depends == f"test: depends most on a (rmse +{increase:.5g} if permuted)"


@pytest.mark.parametrize(
    ("names", "judged", "explained"),
    [
        (["train", "validation", "test"], "test", "test"),
        (["train", "validation"], "validation", "validation"),
        (["cv"], "cv", "cv"),
        (["in_sample"], "", "in_sample"),
    ],
)
def test_without_some_parts_others_are_searched(
    names: list[str], judged: str, explained: str
) -> None:
    parts = PARTS | {"validation": PARTS["test"]}
    found = diagnosed(parts, *names)
    assert (found.judged, found.explained) == (judged, explained)
    assert len(found.slices) == (judged != "")
    assert len(found.importance) == 3


def test_of_few_rows_nothing_is_said_and_tables_have_headers_alone(tmp_path: Path) -> None:
    found = diagnosed(PARTS | {"train": PARTS["train"].head(9)}, "in_sample")
    assert found.lines == []
    found.write(tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(FILES)
    assert {(tmp_path / name).read_text("utf-8") for name in FILES} == {
        "slice,rows,rmse,lower,upper,rmse_elsewhere,p_value\n",
        "column,values,rows,rmse,mae,bias\n",
        "column,rmse_increase,lower,upper\n",
        "column,value,predicted,share\n",
    }


def test_groups_count_once() -> None:
    # As many groups as an interval needs have the bad town.
    groups = RANDOM.integers(0, 12, 600)
    towns = np.where(groups < 6, "Ulm", "Bonn")
    train = PARTS["train"].assign(town=towns)
    noise = RANDOM.normal(size=600) * np.exp(RANDOM.normal(size=12))[groups]
    train["price"] = 5 * train["a"] + noise
    assert len(diagnosed(PARTS | {"train": train}, "cv", "test").slices)
    grouped = train.assign(**{GROUP: groups})
    assert diagnosed(PARTS | {"train": grouped}, "cv", "test").slices.empty


def test_predictions_that_are_not_finite_and_exact_ones_have_no_slices() -> None:
    exact = PARTS["train"].assign(price=5 * PARTS["train"]["a"])
    exact.loc[exact["town"] == "Ulm", "price"] += 1e-14
    found = diagnosed(PARTS | {"train": exact}, "cv", "test")
    assert found.slices.empty
    assert not found.errors_by_column[["rmse", "mae", "bias"]].to_numpy().any()
    for residual in (np.inf, 1e200):
        wrong = predictions("test", PARTS["test"]).assign(predicted=-residual, residual=residual)
        predictor: Any = Line()
        predictor.slope = residual
        found = diagnose(predictor, wrong, {"test": [PARTS["test"]]})
        assert found.lines == []
        assert found.errors_by_column.empty
        assert found.importance.empty


def test_of_many_rows_a_sample_is_searched_which_is_always_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, rows in (("MAX_ROWS", 400), ("PREDICTIONS", 10), ("MIN_EXPLAINED", 60)):
        monkeypatch.setattr(diagnosis, name, rows)
    contents = []
    for name in ("first", "again"):
        found = diagnosed(PARTS, "cv", "test")
        (tmp_path / name).mkdir()
        found.write(tmp_path / name)
        contents.append({file.name: file.read_bytes() for file in (tmp_path / name).iterdir()})
    assert contents[0] == contents[1]
    assert set(contents[0]) == {*FILES, "importance.png", "partial_dependence.png"}
    assert found.errors_by_column.groupby("column")["rows"].sum().tolist() == [400] * 3
    assert found.slices["slice"].tolist() == ["town = Ulm"]
