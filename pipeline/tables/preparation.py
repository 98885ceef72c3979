"""What a raw table becomes: its parts, the new rows, and what is known of its columns."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.config.data import Data, Kind, Reading, ScaleTarget, SplitBy
from pipeline.dataset.encoding import Encoding
from pipeline.runtime.errors import UserError
from pipeline.runtime.paths import PREPARED, RAW
from pipeline.schema import conversion, inference, violations
from pipeline.schema.columns import Schema
from pipeline.schema.contract import Contract
from pipeline.schema.conversion import named
from pipeline.schema.location import Place
from pipeline.tables import checks, encoding_fit, split
from pipeline.tables.checks import Finding
from pipeline.tables.reading import DIABETES, Raw, read

# A network with an input for each column takes seconds to build and to load.
MOST_FEATURES = 1000


@dataclass(frozen=True)
class Prepared:
    """parts has the rows of train, validation and test, conformed, with columns that are
    left out too; new those without a target. schema is of the whole table, contract of
    what the network reads. done says what became of each column, warnings what its user
    should know."""

    parts: dict[str, pd.DataFrame]
    new: pd.DataFrame
    schema: Schema
    contract: Contract
    encoding: Encoding
    done: dict[str, str]
    warnings: list[str]


def prepare(data: Data, known: Schema | None = None, today: dt.date | None = None) -> Prepared:
    """Reads the tables that data names, checks and divides them, and fits the encoding on
    the training part. known is what the table was found to be before.

    Raises UserError for whatever is wrong with them.
    """
    raw = read_table(data, data.path, known, [data.target])
    chosen = _features(raw.table, data)
    before = known.columns if known else {}
    columns = _schema(raw.table, data, known)
    others = [name for name in (data.target, data.group, data.split.column) if name is not None]
    used = columns.only(dict.fromkeys([*chosen, *others]))
    rows = conversion.conform(
        raw.table, used, raw.place, inferred={*chosen} - {*data.kinds, *before}
    )
    _check_target(rows[data.target], columns, data, raw)
    guessed = used.only(name for name in used.columns if name not in before)
    doubts = inference.doubts(raw.table, guessed, raw.place)
    # A large table is not kept twice.
    raw = replace(raw, table=raw.table.iloc[:0].copy())
    parts = split.split(rows, data.split, raw.place)
    doubtful, useless = _looked_over(parts, used, chosen, data, today=today, place=raw.place)
    kept = [name for name in chosen if name not in useless]
    if not kept:
        raise UserError(f"{data.path}: has no column beside the target that says anything")
    # What is expected of later rows is what the training part has, unless it was known.
    unknown = [name for name in kept if columns.columns[name] != before.get(name)]
    expected = inference.observed(columns, parts["train"], rows, unknown)
    contract = Contract(
        data.target, expected.only(kept), _reading_of_new_rows(data, raw), data.violations
    )
    encoding = encoding_fit.fit(parts["train"], columns, kept, data)
    new, told = _new_rows(contract, data, expected)
    return Prepared(
        parts,
        new,
        expected,
        contract,
        encoding,
        done=dict.fromkeys(raw.table.columns, "not used")
        | {name: f"left out: {one.evidence}" for name, one in useless.items()}
        | encoding_fit.described(encoding),
        warnings=[
            *(one.message(data.path, left_out=one.useless) for one in doubtful),
            *doubts,
            *violations.violations(rows, contract.schema, contract.policies, raw.place),
            *told,
        ],
    )


def _looked_over(
    parts: Mapping[str, pd.DataFrame],
    used: Schema,
    chosen: Sequence[str],
    data: Data,
    *,
    today: dt.date | None,
    place: Place,
) -> tuple[list[Finding], dict[str, Finding]]:
    """The findings to warn of, and those for which a column is left out."""
    found = checks.findings(
        parts, used, target=data.target, features=chosen, group=data.group,
        today=today or dt.datetime.now(dt.UTC).date(), place=place,
    )  # fmt: skip
    doubtful = checks.judged(found, data.lint, data.path)
    useless = {one.column: one for one in doubtful if one.useless}
    # There is nothing to learn from, whoever accepts it.
    return doubtful, useless | {one.column: one for one in found if one.kind == "all_missing"}


def _reading_of_new_rows(data: Data, raw: Raw) -> Reading:
    """They come in a file of their own, which is written in the same manner."""
    decimal = data.reading.decimal if raw.delimiter is None else raw.decimal
    return replace(data.reading, decimal=decimal, delimiter=None, header=None, names=None)


def _new_rows(contract: Contract, data: Data, expected: Schema) -> tuple[pd.DataFrame, list[str]]:
    """The rows of data.new_rows, conformed, and what to warn of; no rows if there are none."""
    names = list(contract.schema.columns)
    if not data.new_rows:
        return pd.DataFrame(columns=names), []
    fresh = read_table(data, data.new_rows, expected, names)
    return contract.kept(fresh.table, fresh.place)


def read_table(data: Data, path: str, known: Schema | None, needed: Sequence[str]) -> Raw:
    """The cells of a table as they stand there, but for those that are missing."""
    kinds = {name: column.kind for name, column in known.columns.items()} if known else {}
    texts = {name for name, kind in (kinds | data.kinds).items() if kind is Kind.category}
    raw = read(path, data.reading, needed=needed, texts=texts)
    # A Parquet file may have marks too, and a CSV file -99.0 beside -99.
    columns = {
        name: conversion.unmarked(column, data.reading.missing)
        for name, column in raw.table.items()
    }
    return replace(raw, table=pd.DataFrame(columns, copy=False))


def _schema(table: pd.DataFrame, data: Data, known: Schema | None) -> Schema:
    """What is known of the columns, and of those that are not what they seem to be."""
    for name in data.kinds:
        _check_name(table, name, "data.kinds", data.path)
    found = inference.infer(table, data.kinds).columns
    if known is None:
        return Schema(found)
    asked = {
        name: found[name]
        for name, kind in data.kinds.items()
        if name not in known.columns or known.columns[name].kind is not kind
    }
    lost = [name for name in known.columns if name not in found]
    if lost:
        raise UserError(
            f"{data.path}: has no column {lost[0]!r}, which its schema in data/schema/ has; put"
            f" it back or delete the schema; the table has {named(table)}"
        )
    return Schema(found | known.columns | asked)


def _features(table: pd.DataFrame, data: Data) -> list[str]:
    """The columns to learn from: those that are named, or all that have no other part to
    play. Raises UserError for a name that the table lacks."""
    settings: dict[str, Sequence[str]] = {
        "data.target": [data.target],
        "data.features": data.features or [],
        "data.leave_out": data.leave_out,
        "data.group": [data.group] if data.group else [],
        "data.split.column": [data.split.column] if data.split.column else [],
    }
    for key, names in settings.items():
        for name in names:
            _check_name(table, name, key, data.path)
    aside = {data.target, *data.leave_out}
    if data.features is not None:
        twice = [name for name in data.features if data.features.count(name) > 1]
        if twice:
            raise UserError(f"data.features: names {twice[0]!r} twice; leave one out")
        if data.target in data.features:
            raise UserError(
                f"data.features: names the target {data.target!r}, which would give it away"
            )
        chosen = [name for name in data.features if name not in aside]
    else:
        aside |= {data.group} if data.group else set()
        if data.split.by is not SplitBy.time and data.split.column:
            aside |= {data.split.column}
        chosen = [name for name in table.columns if name not in aside]
    if not chosen:
        raise UserError(
            f"{data.path}: has no column beside the target {data.target!r} to predict it from"
        )
    if len(chosen) > MOST_FEATURES:
        raise UserError(
            f"{data.path}: has {len(chosen)} columns to learn from, and {MOST_FEATURES} are the"
            " most; name those that matter with data.features"
        )
    return chosen


def _check_name(table: pd.DataFrame, name: str, key: str, source: str) -> None:
    if name not in table.columns:
        raise UserError(f"{source}: has no column {name!r} ({key}); it has {named(table)}")


def _check_target(values: "pd.Series[Any]", columns: Schema, data: Data, raw: Raw) -> None:
    name = data.target
    gaps = values.isna().to_numpy()
    if gaps.any():
        raise UserError(
            f"{raw.place(int(gaps.argmax()))}, column {name!r}: the target is missing, in"
            f" {int(gaps.sum())} of {len(values)} rows; remove these rows or fill them in"
        )
    if columns.columns[name].kind not in (Kind.numeric, Kind.boolean):
        cell = raw.table[name].iloc[0]
        raise UserError(
            f"{data.path}, column {name!r}: the target holds {str(cell)!r}, not numbers; a"
            " regression needs a number"
        )
    if len(values) > 1 and np.ptp(values.to_numpy()) == 0:
        raise UserError(
            f"{data.path}, column {name!r}: the target is {values.iloc[0]:.6g} in every row;"
            " there is nothing to predict"
        )
    if data.scale_target is ScaleTarget.log and (low := (values <= 0).to_numpy()).any():
        at = int(low.argmax())
        raise UserError(
            f"{raw.place(at)}, column {name!r}: {values.iloc[at]:.6g} has no logarithm; set"
            " data.scale_target=standardize"
        )


def account(prepared: Prepared, profile: pd.DataFrame) -> pd.DataFrame:
    """The profile's table with what was done to each column."""
    done: Mapping[str, str] = prepared.done
    return profile.assign(done=[done.get(str(name), "") for name in profile["column"]])


def outside_raw(data: Data) -> list[str]:
    """A line for each table outside data/raw/, which is what dvc.yaml depends on."""
    tables = [path for path in (data.path, data.new_rows) if path and path != DIABETES]
    return [
        f"{path} lies outside {RAW}/, so dvc repro will not notice when it changes"
        for path in tables
        if RAW.resolve() not in Path(path).resolve().parents
    ]


def described(made: Prepared, data: Data) -> str:
    """One line on the rows of each part and the inputs that the network gets."""
    counts = ", ".join(f"{len(part)} to {name}" for name, part in made.parts.items() if len(part))
    return (
        f"prepared {data.path}: rows {counts}; {len(made.encoding.columns)} columns become"
        f" {len(made.encoding.names)} inputs; what became of each: {PREPARED}/profile.html"
    )
