"""Reading the tables that the section `data` names."""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from pipeline.config.data import Data, Kind, MissingTarget, Reading
from pipeline.runtime.errors import UserError
from pipeline.schema.columns import Column, Schema
from pipeline.tables.reading import Raw, read


def read_raw(
    data: Data, path: str | pd.DataFrame, schema: Schema | None, needed: Sequence[str]
) -> Raw:
    """The table at a path, or a DataFrame, with every column that the configuration or the schema
    names, even if it looks like an index."""
    columns = dict(schema.columns) if schema else {}
    for name, kind in data.kinds.items():
        if name not in columns or columns[name].kind is not kind:
            columns[name] = Column(kind)
    columns |= {name: Column(Kind.date, format=one) for name, one in data.date_formats.items()}
    texts = Schema(columns).texts(data.reading.decimal)
    keep = {*columns, *(data.features or ()), *data.leave_out}
    keep |= {data.group or "", data.split.column or ""}
    return read(path, data.reading, needed=needed, texts=texts, keep=keep)


def check_target_name(raw: Raw, data: Data) -> None:
    """Raises UserError if two columns have the target's name: either may be meant."""
    if data.target in raw.invented.values():
        raise UserError(
            f"{data.path}: the name of the target, {data.target!r}, is duplicated; give each"
            " column a name of its own with data.reading.header=true and data.reading.names"
        )


def without_missing_targets(raw: Raw, data: Data) -> Raw:
    """The rows that have a target, if those without are to be dropped."""
    missing = raw.table[data.target].isna().to_numpy()
    if data.missing_target is not MissingTarget.drop or not missing.any() or missing.all():
        return raw
    line = (
        f"{data.path}: {missing.sum()} of {len(missing)} rows have no {data.target!r} and are"
        f" dropped; the first is {raw.location(int(missing.argmax()))}"
    )
    return replace(raw.select(~missing), warnings=[*raw.warnings, line])


def reading_of_new_rows(data: Data, raw: Raw) -> Reading:
    """New rows are written like the training table, in a file of another layout."""
    decimal = data.reading.decimal if raw.delimiter is None else raw.decimal
    return replace(
        data.reading, decimal=decimal, delimiter=None, header=None, names=None, skip_rows=0,
        skip_last=0, sheet=None,
    )  # fmt: skip
