"""A model beside its baselines, in one sentence."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.baselines.baselines import models
from pipeline.dataset.encoding import Encoding, Target
from pipeline.evaluation.comparison import IN_WORDS, compare, read, table, verdict
from pipeline.evaluation.paired import Improvement
from pipeline.runtime.errors import UserError

BETTER, EQUAL = Improvement(0.04, 0.01, 0.07), Improvement(0.01, -0.02, 0.03)
WORSE, MUCH_BETTER = Improvement(-0.05, -0.08, -0.02), Improvement(0.5, 0.4, 0.6)


def test_each_baseline_has_a_name_in_words() -> None:
    assert list(models(Encoding({}, {}, {}, Target("y")))) == list(IN_WORDS)


@pytest.mark.parametrize(
    ("each", "expected"),
    [
        ([MUCH_BETTER, MUCH_BETTER, MUCH_BETTER, BETTER],
         "test: better than gradient boosting by 4.0 % (1.0 to 7.0 %)"),
        ([MUCH_BETTER, MUCH_BETTER, BETTER, MUCH_BETTER],
         "test: better than ridge regression by 4.0 % (1.0 to 7.0 %)"),
        ([BETTER, EQUAL, EQUAL, WORSE], "test: no better than a straight line (-2.0 to 3.0 %)"),
        ([BETTER, BETTER, BETTER, WORSE],
         "test: worse than gradient boosting by 5.0 % (2.0 to 8.0 %)"),
        ([EQUAL, BETTER, BETTER, BETTER], "test: no better than the mean (-2.0 to 3.0 %)"),
    ],
)  # fmt: skip
def test_a_verdict_names_the_simplest_baseline_that_is_as_good_or_the_best_one(
    each: list[Improvement], expected: str
) -> None:
    compared = dict(zip(IN_WORDS, each, strict=True))
    assert verdict({"validation": dict.fromkeys(IN_WORDS, WORSE), "test": compared}) == expected


def test_a_verdict_is_on_rows_that_are_held_out() -> None:
    each = dict.fromkeys(IN_WORDS, BETTER)
    assert str(verdict({"cv": each, "test": each})).startswith("cv: better")
    assert str(verdict({"validation": each})).startswith("validation: better")
    assert verdict({}) is None
    rows = pd.DataFrame({"true": np.arange(20.0), "predicted": 1.5})
    assert compare({"in_sample": rows, "train": rows}, {}) == {}


@pytest.mark.parametrize("groups", [None, 9])
def test_few_rows_or_groups_are_not_compared(groups: int | None) -> None:
    rows = pd.DataFrame({"true": np.arange(20.0), "predicted": 1.5})
    few = rows.head(9) if groups is None else rows.assign(group=np.arange(20) % groups)
    baselines = {"cv": pd.DataFrame({"mean": rows["true"] * 0})}
    assert compare({"cv": few}, baselines) == {}
    assert list(compare({"cv": rows}, baselines)) == ["cv"]


def test_groups_are_drawn_together() -> None:
    random = np.random.default_rng(2)
    residuals = np.repeat(random.normal(size=50), 10)
    rows = pd.DataFrame({"true": np.zeros(500), "predicted": residuals})
    other = {"test": pd.DataFrame({"mean": np.repeat(random.normal(size=50), 10)})}
    groups = np.repeat(np.arange(50), 10)
    apart, joined = (
        compare({"test": one}, other)["test"]["mean"] for one in (rows, rows.assign(group=groups))
    )
    assert apart.estimate == joined.estimate
    assert joined.high - joined.low > 2.5 * (apart.high - apart.low)


def test_the_table_has_a_row_for_each_part_and_baseline() -> None:
    rows = table({"cv": {"mean": BETTER}, "test": {"mean": EQUAL}})
    assert rows.to_dict("split")["data"] == [
        ["cv", "mean", 0.04, 0.01, 0.07],
        ["test", "mean", 0.01, -0.02, 0.03],
    ]


def test_predictions_are_read_by_part(tmp_path: Path) -> None:
    path = tmp_path / "predictions.parquet"
    one, other = (pd.DataFrame({"mean": [1.0, 2.0]}, index=[rows, 5]) for rows in (0, 2))
    pd.concat({"train": one, "cv": other}, names=["part", "row"]).to_parquet(path)
    parts = read(path)
    pd.testing.assert_frame_equal(parts["train"], one, check_names=False)
    pd.testing.assert_frame_equal(parts["cv"], other, check_names=False)
    one.to_parquet(path)
    with pytest.raises(UserError, match=r"predictions\.parquet"):
        read(path)
