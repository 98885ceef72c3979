"""The runs of a sweep's trials, written many at a time.

MLflow's client takes 25 to 50 ms for a run of 200 points, one transaction after another. In a
database the runs are therefore added as rows of MLflow's own tables, many in one transaction;
a test compares them with what the client writes.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.runtime.redaction import redact
from pipeline.tracking.backend import (
    MAX_PARAM_VAL_LENGTH,
    Metric,
    Param,
    SqlAlchemyStore,
    store_of,
    tables,
)
from pipeline.tracking.store import BATCH_METRICS, Store, chunks, param_name, points, recorded

# Of curves in one transaction: it takes a second or two, in which no other process can write.
MAX_POINTS = 50_000


@dataclass(frozen=True)
class TrialRun:
    """A run below that of the sweep, already over. began and ended are seconds since 1970;
    curves have a value for each epoch, from 1 on."""

    name: str
    params: Mapping[str, Any]
    tags: Mapping[str, str]
    metrics: Mapping[str, float]
    curves: Mapping[str, Sequence[float]]
    status: str
    began: float
    ended: float

    def points(self) -> list[Metric]:
        """Its metrics, at step 0, and its curves."""
        single = [
            Metric(name, value, int(self.ended * 1000), 0) for name, value in self.metrics.items()
        ]
        return single + points(self.curves, seconds=self.ended)


def log_trial_runs(store: Store, parent: str, runs: Sequence[TrialRun]) -> None:
    """Adds runs below the run parent."""
    database = store_of(store.client)
    if not isinstance(database, SqlAlchemyStore):  # a server
        for run in runs:
            log_by_client(store, parent, run)
        return
    waiting: list[TrialRun] = []
    size = 0
    for run in runs:
        waiting.append(run)
        size += sum(map(len, run.curves.values()))
        if size >= MAX_POINTS:
            _insert(database, parent, waiting)
            waiting, size = [], 0
    if waiting:
        _insert(database, parent, waiting)


def log_by_client(store: Store, parent: str, run: TrialRun) -> None:
    """Adds one run through MLflow's client, in as few calls as it has for that."""
    start, end = int(run.began * 1000), int(run.ended * 1000)
    tags = dict(run.tags) | {"mlflow.parentRunId": parent}
    run_id = store.client.create_run(store.experiment_id, start, tags, run.name).info.run_id
    params = [
        Param(param_name(key), recorded(value, MAX_PARAM_VAL_LENGTH))
        for key, value in run.params.items()
    ]
    first, *rest = list(chunks(run.points(), BATCH_METRICS - len(params))) or [[]]
    store.client.log_batch(run_id, metrics=first, params=params)
    for chunk in rest:
        store.client.log_batch(run_id, metrics=chunk)
    store.client.set_terminated(run_id, run.status, end)


def _insert(database: SqlAlchemyStore, parent: str, runs: Sequence[TrialRun]) -> None:
    """Adds runs to a database, all or none."""
    rows: dict[Any, list[dict[str, Any]]] = {
        table: []
        for table in (
            tables.SqlRun, tables.SqlParam, tables.SqlTag, tables.SqlMetric, tables.SqlLatestMetric,
        )
    }  # fmt: skip
    with database.ManagedSessionMaker(read_only=False) as session:
        # The columns that do not differ are as the client wrote them for the parent.
        above = session.get_one(tables.SqlRun, parent)
        common = {column.key: getattr(above, column.key) for column in above.__table__.columns}
        for run in runs:
            key = {"run_uuid": uuid.uuid4().hex}
            times = {"start_time": int(run.began * 1000), "end_time": int(run.ended * 1000)}
            artifacts = {"artifact_uri": above.artifact_uri.replace(parent, key["run_uuid"])}
            rows[tables.SqlRun].append(
                common | key | artifacts | times | {"name": run.name, "status": run.status}
            )
            rows[tables.SqlParam] += [
                key | {"key": param_name(name), "value": recorded(value, MAX_PARAM_VAL_LENGTH)}
                for name, value in run.params.items()
            ]
            tags = dict(run.tags) | {"mlflow.parentRunId": parent, "mlflow.runName": run.name}
            rows[tables.SqlTag] += [
                key | {"key": name, "value": redact(value)} for name, value in tags.items()
            ]
            latest = {}
            for point in run.points():
                is_nan, value = database.sanitize_metric_value(point.value)
                row = key | {
                    "key": point.key, "value": value, "is_nan": is_nan,
                    "timestamp": point.timestamp, "step": point.step,
                }  # fmt: skip
                rows[tables.SqlMetric].append(row)
                latest[point.key] = row  # the steps of a metric are in order
            rows[tables.SqlLatestMetric] += latest.values()
        for table, added in rows.items():
            if added:
                session.connection().execute(table.__table__.insert(), added)
