"""The study: which trials a sweep has asked for, and what they came to. It lies in a
database of Optuna's, so that a sweep goes on where it stopped and several machines
can share one. The only module that imports optuna.

Sampling happens in a copy in memory, because a question to the database takes twenty
times as long; a trial is written there as it is asked for, and again when it is told,
both times with its whole batch, as rows of Optuna's own tables: a call of Optuna's for
each trial takes 10 to 100 ms, and longer the more trials there are.
"""

import datetime as dt
import json
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
from filelock import FileLock
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
)
from optuna.exceptions import (
    DuplicatedStudyError,
    ExperimentalWarning,
    StorageInternalError,
)
from optuna.samplers import BaseSampler, QMCSampler, RandomSampler, TPESampler
from optuna.storages import RDBStorage
from optuna.storages._rdb.models import (
    TrialIntermediateValueModel,
    TrialModel,
    TrialParamModel,
    TrialUserAttributeModel,
    TrialValueModel,
)
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import create_engine, event, func, select, text, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from pipeline.compose.schema import Sampler
from pipeline.runtime.errors import UserError
from pipeline.runtime.imports import importing
from pipeline.sweep.space import Choice, Interval, Space, Values
from pipeline.tracking import processes

optuna.logging.set_verbosity(optuna.logging.ERROR)
warnings.filterwarnings("ignore", category=ExperimentalWarning)
DATABASE = "sweeps.db"
# What a disk or a database that gives out raises.
TROUBLE = (OSError, SQLAlchemyError, StorageInternalError)
# Below that, figures that compare trials say nothing.
FEWEST_TO_COMPARE = 5
# After this long, a trial of another machine is taken for lost.
OUT_OF_SIGHT = dt.timedelta(days=1)
OVER = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
STATES = {
    "complete": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}


@dataclass(frozen=True)
class Trial:
    """Values to try."""

    number: int
    values: dict[str, Any]


@dataclass(frozen=True)
class Told:
    """What a trial came to: its score (less is better), or why it has none.

    state is "complete", "pruned" or "failed"; a pruned trial's score is that of the
    epoch at which it was given up.
    """

    state: str
    score: float | None
    epochs: int
    reason: str | None = None


