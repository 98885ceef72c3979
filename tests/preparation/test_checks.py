"""What is found in a table before training."""

import datetime as dt
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.data import Kind, Lint, Policy, Split
from pipeline.dataset.rows import PARTS
from pipeline.preparation.checks import KINDS as FINDINGS
from pipeline.preparation.checks import Finding, apply_policies, run_checks
from pipeline.preparation.split import split
from pipeline.runtime.errors import UserError
from pipeline.schema.columns import Column, Schema
from tests.locations import locate

ROWS = 300
TODAY = dt.date(2026, 1, 31)
KINDS = {"float64": Kind.numeric, "str": Kind.category, "datetime64[us]": Kind.date}

Parts = dict[str, pd.DataFrame]


def noise(seed: int) -> pd.Series:
    return pd.Series(np.random.default_rng(seed).normal(size=ROWS))


def table_of(**columns: Any) -> pd.DataFrame:
    """Features, beside a target y that has nothing to do with them."""
    return pd.DataFrame({**columns, "y": columns.get("y", noise(0))})


def texts(values: list[Any] | range) -> pd.Series:
    return pd.Series([None if value is None else str(value) for value in values], dtype="str")


def found_in(parts: Parts | pd.DataFrame, group: str | None = None) -> list[Finding]:
    """Of a table that is all trained on, or of parts."""
    if isinstance(parts, pd.DataFrame):
        parts = {"train": parts, "validation": parts.iloc[:0], "test": parts.iloc[:0]}
    kinds = {str(name): KINDS[str(dtype)] for name, dtype in parts["train"].dtypes.items()}
    return run_checks(
        parts,
        Schema({name: Column(kind) for name, kind in kinds.items()}),
        target="y",
        features=[name for name in kinds if name not in ("y", group)],
        group=group,
        today=TODAY,
        locate=locate,
    )


def thirds(table: pd.DataFrame) -> Parts:
    third = len(table) // 3
    return {part: table.iloc[at * third : (at + 1) * third] for at, part in enumerate(PARTS)}


def test_an_ordinary_table_has_no_findings() -> None:
    rng = np.random.default_rng(1)
    table = table_of(
        number=noise(1),
        whole=rng.integers(40, 400, ROWS) * 1.0,
        near=noise(0) + noise(2) / 20,
        gaps=noise(3).where(noise(4) > 0),
        rarely=texts(["yes"] + ["no"] * (ROWS - 1)),
        town=texts(rng.integers(0, 100, ROWS).tolist()),
        when=pd.Series(pd.date_range("2020-01-01", periods=ROWS)).astype("datetime64[us]"),
    )
    assert found_in(thirds(table)) == []
    assert found_in(table) == []


def test_every_policy_is_of_a_finding_that_exists() -> None:
    assert set(FINDINGS) == {item.name for item in fields(Lint)} - {"accept"}


# Of whole rows


def test_equal_rows_in_two_parts_are_found() -> None:
    parts = thirds(table_of(a=noise(1), b=texts(["x", "y", None] * 100)))
    parts["test"] = pd.concat([parts["test"], parts["train"].iloc[[2, 7]].set_axis([700, 800])])
    assert found_in(parts) == [
        Finding(
            "shared_rows",
            "",
            "table.csv, row 3 below the header, in train and table.csv, row 701 below the header,"
            " in test, and 1 more such",
        )
    ]


def test_equal_rows_in_one_part_are_no_concern() -> None:
    table = table_of(a=noise(1))
    assert found_in(pd.concat([table, table], ignore_index=True)) == []


def test_rows_of_equal_features_and_another_target_are_not_equal() -> None:
    parts = thirds(table_of(a=noise(1)))
    parts["test"] = parts["train"].assign(y=noise(3)).set_axis(range(200, 300))
    assert found_in(parts) == []


