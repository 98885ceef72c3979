"""What is printed about the winner of a sweep."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipeline.compose.schema import Config, Score
from pipeline.sweep.summary import BestTrial, Summary, print_best, print_summary
from pipeline.sweep.trial_result import TrialResult
from pipeline.sweep.trials import TrainedTrial
from pipeline.sweep.winner import Evaluation, WinnerEvaluation

RESULT = TrialResult("complete", 2.5, 6)
BEST = BestTrial(3, ["model=mlp", "training.epochs=9"], RESULT)


def summary(**changed: Any) -> Summary:
    fields: dict[str, Any] = {
        "config": Config(),
        "trained": TrainedTrial(RESULT, pd.DataFrame(), []),
        "winner": Evaluation("winner", {"train": 1.0, "validation": 2.5}),
        "scored_part": "validation",
        "score": Score.mae,
        "seeds": [],
        "candidates": 4,
        "ensemble": None,
        "ensemble_model": None,
        "start": None,
        "least_squares": Evaluation("least_squares", {"train": 6.0, "validation": 7.0}),
    }
    winner = WinnerEvaluation(**(fields | changed))
    table = {"path": "data/raw/a.csv", "target": "y"}
    fixed = ["sweep.trials=9", "data=a"]
    return Summary(Path("sweep"), 9, pd.DataFrame(), BEST, winner, fixed, table)


def printed(capsys: pytest.CaptureFixture[str], one: Summary) -> list[str]:
    print_summary(one)
    return capsys.readouterr().out.splitlines()


def test_the_winner_is_printed_with_what_it_is_compared_with(
    capsys: pytest.CaptureFixture[str],
) -> None:
    changed = {
        "seeds": [Evaluation("seed 1", {"train": 1.5, "validation": 4.0})],
        "ensemble": Evaluation("ensemble of 2", {"train": 0.5, "validation": 2.25}),
        "start": Evaluation("start", {"train": 3.0, "validation": 5.0}),
    }
    assert printed(capsys, summary(**changed)) == [
        "winner (trial 3), retrained alone: train mae 1, validation mae 2.5; 2.5 in the sweep",
        (
            "other seeds, mean of 1: train mae 1.5, validation mae 4;"
            " selection bias (optimism) on validation: 1.5"
        ),
        "ensemble of 2 networks: train mae 0.5, validation mae 2.25; model: sweep/ensemble",
        "starting point: train mae 3, validation mae 5",
        "linear least squares: train mae 6, validation mae 7",
        "model of the winner: sweep/model",
        "to write its values to params.yaml: python -m pipeline.sweep promote",
        "tables and figures: sweep/results/",
    ]


def test_a_winner_that_is_no_better_than_the_starting_point_is_not_recommended(
    capsys: pytest.CaptureFixture[str],
) -> None:
    start = Evaluation("start", {"train": 3.0, "validation": 2.5})
    lines = printed(capsys, summary(start=start))
    assert "the starting point is at least as good, so params.yaml can stay as it is" in lines
    assert not any("promote" in line for line in lines)


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
    assert printed(capsys, summary(**changed))[1:-4] == lines


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
        "path": "data/raw/a.csv",
        "target": "y",
    }
