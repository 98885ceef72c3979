"""Runs in a real MLflow store."""

import json
import shutil
import socket
import sqlite3
from contextlib import closing
from pathlib import Path
from unittest import mock

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.entities import Run

from pipeline.runtime.errors import UserError
from pipeline.tracking import processes
from pipeline.tracking.identity import Identity
from pipeline.tracking.store import Store, points

FINGERPRINT = "0123456789abcdef" * 2
WHO = Identity(FINGERPRINT, "plain", None)
pytestmark = pytest.mark.usefixtures("own_environment")


def run_of(store: Store, run_id: str) -> Run:
    return store.client.get_run(run_id)


def points_of(store: Store, run_id: str, name: str) -> list[tuple[int, float]]:
    return [(point.step, point.value) for point in store.client.get_metric_history(run_id, name)]


def created(store: Store, who: Identity = WHO) -> str:
    return store.create_run(who.run_name, {}, who.tags)


def finished(store: Store, who: Identity = WHO) -> str:
    run_id = created(store, who)
    store.end(run_id, "FINISHED")
    return run_id


def test_a_second_store_finds_what_the_first_one_made(tmp_path: Path, store: Store) -> None:
    run_id = finished(store)
    second = Store("trials", None, tmp_path)
    assert second.experiment_id == store.experiment_id
    found = second.find(WHO)
    assert found is not None
    assert found.info.run_id == run_id


def test_experiments_of_one_store_are_apart(tmp_path: Path, store: Store) -> None:
    finished(store)
    assert Store("other", None, tmp_path).find(WHO) is None