def test_groups_in_two_parts_are_found() -> None:
    parts = thirds(table_of(a=noise(1), g=texts([f"g{row // 60}" for row in range(ROWS)])))
    assert found_in(parts, group="g") == [
        Finding("shared_group", "g", "2 of 5, such as 'g1' in train and validation")
    ]


def test_whole_groups_and_missing_ones_are_no_concern() -> None:
    groups = texts([None if row % 2 else row // 100 for row in range(ROWS)])
    assert found_in(thirds(table_of(a=noise(1), g=groups)), group="g") == []


# The target


@pytest.mark.parametrize(("factor", "blur", "r"), [(1, 1e-3, "1.00000"), (-2.5, 0.02, "-0.99997")])
def test_a_number_that_goes_with_the_target_is_a_copy_of_it(
    factor: float, blur: float, r: str
) -> None:
    table = table_of(a=noise(1), b=factor * noise(0) + blur * noise(2) + 7)
    table.loc[3, "b"] = np.nan
    assert found_in(table) == [Finding("target_copy", "b", f"r = {r}")]


def test_four_rows_are_too_few_for_a_copy() -> None:
    first = [table_of(a=noise(0).where(noise(0).index < rows)) for rows in (4, 5)]
    assert [len(found_in(table)) for table in first] == [0, 1]


def test_a_table_that_is_linear_in_one_feature_is_a_copy_and_no_sum() -> None:
    assert [one.kind for one in found_in(table_of(a=noise(1), y=4 * noise(1)))] == ["target_copy"]


def test_categories_with_a_target_each_are_a_copy_of_it() -> None:
    price = pd.Series(np.arange(ROWS) % 40 * 1.5)
    assert found_in(table_of(a=texts([f"{value} EUR" for value in price]), y=price)) == [
        Finding("target_copy", "a", "each of 40 categories has a different target, in 300 rows")
    ]


@pytest.mark.parametrize(
    ("categories", "targets"),
    [(3, 3), (40, 20), (40, ROWS), (ROWS, ROWS)],
    ids=["few categories", "shared targets", "several targets each", "a row each"],
)
def test_categories_that_may_determine_the_target_by_chance_are_not_a_copy(
    categories: int, targets: int
) -> None:
    table = table_of(
        a=texts([row % categories for row in range(ROWS)]),
        y=pd.Series(np.arange(ROWS) % targets * 1.5),
    )
    assert "target_copy" not in {one.kind for one in found_in(table)}


@pytest.mark.parametrize(
    ("factors", "constant", "message"),
    [
        ([1, 1], 0, "= 1 · a + 1 · b"),
        ([-2, 0.5], 3, "= - 2 · a + 0.5 · b + 3"),
        ([10, 0, -3], -4, "= 10 · a - 3 · c - 4"),
        ([1] * 9, 0, "= 1 · a + 1 · b + 1 · c + 1 · d + 1 · e + 1 · f + 3 more terms"),
    ],
)
def test_a_target_that_is_a_sum_of_features_is_found(
    factors: list[float], constant: float, message: str
) -> None:
    features = {"abcdefghi"[number]: noise(number + 1) for number in range(len(factors))}
    terms = zip(factors, features.values(), strict=True)
    total = sum((factor * column for factor, column in terms), noise(0) * 0 + constant)
    features["a"] = features["a"].where(noise(20) > -1)
    assert found_in(table_of(**features, z=texts(["u", "v"] * 150), y=total)) == [
        Finding("target_sum", "", message)
    ]


def test_a_sum_with_an_error_is_none() -> None:
    y = noise(1) + noise(2) + noise(3) / 1000
    assert found_in(table_of(a=noise(1), b=noise(2), y=y)) == []


def test_few_rows_fit_any_sum() -> None:
    table = table_of(**{f"x{number}": noise(number + 1) for number in range(12)})
    assert found_in(table.iloc[:13]) == []


def test_a_sum_of_more_rows_than_are_looked_at_is_found() -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(50_000, 2)), columns=["a", "b"])
    found = found_in(table.assign(y=table["a"] - table["b"]))
    assert found == [Finding("target_sum", "", "= 1 · a - 1 · b")]


