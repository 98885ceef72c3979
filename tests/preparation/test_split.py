"""Splitting the rows of a table into parts."""

import string
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.data import Split, SplitBy
from pipeline.dataset.rows import PARTS
from pipeline.preparation import split as module
from pipeline.runtime.errors import UserError
from tests.locations import locate

MANY = 2000


def table_of(keys: list[Any] | range, dtype: str = "float64") -> pd.DataFrame:
    return pd.DataFrame({"x": np.arange(len(keys)) * 1.0, "k": pd.Series(list(keys), dtype=dtype)})


def by(how: SplitBy, validation: float = 0.2, test: float = 0.2, *, seed: int = 0) -> Split:
    column = None if how is SplitBy.random else "k"
    return Split(by=how, column=column, validation=validation, test=test, seed=seed)


def split(table: pd.DataFrame, settings: Split) -> dict[str, pd.DataFrame]:
    return module.split(table, settings, locate)


def refusal(table: pd.DataFrame, settings: Split) -> str:
    with pytest.raises(UserError) as caught:
        split(table, settings)
    text = str(caught.value)
    assert "\n" not in text
    return text


def part_of_key(table: pd.DataFrame, settings: Split) -> dict[Any, set[str]]:
    found: dict[Any, set[str]] = {}
    for part, rows in split(table, settings).items():
        for key in rows["k"].unique():
            found.setdefault(key, set()).add(part)
    return found


KEYS = st.lists(st.integers(-15, 14), max_size=100).map(lambda more: [*range(30), *more])
FRACTIONS = st.sampled_from([0.0, 0.2, 0.4])
SETTINGS = st.builds(
    by,
    st.sampled_from([SplitBy.random, SplitBy.group, SplitBy.time]),
    FRACTIONS,
    FRACTIONS,
    seed=st.integers(0, 2**70),
)


@given(KEYS, SETTINGS)
def test_each_row_is_in_exactly_one_part_and_in_the_table_s_order(
    keys: list[int], settings: Split
) -> None:
    table = table_of(keys)
    parts = split(table, settings)
    assert tuple(parts) == PARTS
    assert all(part.index.is_monotonic_increasing for part in parts.values())
    pd.testing.assert_frame_equal(pd.concat(parts.values()).sort_index(), table)


@given(KEYS, SETTINGS)
def test_the_same_rows_and_settings_give_the_same_parts(keys: list[int], settings: Split) -> None:
    table = table_of(keys)
    first, second = split(table, settings), split(table, settings)
    assert all(first[part].equals(second[part]) for part in PARTS)


@given(KEYS, SETTINGS)
def test_a_part_has_rows_exactly_if_it_is_asked_for(keys: list[int], settings: Split) -> None:
    parts = split(table_of(keys), settings)
    assert not parts["train"].empty
    assert parts["validation"].empty == (settings.validation == 0)
    assert parts["test"].empty == (settings.test == 0)


@pytest.mark.parametrize(
    ("rows", "seed", "train", "validation", "test"),
    [
        (5, 99, [1, 4], [3], [0, 2]),
        (12, 0, [0, 1, 3, 6, 8, 10], [5, 11], [2, 4, 7, 9]),
        (12, 1, [1, 2, 3, 6, 9, 10], [0, 5], [4, 7, 8, 11]),
        (
            20,
            7,
            [0, 2, 4, 5, 7, 9, 11, 17, 18, 19],
            [1, 6, 10, 15],
            [3, 8, 12, 13, 14, 16],
        ),
    ],
)
def test_a_random_split_is_that_of_every_release(
    rows: int, seed: int, train: list[int], validation: list[int], test: list[int]
) -> None:
    table = table_of(range(rows))
    parts = split(table, by(SplitBy.random, 0.2, 0.3, seed=seed))
    for part, expected in zip(PARTS, (train, validation, test), strict=True):
        pd.testing.assert_frame_equal(parts[part], table.iloc[expected])


@pytest.mark.parametrize("how", [SplitBy.random, SplitBy.group, SplitBy.hash])
def test_another_seed_gives_other_parts(how: SplitBy) -> None:
    table = table_of(range(100))
    first, second = (split(table, by(how, seed=seed)) for seed in (0, 1))
    for part in PARTS:
        assert not first[part].index.equals(second[part].index)


@pytest.mark.parametrize("how", [SplitBy.random, SplitBy.group, SplitBy.time, SplitBy.hash])
def test_the_parts_have_the_sizes_that_are_asked_for(how: SplitBy) -> None:
    table = table_of(np.random.default_rng(0).permutation(MANY).tolist())
    sizes = {part: len(rows) for part, rows in split(table, by(how, 0.25, 0.1)).items()}
    blur = 0.1 * MANY if how is SplitBy.hash else 0
    assert sizes == pytest.approx({"train": 1300, "validation": 500, "test": 200}, abs=blur)


