"""The files of a prepared table, and the line that reports it."""

import datetime as dt
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.config.data import Data, Kind, Lint, Policy, Split, SplitBy
from pipeline.dataset.encoding import Encoding
from pipeline.dataset.prepared import GROUP
from pipeline.preparation.preparation import Prepared, prepare, tables_outside_raw
from pipeline.preparation.prepared_files import summary, write
from pipeline.schema.contract import Contract

ROWS = 20


@pytest.fixture
def data(tmp_path: Path) -> Data:
    random = np.random.default_rng(3)
    table = pd.DataFrame({"a": random.normal(size=ROWS), "b": 1, "y": random.normal(size=ROWS)})
    table.to_csv(tmp_path / "t.csv", index=False)
    return Data(path=str(tmp_path / "t.csv"), target="y", split=Split(test=0.25))


@pytest.fixture
def prepared(data: Data) -> Prepared:
    return prepare(data, today=dt.date(2026, 1, 1))


def test_the_files_hold_what_was_prepared(prepared: Prepared, data: Data, tmp_path: Path) -> None:
    write(prepared, data, tmp_path)
    for name, part in prepared.parts.items():
        pd.testing.assert_frame_equal(
            pd.read_parquet(tmp_path / f"{name}.parquet"), part[["a", "y"]]
        )
    assert list(pd.read_parquet(tmp_path / "new.parquet")) == ["a"]
    assert Contract.read(tmp_path / "contract.json") == prepared.contract
    assert Encoding.read(tmp_path / "encoding.json") == prepared.encoding
    profile = pd.read_csv(tmp_path / "profile.csv", index_col="column")
    assert profile["used_as"].to_dict() == prepared.used_as
    assert profile.loc["b", "used_as"] == "left out: 1 in 15 rows"
    assert json.loads((tmp_path / "warnings.json").read_text("utf-8")) == prepared.warnings != []


@pytest.mark.parametrize(
    "settings",
    [
        {"group": "g", "split": Split(test=0.25)},
        {"leave_out": ["g"], "split": Split(by=SplitBy.group, column="g", test=0.25)},
    ],
    ids=["group", "split by group"],
)
def test_the_parts_have_the_groups_of_their_rows(
    data: Data, tmp_path: Path, settings: dict[str, Any]
) -> None:
    table = pd.read_csv(data.path).assign(g=[f"name {i // 2}" for i in range(ROWS)])
    table.to_csv(data.path, index=False)
    lint = Lint(shared_group=Policy.accept)
    data = replace(data, lint=lint, kinds={"g": Kind.category}, **settings)
    made = prepare(data, today=dt.date(2026, 1, 1))
    write(made, data, tmp_path)
    for name, part in made.parts.items():
        rows = pd.read_parquet(tmp_path / f"{name}.parquet")
        assert list(rows) == ["a", "y", GROUP]
        same = rows[GROUP].to_numpy() == rows[GROUP].to_numpy()[:, np.newaxis]
        names = part["g"].to_numpy()
        np.testing.assert_array_equal(same, names == names[:, np.newaxis])


def test_the_same_table_gives_the_same_bytes(
    prepared: Prepared, data: Data, tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
        write(prepared, data, folder)
    assert [file.read_bytes() for file in sorted(first.iterdir())] == [
        file.read_bytes() for file in sorted(second.iterdir())
    ]


def test_the_summary_is_one_line(prepared: Prepared, data: Data) -> None:
    assert summary(prepared, data) == (
        f"prepared {data.path}: 20 rows (15 train, 5 test); 1 feature, 1 network input;"
        " profile: data/prepared/profile.html"
    )


def test_tables_that_dvc_does_not_watch_are_reported() -> None:
    inside = Data(path="data/raw/t.csv", target="y", new_rows="sklearn:diabetes")
    assert tables_outside_raw(inside) == []
    outside = Data(path="data/raw/t.csv", target="y", new_rows="elsewhere/new.csv")
    assert tables_outside_raw(outside) == [
        "elsewhere/new.csv is outside data/raw/, so dvc repro does not notice when it changes"
    ]
