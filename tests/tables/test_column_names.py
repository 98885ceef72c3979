"""Names of columns, and columns that a program added as it wrote the file."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.config.data import Reading
from pipeline.tables.reading import Raw, read

TABLE = pd.DataFrame({"a": [1, 2, 5, 7], "y": [0.5, 2.5, 1.5, 9.5]})
INDEX_KEPT = "; it is left out (naming 'column_1' in data.features or data.kinds keeps it)"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def read_text(text: str, *, keep: tuple[str, ...] = ()) -> Raw:
    Path("t.csv").write_text(text, encoding="utf-8")
    return read("t.csv", Reading(), needed=["y"], keep=keep)


def indexed(index: Any) -> str:
    return str(TABLE.set_index(pd.Index(index)).to_csv())


@pytest.mark.parametrize(
    "text",
    [
        indexed(range(4)),
        indexed(range(1, 5)),
        indexed([12, 3, 40, 7]),
        indexed([0, 1, 0, 1]),
        indexed(["u", "v", "w", "x"]),
        '"","a","y"\n"1",1,0.5\n"2",2,2.5\n"3",5,1.5\n"4",7,9.5\n',
        '"a";"y"\n"1";1;0.5\n"2";2;2.5\n"3";5;1.5\n"4";7;9.5\n',
        '"a","y"\n"1",1,0.5\n"2",2,2.5\n"3",5,1.5\n"4",7,9.5\n',
    ],
)
def test_an_index_without_a_name_is_left_out_and_said(text: str) -> None:
    raw = read_text(text)

    pd.testing.assert_frame_equal(raw.table, TABLE)
    assert raw.warnings == [
        "t.csv: column 1 has no name and numbers or labels the rows" + INDEX_KEPT
    ]
    assert raw.dropped == {"column_1"}
    assert list(read_text(text, keep=("column_1",)).table) == ["column_1", "a", "y"]


def test_an_index_that_was_read_and_written_again_is_left_out_too() -> None:
    text = TABLE.reset_index(names="Unnamed: 0").to_csv()

    pd.testing.assert_frame_equal(read_text(text).table, TABLE)
    assert list(read_text(text, keep=("Unnamed: 0",)).table) == ["Unnamed: 0", "a", "y"]
    TABLE.reset_index(names="Unnamed: 0").to_parquet("t.parquet")
    assert list(read("t.parquet", Reading()).table) == ["a", "y"]


def test_the_index_of_each_part_is_left_out() -> None:
    Path("many").mkdir()
    for name in ("x", "z"):
        TABLE.to_csv(f"many/{name}.csv")

    raw = read("many", Reading(), needed=["y"])

    assert list(raw.table) == ["a", "y"]
    assert len(raw.table) == 2 * len(TABLE)


@pytest.mark.parametrize(
    "index", [[0.5, 1.5, 2.5, 9.5], ["u", "v", "v", "w"], [3, 3, 4, 5], [0, 0, 0, 0]]
)
def test_a_column_without_a_name_that_is_no_index_gets_one(index: list[Any]) -> None:
    raw = read_text(indexed(index))

    assert raw.table["column_1"].tolist() == index
    (line,) = raw.warnings
    assert line == (
        "t.csv: column 1 has no name; it is called 'column_1' (data.reading.header=true and"
        " data.reading.names name the columns otherwise)"
    )


def test_dates_are_no_index() -> None:
    dates = pd.date_range("2024-01-01", periods=4).strftime("%Y-%m-%d")

    assert read_text(indexed(dates)).table["column_1"].tolist() == dates.tolist()


@pytest.mark.parametrize(
    "text",
    [
        "a;y;;\n1;0.5;;\n2;2.5;;\n5;1.5;;\n7;9.5;;\n",
        "a;y\n1;0.5;\n2;2.5;\n5;1.5;\n7;9.5;\n",
        "a;y;;\n1;0.5\n2;2.5\n5;1.5\n7;9.5\n",
        "a;;y\n1;;0.5\n2;NA;2.5\n5;;1.5\n7;;9.5\n",
    ],
)
def test_columns_without_name_and_values_are_left_out(text: str) -> None:
    raw = read_text(text)

    pd.testing.assert_frame_equal(raw.table, TABLE)
    assert all(line.endswith("has no name and no values; it is left out") for line in raw.warnings)


def test_a_value_in_a_column_without_a_name_is_not_lost() -> None:
    raw = read_text("a;y;\n1;0.5;\n2;2.5;x\n5;1.5;\n")

    assert raw.table["column_3"].tolist()[1] == "x"


def test_duplicated_names_are_numbered_and_said() -> None:
    raw = read_text("x,y,x,x.2,x \n1,2,3,4,5\n6,7,8,9,0\n")

    assert list(raw.table) == ["x", "y", "x.3", "x.2", "x.4"]
    assert raw.warnings[0] == (
        "t.csv: the name 'x' is duplicated, in columns 1 and 3; the latter is called 'x.3'"
        " (data.reading.header=true and data.reading.names name the columns otherwise)"
    )
    assert set(raw.invented.values()) == {"x"}


@pytest.mark.parametrize("name", ["a\u200b", "\ufeffa", "a\u00a0", " a", "a\u00ad"])
def test_names_that_look_the_same_are_the_same(name: str) -> None:
    assert list(read_text(f"{name},a,y\n1,2,3\n4,5,6\n").table) == ["a", "a.2", "y"]


def test_accents_are_composed_in_every_format() -> None:
    name, composed = "gro\u0308\u00dfe", "gr\u00f6\u00dfe"
    frame = pd.DataFrame({name: np.arange(3), "y": [1.5, 2.5, 0.5]})
    frame.to_csv("t.csv", index=False)
    frame.to_parquet("t.parquet")

    for path in ("t.csv", "t.parquet"):
        assert list(read(path, Reading(), needed=[composed]).table) == [composed, "y"]
