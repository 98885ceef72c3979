"""What the columns of a table are, and what is told of rows that do not keep to it."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config.data import Kind, Policy, Reading, Violations
from pipeline.runtime.errors import UserError
from pipeline.schema import conversion, inference, schema_file, violations
from pipeline.schema.columns import Column, Schema
from pipeline.schema.contract import Contract

MISSING = ["", "NA"]
FLOAT32_MOST = float(np.finfo(np.float32).max)


def place(position: int) -> str:
    return f"table.csv, row {position + 1} below the header"


def one(values: Any) -> pd.DataFrame:
    """A table of one column, a."""
    return pd.DataFrame({"a": values})


def inferred(values: Any, **kinds: Kind) -> Column:
    return inference.infer(one(values), kinds).columns["a"]


def conformed(values: Any, kind: Kind, date_format: str | None = None) -> "pd.Series[Any]":
    columns = Schema({"a": Column(kind, format=date_format)})
    return conversion.conform(one(values), columns, place, missing=MISSING, inferred=["a"])["a"]


def stamps(*texts: str | None) -> "pd.Series[Any]":
    """As a Parquet file has them."""
    return pd.to_datetime(pd.Series(texts), format="ISO8601").astype("datetime64[us]")


def dates(*texts: str | None) -> list[Any]:
    return stamps(*texts).tolist()


def fails(message: str) -> Any:
    return pytest.raises(UserError, match=f"^{re.escape(message)}$")


# What a column is taken for


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2], Kind.numeric),
        ([1.5, None], Kind.numeric),
        (["1", "2", "x"], Kind.numeric),
        (["1", "x"], Kind.category),
        ([None, None], Kind.numeric),
        ([True, False], Kind.boolean),
        ([True, None, False], Kind.boolean),
        (["true", "FALSE", None], Kind.boolean),
        (["true", "maybe"], Kind.category),
        (["red", "blue", None], Kind.category),
        (stamps("2024-03-21", None), Kind.date),
        (["2024-03-21", "2024-02-29"], Kind.date),
        (["2024-02-29", "2023-02-29"], Kind.category),
        (["25-34", "18-24"], Kind.category),
        (["now", "today"], Kind.category),
    ],
)
def test_a_column_is_taken_for_what_its_values_look_like(values: Any, kind: Kind) -> None:
    assert inferred(values).kind is kind


@pytest.mark.parametrize(
    ("text", "date_format"),
    [
        ("2024-03-21", "ISO8601"),
        ("2024-03-21T17:30:00Z", "ISO8601"),
        ("2024-03-21 17:30", "ISO8601"),
        ("21.03.2024", "%d.%m.%Y"),
        ("21.3.2024 17:30", "%d.%m.%Y %H:%M"),
        ("21/03/2024", "%d/%m/%Y"),
        ("03/21/2024", "%m/%d/%Y"),
        ("03/21/2024 17:30:59", "%m/%d/%Y %H:%M:%S"),
        ("21-03-2024", "%d-%m-%Y"),
    ],
)
def test_the_format_of_dates_is_found(text: str, date_format: str) -> None:
    assert inferred([text, None]) == Column(Kind.date, missing=True, format=date_format)


def test_iso_dates_with_and_without_a_time_are_of_one_format() -> None:
    assert inferred(["2024-03-21", "2024-03-21 17:30"]).format == "ISO8601"


def test_one_value_in_twenty_may_be_no_date() -> None:
    values = ["2024-03-21"] * 19 + ["soon"]
    assert inferred(values).kind is Kind.date
    with fails(
        "table.csv, row 20 below the header, column 'a': 'soon' is no date of the format ISO8601;"
        " mend it, add it to data.reading.missing if it stands for a missing value, or set"
        " data.kinds={a: category}"
    ):
        conformed(values, Kind.date)


def test_values_may_be_missing_where_some_are() -> None:
    assert inferred([1.0, None]).missing
    assert not inferred([1.0, 2.0]).missing


@pytest.mark.parametrize("kind", Kind)
def test_a_kind_that_is_given_overrides_the_look(kind: Kind) -> None:
    assert inferred([0, 1], a=kind).kind is kind
    assert inference.infer(one([0, 1]), {"b": kind}).columns["a"].kind is Kind.numeric


def test_a_date_that_is_given_as_one_has_its_format_found() -> None:
    mixed = ["21.03.2024"] * 9 + ["1"]
    assert inferred(mixed, a=Kind.date).format == "%d.%m.%Y"
    assert inferred(["x"], a=Kind.date).format is None
    assert inferred(["21.03.2024"], a=Kind.category).format is None


# What becomes of the cells


@pytest.mark.parametrize(
    ("kind", "values", "made"),
    [
        (Kind.numeric, [1, 2], [1.0, 2.0]),
        (Kind.numeric, ["1e3", " 2 ", None], [1000.0, 2.0, None]),
        (Kind.numeric, ["1", "NA", ""], [1.0, None, None]),
        (Kind.numeric, [True, False], [1.0, 0.0]),
        (Kind.numeric, [FLOAT32_MOST, -FLOAT32_MOST], [FLOAT32_MOST, -FLOAT32_MOST]),
        (Kind.boolean, [True, False], [1.0, 0.0]),
        (Kind.boolean, [True, None, False], [1.0, None, 0.0]),
        (Kind.boolean, ["True", "NA", "false"], [1.0, None, 0.0]),
        (Kind.boolean, [1, 0], [1.0, 0.0]),
        (Kind.boolean, [1.0, None], [1.0, None]),
        (Kind.category, ["red", "NA", None], ["red", None, None]),
        (Kind.category, [70, 80], ["70", "80"]),
        (Kind.category, [70.0, None], ["70", None]),
        (Kind.category, [70.5, 80.0], ["70.5", "80.0"]),
        (Kind.category, [1e300, 80.0], ["1e+300", "80.0"]),
        (Kind.category, [None, None], [None, None]),
        (Kind.category, [True, False], ["True", "False"]),
        (Kind.date, stamps("2024-03-21", None), dates("2024-03-21", None)),
        (
            Kind.date,
            ["2024-03-21", "2024-03-21T17:30", "NA"],
            dates("2024-03-21 00:00", "2024-03-21 17:30", None),
        ),
        (Kind.date, [2023, 2024], dates("2023-01-01", "2024-01-01")),
        (Kind.date, [2023.0, None], dates("2023-01-01", None)),
    ],
)
def test_a_column_becomes_one_of_its_kind(kind: Kind, values: Any, made: Any) -> None:
    dtype = {Kind.category: "str", Kind.date: "datetime64[us]"}.get(kind, "float64")
    expected: pd.Series[Any] = pd.Series(made, name="a", dtype=dtype)
    pd.testing.assert_series_equal(conformed(values, kind), expected)


def test_dates_of_the_column_s_format_are_read_by_it() -> None:
    assert conformed(["3.4.2024"], Kind.date, "%d.%m.%Y").tolist() == dates("2024-04-03")
    assert conformed(["3/4/2024"], Kind.date, "%m/%d/%Y").tolist() == dates("2024-03-04")


def test_iso_dates_are_understood_beside_any_format() -> None:
    made = conformed(["3/4/2024", "2024-03-05", None], Kind.date, "%m/%d/%Y")
    assert made.tolist() == dates("2024-03-04", "2024-03-05", None)


def test_a_date_with_a_zone_is_universal_time() -> None:
    text = "2024-03-21T01:00:00+02:00"
    for values in ([text], pd.to_datetime([text])):
        assert conformed(values, Kind.date).tolist() == dates("2024-03-20 23:00")


@pytest.mark.parametrize(
    ("kind", "values", "value", "words"),
    [
        (Kind.numeric, ["1", "NA", "12o"], "12o", "no finite number of float32"),
        (Kind.numeric, [1.0, 2.0, np.inf], "inf", "no finite number of float32"),
        (Kind.numeric, ["1", "2", "-inf"], "-inf", "no finite number of float32"),
        (Kind.numeric, [1.0, 2.0, -3.5e38], "-3.5e+38", "no finite number of float32"),
        (
            Kind.numeric,
            stamps(None, None, "2024-03-21"),
            "2024-03-21 00:00:00",
            "no finite number of float32",
        ),
        (Kind.boolean, ["true", "NA", "yes"], "yes", "neither true nor false"),
        (Kind.boolean, [1, 0, 2], "2", "neither true nor false"),
        (
            Kind.date,
            ["2024-03-21", "NA", "2023-02-29"],
            "2023-02-29",
            "no date of the format ISO8601",
        ),
        (Kind.date, ["2024-03-21", "2024", "now"], "now", "no date of the format ISO8601"),
    ],
)
def test_the_first_cell_that_is_not_of_its_kind_is_named(
    kind: Kind, values: Any, value: str, words: str
) -> None:
    columns = Schema({"a": Column(kind)})
    with fails(f"table.csv, row 3 below the header, column 'a': {value!r} is {words}; mend it"):
        conversion.conform(one(values), columns, place, missing=MISSING)


def test_the_format_that_a_date_is_not_of_is_named() -> None:
    with pytest.raises(UserError, match=r"'2.13.2024' is no date of the format %d.%m.%Y; mend it"):
        conformed(["2.13.2024"], Kind.date, "%d.%m.%Y")


@pytest.mark.parametrize("name", ["a_1", "größe", "it's a name", 'a "b": c', "1"])
def test_where_the_kind_was_a_guess_there_is_a_way_out_that_works(name: str) -> None:
    table, columns = pd.DataFrame({name: ["x"]}), Schema({name: Column(Kind.numeric)})
    with pytest.raises(UserError) as caught:
        conversion.conform(table, columns, place, inferred=[name])
    said, way = str(caught.value).split(" if it stands for a missing value, or ")
    assert said.endswith(
        "'x' is no finite number of float32; mend it, add it to data.reading.missing"
    )
    if way.startswith("set "):
        override = OverridesParser.create().parse_override(way.removeprefix("set "))
        assert (override.key_or_group, override.value()) == ("data.kinds", {name: "category"})
    else:
        stated = way.removeprefix("write ").removesuffix(" under data in params.yaml")
        assert yaml.safe_load(stated) == {"kinds": {name: "category"}}


@pytest.mark.parametrize(
    ("kind", "value"), [(Kind.numeric, float("inf")), (Kind.numeric, 1e39), (Kind.boolean, 2)]
)
def test_a_number_that_is_too_large_is_no_category_for_all_that(kind: Kind, value: float) -> None:
    with pytest.raises(UserError, match=r"; mend it$"):
        conformed([value], kind)


@pytest.mark.parametrize(
    ("kind", "values", "made"),
    [
        (Kind.numeric, [-999, 1], [None, 1.0]),
        (Kind.numeric, [-999.0, 1.5], [None, 1.5]),
        (Kind.numeric, ["-999", "1"], [None, 1.0]),
        (Kind.boolean, [-999, 1], [None, 1.0]),
    ],
)
def test_a_number_may_stand_for_a_missing_value(kind: Kind, values: Any, made: Any) -> None:
    columns = Schema({"a": Column(kind)})
    rows = conversion.conform(one(values), columns, place, missing=["NA", "-999"])
    pd.testing.assert_frame_equal(rows, one(made).astype("float64"))


def test_true_and_false_are_no_codes_for_a_missing_value() -> None:
    rows = conversion.conform(
        one([True, False]), Schema({"a": Column(Kind.boolean)}), place, missing=["0", "1"]
    )
    assert rows["a"].tolist() == [1.0, 0.0]


def test_without_markers_a_text_is_what_it_says() -> None:
    made = conversion.conform(one(["NA"]), Schema({"a": Column(Kind.category)}), place)
    assert made["a"].tolist() == ["NA"]


def test_columns_may_stand_in_any_order_and_others_are_ignored() -> None:
    table = pd.DataFrame({"b": ["x"], "other": [object()], "a": [1]}, index=[7])
    made = conversion.conform(
        table, Schema({"a": Column(Kind.numeric), "b": Column(Kind.category)}), place
    )
    pd.testing.assert_frame_equal(made, pd.DataFrame({"a": [1.0], "b": ["x"]}, index=[7]))


def test_a_column_that_is_lacking_is_named() -> None:
    with fails("table.csv: has no column 'c', which the model reads; it has b, a"):
        conversion.conform(
            pd.DataFrame({"b": [1], "a": [1]}), Schema({"c": Column(Kind.numeric)}), place
        )


def test_of_very_many_columns_the_first_are_named() -> None:
    table = pd.DataFrame(columns=[f"x{number}" for number in range(23)])
    assert conversion.named(table).endswith("x18, x19 and 3 more")


TELLING = [
    "1",
    "-1.5e3",
    "inf",
    "true",
    "False",
    "2024-03-21",
    "21.03.2024",
    "now",
    "nan",
    "02/03/24",
]


@settings(max_examples=30)
@given(
    st.lists(st.none() | st.sampled_from(TELLING) | st.text(max_size=4), min_size=1, max_size=12)
)
def test_any_text_conforms_to_what_is_inferred_of_it_or_is_refused(
    cells: list[str | None],
) -> None:
    table = one(pd.Series(cells, dtype="str"))
    columns = inference.infer(table, {})
    try:
        made = conversion.conform(table, columns, place)
    except UserError:
        return
    again = conversion.conform(made, columns, place)
    pd.testing.assert_frame_equal(again, made)
    assert violations.violations(made, columns, Violations(), place) == []


# What a table has

TRAIN = pd.DataFrame(
    {
        "number": [1.5, np.nan, -2.0],
        "flag": [1.0, 0.0, np.nan],
        "colour": ["red", None, "blue"],
        "when": stamps("2024-03-21 17:30", "2023-01-01", None),
        "nothing": [np.nan, np.nan, np.nan],
    }
).astype({"colour": "str"})
COLUMNS = Schema(
    {
        "number": Column(Kind.numeric, missing=True),
        "flag": Column(Kind.boolean, missing=True),
        "colour": Column(Kind.category, missing=True),
        "when": Column(Kind.date, missing=True, format="ISO8601"),
        "nothing": Column(Kind.numeric, missing=True),
    }
)
OBSERVED = inference.observed(COLUMNS, TRAIN, TRAIN, COLUMNS.columns)


def test_ranges_and_categories_are_those_of_the_rows() -> None:
    assert OBSERVED.plain() == {
        "number": {"kind": "numeric", "missing": True, "least": -2.0, "most": 1.5},
        "flag": {"kind": "boolean", "missing": True},
        "colour": {"kind": "category", "missing": True, "categories": ["blue", "red"]},
        "when": {
            "kind": "date",
            "missing": True,
            "least": "2023-01-01T00:00:00",
            "most": "2024-03-21T17:30:00",
            "format": "ISO8601",
        },
        "nothing": {"kind": "numeric", "missing": True},
    }


def test_categories_are_those_of_the_training_part_and_ranges_those_of_all_rows() -> None:
    rows = pd.concat(
        [TRAIN, TRAIN.assign(number=9.0, colour="pink", when=pd.Timestamp(2030, 1, 1))]
    )
    seen = inference.observed(COLUMNS, TRAIN, rows, COLUMNS.columns).columns
    assert (seen["number"].least, seen["number"].most) == (-2.0, 9.0)
    assert seen["when"].most == "2030-01-01T00:00:00"
    assert seen["colour"].categories == ["blue", "red"]


def test_columns_that_are_not_named_stay_as_they_were() -> None:
    assert inference.observed(COLUMNS, TRAIN, TRAIN, ["colour"]).columns == COLUMNS.columns | {
        "colour": OBSERVED.columns["colour"]
    }


@pytest.mark.parametrize(("count", "kept"), [(1000, True), (1001, False)])
def test_of_very_many_categories_none_is_unexpected(count: int, *, kept: bool) -> None:
    train = one([str(number) for number in range(count)]).astype("str")
    columns = Schema({"a": Column(Kind.category)})
    seen = inference.observed(columns, train, train, ["a"]).columns["a"]
    assert (seen.categories is not None) == kept


def test_the_rows_themselves_do_not_deviate() -> None:
    strict = Violations(Policy.error, Policy.error, Policy.error)
    assert violations.violations(TRAIN, OBSERVED, strict, place) == []


# What is told of rows that deviate

EXPECTED = Schema(
    {
        "a": Column(Kind.numeric, least=0.0, most=5.0),
        "b": Column(Kind.category, categories=["blue", "red"]),
        "c": Column(Kind.date, least="2023-01-01T00:00:00", most="2024-01-01T00:00:00"),
        "d": Column(Kind.numeric, least=0.0, most=5.0),
    }
)
GOOD = pd.DataFrame(
    {"a": [0.0, 5.0, 1.0], "b": ["red", "blue", "red"], "c": ["2023-01-01"] * 3, "d": [1.0] * 3}
).astype({"b": "str", "c": "datetime64[us]"})


def told(table: pd.DataFrame, kind: str, columns: Schema = EXPECTED) -> list[str]:
    """What is told under each policy of one kind of deviation."""

    def judged(policy: Policy) -> list[str]:
        accept = dict.fromkeys(violations.FINDERS, Policy.accept)
        return violations.violations(table, columns, Violations(**(accept | {kind: policy})), place)

    warned = judged(Policy.warn)
    assert judged(Policy.accept) == []
    if warned:
        (line,) = warned
        key = f"data.violations.{kind}"
        mend = f"; mend it, or set {key}=warn in params.yaml and run dvc repro"
        with fails(line.replace(f" ({key})", mend)):
            judged(Policy.error)
    else:
        assert judged(Policy.error) == []
    return warned


@pytest.mark.parametrize("kind", violations.FINDERS)
def test_of_rows_as_expected_nothing_is_told(kind: str) -> None:
    assert told(GOOD, kind) == []


@pytest.mark.parametrize(
    ("changed", "kind", "line"),
    [
        (
            {"a": [1.0, np.nan, 2.0]},
            "missing_value",
            "row 2 below the header, column 'a': the value is missing",
        ),
        (
            {"a": [1.0, np.nan, np.nan], "d": np.nan, "b": [None, "red", "red"]},
            "missing_value",
            (
                "row 2 below the header, column 'a': the value is missing, and 1 more;"
                " likewise in 'b', 'd'"
            ),
        ),
        (
            {"b": ["red", "pink", "green"]},
            "unseen_category",
            (
                "row 2 below the header, column 'b': the value 'pink' is none of the"
                " categories, and 1 more"
            ),
        ),
        (
            {"a": [-1.0, np.nan, 5.5]},
            "out_of_range",
            (
                "row 1 below the header, column 'a': the value '-1.0' is not within 0.0 to 5.0,"
                " and 1 more"
            ),
        ),
        (
            {"c": stamps("2024-01-01", "2024-01-01 00:01", None)},
            "out_of_range",
            (
                "row 2 below the header, column 'c': the value '2024-01-01 00:01:00' is not within"
                " 2023-01-01T00:00:00 to 2024-01-01T00:00:00"
            ),
        ),
        (
            {"a": 6.0, "d": -6.0},
            "out_of_range",
            (
                "row 1 below the header, column 'a': the value '6.0' is not within 0.0 to 5.0,"
                " and 2 more; likewise in 'd'"
            ),
        ),
    ],
)
def test_a_deviation_is_told_as_its_policy_says(
    changed: dict[str, Any], kind: str, line: str
) -> None:
    table = GOOD.assign(**changed).astype({"b": "str"})
    assert told(table, kind) == [f"table.csv, {line} (data.violations.{kind})"]


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (Column(Kind.numeric, least=2), "'1.0' is below 2"),
        (Column(Kind.numeric, most=0), "'1.0' is above 0"),
        (Column(Kind.numeric, least=0), None),
        (Column(Kind.numeric, most=2), None),
    ],
)
def test_one_bound_is_enough(column: Column, said: str | None) -> None:
    lines = told(GOOD[["d"]], "out_of_range", Schema({"d": column}))
    assert len(lines) == (said is not None)
    assert said is None or f"the value {said}, and 2 more (" in lines[0]


def test_all_errors_are_told_at_once() -> None:
    table = GOOD.assign(a=9.0, b=pd.Series([None, "red", "pink"], dtype="str"))
    policies = Violations(Policy.error, Policy.warn, Policy.error)
    with pytest.raises(UserError) as caught:
        violations.violations(table, EXPECTED, policies, place)
    lines = str(caught.value).splitlines()
    assert [line.rpartition("; ")[2] for line in lines] == [
        f"mend it, or set data.violations.{kind}=warn in params.yaml and run dvc repro"
        for kind in ("missing_value", "out_of_range")
    ]


def test_where_values_may_be_missing_none_is_told() -> None:
    columns = Schema({"a": Column(Kind.numeric, missing=True)})
    assert told(one([np.nan]), "missing_value", columns) == []


# Dates that could be others


def doubts(*texts: str | None) -> list[str]:
    table = one(pd.Series(texts, dtype="str"))
    return inference.doubts(table, inference.infer(table, {}), place)


def test_dates_that_another_format_reads_as_other_days_are_doubtful() -> None:
    assert doubts(None, "03/04/2024", "05/06/2024") == [
        (
            "table.csv, column 'a': '03/04/2024' is read as %d/%m/%Y, but could be %m/%d/%Y; if"
            " it is, say so as its format in data/schema/"
        )
    ]
    assert len(doubts("03/04/2024 17:30")) == 1


@pytest.mark.parametrize(
    "texts",
    [
        ("03/04/2024", "13/04/2024"),
        ("03/04/2024", "03/13/2024"),
        ("03/03/2024", "04/04/2024"),
        ("03.04.2024",),
        ("2024-03-04",),
        ("red", "blue"),
    ],
)
def test_dates_that_can_be_read_in_one_way_are_not(texts: tuple[str, ...]) -> None:
    assert doubts(*texts) == []


# The file


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
    assert schema_file.file_of(source) == Path(f"data/schema/{name}.yaml")


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of the schema of raw/table.csv, in whose folder the test is."""
    monkeypatch.chdir(tmp_path)
    path = schema_file.file_of("raw/table.csv")
    path.parent.mkdir(parents=True)
    return path