class Study:
    """A study of a name, of a space and of what else makes its scores comparable."""

    def __init__(
        self, name: str, storage: str | None, space: Space, *,
        made_of: str, sampler: Sampler, seed: int, root: Path,
    ) -> None:  # fmt: skip
        """Creates the study or goes on with it. made_of is a hash of the experiment and
        its space. Raises UserError for a database that cannot be reached, and for a name
        that belongs to another space."""
        self.name = name
        self.url = storage or f"sqlite:///{root / DATABASE}"
        self._locked = partial(_locked, self.url, FileLock(root / f".{DATABASE}.lock"))
        self._distributions = {key: _distribution(axis) for key, axis in space.axes.items()}
        # Before there is a study: a space that has no grid must not leave one without points.
        points = space.points() if sampler is Sampler.grid else []
        try:
            with self._locked():
                self._storage = _open(self.url)
                try:
                    self._study = optuna.create_study(storage=self._storage, study_name=name)
                    self._study.set_user_attr("made_of", made_of)
                except DuplicatedStudyError:
                    self._study = optuna.load_study(storage=self._storage, study_name=name)
                if self._study.user_attrs.get("made_of") == made_of:
                    self._lay_out(points)
        except (*TROUBLE, ImportError, ValueError) as error:
            reason = " ".join(str(error).split())[:200]
            raise UserError(f"sweep.storage: {self.url}: cannot be used: {reason}") from error
        if self._study.user_attrs.get("made_of") != made_of:
            raise UserError(
                f"sweep.name: the study {name!r} in {self.url} belongs to another space,"
                " experiment or version of the code; choose another name"
            )
        self._grid = sampler is Sampler.grid
        known = self._study.get_trials(deepcopy=False)
        self._mirror = optuna.create_study(sampler=_sampler(sampler, seed, len(known)))
        if sampler is Sampler.quasi_random:
            # The sequence goes on behind what was taken from it before.
            for _ in known:
                self._mirror.ask(self._distributions)
        self._mirrored: set[int] = set()
        self._asked: dict[int, optuna.Trial] = {}

    def _lay_out(self, points: list[dict[str, Any]]) -> None:
        """The points of a grid as trials that wait, but for those that are there."""
        if not points or self._study.user_attrs.get("grid"):
            return
        known = [
            trial.params or trial.system_attrs.get("fixed_params")
            for trial in self._study.get_trials(deepcopy=False)
        ]
        for point in points:
            if point not in known:
                self._study.enqueue_trial(point)
        self._study.set_user_attr("grid", True)

    def trials(self) -> list[FrozenTrial]:
        """All trials, in the order of their numbers."""
        return list(self._study.get_trials(deepcopy=False))

    def over(self) -> int:
        """How many trials have come to an end."""
        return sum(trial.state in OVER for trial in self.trials())

    def ask(self, count: int, limit: int, fingerprint: Callable[[Values], str]) -> list[Trial]:
        """Up to count trials to train, of the limit that there may be in all: first those
        that a process which is gone has left, then new ones. Empty if there are none."""
        with self._locked():
            trials = self.trials()
            left = [trial for trial in trials if _abandoned(trial)][:count]
            for trial in left:
                self._storage.set_trial_user_attr(trial._trial_id, "worker", processes.own())
            begun = sum(trial.state != TrialState.WAITING for trial in trials)
            wanted = max(0, min(count - len(left), limit - begun))
            ask = self._ask_grid if self._grid else self._ask_new
            asked = ask(wanted, fingerprint)
        return [Trial(trial.number, self._values(trial)) for trial in left] + asked

    def _ask_grid(self, wanted: int, fingerprint: Callable[[Values], str]) -> list[Trial]:
        asked = []
        for _ in range(wanted):
            if not self._study.get_trials(deepcopy=False, states=[TrialState.WAITING]):
                break
            trial = self._study.ask(self._distributions)
            trial.set_user_attr("worker", processes.own())
            trial.set_user_attr("fingerprint", fingerprint(trial.params))
            asked.append(Trial(trial.number, dict(trial.params)))
        return asked

    def _ask_new(self, wanted: int, fingerprint: Callable[[Values], str]) -> list[Trial]:
        for trial in self.trials():
            if trial.state in OVER and trial.number not in self._mirrored:
                self._mirror.add_trial(trial)
                self._mirrored.add(trial.number)
        sampled = [self._mirror.ask(self._distributions) for _ in range(wanted)]
        numbers = self._add([trial.params for trial in sampled], fingerprint)
        self._asked |= dict(zip(numbers, sampled, strict=True))
        self._mirrored.update(numbers)
        return [
            Trial(number, {key: trial.params[key] for key in self._distributions})
            for number, trial in zip(numbers, sampled, strict=True)
        ]

    def _add(self, points: Sequence[Values], fingerprint: Callable[[Values], str]) -> list[int]:
        """Notes trials as begun by this process; returns their numbers."""
        axes = self._distributions
        written = {key: distribution_to_json(axis) for key, axis in axes.items()}
        worker, now = processes.own(), _now()
        trials = [
            TrialModel(
                study_id=self._study._study_id,
                state=TrialState.RUNNING,
                datetime_start=now,
                params=[
                    TrialParamModel(
                        param_name=key,
                        param_value=axis.to_internal_repr(point[key]),
                        distribution_json=written[key],
                    )
                    for key, axis in axes.items()
                ],
                user_attributes=[
                    TrialUserAttributeModel(key=key, value_json=json.dumps(value))
                    for key, value in (("worker", worker), ("fingerprint", fingerprint(point)))
                ],
            )
            for point in points
        ]
        with Session(self._storage.engine) as session, session.begin():
            session.add_all(trials)
            session.flush()
            of_the_study = TrialModel.study_id == self._study._study_id
            before = select(func.count()).where(of_the_study, TrialModel.number.is_not(None))
            first = session.scalar(before) or 0
            for number, trial in enumerate(trials, start=first):
                trial.number = number
        return list(range(first, first + len(trials)))

    def tell(self, outcomes: Mapping[int, Told]) -> None:
        """Notes what trials came to, by their numbers; those that are over already stay
        as they are."""
        trials = self.trials()
        ids = {trials[number]._trial_id: number for number in outcomes}
        mine = TrialModel.trial_id.in_(ids)
        now = _now()
        with Session(self._storage.engine) as session, session.begin():
            # Changes nothing, and lets no other process tell them until this one has.
            session.execute(update(TrialModel).where(mine).values(state=TrialModel.state))
            begun: Any = select(TrialModel).where(mine, TrialModel.state.not_in(OVER))
            for trial in session.scalars(begun).all():
                told = outcomes[ids[trial.trial_id]]
                trial.state, trial.datetime_complete = STATES[told.state], now
                session.add_all(_rows(trial.trial_id, told))
        for number, told in outcomes.items():
            memory = self._asked.pop(number, None)
            if memory is not None:
                if told.state == "pruned":
                    assert told.score is not None
                    memory.report(told.score, told.epochs)
                complete = told.score if told.state == "complete" else None
                self._mirror.tell(memory, complete, STATES[told.state])

    def told(self) -> dict[int, tuple[Values, Told]]:
        """The values and the outcome of each trial that is over, by its number."""
        return {
            trial.number: (self._values(trial), Told(**trial.user_attrs["told"]))
            for trial in self.trials()
            if trial.state in OVER and "told" in trial.user_attrs
        }

    def known(self) -> dict[str, Told]:
        """What complete trials of any study in the database came to, by fingerprint."""
        known = {}
        for summary in optuna.get_all_study_summaries(self._storage, include_best_trial=False):
            study = optuna.load_study(storage=self._storage, study_name=summary.study_name)
            for trial in study.get_trials(deepcopy=False, states=[TrialState.COMPLETE]):
                if trial.user_attrs.get("fingerprint"):
                    known[trial.user_attrs["fingerprint"]] = Told(**trial.user_attrs["told"])
        return known

    def at_work(self) -> int:
        """How many trials other processes are training now."""
        return sum(
            trial.state == TrialState.RUNNING and not _abandoned(trial) for trial in self.trials()
        )

    def table(self) -> pd.DataFrame:
        """A row for each trial: number, state, score, epochs and the values."""
        rows = [
            {"trial": number, "state": told.state, "score": told.score, "epochs": told.epochs}
            | dict(values) | {"reason": told.reason}
            for number, (values, told) in self.told().items()
        ]  # fmt: skip
        return pd.DataFrame(rows).sort_values("score", kind="stable") if rows else pd.DataFrame()

    def draw(self, folder: Path) -> None:
        """history.png and, of enough trials, parallel_coordinates.png, importance.png and
        importance.csv (Watanabe et al., 2023, "PED-ANOVA"), in folder."""
        import matplotlib as mpl

        mpl.use("Agg")  # no screen is needed or asked for
        from matplotlib import pyplot as plt
        from optuna import visualization

        # Other measures of importance are trees, for whose library this one would wait.
        with importing("sklearn"):
            from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

        complete = self._study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
        charts = visualization.matplotlib
        charts.plot_optimization_history(self._study, target_name="score")
        _save(folder / "history.png")
        if len(complete) < FEWEST_TO_COMPARE or len({trial.value for trial in complete}) == 1:
            return
        charts.plot_parallel_coordinate(self._study, target_name="score")
        _save(folder / "parallel_coordinates.png")
        varied = [key for key in self._distributions if len({t.params[key] for t in complete}) > 1]
        shares = get_param_importances(
            self._study, evaluator=PedAnovaImportanceEvaluator(), params=varied
        )
        listed = pd.Series(shares, name="importance").rename_axis("key")
        listed.to_csv(folder / "importance.csv")
        plt.figure()
        plt.barh(list(listed.index[::-1]), listed.to_numpy()[::-1])
        plt.title("How much each key mattered for being among the best")
        _save(folder / "importance.png")

    def _values(self, trial: FrozenTrial) -> dict[str, Any]:
        return {key: trial.params[key] for key in self._distributions if key in trial.params}


