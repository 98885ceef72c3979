"""The figures of a sweep (matplotlib)."""

from pathlib import Path

import optuna
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from optuna.trial import TrialState

from pipeline.runtime.imports import heavy_import

# Fewer trials with a score are not compared.
MIN_TRIALS = 5


def write_plots(study: optuna.Study, folder: Path) -> None:
    """Writes history.png and, of at least MIN_TRIALS trials with different scores, complete or
    pruned, parallel_coordinates.png, importance.png and importance.csv."""
    import matplotlib as mpl

    mpl.use("Agg")  # without a window
    _save(history(study), folder / "history.png")
    scores = [trial.value for trial in _scored(study)]
    if len(scores) < MIN_TRIALS or len(set(scores)) == 1:
        return
    _save(parallel_coordinates(study), folder / "parallel_coordinates.png")
    shares = importances(study)
    shares.to_csv(folder / "importance.csv")
    _save(importance(shares), folder / "importance.png")


def history(study: optuna.Study) -> Axes:
    """The score of each trial, and the best so far."""
    return optuna.visualization.matplotlib.plot_optimization_history(study, target_name="score")


def parallel_coordinates(study: optuna.Study) -> Axes:
    """A line for each trial through its values and its score, which of a pruned trial is that of
    the epoch that it was pruned after; its line is dashed."""
    axes = optuna.visualization.matplotlib.plot_parallel_coordinate(
        _as_complete(study), target_name="score"
    )
    pruned = {trial.value for trial in _scored(study) if trial.state == TrialState.PRUNED}
    (lines,) = axes.collections
    assert isinstance(lines, LineCollection)
    # Optuna may have sorted them; they begin at the score.
    scores = [float(line[0][1]) for line in lines.get_segments()]
    lines.set_linestyle(["dashed" if score in pruned else "solid" for score in scores])
    if pruned:
        axes.set_title("Parallel Coordinate Plot (dashed: pruned)", y=1.03)
    return axes


def importances(study: optuna.Study) -> pd.Series:
    """How much each key that varies matters for being among the best trials, in shares of 1,
    the largest first (Watanabe et al., 2023, "PED-ANOVA")."""
    # scikit-learn is only for the other measures of importance.
    with heavy_import(without=("sklearn",)):
        from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    params = pd.DataFrame([trial.params for trial in _scored(study)])
    varied = [str(key) for key in params if len(set(params[key])) > 1]
    shares = get_param_importances(
        _as_complete(study), evaluator=PedAnovaImportanceEvaluator(), params=varied
    )
    return pd.Series(shares, name="importance").rename_axis("key")


def importance(shares: pd.Series) -> Axes:
    """A bar for each key, the most important on top."""
    axes = Figure().subplots()
    axes.barh(list(shares.index[::-1]), shares.to_numpy()[::-1])
    axes.set_title("How much each key matters for being among the best trials")
    return axes


def _scored(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """The trials that have a score."""
    states = [TrialState.COMPLETE, TrialState.PRUNED]
    trials = study.get_trials(deepcopy=False, states=states)
    return [trial for trial in trials if trial.value is not None]


def _as_complete(study: optuna.Study) -> optuna.Study:
    """The trials that have a score as Optuna's figures take them, which leave out pruned ones."""
    copy = optuna.create_study()
    copy.add_trials(
        optuna.trial.create_trial(
            params=trial.params, distributions=trial.distributions, value=trial.value
        )
        for trial in _scored(study)
    )
    return copy


def _save(axes: Axes, path: Path) -> None:
    from matplotlib import pyplot as plt

    figure = axes.figure.figure
    figure.set_size_inches(10, 5)
    figure.savefig(path, dpi=110, bbox_inches="tight")
    plt.close("all")
