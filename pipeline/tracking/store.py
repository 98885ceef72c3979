"""An experiment in an MLflow store: its runs, read and written through MLflow's client."""

import hashlib
import json
import math
import posixpath
import re
import shlex
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote

import pandas as pd
from filelock import FileLock
from requests.exceptions import RequestException
from sqlalchemy.exc import SQLAlchemyError

from pipeline.runtime.errors import UserError, warn
from pipeline.runtime.redaction import redact
from pipeline.tracking import processes
from pipeline.tracking.backend import (
    MAX_PARAM_VAL_LENGTH,
    MAX_TAG_VAL_LENGTH,
    MLFLOW_LOGGED_ARTIFACTS,
    Dataset,
    DatasetInput,
    Experiment,
    InputTag,
    Metric,
    MlflowClient,
    MlflowException,
    Param,
    Run,
    RunTag,
    mlflow,
)
from pipeline.tracking.identity import Identity
from pipeline.tracking.location import (
    ARTIFACTS,
    DATABASE,
    check_answer,
    database_file,
    default_database,
    project_root,
    store_uri,
)

# What MLflow raises for a store that cannot be reached, read or written.
# ImportError is for the driver of a database, ValueError for a URI that is none.
STORE_ERRORS = (
    MlflowException, RequestException, SQLAlchemyError, OSError, ImportError, ValueError
)  # fmt: skip
# MLflow's limits on one call of log_batch.
BATCH_PARAMS, BATCH_METRICS = 100, 1000
# Another process holds the lock for seconds; one that hangs must not be waited for.
LOCK_SECONDS = 120
T = TypeVar("T")


def points(
    curves: Mapping[str, Iterable[float]], *, first: int = 1, seconds: float | None = None
) -> list[Metric]:
    """A point for each value of each curve, at the step of its epoch, of which first is the
    first; missing values have none. seconds since 1970 are their time, now unless given."""
    milliseconds = int((time.time() if seconds is None else seconds) * 1000)
    return [
        Metric(name, value, milliseconds, epoch)
        for name, values in curves.items()
        for epoch, value in enumerate(values, start=first)
        if not math.isnan(value)
    ]


def make_database(uri: str | None, root: Path) -> None:
    """Creates root/mlflow.db if that is the store and does not exist yet.

    It is created under another name and renamed, under a lock: several processes that create
    one database at once leave it unusable.
    """
    given = store_uri(uri, root)
    if given.startswith(f"sqlite:///{root}") and set("?%") & set(str(root)):
        raise UserError(f"{root}: a path with ? or % cannot hold mlflow.db; rename the folder")
    file = default_database(uri, root)
    if file is None:
        return
    with FileLock(root / f".{DATABASE}.lock", timeout=LOCK_SECONDS):
        if not file.exists():
            draft = root / f".{DATABASE}.new"
            draft.unlink(missing_ok=True)
            MlflowClient(f"sqlite:///{draft}").search_experiments()
            draft.replace(file)