def _rows(trial: int, told: Told) -> Iterator[Any]:
    """What Optuna's tables hold of an outcome beside the state: a pruned trial's score is
    the value that it had come to, as Optuna has it, too."""
    yield TrialUserAttributeModel(trial_id=trial, key="told", value_json=json.dumps(asdict(told)))
    if told.score is None or told.state == "failed":
        return
    value, kind = TrialValueModel.value_to_stored_repr(told.score)
    yield TrialValueModel(trial_id=trial, objective=0, value=value, value_type=kind)
    if told.state == "pruned":
        value, of = TrialIntermediateValueModel.intermediate_value_to_stored_repr(told.score)
        yield TrialIntermediateValueModel(
            trial_id=trial, step=told.epochs, intermediate_value=value, intermediate_value_type=of
        )


def _save(path: Path) -> None:
    from matplotlib import pyplot as plt

    figure = plt.gcf()
    figure.set_size_inches(10, 5)
    figure.savefig(path, dpi=110, bbox_inches="tight")
    plt.close("all")


def _open(url: str) -> RDBStorage:
    if url.startswith("sqlite:"):
        storage = RDBStorage(url, engine_kwargs={"connect_args": {"timeout": 60}})

        # Readers and a writer side by side, and no waiting for the disk at each word.
        @event.listens_for(storage.engine, "connect")
        def connected(connection: Any, _record: Any) -> None:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")

        storage.engine.dispose()
        return storage
    return RDBStorage(url)


