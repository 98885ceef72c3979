"""What is reported of rows that the schema does not expect."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.config.data import Kind, Policy, Violations
from pipeline.runtime.errors import UserError
from pipeline.schema.columns import Column, Schema
from pipeline.schema.violations import FINDERS, check_violations
from tests.locations import locate
from tests.schema.tables import EXPECTED, GOOD, fails, one, stamps


def reported(table: pd.DataFrame, kind: str, columns: Schema = EXPECTED) -> list[str]:
    """The warnings of one kind of violation; under the policy error the same are raised."""

    def under(policy: Policy) -> list[str]:
        accept = dict.fromkeys(FINDERS, Policy.accept)
        return check_violations(table, columns, Violations(**(accept | {kind: policy})), locate)

    warned = under(Policy.warn)
    assert under(Policy.accept) == []
    if warned:
        (line,) = warned
        key = f"data.violations.{kind}"
        remedy = f"; fix it, or set {key}=warn in params.yaml and run dvc repro"
        with fails(line.replace(f" ({key})", remedy)):
            under(Policy.error)
    else:
        assert under(Policy.error) == []
    return warned


@pytest.mark.parametrize("kind", FINDERS)
def test_expected_rows_have_no_violations(kind: str) -> None:
    assert reported(GOOD, kind) == []


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
                "row 2 below the header, column 'b': the value 'pink' is not one of the"
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
def test_a_violation_is_reported_by_its_policy(
    changed: dict[str, Any], kind: str, line: str
) -> None:
    table = GOOD.assign(**changed).astype({"b": "str"})
    assert reported(table, kind) == [f"table.csv, {line} (data.violations.{kind})"]


@pytest.mark.parametrize(
    ("column", "what"),
    [
        (Column(Kind.numeric, min=2), "'1.0' is below 2"),
        (Column(Kind.numeric, max=0), "'1.0' is above 0"),
        (Column(Kind.numeric, min=0), None),
        (Column(Kind.numeric, max=2), None),
    ],
)
def test_one_bound_is_enough(column: Column, what: str | None) -> None:
    lines = reported(GOOD[["d"]], "out_of_range", Schema({"d": column}))
    assert len(lines) == (what is not None)
    assert what is None or f"the value {what}, and 2 more (" in lines[0]


def test_all_errors_are_reported_at_once() -> None:
    table = GOOD.assign(a=9.0, b=pd.Series([None, "red", "pink"], dtype="str"))
    policies = Violations(Policy.error, Policy.warn, Policy.error)
    with pytest.raises(UserError) as caught:
        check_violations(table, EXPECTED, policies, locate)
    lines = str(caught.value).splitlines()
    assert [line.rpartition("; ")[2] for line in lines] == [
        f"fix it, or set data.violations.{kind}=warn in params.yaml and run dvc repro"
        for kind in ("missing_value", "out_of_range")
    ]


def test_values_may_be_missing_in_a_column_that_has_some_missing() -> None:
    columns = Schema({"a": Column(Kind.numeric, missing=True)})
    assert reported(one([np.nan]), "missing_value", columns) == []
