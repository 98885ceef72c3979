"""What a raw table becomes: its parts, the new rows, its schema and its encoding."""

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
import yaml
from omegaconf import OmegaConf

from pipeline.config.data import (
    Data,
    Kind,
    Lint,
    Policy,
    Reading,
    ScaleTarget,
    Split,
    SplitBy,
    Violations,
)
from pipeline.preparation.preparation import Prepared, prepare
from pipeline.runtime.errors import UserError
from pipeline.schema import schema_file
from pipeline.schema.columns import Column, Schema

ROWS = 60
ROOT = Path(__file__).parents[2]
# No row of these is beyond what the training part has.
QUIET = Violations(unseen_category=Policy.accept, out_of_range=Policy.accept)


def table() -> pd.DataFrame:
    """A number, one with gaps, a category, a date and a group beside the target."""
    random = np.random.default_rng(5)
    age = random.uniform(20, 80, ROWS).round(1)
    return pd.DataFrame(
        {
            "age": age,
            "income": random.normal(3000, 500, ROWS).round().astype(float),
            "town": random.choice(["Bonn", "Köln", "Trier"], ROWS),
            "seen": pd.Timestamp(2024, 1, 1) + pd.to_timedelta(random.permutation(ROWS), "D"),
            "house": np.arange(ROWS) % 12,
            "y": (age * 2 + random.normal(0, 9, ROWS)).round(2),
        }
    ).assign(income=lambda rows: rows["income"].where(rows.index % 9 != 4))


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def made(
    rows: pd.DataFrame | None = None, stored: Schema | None = None, **changed: Any
) -> Prepared:
    """What becomes of the table, or of others, with a quarter of it for the test."""
    (table() if rows is None else rows).to_csv("t.csv", index=False)
    usual: dict[str, Any] = {"split": Split(test=0.25), "violations": QUIET}
    data = Data(path="t.csv", target="y", **(usual | changed))
    return prepare(data, stored, today=dt.date(2026, 1, 1))


def refusal(rows: pd.DataFrame | None = None, stored: Schema | None = None, **changed: Any) -> str:
    with pytest.raises(UserError) as caught:
        made(rows, stored, **changed)
    text = str(caught.value)
    assert "\n" not in text
    return text


# Features


@pytest.mark.parametrize(
    ("changed", "kept"),
    [
        ({}, ["age", "income", "house", "town", "seen"]),
        ({"features": ["town", "age"]}, ["age", "town"]),
        ({"leave_out": ["town", "house"]}, ["age", "income", "seen"]),
        ({"features": ["town", "age"], "leave_out": ["age"]}, ["town"]),
        (
            {"group": "house", "split": Split(by=SplitBy.group, column="house", test=0.25)},
            ["age", "income", "town", "seen"],
        ),
        (
            {"split": Split(by=SplitBy.group, column="house", test=0.25)},
            ["age", "income", "town", "seen"],
        ),
        (
            {"split": Split(by=SplitBy.hash, column="town", test=0.4)},
            ["age", "income", "house", "seen"],
        ),
        # When a row was seen may well matter, and is known of later rows.
        (
            {"split": Split(by=SplitBy.time, column="seen", test=0.25)},
            ["age", "income", "house", "town", "seen"],
        ),
        ({"features": ["house"], "group": "house", "lint": Lint(shared_group=Policy.accept)},
         ["house"]),
    ],
)  # fmt: skip
def test_the_features_are_those_that_have_no_other_part(
    changed: dict[str, Any], kept: list[str]
) -> None:
    prepared = made(**changed)
    assert prepared.encoding.columns == kept
    assert set(prepared.contract.schema.columns) == set(kept)
    assert all(set(part) >= {*kept, "y"} for part in prepared.parts.values())


