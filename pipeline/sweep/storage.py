"""The database of sweeps: Optuna's, with its trials written in batches.

Optuna's public interface writes one trial at a time. On SQLite, beginning a trial takes 12 ms
(`Study.add_trial`) and ending one 5 ms (`set_trial_user_attr`, `set_trial_state_values`), which
is 4 s for 256 trials; a batch of 256 takes 0.1 s here. Therefore `begin_trials` and `end_trials`
use the classes of Optuna's tables, which are private: optuna.storages._rdb.models. A test
compares the rows with those that Optuna writes.
"""

import datetime as dt
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import optuna
from filelock import FileLock
from optuna.distributions import BaseDistribution, distribution_to_json
from optuna.exceptions import DuplicatedStudyError, StorageInternalError
from optuna.storages import RDBStorage
from optuna.storages._rdb.models import (
    TrialIntermediateValueModel,
    TrialModel,
    TrialParamModel,
    TrialUserAttributeModel,
    TrialValueModel,
)
from optuna.trial import TrialState
from sqlalchemy import create_engine, event, select, text, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from pipeline.sweep.trial_result import TrialResult

# What a full disk or an unreachable database raises.
STORAGE_ERRORS = (OSError, SQLAlchemyError, StorageInternalError)
FINISHED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
STATES = {
    "complete": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}
# User attributes of a trial.
WORKER, RESULT = "worker", "result"


class Storage:
    """A database of studies that several processes and machines may share."""

    def __init__(self, url: str, lock: Path) -> None:
        """Opens the database, or creates it. lock is a file that all processes of this machine
        lock. Raises one of STORAGE_ERRORS, ImportError or ValueError."""
        self._url = url
        self._file_lock = FileLock(lock)
        with self.locked():
            self._storage = _open(url)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One process at a time: of this machine, and with PostgreSQL of all machines."""
        with self._file_lock:
            if not self._url.startswith("postgresql"):
                yield
                return
            # The lock belongs to the session, which a pool would keep open.
            with create_engine(self._url, poolclass=NullPool).connect() as connection:
                connection.execute(text("SELECT pg_advisory_lock(hashtext('pipeline.sweep'))"))
                yield

    def study(self, name: str, attributes: Mapping[str, Any]) -> optuna.Study:
        """The study of that name, which is created with these user attributes if there is none."""
        with self.locked():
            try:
                study = optuna.create_study(storage=self._storage, study_name=name)
            except DuplicatedStudyError:
                return optuna.load_study(storage=self._storage, study_name=name)
            for key, value in attributes.items():
                study.set_user_attr(key, value)
            return study

    def studies(self) -> Iterator[optuna.Study]:
        """All studies of the database."""
        for name in optuna.get_all_study_names(self._storage):
            yield optuna.load_study(storage=self._storage, study_name=name)

    def delete(self, study: str) -> None:
        """Deletes a study with its trials."""
        optuna.delete_study(study_name=study, storage=self._storage)

    def set_worker(self, study: str, number: int, worker: str) -> None:
        """Assigns a trial to another process."""
        study_id = self._storage.get_study_id_from_name(study)
        trial_id = self._storage.get_trial_id_from_study_id_trial_number(study_id, number)
        self._storage.set_trial_user_attr(trial_id, WORKER, worker)

    def begin_trials(
        self,
        study: str,
        points: Sequence[Mapping[str, Any]],
        distributions: Mapping[str, BaseDistribution],
        *,
        first: int,
        worker: str,
    ) -> None:
        """Adds a running trial for each point, numbered from first on. The caller holds the
        lock, so that no other process takes the same numbers."""
        study_id = self._storage.get_study_id_from_name(study)
        described = {key: distribution_to_json(axis) for key, axis in distributions.items()}
        now = _now()
        trials = [
            TrialModel(
                study_id=study_id,
                number=number,
                state=TrialState.RUNNING,
                datetime_start=now,
                params=[
                    TrialParamModel(
                        param_name=key,
                        param_value=axis.to_internal_repr(point[key]),
                        distribution_json=described[key],
                    )
                    for key, axis in distributions.items()
                ],
                user_attributes=[
                    TrialUserAttributeModel(key=WORKER, value_json=json.dumps(worker))
                ],
            )
            for number, point in enumerate(points, start=first)
        ]
        with Session(self._storage.engine) as session, session.begin():
            session.add_all(trials)

    def end_trials(self, study: str, results: Mapping[int, TrialResult]) -> None:
        """Writes results by the numbers of their trials; a trial that has ended already keeps
        its result."""
        study_id = self._storage.get_study_id_from_name(study)
        chosen = (TrialModel.study_id == study_id, TrialModel.number.in_(results))
        now = _now()
        with Session(self._storage.engine) as session, session.begin():
            # Changes nothing, but locks the rows until the end of the transaction.
            session.execute(update(TrialModel).where(*chosen).values(state=TrialModel.state))
            unfinished: Any = select(TrialModel).where(*chosen, TrialModel.state.not_in(FINISHED))
            for trial in session.scalars(unfinished).all():
                result = results[trial.number]
                trial.state, trial.datetime_complete = STATES[result.state], now
                session.add_all(_result_rows(trial.trial_id, result))


def has_timed_out(started: dt.datetime | None, limit: dt.timedelta) -> bool:
    """Whether a trial that started then has been running for longer than limit."""
    return started is not None and _now() - started > limit


def _result_rows(trial: int, result: TrialResult) -> Iterator[Any]:
    """The rows of a result beside its state. The value of a pruned trial is its last
    intermediate value, as in Optuna."""
    yield TrialUserAttributeModel(trial_id=trial, key=RESULT, value_json=json.dumps(asdict(result)))
    if result.score is None or result.state == "failed":
        return
    value, kind = TrialValueModel.value_to_stored_repr(result.score)
    yield TrialValueModel(trial_id=trial, objective=0, value=value, value_type=kind)
    if result.state == "pruned":
        stored, kind_of = TrialIntermediateValueModel.intermediate_value_to_stored_repr(
            result.score
        )
        yield TrialIntermediateValueModel(
            trial_id=trial,
            step=result.epochs,
            intermediate_value=stored,
            intermediate_value_type=kind_of,
        )


def _open(url: str) -> RDBStorage:
    if not url.startswith("sqlite:"):
        return RDBStorage(url)
    storage = RDBStorage(url, engine_kwargs={"connect_args": {"timeout": 60}})

    # Readers beside a writer, and no waiting for the disk at each transaction.
    @event.listens_for(storage.engine, "connect")
    def connected(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")

    storage.engine.dispose()
    return storage


def _now() -> dt.datetime:
    return dt.datetime.now()  # noqa: DTZ005 - Optuna's times are local and naive