class Store:
    """One experiment of one MLflow store."""

    def __init__(self, experiment: str, uri: str | None, root: Path | None = None) -> None:
        """Creates the database and the experiment where they do not exist. uri None is the
        environment's MLFLOW_TRACKING_URI or root/mlflow.db. Raises UserError for a deleted
        experiment, and STORE_ERRORS."""
        root = root or project_root()
        make_database(uri, root)
        self.uri = store_uri(uri, root)
        check_answer(self.uri)
        # As it is called in messages.
        self.name = redact(self.uri) if default_database(uri, root) is None else DATABASE
        file = database_file(self.uri)
        if self.uri.startswith("sqlite:") and not file:
            raise UserError(f"the store {self.uri} is no file; name one: sqlite:///mlflow.db")
        # Whether other machines, which a lock does not stop, may record in it.
        self.shared = file is None
        # Held from a look at what the store has until it has what is missing.
        # One file is one for all repositories that record in it.
        locked = file or root / DATABASE
        self.lock = FileLock(locked.with_name(f".{locked.name}.lock"), timeout=LOCK_SECONDS)
        with self.lock, _version_errors(self.name):
            self.client = MlflowClient(self.uri)
            found = self.client.get_experiment_by_name(experiment)
            if found is not None and found.lifecycle_stage == "deleted":
                raise UserError(
                    f"tracking.experiment: {experiment!r} was deleted in {self.name};"
                    " restore it there or choose another name"
                )
            if found is not None and file and _put_aside(self.client, found, file):
                found = None
            if found is None:
                # Absolute: the working directory may be one that DVC deletes.
                artifacts = (file.parent / ARTIFACTS).as_uri() if file else None
                # Without its kind, the UI opens with what it has for language models.
                kind = {"mlflow.experimentKind": "custom_model_development"}
                self.experiment_id = self.client.create_experiment(experiment, artifacts, kind)
            else:
                self.experiment_id = found.experiment_id

    def find(self, identity: Identity) -> Run | None:
        """The newest finished run of that identity."""
        runs = self.client.search_runs(
            [self.experiment_id],
            f"{_filter(identity)} and attributes.status = 'FINISHED'",
            max_results=1,
            order_by=["attributes.start_time DESC"],
        )
        return runs[0] if runs else None

    def create_run(self, name: str, params: Mapping[str, Any], tags: Mapping[str, str]) -> str:
        """A new run in status RUNNING; returns its id. Ends abandoned runs first."""
        self.end_abandoned()
        tagged = dict(tags) | {"process": processes.this_process()}
        tagged = {key: recorded(value) for key, value in tagged.items()}
        run = self.client.create_run(self.experiment_id, tags=tagged, run_name=name)
        run_id = str(run.info.run_id)
        pairs = [
            Param(param_name(key), recorded(value, MAX_PARAM_VAL_LENGTH))
            for key, value in params.items()
        ]
        for chunk in chunks(pairs, BATCH_PARAMS):
            self.client.log_batch(run_id, params=chunk)
        return run_id

    def end_abandoned(self) -> None:
        """Marks as KILLED the runs of this machine whose process is gone."""
        running = self.client.search_runs(
            [self.experiment_id], "attributes.status = 'RUNNING'", max_results=1000
        )
        for run in running:
            if processes.is_gone(run.data.tags.get("process", "")):
                self.end(run.info.run_id, "KILLED")

    def end(self, run_id: str, status: str, failure: str | None = None) -> None:
        """status is FINISHED, FAILED or KILLED; failure is the message of an error."""
        if failure is not None:
            self.log_tags(run_id, {"failure": failure})
        self.client.set_terminated(run_id, status)

    def log_points(self, run_id: str, metrics: list[Metric]) -> None:
        """Adds points of any number."""
        for chunk in chunks(metrics, BATCH_METRICS):
            self.client.log_batch(run_id, metrics=chunk)

    def log_metrics(self, run_id: str, values: Mapping[str, float]) -> None:
        """Single numbers, at step 0; one that the run has already is not logged again."""
        logged = self.client.get_run(run_id).data.metrics
        changed = {name: [value] for name, value in values.items() if logged.get(name) != value}
        self.log_points(run_id, points(changed, first=0))

    def log_tags(self, run_id: str, tags: Mapping[str, str]) -> None:
        """Adds tags to those of the run, or replaces them."""
        self.client.log_batch(
            run_id, tags=[RunTag(key, recorded(value)) for key, value in tags.items()]
        )

    def log_tables(self, run_id: str, tables: Mapping[str, pd.DataFrame], folder: str) -> None:
        """Tables by name, as MLflow's pages show and compare them. MLflow's own log_table would add
        the rows to those that the run has, if the same run is recorded again."""
        with tempfile.TemporaryDirectory() as temporary:
            for name, table in tables.items():
                table.to_json(Path(temporary) / f"{name}.json", orient="split", index=False)
            self.client.log_artifacts(run_id, temporary, folder)
        listed = [{"path": f"{folder}/{name}.json", "type": "table"} for name in tables]
        self.log_tags(run_id, {MLFLOW_LOGGED_ARTIFACTS: json.dumps(listed)})

    def log_data(
        self, run_id: str, part: str, source: str, md5: str, rows: int | None = None
    ) -> None:
        """A file of one part of the data set: its path, the hash that DVC has for it, and the
        number of its rows where that is known."""
        dataset = Dataset(
            name=part,
            digest=md5[:8],
            source_type="dvc",
            source=json.dumps({"path": source, "md5": md5}),
            profile=None if rows is None else json.dumps({"num_rows": rows}),
        )
        tags = [InputTag("mlflow.data.context", part), InputTag("dvc.md5", md5)]
        self.client.log_inputs(run_id, [DatasetInput(dataset, tags)])


def _put_aside(client: MlflowClient, experiment: Experiment, file: Path) -> bool:
    """Renames an experiment that has its artifacts beside another database than this file, and
    says so: the database was moved or copied, and new artifacts would be written to where it was.
    MLflow cannot change their path. A folder of the user's choice has no database beside it."""
    before = Path(unquote(experiment.artifact_location.removeprefix("file://")))
    here = before.resolve() == (file.parent / ARTIFACTS).resolve()
    if here or not before.is_absolute() or before.name != ARTIFACTS:
        return False
    if before.exists() and not (before.parent / file.name).exists():
        return False
    name = f"{experiment.name} of {before.parent} ({experiment.experiment_id})"
    client.rename_experiment(experiment.experiment_id, name)
    folders = [shlex.quote(str(folder)) for folder in (file.parent, before.parent)]
    warn(
        f"{file.name} was moved or copied from {before.parent}: its runs are now those of the"
        f" experiment {name!r}, and their artifacts are looked for in {before}"
        + ("" if before.exists() else f", where `ln -s {' '.join(folders)}` shows them")
    )
    return True


@contextmanager
def _version_errors(store: str) -> Iterator[None]:
    """Raises UserError for a database of another version of MLflow, whose advice is wrong if
    that version is a newer one."""
    try:
        yield
    except MlflowException as error:
        if "out-of-date database schema" not in str(error):
            raise
        raise UserError(
            f"{store}: is of another version of MLflow than {mlflow.__version__}; if of an older"
            f" one, `mlflow db upgrade` upgrades it; if of a newer one, install that or move the"
            " file away"
        ) from error


def param_name(key: str) -> str:
    """A key as MLflow takes it, unchanged where that is possible. It may hold the name of a
    column, with any characters and of any length."""
    path = posixpath.normpath(key)
    if re.fullmatch(r"[/\w.\- :]{1,250}", key) and path == key and not path.startswith(("/", "..")):
        return key
    digest = hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()[:6]
    name = re.sub(r"[^\w.\- :]|^\.", "_", key)
    return f"{name[:240]}_{digest}"


def recorded(value: Any, length: int = MAX_TAG_VAL_LENGTH) -> str:
    """A value as it is recorded: without secrets, in UTF-8, and no longer than MLflow takes."""
    text = redact(str(value)).encode(errors="backslashreplace").decode()
    return text if len(text) <= length else f"{text[: length - 3]}..."


def chunks(items: list[T], size: int) -> Iterator[list[T]]:
    """The items in order, in lists of at most size."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _filter(identity: Identity) -> str:
    same = f"tags.fingerprint = '{identity.fingerprint}'"
    if identity.experiment is None:
        return same
    quote = '"' if "'" in identity.experiment else "'"
    return f"{same} and tags.`dvc.exp_name` = {quote}{identity.experiment}{quote}"
