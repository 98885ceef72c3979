"""The contract of a model: what it expects of the rows that it predicts."""

import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pipeline.config.data import Policy, Reading, Violations, column_name
from pipeline.runtime.errors import UserError, read_errors
from pipeline.schema.columns import Schema
from pipeline.schema.conversion import conform
from pipeline.schema.date_warnings import missing_zones
from pipeline.schema.location import Locate
from pipeline.schema.missing import mark_missing
from pipeline.schema.numbers import notation
from pipeline.schema.violations import check_violations


@dataclass(frozen=True)
class Contract:
    """The columns that a model reads, how a file of them is written, and what to do about
    values that the schema does not expect."""

    target: str
    schema: Schema
    reading: Reading
    policies: Violations

    def clean(self, table: pd.DataFrame, source: str) -> pd.DataFrame:
        """The table as the files of a table are read: names and cells without surrounding blanks,
        missing values marked. Raises UserError for two columns of one name, and for numbers that
        pandas read by other marks."""
        known = self.schema.columns
        names = [name if name in known else column_name(str(name)) for name in table.columns]
        repeated = [name for name in known if names.count(name) > 1]
        if repeated:
            raise UserError(
                f"{source}: has the column {repeated[0]!r} more than once, apart from blanks;"
                " rename or remove one"
            )
        table = table.set_axis(names, axis="columns")
        self._check_decimal_commas(table, source)
        return mark_missing(table, self.reading.markers, known)

    def _check_decimal_commas(self, table: pd.DataFrame, source: str) -> None:
        """Raises UserError if some columns still have their decimal commas, but in others a point
        between thousands became a decimal point."""
        columns = self.schema.columns.items()
        commas = [name for name, column in columns if column.decimal == "," and name in table]
        texts = [name for name in commas if not pd.api.types.is_numeric_dtype(table[name])]
        fractions = [
            name
            for name in commas
            if pd.api.types.is_float_dtype(table[name]) and (table[name].dropna() % 1 != 0).any()
        ]
        if texts and fractions:
            raise UserError(
                f"{source}: column {texts[0]!r} is text with decimal commas, but {fractions[0]!r}"
                " was read with decimal points; read them in one way, such as"
                " pandas.read_csv(..., decimal=',', thousands='.')"
            )

    def validate(
        self, table: pd.DataFrame, locate: Locate, decimal: str | None = None
    ) -> tuple[pd.DataFrame, list[str]]:
        """The columns of the schema, conformed, and warnings; missing values are marked in the
        table already. decimal is the decimal mark of the file. Raises UserError."""
        how = notation(decimal or self.reading.decimal, self.reading.thousands)
        rows = conform(table, self.schema, locate, notation=how)
        zones = missing_zones(table, self.schema, locate)
        return rows, [*zones, *check_violations(rows, self.schema, self.policies, locate)]

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