@given(KEYS, FRACTIONS, FRACTIONS, st.integers(0, 99))
def test_a_group_stays_whole(keys: list[int], validation: float, test: float, seed: int) -> None:
    found = part_of_key(table_of(keys), by(SplitBy.group, validation, test, seed=seed))
    assert all(len(parts) == 1 for parts in found.values())


@given(st.integers(1, 9), st.integers(0, 99))
def test_groups_meet_a_fraction_to_half_a_group(size: int, seed: int) -> None:
    table = table_of(np.repeat(range(12), size).tolist())
    parts = split(table, by(SplitBy.group, 0.3, 0.2, seed=seed))
    assert abs(len(parts["validation"]) - 0.3 * 12 * size) <= size / 2
    assert abs(len(parts["test"]) - 0.2 * 12 * size) <= size / 2


@given(st.integers(0, 99))
def test_a_group_that_is_far_too_large_for_a_part_is_trained_on(seed: int) -> None:
    table = table_of(["a"] * 90 + list(string.ascii_letters[1:11]), "str")
    parts = split(table, by(SplitBy.group, 0.05, 0.05, seed=seed))
    assert [len(parts[part]) for part in PARTS] == [90, 5, 5]


@given(st.integers(0, 99))
def test_three_groups_fill_three_parts(seed: int) -> None:
    table = table_of(["a"] * 98 + ["b", "c"], "str")
    parts = split(table, by(SplitBy.group, 0.49, 0.49, seed=seed))
    assert all(len(part["k"].unique()) == 1 for part in parts.values())


