"""What the columns of a table are: the contract between a table and whoever reads it.

In a conformed table a numeric or a boolean (0, 1) column is float64 with NaN for missing
values, a category is text (pandas' str, NaN), a date is datetime64[us] (NaT).
"""

import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pipeline.config.data import Policy, Reading, Violations
from pipeline.runtime.model_files import what_train_writes
from pipeline.schema.columns import Schema
from pipeline.schema.conversion import conform
from pipeline.schema.location import Place
from pipeline.schema.violations import violations


@dataclass(frozen=True)
class Contract:
    """What whoever gives rows to the model must keep to: its columns, how the training
    table was written, and what to do about values that are not expected."""

    target: str
    schema: Schema
    reading: Reading
    policies: Violations

    def kept(self, table: pd.DataFrame, place: Place) -> tuple[pd.DataFrame, list[str]]:
        """The columns of the schema, conformed, and what to warn of. Raises UserError."""
        reading = self.reading
        rows = conform(
            table, self.schema, place,
            missing=reading.missing, decimal=reading.decimal, thousands=reading.thousands,
        )  # fmt: skip
        return rows, violations(rows, self.schema, self.policies, place)

    def write(self, path: Path) -> None:
        plain = {
            "target": self.target,
            "reading": vars(self.reading),
            "violations": {name: policy.value for name, policy in vars(self.policies).items()},
            "columns": self.schema.plain(),
        }
        text = json.dumps(plain, indent=1, ensure_ascii=False, allow_nan=False)
        path.write_text(text + "\n", "utf-8")

    @staticmethod
    def read(path: Path) -> "Contract":
        """What `write` wrote. Raises UserError for anything else."""
        with what_train_writes(path):
            plain = json.loads(path.read_text("utf-8"))
            policies = {name: Policy(value) for name, value in plain["violations"].items()}
            schema = Schema.of(plain["columns"], str(path))
            return Contract(
                plain["target"], schema, Reading(**plain["reading"]), Violations(**policies)
            )
