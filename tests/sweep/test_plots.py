"""The figures show the trials of the study."""

import csv
from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl
import numpy as np
import optuna
import pytest
from matplotlib import pyplot as plt
from matplotlib.collections import LineCollection
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState, create_trial

from pipeline.sweep import plots

# Optuna's figures are experimental in their interface.
pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")


@pytest.fixture(autouse=True)
def _figures() -> Iterator[None]:
    mpl.use("agg")
    yield
    plt.close("all")


def study(scored: int, complete: int | None = None) -> optuna.Study:
    """Trials whose score depends on the rate alone, and one that failed; those that are not
    complete were pruned."""
    one = optuna.create_study()
    axes = {"rate": FloatDistribution(0, 1), "size": CategoricalDistribution(("8", "16"))}
    for number, rate in enumerate(np.random.default_rng(0).random(scored)):
        params = {"rate": rate, "size": ("8", "16")[number % 2]}
        state = TrialState.PRUNED if number >= (complete or scored) else TrialState.COMPLETE
        one.add_trial(
            create_trial(
                params=params,
                distributions=axes,
                value=rate**2,
                intermediate_values={5: rate**2},
                state=state,
            )
        )
    params = {"rate": 0.5, "size": "8"}
    one.add_trial(create_trial(params=params, distributions=axes, state=TrialState.FAIL))
    return one


def test_few_trials_have_only_a_history(tmp_path: Path) -> None:
    plots.write_plots(study(plots.MIN_TRIALS - 1), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"history.png"}


def test_trials_with_equal_scores_are_not_compared(tmp_path: Path) -> None:
    equal = optuna.create_study()
    equal.add_trials([create_trial(value=1.0) for _ in range(8)])
    plots.write_plots(equal, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"history.png"}


@pytest.mark.parametrize("complete", [12, 2])
def test_enough_trials_are_compared(tmp_path: Path, complete: int) -> None:
    plots.write_plots(study(12, complete), tmp_path)
    figures = {"history.png", "parallel_coordinates.png", "importance.png"}
    assert {path.name for path in tmp_path.iterdir()} == {*figures, "importance.csv"}
    assert {tuple(plt.imread(tmp_path / name).shape[2:]) for name in figures} == {(4,)}
    with (tmp_path / "importance.csv").open(encoding="utf-8") as lines:
        shares = {row["key"]: float(row["importance"]) for row in csv.DictReader(lines)}
    assert max(shares, key=shares.__getitem__) == "rate"
    assert sum(shares.values()) == pytest.approx(1)
    assert plt.get_fignums() == []


def test_the_history_has_a_point_for_each_complete_trial() -> None:
    one = study(12)
    axes = plots.history(one)
    points = axes.collections[0].get_offsets()
    assert [(x, y) for x, y in np.asarray(points)] == [
        (trial.number, trial.value) for trial in one.trials[:12]
    ]
    assert axes.get_ylabel() == "score"


def test_parallel_coordinates_have_a_line_for_each_complete_trial() -> None:
    axes = plots.parallel_coordinates(study(12))
    (lines,) = axes.collections
    assert len(lines.get_paths()) == 12
    assert [label.get_text() for label in axes.get_xticklabels()] == ["score", "rate", "size"]


def test_the_lines_of_pruned_trials_are_dashed() -> None:
    one = study(12, complete=2)
    axes = plots.parallel_coordinates(one)
    (lines,) = axes.collections
    assert isinstance(lines, LineCollection)
    dashed = {
        float(line[0][1])
        for line, style in zip(lines.get_segments(), lines.get_linestyle(), strict=True)
        if np.asarray(style, object)[1]
    }
    assert dashed == {trial.value for trial in one.trials[2:12]}
    assert axes.get_title() == "Parallel Coordinate Plot (dashed: pruned)"


def test_the_most_important_key_is_on_top() -> None:
    shares = plots.importances(study(12))
    axes = plots.importance(shares)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["size", "rate"]
    widths = [bar.get_width() for bar in axes.containers[0]]
    assert widths == pytest.approx(list(shares[::-1]))
