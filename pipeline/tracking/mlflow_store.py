"""MLflow: the view of the runs. The only module that imports mlflow."""

import logging
import os
import time
import uuid
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
from filelock import FileLock
from requests.exceptions import RequestException
from sqlalchemy.exc import SQLAlchemyError

from pipeline.runtime.errors import UserError
from pipeline.runtime.imports import importing
from pipeline.tracking import processes
from pipeline.tracking.identity import Identity
from pipeline.tracking.live import run_tags
from pipeline.tracking.location import ARTIFACTS, DATABASE, own_database, project_root, store_uri

# Read by mlflow when it is imported. A server that is gone must cost seconds,
# not the four minutes of the default retries.
for _name, _value in {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
}.items():
    os.environ.setdefault(_name, _value)
with importing():
    import mlflow
    from mlflow import MlflowClient
    from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, Run, RunTag
    from mlflow.exceptions import MlflowException
    from mlflow.models import Model, ModelSignature
    from mlflow.types import ColSpec, Schema
    from mlflow.types.schema import AnyType
logging.getLogger("alembic").setLevel(logging.WARNING)
# Of curves in one transaction: a second or two, for which nobody else can write.
MOST_POINTS = 50_000
T = TypeVar("T")
TROUBLE = (MlflowException, RequestException, SQLAlchemyError, OSError)


def make_database(uri: str | None, root: Path | None = None) -> None:
    """Makes root/mlflow.db, if that is the store and not there yet.

    It is made beside its place and moved there, under a lock: several processes that
    create it at once would leave it unusable.
    """
    root = root or project_root()
    given = store_uri(uri, root)
    if given.startswith(f"sqlite:///{root}") and set("?%") & set(str(root)):
        raise UserError(f"{root}: a path with ? or % cannot hold mlflow.db; rename the folder")
    file = own_database(uri, root)
    if file is None:
        return
    with FileLock(root / f".{DATABASE}.lock"):
        if not file.exists():
            draft = root / f".{DATABASE}.new"
            draft.unlink(missing_ok=True)
            MlflowClient(f"sqlite:///{draft}").search_experiments()
            draft.replace(file)


@dataclass(frozen=True)
class Child:
    """A run that lies below another and is over. began and ended are seconds since 1970;
    curves have a value for each epoch, from 1 on."""

    name: str
    params: dict[str, Any]
    tags: dict[str, str]
    metrics: dict[str, float]
    curves: Mapping[str, Sequence[float]]
    status: str
    began: float
    ended: float

    def points(self) -> list[Metric]:
        """Its metrics, at step 0, and its curves; missing values have no point."""
        end = int(self.ended * 1000)
        return [Metric(key, value, end, 0) for key, value in self.metrics.items()] + [
            Metric(key, value, end, epoch)
            for key, values in self.curves.items()
            for epoch, value in enumerate(values, start=1)
            if not pd.isna(value)
        ]