# Columns without information


def test_unique_texts_are_an_identifier() -> None:
    table = table_of(a=texts([min(row, 200) for row in range(ROWS)]))
    assert found_in(table) == [Finding("identifier", "a", "200 of 300 values are unique")]


@pytest.mark.parametrize(
    "values",
    [[*range(19), *[None] * (ROWS - 19)], [min(row, 180) for row in range(ROWS)]],
    ids=["19 values", "60 % differ"],
)
def test_fewer_unique_texts_are_categories(values: list[Any]) -> None:
    assert found_in(table_of(a=texts(values))) == []


@given(st.permutations(range(20)), st.integers(-30, 10**6))
def test_row_numbers_are_an_identifier(order: list[int], first: int) -> None:
    count = pd.Series(order, dtype="float64") + first
    assert found_in(table_of(a=count, y=noise(0)[:20])) == [
        Finding("identifier", "a", f"20 different integers from {first} to {first + 19}")
    ]


def test_row_numbers_are_found_in_a_training_part_with_gaps() -> None:
    table = table_of(a=pd.Series(np.arange(ROWS) * 1.0))
    parts = split(table, Split(validation=0.2, test=0.2), locate)
    assert [one.accept for one in found_in(parts)] == ["identifier:a"]


@pytest.mark.parametrize(
    "change",
    [
        lambda count: count[:19],
        lambda count: count * 2,
        lambda count: count + 0.5,
        lambda count: count // 2,
    ],
    ids=["19 rows", "with gaps", "not whole", "repeated"],
)
def test_other_numbers_are_no_identifier(change: Callable[[pd.Series], pd.Series]) -> None:
    assert found_in(table_of(a=change(pd.Series(np.arange(ROWS) * 1.0)))) == []


@pytest.mark.parametrize(
    ("column", "shown"),
    [(noise(0) * 0 + 0.5, "0.5"), (texts(["usa"] * ROWS), "'usa'")],
    ids=["number", "text"],
)
def test_a_column_of_one_value_is_constant(column: pd.Series, shown: str) -> None:
    assert found_in(table_of(a=column)) == [Finding("constant", "a", f"{shown} in 300 rows")]
    assert found_in(table_of(a=column.where(column.index > 0))) == []


@pytest.mark.parametrize("dtype", KINDS)
def test_a_column_without_a_value_is_found(dtype: str) -> None:
    column = pd.Series([None] * ROWS, dtype=dtype)
    assert found_in(table_of(a=column, b=noise(1))) == [
        Finding("all_missing", "a", "0 of 300 rows")
    ]


def test_future_dates_are_found() -> None:
    dates = pd.Series(["2026-01-31 23:59"] * 150 + ["2020-01-01"] * 150, dtype="datetime64[us]")
    parts = thirds(table_of(a=dates))
    assert found_in(parts | {"train": parts["train"].assign(a=dates[100:200].to_numpy())}) == []
    late = pd.Series(["2026-01-31", "2026-02-01", None, *["2026-01-30"] * 97], dtype=dates.dtype)
    parts["test"] = parts["test"].assign(a=late.to_numpy())
    parts["train"] = parts["train"].assign(a=dates[100:200].to_numpy())
    assert found_in(parts) == [
        Finding(
            "future_date",
            "a",
            "1 of 300 rows, such as 2026-02-01 in table.csv, row 202 below the header",
        )
    ]


def test_only_the_training_part_judges_a_column() -> None:
    train = table_of(a=noise(1), b=texts(range(ROWS)), c=noise(2), d=noise(0))
    before = found_in(train)
    held_out = table_of(a=noise(9), b=texts(["x"] * ROWS), c=noise(8), d=noise(7), y=noise(8))
    parts = {
        "train": train,
        "validation": train.iloc[:0],
        "test": held_out.set_axis(train.index + ROWS),
    }
    assert [one.accept for one in before] == ["identifier:b", "target_copy:d"]
    assert found_in(parts) == before


