"""The study of a sweep: its trials and their results, in a database of Optuna's, so that a
sweep continues where it stopped and several machines share one."""

import datetime as dt
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
from optuna.exceptions import ExperimentalWarning
from optuna.trial import FrozenTrial, TrialState

from pipeline.compose.schema import Sampler
from pipeline.runtime.errors import UserError
from pipeline.sweep import storage
from pipeline.sweep.sampling import Grid, Point, Sampling, Suggester, distributions
from pipeline.sweep.space import Space, Values
from pipeline.sweep.storage import RESULT, STORAGE_ERRORS, WORKER, Storage
from pipeline.sweep.trial_result import PRUNED, TrialResult
from pipeline.tracking import processes

optuna.logging.set_verbosity(optuna.logging.ERROR)
warnings.filterwarnings("ignore", category=ExperimentalWarning)
DATABASE = "sweeps.db"
# For a URL with a password: sweep.storage would be written to data/config.yaml.
STORAGE_VARIABLE = "SWEEP_STORAGE"
# A trial of another machine counts as abandoned after this long.
MAX_AGE = dt.timedelta(days=1)


@dataclass(frozen=True)
class Trial:
    """A trial to be trained: its number in the study, and a value for each axis."""

    number: int
    values: dict[str, Any]


class Study:
    """The trials of one space, and their results."""

    def __init__(
        self,
        name: str,
        url: str | None,
        space: Space,
        *,
        inputs_hash: str,
        sampler: Sampler,
        seed: int,
        root: Path,
        start: Point | None = None,
        worker: str | None = None,
    ) -> None:
        """Creates the study or continues it.

        Parameters
        ----------
        name
            Its name in the database.
        url
            The database; None is the environment's SWEEP_STORAGE or sweeps.db in root.
        space
            What the trials vary.
        inputs_hash
            A hash of the experiment, its inputs and the space; trials are comparable only if
            it is the same.
        sampler, seed
            How new points are chosen.
        root
            The folder of the database and of its lock file.
        start
            The values of the first trial; None to sample them.
        worker
            The name of the process that trains; this process if it is None.

        Raises
        ------
        UserError
            For a database that cannot be used, and for a name that belongs to another space.
        """
        self.name, self.inputs_hash = name, inputs_hash
        self._distributions = distributions(space)
        # Before the study is created: a space without a grid must not leave an empty one.
        grid = Grid(space, start) if sampler is Sampler.grid else None
        self._url = storage_url(url, root)
        with storage_errors(url, root):
            self._storage = open_storage(url, root)
            self.optuna_study = self._storage.study(name, {"inputs_hash": inputs_hash})
        if self.optuna_study.user_attrs.get("inputs_hash") != inputs_hash:
            raise UserError(
                f"sweep.name: the study {name!r} in {self._url} belongs to another space,"
                " experiment or version of the code; choose another name"
            )
        self._suggester: Suggester = grid or Sampling(sampler, seed, self._distributions, start)
        self._worker = worker or processes.this_process()

    def trials(self) -> list[FrozenTrial]:
        """All trials, in the order of their numbers."""
        return list(self.optuna_study.get_trials(deepcopy=False))

    def finished(self) -> int:
        """The number of trials that have a result."""
        return sum(trial.state.is_finished() for trial in self.trials())

    def running(self) -> int:
        """The number of trials that a process is training now."""
        return running(self.trials())

    def ask(self, count: int, limit: int) -> list[Trial]:
        """Up to count trials to train: first those that were abandoned, then new ones, of
        which there are at most limit in the study. Empty if there are none."""
        with self._storage.locked():
            trials = self.trials()
            abandoned = [trial for trial in trials if _is_abandoned(trial)][:count]
            for trial in abandoned:
                self._storage.set_worker(self.name, trial.number, self._worker)
            wanted = max(0, min(count - len(abandoned), limit - len(trials)))
            points = self._suggester.suggest(wanted, trials)
            self._storage.begin_trials(
                self.name, points, self._distributions, first=len(trials), worker=self._worker
            )
        return [Trial(trial.number, self._values(trial)) for trial in abandoned] + [
            Trial(number, point) for number, point in enumerate(points, start=len(trials))
        ]

    def report(self, results: Mapping[int, TrialResult]) -> None:
        """Writes results by the numbers of their trials; a trial that has one keeps it."""
        self._storage.end_trials(self.name, results)

    def results(self) -> dict[int, tuple[Values, TrialResult]]:
        """The values and the result of each trial that has one, by its number."""
        return {
            trial.number: (self._values(trial), TrialResult(**trial.user_attrs[RESULT]))
            for trial in self.trials()
            if trial.state.is_finished() and RESULT in trial.user_attrs
        }

    def ranking(self) -> list[tuple[int, Values, TrialResult]]:
        """Number, values and result of the complete trials, the best first."""
        complete = [
            (result.score, number, values, result)
            for number, (values, result) in self.results().items()
            if result.state == "complete" and result.score is not None
        ]
        ordered = sorted(complete, key=lambda one: one[:2])
        return [(number, values, result) for _, number, values, result in ordered]

    def pruned_ahead(self) -> list[tuple[int, Values]]:
        """Number and values of the trials that were pruned with a score below that of the best
        complete trial."""
        ranking = self.ranking()
        lowest = ranking[0][2].score if ranking else None
        return [
            (number, values)
            for number, (values, result) in self.results().items()
            if result.reason == PRUNED
            and result.score is not None
            and (lowest is None or result.score < lowest)
        ]

    def complete_results(self) -> dict[str, TrialResult]:
        """The results of the complete trials of all studies in the database, by fingerprint."""
        results = [
            TrialResult(**trial.user_attrs[RESULT])
            for study in self._storage.studies()
            for trial in study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
            if RESULT in trial.user_attrs
        ]
        return {result.fingerprint: result for result in results}

    def table(self) -> pd.DataFrame:
        """A row for each trial, the best first: number, state, score, epochs, the values, and
        the reason where it was not trained to its end."""
        rows = [
            {"trial": number, "state": result.state, "score": result.score}
            | {"epochs": result.epochs, **values, "reason": result.reason}
            for number, (values, result) in self.results().items()
        ]
        return pd.DataFrame(rows).sort_values("score", kind="stable") if rows else pd.DataFrame()

    def _values(self, trial: FrozenTrial) -> dict[str, Any]:
        return {key: trial.params[key] for key in self._distributions if key in trial.params}