ODD = Schema(
    {
        **OBSERVED.columns,
        "Größe: 'a', \"b\" # 価": Column(Kind.category, categories=["yes", "70", "", "null"]),
        "1": Column(Kind.date, least="2024-03-21", format="%d.%m.%Y"),
        "large": Column(Kind.numeric, least=-1e300, most=1e16),
    }
)


def test_a_schema_is_read_as_it_was_written(kept: Path) -> None:
    kept.write_text(schema_file.text(ODD, "raw/table.csv"), "utf-8")
    read = schema_file.known("raw/table.csv")
    assert read == ODD
    assert read is not None
    assert list(read.columns) == list(ODD.columns)


def test_its_file_says_what_it_is_for() -> None:
    written = schema_file.text(ODD, "raw/table.csv")
    assert written.startswith(
        "# What is expected of raw/table.csv, as its first reading found it. Edit and commit it:\n"
        "# later rows are held against it. Delete it to have it inferred anew.\n"
        "path: raw/table.csv\n"
    )
    assert "Größe" in written


@pytest.mark.usefixtures("kept")
def test_of_a_new_table_nothing_is_known() -> None:
    assert schema_file.known("raw/table.csv") is None


def test_the_schema_of_another_table_of_that_name_is_not_taken(kept: Path) -> None:
    kept.write_text(schema_file.text(ODD, "elsewhere/table.csv"), "utf-8")
    assert schema_file.known("raw/table.csv") is None
    assert schema_file.known("elsewhere/table.csv") == ODD


