"""Dividing the rows that are not for test into folds, and what is fitted to each fold."""

import datetime as dt
import warnings
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.data import BinEdges, Data, Kind, Lint, Policy, ScaleInputs, Split, SplitBy
from pipeline.config.section import check
from pipeline.dataset.encoding import Number
from pipeline.dataset.folds import NO_FOLDS, Folds
from pipeline.preparation import cross_validation
from pipeline.preparation.encoding_fit import BEYOND_SCALE, fit_encoding, fit_fold_encodings
from pipeline.preparation.preparation import Prepared, prepare
from pipeline.preparation.prepared_files import summary, write
from pipeline.runtime.errors import UserError
from pipeline.schema.columns import Column, Schema
from tests.locations import locate

ROWS = 60


def table_of(keys: Any, dtype: str = "float64") -> pd.DataFrame:
    rows = np.arange(len(keys)) * 1.0
    return pd.DataFrame({"y": rows, "k": pd.Series(list(keys), dtype=dtype)})


def by(how: SplitBy, folds: int | None = 3, **changed: Any) -> Data:
    column = None if how is SplitBy.random else "k"
    usual = {"by": how, "column": column, "test": 0.0, "validation": None, "folds": folds}
    return Data(path="table.csv", target="y", split=Split(**(usual | changed)))


def divide(table: pd.DataFrame, data: Data) -> tuple[dict[str, pd.DataFrame], Folds]:
    assert list(check(data.split)) == []
    return cross_validation.divide(table, data, locate)


def held_out(table: pd.DataFrame, data: Data) -> list[list[int]]:
    """The rows that each fold holds out, as they are numbered in the table."""
    parts, folds = divide(table, data)
    return [parts["train"].index[fold.validation].tolist() for fold in folds]


def refusal(table: pd.DataFrame, data: Data) -> str:
    with pytest.raises(UserError) as caught:
        divide(table, data)
    text = str(caught.value)
    assert "\n" not in text
    return text


KEYS = st.lists(st.integers(-15, 14), max_size=100).map(lambda more: [*range(30), *more])
SETTINGS = st.builds(
    by,
    st.sampled_from([SplitBy.random, SplitBy.group]),
    st.integers(2, 6),
    test=st.sampled_from([0.0, 0.2]),
    repeats=st.integers(1, 3),
    seed=st.integers(0, 2**70),
)


@given(KEYS, SETTINGS)
def test_each_repeat_holds_out_each_row_that_is_not_for_test_once(
    keys: list[int], data: Data
) -> None:
    table = table_of(keys)
    parts, folds = divide(table, data)
    assert parts["validation"].empty
    assert parts["test"].empty == (data.split.test == 0)
    rows = np.arange(len(parts["train"]))
    count = data.split.folds or 0
    assert (folds.count, folds.repeats) == (count * data.split.repeats, data.split.repeats)
    for start in range(0, folds.count, count):
        repeat = list(folds)[start : start + count]
        together = np.concatenate([fold.validation for fold in repeat])
        np.testing.assert_array_equal(np.sort(together), rows)
    for fold in folds:
        both = np.concatenate([fold.train, fold.validation])
        np.testing.assert_array_equal(np.sort(both), rows)
        assert len(fold.validation)


@given(KEYS, SETTINGS)
def test_the_same_rows_and_settings_give_the_same_folds(keys: list[int], data: Data) -> None:
    table = table_of(keys)
    np.testing.assert_array_equal(divide(table, data)[1].held_out, divide(table, data)[1].held_out)


