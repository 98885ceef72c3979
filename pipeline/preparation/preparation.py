"""Preparing a table: reading, splitting and checking it, and fitting the encoding."""

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.config.data import Data, Kind, ScaleTarget
from pipeline.dataset.encoding import Encoding
from pipeline.dataset.folds import NO_FOLDS, Folds
from pipeline.preparation.checks import run_checks
from pipeline.preparation.cross_validation import divide, fold_warnings
from pipeline.preparation.encoding_fit import describe, fit_encoding, fit_fold_encodings
from pipeline.preparation.features import check_column, choose_features
from pipeline.preparation.findings import Finding, apply_policies
from pipeline.preparation.raw_tables import (
    check_target_name,
    read_raw,
    reading_of_new_rows,
    without_missing_targets,
)
from pipeline.preparation.row_checks import header_row
from pipeline.runtime.errors import UserError
from pipeline.runtime.paths import RAW
from pipeline.schema.columns import Column, Schema
from pipeline.schema.contract import Contract
from pipeline.schema.conversion import column_names, conform
from pipeline.schema.date_warnings import date_warnings, missing_zones
from pipeline.schema.dates import FORMAT, ISO, Format, as_format, as_list, is_format
from pipeline.schema.inference import infer_schema, with_observed_values
from pipeline.schema.number_warnings import number_warnings
from pipeline.schema.numbers import Notation
from pipeline.schema.violations import check_violations
from pipeline.tables.reading import DIABETES, Raw


@dataclass(frozen=True)
class Prepared:
    """What becomes of a raw table.

    Attributes
    ----------
    parts
        The rows of train, validation and test, conformed; columns that are left out are there too.
        The index has their positions in the raw table, counted from 0.
    new_rows
        The rows without a target, conformed.
    schema
        The schema of the whole table.
    contract, encoding
        What the network expects of its rows, and how they become its inputs.
    folds
        The folds of the training part, with their encodings.
    used_as
        How each column is used, in words.
    warnings
        A line each.

    """

    parts: dict[str, pd.DataFrame]
    new_rows: pd.DataFrame
    schema: Schema
    contract: Contract
    encoding: Encoding
    used_as: dict[str, str]
    warnings: list[str]
    folds: Folds = NO_FOLDS


