"""Rows that are written without MLflow are those that its client writes."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from mlflow import MlflowClient

from pipeline.tracking.identity import Identity
from pipeline.tracking.live import Runs
from pipeline.tracking.mlflow_store import Store
from pipeline.tracking.sqlite_runs import SCHEMA, TROUBLE, SqliteRuns

WHO = Identity("0123456789abcdef" * 2, "plain", None)
OWL = Identity("f" * 32, "plain", "brave 'owl'")
MANY = {f"model.layers.{number}.units": number for number in range(120)}
LONG = {"long": "x" * 9000}


@pytest.fixture
def root(store: Store) -> Path:
    """Where the store's file is."""
    return Path(store.uri.removeprefix("sqlite:///")).parent


def opened(root: Path, experiment: str = "trials") -> SqliteRuns:
    runs = SqliteRuns.opened(root / "mlflow.db", experiment)
    assert runs is not None
    return runs


def client(root: Path) -> Store:
    return Store("trials", None, root)


def everything(file: Path, names: dict[str, str]) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of all tables, with names for what differs each time."""
    found = {}
    with closing(sqlite3.connect(file)) as database:
        tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            rows = database.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - a name of its own
            columns = [column[0] for column in rows.description]
            found[table] = sorted(
                (
                    tuple(
                        "then" if name in {"timestamp", "start_time", "end_time"} and value
                        else _named(value, names)
                        for name, value in zip(columns, row, strict=True)
                    )
                    for row in rows
                ),
                key=repr,
            )  # fmt: skip
    return found


def _named(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, str):
        for name, known in names.items():
            value = value.replace(name, known)
    return value


def a_finished_run(runs: Runs) -> list[str]:
    run_id = runs.create(WHO, {**MANY, "none": None, "share": 0.25}, {"color": "green"})
    runs.log_epochs(run_id, [(1, {"loss": 2.0, "mae": 1.0}), (2, {"loss": 1.0, "mae": 3.0})])
    runs.log_tags(run_id, {"color": "red", "shape": "round"})
    runs.end(run_id, "FINISHED")
    return [run_id]


def a_run_of_odd_values(runs: Runs) -> list[str]:
    run_id = runs.create(OWL, LONG, {})
    odd = {"loss": float("inf"), "mae": -float("inf"), "gap": float("nan"), "tiny": 5e-324}
    runs.log_epochs(run_id, [(1, odd), (2, {"loss": float("nan"), "mae": 1e308})])
    runs.log_tags(run_id, LONG)
    runs.end(run_id, "FAILED")
    return [run_id]


def points_that_come_twice_and_late(runs: Runs) -> list[str]:
    run_id = runs.create(WHO, {}, {})
    for first in (1, 3, 2):
        runs.log_epochs(run_id, [(first, {"loss": float(first)}), (first, {"loss": float(first)})])
    return [run_id]


def a_run_that_was_left(runs: Runs) -> list[str]:
    with mock.patch("pipeline.tracking.processes.own", return_value="elsewhere/1/1"):
        far = runs.create(WHO, {}, {})
    with mock.patch("pipeline.tracking.processes.own", return_value="gone"):
        left = runs.create(WHO, {}, {})
    with mock.patch("pipeline.tracking.processes.is_gone", side_effect=lambda name: name == "gone"):
        return [far, left, runs.create(WHO, {}, {})]


@pytest.mark.parametrize(
    "work",
    [a_finished_run, a_run_of_odd_values, points_that_come_twice_and_late, a_run_that_was_left],
    ids=lambda work: work.__name__,
)
def test_every_table_is_as_the_client_leaves_it(
    root: Path, work: Callable[[Runs], list[str]]
) -> None:
    copy = root.with_name("copy.db")
    shutil.copy(root / "mlflow.db", copy)
    same_time = mock.patch("time.time_ns", return_value=1_700_000_000_000_000_000)
    with same_time, mock.patch("pipeline.tracking.processes.own", return_value="here/1/1"):
        theirs = work(client(root))
        expected = everything(root / "mlflow.db", {one: f"run {i}" for i, one in enumerate(theirs)})
        shutil.move(copy, root / "mlflow.db")
        ours = work(opened(root))
        found = everything(root / "mlflow.db", {one: f"run {i}" for i, one in enumerate(ours)})
    assert len(found["runs"]) == len(ours)
    assert found == expected


def test_the_schema_is_that_of_the_mlflow_that_is_installed(root: Path) -> None:
    with closing(sqlite3.connect(root / "mlflow.db")) as database:
        version = database.execute("SELECT version_num FROM alembic_version").fetchall()
    assert version == [(SCHEMA,)]


def test_what_is_not_as_it_is_known_is_left_to_the_client(root: Path, tmp_path: Path) -> None:
    file = root / "mlflow.db"
    assert SqliteRuns.opened(tmp_path / "none.db", "trials") is None
    assert not (tmp_path / "none.db").exists()
    (tmp_path / "junk.db").write_text("no database\n" * 1000, "utf-8")
    assert SqliteRuns.opened(tmp_path / "junk.db", "trials") is None
    (tmp_path / "empty.db").touch()
    assert SqliteRuns.opened(tmp_path / "empty.db", "trials") is None
    assert SqliteRuns.opened(file, "another experiment") is None
    store = client(root)
    store.client.delete_experiment(store.experiment_id)
    assert SqliteRuns.opened(file, "trials") is None
    store.client.restore_experiment(store.experiment_id)
    assert SqliteRuns.opened(file, "trials") is not None
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("UPDATE alembic_version SET version_num = 'later'")
    assert SqliteRuns.opened(file, "trials") is None


def test_a_path_that_a_uri_would_misread_is_no_trouble(root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "50% of what? #1"
    folder.mkdir()
    shutil.copy(root / "mlflow.db", folder)
    runs = opened(folder)
    run_id = runs.create(WHO, {}, {})
    with closing(sqlite3.connect(folder / "mlflow.db")) as database:
        assert database.execute("SELECT run_uuid FROM runs").fetchall() == [(run_id,)]


def test_a_deleted_run_gets_nothing_more(root: Path) -> None:
    runs = opened(root)
    run_id = runs.create(WHO, {}, {})
    MlflowClient(f"sqlite:///{root}/mlflow.db").delete_run(run_id)
    with pytest.raises(TROUBLE, match="deleted"):
        runs.log_epochs(run_id, [(1, {"loss": 1.0})])
    with pytest.raises(TROUBLE, match="deleted"):
        runs.log_tags(run_id, {"color": "red"})
    with pytest.raises(TROUBLE, match="deleted"):
        runs.end(run_id, "FINISHED")


def test_a_run_that_cannot_be_written_whole_leaves_nothing(root: Path) -> None:
    runs = opened(root)
    with closing(sqlite3.connect(root / "mlflow.db")) as database:
        database.execute(
            "CREATE TRIGGER full BEFORE INSERT ON tags BEGIN SELECT RAISE (ABORT, 'full'); END"
        )
    with pytest.raises(TROUBLE, match="full"):
        runs.create(WHO, {"epochs": 1}, {"color": "red"})
    with closing(sqlite3.connect(root / "mlflow.db")) as database:
        for table in ("runs", "params", "tags"):
            assert database.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)  # noqa: S608 - a constant


def test_the_run_is_found_and_completed_by_the_client(root: Path) -> None:
    (run_id,) = a_finished_run(opened(root))
    store = client(root)
    found = store.find(WHO)
    assert found is not None
    assert found.info.run_id == run_id
    (root / "note.txt").write_text("kept\n", "utf-8")
    store.log_file(run_id, root / "note.txt", "notes")
    (kept,) = store.client.list_artifacts(run_id, "notes")
    assert kept.path == "notes/note.txt"
