"""What is looked for in tables of one column beside a target."""

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd

from pipeline.config.data import Data, Kind
from pipeline.dataset.rows import PARTS
from pipeline.preparation.checks import run_checks
from pipeline.preparation.findings import Finding
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
    rows = pd.concat([part for part in parts.values() if len(part)]).sort_index()
    return run_checks(
        rows,
        parts,
        Schema({name: Column(kind) for name, kind in kinds.items()}),
        features=[name for name in kinds if name not in ("y", group)],
        data=Data(path="table.csv", target="y", group=group),
        files=[("table.csv", len(rows))],
        today=TODAY,
        locate=locate,
    )


def thirds(table: pd.DataFrame) -> Parts:
    third = len(table) // 3
    return {part: table.iloc[at * third : (at + 1) * third] for at, part in enumerate(PARTS)}
