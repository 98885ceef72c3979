"""The contract of a model: what it expects of the rows that it predicts."""

import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pipeline.config.data import Policy, Reading, Violations
from pipeline.runtime.errors import read_errors
from pipeline.schema.columns import Schema
from pipeline.schema.conversion import conform
from pipeline.schema.location import Locate
from pipeline.schema.violations import check_violations


@dataclass(frozen=True)
class Contract:
    """The columns that a model reads, how a file of them is written, and what to do about
    values that the schema does not expect."""

    target: str
    schema: Schema
    reading: Reading
    policies: Violations

    def validate(self, table: pd.DataFrame, locate: Locate) -> tuple[pd.DataFrame, list[str]]:
        """The columns of the schema, conformed, and warnings; missing values are marked in the
        table already. Raises UserError."""
        rows = conform(
            table, self.schema, locate,
            decimal=self.reading.decimal, thousands=self.reading.thousands,
        )  # fmt: skip
        return rows, check_violations(rows, self.schema, self.policies, locate)

    def write(self, path: Path) -> None:
        plain = {
            "target": self.target,
            "reading": vars(self.reading),
            "violations": {name: policy.value for name, policy in vars(self.policies).items()},
            "columns": self.schema.to_dict(),
        }
        text = json.dumps(plain, indent=1, ensure_ascii=False, allow_nan=False)
        path.write_text(text + "\n", "utf-8")

    @staticmethod
    def read(path: Path) -> "Contract":
        """What `write` wrote. Raises UserError for anything else."""
        with read_errors(path):
            plain = json.loads(path.read_text("utf-8"))
            policies = {name: Policy(value) for name, value in plain["violations"].items()}
            schema = Schema.from_dict(plain["columns"], str(path))
            return Contract(
                plain["target"], schema, Reading(**plain["reading"]), Violations(**policies)
            )