def test_a_column_may_say_in_which_part_each_row_is() -> None:
    part = np.array(["train", "Test", "train", "validation"] * (ROWS // 4))
    prepared = made(
        table().assign(part=part), split=Split(by=SplitBy.column, column="part"), leave_out=["town"]
    )
    assert {name: len(rows) for name, rows in prepared.parts.items()} == {
        "train": 30, "validation": 15, "test": 15,
    }  # fmt: skip
    assert "part" not in prepared.encoding.columns


@pytest.mark.parametrize(
    ("key", "changed"),
    [
        ("data.target", {"target": "z"}),
        ("data.features", {"features": ["age", "z"]}),
        ("data.leave_out", {"leave_out": ["z"]}),
        ("data.kinds", {"kinds": {"z": Kind.category}}),
        ("data.group", {"group": "z"}),
        ("data.split.column", {"split": Split(by=SplitBy.time, column="z", test=0.2)}),
    ],
)
def test_an_unknown_column_is_named_with_its_key(key: str, changed: dict[str, Any]) -> None:
    table().to_csv("t.csv", index=False)
    data = replace(Data(path="t.csv", target="y"), **changed)
    with pytest.raises(UserError) as caught:
        prepare(data)
    names = "age, income, town, seen, house, y"
    assert str(caught.value) == f"t.csv: has no column 'z' ({key}); it has {names}"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"features": ["age", "y"]},
            "data.features: includes the target 'y', which is not known of new rows; remove it",
        ),
        ({"features": ["age", "town", "age"]}, "data.features: 'age' is duplicated; remove one"),
        (
            {"leave_out": ["y", "town"]},
            "data.leave_out: includes the target 'y', which is never a feature; remove it",
        ),
        (
            {"features": ["age"], "leave_out": ["age"]},
            "t.csv: has no feature, only the target 'y'",
        ),
        ({"features": []}, "t.csv: has no feature, only the target 'y'"),
        ({"group": "house"}, "t.csv, column 'house': groups are in more than one part (9 of 12"),
    ],
)
def test_columns_of_no_use_are_refused(changed: dict[str, Any], message: str) -> None:
    assert refusal(**changed).startswith(message)


def test_very_many_features_have_to_be_chosen_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.preparation.features.MAX_FEATURES", 4)
    assert refusal() == (
        "t.csv: has 5 features, but the maximum is 4; choose some with data.features"
    )
    assert made(features=["age", "income", "town", "seen"]).encoding.names


# Columns without information


@pytest.mark.parametrize(
    ("cells", "sign", "what"),
    [
        (7, "constant", "has one value in all training rows"),
        (range(1, ROWS + 1), "identifier", "could be memorised: "),
        ([f"name {row}" for row in range(ROWS)], "identifier", "could be memorised: "),
    ],
)  # fmt: skip
def test_a_useless_column_is_left_out_unless_it_is_accepted(
    cells: Any, sign: str, what: str
) -> None:
    rows = table().assign(odd=cells)
    prepared = made(rows)
    assert "odd" not in prepared.encoding.columns
    assert "odd" not in prepared.contract.schema.columns
    (line,) = prepared.warnings
    assert line.startswith(f"t.csv, column 'odd': {what}")
    assert line.endswith(f"so it is left out; keep it with data.lint.accept=[{sign}:odd]")
    assert prepared.used_as["odd"].startswith("left out: ")

    kept = made(rows, lint=Lint(accept=[f"{sign}:odd"]))
    assert "odd" in kept.encoding.columns
    assert not any(what in line for line in kept.warnings)
    strict = Lint()
    setattr(strict, sign, Policy.error)
    assert refusal(rows, lint=strict).startswith(f"t.csv, column 'odd': {what}")


@pytest.mark.parametrize("lint", [Lint(), Lint(accept=["all_missing:odd"])])
def test_a_column_without_a_value_is_left_out_in_any_case(lint: Lint) -> None:
    prepared = made(table().assign(odd=None), lint=lint)
    assert "odd" not in prepared.encoding.columns
    warning = (
        "t.csv, column 'odd': has no value in the training rows (0 of 45 rows), so it is left out"
    )
    assert prepared.warnings == ([] if lint.accept else [warning])


