"""The runs and models of a sweep are deleted for good, and nothing else."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest
from mlflow.entities import LoggedModelOutput

from pipeline.compose.schema import Config, Tracking
from pipeline.runtime.errors import UserError
from pipeline.tracking.store import Store
from pipeline.tracking.sweep_deletion import SweepRuns
from pipeline.tracking.sweep_run import SweepRun
from pipeline.tracking.trial_files import write_batch
from tests.tracking.test_sweep_run import ALL, BEGIN

pytestmark = pytest.mark.usefixtures("own_environment")


def log_sweep(store: Store, folder: Path, study: str) -> str:
    """A sweep that is over, with a model; returns its run."""
    sweep = SweepRun(store, **BEGIN | {"study": study, "name": study})
    sweep.log_batch(write_batch(folder, ALL))
    sweep.end("FINISHED")
    condition = f"tags.`sweep.study` = '{study}' and tags.`sweep.role` = 'sweep'"
    (run,) = store.client.search_runs([store.experiment_id], condition)
    store.client.log_text(run.info.run_id, "trial,score\n", "sweep/trials.csv")
    model = store.client.create_logged_model(store.experiment_id, source_run_id=run.info.run_id)
    store.client.log_outputs(run.info.run_id, [LoggedModelOutput(model.model_id, 0)])
    store.client.log_model_artifact(model.model_id, __file__)
    return str(run.info.run_id)


def opened(store: Store, study: str) -> SweepRuns:
    return SweepRuns(Config(tracking=Tracking(experiment="trials", uri=store.uri)), study)


def content(store: Store, root: Path) -> tuple[dict[str, int], set[Path]]:
    """The rows of each table, and the files and folders of artifacts."""
    with closing(sqlite3.connect(store.uri.removeprefix("sqlite:///"))) as database:
        tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        counts = {
            name: len(pd.read_sql(f"SELECT 1 FROM {name}", database))  # noqa: S608 - of this list
            for (name,) in tables
        }
    # The links between runs and models, which MLflow itself leaves.
    del counts["inputs"]
    return counts, {path for path in (root / "mlruns").rglob("*") if path.name != "models"}


def test_all_of_a_sweep_is_gone_and_nothing_else(store: Store, tmp_path: Path) -> None:
    log_sweep(store, tmp_path, "autumn")
    before = content(store, tmp_path)
    run = log_sweep(store, tmp_path, "spring")
    (trial, *_) = store.client.search_runs(
        [store.experiment_id], f"tags.`mlflow.parentRunId` = '{run}'"
    )
    # In MLflow's pages, which only marks it.
    store.client.delete_run(trial.info.run_id)
    runs = opened(store, "spring")
    assert runs.names() == {"spring", "autumn"}
    assert runs.delete() == f"its runs (5) and models (1) in {store.uri}"
    assert content(store, tmp_path) == before
    assert opened(store, "spring").runs == []


def test_what_an_interrupted_deletion_has_left_is_deleted(store: Store, tmp_path: Path) -> None:
    before = content(store, tmp_path)
    log_sweep(store, tmp_path, "spring")
    runs = opened(store, "spring")
    runs.runs = runs.runs[-1:]
    runs.delete()
    assert len(opened(store, "spring").runs) == len(ALL)
    opened(store, "spring").delete()
    assert content(store, tmp_path) == before


def test_artifacts_of_the_original_of_a_copied_database_stay(store: Store, tmp_path: Path) -> None:
    log_sweep(store, tmp_path, "spring")
    files = set((tmp_path / "mlruns").rglob("*"))
    copy = tmp_path / "copy" / "mlflow.db"
    copy.parent.mkdir()
    copy.write_bytes((tmp_path / "mlflow.db").read_bytes())
    store.uri = f"sqlite:///{copy}"
    opened(store, "spring").delete()
    assert set((tmp_path / "mlruns").rglob("*")) == files


def test_a_sweep_that_is_recorded_is_not_deleted(store: Store, tmp_path: Path) -> None:
    sweep = SweepRun(store, **BEGIN)
    sweep.log_batch(write_batch(tmp_path, ALL))
    with pytest.raises(UserError, match=r"^the sweep spring is being run: process \d+ still"):
        opened(store, "spring").delete()
    assert len(opened(store, "spring").runs) == 1 + len(ALL)


def test_a_model_in_the_registry_is_not_deleted(store: Store, tmp_path: Path) -> None:
    run = log_sweep(store, tmp_path, "spring")
    store.client.create_registered_model("houses")
    store.client.create_model_version("houses", f"{tmp_path}/mlruns", run_id=run)
    before = content(store, tmp_path)
    with pytest.raises(UserError, match="version 1 of houses in the registry is a model of this"):
        opened(store, "spring").delete()
    assert content(store, tmp_path) == before


def test_a_store_out_of_reach_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "no.db").write_text("no database, but a text of some length\n" * 100)
    config = Config(tracking=Tracking(uri=f"sqlite:///{tmp_path}/no.db"))
    with pytest.raises(UserError, match=r"^tracking\.uri=sqlite.*is not a database") as caught:
        SweepRuns(config, "spring")
    assert "\n" not in str(caught.value)