@given(st.permutations(range(20)))
def test_the_order_of_the_rows_moves_no_group(order: list[int]) -> None:
    table = table_of([str(row // 2) for row in range(20)], "str")
    shuffled = table.iloc[order].reset_index(drop=True)
    settings = by(SplitBy.group)
    assert part_of_key(table, settings) == part_of_key(shuffled, settings)


@given(KEYS, FRACTIONS, FRACTIONS)
def test_what_is_tested_on_is_later_than_what_is_trained_on(
    keys: list[int], validation: float, test: float
) -> None:
    parts = split(table_of(keys), by(SplitBy.time, validation, test))
    times = [parts[part]["k"] for part in PARTS if not parts[part].empty]
    assert all(before.max() < after.min() for before, after in pairwise(times))


def test_a_cut_through_rows_of_one_time_moves_to_the_nearest_end_of_it() -> None:
    parts = split(table_of([1, 1, 1, 1, 2, 2, 2, 2, 3, 3]), by(SplitBy.time, 0.5, 0.1))
    assert [len(parts[part]) for part in PARTS] == [4, 4, 2]


def test_dates_are_times() -> None:
    table = table_of(["2024-03-01", "2024-01-01", "2024-02-01"], "datetime64[us]")
    parts = split(table, by(SplitBy.time, 0.3, 0.3))
    assert {part: rows.index.tolist() for part, rows in parts.items()} == {
        "train": [1],
        "validation": [2],
        "test": [0],
    }


@given(st.sets(st.integers(0, 2**60)), st.sets(st.integers(0, 2**60)), st.integers(0, 2**70))
def test_new_rows_never_move_old_ones(old: set[int], new: set[int], seed: int) -> None:
    # The first keys see to it that no part is empty.
    settings = by(SplitBy.hash, 0.3, 0.3, seed=seed)
    first = [f"r{row}" for row in range(100)]
    before = part_of_key(table_of([*first, *map(str, old)], "str"), settings)
    after = part_of_key(table_of([*map(str, new | old), *first], "str"), settings)
    assert before.items() <= after.items()


@pytest.mark.parametrize("dtype", ["int64", "float64", "str"])
def test_a_key_has_one_part_however_it_is_read(dtype: str) -> None:
    settings = by(SplitBy.hash, 0.3, 0.3)
    whole = split(table_of(range(-50, 50), "int64"), settings)
    other = split(table_of(range(-50, 50), "int64").astype({"k": dtype}), settings)
    assert all(whole[part].index.equals(other[part].index) for part in PARTS)


def test_a_key_that_is_not_a_whole_number_is_its_text() -> None:
    settings = by(SplitBy.hash, 0.3, 0.3)
    table = table_of([row + 0.25 for row in range(100)] + [1e300])
    numbers, texts = split(table, settings), split(table.astype({"k": "str"}), settings)
    assert all(numbers[part].index.equals(texts[part].index) for part in PARTS)


def test_a_date_is_a_key() -> None:
    table = pd.DataFrame({"k": pd.date_range("2024-01-01", periods=100).as_unit("us")})
    alone = part_of_key(table, by(SplitBy.hash))
    assert part_of_key(table.iloc[20:], by(SplitBy.hash)).items() <= alone.items()


def test_the_parts_of_keys_are_those_of_every_release() -> None:
    parts = split(table_of(list("abcdefghij"), "str"), by(SplitBy.hash, 0.3, 0.3))
    assert {part: "".join(rows["k"]) for part, rows in parts.items()} == {
        "train": "aci",
        "validation": "bdefgh",
        "test": "j",
    }


def test_a_column_says_which_part_a_row_is_in() -> None:
    table = table_of(["Test", "train", "VALIDATION", "Train"], "str")
    parts = split(table, by(SplitBy.column, 0, 0))
    assert {part: rows.index.tolist() for part, rows in parts.items()} == {
        "train": [1, 3],
        "validation": [2],
        "test": [0],
    }


def test_a_column_need_not_name_every_part() -> None:
    parts = split(table_of(["train", "test"], "str"), by(SplitBy.column, 0, 0))
    assert [len(parts[part]) for part in PARTS] == [1, 0, 1]


@pytest.mark.parametrize(
    ("cell", "what"),
    [("dev", "'dev' is not a part"), (None, "the value is missing"), ("", "'' is not a part")],
)
def test_a_cell_that_is_not_a_part_is_refused(cell: str | None, what: str) -> None:
    assert refusal(table_of(["train", cell], "str"), by(SplitBy.column, 0, 0)) == (
        f"table.csv, row 2 below the header, column 'k': {what}; with by: column, data.split.column"
        " holds train, validation or test, or test and folds if data.split.folds is their number"
    )


def test_a_column_that_trains_on_nothing_is_refused() -> None:
    assert refusal(table_of(["test"], "str"), by(SplitBy.column, 0, 0)) == (
        "data.split.column: 'k' marks none of 1 rows as train"
    )


@pytest.mark.parametrize("part", ["validation", "test"])
def test_fractions_beside_a_column_of_parts_are_refused(part: str) -> None:
    settings = by(SplitBy.column, 0.1 * (part == "validation"), 0.1 * (part == "test"))
    assert refusal(table_of(["train", "test"], "str"), settings) == (
        f"data.split.{part}: by: column takes the parts from 'k', not from fractions; leave it"
        " out, or set it to null"
    )


@pytest.mark.parametrize("part", ["validation", "test"])
def test_a_fraction_that_rounds_to_zero_rows_is_refused(part: str) -> None:
    settings = by(SplitBy.random, 0.04 * (part == "validation"), 0.04 * (part == "test"))
    assert refusal(table_of(range(10)), settings) == (
        f"data.split.{part}: 0.04 of 10 rows rounds to zero rows; raise it or set it to 0"
    )


def test_a_part_that_no_hash_falls_in_is_refused() -> None:
    assert refusal(table_of(range(3)), by(SplitBy.hash, 0, 1e-9)) == (
        "data.split.test: 1e-09 of 3 rows results in zero rows by the hash of 'k'; raise it or set"
        " it to 0"
    )


def test_fractions_that_leave_nothing_to_train_on_are_refused() -> None:
    assert refusal(table_of(range(3)), by(SplitBy.random, 0.49, 0.5)) == (
        "data.split: 3 rows leave none to train on; lower the fractions"
    )


@pytest.mark.parametrize(("how", "what"), [(SplitBy.group, "groups"), (SplitBy.time, "times")])
def test_fewer_groups_than_parts_are_refused(how: SplitBy, what: str) -> None:
    assert refusal(table_of([1, 1, 1, 2, 2]), by(how)) == (
        f"data.split: 'k' has 2 {what} for 3 parts; set a fraction to 0 or divide by another column"
    )


def test_text_is_not_a_time() -> None:
    assert refusal(table_of(["a", "b", "c"], "str"), by(SplitBy.time)) == (
        "data.split.column: 'k' is text; by: time needs dates or numbers"
    )


@pytest.mark.parametrize("how", [SplitBy.group, SplitBy.time, SplitBy.hash])
def test_a_missing_value_of_the_column_is_refused(how: SplitBy) -> None:
    assert refusal(table_of([1, 2, None, 4]), by(how)) == (
        "table.csv, row 3 below the header, column 'k': the value is missing, in 1 of 4 rows; fill"
        " it in, or set data.split.column to another column"
    )


@pytest.mark.parametrize("how", [how for how in SplitBy if how is not SplitBy.random])
def test_a_column_that_the_table_lacks_is_refused(how: SplitBy) -> None:
    assert refusal(table_of([1, 2]).rename(columns={"k": "j"}), by(how)) == (
        "data.split.column: the table has no column 'k'; it has x, j"
    )


def test_a_fraction_that_is_not_given_is_a_fifth_or_what_the_column_says() -> None:
    table = table_of(["train", "validation", "test", "train", "train"], "str")
    for by, column in ((SplitBy.random, None), (SplitBy.column, "k")):
        settings = Split(by=by, column=column, validation=None, test=None)
        sizes = {name: len(part) for name, part in split(table, settings).items()}
        assert sizes == {"train": 3, "validation": 1, "test": 1}