def test_a_target_that_does_not_vary_in_the_training_part_is_refused() -> None:
    rows = table().assign(part=["train", "test"] * (ROWS // 2))
    rows["y"] = rows["y"].where(rows["part"] == "test", 5)
    assert refusal(rows, split=Split(by=SplitBy.column, column="part")) == (
        "t.csv, column 'y': the target is 5 in every training row; choose the training rows"
        " otherwise with data.split (by: column)"
    )


def test_a_first_row_without_a_header_is_no_second_header() -> None:
    Path("t.csv").write_text("1,2,3\n" + "".join(f"{x},{x * x % 7},{x % 5}\n" for x in range(60)))
    prepared = prepare(Data(path="t.csv", target="column_3", lint=Lint(identifier=Policy.accept)))
    assert not any("second header" in line for line in prepared.warnings)


def test_a_feature_must_be_left() -> None:
    assert refusal(table()[["y"]].assign(a=1, b=2)) == (
        "t.csv, column 'a': has one value in all training rows (1 in 45 rows), so it is left out;"
        " keep it with data.lint.accept=[constant:a]; no other feature is left"
    )


# Parts and schema


def test_every_row_is_in_one_part_as_it_was() -> None:
    prepared = made(split=Split(validation=0.25, test=0.1, seed=3), leave_out=["house"])
    assert {name: len(part) for name, part in prepared.parts.items()} == {
        "train": 39, "validation": 15, "test": 6,
    }  # fmt: skip
    together = pd.concat(prepared.parts.values()).sort_index()
    pd.testing.assert_frame_equal(
        together, table().drop(columns="house").astype({"seen": "datetime64[us]"})
    )


def test_expected_are_the_ranges_of_all_rows_and_the_categories_of_the_training_part() -> None:
    rows = table()
    test = made().parts["test"].index
    rows.loc[test[:2], "age"] = [-400.5, 900.5]
    rows.loc[test[:2], "seen"] = [pd.Timestamp(2019, 5, 4), pd.Timestamp(2031, 1, 2, 3)]
    rows.loc[test[0], "town"] = "Ulm"
    prepared = made(rows)
    train, expected = prepared.parts["train"], prepared.contract.schema.columns
    assert (expected["age"].min, expected["age"].max) == (-400.5, 900.5)
    assert (expected["seen"].min, expected["seen"].max) == (
        "2019-05-04T00:00:00", "2031-01-02T03:00:00",
    )  # fmt: skip
    assert expected["town"].categories == ["Bonn", "Köln", "Trier"]
    assert train["age"].between(20, 80).all()
    assert {name for name, column in expected.items() if column.missing} == {"income"}
    number = prepared.encoding.numbers["age"]
    assert (number.mean, number.std) == pytest.approx(
        (train["age"].mean(), train["age"].std(ddof=0))
    )


def test_rows_outside_the_training_part_have_no_say_in_what_is_learned() -> None:
    first = made(split=Split(validation=0.25, test=0.25))
    rows = table()
    aside = rows.index.difference(first.parts["train"].index)
    rows.loc[aside, "age"] *= 3
    rows.loc[aside, "y"] -= 1000
    rows.loc[aside, "town"] = "Ulm"
    other = made(rows, split=Split(validation=0.25, test=0.25))
    assert other.encoding == first.encoding
    # Nothing is fitted on the range of what is expected.
    before = first.contract.schema.columns
    age = replace(before["age"], min=rows["age"].min(), max=rows["age"].max())
    assert age != before["age"]
    assert other.contract == replace(first.contract, schema=Schema(before | {"age": age}))
    assert not other.parts["test"].equals(first.parts["test"])


def test_the_use_of_each_column_is_described() -> None:
    prepared = made(table().assign(same=1), leave_out=["house"])
    assert list(prepared.used_as) == ["age", "income", "town", "seen", "house", "y", "same"]
    assert prepared.used_as["house"] == "not used"
    assert prepared.used_as["same"] == "left out: 1 in 45 rows"
    assert prepared.used_as["town"] == "one-hot: Bonn, Köln, Trier"
    assert prepared.used_as["income"].endswith(" where missing, with a missing indicator")
    assert prepared.used_as["y"].startswith("target: standardised by mean ")


def test_each_warning_is_one_line_and_names_the_table() -> None:
    rows = table().assign(same=1, number=range(ROWS), day=["03/04/2024", "05/06/2024"] * 30)
    first = made(rows)
    test = first.parts["test"].index
    rows.loc[test[:2], "town"] = ["Ulm", "Ems\nor so"]
    rows.loc[test[2], "age"] = 1e6
    lines = made(rows, first.schema, violations=Violations()).warnings
    assert len(lines) == 4
    # Which of day and month comes first is ambiguous until it is in a schema.
    lines += [line for line in first.warnings if "column 'day'" in line]
    assert len(lines) == 5
    assert all(line.startswith("t.csv, ") and "\n" not in line for line in lines)


# A stored schema


def stored_with(**changed: Column) -> Schema:
    return Schema(made().schema.columns | changed)


def test_a_stored_schema_is_that_of_its_table() -> None:
    first = made()
    again = made(stored=first.schema)
    assert again.schema == Schema.from_dict(first.schema.to_dict(), "schema") == first.schema
    assert again.encoding == first.encoding
    assert again.contract == first.contract


@pytest.mark.parametrize("seed", range(5))
def test_a_table_is_within_its_own_schema(seed: int) -> None:
    split = Split(validation=0.25, test=0.25, seed=seed)
    changed: dict[str, Any] = {"split": split, "violations": Violations()}
    first = made(**changed)
    assert first.warnings == []
    # Numbers are written and read again, as between two runs.
    file = schema_file.path_of("t.csv")
    file.parent.mkdir(parents=True)
    file.write_text(schema_file.to_yaml(first.schema, "t.csv"), "utf-8")
    again = made(stored=schema_file.read("t.csv"), **changed)
    assert again.warnings == []
    assert again.contract == first.contract


def test_a_stored_schema_holds_whatever_the_training_part_has() -> None:
    wide = stored_with(age=Column(Kind.numeric, min=0.0, max=1e6))
    assert made(stored=wide).contract.schema.columns["age"] == wide.columns["age"]
    as_category = stored_with(house=Column(Kind.category))
    assert "house" in made(stored=as_category).encoding.categories


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda rows: rows.drop(columns="town"),
            (
                "t.csv: has no column 'town', which its schema in data/schema/ has; put it back or"
                " delete the schema; the table has age, income, seen, house, y"
            ),
        ),
        (
            lambda rows: rows.assign(age="old"),
            (
                "t.csv, row 1 below the header, column 'age': 'old' is not a finite float32 number;"
                " fix it"
            ),
        ),
        (
            lambda rows: rows.assign(age=rows["age"].where(rows.index != 4)),
            "t.csv, row 5 below the header, column 'age': the value is missing",
        ),
        (
            lambda rows: rows.assign(town=rows["town"].where(rows.index != 4, "Ulm")),
            "t.csv, row 5 below the header, column 'town': the value 'Ulm' is not one of the",
        ),
        (
            lambda rows: rows.assign(age=rows["age"].where(rows.index != 4, 150)),
            "t.csv, row 5 below the header, column 'age': the value '150.0' is not within 2",
        ),
    ],
)
def test_a_stored_schema_is_enforced(
    change: Callable[[pd.DataFrame], pd.DataFrame], message: str
) -> None:
    strict = Violations(unseen_category=Policy.error, out_of_range=Policy.error)
    whole = made(split=Split()).schema
    line = refusal(change(table()), whole, violations=strict)
    assert line.startswith(message)
    # These are no guesses.
    assert "data.kinds" not in line


