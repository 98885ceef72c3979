"""Dividing the training part into the folds of cross-validation."""

import hashlib
import heapq
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.config.data import Data, Split, SplitBy
from pipeline.dataset.encoding import Encoding
from pipeline.dataset.folds import NO_FOLDS, Folds
from pipeline.preparation.split import hashes, nearest, split, texts
from pipeline.runtime.errors import UserError
from pipeline.schema.location import Locate

Parts = dict[str, pd.DataFrame]
Numbers = NDArray[np.int32]
# Where data.split.folds does not say.
DEFAULT_FOLDS = 5
# Folds help with more rows too (by 7 % with 12,000 of the bike counts), but a training takes
# minutes on two cores, and one validation part of 4000 rows or more is enough to choose by: its
# RMSE has a standard error below 2 %.
MAX_ROWS = 20_000
# Of fewer, a fold would hold out a single row. From here on, the mean of five networks was better
# than one network in most of the cases measured (6 tables; 10, 15, 20 and 40 rows), by 5 to 9 %.
MIN_ROWS = 2 * DEFAULT_FOLDS
GROUP_ORDERS = 10
MAX_SHARE = 0.5  # of the rows in a fold, beyond which it is warned of
SHOWN = 6


def divide(rows: pd.DataFrame, data: Data, locate: Locate) -> tuple[Parts, Folds]:
    """Splits a conformed table into parts, and the training part into folds, which have no
    encodings yet.

    data.split.folds is their number; if it is None, it is DEFAULT_FOLDS for a table with MIN_ROWS
    to MAX_ROWS rows that are not for test, if the rows can be divided so and no validation part is
    asked for, and 0 otherwise. Each row is held out by one fold of each repeat. The folds depend
    on what the parts depend on (see `split`):

    - random: the seed; their sizes differ by at most one.
    - group: whole groups, each of which goes to the smallest fold, the large ones first, so that
      the sizes differ little; the seed decides among such orders.
    - time: the rows are cut into one more block than there are folds. A fold holds out a block
      and is trained on those before it. Rows of one time stay together.
    - hash: the value and the seed, with another hash than the parts.
    - column: each name in it is a fold.

    Raises
    ------
    UserError
        As `split`; and if the rows cannot be divided into so many folds, or a fold would be
        trained on rows whose target does not vary.

    References
    ----------
    R. L. Graham (1969), Bounds on multiprocessing timing anomalies: large groups first.

    """
    settings = data.split
    if settings.folds is None:
        if settings.by is not SplitBy.column and settings.validation is None:
            with_folds = replace(data, split=replace(settings, folds=DEFAULT_FOLDS))
            parts = split(rows, with_folds.split, locate)
            if MIN_ROWS <= len(parts["train"]) <= MAX_ROWS:
                with suppress(UserError):
                    return parts, _folds(parts["train"], with_folds)
        if settings.repeats > 1:
            raise UserError(
                f"data.split.repeats is {settings.repeats}, but these {len(rows)} rows are divided"
                " into folds only if data.split.folds is set"
            )
        settings = replace(settings, folds=0)
        data = replace(data, split=settings)
    parts = split(rows, settings, locate)
    return parts, _folds(parts["train"], data) if settings.folds else NO_FOLDS


def _folds(train: pd.DataFrame, data: Data) -> Folds:
    settings = data.split
    per_repeat = settings.folds or 0
    expanding = settings.by is SplitBy.time
    held_out = np.empty((len(train), settings.repeats), np.int32)
    for repeat in range(settings.repeats):
        numbers = _fold_numbers(train, settings, repeat)
        held_out[:, repeat] = np.where(numbers > 0, numbers + repeat * per_repeat, 0)
    folds = Folds(held_out, settings.repeats * per_repeat, expanding)
    sizes = np.bincount(held_out.ravel(), minlength=folds.count + 1)[1:]
    if not sizes.all():
        raise UserError(
            f"data.split.folds: fold {int(sizes.argmin()) + 1} of {folds.count} has none of"
            f" {len(train)} rows by the hash of {settings.column!r}; lower it, or set it to 0"
        )
    target = train[data.target].to_numpy()
    for number, fold in enumerate(folds, 1):
        y = target[fold.train]
        if np.ptp(y) == 0:
            raise UserError(
                f"{data.path}, column {data.target!r}: the target is {y[0]:.6g} in every row"
                f" ({len(y)}) that fold {number} of {folds.count} is trained on; lower"
                " data.split.folds, or set it to 0"
            )
    return folds


def _fold_numbers(train: pd.DataFrame, settings: Split, repeat: int) -> Numbers:
    """The fold that holds out each row, from 1 on; 0 for a row that none holds out."""
    folds = settings.folds or 0
    _check_enough(len(train), "rows", folds)
    # The parts are drawn from the seed alone.
    random = np.random.default_rng([settings.seed, repeat + 1])
    if settings.by is SplitBy.random:
        numbers = np.empty(len(train), np.int32)
        numbers[random.permutation(len(train))] = np.arange(len(train)) % folds + 1
        return numbers
    column = train[settings.column]
    match settings.by:
        case SplitBy.group:
            return _by_group(column, folds, random)
        case SplitBy.time:
            return _by_time(column, folds)
        case SplitBy.hash:
            key = hashlib.sha256(f"folds {settings.seed} {repeat}".encode()).hexdigest()[:16]
            return (hashes(column, key) % np.uint64(folds)).astype(np.int32) + 1
    return _by_name(column, folds)


