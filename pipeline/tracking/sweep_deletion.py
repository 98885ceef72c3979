"""Deleting the runs of a sweep and the models that are logged with them."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from pipeline.compose.schema import Config
from pipeline.runtime.errors import UserError
from pipeline.tracking import processes
from pipeline.tracking.backend import (
    Experiment,
    MlflowException,
    Run,
    SqlAlchemyStore,
    ViewType,
    get_artifact_repository,
    store_of,
)
from pipeline.tracking.location import database_file, source
from pipeline.tracking.store import STORE_ERRORS, Store
from pipeline.tracking.untracked import explained


class SweepRuns:
    """The runs of a sweep in all experiments of a store. Its methods raise UserError where the
    store is out of reach.

    `mlflow gc` would delete everything else that is marked as deleted in that store, too. Of a
    database, this therefore calls the functions that it consists of. A server can only mark runs
    as deleted.
    """

    def __init__(self, config: Config, study: str) -> None:
        self._source = source(config.tracking.uri)
        with self._errors():
            store = Store(config.tracking.experiment, config.tracking.uri)
            self._client, self._name = store.client, store.name
            self._file = database_file(store.uri)
            database = store_of(self._client)
            # Without types: MLflow has none for what `mlflow gc` calls.
            self._database: Any = database if isinstance(database, SqlAlchemyStore) else None
            experiments = self._client.search_experiments(ViewType.ALL)
            self._experiments = {one.experiment_id: one for one in experiments}
            found = self._search(f"tags.`sweep.study` = '{study}'")
            # That of the sweep is the last one to be deleted: it names the models.
            self.runs = sorted(found, key=_is_parent)

    def names(self) -> set[str]:
        """The names of all sweeps in the store."""
        with self._errors():
            found = self._search("tags.`sweep.role` = 'sweep'")
            return {run.data.tags["sweep.study"] for run in found}

    def delete(self) -> str:
        """Deletes the runs with their artifacts and models; returns what that was. Raises UserError
        before that if a process of this machine still writes to them, or if the registry has a
        model of them."""
        with self._errors():
            parents = [run for run in self.runs if _is_parent(run)]
            for run in parents:
                self._check(run)
            models = sum(self._delete_models(run) for run in parents)
            for run in self.runs:
                self._delete_run(run)
        deleted = f"its runs ({len(self.runs)}) and models ({models}) in {self._name}"
        if self._database is not None:
            return deleted
        return f"{deleted}, which keeps them as deleted until `mlflow gc` is run there"

    def _check(self, run: Run) -> None:
        process = run.data.tags.get("process", "")
        here = run.info.status == "RUNNING" and not processes.is_elsewhere(process)
        if here and not processes.is_gone(process):
            raise UserError(
                f"the sweep {run.info.run_name} is being run: process {process.split('/')[1]} still"
                " records it; wait for its end"
            )
        for version in self._client.search_model_versions(f"run_id='{run.info.run_id}'"):
            raise UserError(
                f"version {version.version} of {version.name} in the registry is a model of this"
                " sweep; delete that version first"
            )

    def _search(self, condition: str) -> Iterator[Run]:
        # On a server, those that are marked as deleted are left.
        view = ViewType.ACTIVE_ONLY if self._database is None else ViewType.ALL
        token: Any = ""
        while token is not None:
            page = self._client.search_runs(
                list(self._experiments), condition, view, 1000, page_token=token or None
            )
            yield from page
            token = page.token or None

    def _delete_run(self, run: Run) -> None:
        if self._database is None:
            self._client.delete_run(run.info.run_id)
            return
        self._delete_files(run.info.experiment_id, run.info.artifact_uri)
        self._database._hard_delete_run(run.info.run_id)  # noqa: SLF001 - there is no other

    def _delete_models(self, run: Run) -> int:
        """Deletes the models of a run; returns how many there were."""
        outputs: Any = self._client.get_run(run.info.run_id).outputs
        return sum(self._delete_model(one.model_id) for one in outputs.model_outputs)

    def _delete_model(self, model: str) -> bool:
        """False if it has been deleted before."""
        try:
            if self._database is None:
                self._client.delete_logged_model(model)
                return True
            found = self._database.get_logged_model(model, allow_deleted=True)
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return False
            raise
        self._delete_files(found.experiment_id, found.artifact_location)
        self._database._hard_delete_logged_model(model)  # noqa: SLF001 - there is no other
        return True

    def _delete_files(self, experiment: str, uri: str) -> None:
        if not self._is_copied(self._experiments[experiment]):
            repository: Any = get_artifact_repository(uri)
            repository.delete_artifacts()
            with suppress(OSError):  # of a file store, the empty folder around them
                Path(unquote(uri.removeprefix("file://"))).parent.rmdir()

    def _is_copied(self, experiment: Experiment) -> bool:
        """Whether this database is a copy of another one, which the artifacts still belong to."""
        folder = Path(unquote(experiment.artifact_location.removeprefix("file://"))).parent
        file = self._file
        return file is not None and folder != file.parent and (folder / file.name).exists()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except STORE_ERRORS as error:
            raise UserError(explained(error, self._source)) from error


def _is_parent(run: Run) -> bool:
    return bool(run.data.tags.get("sweep.role") == "sweep")