def test_a_cell_unlike_the_others_of_a_new_column_is_named_with_what_it_may_be() -> None:
    rows = table().assign(size=["small", *[4, 5] * 29, 6])
    for before in (None, made().schema):
        assert refusal(rows, before) == (
            "t.csv, row 1 below the header, column 'size': 'small' is not a finite float32 number;"
            " fix it, set data.reading.units_row=true if the row holds units, set"
            " data.reading.more_missing=[small] if it stands for a missing value, or set"
            " data.kinds={size: category}"
        )
    asked = made(rows, kinds={"size": Kind.category})
    assert "size" in asked.encoding.categories


@pytest.mark.parametrize(("policy", "lines"), [(Policy.warn, 1), (Policy.accept, 0)])
def test_violations_of_a_stored_schema_are_reported_by_their_policy(
    policy: Policy, lines: int
) -> None:
    rows = table().assign(town=["Ulm", "Bonn"] * (ROWS // 2))
    warnings = made(rows, made().schema, violations=Violations(unseen_category=policy)).warnings
    assert len([line for line in warnings if "column 'town': the value 'Ulm'" in line]) == lines


def test_a_new_column_beside_a_stored_schema_is_learned_from_as_at_first() -> None:
    rows = table().assign(size=np.arange(ROWS) % 5)
    prepared = made(rows, made().schema)
    assert "size" in prepared.encoding.columns
    assert prepared.contract.schema.columns["size"] == Column(Kind.numeric, min=0, max=4)
    as_text = made(rows, made().schema, kinds={"size": Kind.category})
    assert as_text.contract.schema.columns["size"].categories == ["0", "1", "2", "3", "4"]


# Kinds


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (Kind.category, ["code = 007", "code = 07", "code = 7"]),
        (Kind.numeric, ["code"]),
    ],
)
def test_a_column_is_of_the_kind_that_is_asked_for(kind: Kind, expected: list[str]) -> None:
    rows = table()[["age", "y"]].assign(code=["007", "7", "07"] * 20)
    lint = Lint(constant=Policy.accept, accept=["constant:code"])
    for before in (None, made(rows, features=["age"]).schema):
        prepared = made(rows, before, features=["code"], kinds={"code": kind}, lint=lint)
        assert prepared.encoding.names == expected


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("town", Kind.numeric, "' is not a finite float32 number; fix it"),
        ("age", Kind.boolean, "' is neither true nor false; fix it"),
        (
            "town",
            Kind.date,
            (
                "' is in no format of dates that is known; set data.date_formats={town:"
                " '%d.%m.%Y'}, with the format that it has, or set data.kinds={town: category}"
            ),
        ),
    ],
)
def test_cells_that_are_not_of_the_kind_that_is_asked_for_are_named(
    name: str, kind: Kind, message: str
) -> None:
    text = refusal(kinds={name: kind})
    assert text.startswith(f"t.csv, row 1 below the header, column {name!r}: '")
    assert text.endswith(message)


