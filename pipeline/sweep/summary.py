"""The summary of a sweep: computed once, then printed, written and recorded."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.evaluation.paired import Improvement
from pipeline.preparation.preparation import Prepared
from pipeline.runtime.errors import warn
from pipeline.runtime.files import whole_directory, write_text
from pipeline.sweep import baselines
from pipeline.sweep.plots import write_plots
from pipeline.sweep.promotion import TABLE
from pipeline.sweep.space import Space, Values
from pipeline.sweep.study import Study
from pipeline.sweep.trials import Table, train_all
from pipeline.sweep.winner import (
    Contender,
    Evaluation,
    WinnerEvaluation,
    evaluate_winner,
    write_ensemble,
    write_model,
)
from pipeline.tracking.client import Recorder

SUMMARY = "summary.json"
# The fewest of the best trials that are trained again: how much the winner owes to having been
# selected is estimated from them.
MIN_CONTENDERS = 16
NAMES = {
    "start": "the starting point",
    "least_squares": "linear least squares",
    "gradient_boosting": "gradient boosting",
}


@dataclass(frozen=True)
class BestTrial:
    """The trial with the lowest score, and its values as overrides."""

    number: int
    overrides: list[str]
    score: float


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
    ahead
        How many trials were trained to their end because they had been pruned ahead of the best
        complete one.
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
    ahead: int
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
        """winner.json: the trial as overrides that the promote command writes, and whether they
        are better than those that params.yaml has."""
        assert self.best is not None
        assert self.winner is not None
        fixed = [one for one in self.fixed if not one.startswith(("sweep", "tracking"))]
        overrides = [*fixed, *self.best.overrides]
        improvements = {
            one.model: {part: _plain(values) for part, values in one.improvements.items()}
            for one in self.winner.references
        }
        return {
            "trial": self.best.number,
            "overrides": overrides,
            "fixed": fixed,
            "better_than_start": self.winner.beats_start,
            "compared_with_start": compared_with_start(self.winner),
            "improvements": improvements,
        } | self.table


def best_trial(space: Space, study: Study) -> BestTrial | None:
    """The best trial so far; None if no trial has a score."""
    for number, values, result in study.ranking():
        assert result.score is not None
        return BestTrial(number, space.overrides(values), result.score)
    return None


def is_summarised(folder: Path, finished: int) -> bool:
    """Whether a summary of that many trials has been written."""
    path = folder / SUMMARY
    return path.is_file() and json.loads(path.read_text("utf-8"))["trials"] == finished


def summarise(space: Space, study: Study, rows: Table, prepared: Prepared, folder: Path) -> Summary:
    """Evaluates the winner and collects the results. Trials that were pruned ahead of the best
    complete one are trained to their end, and one of them may win."""
    sweep, ahead, trials = space.experiment.sweep, study.pruned_ahead(), study.table()
    contenders = _contenders(space, study, rows, ahead)
    best = winner = None
    if contenders:
        values, _ = study.results()[contenders[0].number]
        best = BestTrial(contenders[0].number, space.overrides(values), contenders[0].score)
        others = {
            "least_squares": baselines.least_squares(rows, prepared),
            "gradient_boosting": baselines.gradient_boosting(
                rows, prepared, folder / "gradient_boosting.npz", study.inputs_hash
            ),
        }
        winner = evaluate_winner(
            contenders, space.experiment, rows, prepared, sweep, baselines=others
        )
    if ahead:
        at_end = {one.number: one.score for one in contenders}
        trials["score_at_end"] = (
            trials["trial"].map(at_end).fillna(trials["score"].where(trials["state"] == "complete"))
        )
    return Summary(
        folder=folder,
        finished=study.finished(),
        trials=trials,
        best=best,
        winner=winner,
        ahead=len(ahead),
        fixed=space.fixed,
        table={name: getattr(space.experiment.data, name) for name in TABLE},
    )


def _contenders(
    space: Space, study: Study, rows: Table, ahead: Sequence[tuple[int, Values]]
) -> list[Contender]:
    """The best complete trials, and those ahead, trained to their end; the best one first."""
    sweep = space.experiment.sweep
    complete = study.ranking()[: max(sweep.ensemble, MIN_CONTENDERS)]
    chosen = [(number, values) for number, values, _ in complete] + list(ahead)
    configs = [space.config(values) for _, values in chosen]
    trained = train_all(configs, rows, sweep.score)
    reached = {number: result.score for number, _, result in complete}
    contenders = [
        Contender(number, config, one, score)
        for (number, _), config, one in zip(chosen, configs, trained, strict=True)
        if one.weights and (score := reached.get(number, one.result.score)) is not None
    ]
    return sorted(contenders, key=lambda one: (one.score, one.number))


def print_best(best: BestTrial | None, finished: int, metric: str) -> None:
    """Prints the best trial so far in one line; metric names its score."""
    if best is None:
        print(f"{finished} trials finished; none has a score yet")
    else:
        values = " ".join(best.overrides)
        print(
            f"best of {finished} trials: trial {best.number}, {metric} {best.score:.6g}: {values}"
        )


def print_summary(summary: Summary) -> None:
    """Prints how good the winner is, how much of that is selection bias, and what it is
    compared with."""
    winner, best = summary.winner, summary.best
    if winner is None or best is None:
        warn(f"no trial has a score; {summary.results}/trials.csv lists the reasons")
    else:
        score, scored = winner.score.value, winner.scored_part
        if summary.ahead:
            print(
                f"pruned trials that were ahead of the best complete one: {summary.ahead}, now"
                " trained to their end"
            )
        print(
            f"winner (trial {best.number}), retrained alone:"
            f" {_by_part(score, winner.winner.errors)}; {best.score:.6g} in the sweep"
        )
        if winner.optimism is not None:
            print(
                f"other seeds, mean of {len(winner.seeds)}: {_by_part(score, winner.seeds_mean)};"
                f" selection bias (optimism) on {scored}: {winner.optimism:.6g}"
            )
        if winner.ensemble is not None:
            print(
                f"{winner.ensemble.model} networks: {_by_part(score, winner.ensemble.errors)};"
                f" model: {summary.folder}/ensemble"
            )
        elif winner.candidates > 1 and scored != "train":
            print(f"no ensemble of the best trials is better than the best of them on {scored}")
        if winner.start is None:
            print("starting point: diverged")
        for one in winner.references:
            print(f"{NAMES[one.model].removeprefix('the ')}: {_by_part(score, one.errors)}")
        print(compared_with_start(winner))
        for one in winner.baselines:
            print(_compared(winner, one))
        print(f"model of the winner: {summary.folder}/model")
        if winner.beats_start:
            print("to write its values to params.yaml: python -m pipeline.sweep promote")
        else:
            print("params.yaml can stay as it is")
    print(f"tables and figures: {summary.results}/")


def compared_with_start(winner: WinnerEvaluation) -> str:
    """Whether the winner is better than the starting point, as a sentence."""
    if winner.is_start:
        return "the winner is the starting point: no trial is better"
    if winner.start is None:
        return "the winner is better than the starting point, which diverges"
    return _compared(winner, winner.start)


def write_summary(summary: Summary, study: Study, prepared: Prepared) -> None:
    """Writes the tables, the figures and the models below the sweep's folder."""
    with whole_directory(summary.results) as draft:
        summary.trials.to_csv(draft / "trials.csv", index=False)
        if summary.winner is not None:
            summary.winner.table().to_csv(draft / "winner.csv", index=False)
            write_plots(study.optuna_study, draft)
    if summary.winner is None:
        return
    winner = summary.winner
    write_model(summary.folder / "model", winner.saved, prepared)
    if winner.ensemble_model is not None:
        write_ensemble(summary.folder / "ensemble", winner.ensemble_model, prepared)
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


def _compared(winner: WinnerEvaluation, other: Evaluation) -> str:
    scored = winner.scored_part
    first = other.improvements[scored].in_words(NAMES[other.model])
    others = [
        f"on {part}, {one.in_words()}" for part, one in other.improvements.items() if part != scored
    ]
    return "; ".join([f"on {scored}, the winner is {first}", *others])


def _plain(values: Improvement) -> dict[str, float | None]:
    """For JSON, which has no infinity."""
    return {name: value if math.isfinite(value) else None for name, value in asdict(values).items()}


def _by_part(score: str, errors: dict[str, float]) -> str:
    return ", ".join(f"{part} {score} {value:.6g}" for part, value in errors.items())
