"""The summary of a sweep: computed once, then printed, written and recorded."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.preparation.preparation import Prepared
from pipeline.runtime.errors import warn
from pipeline.runtime.files import whole_directory, write_text
from pipeline.sweep.plots import write_plots
from pipeline.sweep.promotion import TABLE
from pipeline.sweep.space import Space
from pipeline.sweep.study import Study
from pipeline.sweep.trial_result import TrialResult
from pipeline.sweep.trials import Table
from pipeline.sweep.winner import WinnerEvaluation, evaluate_winner, write_ensemble, write_model
from pipeline.tracking.client import Recorder

SUMMARY = "summary.json"


@dataclass(frozen=True)
class BestTrial:
    """The complete trial with the lowest score, and its values as overrides."""

    number: int
    overrides: list[str]
    result: TrialResult


@dataclass(frozen=True)
class Summary:
    """The results of a sweep.

    Attributes
    ----------
    folder
        That of the sweep.
    finished
        The number of trials that have a result.
    trials
        The table of all trials.
    best, winner
        The best trial, and its values evaluated; None if no trial has a score.
    fixed
        The overrides that all trials have in common.
    table
        The path and the target of the sweep's table.
    """

    folder: Path
    finished: int
    trials: pd.DataFrame
    best: BestTrial | None
    winner: WinnerEvaluation | None
    fixed: list[str]
    table: dict[str, str]

    @property
    def results(self) -> Path:
        """The folder of tables and figures."""
        return self.folder / "results"

    def metrics(self) -> dict[str, float]:
        """The metrics of the sweep's run."""
        return {"trials": float(self.finished)} | (self.winner.metrics() if self.winner else {})

    def promotion(self) -> dict[str, Any]:
        """winner.json: the trial as overrides that the promote command writes."""
        assert self.best is not None
        fixed = [one for one in self.fixed if not one.startswith(("sweep", "tracking"))]
        overrides = [*fixed, *self.best.overrides]
        return {"trial": self.best.number, "overrides": overrides, "fixed": fixed} | self.table


def best_trial(space: Space, study: Study) -> BestTrial | None:
    """The best trial so far; None if no trial has a score."""
    for number, values, result in study.ranking():
        return BestTrial(number, space.overrides(values), result)
    return None


def is_summarised(folder: Path, finished: int) -> bool:
    """Whether a summary of that many trials has been written."""
    path = folder / SUMMARY
    return path.is_file() and json.loads(path.read_text("utf-8"))["trials"] == finished


def summarise(space: Space, study: Study, rows: Table, folder: Path) -> Summary:
    """Evaluates the winner and collects the results."""
    sweep, ranking = space.experiment.sweep, study.ranking()
    winner = None
    if ranking:
        configs = [space.config(values) for _, values, _ in ranking[: max(1, sweep.ensemble)]]
        candidates = configs[: sweep.ensemble]
        winner = evaluate_winner(configs[0], candidates, space.experiment, rows, sweep)
    return Summary(
        folder=folder,
        finished=study.finished(),
        trials=study.table(),
        best=best_trial(space, study),
        winner=winner,
        fixed=space.fixed,
        table={name: getattr(space.experiment.data, name) for name in TABLE},
    )


def print_best(best: BestTrial | None, finished: int, metric: str) -> None:
    """Prints the best trial so far in one line; metric names its score."""
    if best is None:
        print(f"{finished} trials finished; none has a score yet")
    else:
        values = " ".join(best.overrides)
        print(
            f"best of {finished} trials: trial {best.number}, {metric} {best.result.score:.6g}:"
            f" {values}"
        )


def print_summary(summary: Summary) -> None:
    """Prints how good the winner is, how much of that is selection bias, and what it is
    compared with."""
    winner, best = summary.winner, summary.best
    if winner is None or best is None:
        warn(f"no trial has a score; {summary.results}/trials.csv lists the reasons")
    else:
        score = winner.score.value
        print(
            f"winner (trial {best.number}), retrained alone:"
            f" {_by_part(score, winner.winner.errors)}; {best.result.score:.6g} in the sweep"
        )
        if winner.optimism is not None:
            print(
                f"other seeds, mean of {len(winner.seeds)}: {_by_part(score, winner.seeds_mean)};"
                f" selection bias (optimism) on {winner.scored_part}: {winner.optimism:.6g}"
            )
        if winner.ensemble is not None:
            print(
                f"{winner.ensemble.model} networks: {_by_part(score, winner.ensemble.errors)};"
                f" model: {summary.folder}/ensemble"
            )
        elif winner.candidates > 1 and winner.scored_part == "validation":
            print("no ensemble of the best trials is better than the best of them on validation")
        start = _by_part(score, winner.start.errors) if winner.start else "diverged"
        print(f"starting point: {start}")
        print(f"linear least squares: {_by_part(score, winner.least_squares.errors)}")
        print(f"model of the winner: {summary.folder}/model")
        if winner.beats_start:
            print("to write its values to params.yaml: python -m pipeline.sweep promote")
        else:
            print("the starting point is at least as good, so params.yaml can stay as it is")
    print(f"tables and figures: {summary.results}/")


def write_summary(summary: Summary, study: Study, rows: Table, prepared: Prepared) -> None:
    """Writes the tables, the figures and the models below the sweep's folder."""
    with whole_directory(summary.results) as draft:
        summary.trials.to_csv(draft / "trials.csv", index=False)
        if summary.winner is not None:
            summary.winner.table().to_csv(draft / "winner.csv", index=False)
            write_plots(study.optuna_study, draft)
    if summary.winner is None:
        return
    winner = summary.winner
    write_model(summary.folder / "model", winner.config, winner.trained, rows, prepared)
    if winner.ensemble_model is not None:
        write_ensemble(summary.folder / "ensemble", winner.ensemble_model, rows, prepared)
    write_text(summary.folder / "winner.json", json.dumps(summary.promotion(), indent=2) + "\n")


def record_summary(summary: Summary, recorder: Recorder, example: pd.DataFrame) -> None:
    """Sends the written summary to MLflow, with rows for the models' input example, and notes
    that this is done."""
    names = {"model": summary.winner, "ensemble": summary.winner and summary.winner.ensemble}
    recorder.send(
        "results",
        tags={"sweep.best": " ".join(summary.best.overrides)} if summary.best else {},
        metrics=summary.metrics(),
        folder=str(summary.results.resolve()),
        models={name: str((summary.folder / name).resolve()) for name in names if names[name]},
        example=example.to_dict("list"),
    )
    write_text(summary.folder / SUMMARY, json.dumps({"trials": summary.finished}) + "\n")


def _by_part(score: str, errors: dict[str, float]) -> str:
    return ", ".join(f"{part} {score} {value:.6g}" for part, value in errors.items())