def _by_group(column: "pd.Series[Any]", folds: int, random: np.random.Generator) -> Numbers:
    codes, _ = pd.factorize(column, sort=True)  # sorted: the order of the rows does not matter
    sizes = np.bincount(codes)
    _check_enough(len(sizes), f"groups of {column.name!r}", folds)
    best, spread = _balanced(sizes, np.argsort(-sizes, kind="stable"), folds)
    # The largest first, but for chance: the seed has a say where it costs no balance.
    for _ in range(GROUP_ORDERS):
        order = np.argsort(-sizes * random.uniform(0.5, 1, len(sizes)))
        numbers, difference = _balanced(sizes, order, folds)
        if difference <= spread:
            best, spread = numbers, difference
            if spread <= 1:
                break
    return best[codes]


def _balanced(sizes: NDArray[np.intp], order: NDArray[np.intp], folds: int) -> tuple[Numbers, int]:
    """The fold of each group if each in turn goes to the fold with the fewest rows, and how many
    more rows the largest fold has than the smallest."""
    numbers = np.empty(len(sizes), np.int32)
    smallest = [(0, number) for number in range(1, folds + 1)]
    for group in order.tolist():
        rows, number = smallest[0]
        numbers[group] = number
        heapq.heapreplace(smallest, (rows + int(sizes[group]), number))
    return numbers, max(smallest)[0] - smallest[0][0]


def _by_time(column: "pd.Series[Any]", folds: int) -> Numbers:
    times, sizes = np.unique(column.to_numpy(), return_counts=True)
    _check_enough(len(times), f"times of {column.name!r}", folds, blocks=folds + 1)
    before = np.append(0, np.cumsum(sizes))  # rows before each time, and the total
    starts: list[int] = []
    for number in range(1, folds + 1):
        first = starts[-1] + 1 if starts else 1
        rows = round(len(column) * number / (folds + 1))
        starts.append(nearest(before, rows, first, len(times) - 1 - (folds - number)))
    of_time = np.searchsorted(starts, np.arange(len(times)), side="right")
    return of_time[np.searchsorted(times, column.to_numpy())].astype(np.int32)


def _by_name(column: "pd.Series[Any]", folds: int) -> Numbers:
    written = pd.Series(texts(column))
    # 2 comes before 10.
    names = sorted(written.unique(), key=lambda name: (len(name), name))
    if len(names) != folds:
        shown = ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
        raise UserError(
            f"data.split.folds is {folds}, but {column.name!r} has {len(names)} values other than"
            f" test ({shown}), each of which is a fold; set it to their number"
        )
    return written.map({name: number for number, name in enumerate(names, 1)}).to_numpy(np.int32)


def _check_enough(have: int, what: str, folds: int, blocks: int | None = None) -> None:
    need = blocks or folds
    if have < need:
        most = have - (need - folds)
        raise UserError(
            f"data.split.folds: {folds} folds need {need} {what}, but outside the test part there"
            f" are {have}; set it to {f'at most {most}' if most > 1 else 0}"
        )


def divisions(parts: Mapping[str, pd.DataFrame], folds: Folds) -> Iterator[Parts]:
    """The rows by what they are used for: the parts or, for each repeat of cross-validation, its
    folds and the other parts."""
    if not folds.count:
        yield dict(parts)
    train = parts["train"]
    for numbers in folds.held_out.T if folds.count else []:
        yield {
            f"fold {number}" if number else "train": train[numbers == number]
            for number in np.unique(numbers)
        } | {name: part for name, part in parts.items() if name != "train"}


def fold_warnings(
    train: pd.DataFrame, folds: Folds, encoding: Encoding, source: str
) -> Iterator[str]:
    """A line if a fold holds out most rows, and one if a fold's network has not seen a category
    that it predicts.

    Parameters
    ----------
    encoding
        That of all rows: rare categories, which have no input, are not looked for.

    """
    for number, fold in enumerate(folds, 1):
        share = len(fold.validation) / len(train)
        if share > max(MAX_SHARE, 1.5 * folds.repeats / folds.count):
            yield (
                f"{source}: fold {number} of {folds.count} holds out {100 * share:.0f} % of"
                f" {len(train)} rows and is trained on {len(fold.train)}; choose the folds"
                " otherwise with data.split.by or data.split.column, or set data.split.folds=0"
            )
    unseen = list(_unseen_categories(train, folds, encoding))
    if unseen:
        name, category, number, rows = unseen[0]
        what = f"has the category {category!r}" if category else "has a missing value"
        more = f"; likewise {len(unseen) - 1} more" if len(unseen) > 1 else ""
        yield (
            f"{source}, column {name!r}: no row that fold {number} of {folds.count} is trained on"
            f" {what}, as {rows} of the rows that it holds out have; they are predicted as an"
            f" unknown category{more}"
        )


def _unseen_categories(
    train: pd.DataFrame, folds: Folds, encoding: Encoding
) -> Iterator[tuple[str, str, int, int]]:
    """Column, category, fold and number of rows of each category of which a fold has rows that it
    holds out and none that it is trained on."""
    for name, one in encoding.categories.items():
        codes, names = pd.factorize(train[name].fillna(""))
        listed = names.isin(one.categories)
        for number, fold in enumerate(folds, 1):
            trained_on, held_out = (
                np.bincount(codes[rows], minlength=len(names))
                for rows in (fold.train, fold.validation)
            )
            for code in np.flatnonzero(listed & (trained_on == 0) & (held_out > 0)).tolist():
                yield name, str(names[code]), number, held_out[code]
