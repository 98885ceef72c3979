"""The summary of a sweep: computed once, then printed, written and recorded."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.compose.schema import Sweep
from pipeline.evaluation.paired import Improvement
from pipeline.preparation.preparation import Prepared
from pipeline.runtime.errors import warn
from pipeline.runtime.files import whole_directory, write_text
from pipeline.sweep import baselines
from pipeline.sweep.comparison import Comparison, Evaluation
from pipeline.sweep.plots import write_plots
from pipeline.sweep.promotion import TABLE
from pipeline.sweep.space import Space
from pipeline.sweep.study import Study
from pipeline.sweep.tables import Tables
from pipeline.sweep.trials import TrainedTrial, train_all
from pipeline.sweep.winner import (
    Contender,
    Winner,
    evaluate_winner,
    predictions,
    write_ensemble,
    write_model,
)
from pipeline.tracking.client import Recorder
from pipeline.tracking.fingerprint import TEST_ROWS, of_rows
from pipeline.training.progress import Progress

SUMMARY = "summary.json"
# The fewest of the best trials that are compared: how much the winner owes to having been selected
# is estimated from them.
MIN_CONTENDERS = 16
NAMES = {
    "ensemble": "the ensemble",
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
        The best trial, and what was trained of its values; None if no trial has a score.
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
    winner: Winner | None
    ahead: int
    fixed: list[str]
    table: dict[str, str]

    @property
    def results(self) -> Path:
        """The folder of tables and figures."""
        return self.folder / "results"

    def metrics(self) -> dict[str, float]:
        """The metrics of the sweep's run."""
        found = self.winner.comparison.metrics() if self.winner else {}
        return {"trials": float(self.finished)} | found

    def promotion(self) -> dict[str, Any]:
        """winner.json: the trial as overrides that the promote command writes, and whether they
        are better than those that params.yaml has."""
        assert self.best is not None
        assert self.winner is not None
        comparison = self.winner.comparison
        fixed = [one for one in self.fixed if not one.startswith(("sweep", "tracking"))]
        overrides = [*fixed, *self.best.overrides]
        improvements = {
            one.model: {part: _plain(values) for part, values in one.improvements.items()}
            for one in comparison.references
        }
        return {
            "trial": self.best.number,
            "overrides": overrides,
            "fixed": fixed,
            "better_than_start": comparison.beats_start,
            "compared_with_start": compared_with_start(comparison),
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


def number_of_contenders(sweep: Sweep) -> int:
    """How many of the best trials are compared, or may be in the ensemble."""
    return max(sweep.ensemble, MIN_CONTENDERS)


def summarise(
    space: Space, study: Study, tables: Tables, kept: Mapping[int, TrainedTrial], folder: Path
) -> Summary:
    """Evaluates the winner and collects the results.

    Trials that were pruned ahead of the best complete one are trained to their end, and one of them
    may win. Those that are kept, by their numbers, are not trained again.
    """
    sweep, rows = space.experiment.sweep, tables.of(space.experiment)
    ahead, table = study.pruned_ahead(), study.table()
    complete = study.ranking()[: number_of_contenders(sweep)]
    points = {number: values for number, values, _ in complete} | dict(ahead)
    missing = [number for number in points if number not in kept]
    begun = kept.get(0) if space.start else None
    best = winner = None
    contenders: list[Contender] = []
    with Progress(len(missing) + 1 + sweep.seeds + (begun is None), "training") as progress:

        def on_epochs(share: float, loss: float) -> None:
            progress.advance(share, loss=loss)

        configs = [space.config(points[number]) for number in missing]
        again = train_all(configs, tables, sweep.score, on_epochs)
        trained = dict(kept) | dict(zip(missing, again, strict=True))
        scores = {number: one.result.score for number, one in trained.items()}
        scores |= {number: result.score for number, _, result in complete}
        for number in points:
            one, score = trained[number], scores[number]
            if one.weights and score is not None:
                predicted = predictions(one, tables.of(one.config))
                contenders.append(Contender(number, one, score, predicted))
        contenders.sort(key=lambda one: (one.score, one.number))
        if contenders:
            first = contenders[0]
            if first.trained.alone:
                progress.advance(1)
            best = BestTrial(first.number, space.overrides(points[first.number]), first.score)
            cache = folder / "baselines.npz"
            others = baselines.predictions(rows, cache, study.inputs_hash)
            winner = evaluate_winner(
                contenders, space.experiment, tables, sweep,
                baselines=others, begun=begun, on_epochs=on_epochs,
            )  # fmt: skip
    if ahead:
        at_end = {one.number: one.score for one in contenders}
        table["score_at_end"] = (
            table["trial"].map(at_end).fillna(table["score"].where(table["state"] == "complete"))
        )
    return Summary(
        folder=folder,
        finished=study.finished(),
        trials=table,
        best=best,
        winner=winner,
        ahead=len(ahead),
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
            f"best of {finished} trials: trial {best.number}, {metric} {best.score:.6g}: {values}"
        )


def print_summary(summary: Summary) -> None:
    """Prints how good the winner is, how much of that is selection bias, and what it is
    compared with."""
    if summary.winner is None or summary.best is None:
        warn(f"no trial has a score; {summary.results}/trials.csv lists the reasons")
    else:
        _print_comparison(summary, summary.best, summary.winner.comparison)
    print(f"tables and figures: {summary.results}/")


def _print_comparison(summary: Summary, best: BestTrial, winner: Comparison) -> None:
    score, scored = winner.score.value, winner.scored_part
    if summary.ahead:
        print(
            f"pruned trials that were ahead of the best complete one: {summary.ahead}, now"
            " trained to their end"
        )
    print(
        f"winner (trial {best.number}), trained alone:"
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
    for one in [*winner.baselines, *([winner.ensemble] if winner.ensemble else [])]:
        if one.improvements:
            print(_compared(one))
    print(f"model of the winner: {summary.folder}/model")
    if winner.beats_start:
        print("to write its values to params.yaml: python -m pipeline.sweep promote")
    else:
        print("params.yaml can stay as it is")


def compared_with_start(winner: Comparison) -> str:
    """Whether the winner is better than the starting point, as a sentence."""
    if winner.is_start:
        return "the winner is the starting point: no trial is better"
    if winner.start is None:
        return "the winner is better than the starting point, which diverges"
    return _compared(winner.start)


def write_summary(summary: Summary, study: Study, prepared: Prepared) -> None:
    """Writes the tables, the figures and the models below the sweep's folder."""
    with whole_directory(summary.results) as draft:
        summary.trials.to_csv(draft / "trials.csv", index=False)
        if summary.winner is not None:
            summary.winner.comparison.table().to_csv(draft / "winner.csv", index=False)
            write_plots(study.optuna_study, draft)
    if summary.winner is None:
        return
    winner = summary.winner
    write_model(summary.folder / "model", winner.saved)
    if winner.ensemble is not None:
        write_ensemble(summary.folder / "ensemble", winner.ensemble, prepared)
    write_text(summary.folder / "winner.json", json.dumps(summary.promotion(), indent=2) + "\n")


def record_summary(summary: Summary, recorder: Recorder, prepared: Prepared) -> None:
    """Sends the written summary to MLflow, with rows for the models' input example and the hash of
    the test rows that they were evaluated on, and notes that this is done."""
    test_rows = of_rows(prepared.parts["test"][prepared.contract.target])
    names = {"model": summary.winner, "ensemble": summary.winner and summary.winner.ensemble}
    recorder.send(
        "results",
        tags={
            **({"sweep.best": " ".join(summary.best.overrides)} if summary.best else {}),
            **({TEST_ROWS: test_rows} if test_rows else {}),
        },
        metrics=summary.metrics(),
        folder=str(summary.results.resolve()),
        models={name: str((summary.folder / name).resolve()) for name in names if names[name]},
        example=prepared.parts["train"].head(3).to_dict("list"),
    )
    write_text(summary.folder / SUMMARY, json.dumps({"trials": summary.finished}) + "\n")


def _compared(other: Evaluation) -> str:
    first, *others = other.improvements
    text = other.improvements[first].in_words(NAMES[other.prefix])
    return "; ".join(
        [
            f"on {first}, the winner is {text}",
            *(f"on {part}, {other.improvements[part].in_words()}" for part in others),
        ]
    )


def _plain(values: Improvement) -> dict[str, float | None]:
    """For JSON, which has no infinity."""
    return {name: value if math.isfinite(value) else None for name, value in asdict(values).items()}


def _by_part(score: str, errors: dict[str, float]) -> str:
    return ", ".join(f"{part} {score} {value:.6g}" for part, value in errors.items())