# The target


@pytest.mark.parametrize(
    ("y", "changed", "message"),
    [
        (
            table()["y"].where(~table().index.isin([3, 8])),
            {},
            (
                "t.csv, row 4 below the header, column 'y': the target is missing, in 2 of 60 rows;"
                " fill them in, or set data.missing_target=drop to leave these rows out"
            ),
        ),
        (
            3,
            {},
            "t.csv, column 'y': the target is 3 in every row; there is nothing to predict",
        ),
        (
            ["dear"] * ROWS,
            {},
            "t.csv, column 'y': the target holds 'dear', not numbers; a regression needs a number",
        ),
        (
            None,
            {"kinds": {"y": Kind.category}},
            (
                "t.csv, row 1 below the header, column 'y': the target is missing, in 60 of 60"
                " rows; fill them in"
            ),
        ),
        (
            table()["y"].where(table().index != 6, 0),
            {"scale_target": ScaleTarget.log},
            (
                "t.csv, row 7 below the header, column 'y': 0 has no logarithm; set"
                " data.scale_target=standardize"
            ),
        ),
    ],
)
def test_a_target_that_cannot_be_learned_is_refused(
    y: Any, changed: dict[str, Any], message: str
) -> None:
    assert refusal(table().assign(y=y), **changed) == message


def test_a_copied_target_is_refused() -> None:
    text = refusal(table().assign(twin=lambda rows: rows["y"] / 2))
    assert text.startswith("t.csv, column 'twin': is a copy of the target (r = 1.00000)")


# New rows


def test_new_rows_may_have_their_columns_in_any_order_among_others() -> None:
    new = table().head(3)[["y", "seen", "town", "house", "income", "age"]].assign(note="x")
    new.to_csv("new.csv", index=False)
    prepared = made(new_rows="new.csv")
    expected = table().head(3)[["age", "income", "town", "seen", "house"]]
    pd.testing.assert_frame_equal(prepared.new_rows, expected, check_dtype=False)
    assert prepared.new_rows.dtypes.equals(
        prepared.parts["train"][prepared.new_rows.columns].dtypes
    )


def test_without_new_rows_there_are_none() -> None:
    prepared = made()
    assert prepared.new_rows.empty
    assert list(prepared.new_rows) == ["age", "income", "town", "seen", "house"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "new.csv: no such file; "),
        ("age,y\n30,2\n", "new.csv: has no column 'income', which the model reads; it has age, y"),
        (
            "age,income,town,seen,house\n30,1,Bonn,2024-01-09,1\nx,1,Bonn,2024-01-09,1\n",
            "new.csv, row 2 below the header, column 'age': 'x' is not a finite float32 number; ",
        ),
        (
            "age,income,town,seen,house\n,1,Bonn,2024-01-09,1\n",
            "new.csv, row 1 below the header, column 'age': the value is missing",
        ),
    ],
)
def test_new_rows_that_cannot_be_predicted_are_named(content: str | None, message: str) -> None:
    if content:
        Path("new.csv").write_text(content, "utf-8")
    assert refusal(new_rows="new.csv").startswith(message)


