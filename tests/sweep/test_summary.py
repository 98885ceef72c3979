"""What is printed about the winner of a sweep."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipeline.compose.schema import Score
from pipeline.evaluation.paired import Improvement
from pipeline.sweep.comparison import Comparison, Evaluation
from pipeline.sweep.summary import BestTrial, Summary, print_best, print_summary
from pipeline.sweep.winner import Saved, Winner
from tests.small import prepared

BEST = BestTrial(3, ["model=mlp", "training.epochs=9"], 2.5)
SAVED = Saved(None, [], prepared(), {})
BETTER, EQUAL = Improvement(0.5, 0.25, 0.75), Improvement(0.01, -0.02, 0.03)


def summary(ahead: int = 0, **changed: Any) -> Summary:
    scored = changed.get("scored_part", "validation")
    fields: dict[str, Any] = {
        "winner": Evaluation("winner", {"train": 1.0, "validation": 2.5}),
        "scored_part": "validation",
        "score": Score.mae,
        "seeds": [],
        "candidates": 4,
        "ensemble": None,
        "start": None,
        "is_start": False,
        "baselines": [
            Evaluation("least_squares", {"train": 6.0, "validation": 7.0}, {scored: BETTER}),
            Evaluation(
                "gradient_boosting",
                {"train": 0.0, "validation": 2.0},
                {scored: Improvement(-0.25, -0.5, -0.1), "test": EQUAL},
            ),
        ],
    }
    winner = Winner(SAVED, None, Comparison(**(fields | changed)))
    table = {"path": "data/raw/a.csv", "target": "y"}
    fixed = ["sweep.trials=9", "data=a"]
    return Summary(Path("sweep"), 9, pd.DataFrame(), BEST, winner, ahead, fixed, table)


def printed(capsys: pytest.CaptureFixture[str], one: Summary) -> list[str]:
    print_summary(one)
    return capsys.readouterr().out.splitlines()


def test_the_winner_is_printed_with_what_it_is_compared_with(
    capsys: pytest.CaptureFixture[str],
) -> None:
    changed = {
        "seeds": [Evaluation("seed 1", {"train": 1.5, "validation": 4.0})],
        "ensemble": Evaluation(
            "ensemble of 2", {"train": 0.5, "validation": 2.25}, {"test": EQUAL}
        ),
        "start": Evaluation("start", {"train": 3.0, "validation": 5.0}, {"validation": BETTER}),
    }
    assert printed(capsys, summary(ahead=2, **changed)) == [
        "pruned trials that were ahead of the best complete one: 2, now trained to their end",
        "winner (trial 3), trained alone: train mae 1, validation mae 2.5; 2.5 in the sweep",
        (
            "other seeds, mean of 1: train mae 1.5, validation mae 4;"
            " selection bias (optimism) on validation: 1.5"
        ),
        "ensemble of 2 networks: train mae 0.5, validation mae 2.25; model: sweep/ensemble",
        "starting point: train mae 3, validation mae 5",
        "linear least squares: train mae 6, validation mae 7",
        "gradient boosting: train mae 0, validation mae 2",
        ("on validation, the winner is better than the starting point by 50.0 % (25.0 to 75.0 %)"),
        (
            "on validation, the winner is better than linear least squares by 50.0 %"
            " (25.0 to 75.0 %)"
        ),
        (
            "on validation, the winner is worse than gradient boosting by 25.0 %"
            " (10.0 to 50.0 %); on test, no better (-2.0 to 3.0 %)"
        ),
        "on test, the winner is no better than the ensemble (-2.0 to 3.0 %)",
        "model of the winner: sweep/model",
        "to write its values to params.yaml: python -m pipeline.sweep promote",
        "tables and figures: sweep/results/",
    ]


def test_a_winner_that_is_no_better_than_the_starting_point_is_not_recommended(
    capsys: pytest.CaptureFixture[str],
) -> None:
    start = Evaluation("start", {"train": 3.0, "validation": 2.5}, {"validation": EQUAL})
    lines = printed(capsys, summary(start=start))
    assert "on validation, the winner is no better than the starting point (-2.0 to 3.0 %)" in lines
    assert "params.yaml can stay as it is" in lines
    assert not any("promote" in line for line in lines)
    lines = printed(capsys, summary(start=start, is_start=True))
    assert "the winner is the starting point: no trial is better" in lines


NO_ENSEMBLE = "no ensemble of the best trials is better than the best of them on validation"


@pytest.mark.parametrize(
    ("changed", "lines"),
    [
        ({}, [NO_ENSEMBLE, "starting point: diverged"]),
        ({"candidates": 0}, ["starting point: diverged"]),
        ({"scored_part": "train"}, ["starting point: diverged"]),
    ],
)
def test_what_there_is_not_is_printed_where_it_was_asked_for(
    changed: dict[str, Any], lines: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert printed(capsys, summary(**changed))[1:-8] == lines


@pytest.mark.parametrize(
    ("best", "line"),
    [
        (BEST, "best of 9 trials: trial 3, validation mae 2.5: model=mlp training.epochs=9\n"),
        (None, "9 trials finished; none has a score yet\n"),
    ],
)
def test_the_best_trial_is_one_line(
    best: BestTrial | None, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    print_best(best, 9, "validation mae")
    assert capsys.readouterr().out == line


def test_a_promotion_leaves_out_the_sweep_itself() -> None:
    assert summary().promotion() == {
        "trial": 3,
        "overrides": ["data=a", "model=mlp", "training.epochs=9"],
        "fixed": ["data=a"],
        "better_than_start": True,
        "compared_with_start": "the winner is better than the starting point, which diverges",
        "improvements": {
            "least_squares": {"validation": {"estimate": 0.5, "low": 0.25, "high": 0.75}},
            "gradient_boosting": {
                "validation": {"estimate": -0.25, "low": -0.5, "high": -0.1},
                "test": {"estimate": 0.01, "low": -0.02, "high": 0.03},
            },
        },
        "path": "data/raw/a.csv",
        "target": "y",
    }
