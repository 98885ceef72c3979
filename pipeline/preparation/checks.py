"""The checks of a table before training, together."""

import datetime as dt
from collections.abc import Mapping, Sequence

import pandas as pd

from pipeline.config.data import Data, Kind
from pipeline.dataset.folds import NO_FOLDS, Folds
from pipeline.preparation.column_checks import (
    all_missing,
    constant,
    future_date,
    missing_codes,
    rare_categories,
)
from pipeline.preparation.cross_validation import divisions
from pipeline.preparation.findings import Finding
from pipeline.preparation.identifiers import identifier
from pipeline.preparation.leaks import shared_group, shared_rows, target_copy, target_sum
from pipeline.preparation.row_checks import totals_row
from pipeline.schema.columns import Schema
from pipeline.schema.location import Locate


def run_checks(
    rows: pd.DataFrame,
    parts: Mapping[str, pd.DataFrame],
    schema: Schema,
    *,
    features: Sequence[str],
    data: Data,
    files: Sequence[tuple[str, int]],
    today: dt.date,
    locate: Locate,
    folds: Folds = NO_FOLDS,
) -> list[Finding]:
    """Reasons against training on these features.

    What may be wrong with single cells is looked for in all rows; everything else about a
    column depends on the training part alone.

    Parameters
    ----------
    rows
        The conformed table, rows numbered from 0.
    parts
        What `split` returns for it.
    schema
        The schema of the features and the target.
    features
        Names of columns.
    data
        The section `data` of the configuration.
    files
        The name and the number of rows of each file of the table.
    today
        Later dates are in the future.
    locate
        Where a person finds the row of a number.
    folds
        Of the training part. What two of them share is found as what two parts share.

    """
    train, target = parts["train"], data.target
    shared: dict[str, Finding] = {}
    for divided in divisions(parts, folds):
        for one in (
            *shared_rows(divided, [*features, target], locate),
            *shared_group(divided, data.group),
        ):
            shared.setdefault(one.kind, one)
    found = [
        *totals_row(rows, [count for _, count in files], locate),
        *shared.values(),
        *missing_codes("target_missing_code", rows[target], locate),
    ]
    numeric = {}
    for name in features:
        kind, column = schema.columns[name].kind, train[name]
        about = {
            "all_missing": all_missing(column),
            "constant": constant(column),
            "identifier": identifier(name, column, kind, len(rows)),
            "target_copy": target_copy(column, kind, train[target]),
            "future_date": future_date(rows[name], today, locate) if kind is Kind.date else "",
            "rare_categories": rare_categories(column, data) if kind is Kind.category else "",
        }
        found += [Finding(check, name, text) for check, text in about.items() if text]
        if kind is Kind.numeric:
            found += missing_codes("missing_code", rows[name], locate)
        excluded = any(about[check] for check in ("all_missing", "constant", "target_copy"))
        if kind in (Kind.numeric, Kind.boolean) and not excluded:
            numeric[name] = column
    return [*found, *target_sum(numeric, train[target])]