def test_new_rows_unlike_those_that_were_trained_on_are_warned_of() -> None:
    Path("new.csv").write_text("age;town\n30,5;Bonn\n99,5;Ulm\n", "utf-8")
    lines = made(features=["age", "town"], new_rows="new.csv", violations=Violations()).warnings
    found = [line for line in lines if line.startswith("new.csv, row 2 below the header, column ")]
    assert len(found) == 2
    assert "'town': the value 'Ulm' is not one of the categories" in found[0]
    assert "'age': the value '99.5' is not within" in found[1]


# Missing values


@pytest.mark.parametrize("file", ["t.csv", "t.parquet"])
def test_the_texts_that_stand_for_a_missing_value_may_be_chosen(file: str) -> None:
    rows = table()[["town", "income", "y"]].astype({"income": "str"})
    rows.loc[::5, ["town", "income"]] = "unknown"
    rows.to_csv("t.csv", index=False)
    rows.to_parquet("t.parquet")
    prepared = prepare(Data(path=file, target="y", reading=Reading(missing=["unknown", ""])))
    assert prepared.contract.reading.missing == ["unknown", ""]
    assert prepared.contract.schema.columns["town"].missing
    assert (
        prepared.encoding.numbers["income"].missing_indicator
        == prepared.parts["train"]["income"].isna().any()
    )
    assert prepared.parts["train"]["town"].isna().sum() == 12


@pytest.mark.parametrize("file", ["t.csv", "t.parquet"])
@pytest.mark.parametrize("dtype", ["int64", "float64"])
def test_the_number_that_stands_for_a_missing_value_is_none(file: str, dtype: str) -> None:
    rows = table().assign(size=np.where(np.arange(ROWS) % 5 == 0, -99, np.arange(ROWS) % 3))
    rows = rows[["age", "size", "y"]].astype({"size": dtype})
    rows.to_csv("t.csv", index=False)
    rows.to_parquet("t.parquet")
    data = Data(path=file, target="y", reading=Reading(missing=["", "-99"]), new_rows=file)
    prepared = prepare(data)
    assert prepared.warnings == []
    assert prepared.contract.schema.columns["size"] == Column(Kind.numeric, True, 0, 2)
    assert prepared.encoding.numbers["size"].missing_indicator
    together = pd.concat(prepared.parts.values()).sort_index()["size"]
    assert together.isna().tolist() == prepared.new_rows["size"].isna().tolist()
    assert together.isna().tolist() == [row % 5 == 0 for row in range(ROWS)]


@pytest.mark.parametrize(
    ("write", "decimal"),
    [
        (lambda rows: rows.to_csv("t", index=False, sep=";", decimal=",", encoding="latin-1"), ","),
        (lambda rows: rows.to_csv("t", index=False, sep=";", encoding="latin-1"), "."),
        # It says nothing of how CSV files are written.
        (lambda rows: rows.to_parquet("t.parquet"), None),
    ],
)
def test_rows_to_predict_are_written_as_the_training_table_but_for_its_layout(
    write: Callable[[pd.DataFrame], None], decimal: str | None
) -> None:
    write(table())
    (path,) = [path.name for path in Path().iterdir()]
    given = Reading(thousands="'", encoding="latin-1", missing=["", "?"])
    prepared = prepare(Data(path=path, target="y", reading=given))
    assert prepared.contract.reading == replace(given, decimal=decimal)
    if decimal:
        exact = replace(given, delimiter=";", header=True, decimal=decimal)
        again = prepare(Data(path=path, target="y", reading=exact))
        assert again.contract == prepared.contract


# The tables that come with the project


def test_the_notebook_s_table_gives_no_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    plain = yaml.safe_load(Path("conf/data/proportional.yaml").read_text("utf-8"))
    merged = OmegaConf.merge(OmegaConf.structured(Data), OmegaConf.create(plain))
    prepared = prepare(cast("Data", OmegaConf.to_object(merged)))
    assert prepared.warnings == []
    assert prepared.parts["train"].to_numpy().tolist() == [
        [1, 4], [3, 12], [2, 8], [10, 40], [4, 16], [7, 28], [8, 32],
    ]  # fmt: skip
    assert prepared.new_rows["X"].tolist() == [5, -3]


