"""Which cells are missing values."""

from typing import Any

import pandas as pd
import pytest

from pipeline.schema.missing import mark_missing
from tests.schema.tables import one


def marked(values: Any, *markers: str) -> list[Any]:
    """The cells, None where one is missing."""
    cells = mark_missing(one(values), markers)["a"]
    return [None if pd.isna(cell) else cell for cell in cells]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["NA", "1", ""], [None, "1", None]),
        (["-999", "1"], [None, "1"]),
        ([-999, 1], [None, 1.0]),
        ([-999.0, 1.5], [None, 1.5]),
        (pd.Series([-999, 1], dtype="Int64"), [None, 1]),
        (pd.Series(["-999", -999, "1"], dtype=object), [None, -999, "1"]),
        (pd.Categorical(["NA", "x"]), [None, "x"]),
    ],
)
def test_a_marker_is_a_missing_value(values: Any, expected: list[Any]) -> None:
    assert marked(values, "", "NA", "-999") == expected


def test_true_and_false_are_no_markers() -> None:
    assert marked([True, False], "0", "1") == [True, False]


def test_without_markers_every_cell_is_kept() -> None:
    assert marked(["NA", ""]) == ["NA", ""]


def test_only_the_named_columns_are_marked() -> None:
    # The others may hold anything, even what cannot be compared with a marker.
    table = pd.DataFrame({"a": ["NA"], "b": ["NA"], "c": [{}]}, index=[7])
    rows = mark_missing(table, ["NA"], ["a"])
    assert rows.isna().to_dict("list") == {"a": [True], "b": [False], "c": [False]}
    assert rows.index.equals(table.index)