def test_dates_may_be_edited_without_quotes(kept: Path) -> None:
    kept.write_text(
        "path: raw/table.csv\ncolumns:\n a: {kind: date, least: 2024-03-21, most: 2024-03-22 10:00"
        ":00, format: null}\n",
        "utf-8",
    )
    assert schema_file.known("raw/table.csv") == Schema(
        {"a": Column(Kind.date, least="2024-03-21", most="2024-03-22 10:00:00")}
    )


KINDS = "numeric, category, boolean, date"


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (
            {"a": {"kind": "numeric", "min": 1}},
            (
                ", column 'a': unknown key 'min'; known are kind,"
                " missing, least, most, categories, format"
            ),
        ),
        ({"a": {"kind": "number"}}, f", column 'a': kind is 'number', but must be one of {KINDS}"),
        ({"a": {"kind": ["date"]}}, f", column 'a': kind is ['date'], but must be one of {KINDS}"),
        ({"a": {"missing": True}}, f", column 'a': has no kind; it is one of {KINDS}"),
        ({"a": "numeric"}, f", column 'a': has no kind; it is one of {KINDS}"),
        (["a"], ": must map columns to what is expected of them"),
        (None, ": must map columns to what is expected of them"),
        (
            {"a": {"kind": "numeric", "missing": "no"}},
            ", column 'a': missing is 'no', but must be true or false",
        ),
        (
            {"a": {"kind": "numeric", "least": "low"}},
            ", column 'a': least is 'low', but must be a number",
        ),
        (
            {"a": {"kind": "numeric", "most": float("inf")}},
            ", column 'a': most is inf, but must be a number",
        ),
        (
            {"a": {"kind": "date", "most": 2024}},
            ", column 'a': most is 2024, but must be a date such as '2024-03-21', without a zone",
        ),
        (
            {"a": {"kind": "date", "most": "2024-03-21T00:00Z"}},
            (
                ", column 'a': most is"
                " '2024-03-21T00:00Z', but must be a date such as '2024-03-21', without a zone"
            ),
        ),
        (
            {"a": {"kind": "category", "least": 1}},
            ", column 'a': least is 1, but must be left out: categories have no order",
        ),
        (
            {"a": {"kind": "category", "categories": ["70", 71]}},
            (
                ", column 'a': categories is"
                " ['70', 71], but must be a list of texts; quote those that YAML takes for"
                " something else"
            ),
        ),
        (
            {"a": {"kind": "date", "format": "%q"}},
            (
                ", column 'a': format is '%q', but must be"
                " ISO8601 or one of strptime, such as '%d.%m.%Y'"
            ),
        ),
    ],
)
def test_a_mistake_in_an_edited_schema_is_named(kept: Path, columns: Any, said: str) -> None:
    kept.write_text(yaml.safe_dump({"path": "raw/table.csv", "columns": columns}), "utf-8")
    with fails(f"data/schema/table.csv.yaml{said}"):
        schema_file.known("raw/table.csv")