class Store:
    """One experiment of one MLflow store."""

    def __init__(self, experiment: str, uri: str | None, root: Path | None = None) -> None:
        """uri None is the environment's MLFLOW_TRACKING_URI or root/mlflow.db."""
        root = root or project_root()
        make_database(uri, root)
        self.uri = store_uri(uri, root)
        self._local = own_database(uri, root) is not None
        with FileLock(root / f".{DATABASE}.lock"):
            self.client = MlflowClient(self.uri)
            found = self.client.get_experiment_by_name(experiment)
            if found is None:
                # Absolute: the working directory may be one that DVC deletes.
                place = (root / ARTIFACTS).as_uri() if self.uri.startswith("sqlite") else None
                # Without its kind, the UI opens with what it has for language models.
                kind = {"mlflow.experimentKind": "custom_model_development"}
                self.experiment_id = self.client.create_experiment(experiment, place, kind)
            elif found.lifecycle_stage == "deleted":
                raise UserError(
                    f"tracking.experiment: {experiment!r} was deleted in {self.place()};"
                    " restore it there or choose another name"
                )
            else:
                self.experiment_id = found.experiment_id

    def place(self) -> str:
        """The store as a person would call it."""
        return DATABASE if self._local else self.uri

    def find(self, identity: Identity) -> Run | None:
        """The newest run of that identity whose training came to its end."""
        runs = self.client.search_runs(
            [self.experiment_id],
            f"{_filter(identity)} and attributes.status = 'FINISHED'",
            max_results=1,
            order_by=["attributes.start_time DESC"],
        )
        return runs[0] if runs else None

    def create(self, identity: Identity, params: dict[str, Any], tags: dict[str, str]) -> str:
        """A new run in status RUNNING; returns its id."""
        self.end_abandoned()
        tags = tags | run_tags(identity, processes.own())
        run = self.client.create_run(self.experiment_id, tags=tags, run_name=identity.run_name)
        pairs = [Param(key, str(value)) for key, value in params.items()]
        for chunk in _chunks(pairs, 100):
            self.client.log_batch(run.info.run_id, params=chunk)
        return str(run.info.run_id)

    def open_parent(
        self, name: str, study: str, params: dict[str, Any], tags: dict[str, str]
    ) -> str:
        """The run that the trials of a study lie below: the one that there is, or a new
        one; in status RUNNING. Returns its id."""
        self.end_abandoned()
        mine = tags | {"sweep.study": study, "process": processes.own()}
        found = self.client.search_runs(
            [self.experiment_id],
            f"tags.`sweep.study` = '{study}' and tags.`sweep.role` = 'sweep'",
            max_results=1,
        )
        if found:
            run_id = str(found[0].info.run_id)
            self.log_tags(run_id, mine)
            self.client.update_run(run_id, status="RUNNING")
            return run_id
        mine |= {"sweep.role": "sweep"}
        run = self.client.create_run(self.experiment_id, tags=mine, run_name=name)
        for chunk in _chunks([Param(key, str(value)) for key, value in params.items()], 100):
            self.client.log_batch(run.info.run_id, params=chunk)
        return str(run.info.run_id)

    def children(self, parent: str) -> set[str]:
        """The trial numbers of the runs that lie below a run."""
        numbers: set[str] = set()
        token = None
        while True:
            page = self.client.search_runs(
                [self.experiment_id],
                f"tags.`mlflow.parentRunId` = '{parent}'",
                max_results=10_000,
                page_token=token,
            )
            numbers |= {run.data.tags.get("sweep.trial", "") for run in page}
            token = page.token
            if not token:
                return numbers

    def log_children(self, parent: str, children: Sequence[Child]) -> None:
        """Whole runs below parent.

        MLflow's client takes 25 to 50 ms for a run of 200 points, one transaction after
        another. In a database the runs are therefore written beneath it, as rows of
        MLflow's own tables, many in one transaction; what it reads back is the same.
        """
        store = self.client._tracking_client.store  # noqa: SLF001 - the client has no other way down
        if not hasattr(store, "ManagedSessionMaker"):  # a server, not a database
            for child in children:
                self._log_child(parent, child)
            return
        waiting: list[Child] = []
        size = 0
        for child in children:
            waiting.append(child)
            size += sum(map(len, child.curves.values()))
            if size >= MOST_POINTS:
                _insert(store, parent, waiting)
                waiting, size = [], 0
        if waiting:
            _insert(store, parent, waiting)

    def _log_child(self, parent: str, child: Child) -> None:
        """In as few words as the client has for it."""
        start, end = int(child.began * 1000), int(child.ended * 1000)
        tags = child.tags | {"mlflow.parentRunId": parent}
        run = self.client.create_run(self.experiment_id, start, tags, child.name)
        own = [Param(key, str(value)) for key, value in child.params.items()]
        first, *rest = list(_chunks(child.points(), 1000 - len(own))) or [[]]
        self.client.log_batch(run.info.run_id, metrics=first, params=own)
        for chunk in rest:
            self.client.log_batch(run.info.run_id, metrics=chunk)
        self.client.set_terminated(run.info.run_id, child.status, end)

    def end_abandoned(self) -> None:
        """Marks as KILLED the runs of this machine whose process is gone."""
        running = self.client.search_runs(
            [self.experiment_id], "attributes.status = 'RUNNING'", max_results=1000
        )
        for run in running:
            if processes.is_gone(run.data.tags.get("process", "")):
                self.end(run.info.run_id, "KILLED")

    def log_epochs(self, run_id: str, epochs: Iterable[tuple[int, Mapping[Any, float]]]) -> None:
        """A point for each value, at the step of its epoch; missing values have none."""
        now = time.time_ns() // 1_000_000
        points = [
            Metric(name, value, now, epoch)
            for epoch, values in epochs
            for name, value in values.items()
            if not pd.isna(value)
        ]
        for chunk in _chunks(points, 1000):
            self.client.log_batch(run_id, metrics=chunk)

    def log_metrics(self, run_id: str, values: dict[str, float]) -> None:
        """Single numbers; one that the run already has is not logged again."""
        known = self.client.get_run(run_id).data.metrics
        changed = {name: value for name, value in values.items() if known.get(name) != value}
        now = time.time_ns() // 1_000_000
        self.client.log_batch(
            run_id, metrics=[Metric(name, value, now, 0) for name, value in changed.items()]
        )

    def log_tags(self, run_id: str, tags: dict[str, str]) -> None:
        self.client.log_batch(run_id, tags=[RunTag(key, value) for key, value in tags.items()])

    def end(self, run_id: str, status: str) -> None:
        """FINISHED, FAILED or KILLED."""
        self.client.set_terminated(run_id, status)

    def log_folder(self, run_id: str, folder: Path, name: str) -> None:
        """The files of folder as artifacts below name."""
        self.client.log_artifacts(run_id, str(folder), name)

    def log_file(self, run_id: str, path: Path, name: str) -> None:
        """A file as an artifact below name."""
        self.client.log_artifact(run_id, str(path), name)

    def log_data(
        self, run_id: str, part: str, source: str, md5: str, rows: int | None = None
    ) -> None:
        """One part of the data set: where it came from and the hash that DVC has for it."""
        dataset = Dataset(
            name=part,
            digest=md5[:8],
            source_type="dvc",
            source=f'{{"path": "{source}", "md5": "{md5}"}}',
            profile=None if rows is None else f'{{"num_rows": {rows}}}',
        )
        tags = [InputTag("mlflow.data.context", part), InputTag("dvc.md5", md5)]
        self.client.log_inputs(run_id, [DatasetInput(dataset, tags)])

    def log_model(
        self,
        run_id: str,
        folder: Path,
        code: Path,
        example: pd.DataFrame,
        packages: list[str],
        *,
        name: str = "model",
    ) -> None:
        """folder (of serving.Predictor) as a pyfunc that takes a data frame like example.

        Any type of column will do: MLflow would refuse whole numbers where it was
        told of fractions, and the Predictor checks the cells itself. MLflow would also load
        the model again to try the example, and with it Keras, for ten seconds: that a logged
        model answers as the one in the folder is a matter for tests.
        """
        anything: Any = AnyType
        signature = ModelSignature(
            inputs=Schema([ColSpec(anything(), name) for name in example.columns]),
            outputs=Schema([ColSpec("double", "predicted")]),
        )
        mlflow.set_tracking_uri(self.uri)
        with _any_type_is_meant(), mlflow.start_run(run_id=run_id):
            Model.log(
                artifact_path=None,
                name=name,
                flavor=_Pyfunc,
                flavor_name="pyfunc",
                validate_serving_input=False,
                loader_module="pipeline.evaluation.predictor",
                data_path=str(folder),
                code_paths=[str(code)],
                signature=signature,
                input_example=example,
                pip_requirements=packages,
            )


