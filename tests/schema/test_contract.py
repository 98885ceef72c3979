"""The contract of a model: its file, and rows that are validated by it."""

from pathlib import Path

import pandas as pd

from pipeline.config.data import Kind, Policy, Reading, Violations
from pipeline.schema.columns import Column, Schema
from pipeline.schema.contract import Contract
from tests.locations import locate
from tests.schema.tables import EXPECTED, ODD, fails

CONTRACT = Contract("Δy", ODD, Reading(missing=["", "-999"]), Violations(out_of_range=Policy.error))


def test_a_contract_is_read_as_it_was_written(tmp_path: Path) -> None:
    CONTRACT.write(tmp_path / "contract.json")
    assert Contract.read(tmp_path / "contract.json") == CONTRACT
    assert "Größe" in (tmp_path / "contract.json").read_text("utf-8")


def test_validated_rows_are_conformed_and_violations_are_reported() -> None:
    contract = Contract("y", EXPECTED.select(["b", "a"]), Reading(missing=["-999"]), Violations())
    rows, warnings = contract.validate(pd.DataFrame({"a": ["1"], "b": ["pink"], "x": [0]}), locate)
    assert rows.to_dict("list") == {"b": ["pink"], "a": [1.0]}
    assert warnings == [
        (
            "table.csv, row 1 below the header, column 'b': the value 'pink' is not one of"
            " the categories (data.violations.unseen_category)"
        )
    ]
    with fails(
        "table.csv, row 1 below the header, column 'a': the value is missing;"
        " fix it, or set data.violations.missing_value=warn in params.yaml and run dvc repro"
    ):
        contract.validate(pd.DataFrame({"a": [None], "b": ["red"]}), locate)


def test_rows_without_the_time_zone_that_the_table_had_are_refused() -> None:
    contract = Contract("y", Schema({"a": Column(Kind.date, zone=True)}), Reading(), Violations())
    rows = pd.DataFrame({"a": pd.to_datetime(["2024-03-21T17:30+02:00"])})
    assert contract.validate(rows, locate)[0]["a"].dt.hour.tolist() == [15]
    with fails(
        "table.csv, row 1 below the header, column 'a': '2024-03-21 17:30:00' has no time zone, but"
        " the column has one in the schema; write it, such as Z for universal time"
    ):
        contract.validate(rows.assign(a=rows["a"].dt.tz_localize(None)), locate)
