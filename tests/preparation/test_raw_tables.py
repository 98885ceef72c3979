"""What a configuration makes of the tables that it names."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.config.data import Data, Kind, MissingTarget, Reading, Split
from pipeline.preparation.preparation import Prepared, prepare
from pipeline.runtime.errors import UserError
from pipeline.schema.columns import Column, Schema

ROWS = 20


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def table(**columns: Any) -> pd.DataFrame:
    random = np.random.default_rng(3)
    usual = {name: random.normal(5, 2, ROWS).round(3) for name in ("a", "b", "y")}
    return pd.DataFrame(usual).assign(**columns)


def prepared(path: str = "t.csv", stored: Schema | None = None, **settings: Any) -> Prepared:
    split = Split(validation=0.2, test=0.2)
    return prepare(Data(path=path, target="y", split=split, **settings), stored)


def refusal(**settings: Any) -> str:
    with pytest.raises(UserError) as raised:
        prepared(**settings)
    return str(raised.value)


def features(result: Prepared) -> list[str]:
    return list(result.contract.schema.columns)


def test_rows_without_a_target_are_dropped_by_the_setting_that_the_error_names() -> None:
    table(y=[None, *range(8), None, *range(10)]).to_csv("t.csv", index=False)

    assert refusal() == (
        "t.csv, row 1 below the header, column 'y': the target is missing, in 2 of 20 rows; fill"
        " them in, or set data.missing_target=drop to leave these rows out"
    )
    result = prepared(missing_target=MissingTarget.drop)
    rows = pd.concat(result.parts.values())
    assert len(rows) == ROWS - 2
    # Predictions name rows as the file numbers them.
    np.testing.assert_array_equal(rows["y"], pd.read_csv("t.csv")["y"][rows.index])
    assert result.warnings[0] == (
        "t.csv: 2 of 20 rows have no 'y' and are dropped; the first is t.csv, row 1 below the"
        " header"
    )


def test_rows_keep_their_numbers_when_others_are_dropped() -> None:
    rows = table(y=[None, *range(19)], a=[*range(9), "x", *range(10)])
    Path("many").mkdir()
    rows.head(5).to_csv("many/1.csv", index=False)
    rows.tail(15).to_csv("many/2.csv", index=False)

    message = refusal(path="many", missing_target=MissingTarget.drop)
    assert message.startswith("many/2.csv, row 5 below the header, column 'a': 'x' is not a ")


def test_rows_that_are_left_out_do_not_move_the_numbers_of_the_others() -> None:
    lines = table(y=[None, *range(19)]).to_csv(index=False).splitlines()
    Path("t.csv").write_text("\n".join([*lines[:9], lines[0], *lines[9:]]) + "\n", "utf-8")

    parts = prepared(missing_target=MissingTarget.drop).parts
    # The second header is row 9.
    y = pd.concat([part["y"] for part in parts.values()])
    rows = dict(zip(y.index + 1, y, strict=True))
    assert rows == {row: row - 2 - (row > 9) for row in range(2, 22) if row != 9}


def test_a_target_that_is_missing_in_all_rows_is_an_error_in_any_case() -> None:
    table(y=None).to_csv("t.csv", index=False)

    for policy in MissingTarget:
        assert refusal(missing_target=policy).endswith("in 20 of 20 rows; fill them in")


def test_two_columns_of_the_target_s_name_are_named_by_the_user() -> None:
    table().rename(columns={"b": "y"}).to_csv("t.csv", index=False)

    assert refusal() == (
        "t.csv: the name of the target, 'y', is duplicated; give each column a name of its own"
        " with data.reading.header=true and data.reading.names"
    )
    result = prepared(reading=Reading(header=True, names=["a", "b", "y"]))
    assert features(result) == ["a", "b"]


def test_an_index_is_kept_if_it_is_named() -> None:
    table().to_csv("t.csv")

    assert features(prepared()) == ["a", "b"]
    assert features(prepared(features=["column_1", "a"])) == ["column_1", "a"]
    assert features(prepared(leave_out=["column_1", "a"])) == ["b"]
    kinds = {"column_1": Kind.category}
    assert "column_1" in prepared(kinds=kinds).schema.columns
    stored = Schema({name: Column(Kind.numeric) for name in ("column_1", "a", "b", "y")})
    assert "column_1" in prepared(stored=stored).schema.columns


def test_new_rows_may_have_the_index_of_the_table_or_not() -> None:
    table().to_csv("t.csv")
    table()[["a", "b"]].to_csv("new.csv", index=False)
    table().drop(columns="y").iloc[5:9].to_csv("indexed.csv")

    assert len(prepared(new_rows="new.csv").new_rows) == ROWS
    assert len(prepared(new_rows="indexed.csv").new_rows) == 4
    table().to_csv("t.csv", index=False)
    assert list(prepared(new_rows="indexed.csv").new_rows) == ["a", "b"]


def test_no_new_row_is_skipped_as_one_of_the_table_is() -> None:
    text = table().to_csv(index=False)
    Path("t.csv").write_text("A,B,C\n" + text.replace("y\n", "y\nkg,m,s\n", 1) + "Total\n")
    table().to_csv("new.csv", index=False)
    reading = Reading(skip_rows=1, units_row=True, skip_last=1)

    result = prepared(reading=reading, new_rows="new.csv")

    assert sum(map(len, result.parts.values())) == len(result.new_rows) == ROWS
    left = result.contract.reading
    assert (left.skip_rows, left.skip_last, left.units_row) == (0, 0, True)


def test_columns_of_parquet_that_are_no_cells_are_left_out() -> None:
    columns = {name: table()[name] for name in ("a", "b", "y")}
    nested = pa.table(columns | {"n": [[1, 2]] * ROWS, "m": [b"\xff"] * ROWS})
    pq.write_table(nested, "t.parquet")

    result = prepared("t.parquet")
    assert features(result) == ["a", "b"]
    assert result.warnings[:2] == [
        f"t.parquet: column {name!r} is {kind}, not numbers, text or dates; it is left out"
        for name, kind in (("n", "list<element: int64>"), ("m", "binary"))
    ]
    assert features(prepared("t.parquet", leave_out=["n", "m"])) == ["a", "b"]


def test_names_are_found_however_their_accents_are_written() -> None:
    table().rename(columns={"a": "gro\u0308\u00dfe"}).to_csv("t.csv", index=False)

    assert features(prepared(features=["gr\u00f6\u00dfe\u00a0"])) == ["gr\u00f6\u00dfe"]
