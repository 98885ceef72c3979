"""The versions of a model in MLflow's registry, and which of them is the champion."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.compose.schema import Config
from pipeline.runtime.errors import UserError
from pipeline.tracking import fingerprint, identity
from pipeline.tracking.backend import MlflowClient, MlflowException, Run, mlflow
from pipeline.tracking.location import (
    check_answer,
    default_database,
    project_root,
    source,
    store_uri,
)
from pipeline.tracking.store import STORE_ERRORS, Store
from pipeline.tracking.untracked import ADDED

CHAMPION = "champion"
FORMER = "champion.before"
ROWS = "training_rows.npy"


@dataclass(frozen=True)
class Version:
    """A version of a registered model; registered is the time in seconds since 1970."""

    name: str
    number: int
    run_id: str
    registered: float
    tags: dict[str, str]
    champion: bool

    @property
    def uri(self) -> str:
        return f"models:/{self.name}/{self.number}"


class Registry:
    """The registered model of an experiment. Its methods raise UserError where the store is out of
    reach."""

    def __init__(self, config: Config) -> None:
        self.name = config.registry.name or identity.table_name(config.data.path)
        self._config = config
        self._source = source(config.tracking.uri)
        uri, root = config.tracking.uri, project_root()
        database = default_database(uri, root)
        self._exists = database is None or database.is_file()
        self._uri = store_uri(uri, root)
        mlflow.set_tracking_uri(self._uri)
        self._check_answer()
        with self._errors():
            self._client = MlflowClient(self._uri) if self._exists else None

    def result_run(self) -> Run:
        """The run of the current result. Raises UserError if the store has none, or not all of
        it."""
        if self._client is not None:
            hashes = {stage: fingerprint.of_stage(stage).hash for stage in ("train", "evaluate")}
            with self._errors():
                store = Store(self._config.tracking.experiment, self._config.tracking.uri)
                run = store.find(identity.of_training(self._config, hashes["train"]))
            if run is not None and run.data.tags.get("fingerprint.evaluate") == hashes["evaluate"]:
                return run
        raise UserError(
            f"{self._source}: has no run of the current result; `make track` records it"
        )

    def versions(self) -> list[Version]:
        """All versions, the newest first."""
        if self._client is None:
            return []
        with self._errors():
            (model, *_) = self._client.search_registered_models(f"name = '{self.name}'") or [None]
            if model is None:
                return []
            champion = int(model.aliases.get(CHAMPION, 0))
            found: list[Any] = []
            token: str | None = ""
            while token is not None:
                page = self._client.search_model_versions(
                    f"name = '{self.name}'", page_token=token or None
                )
                found, token = [*found, *page], page.token or None
        listed = [
            Version(
                self.name, int(one.version), one.run_id or "", one.creation_timestamp / 1000,
                dict(one.tags), int(one.version) == champion,
            )
            for one in found
        ]  # fmt: skip
        return sorted(listed, key=lambda one: -one.number)

    def champion(self) -> Version | None:
        """The version that has the alias champion."""
        return next((one for one in self.versions() if one.champion), None)

    def add(self, run: Run, tags: Mapping[str, str], rows: NDArray[np.uint64]) -> Version:
        """The version of a run, with these tags: the one that it has already, or a new one.

        Parameters
        ----------
        run
            That of the result.
        tags
            Of them, fingerprint.evaluate tells the evaluations of a run from each other.
        rows
            Hashes of the rows that the model has seen in its training.
        """
        client, run_id = self._client, run.info.run_id
        assert client is not None
        same = [
            one
            for one in self.versions()
            if one.run_id == run_id
            and one.tags.get("fingerprint.evaluate") == tags["fingerprint.evaluate"]
        ]
        with self._errors():
            if same:
                number = same[0].number
                for key, value in tags.items():
                    client.set_model_version_tag(self.name, str(number), key, value)
            else:
                number = self._create(client, run_id, tags, rows)
        return next(one for one in self.versions() if one.number == number)

    def _create(
        self, client: MlflowClient, run_id: str, tags: Mapping[str, str], rows: NDArray[np.uint64]
    ) -> int:
        model_id = _model_id(client, run_id)
        with tempfile.TemporaryDirectory() as folder:
            np.save(Path(folder) / ROWS, rows)
            client.log_artifact(run_id, str(Path(folder) / ROWS), "registry")
        new = not client.search_registered_models(f"name = '{self.name}'")
        if new:
            client.create_registered_model(self.name)
        try:
            created = client.create_model_version(
                self.name, f"models:/{model_id}", run_id, dict(tags), model_id=model_id
            )
        except BaseException:
            if new:
                client.delete_registered_model(self.name)
            raise
        return int(created.version)

    def training_rows(self, version: Version) -> NDArray[np.uint64] | None:
        """The hashes that add was given; None for a version that was registered otherwise."""
        if not version.run_id:
            return None
        with self._errors(), tempfile.TemporaryDirectory() as folder:
            assert self._client is not None
            files = [one.path for one in self._client.list_artifacts(version.run_id, "registry")]
            if f"registry/{ROWS}" not in files:
                return None
            path = self._client.download_artifacts(version.run_id, f"registry/{ROWS}", folder)
            rows: NDArray[np.uint64] = np.load(path, allow_pickle=False)
            return rows

    def promote(self, version: Version, former: Version | None) -> None:
        """Makes a version the champion instead of the former one, which rollback returns to.
        Raises UserError if another one has become the champion meanwhile."""
        assert self._client is not None
        now = self.champion()
        if (now and now.number) != (former and former.number):
            raise UserError(f"{self.name}: another champion was made meanwhile; run it again")
        with self._errors():
            before = str(former.number) if former else ""
            self._client.set_model_version_tag(self.name, str(version.number), FORMER, before)
            self._client.set_registered_model_alias(self.name, CHAMPION, str(version.number))

    def rollback(self) -> tuple[Version, Version]:
        """Makes the version the champion that was it before; returns the one that was, and the one
        that is now."""
        versions = {one.number: one for one in self.versions()}
        champion = next((one for one in versions.values() if one.champion), None)
        if champion is None:
            raise UserError(
                f"{self.name}: has no champion; `python -m pipeline.register` makes one"
            )
        before = champion.tags.get(FORMER) or None
        if before is None or int(before) not in versions:
            why = (
                "was the first one" if before is None else f"replaced version {before}, now deleted"
            )
            raise UserError(
                f"{self.name}: the champion, version {champion.number}, {why}; there is none to"
                " go back to"
            )
        with self._errors():
            assert self._client is not None
            self._client.set_registered_model_alias(self.name, CHAMPION, before)
        return champion, versions[int(before)]

    def _check_answer(self) -> None:
        """Raises UserError for a server that does not answer."""
        try:
            check_answer(self._uri)
        except (OSError, ValueError) as error:  # what requests raises is one of them
            raise UserError(
                f"{self._source}: the registry's server does not answer; start it, or set"
                " tracking.uri or MLFLOW_TRACKING_URI to the right one"
            ) from error

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except STORE_ERRORS as error:
            reason = ADDED.split(" ".join(str(error).split()))[0][:300]
            raise UserError(
                f"{self._source}: the registry cannot be used: {reason}; run it again once it can"
            ) from error


def _model_id(client: MlflowClient, run_id: str) -> str:
    """The model that was logged last with a run, one for each of its evaluations."""
    outputs = client.get_run(run_id).outputs
    logged = outputs.model_outputs if outputs else []
    models = [client.get_logged_model(one.model_id) for one in logged]
    if not models:
        raise MlflowException(f"the run {run_id} has no model")
    return str(max(models, key=lambda one: one.creation_timestamp).model_id)