@pytest.mark.parametrize("how", [SplitBy.random, SplitBy.group, SplitBy.hash])
def test_seeds_and_repeats_divide_otherwise(how: SplitBy) -> None:
    table = table_of(np.arange(120) // 2)
    first = held_out(table, by(how, repeats=3))
    assert len({tuple(rows) for rows in first}) == 9
    other = held_out(table, by(how, repeats=3, seed=1))
    assert not {tuple(rows) for rows in first} & {tuple(rows) for rows in other}
    assert held_out(table, by(how)) == first[:3]


@pytest.mark.parametrize("how", [SplitBy.random, SplitBy.group, SplitBy.time, SplitBy.hash])
def test_the_test_part_is_that_of_a_split_without_folds(how: SplitBy) -> None:
    table = table_of(np.random.default_rng(0).permutation(200))
    with_folds, _ = divide(table, by(how, test=0.2))
    without, folds = divide(table, by(how, 0, test=0.2))
    assert folds is NO_FOLDS
    assert with_folds["test"].equals(without["test"])


@given(st.integers(6, 100), st.integers(2, 6), st.integers(0, 99))
def test_the_sizes_of_random_folds_differ_by_one_at_most(rows: int, folds: int, seed: int) -> None:
    sizes = [
        len(one) for one in held_out(table_of(range(rows)), by(SplitBy.random, folds, seed=seed))
    ]
    assert max(sizes) - min(sizes) <= 1


@given(KEYS, st.integers(2, 6), st.integers(0, 99))
def test_a_group_is_in_one_fold(keys: list[int], folds: int, seed: int) -> None:
    table = table_of(keys)
    groups = [
        set(table["k"].iloc[rows]) for rows in held_out(table, by(SplitBy.group, folds, seed=seed))
    ]
    assert sum(map(len, groups)) == len(set(keys))


@given(st.lists(st.integers(1, 40), min_size=6, max_size=30), st.integers(0, 99))
def test_folds_of_groups_are_about_equal(sizes: list[int], seed: int) -> None:
    table = table_of(np.repeat(range(len(sizes)), sizes))
    folds = sorted(map(len, held_out(table, by(SplitBy.group, seed=seed))))
    # Otherwise, the smallest group of the largest fold would be in the smallest one.
    assert folds[-1] - folds[0] <= max(sizes)


def test_a_large_group_is_a_fold_of_its_own() -> None:
    table = table_of([0] * 50 + [1] * 50 + list(range(2, 52)))
    for seed in range(5):
        assert [*map(len, held_out(table, by(SplitBy.group, seed=seed)))] == [50, 50, 50]


@given(st.permutations(range(20)))
def test_the_order_of_the_rows_moves_no_group(order: list[int]) -> None:
    table = table_of([str(row // 2) for row in range(20)], "str")
    shuffled = table.iloc[order].reset_index(drop=True)

    def groups(rows: pd.DataFrame) -> list[set[str]]:
        return [set(rows["k"].iloc[fold]) for fold in held_out(rows, by(SplitBy.group))]

    assert groups(table) == groups(shuffled)


@given(KEYS, st.integers(2, 6), st.sampled_from([0.0, 0.2]))
def test_a_fold_of_times_is_trained_on_all_that_is_earlier_and_nothing_else(
    keys: list[int], count: int, test: float
) -> None:
    parts, folds = divide(table_of(keys), by(SplitBy.time, count, test=test))
    times = parts["train"]["k"].to_numpy()
    assert folds.expanding
    assert folds.count == count
    earlier = folds.rows(0).train
    for fold in folds:
        np.testing.assert_array_equal(fold.train, earlier)
        assert times[fold.train].max() < times[fold.validation].min()
        earlier = np.union1d(fold.train, fold.validation)
    assert len(earlier) == len(times)


def test_the_blocks_of_times_are_about_equal_and_ties_stay_together() -> None:
    _, folds = divide(table_of(range(60)), by(SplitBy.time, 5))
    assert [len(fold.validation) for fold in folds] == [10] * 5
    assert len(folds.rows(0).train) == 10
    ties = [0, 0, 1, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert held_out(table_of(ties), by(SplitBy.time, 2)) == [
        [2, 3, 4, 5, 6, 7, 8],
        [9, 10, 11],
    ] or (held_out(table_of(ties), by(SplitBy.time, 2)) == [[6, 7, 8], [9, 10, 11]])


@given(st.sets(st.integers(0, 2**60)), st.sets(st.integers(0, 2**60)), st.integers(0, 2**70))
def test_new_rows_never_move_old_ones_to_another_fold(
    old: set[int], new: set[int], seed: int
) -> None:
    def fold_of_key(keys: list[str]) -> dict[str, tuple[int, ...]]:
        data = by(SplitBy.hash, test=0.3, seed=seed, repeats=2)
        parts, folds = divide(table_of(keys, "str"), data)
        return dict(zip(parts["train"]["k"], map(tuple, folds.held_out.tolist()), strict=True))

    first = [f"r{row}" for row in range(100)]  # so that no fold is empty
    before = fold_of_key([*first, *map(str, old)])
    after = fold_of_key([*map(str, new | old), *first, *first])
    assert before.items() <= after.items()


def test_the_fold_of_a_key_does_not_follow_from_its_part() -> None:
    # With the same hash, the keys that are not for test would miss the first folds.
    sizes = [*map(len, held_out(table_of(range(5000)), by(SplitBy.hash, 5, test=0.5)))]
    assert sum(sizes) == pytest.approx(2500, abs=150)
    assert sizes == pytest.approx([500] * 5, abs=100)


@pytest.mark.parametrize(
    ("keys", "dtype"),
    [(["b", "Test", "a", "b", "10", "a"], "str"), ([2, 1, 10, 2, 1], "float64")],
)
def test_a_column_may_name_the_folds(keys: list[Any], dtype: str) -> None:
    table = table_of(keys, dtype)
    parts, folds = divide(table, by(SplitBy.column, 3, test=None))
    of_fold = [set(parts["train"]["k"].iloc[fold.validation]) for fold in folds]
    assert of_fold == ([{"a"}, {"b"}, {"10"}] if dtype == "str" else [{1}, {2}, {10}])
    assert parts["test"].index.tolist() == ([1] if dtype == "str" else [])


# What is refused


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"folds": 1}, "split: folds is 1, but must be at least 2, or 0 for one validation part"),
        (
            {"folds": 5, "validation": 0.2},
            (
                "split: validation is 0.2, but with folds, each row that is not for test is"
                " held out in turn; set data.split.validation=null or data.split.folds=0"
            ),
        ),
        ({"repeats": 3}, "split: repeats is 3, which has an effect only with folds"),
        (
            {"repeats": 2, "folds": 5, "by": SplitBy.time, "column": "k"},
            (
                "split: repeats is 2, but must be 1 with by: time, which divides the rows into"
                " folds in one way only"
            ),
        ),
        ({"folds": -1}, "split.folds is -1, but must be at least 0"),
        ({"repeats": 0}, "split.repeats is 0, but must be at least 1"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    changed: dict[str, Any], message: str
) -> None:
    assert [text for _, text in check(Split(**changed), "split.")] == [message]


@pytest.mark.parametrize("validation", [None, 0.0])
def test_folds_need_no_validation_part(validation: float | None) -> None:
    split = Split(folds=5, validation=validation, test=0.9)
    assert list(check(split)) == []
    assert split.fractions == (0.0, 0.9)


@pytest.mark.parametrize(
    ("keys", "data", "message"),
    [
        (
            range(10),
            by(SplitBy.random, 9, test=0.2),
            (
                "data.split.folds: 9 folds need 9 rows, but outside the test part there are 8;"
                " set it to at most 8"
            ),
        ),
        (
            [1, 1, 2, 2, 3, 3],
            by(SplitBy.group, 4),
            (
                "data.split.folds: 4 folds need 4 groups of 'k', but outside the test part"
                " there are 3; set it to at most 3"
            ),
        ),
        (
            [1, 1, 2, 2, 3, 3],
            by(SplitBy.time, 3),
            (
                "data.split.folds: 3 folds need 4 times of 'k', but outside the test part there"
                " are 3; set it to at most 2"
            ),
        ),
        (
            [1, 1, 1, 2, 2],
            by(SplitBy.time, 2),
            (
                "data.split.folds: 2 folds need 3 times of 'k', but outside the test part there"
                " are 2; set it to 0"
            ),
        ),
        (
            [7, 7, 7, 7],
            by(SplitBy.hash, 2),
            (
                "data.split.folds: fold 1 of 2 has none of 4 rows by the hash of 'k'; lower it,"
                " or set it to 0"
            ),
        ),
        (
            [*range(8), 0],
            by(SplitBy.column, 5, test=None),
            (
                "data.split.folds is 5, but 'k' has 8 values other than test (0, 1, 2, 3, 4, 5,"
                " ...), each of which is a fold; set it to their number"
            ),
        ),
    ],
)
def test_more_folds_than_there_can_be_are_refused(keys: Any, data: Data, message: str) -> None:
    assert refusal(table_of(keys), data) == message


@pytest.mark.parametrize(
    ("cell", "what"),
    [("Train", "'Train' is not a fold"), ("validation", "'validation' is not a fold"),
     (None, "the value is missing")],
)  # fmt: skip
def test_a_cell_that_is_not_the_name_of_a_fold_is_refused(cell: str | None, what: str) -> None:
    assert refusal(table_of(["a", cell, "b"], "str"), by(SplitBy.column, 2, test=None)) == (
        f"table.csv, row 2 below the header, column 'k': {what}; with by: column, data.split.column"
        " holds test or the name of one of 2 folds"
    )


def test_a_column_without_a_fold_is_refused() -> None:
    assert refusal(table_of(["test", "test"], "str"), by(SplitBy.column, 2, test=None)) == (
        "data.split.column: 'k' marks none of 2 rows as a fold"
    )


def test_a_fold_that_is_trained_on_a_constant_target_is_refused() -> None:
    table = table_of(range(12)).assign(y=[5.0] * 4 + list(range(8)))
    assert refusal(table, by(SplitBy.time, 2)) == (
        "table.csv, column 'y': the target is 5 in every row (4) that fold 1 of 2 is trained on;"
        " lower data.split.folds, or set it to 0"
    )


# The number of folds that is chosen

MANY = cross_validation.MAX_ROWS


@pytest.mark.parametrize(
    ("rows", "how", "count"),
    [
        (10, SplitBy.random, 5),
        (9, SplitBy.random, 0),
        (MANY, SplitBy.random, 5),
        (MANY + 1, SplitBy.random, 0),
        (30, SplitBy.group, 5),
        (30, SplitBy.time, 5),
        (200, SplitBy.hash, 5),
    ],
)
def test_few_rows_are_divided_into_folds(rows: int, how: SplitBy, count: int) -> None:
    parts, folds = divide(table_of(range(rows)), by(how, None))
    assert folds.count == count
    assert parts["validation"].empty == bool(count)


@pytest.mark.parametrize(
    ("table", "data"),
    [
        (table_of(range(30)), by(SplitBy.random, None, validation=0.3)),
        (table_of(range(30)), by(SplitBy.random, None, validation=0.0)),
        (table_of([row % 4 for row in range(30)]), by(SplitBy.group, None)),
        (table_of([row // 6 for row in range(30)]), by(SplitBy.time, None)),
        (table_of([row // 5 for row in range(40)]), by(SplitBy.hash, None, seed=2)),
        (table_of(["train", "validation"] * 9, "str"), by(SplitBy.column, None, test=None)),
        # The first block of times has one target.
        (table_of(range(30)).assign(y=lambda rows: rows["y"].clip(9)), by(SplitBy.time, None)),
    ],
)
def test_rows_that_cannot_be_divided_so_have_one_validation_part(
    table: pd.DataFrame, data: Data
) -> None:
    parts, folds = divide(table, data)
    assert folds is NO_FOLDS
    without = replace(data, split=replace(data.split, folds=0))
    expected, _ = divide(table, without)
    assert all(parts[name].equals(part) for name, part in expected.items())


def test_repeats_of_folds_that_are_not_chosen_are_refused() -> None:
    assert divide(table_of(range(30)), by(SplitBy.random, None, repeats=2))[1].count == 10
    assert refusal(table_of(range(9)), by(SplitBy.random, None, repeats=2)) == (
        "data.split.repeats is 2, but these 9 rows are divided into folds only if data.split.folds"
        " is set"
    )


# What is fitted to a fold

KINDS = {
    "number": Kind.numeric, "gaps": Kind.numeric, "flag": Kind.boolean, "town": Kind.category,
    "seen": Kind.date, "y": Kind.numeric,
}  # fmt: skip
SCHEMA = Schema({name: Column(kind) for name, kind in KINDS.items()})
FEATURES = [name for name in KINDS if name != "y"]


def rows_of(random: np.random.Generator, rows: int, towns: list[str | None]) -> pd.DataFrame:
    day = pd.Timestamp(2020, 1, 1) + pd.to_timedelta(random.integers(0, 3000, rows), "h")
    gaps = random.normal(size=rows) * 10.0 ** random.integers(-3, 6)
    table = pd.DataFrame(
        {
            "number": random.normal(random.integers(-9, 9), 10.0 ** random.integers(-3, 6), rows),
            "gaps": np.where(random.random(rows) < random.random(), np.nan, gaps),
            "flag": (random.random(rows) < 0.5).astype(float),
            "town": pd.Series(random.choice(np.array(towns, object), rows), dtype="str"),
            "seen": pd.Series(day).astype("datetime64[us]"),
            "y": random.exponential(size=rows) + 0.1,
        }
    )
    return table.assign(seen=table["seen"].where(random.random(rows) < random.random()))


TIMES = st.sampled_from([SplitBy.random, SplitBy.time])


@given(
    st.integers(0, 2**32), st.integers(0, 3), st.sampled_from(ScaleInputs),
    st.sampled_from(BinEdges), TIMES,
)  # fmt: skip
def test_the_rows_that_a_fold_holds_out_have_no_say_in_its_encoding(
    seed: int, number: int, scale: ScaleInputs, edges: BinEdges, how: SplitBy
) -> None:
    random = np.random.default_rng(seed)
    table = rows_of(random, ROWS, ["Bonn", "Ulm", None])
    data = replace(by(how, 4, seed=seed), scale_inputs=scale, bin_edges=edges, bins=5)
    train = table.assign(k=random.permutation(ROWS) * 1.0)
    parts, folds = divide(train, data)
    before = fit_fold_encodings(parts["train"], folds, SCHEMA, FEATURES, data)
    others = np.setdiff1d(np.arange(ROWS), list(folds)[number].train)
    changed = parts["train"].drop(columns="k").copy()
    replacement = rows_of(random, ROWS, ["Ulm", "Ems", "Köln"])
    changed.iloc[others] = replacement.iloc[others].to_numpy(object)
    changed = changed.astype(table.dtypes)
    assert not changed.equals(table)
    after = fit_fold_encodings(changed, folds, SCHEMA, FEATURES, data)
    assert after[number] == before[number]


def test_the_encoding_of_a_fold_is_that_of_the_rows_that_it_is_trained_on() -> None:
    table = rows_of(np.random.default_rng(1), ROWS, ["Bonn", "Ulm", None])
    data = by(SplitBy.random, 4, repeats=2)
    _, folds = divide(table, data)
    for fold, encoding in zip(
        folds, fit_fold_encodings(table, folds, SCHEMA, FEATURES, data), strict=True
    ):
        assert encoding == fit_encoding(table.iloc[fold.train], SCHEMA, FEATURES, data)


@pytest.mark.parametrize("scale", ScaleInputs)
def test_what_does_not_vary_in_a_fold_s_training_rows_is_no_error(scale: ScaleInputs) -> None:
    table = rows_of(np.random.default_rng(1), ROWS, ["Bonn"])
    first = np.arange(ROWS) < ROWS // 3
    table["number"] = table["number"].where(~first, 3.0)
    table["gaps"] = table["number"].where(~first)
    table["flag"] = 1.0 * ~first
    table["seen"] = pd.Series(pd.Timestamp(2020, 1, 1), table.index).astype("datetime64[us]")
    data = replace(by(SplitBy.time, 2), scale_inputs=scale)
    _, folds = divide(table.assign(k=np.arange(ROWS) * 1.0), data)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        encoding = fit_fold_encodings(table, folds, SCHEMA, FEATURES, data)[0]
    for name in ("number", "gaps", "flag"):
        assert encoding.numbers[name] == Number(0.0, name == "gaps", std=BEYOND_SCALE)
    assert encoding.dates["seen"].std == BEYOND_SCALE


# From the table to the files


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def made(table: pd.DataFrame, split: Split, **changed: Any) -> tuple[Prepared, Data]:
    table.to_csv("t.csv", index=False)
    data = Data(path="t.csv", target="y", split=split, **changed)
    return prepare(data, today=dt.date(2026, 1, 1)), data


def usual(rows: int = 80) -> pd.DataFrame:
    random = np.random.default_rng(3)
    return pd.DataFrame(
        {
            "a": random.normal(size=rows).round(3),
            "town": random.choice(["Bonn", "Ulm"], rows),
            "day": pd.Timestamp(2020, 1, 1) + pd.to_timedelta(np.arange(rows), "D"),
            "house": random.permutation(rows) % 20,
            "y": random.normal(size=rows).round(3),
        }
    )


def test_changing_all_that_a_fold_holds_out_does_not_change_what_it_has_learned() -> None:
    split = Split(folds=4, repeats=2, test=0.25)
    table = usual().assign(a=lambda rows: rows["a"].where(rows["house"] > 2))
    first, _ = made(table, split)
    for number, fold in enumerate(first.folds):
        others = first.parts["train"].index[fold.validation].union(first.parts["test"].index)
        changed = table.copy()
        changed.loc[others, "y"] = 1000.5 - 3 * changed["y"]
        changed.loc[others, "a"] = (50.5 - changed["a"]).where(changed["house"] % 2 == 1)
        changed.loc[others, "house"] = changed["house"] // 3 + 70
        changed.loc[others, "town"] = np.where(changed["house"] % 2, "Neustadt", "Bonn")[others]
        changed.loc[others, "day"] += pd.Timedelta(400, "D")
        again, _ = made(changed, split)
        assert again.folds.held_out.tolist() == first.folds.held_out.tolist()
        same = [
            one == two
            for one, two in zip(again.folds.encodings, first.folds.encodings, strict=True)
        ]
        assert [index for index, one in enumerate(same) if one] == [number]


@pytest.mark.parametrize(
    ("split", "in_summary"),
    [
        (Split(folds=4, test=0.25), "80 rows (60 train in 4 folds, 20 test)"),
        (Split(folds=3, repeats=2, test=0.0), "80 rows (80 train in 3 folds, 2 times)"),
        (Split(validation=0.25), "80 rows (60 train, 20 validation)"),
    ],
)
def test_the_folds_are_written_beside_the_training_part(split: Split, in_summary: str) -> None:
    prepared, data = made(usual(), split)
    write(prepared, data, Path())
    folds = Folds.read(Path("folds.json"))
    assert folds.held_out.tolist() == prepared.folds.held_out.tolist() or not folds.count
    assert [*map(asdict, folds.encodings)] == [*map(asdict, prepared.folds.encodings)]
    assert folds.count == prepared.folds.count
    train = pd.read_parquet("train.parquet")
    for fold, encoding in zip(folds, folds.encodings, strict=True):
        mean = train["a"].iloc[fold.train].mean()
        assert encoding.numbers["a"].mean == pytest.approx(mean)
    line = summary(prepared, data)
    assert "\n" not in line
    assert f": {in_summary}; " in line


def test_the_summary_says_why_there_are_folds() -> None:
    prepared, data = made(usual(), Split(validation=None, test=None, folds=None))
    first, second = summary(prepared, data).splitlines()
    assert "80 rows (64 train in 5 folds, 16 test)" in first
    assert second == (
        "5 folds, because at most 20000 rows are not for test; data.split.folds=0 sets one"
        " validation part aside instead"
    )


def test_the_profile_says_how_many_rows_each_fold_holds_out() -> None:
    prepared, data = made(usual(), Split(folds=3, test=0.0))
    write(prepared, data, Path())
    page = Path("profile.html").read_text("utf-8")
    assert "27, 27, 26 rows of <bdi>train</bdi> held out by folds 1 to 3" in page


def test_a_group_in_two_folds_is_a_leak() -> None:
    with pytest.raises(UserError) as caught:
        made(usual(), Split(folds=4), group="house")
    text = str(caught.value)
    assert text.startswith(
        "t.csv, column 'house': groups are in more than one part (20 of 20, such"
    )
    assert " in fold " in text
    assert "data.split.by=group data.split.column=house" in text
    prepared, _ = made(usual(), Split(by=SplitBy.group, column="house", folds=4), group="house")
    assert prepared.folds.count == 4


def test_equal_rows_in_two_folds_are_warned_of_as_in_two_parts() -> None:
    table = pd.concat([usual(40)] * 2, ignore_index=True)
    prepared, _ = made(table, Split(folds=4), lint=Lint(identifier=Policy.accept))
    (line,) = (line for line in prepared.warnings if "equal rows" in line)
    assert " in fold 1 " in line or " in fold 2 " in line
    assert line.startswith("t.csv: equal rows are in more than one part (t.csv, row ")


@pytest.mark.parametrize(
    ("change", "split", "message"),
    [
        (
            lambda rows: rows.assign(town=np.where(rows["house"] == 7, "Ems", rows["town"])),
            Split(by=SplitBy.group, column="house", folds=5),
            "has the category 'Ems', as 4 of the rows that it holds out have",
        ),
        (
            lambda rows: rows.assign(town=np.where(rows.index > 69, "Ems", rows["town"])),
            Split(by=SplitBy.time, column="day", folds=3),
            "no row that fold 3 of 3 is trained on has the category 'Ems', as 10 of the rows",
        ),
    ],
)
def test_a_category_that_a_fold_s_network_has_not_seen_is_named(
    change: Callable[[pd.DataFrame], pd.DataFrame], split: Split, message: str
) -> None:
    prepared, _ = made(change(usual()), split)
    (line,) = prepared.warnings
    assert line.startswith("t.csv, column 'town': no row that fold ")
    assert message in line
    assert line.endswith("they are predicted as an unknown category")


def test_a_fold_with_most_rows_is_warned_of() -> None:
    table = usual().assign(house=lambda rows: rows["house"].where(rows.index % 4 == 0, 99))
    prepared, _ = made(table, Split(by=SplitBy.group, column="house", folds=3))
    (line,) = prepared.warnings
    assert line.startswith("t.csv: fold 1 of 3 holds out 75 % of 80 rows and is trained on 20; ")
    assert made(usual(), Split(folds=2))[0].warnings == []


@pytest.mark.parametrize(
    "split",
    [
        Split(folds=5, repeats=2, test=0.2),
        Split(by=SplitBy.group, column="house", folds=5, test=0.2),
        Split(by=SplitBy.time, column="day", folds=5, test=0.2),
        Split(by=SplitBy.hash, column="house", folds=3, test=0.2),
    ],
)
def test_the_same_table_gives_the_same_bytes(split: Split) -> None:
    texts = []
    for _ in range(2):
        prepared, data = made(usual(), split)
        write(prepared, data, Path())
        texts.append(Path("folds.json").read_bytes())
    assert texts[0] == texts[1]