@contextmanager
def _locked(url: str, file: FileLock) -> Iterator[None]:
    """One process at a time: of those in this folder, and with PostgreSQL of all."""
    with file:
        if not url.startswith("postgresql"):
            yield
            return
        # A pool would keep the session, and the lock is the session's.
        with create_engine(url, poolclass=NullPool).connect() as connection:
            connection.execute(text("SELECT pg_advisory_lock(hashtext('pipeline.sweep'))"))
            yield


def _distribution(axis: Choice | Interval) -> BaseDistribution:
    if isinstance(axis, Choice):
        return CategoricalDistribution(axis.options)
    if axis.whole:
        return IntDistribution(int(axis.low), int(axis.high), log=axis.log)
    return FloatDistribution(axis.low, axis.high, log=axis.log)


def _sampler(sampler: Sampler, seed: int, known: int) -> BaseSampler:
    # A sweep that goes on must not draw again what it drew before.
    drawn = int(np.random.SeedSequence([seed, known]).generate_state(1)[0])
    match sampler:
        case Sampler.tpe:
            return TPESampler(seed=drawn, constant_liar=True)
        case Sampler.quasi_random:
            return QMCSampler(seed=seed, warn_independent_sampling=False)
    return RandomSampler(seed=drawn)


def _now() -> dt.datetime:
    return dt.datetime.now()  # noqa: DTZ005 - Optuna's times are local and naive


def _abandoned(trial: FrozenTrial) -> bool:
    """Whether it is left by a process of this machine that is gone, by one that did not
    come to note its name, which it does under the lock, or by a machine out of sight."""
    if trial.state != TrialState.RUNNING or "worker" not in trial.user_attrs:
        return trial.state == TrialState.RUNNING
    worker = trial.user_attrs["worker"]
    if processes.is_elsewhere(worker):
        begun = trial.datetime_start
        return begun is not None and _now() - begun > OUT_OF_SIGHT
    return processes.is_gone(worker)
