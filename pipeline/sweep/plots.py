"""The figures of a sweep (matplotlib)."""

from pathlib import Path

import optuna
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from optuna.trial import TrialState

from pipeline.runtime.imports import heavy_import

# Fewer complete trials are not compared.
MIN_TRIALS = 5


def write_plots(study: optuna.Study, folder: Path) -> None:
    """Writes history.png and, of at least MIN_TRIALS complete trials with different scores,
    parallel_coordinates.png, importance.png and importance.csv."""
    import matplotlib as mpl

    mpl.use("Agg")  # without a window
    _save(history(study), folder / "history.png")
    scores = [trial.value for trial in _complete(study)]
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
    """A line for each trial through its values and its score."""
    return optuna.visualization.matplotlib.plot_parallel_coordinate(study, target_name="score")


def importances(study: optuna.Study) -> pd.Series:
    """How much each key that varies matters for being among the best trials, in shares of 1,
    the largest first (Watanabe et al., 2023, "PED-ANOVA")."""
    # scikit-learn is only for the other measures of importance.
    with heavy_import(without=("sklearn",)):
        from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

    params = pd.DataFrame([trial.params for trial in _complete(study)])
    varied = [str(key) for key in params if len(set(params[key])) > 1]
    shares = get_param_importances(study, evaluator=PedAnovaImportanceEvaluator(), params=varied)
    return pd.Series(shares, name="importance").rename_axis("key")


def importance(shares: pd.Series) -> Axes:
    """A bar for each key, the most important on top."""
    axes = Figure().subplots()
    axes.barh(list(shares.index[::-1]), shares.to_numpy()[::-1])
    axes.set_title("How much each key matters for being among the best trials")
    return axes


def _complete(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    return study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])


def _save(axes: Axes, path: Path) -> None:
    from matplotlib import pyplot as plt

    figure = axes.figure.figure
    figure.set_size_inches(10, 5)
    figure.savefig(path, dpi=110, bbox_inches="tight")
    plt.close("all")
