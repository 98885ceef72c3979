"""Rows are flagged by what is unusual about their values."""

import numpy as np
import pandas as pd

from pipeline.config.data import Kind
from pipeline.schema.columns import Column, Schema
from pipeline.schema.flags import flags

SCHEMA = Schema(
    {
        "size": Column(Kind.numeric, missing=True, min=0, max=10),
        "colour": Column(Kind.category, categories=["blue", "red"]),
        "shape": Column(Kind.category, missing=True, categories=["round"]),
        "day": Column(Kind.date, min="2024-01-01", max="2024-12-31"),
    }
)
ROW = {"size": 5.0, "colour": "red", "shape": "round", "day": pd.Timestamp("2024-03-01")}


def flagged(**values: object) -> str:
    rows = pd.DataFrame([ROW, ROW | values, ROW], index=[4, 4, 7])
    rows["day"] = pd.to_datetime(rows["day"])
    texts = flags(rows, SCHEMA)
    assert texts.index.tolist() == [4, 4, 7]
    assert texts.iloc[[0, 2]].tolist() == ["", ""]
    return str(texts.iloc[1])


def test_a_row_as_in_the_training_table_has_no_flag() -> None:
    assert flagged() == ""
    assert flagged(shape=None) == ""  # a category of its own


def test_values_that_the_training_table_does_not_have_are_flagged() -> None:
    assert flagged(size=11) == "size is out of range"
    assert flagged(day=pd.Timestamp("2025-01-01")) == "day is out of range"
    assert flagged(colour="green") == "colour has an unseen category"
    assert flagged(colour=None) == "colour is missing"


def test_imputed_values_are_flagged_whether_they_are_expected_or_not() -> None:
    assert flagged(size=np.nan) == "size is imputed"
    assert flagged(day=pd.NaT) == "day is imputed"


def test_a_row_has_the_flags_of_all_its_columns() -> None:
    assert flagged(size=-1, colour="green") == "size is out of range; colour has an unseen category"