# Policies

COPY = Finding("target_copy", "price_eur", "r = 0.99999")
NAME = Finding("identifier", "car name", "312 of 398 values are unique")


def test_a_finding_is_one_line_with_a_remedy() -> None:
    assert COPY.message("data/raw/a.csv") == (
        "data/raw/a.csv, column 'price_eur': is a copy of the target (r = 0.99999);"
        " leave it out with data.leave_out=[price_eur],"
        " or accept it with data.lint.accept=[target_copy:price_eur]"
    )
    assert NAME.message("a.csv").endswith(
        "leave it out with data.leave_out=['car name'],"
        " or accept it with data.lint.accept=['identifier:car name']"
    )
    assert Finding("shared_rows", "", "row 3, in train and row 7, in test").message("a.csv") == (
        "a.csv: equal rows are in more than one part (row 3, in train and row 7, in test);"
        " remove the copies, or accept it with data.lint.accept=[shared_rows]"
    )
    assert Finding("shared_group", "g", "2 of 8").message("a.csv") == (
        "a.csv, column 'g': groups are in more than one part (2 of 8);"
        " split by them with data.split.by=group data.split.column=g,"
        " or accept it with data.lint.accept=[shared_group:g]"
    )


@pytest.mark.parametrize("kind", FINDINGS)
def test_each_finding_can_be_accepted_as_its_message_says(kind: str) -> None:
    one = Finding(kind, "a.b", "so it is")
    typed = one.message("t.csv").rpartition(" ")[2]
    accept = OverridesParser.create().parse_override(typed).value()
    lint = Lint()
    setattr(lint, kind, Policy.error)
    with pytest.raises(UserError):
        apply_policies([one], lint, "t.csv")
    assert isinstance(accept, list)
    lint.accept = accept
    assert apply_policies([one], lint, "t.csv") == []


@given(st.text(st.sampled_from("aZ_1 .:,'\"\\[]{}()=-+ü/#$"), min_size=1))
def test_any_name_can_be_typed_as_the_message_says(name: str) -> None:
    message = Finding("identifier", name, "").message("")
    typed = message[message.rindex("data.lint.accept=") :]
    assert OverridesParser.create().parse_override(typed).value() == [f"identifier:{name}"]


@pytest.mark.parametrize("name", ["null", "True", "nan", "inf", "1e5", "007"])
def test_a_name_that_hydra_would_take_for_a_value_is_quoted(name: str) -> None:
    assert f"data.leave_out=['{name}']" in Finding("identifier", name, "").message("")


def test_errors_are_raised_all_together_and_warnings_returned() -> None:
    assert apply_policies([NAME], Lint(), "a.csv") == [NAME]
    strict = Lint(identifier=Policy.error)
    with pytest.raises(UserError) as caught:
        apply_policies([COPY, NAME], strict, "a.csv")
    assert str(caught.value) == f"{COPY.message('a.csv')}\n{NAME.message('a.csv')}"


def test_an_accepted_finding_is_not_reported() -> None:
    lint = Lint(identifier=Policy.accept, accept=["target_copy:price_eur"])
    assert apply_policies([COPY, NAME], lint, "a.csv") == []


def test_another_column_is_not_accepted_with_it() -> None:
    with pytest.raises(UserError, match="price_eur"):
        apply_policies([COPY], Lint(accept=["target_copy:price"]), "a.csv")


def test_an_unknown_kind_cannot_be_accepted() -> None:
    with pytest.raises(UserError) as caught:
        apply_policies([], Lint(accept=["identifer:name"]), "a.csv")
    assert str(caught.value) == (
        "data.lint.accept: the kind 'identifer' of 'identifer:name' does not exist; the kinds are"
        " shared_rows, shared_group, target_copy, target_sum, identifier, constant,"
        " all_missing, future_date"
    )
