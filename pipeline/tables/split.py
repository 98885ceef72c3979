"""Dividing a table's rows into a training, a validation and a test part."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.config.data import Split, SplitBy
from pipeline.dataset.rows import PARTS
from pipeline.runtime.errors import UserError
from pipeline.schema.conversion import MOST_WHOLE
from pipeline.schema.location import Place

TRAIN, VALIDATION, TEST = range(3)
# The part of each row, as its place in PARTS.
Dealt = NDArray[np.int8]


def numbered(position: int) -> str:
    """Where a row is that comes from no file; counted from 0, told from 1."""
    return f"row {position + 1}"


def split(table: pd.DataFrame, settings: Split, place: Place = numbered) -> dict[str, pd.DataFrame]:
    """The rows of a conformed table in three parts, by the names in PARTS, each in the
    table's order. The index is kept; it numbers the rows from 0, and place says where a
    person finds one of a number.

    settings.by decides what a row's part follows from:
    random  the seed; the fractions are rounded to whole rows.
    group   settings.column: whole groups are dealt in an order drawn from the seed.
    time    settings.column, a date or a number: the latest rows are the test part, those
            just before them the validation part. Rows of one time stay together.
    hash    the value in settings.column and the seed: other rows have no say in it.
    column  settings.column, which holds the names in PARTS, in either case.

    Raises UserError for a column that is missing, incomplete or of no use for this, and
    where a part that is asked for, or the training part, would have no rows.
    """
    dealt = _dealt(table, settings, place)
    _check_filled(np.bincount(dealt, minlength=len(PARTS)), settings)
    return {name: table[dealt == part] for part, name in enumerate(PARTS)}


def _dealt(table: pd.DataFrame, settings: Split, place: Place) -> Dealt:
    if settings.by is SplitBy.random:
        return _by_chance(len(table), settings)
    column = _column(table, settings.column)
    if settings.by is SplitBy.column:
        return _by_name(column, settings, place)
    _check_complete(column, place)
    deal = {SplitBy.group: _by_group, SplitBy.time: _by_time, SplitBy.hash: _by_hash}
    return deal[settings.by](column, settings)


def _by_chance(rows: int, settings: Split) -> Dealt:
    order = np.random.default_rng(settings.seed).permutation(rows)
    test_end = round(settings.test * rows)
    validation_end = test_end + round(settings.validation * rows)
    dealt = np.full(rows, TRAIN, np.int8)
    dealt[order[:test_end]] = TEST
    dealt[order[test_end:validation_end]] = VALIDATION
    return dealt


def _by_group(column: pd.Series, settings: Split) -> Dealt:
    codes, _ = pd.factorize(column, sort=True)  # sorted, so that the rows' order has no say
    sizes = np.bincount(codes)
    _check_enough(len(sizes), "groups", column, settings)
    left = np.random.default_rng(settings.seed).permutation(len(sizes)).tolist()
    dealt = np.full(len(sizes), TRAIN, np.int8)
    for part, fraction, kept in (
        (TEST, settings.test, 2 if settings.validation else 1),
        (VALIDATION, settings.validation, 1),
    ):
        if fraction:
            hand = _hand(left, sizes, fraction * len(column), len(left) - kept)
            dealt[hand] = part
            taken = set(hand)
            left = [group for group in left if group not in taken]
    return dealt[codes]


def _hand(groups: list[int], sizes: NDArray[np.intp], share: float, most: int) -> list[int]:
    """The groups, at least one and at most so many, whose rows come nearest to share when
    each is taken in its turn unless that leads further away from it."""
    hand: list[int] = []
    lacking = share
    for group in groups:
        if len(hand) == most or lacking <= 0:
            break
        if sizes[group] < 2 * lacking:
            hand.append(group)
            lacking -= sizes[group]
    return hand or [min(groups, key=lambda group: sizes[group])]


def _by_time(column: pd.Series, settings: Split) -> Dealt:
    if not (_is_date(column) or pd.api.types.is_numeric_dtype(column)):
        raise UserError(
            f"data.split.column: {column.name!r} is text; by: time needs dates or numbers"
        )
    times, sizes = np.unique(column.to_numpy(), return_counts=True)
    _check_enough(len(times), "times", column, settings)
    before = np.append(0, np.cumsum(sizes))  # rows before each time, and in all
    rows = len(column)
    validation = settings.validation > 0
    test_start = len(times)
    if settings.test:
        share = round(settings.test * rows)
        test_start = _nearest(before, rows - share, 1 + validation, len(times) - 1)
    start = test_start
    if validation:
        share = round(settings.validation * rows)
        start = _nearest(before, before[test_start] - share, 1, test_start - 1)
    part_of_time = np.full(len(times), TRAIN, np.int8)
    part_of_time[start:] = VALIDATION
    part_of_time[test_start:] = TEST
    return part_of_time[np.searchsorted(times, column.to_numpy())]


def _nearest(before: NDArray[np.intp], rows: int, first: int, last: int) -> int:
    """The cut from first to last with the number of rows before it nearest to rows."""
    return first + int(np.abs(before[first : last + 1] - rows).argmin())


def _by_hash(column: pd.Series, settings: Split) -> Dealt:
    key = f"{settings.seed % 2**64:016x}"
    hashes = pd.util.hash_array(_texts(column), encoding="utf8", hash_key=key)
    place = hashes / 2.0**64
    dealt = np.full(len(column), TRAIN, np.int8)
    dealt[place < settings.test + settings.validation] = VALIDATION
    dealt[place < settings.test] = TEST
    return dealt


def _texts(column: pd.Series) -> NDArray[np.object_]:
    """The values as text; a whole number has no decimal point, however it was read."""
    if _is_date(column):
        return column.to_numpy().astype("datetime64[us]").astype(str).astype(object)
    if not pd.api.types.is_numeric_dtype(column):
        return column.to_numpy(object)
    values = column.to_numpy("float64")
    # Above 2**53 a float's text may be that of another whole number.
    whole = (values == np.floor(values)) & (np.abs(values) < MOST_WHOLE)
    texts = np.empty(len(values), object)
    texts[whole] = values[whole].astype("int64").astype(str)
    texts[~whole] = values[~whole].astype(str)
    return texts


def _by_name(column: pd.Series, settings: Split, place: Place) -> Dealt:
    for part in ("validation", "test"):
        if getattr(settings, part):
            raise UserError(
                f"data.split.{part}: by: column takes the parts from {column.name!r},"
                " not from fractions; set it to 0"
            )
    parts = {name: part for part, name in enumerate(PARTS)}
    dealt = column.astype(object).map(lambda value: parts.get(str(value).lower(), -1))
    unknown = (dealt == -1).to_numpy()
    if unknown.any():
        at = int(unknown.argmax())
        cell = column.iloc[at]
        what = "the value is missing" if pd.isna(cell) else f"{str(cell)!r} is no part"
        raise UserError(
            f"{place(int(column.index[at]))}, column {column.name!r}: {what}; a data.split.column"
            " of parts holds train, validation or test"
        )
    return dealt.to_numpy(np.int8)


def _is_date(column: pd.Series) -> bool:
    return pd.api.types.is_datetime64_any_dtype(column)


def _column(table: pd.DataFrame, name: str | None) -> Any:
    if name not in table.columns:
        names = ", ".join(map(str, table.columns))
        raise UserError(f"data.split.column: the table has no column {name!r}; it has {names}")
    return table[name]


def _check_complete(column: pd.Series, place: Place) -> None:
    missing = column.isna().to_numpy()
    if missing.any():
        at = int(column.index[int(missing.argmax())])
        raise UserError(
            f"{place(at)}, column {column.name!r}: the value is missing, in {missing.sum()} of"
            f" {len(column)} rows; fill it in, or set data.split.column to another column"
        )


def _check_enough(have: int, what: str, column: pd.Series, settings: Split) -> None:
    need = 1 + (settings.validation > 0) + (settings.test > 0)
    if have < need:
        raise UserError(
            f"data.split: {column.name!r} has {have} {what} for {need} parts;"
            " set a fraction to 0 or divide by another column"
        )


def _check_filled(counts: NDArray[np.intp], settings: Split) -> None:
    rows = int(counts.sum())
    for part in (VALIDATION, TEST):
        name = PARTS[part]
        fraction = getattr(settings, name)
        if fraction and not counts[part]:
            chance = f" by the hash of {settings.column!r}" * (settings.by is SplitBy.hash)
            raise UserError(
                f"data.split.{name}: {fraction} of {rows} rows is no row{chance};"
                " raise it or set it to 0"
            )
    if not counts[TRAIN]:
        if settings.by is SplitBy.column:
            raise UserError(
                f"data.split.column: {settings.column!r} marks none of {rows} rows as train"
            )
        raise UserError(f"data.split: {rows} rows leave none to train on; lower the fractions")
