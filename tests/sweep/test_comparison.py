"""The errors of the winner beside others, as a table and as metrics."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from pipeline.compose.schema import Score
from pipeline.evaluation.paired import Improvement
from pipeline.sweep.comparison import Comparison, Evaluation

BETTER, EQUAL = Improvement(0.5, 0.25, 0.75), Improvement(0.1, -0.2, 0.4)


def evaluated(seeds: Sequence[Evaluation] = ()) -> Comparison:
    """A winner that is compared with some numbers."""
    return Comparison(
        winner=Evaluation("winner", {"train": 1.0, "validation": 2.0}),
        scored_part="validation",
        score=Score.mae,
        seeds=list(seeds),
        candidates=4,
        ensemble=Evaluation("ensemble of 3", {"train": 0.5, "validation": 1.5}),
        start=None,
        is_start=False,
        baselines=[
            Evaluation("least_squares", {"train": 6.0, "validation": 7.0}, {"validation": BETTER})
        ],
    )


def test_the_table_has_a_row_for_each_model() -> None:
    table = evaluated([Evaluation("seed 4", {"train": 3.0})]).table()
    improvements = [f"improvement_validation{end}" for end in ("", "_low", "_high")]
    assert list(table.columns) == ["model", "train", "validation", *improvements]
    by_model = {row["model"]: [row[name] for name in improvements] for _, row in table.iterrows()}
    assert by_model.pop("least_squares") == [0.5, 0.25, 0.75]
    assert np.isnan(list(by_model.values())).all()
    assert table["model"].tolist() == ["winner", "ensemble of 3", "least_squares", "seed 4"]
    assert table["train"].tolist() == [1.0, 0.5, 6.0, 3.0]


def test_the_metrics_include_the_selection_bias() -> None:
    seeds = [
        Evaluation("seed 4", {"train": 1.0, "validation": 2.0}),
        Evaluation("seed 5", {"train": 3.0, "validation": 4.0}),
    ]
    without_seeds = {
        "winner_train_mae": 1.0,
        "winner_validation_mae": 2.0,
        "ensemble_train_mae": 0.5,
        "ensemble_validation_mae": 1.5,
        "least_squares_train_mae": 6.0,
        "least_squares_validation_mae": 7.0,
        "improvement_over_least_squares_validation": 0.5,
        "improvement_over_least_squares_validation_low": 0.25,
        "improvement_over_least_squares_validation_high": 0.75,
    }
    assert evaluated().metrics() == without_seeds
    assert evaluated(seeds).metrics() == without_seeds | {
        "seeds_train_mae_mean": 2.0,
        "seeds_train_mae_std": 1.0,
        "seeds_validation_mae_mean": 3.0,
        "seeds_validation_mae_std": 1.0,
        "optimism": 1.0,
    }
    infinite = {"validation": Improvement(*[-np.inf] * 3)}
    started = replace(evaluated(), start=Evaluation("start", {"train": 9.0}, infinite))
    assert started.metrics() == without_seeds | {"start_train_mae": 9.0}


@pytest.mark.parametrize(("compared", "beaten"), [(BETTER, True), (EQUAL, False)])
def test_the_start_is_beaten_beyond_the_interval(compared: Improvement, *, beaten: bool) -> None:
    start = Evaluation("start", {"validation": 4.0}, {"validation": compared})
    assert replace(evaluated(), start=start).beats_start == beaten
    assert evaluated().beats_start
