"""What a raw table becomes: its parts, the new rows and what is known of its columns."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.command import UserError
from pipeline.config import Data, Split
from pipeline.features import fit_schema
from pipeline.preparing import prepare

TABLE = pd.DataFrame(
    {"a": np.arange(20.0), "note": ["x"] * 20, "b": np.arange(20.0) % 7, "y": np.arange(20.0) * 3}
)


@pytest.fixture(autouse=True)
def _tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working directory has a table and new rows of it."""
    monkeypatch.chdir(tmp_path)
    TABLE.to_csv("table.csv", index=False)
    pd.DataFrame({"b": [1, 2], "a": [3, 4]}).to_csv("new.csv", index=False)


def data(**changed: object) -> Data:
    usual = {"path": "table.csv", "target": "y", "features": ["a", "b"]}
    return Data(**(usual | changed))  # type: ignore[arg-type] # as a test gives them


def test_every_row_is_in_one_part() -> None:
    made = prepare(data(split=Split(validation=0.25, test=0.1, seed=3)))
    assert {name: len(part) for name, part in made.parts.items()} == {
        "train": 13, "validation": 5, "test": 2,
    }  # fmt: skip
    together = pd.concat(made.parts.values()).sort_index()
    pd.testing.assert_frame_equal(together, TABLE[["a", "b", "y"]])


def test_the_scales_are_of_the_training_part() -> None:
    made = prepare(
        data(standardize_inputs=True, standardize_target=True, split=Split(validation=0.5))
    )
    train = made.parts["train"]
    assert made.schema == fit_schema(
        train, made.schema.columns, standardize_inputs=True, standardize_target=True
    )
    assert made.schema.inputs is not None
    assert made.schema.inputs.mean == pytest.approx(train[["a", "b"]].mean().tolist())
    plain = prepare(data())
    assert plain.schema.inputs is plain.schema.target is None


def test_new_rows_have_the_features_in_the_model_s_order() -> None:
    made = prepare(data(new_rows="new.csv"))
    assert made.new.to_dict("list") == {"a": [3.0, 4.0], "b": [1.0, 2.0]}


def test_without_new_rows_there_are_none() -> None:
    made = prepare(data())
    assert list(made.new.columns) == ["a", "b"]
    assert len(made.new) == 0


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"path": "none.csv"}, "none.csv: no such file"),
        ({"target": "z"}, r"table.csv: has no column 'z' \(data.target\)"),
        ({"features": None}, "table.csv, row 1 below the header, column 'note'"),
        ({"new_rows": "none.csv"}, "none.csv: no such file"),
        ({"new_rows": "new.csv", "features": ["a", "y2"]}, r"table.csv: has no column 'y2'"),
        ({"split": Split(validation=0.01)}, "data.split.validation: 0.01 of 20 rows is no row"),
    ],
)
def test_a_mistake_in_the_data_is_named(changed: dict[str, object], said: str) -> None:
    with pytest.raises(UserError, match=f"^{said}"):
        prepare(data(**changed))