@pytest.mark.parametrize("content", [b"path: [raw\n: x", b"\xff\xfe\xff", b"path: @x\n"])
def test_a_file_that_is_not_yaml_is_named_in_one_line(kept: Path, content: bytes) -> None:
    kept.write_bytes(content)
    with pytest.raises(UserError, match=r"^data/schema/table\.csv\.yaml: not YAML: .+$") as caught:
        schema_file.known("raw/table.csv")
    assert "\n" not in str(caught.value)


# The contract

CONTRACT = Contract("Δy", ODD, Reading(missing=["", "-999"]), Violations(out_of_range=Policy.error))


def test_a_contract_is_read_as_it_was_written(tmp_path: Path) -> None:
    CONTRACT.write(tmp_path / "contract.json")
    assert Contract.read(tmp_path / "contract.json") == CONTRACT
    assert "Größe" in (tmp_path / "contract.json").read_text("utf-8")


def test_rows_that_keep_to_a_contract_come_conformed_and_the_others_are_told() -> None:
    contract = Contract("y", EXPECTED.only(["b", "a"]), Reading(missing=["-999"]), Violations())
    rows, warnings = contract.kept(pd.DataFrame({"a": ["1"], "b": ["pink"], "x": [0]}), place)
    assert rows.to_dict("list") == {"b": ["pink"], "a": [1.0]}
    assert warnings == [
        (
            "table.csv, row 1 below the header, column 'b': the value 'pink' is none of"
            " the categories (data.violations.unseen_category)"
        )
    ]
    with fails(
        "table.csv, row 1 below the header, column 'a': the value is missing;"
        " mend it, or set data.violations.missing_value=warn in params.yaml and run dvc repro"
    ):
        contract.kept(pd.DataFrame({"a": ["-999"], "b": ["red"]}), place)
