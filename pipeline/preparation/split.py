"""Splitting the rows of a table into a training, a validation and a test part."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.config.data import Split, SplitBy
from pipeline.dataset.rows import PARTS
from pipeline.runtime.errors import UserError
from pipeline.schema.location import Locate
from pipeline.schema.numbers import MAX_EXACT_INTEGER

TRAIN, VALIDATION, TEST = range(3)
# The part of each row as its position in PARTS, (rows,).
Assignment = NDArray[np.int8]


def split(table: pd.DataFrame, settings: Split, locate: Locate) -> dict[str, pd.DataFrame]:
    """Splits a conformed table.

    settings.by is what the part of a row depends on:

    - random: the seed; the fractions are rounded to whole rows.
    - group: settings.column; whole groups are assigned, in an order drawn from the seed.
    - time: settings.column, a date or a number; the latest rows are the test part, those just
      before them the validation part. Rows of one time stay together.
    - hash: the value in settings.column and the seed, and no other row.
    - column: settings.column, which holds the names in PARTS, in upper or lower case; with folds,
      it holds "test" and the names of the folds.

    With folds, no row is in the validation part.

    Parameters
    ----------
    table
        Its index numbers the rows from 0 and is kept.
    settings
        The fractions, and how the rows are chosen.
    locate
        Where a person finds the row of a number.

    Returns
    -------
    The parts by the names in PARTS, each in the order of the table.

    Raises
    ------
    UserError
        For a column that is missing, incomplete or unsuitable, and if the training part, or
        another one with a fraction, would be empty.

    """
    assignment = _assign(table, settings, locate)
    _check_not_empty(np.bincount(assignment, minlength=len(PARTS)), settings)
    return {name: table[assignment == part] for part, name in enumerate(PARTS)}


def _assign(table: pd.DataFrame, settings: Split, locate: Locate) -> Assignment:
    if settings.by is SplitBy.random:
        return _at_random(len(table), settings)
    column = _column(table, settings.column)
    if settings.by is SplitBy.column:
        return _by_part_name(column, settings, locate)
    _check_complete(column, locate)
    assign = {SplitBy.group: _by_group, SplitBy.time: _by_time, SplitBy.hash: _by_hash}
    return assign[settings.by](column, settings)


def _at_random(rows: int, settings: Split) -> Assignment:
    order = np.random.default_rng(settings.seed).permutation(rows)
    validation, test = settings.fractions
    test_end = round(test * rows)
    validation_end = test_end + round(validation * rows)
    assignment = np.full(rows, TRAIN, np.int8)
    assignment[order[:test_end]] = TEST
    assignment[order[test_end:validation_end]] = VALIDATION
    return assignment


def _by_group(column: pd.Series, settings: Split) -> Assignment:
    codes, _ = pd.factorize(column, sort=True)  # sorted: the order of the rows does not matter
    sizes = np.bincount(codes)
    _check_enough(len(sizes), "groups", column, settings)
    free = np.random.default_rng(settings.seed).permutation(len(sizes)).tolist()
    assignment = np.full(len(sizes), TRAIN, np.int8)
    validation, test = settings.fractions
    for part, fraction, kept in (
        (TEST, test, 2 if validation else 1),
        (VALIDATION, validation, 1),
    ):
        if fraction:
            taken = _take_groups(free, sizes, fraction * len(column), len(free) - kept)
            assignment[taken] = part
            left = set(free).difference(taken)
            free = [group for group in free if group in left]
    return assignment[codes]


def _take_groups(groups: list[int], sizes: NDArray[np.intp], rows: float, limit: int) -> list[int]:
    """At least one and at most limit groups: each in turn, unless the number of rows would be
    further from the one wanted with it than without it."""
    taken: list[int] = []
    wanted = rows
    for group in groups:
        if len(taken) == limit or wanted <= 0:
            break
        if sizes[group] < 2 * wanted:
            taken.append(group)
            wanted -= sizes[group]
    return taken or [min(groups, key=lambda group: sizes[group])]


def _by_time(column: pd.Series, settings: Split) -> Assignment:
    if not (_is_date(column) or pd.api.types.is_numeric_dtype(column)):
        raise UserError(
            f"data.split.column: {column.name!r} is text; by: time needs dates or numbers"
        )
    times, sizes = np.unique(column.to_numpy(), return_counts=True)
    _check_enough(len(times), "times", column, settings)
    before = np.append(0, np.cumsum(sizes))  # rows before each time, and the total
    rows = len(column)
    validation, test = settings.fractions
    test_start = len(times)
    if test:
        share = round(test * rows)
        test_start = nearest(before, rows - share, 1 + (validation > 0), len(times) - 1)
    start = test_start
    if validation:
        share = round(validation * rows)
        start = nearest(before, before[test_start] - share, 1, test_start - 1)
    part_of_time = np.full(len(times), TRAIN, np.int8)
    part_of_time[start:] = VALIDATION
    part_of_time[test_start:] = TEST
    return part_of_time[np.searchsorted(times, column.to_numpy())]


def nearest(before: NDArray[np.intp], rows: int, first: int, last: int) -> int:
    """The cut from first to last that has the number of rows before it nearest to rows."""
    return first + int(np.abs(before[first : last + 1] - rows).argmin())


def _by_hash(column: pd.Series, settings: Split) -> Assignment:
    uniform = hashes(column, f"{settings.seed % 2**64:016x}") / 2.0**64
    assignment = np.full(len(column), TRAIN, np.int8)
    validation, test = settings.fractions
    assignment[uniform < test + validation] = VALIDATION
    assignment[uniform < test] = TEST
    return assignment


def hashes(column: pd.Series, key: str) -> NDArray[np.uint64]:
    """A hash of each value by a key of 16 characters."""
    return pd.util.hash_array(texts(column), encoding="utf8", hash_key=key)


def texts(column: pd.Series) -> NDArray[np.object_]:
    """The values as text; an integer has no decimal point, even if it was read as a float."""
    if _is_date(column):
        return column.to_numpy().astype("datetime64[us]").astype(str).astype(object)
    if not pd.api.types.is_numeric_dtype(column):
        return column.to_numpy(object)
    values = column.to_numpy("float64")
    # The text of a larger float may be that of another integer.
    whole = (values == np.floor(values)) & (np.abs(values) < MAX_EXACT_INTEGER)
    written = np.empty(len(values), object)
    written[whole] = values[whole].astype("int64").astype(str)
    written[~whole] = values[~whole].astype(str)
    return written


def _by_part_name(column: pd.Series, settings: Split, locate: Locate) -> Assignment:
    for part in ("validation", "test"):
        if getattr(settings, part):
            raise UserError(
                f"data.split.{part}: by: column takes the parts from {column.name!r},"
                " not from fractions; leave it out, or set it to null"
            )
    parts: dict[str, int] = {name: part for part, name in enumerate(PARTS)}
    one, allowed, others = (
        "part",
        "train, validation or test, or test and folds if data.split.folds is their number",
        -1,
    )
    if settings.folds:
        parts |= {"train": -1, "validation": -1}
        one, others = "fold", TRAIN
        allowed = f"test or the name of one of {settings.folds} folds"
    assignment = column.astype(object).map(lambda value: parts.get(str(value).lower(), others))
    unknown = (assignment == -1).to_numpy() | column.isna().to_numpy()
    if unknown.any():
        at = int(unknown.argmax())
        cell = column.iloc[at]
        what = "the value is missing" if pd.isna(cell) else f"{str(cell)!r} is not a {one}"
        raise UserError(
            f"{locate(int(column.index[at]))}, column {column.name!r}: {what}; with by: column,"
            f" data.split.column holds {allowed}"
        )
    return assignment.to_numpy(np.int8)


def _is_date(column: pd.Series) -> bool:
    return pd.api.types.is_datetime64_any_dtype(column)


def _column(table: pd.DataFrame, name: str | None) -> Any:
    if name not in table.columns:
        names = ", ".join(map(str, table.columns))
        raise UserError(f"data.split.column: the table has no column {name!r}; it has {names}")
    return table[name]


def _check_complete(column: pd.Series, locate: Locate) -> None:
    missing = column.isna().to_numpy()
    if missing.any():
        at = int(column.index[int(missing.argmax())])
        raise UserError(
            f"{locate(at)}, column {column.name!r}: the value is missing, in {missing.sum()} of"
            f" {len(column)} rows; fill it in, or set data.split.column to another column"
        )


def _check_enough(have: int, what: str, column: pd.Series, settings: Split) -> None:
    need = 1 + sum(fraction > 0 for fraction in settings.fractions)
    if have < need:
        raise UserError(
            f"data.split: {column.name!r} has {have} {what} for {need} parts;"
            " set a fraction to 0 or divide by another column"
        )


def _check_not_empty(counts: NDArray[np.intp], settings: Split) -> None:
    rows = int(counts.sum())
    for part, fraction in zip((VALIDATION, TEST), settings.fractions, strict=True):
        name = PARTS[part]
        if fraction and not counts[part]:
            what = "rounds to zero rows"
            if settings.by is SplitBy.hash:
                what = f"results in zero rows by the hash of {settings.column!r}"
            raise UserError(
                f"data.split.{name}: {fraction} of {rows} rows {what}; raise it or set it to 0"
            )
    if not counts[TRAIN]:
        if settings.by is SplitBy.column:
            name = "a fold" if settings.folds else "train"
            raise UserError(
                f"data.split.column: {settings.column!r} marks none of {rows} rows as {name}"
            )
        raise UserError(f"data.split: {rows} rows leave none to train on; lower the fractions")
