"""The file of a schema: its path, its content, and mistakes in it."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.config.data import Kind
from pipeline.runtime.errors import UserError
from pipeline.schema import schema_file
from pipeline.schema.columns import Column, Schema
from tests.schema.tables import ODD, fails


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("data/raw/table.csv", "table.csv"),
        ("data/raw/*.csv", "_.csv"),
        ("data/raw/*/part-*.csv", "part-_.csv"),
        ("sklearn:diabetes", "sklearn-diabetes"),
        ("data/raw/houses/", "houses"),
        ("data/raw/houses", "houses"),
        (".", "table"),
        ("/", "table"),
    ],
)
def test_a_schema_is_kept_under_the_name_of_its_table(source: str, name: str) -> None:
    assert schema_file.path_of(source) == Path(f"data/schema/{name}.yaml")


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of the schema of raw/table.csv, in whose folder the test is."""
    monkeypatch.chdir(tmp_path)
    path = schema_file.path_of("raw/table.csv")
    path.parent.mkdir(parents=True)
    return path


def test_a_schema_is_read_as_it_was_written(kept: Path) -> None:
    kept.write_text(schema_file.to_yaml(ODD, "raw/table.csv"), "utf-8")
    read = schema_file.read("raw/table.csv")
    assert read == ODD
    assert read is not None
    assert list(read.columns) == list(ODD.columns)


def test_the_file_explains_itself() -> None:
    written = schema_file.to_yaml(ODD, "raw/table.csv")
    assert written.startswith(
        "# What raw/table.csv is expected to hold, as inferred when it was first read. Edit and\n"
        "# commit it: later rows are checked against it. Delete it to have it inferred again.\n"
        "path: raw/table.csv\n"
    )
    assert "Größe" in written


@pytest.mark.usefixtures("kept")
def test_a_new_table_has_no_schema() -> None:
    assert schema_file.read("raw/table.csv") is None


def test_the_schema_of_another_table_of_that_name_is_not_used(kept: Path) -> None:
    kept.write_text(schema_file.to_yaml(ODD, "elsewhere/table.csv"), "utf-8")
    assert schema_file.read("raw/table.csv") is None
    assert schema_file.read("elsewhere/table.csv") == ODD


def test_dates_may_be_edited_without_quotes(kept: Path) -> None:
    kept.write_text(
        "path: raw/table.csv\ncolumns:\n a: {kind: date, min: 2024-03-21, max: 2024-03-22 10:00"
        ":00, format: null}\n",
        "utf-8",
    )
    assert schema_file.read("raw/table.csv") == Schema(
        {"a": Column(Kind.date, min="2024-03-21", max="2024-03-22 10:00:00")}
    )


KINDS = "numeric, category, boolean, date"


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"a": {"kind": "numeric", "minimum": 1}},
            (
                ", column 'a': unknown key 'minimum'; known are kind,"
                " missing, min, max, categories, format, zone, decimal, thousands, unit,"
                " suffixes"
            ),
        ),
        (
            {"a": {"kind": "numeric", "least": 1}},
            ", column 'a': the key 'least' was renamed to 'min'",
        ),
        (
            {"a": {"kind": "numeric", "most": 1}},
            ", column 'a': the key 'most' was renamed to 'max'",
        ),
        ({"a": {"kind": "number"}}, f", column 'a': kind is 'number', but must be one of {KINDS}"),
        ({"a": {"kind": ["date"]}}, f", column 'a': kind is ['date'], but must be one of {KINDS}"),
        ({"a": {"missing": True}}, f", column 'a': has no kind; it is one of {KINDS}"),
        ({"a": "numeric"}, f", column 'a': has no kind; it is one of {KINDS}"),
        (["a"], ": must map each column to its expected content"),
        (None, ": must map each column to its expected content"),
        (
            {"a": {"kind": "numeric", "missing": "no"}},
            ", column 'a': missing is 'no', but must be true or false",
        ),
        (
            {"a": {"kind": "numeric", "min": "low"}},
            ", column 'a': min is 'low', but must be a number",
        ),
        (
            {"a": {"kind": "numeric", "max": float("inf")}},
            ", column 'a': max is inf, but must be a number",
        ),
        (
            {"a": {"kind": "date", "max": 2024}},
            (
                ", column 'a': max is 2024, but must be a date such as '2024-03-21' or a time"
                " such as '16:24', without a time zone"
            ),
        ),
        (
            {"a": {"kind": "date", "max": "2024-03-21T00:00Z"}},
            (
                ", column 'a': max is"
                " '2024-03-21T00:00Z', but must be a date such as '2024-03-21' or a time such as"
                " '16:24', without a time zone"
            ),
        ),
        (
            {"a": {"kind": "category", "min": 1}},
            ", column 'a': min is 1, but must be left out: categories have no order",
        ),
        (
            {"a": {"kind": "category", "categories": ["70", 71]}},
            (
                ", column 'a': categories is"
                " ['70', 71], but must be a list of texts; quote those that YAML reads as"
                " another type"
            ),
        ),
        (
            {"a": {"kind": "date", "format": "%q"}},
            (
                ", column 'a': format is '%q', but must be ISO8601, a strptime format such as"
                " '%d.%m.%Y', or a list of formats"
            ),
        ),
    ],
)
def test_a_mistake_in_an_edited_schema_is_named(kept: Path, columns: Any, message: str) -> None:
    kept.write_text(yaml.safe_dump({"path": "raw/table.csv", "columns": columns}), "utf-8")
    with fails(f"data/schema/table.csv.yaml{message}"):
        schema_file.read("raw/table.csv")


@pytest.mark.parametrize("content", [b"path: [raw\n: x", b"\xff\xfe\xff", b"path: @x\n"])
def test_a_file_that_is_not_yaml_is_named_in_one_line(kept: Path, content: bytes) -> None:
    kept.write_bytes(content)
    with pytest.raises(
        UserError, match=r"^data/schema/table\.csv\.yaml: is not YAML: .+$"
    ) as caught:
        schema_file.read("raw/table.csv")
    assert "\n" not in str(caught.value)
