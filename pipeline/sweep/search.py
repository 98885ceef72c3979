"""The search: asks the study for trials, trains them, and reports their results."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.compose.schema import Config, Sweep, experiment_parameters
from pipeline.dataset.curves import CURVES
from pipeline.preparation.preparation import Prepared
from pipeline.runtime.errors import UserError
from pipeline.sweep import trials
from pipeline.sweep.space import Space
from pipeline.sweep.storage import STORAGE_ERRORS
from pipeline.sweep.study import Study, Trial
from pipeline.sweep.summary import (
    best_trial,
    is_summarised,
    number_of_contenders,
    print_best,
    print_summary,
    record_summary,
    summarise,
    write_summary,
)
from pipeline.sweep.tables import Tables
from pipeline.sweep.trial_result import TrialResult
from pipeline.sweep.trials import LATE, MEMORY_ERRORS, Group, OnEpochs, TrainedTrial, TrainGroups
from pipeline.tracking.client import Recorder
from pipeline.tracking.trial_files import SWEEPS, Curves, Record, batches, read_batch, write_batch
from pipeline.training.progress import Progress

REUSED = "trained before: result reused"
NO_CURVES = np.zeros((0, len(CURVES)), np.float32)
# With a time limit, into how many batches the rest of the time is divided: the sampler learns from
# one before it suggests the next.
ROUNDS = 4
# A result and its curves, (epochs, len(CURVES)).
Trained = tuple[TrialResult, NDArray[np.float32]]


@dataclass(frozen=True)
class Search:
    """What a sweep's trials are trained from, and where their results go.

    Attributes
    ----------
    space
        The keys that vary, and the experiment.
    tables
        What the trials are trained and scored on.
    study
        Where trials are asked for and reported to.
    recorder
        Where their curves go.
    input_hashes
        The hashes of data and code by path.
    seconds_left
        How long to train further trials; infinity without a limit.
    train
        Where groups are trained.
    kept
        The starting point and the best trials so far, by number, with their networks.
    """

    space: Space
    tables: Tables
    study: Study
    recorder: Recorder
    input_hashes: Mapping[str, str]
    seconds_left: Callable[[], float]
    train: TrainGroups
    curves: Curves = field(default_factory=lambda: Curves(SWEEPS))
    kept: dict[int, TrainedTrial] = field(default_factory=dict)

    @property
    def sweep(self) -> Sweep:
        return self.space.experiment.sweep

    @property
    def folder(self) -> Path:
        return SWEEPS / self.study.name

    def run(self) -> None:
        """Trains batch after batch until the study has no more trials or time is over."""
        self._report_files()
        finished = self.study.finished()
        if finished:
            print(f"sweep {self.study.name}: {finished} trials have finished before", flush=True)
        if self.tables.of(self.space.experiment).streaming:
            print("the rows are encoded block by block during training", flush=True)
        if self.space.outside:
            print(
                f"the starting point is not in the search space ({', '.join(self.space.outside)}),"
                " so it is not a trial, but the winner is compared with it",
                flush=True,
            )
        known = self.study.complete_results()
        shown: dict[str, float] = {}
        counted = 0.0  # of the trials in training, by their epochs
        seconds, trained = 0.0, 0
        with Progress(self.sweep.trials, "trial") as progress:
            progress.advance(min(finished, self.sweep.trials))

            def on_epochs(share: float, loss: float) -> None:
                nonlocal counted
                counted += share
                progress.advance(share, **shown, loss=loss)

            while count := self._batch_size(seconds / max(1, trained)):
                asked = self.study.ask(count, self.sweep.trials)
                if not asked:
                    break
                records = self._train(asked, known, on_epochs)
                seconds += sum(one.ended - one.began for one in records[:1])
                trained += sum(one.reason != REUSED for one in records)
                known |= {
                    one.fingerprint: _result(one) for one in records if one.state == "complete"
                }
                scores = [one.score for one in records if one.score is not None]
                if scores:
                    shown["best"] = min(*scores, shown.get("best", math.inf))
                progress.advance(len(records) - counted, **shown)
                counted = 0.0
        if not count:
            print(f"no further trial ends within sweep.minutes={self.sweep.minutes:g}", flush=True)

    def _batch_size(self, seconds: float) -> int:
        """How many trials to train next, each of which takes so many seconds."""
        # For the other seeds of the winner.
        reserved = self.sweep.seeds * seconds
        return batch_size(self.sweep.parallel_trials, self.seconds_left() - reserved, seconds)

    def _report_files(self) -> None:
        """Reports to the study and to MLflow what an interrupted sweep has only written."""
        reported = self.study.results()
        for path in batches(self.folder):
            missing = [one for one in read_batch(path) if one.number not in reported]
            if missing:
                self.study.report({one.number: _result(one) for one in missing})
            self.recorder.send("trials", path=str(path.resolve()))

    def _train(
        self,
        asked: Sequence[Trial],
        known: Mapping[str, TrialResult],
        on_epochs: Callable[[float, float], None],
    ) -> list[Record]:
        """Trains a batch, writes it, and reports it. A result that is known by its fingerprint
        is not computed again."""
        began = time.time()
        configs: dict[int, Config] = {}
        prints: dict[int, str] = {}
        results: dict[int, Trained] = {}
        for number, values in ((trial.number, trial.values) for trial in asked):
            try:
                configs[number] = self.space.config(values)
            except UserError as error:
                results[number] = TrialResult("failed", None, 0, str(error)), NO_CURVES
                continue
            prints[number] = trials.fingerprint(configs[number], self.input_hashes)
            if prints[number] in known:
                reused = replace(known[prints[number]], reason=REUSED)
                results[number] = reused, self.curves.of(prints[number])
        results |= self._train_groups(
            {number: one for number, one in configs.items() if number not in results}, on_epochs
        )
        ended = time.time()
        records = [
            Record(
                number=trial.number,
                state=result.state,
                score=result.score,
                epochs=result.epochs,
                reason=result.reason,
                fingerprint=prints.get(trial.number, ""),
                values=dict(trial.values),
                configuration=experiment_parameters(configs[trial.number])
                if trial.number in configs
                else {},
                began=began,
                ended=ended,
                curves=curves,
            )
            for trial, (result, curves) in ((trial, results[trial.number]) for trial in asked)
        ]
        path = write_batch(self.folder, records)
        self.recorder.send("trials", path=str(path.resolve()))
        self.study.report({one.number: _result(one) for one in records})
        return records

    def _train_groups(
        self, configs: Mapping[int, Config], on_epochs: OnEpochs
    ) -> dict[int, Trained]:
        """The results of experiments, by number."""
        late = TrialResult("pruned", None, 0, LATE), NO_CURVES
        results: dict[int, Trained] = dict.fromkeys(configs, late)
        for group, trained in self.train(self._groups(configs), self.seconds_left, on_epochs):
            if isinstance(trained, str):
                failed = TrialResult("failed", None, 0, trained), NO_CURVES
                results |= dict.fromkeys(group.configs, failed)
                continue
            of_group = dict(zip(group.configs, trained, strict=True))
            self._keep(of_group)
            results |= {
                number: (one.result, one.curves.astype(np.float32))
                for number, one in of_group.items()
            }
        return results

    def _groups(self, configs: Mapping[int, Config]) -> Iterator[Group]:
        """The experiments in groups, encoding by encoding."""
        numbers = list(configs)
        for indices in self.tables.by_encoding(list(configs.values())):
            same = [numbers[index] for index in indices]
            try:
                rows = self.tables.of(configs[same[0]])
            except (*MEMORY_ERRORS, UserError):
                groups = [[*range(len(same))]]  # whose training says so
            else:
                groups = trials.group([configs[number] for number in same], rows)
            for group in groups:
                # The first trial is the starting point, unless that is not in the space.
                starts = [0] if self.space.start else []
                yield Group(
                    {same[index]: configs[same[index]] for index in group},
                    self.sweep.score, self.sweep.pruning, never_pruned=starts,
                )  # fmt: skip

    def _keep(self, trained: Mapping[int, TrainedTrial]) -> None:
        """Keeps what the summary would otherwise train again."""
        scores = {
            number: (one.result.score, number)
            for number, one in (self.kept | dict(trained)).items()
            if one.result.state == "complete"
        }
        best = sorted(scores, key=scores.__getitem__)[: number_of_contenders(self.sweep)]
        self.kept.update(trained)
        for number in set(self.kept) - {*best, *({0} & set(scores))}:
            del self.kept[number]


def batch_size(parallel_trials: int, seconds_left: float, seconds: float) -> int:
    """How many trials to train next: parallel_trials or, with a time limit, as many as end in time
    and leave the time for further batches.

    Parameters
    ----------
    parallel_trials
        The most.
    seconds_left
        Infinity without a limit.
    seconds
        How long a trial has taken so far; 0 before the first one.
    """
    if seconds_left == math.inf:
        return parallel_trials
    if seconds_left <= 0:
        return 0
    # How long the first one takes is not known.
    fitting = seconds_left / seconds if seconds else 1.0
    return min(parallel_trials, int(max(fitting / ROUNDS, min(fitting, 1))))


def run_sweep(search: Search, prepared: Prepared) -> None:
    """Searches, and writes the summary unless other workers are still training.

    Raises
    ------
    UserError
        If time is over before a trial has ended, the disk is full, or the database cannot be
        reached; finished trials are kept.
    """
    space, study, tables = search.space, search.study, search.tables
    metric = f"{tables.of(space.experiment).scored_part} {search.sweep.score.value}"
    try:
        search.run()
        finished, best = study.finished(), best_trial(space, study)
        print_best(best, finished, metric)
        if best is None and search.seconds_left() <= 0:
            raise UserError(
                f"no trial finished within sweep.minutes={search.sweep.minutes:g}; the same command"
                " with a larger value continues the sweep"
            )
        if study.running():
            print("other workers are still training; the last worker writes the summary")
        elif is_summarised(search.folder, finished):
            print(f"the summary has been written before: {search.folder}/results/")
        else:
            print("training other seeds of the winner, and what it is compared with", flush=True)
            summary = summarise(space, study, tables, search.kept, search.folder)
            print("writing the figures and models", flush=True)
            write_summary(summary, study, prepared)
            record_summary(summary, search.recorder, prepared)
            print_summary(summary)
    except KeyboardInterrupt:
        print_best(best_trial(space, study), study.finished(), metric)
        print("interrupted; the same command continues the sweep")
        raise
    except BrokenPipeError:
        # Nobody reads standard output any more.
        raise
    except STORAGE_ERRORS as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"the sweep stopped: {reason}; finished trials are kept, and the same command"
            " continues the sweep"
        ) from error


def _result(record: Record) -> TrialResult:
    return TrialResult(record.state, record.score, record.epochs, record.reason, record.fingerprint)