def test_the_environment_names_the_store_unless_the_configuration_does(
    tmp_path: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("first", "second"):
        shutil.copy(empty_store, tmp_path / f"{name}.db")
    first, second = (f"sqlite:///{tmp_path / name}.db" for name in ("first", "second"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", first)
    assert Store("trials", None, tmp_path).name == first
    assert Store("trials", second, tmp_path).name == second
    assert not (tmp_path / "mlflow.db").exists()


def test_a_deleted_experiment_is_named(tmp_path: Path, store: Store) -> None:
    store.client.delete_experiment(store.experiment_id)
    with pytest.raises(
        UserError, match=r"tracking\.experiment: 'trials' was deleted in mlflow\.db"
    ):
        Store("trials", None, tmp_path)


def test_a_path_with_a_space_in_it_works(tmp_path: Path, empty_store: Path) -> None:
    root, folder = tmp_path / "my work", tmp_path / "some files"
    root.mkdir()
    folder.mkdir()
    (folder / "a note.txt").write_text("kept\n", "utf-8")
    shutil.copy(empty_store, root)
    store = Store("trials", None, root)
    run_id = finished(store)
    store.client.log_artifacts(run_id, str(folder), "notes")
    kept = store.client.download_artifacts(run_id, "notes/a note.txt", str(tmp_path))
    assert Path(kept).read_text("utf-8") == "kept\n"
    assert {path.name for path in tmp_path.iterdir()} == {"my work", "some files", "a note.txt"}
    assert {path.name for path in root.iterdir() if path.name[0] != "."} == {"mlflow.db", "mlruns"}


@pytest.mark.parametrize("name", ["what?", "50% done", "a%20b"])
def test_a_path_that_a_uri_would_misread_is_refused(tmp_path: Path, name: str) -> None:
    root = tmp_path / name
    root.mkdir()
    with pytest.raises(UserError) as caught:
        Store("trials", None, root)
    assert str(caught.value) == (
        f"{root}: a path with ? or % cannot hold mlflow.db; rename the folder"
    )
    assert not list(root.iterdir())


def test_a_run_has_its_parameters_tags_and_name(store: Store) -> None:
    params = {f"model.layers.{number}.units": number for number in range(250)}
    run = run_of(store, store.create_run("plain", {**params, "none": None}, {"color": "green"}))
    assert run.info.status == "RUNNING"
    assert run.info.run_name == "plain"
    assert run.data.tags["color"] == "green"
    expected = {name: str(value) for name, value in params.items()}
    assert run.data.params == {**expected, "none": "None"}


def test_any_column_s_name_may_be_part_of_a_parameter_s(store: Store) -> None:
    columns = [
        "price",
        "price (EUR)",
        "price [EUR]",
        "a//b",
        "../a",
        "y" * 400,
        "Größe\n",
        "\udcff",
    ]
    params = {f"data.kinds.{column}": number for number, column in enumerate(columns)}
    found = run_of(store, store.create_run("plain", params, {})).data.params
    assert sorted(found.values(), key=int) == [str(number) for number in params.values()]
    assert found["data.kinds.price"] == "0"


def test_a_value_is_recorded_without_secrets_and_as_far_as_mlflow_takes_it(store: Store) -> None:
    long = "x" * 10_000
    params = {"uri": "postgresql://ann:hunter2@db/x", "long": long, "path": "a\udcff"}
    data = run_of(store, store.create_run("plain", params, {"note": long})).data
    assert data.params["uri"] == "postgresql://ann:***@db/x"
    assert data.params["path"] == "a\\udcff"
    for value in (data.params["long"], data.tags["note"]):
        assert value == f"{long[: len(value) - 3]}..."
        assert len(value) > 5000


def test_a_database_of_another_version_is_named_with_both_remedies(
    tmp_path: Path, empty_store: Path
) -> None:
    shutil.copy(empty_store, tmp_path)
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as database:
        database.execute("UPDATE alembic_version SET version_num = 'ffffffffffff'")
        database.commit()
    with pytest.raises(UserError) as caught:
        Store("trials", None, tmp_path)
    assert str(caught.value) == (
        f"mlflow.db: is of another version of MLflow than {mlflow.__version__}; if of an older"
        " one, `mlflow db upgrade` upgrades it; if of a newer one, install that or move the file"
        " away"
    )


@pytest.mark.parametrize("uri", ["sqlite://", "sqlite:"])
def test_a_store_in_memory_is_refused_because_it_keeps_nothing(tmp_path: Path, uri: str) -> None:
    with pytest.raises(UserError, match=r"is no file; name one: sqlite:///mlflow\.db$"):
        Store("trials", uri, tmp_path)


def test_artifacts_are_kept_beside_their_database(tmp_path: Path, empty_store: Path) -> None:
    for folder in ("root", "shared"):
        (tmp_path / folder).mkdir()
    shutil.copy(empty_store, tmp_path / "shared" / "runs.db")
    store = Store("trials", f"sqlite:///{tmp_path}/shared/runs.db", tmp_path / "root")
    (tmp_path / "note.txt").write_text("kept\n", "utf-8")
    run_id = finished(store)
    store.client.log_artifact(run_id, str(tmp_path / "note.txt"), "notes")
    assert (tmp_path / "shared/mlruns" / run_id / "artifacts/notes/note.txt").is_file()


def test_find_gives_the_newest_run_that_finished(store: Store) -> None:
    assert store.find(WHO) is None
    finished(store)
    newest = finished(store)
    finished(store, Identity("f" * 32, "plain", None))
    created(store)
    for status in ("FAILED", "KILLED"):
        store.client.set_terminated(created(store), status)
    found = store.find(WHO)
    assert found is not None
    assert found.info.run_id == newest


def test_find_with_an_experiment_s_name_gives_only_that_experiment_s(store: Store) -> None:
    owl, fox = (Identity(FINGERPRINT, "plain", name) for name in ("brave-owl", "shy-fox"))
    run_id = finished(store, owl)
    newest = finished(store)
    assert store.find(fox) is None
    found, any_of_them = store.find(owl), store.find(WHO)
    assert found is not None
    assert found.info.run_id == run_id
    assert any_of_them is not None
    assert any_of_them.info.run_id == newest


@pytest.mark.parametrize("name", ["it's", 'the "owl"', "a`b", "50%"])
def test_an_experiment_s_name_may_hold_a_quote(store: Store, name: str) -> None:
    who = Identity(FINGERPRINT, "plain", name)
    run_id = finished(store, who)
    finished(store, Identity(FINGERPRINT, "plain", "other"))
    found = store.find(who)
    assert found is not None
    assert found.info.run_id == run_id


def test_a_value_has_a_point_at_the_step_of_its_epoch(store: Store) -> None:
    run_id = created(store)
    curves = {"loss": [1 / epoch for epoch in range(1, 1201)], "mae": [3.0, 2.0]}
    store.log_points(run_id, points(curves))
    store.log_points(run_id, points({"mae": [1.0]}, first=3))
    assert points_of(store, run_id, "loss") == [(epoch, 1 / epoch) for epoch in range(1, 1201)]
    assert points_of(store, run_id, "mae") == [(1, 3.0), (2, 2.0), (3, 1.0)]


def test_a_missing_value_has_no_point(store: Store) -> None:
    run_id = created(store)
    store.log_points(run_id, points({"loss": [2.0, 1.0], "validation_loss": [np.nan, 3.0]}))
    assert points_of(store, run_id, "loss") == [(1, 2.0), (2, 1.0)]
    assert points_of(store, run_id, "validation_loss") == [(2, 3.0)]


def test_a_metric_is_logged_again_only_if_it_changed(store: Store) -> None:
    run_id = created(store)
    store.log_metrics(run_id, {"r2": 0.1, "mse": 2.0})
    store.log_metrics(run_id, {"r2": 0.1, "mse": 3.0, "mae": 4.0})
    assert points_of(store, run_id, "r2") == [(0, 0.1)]
    assert [value for _, value in points_of(store, run_id, "mse")] == [2.0, 3.0]
    assert run_of(store, run_id).data.metrics == {"r2": 0.1, "mse": 3.0, "mae": 4.0}


def test_tags_are_added_to_those_of_the_run(store: Store) -> None:
    run_id = store.create_run("plain", {}, {"color": "green"})
    store.log_tags(run_id, {"shape": "round"})
    tags = run_of(store, run_id).data.tags
    assert (tags["color"], tags["shape"]) == ("green", "round")
    assert store.client.search_runs([store.experiment_id], "tags.shape = 'round'")


@pytest.mark.parametrize("path", ["data/prepared/train.parquet", 'data/raw/12" pipes\\ü.csv'])
def test_a_data_set_states_where_it_came_from(store: Store, path: str) -> None:
    run_id = created(store)
    md5 = "c0ffee" * 5 + "00"
    store.log_data(run_id, "train", path, md5, 7)
    inputs = run_of(store, run_id).inputs
    assert inputs is not None
    (data,) = inputs.dataset_inputs
    assert (data.dataset.name, data.dataset.digest) == ("train", "c0ffeec0")
    assert json.loads(data.dataset.source) == {"path": path, "md5": md5}
    assert json.loads(data.dataset.profile or "") == {"num_rows": 7}
    tags = {tag.key: tag.value for tag in data.tags}
    assert tags == {"mlflow.data.context": "train", "dvc.md5": md5}


def test_each_file_of_a_table_is_a_data_set_whose_rows_may_be_unknown(store: Store) -> None:
    run_id = created(store)
    for number in (1, 2):
        store.log_data(run_id, "raw", f"data/raw/{number}.csv", f"{number}" * 32)
    inputs = run_of(store, run_id).inputs
    assert inputs is not None
    found = {data.dataset.source: data.dataset for data in inputs.dataset_inputs}
    assert len(found) == 2
    for number in (1, 2):
        (data,) = (one for source, one in found.items() if f"data/raw/{number}.csv" in source)
        assert (data.name, data.digest) == ("raw", f"{number}" * 8)
        assert not data.profile


def test_a_file_is_an_artifact_below_a_name(tmp_path: Path, store: Store) -> None:
    (tmp_path / "profile.html").write_text("<p>grün</p>\n", "utf-8")
    run_id = created(store)
    store.client.log_artifact(run_id, str(tmp_path / "profile.html"), "data")
    (tmp_path / "back").mkdir()
    kept = store.client.download_artifacts(run_id, "data/profile.html", str(tmp_path / "back"))
    assert Path(kept).read_text("utf-8") == "<p>grün</p>\n"


def test_tables_are_those_of_mlflow_and_replaced_if_a_run_is_recorded_again(
    tmp_path: Path, store: Store
) -> None:
    run_id = created(store)
    first = {"slices": pd.DataFrame({"name": ["a"], "rmse": [1.5]}), "other": pd.DataFrame()}
    again = {"slices": pd.DataFrame({"name": ["b", "NA"], "rmse": [2.5, 0.1]})}
    for tables in (first, again):
        store.log_tables(run_id, tables, "tables")
    file = store.client.download_artifacts(run_id, "tables/slices.json", str(tmp_path))
    read = json.loads(Path(file).read_text("utf-8"))
    assert read == {"columns": ["name", "rmse"], "data": [["b", 2.5], ["NA", 0.1]]}
    listed = json.loads(run_of(store, run_id).data.tags["mlflow.loggedArtifacts"])
    assert listed == [{"path": "tables/slices.json", "type": "table"}]


def test_runs_of_a_process_that_is_gone_are_marked_as_killed(store: Store) -> None:
    host = socket.gethostname()
    runs = {
        # No process has that id, and another machine's cannot be seen from here.
        "gone": (f"{host}/99999999/0", "KILLED"),
        "elsewhere": ("elsewhere/99999999/0", "RUNNING"),
        "here": (processes.this_process(), "RUNNING"),
    }
    ids = {}
    for name, (process, _) in runs.items():
        with mock.patch.object(processes, "this_process", return_value=process):
            ids[name] = store.create_run(name, {}, {})
    store.end_abandoned()
    for name, (_, status) in runs.items():
        assert run_of(store, ids[name]).info.status == status