class _Pyfunc:
    """mlflow.pyfunc as a flavor that bears what Model.log is told for itself."""

    @staticmethod
    def save_model(*, validate_serving_input: bool, **content: Any) -> None:
        del validate_serving_input
        mlflow.pyfunc.save_model(**content)


def load_model(uri: str) -> Any:
    """The serving.Predictor of the pyfunc model at an MLflow URI (models:/..., runs:/...).
    Raises UserError for a URI that leads to none."""
    mlflow.set_tracking_uri(store_uri(None, project_root()))
    try:
        with _any_type_is_meant():
            model = mlflow.pyfunc.load_model(uri)
    except TROUBLE as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{uri}: cannot be loaded from MLflow: {reason}") from error
    try:
        predictor = model.get_raw_model()
    except NotImplementedError:
        predictor = None  # so MLflow says that a model of another kind has none
    if not hasattr(predictor, "contract"):
        raise UserError(f"{uri}: is not a model of this pipeline")
    return predictor


@contextmanager
def _any_type_is_meant() -> Iterator[None]:
    """Without MLflow's remark that columns of any type are not checked."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*Any type hint is inferred as AnyType")
        yield


def _insert(store: Any, parent: str, children: Sequence[Child]) -> None:
    """Adds runs to a database, all or none. store is MLflow's SqlAlchemyStore."""
    from mlflow.store.tracking.dbmodels import models
    from mlflow.utils import validation

    checked: Callable[[str, str], Param] = validation._validate_param  # noqa: SLF001 - none that is public cuts long values as the client does
    tables = (
        models.SqlRun, models.SqlParam, models.SqlTag, models.SqlMetric, models.SqlLatestMetric,
    )  # fmt: skip
    rows: dict[Any, list[dict[str, Any]]] = {table: [] for table in tables}
    for child in children:
        run_id = uuid.uuid4().hex
        rows[models.SqlRun].append(
            {
                "run_uuid": run_id,
                "name": child.name,
                "status": child.status,
                "start_time": int(child.began * 1000),
                "end_time": int(child.ended * 1000),
            }
        )
        params = [checked(key, str(value)) for key, value in child.params.items()]
        tags = child.tags | {"mlflow.parentRunId": parent, "mlflow.runName": child.name}
        rows[models.SqlParam] += [
            {"run_uuid": run_id, "key": one.key, "value": one.value} for one in params
        ]
        rows[models.SqlTag] += [
            {"run_uuid": run_id, "key": key, "value": value} for key, value in tags.items()
        ]
        latest = {}
        for point in child.points():
            is_nan, value = store.sanitize_metric_value(point.value)
            row = {
                "run_uuid": run_id, "key": point.key, "value": value, "is_nan": is_nan,
                "timestamp": point.timestamp, "step": point.step,
            }  # fmt: skip
            rows[models.SqlMetric].append(row)
            latest[point.key] = row  # the steps of a key come in their order
        rows[models.SqlLatestMetric] += latest.values()
    with store.ManagedSessionMaker(read_only=False) as session:
        # What is not said of a run is as the client wrote it for the parent.
        above = session.get_one(models.SqlRun, parent)
        like = {
            column.key: getattr(above, column.key) for column in models.SqlRun.__table__.columns
        }
        rows[models.SqlRun] = [
            like | own | {"artifact_uri": above.artifact_uri.replace(parent, own["run_uuid"])}
            for own in rows[models.SqlRun]
        ]
        for table, added in rows.items():
            if added:
                session.connection().execute(table.__table__.insert(), added)


def _filter(identity: Identity) -> str:
    same = f"tags.fingerprint = '{identity.fingerprint}'"
    if identity.experiment is None:
        return same
    quote = '"' if "'" in identity.experiment else "'"
    return f"{same} and tags.`dvc.exp_name` = {quote}{identity.experiment}{quote}"


def _chunks(items: list[T], size: int) -> Iterator[list[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
