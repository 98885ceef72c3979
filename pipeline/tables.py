"""Tables: reading them, checking that they are numbers, dividing the rows."""

import csv
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.command import UserError

DIABETES = "sklearn:diabetes"
PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Columns:
    """Which columns the network reads, in this order, and which it predicts."""

    features: list[str]
    target: str


def read_table(path: str) -> pd.DataFrame:
    """The rows of a CSV file, or of scikit-learn's diabetes table for
    "sklearn:diabetes".

    Raises UserError for a file that is missing, unreadable, empty or ragged, and
    for column names that stand twice.
    """
    if path == DIABETES:
        return _read_diabetes()
    if ":" in path and path.startswith("sklearn"):
        raise UserError(f"data.path: there is no table {path!r}; known is {DIABETES}")
    file = Path(path)
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            header = next(filter(None, csv.reader(lines)), [])
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            # Without index_col=False, pandas takes surplus fields for an index.
            table = pd.read_csv(file, encoding="utf-8-sig", low_memory=False, index_col=False)
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file; put the table there or set data.path") from error
    except pd.errors.ParserWarning as error:
        raise UserError(
            f"{path}: the rows have more fields than the header has names; name every column"
        ) from error
    except pd.errors.EmptyDataError as error:
        raise UserError(f"{path}: the file is empty; it needs a header and rows") from error
    except (OSError, UnicodeError, csv.Error, pd.errors.ParserError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise UserError(f"{path}: cannot be read as a UTF-8 CSV file: {reason}") from error
    twice = [name for name in dict.fromkeys(header) if header.count(name) > 1]
    if twice:
        raise UserError(f"{path}: column {twice[0]!r} stands twice in the header; rename one")
    if table.empty:
        raise UserError(f"{path}: the table has a header but no rows")
    return table


def choose_columns(
    table: pd.DataFrame, target: str, features: list[str] | None, source: str
) -> Columns:
    """The target and the features: those that are named, or every other column.

    Raises UserError for a name that the table lacks.
    """
    names = [str(name) for name in table.columns]
    if target not in names:
        raise UserError(
            f"{source}: has no column {target!r} (data.target); it has {', '.join(names)}"
        )
    chosen = features if features is not None else [name for name in names if name != target]
    for name in chosen:
        if name not in names:
            raise UserError(
                f"{source}: has no column {name!r} (data.features); it has {', '.join(names)}"
            )
    twice = [name for name in chosen if chosen.count(name) > 1]
    if twice:
        raise UserError(f"data.features: names {twice[0]!r} twice; leave one out")
    if target in chosen:
        raise UserError(f"data.features: names the target {target!r}, which would give it away")
    if not chosen:
        raise UserError(f"{source}: has no column beside the target {target!r} to predict it from")
    return Columns(chosen, target)


def numbers(table: pd.DataFrame, names: list[str], source: str) -> pd.DataFrame:
    """The named columns, in this order, as float64.

    Raises UserError, naming row and column, for a cell that is missing or not a
    finite number. Rows count from 1 below the header.
    """
    missing = [name for name in names if name not in table.columns]
    if missing:
        raise UserError(f"{source}: has no column {missing[0]!r}, which the model reads")
    columns = {}
    for name in names:
        column = table[name]
        values = pd.to_numeric(column, errors="coerce").astype("float64")
        # Keras computes in float32, so what that cannot hold is infinite as well.
        bad = ~(values.abs().to_numpy() <= np.finfo(np.float32).max)
        if bad.any():
            place = int(bad.argmax())
            cell = column.iloc[place]
            row = int(table.index[place])
            what = (
                "is missing"
                if pd.isna(cell)
                else f"is {str(cell)!r}, not a finite number of float32"
            )
            raise UserError(
                f"{source}, row {row + 1} below the header, column {name!r}: the value {what};"
                " mend the cell or leave the column out with data.features"
            )
        columns[name] = values
    return pd.DataFrame(columns).reset_index(drop=True)


def split(
    table: pd.DataFrame, validation: float, test: float, seed: int
) -> dict[str, pd.DataFrame]:
    """The rows in three parts, train, validation and test, each in the table's order.

    validation and test are fractions of all rows, rounded to whole rows; which
    rows they are follows from seed alone. The index keeps the row numbers.
    Raises UserError where a part that is asked for would have no rows.
    """
    rows = len(table)
    counts = {"validation": round(validation * rows), "test": round(test * rows)}
    for part, fraction in (("validation", validation), ("test", test)):
        if fraction > 0 and counts[part] == 0:
            raise UserError(
                f"data.split.{part}: {fraction} of {rows} rows is no row; raise it or set it to 0"
            )
    if rows <= sum(counts.values()):
        raise UserError(f"data.split: {rows} rows leave none to train on; lower the fractions")
    order = np.random.default_rng(seed).permutation(rows)
    test_end = counts["test"]
    validation_end = test_end + counts["validation"]
    chosen = {
        "train": order[validation_end:],
        "validation": order[test_end:validation_end],
        "test": order[:test_end],
    }
    return {part: table.iloc[np.sort(chosen[part])] for part in PARTS}


def _read_diabetes() -> pd.DataFrame:
    # Imported here: scikit-learn takes seconds, and only this table needs it.
    from sklearn.datasets import load_diabetes

    table = load_diabetes(as_frame=True, scaled=False).frame
    assert isinstance(table, pd.DataFrame)
    return table