def prepare(
    data: Data,
    stored: Schema | None = None,
    today: dt.date | None = None,
    *,
    raw: Raw | None = None,
) -> Prepared:
    """Reads, splits and checks the tables of data, and fits the encoding to the training part
    and to each of its folds.

    Parameters
    ----------
    data
        The section `data` of the configuration.
    stored
        The schema that the table was given before, if any.
    today
        Later dates are in the future; by default, today's.
    raw
        What read_raw returns, where the table is read already.

    Raises
    ------
    UserError
        For anything that is wrong with a table.

    """
    raw = raw or read_raw(data, data.path, stored, [data.target])
    check_target_name(raw, data)
    named = [name for name in data.leave_out if name not in raw.dropped]
    data = replace(data, leave_out=named)
    features = choose_features(raw.table, data)
    raw = without_missing_targets(raw, data)
    stored_columns = stored.columns if stored else {}
    others = [name for name in (data.target, data.group, data.split.column) if name is not None]
    names = dict.fromkeys([*features, *others])
    schema = _schema(raw, data, stored, names)
    used = schema.select(names)
    inferred = {*features} - {*data.kinds, *stored_columns}
    written = raw.marks.notation
    rows = conform(raw.table, used, raw.location, inferred=inferred, notation=written)
    _check_target(rows[data.target], schema, data, raw)
    new = used.select(name for name in used.columns if name not in stored_columns)
    doubtful = new.select(
        name
        for name, column in new.columns.items()
        if name not in (data.date_formats if column.kind is Kind.date else data.kinds)
    )
    column_warnings = [
        *missing_zones(raw.table, used, raw.location),
        *date_warnings(raw.table, doubtful, raw.location),
        *number_warnings(raw.table, doubtful, raw.location),
    ]
    odd_rows = list(header_row(raw.table, raw.location)) if raw.header else []
    # A large table is not kept twice.
    raw = replace(raw, table=raw.table.iloc[:0].copy())
    parts, folds = divide(rows, data, raw.location)
    _check_varies(
        parts["train"][data.target],
        f"training row; choose the training rows otherwise with data.split (by:"
        f" {data.split.by.value})",
        data,
    )
    found = run_checks(
        rows, parts, used, features=features, data=data, files=raw.files,
        today=today or dt.datetime.now(dt.UTC).date(), locate=raw.location, folds=folds,
    )  # fmt: skip
    findings, left_out = _apply_policies([*odd_rows, *found], data)
    features = [name for name in features if name not in left_out]
    if not features:
        left_out_line = next(iter(left_out.values())).message(data.path, left_out=True)
        raise UserError(f"{left_out_line}; no other feature is left")
    # Later rows are expected to have the values of these, unless the stored schema has others.
    changed = [name for name in features if schema.columns[name] != stored_columns.get(name)]
    schema_with_values = with_observed_values(schema, parts["train"], rows, changed)
    contract = Contract(
        data.target, schema_with_values.select(features), reading_of_new_rows(data, raw),
        data.violations,
    )  # fmt: skip
    encoding = fit_encoding(parts["train"], schema, features, data)
    of_folds = fit_fold_encodings(parts["train"], folds, schema, features, data)
    new_rows, new_row_warnings = _new_rows(contract, data, schema_with_values)
    return Prepared(
        parts if raw.positions is None else _by_position(parts, raw.positions),
        new_rows,
        schema_with_values,
        contract,
        encoding,
        used_as=dict.fromkeys(raw.table.columns, "not used")
        | {name: f"left out: {one.evidence}" for name, one in left_out.items()}
        | {
            name: f"{words}{_notation(schema.columns[name])}"
            for name, words in describe(encoding).items()
        },
        warnings=[
            *raw.warnings,
            *(one.message(data.path, left_out=one.uninformative) for one in findings),
            *column_warnings,
            *fold_warnings(parts["train"], folds, encoding, data.path),
            *check_violations(rows, contract.schema, contract.policies, raw.location),
            *new_row_warnings,
        ],
        folds=replace(folds, encodings=of_folds),
    )


def _by_position(
    parts: dict[str, pd.DataFrame], positions: NDArray[np.int64]
) -> dict[str, pd.DataFrame]:
    """The parts of the rows that are not left out, by their positions among all rows."""
    return {name: part.set_axis(positions[part.index]) for name, part in parts.items()}


def _notation(column: Column) -> str:
    if column.kind is Kind.date and as_list(column.format) != [ISO]:
        return f"; written as {' or '.join(as_list(column.format))}"
    how = str(column.notation(Notation()))
    return f"; written with {how}" if how else ""


def _schema(raw: Raw, data: Data, stored: Schema | None, names: Collection[str]) -> Schema:
    """The stored schema, completed by inference: new columns, and those whose kind is changed."""
    table = raw.table
    for name in data.kinds:
        key = "date_formats" if name in data.date_formats else "kinds"
        check_column(table, name, f"data.{key}", data.path)
    formats = _date_formats(data, stored)
    decided = {
        name
        for name, column in (stored.columns if stored else {}).items()
        if data.kinds.get(name, column.kind) is column.kind
    }
    undecided = {*names} - decided - {*data.leave_out}
    inferred = infer_schema(
        table, data.kinds, raw.location, marks=raw.marks, names=undecided, target=data.target,
        formats=formats,
    ).columns  # fmt: skip
    if stored is None:
        return Schema(inferred)
    lost = [name for name in stored.columns if name not in inferred]
    if lost:
        raise UserError(
            f"{data.path}: has no column {lost[0]!r}, which its schema in data/schema/ has; put"
            f" it back or delete the schema; the table has {column_names(raw.table)}"
        )
    changed = {
        name: inferred[name]
        for name, kind in data.kinds.items()
        if name not in stored.columns
        or stored.columns[name].kind is not kind
        or stored.columns[name].format != formats.get(name, stored.columns[name].format)
    }
    return Schema(inferred | stored.columns | changed)