def storage_url(url: str | None, root: Path) -> str:
    """The database: url, else the environment's SWEEP_STORAGE, else sweeps.db in root."""
    return url or os.environ.get(STORAGE_VARIABLE) or f"sqlite:///{root / DATABASE}"


def open_storage(url: str | None, root: Path) -> Storage:
    """Opens the database, or creates it. root is the folder of the file that is locked."""
    return Storage(storage_url(url, root), root / f".{DATABASE}.lock")


@contextmanager
def storage_errors(url: str | None, root: Path) -> Iterator[None]:
    """Raises UserError if the database cannot be used in this block."""
    try:
        yield
    except (*STORAGE_ERRORS, ImportError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        by_variable = not url and os.environ.get(STORAGE_VARIABLE)
        key = STORAGE_VARIABLE if by_variable else "sweep.storage"
        raise UserError(f"{key}: {storage_url(url, root)}: cannot be used: {reason}") from error


def running(trials: Sequence[FrozenTrial]) -> int:
    """How many of the trials a process is training now."""
    return sum(one.state == TrialState.RUNNING and not _is_abandoned(one) for one in trials)


def _is_abandoned(trial: FrozenTrial) -> bool:
    """Whether a trial is running in name only: its process on this machine has ended, or it has
    been on another machine for too long."""
    if trial.state != TrialState.RUNNING:
        return False
    worker = trial.user_attrs.get(WORKER, "")
    if processes.is_elsewhere(worker):
        return storage.has_timed_out(trial.datetime_start, MAX_AGE)
    return processes.is_gone(worker)