# Dates


def dated(*cells: str) -> pd.DataFrame:
    """The table, with these dates in turn in place of its own."""
    return table().assign(seen=[cells[row % len(cells)] for row in range(ROWS)])


def test_the_format_of_dates_is_in_the_schema_and_new_rows_are_read_by_it() -> None:
    rows = dated("28-May-15", "1-Jun-15", "9-Jul-15")
    rows.drop(columns="y").head(3).to_csv("new.csv", index=False)
    prepared = made(rows, new_rows="new.csv")
    assert prepared.contract.schema.columns["seen"].format == "%d-%b-%y"
    assert prepared.new_rows["seen"].dt.month.tolist() == [5, 6, 7]
    assert prepared.used_as["seen"].endswith("; written as %d-%b-%y")
    assert prepared.warnings == []


def test_a_format_that_is_set_replaces_that_of_the_schema() -> None:
    rows = dated("03/04/2024", "05/06/2024", "07/08/2024")
    first = made(rows)
    assert first.schema.columns["seen"].format == "%d/%m/%Y"
    assert "set data.date_formats={seen: '%m/%d/%Y'}" in first.warnings[0]
    again = made(rows, stored=first.schema, date_formats={"seen": "%m/%d/%Y"})
    assert again.schema.columns["seen"].format == "%m/%d/%Y"
    assert again.schema.columns["seen"].max == "2024-07-08T00:00:00"
    assert again.warnings == []


def test_text_becomes_dates_as_the_message_says_even_if_a_schema_is_stored() -> None:
    rows = dated("2024_001", "2024_002", "2024_003")
    first = made(rows)
    assert first.schema.columns["seen"].kind is Kind.category
    assert refusal(rows, first.schema, kinds={"seen": Kind.date}) == (
        "t.csv, row 1 below the header, column 'seen': '2024_001' is in no format of dates that is"
        " known; set data.date_formats={seen: '%d.%m.%Y'}, with the format that it has, or set"
        " data.kinds={seen: category}"
    )
    again = made(rows, first.schema, date_formats={"seen": "%Y_%j"})
    assert again.schema.columns["seen"] == Column(
        Kind.date,
        min="2024-01-01T00:00:00",
        max="2024-01-03T00:00:00",
        format="%Y_%j",
        zone=False,
    )


def test_digits_are_read_by_the_format_that_is_set_with_their_zeros() -> None:
    rows = dated("0043", "1317", "0905")
    rows.drop(columns="y").head(3).to_csv("new.csv", index=False)
    prepared = made(rows, date_formats={"seen": "%H%M"}, new_rows="new.csv")
    assert prepared.new_rows["seen"].dt.hour.tolist() == [0, 13, 9]
    assert prepared.schema.columns["seen"].min == "00:43:00"


def test_a_format_that_is_none_is_named() -> None:
    assert refusal(date_formats={"seen": "%Q"}) == (
        "data.date_formats: seen is '%Q', but must be ISO8601, a strptime format such as"
        " '%d.%m.%Y', or a list of formats"
    )
    unknown = refusal(date_formats={"sene": "%Y"})
    assert unknown.startswith("t.csv: has no column 'sene' (data.date_formats); ")


def test_integers_are_dates_but_not_as_the_target() -> None:
    rows = table().assign(seen=[20240101 + row % 28 for row in range(ROWS)])
    assert made(rows).schema.columns["seen"].format == "%Y%m%d"
    rows = rows.assign(y=rows["seen"], seen=rows["y"])
    assert made(rows).schema.columns["y"].kind is Kind.numeric


def test_a_time_of_day_out_of_range_is_named_as_it_is_written() -> None:
    rows = dated("13:08", "10:29", "20:59")
    prepared = made(rows)
    changed = rows.assign(seen=["22:15", *rows["seen"][1:]])
    warned = Violations(out_of_range=Policy.warn)
    [line] = made(changed, stored=prepared.schema, violations=warned).warnings
    assert "column 'seen': the value '22:15:00' is not within 10:29:00 to 20:59:00" in line