def _date_formats(data: Data, stored: Schema | None) -> dict[str, Format]:
    """The formats of columns of dates: those that are stored, and instead those that are set."""
    formats: dict[str, Format] = {
        name: column.format
        for name, column in (stored.columns if stored else {}).items()
        if column.kind is Kind.date and column.format is not None
    }
    for name, given in data.date_formats.items():
        if not is_format(given):
            raise UserError(
                f"data.date_formats: {name} is {as_format(given)!r}, but must be {FORMAT}"
            )
        formats[name] = as_format(given)
    return formats


def _apply_policies(
    found: Sequence[Finding], data: Data
) -> tuple[list[Finding], dict[str, Finding]]:
    """The findings to warn of, and those for which a column is left out."""
    warned = apply_policies(found, data.lint, data.path)
    # Nothing can be learned from these even if they are accepted.
    hopeless = [one for one in found if one.kind == "all_missing"]
    left_out = {one.column: one for one in [*warned, *hopeless] if one.uninformative}
    return [one for one in warned if one.uninformative or one.column not in left_out], left_out


def _check_target(values: "pd.Series[Any]", schema: Schema, data: Data, raw: Raw) -> None:
    name = data.target
    missing = values.isna().to_numpy()
    if missing.any():
        raise UserError(
            f"{raw.location(int(missing.argmax()))}, column {name!r}: the target is missing, in"
            f" {int(missing.sum())} of {len(values)} rows; fill them in"
            + ("" if missing.all() else ", or set data.missing_target=drop to leave these rows out")
        )
    if schema.columns[name].kind not in (Kind.numeric, Kind.boolean):
        cell = raw.table[name].iloc[0]
        raise UserError(
            f"{data.path}, column {name!r}: the target holds {str(cell)!r}, not numbers; a"
            " regression needs a number"
        )
    _check_varies(values, "row; there is nothing to predict", data)
    if data.scale_target is ScaleTarget.log and (invalid := (values <= 0).to_numpy()).any():
        at = int(invalid.argmax())
        raise UserError(
            f"{raw.location(at)}, column {name!r}: {values.iloc[at]:.6g} has no logarithm; set"
            " data.scale_target=standardize"
        )


def _check_varies(target: "pd.Series[Any]", what: str, data: Data) -> None:
    if len(target) > 1 and np.ptp(target.to_numpy()) == 0:
        raise UserError(
            f"{data.path}, column {target.name!r}: the target is {target.iloc[0]:.6g} in every"
            f" {what}"
        )


def _new_rows(contract: Contract, data: Data, schema: Schema) -> tuple[pd.DataFrame, list[str]]:
    """The rows of data.new_rows, conformed, and warnings; no rows if there is no such table."""
    names = list(contract.schema.columns)
    if not data.new_rows:
        return pd.DataFrame(columns=names), []
    # Rows at the end of the training table may be totals, but these are to be predicted.
    reading = replace(data.reading, skip_rows=0, skip_last=0)
    raw = read_raw(replace(data, reading=reading), data.new_rows, schema, names)
    rows, warnings = contract.validate(raw.table, raw.location)
    return rows, [*raw.warnings, *warnings]


def tables_outside_raw(data: Data) -> list[str]:
    """A warning for each table outside data/raw/, on which dvc.yaml depends."""
    paths = [path for path in (data.path, data.new_rows) if path and path != DIABETES]
    return [
        f"{path} is outside {RAW}/, so dvc repro does not notice when it changes"
        for path in paths
        if RAW.resolve() not in Path(path).resolve().parents
    ]
