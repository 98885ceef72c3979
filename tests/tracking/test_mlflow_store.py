"""Runs in a real MLflow store, and what is left of them when things go wrong."""

import json
import multiprocessing
import socket
import sys
from dataclasses import replace
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any
from unittest import mock

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.store.tracking.rest_store import RestStore

import pipeline
from pipeline.dataset.encoding import Encoding, Number, Target
from pipeline.runtime.errors import UserError
from pipeline.schema.columns import Column, Schema
from pipeline.schema.contract import Contract
from pipeline.tracking import mlflow_store
from pipeline.tracking.identity import Identity
from pipeline.tracking.mlflow_store import Child, Store

pyfunc_warnings = pytest.mark.filterwarnings(
    # MLflow compares columns with a range.
    "ignore:Operation with range is deprecated",
    # TensorFlow's variables do not take NumPy 2's copy argument, and Keras reads them so.
    "ignore:__array__ implementation:DeprecationWarning",
)

FINGERPRINT = "0123456789abcdef" * 2
WHO = Identity(FINGERPRINT, "plain", None)
SPAWN = multiprocessing.get_context("spawn")
PATIENCE = 120
pytestmark = pytest.mark.usefixtures("own_environment")


def run_of(store: Store, run_id: str) -> Run:
    return store.client.get_run(run_id)


def only_run(store: Store) -> Run:
    (run,) = store.client.search_runs([store.experiment_id])
    return run


def points(store: Store, run_id: str, name: str) -> list[tuple[int, float]]:
    return [(point.step, point.value) for point in store.client.get_metric_history(run_id, name)]


def finished(store: Store, who: Identity = WHO) -> str:
    run_id = store.create(who, {}, {})
    store.client.set_terminated(run_id, "FINISHED")
    return run_id


def test_a_store_makes_its_database_and_its_experiment(tmp_path: Path) -> None:
    store = Store("trials", None, tmp_path)
    assert (tmp_path / "mlflow.db").is_file()
    assert store.place() == "mlflow.db"
    assert store.client.get_experiment(store.experiment_id).name == "trials"
    assert not list(tmp_path.glob(".*.new"))


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
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (f"sqlite:///{tmp_path / name}.db" for name in ("first", "second"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", first)
    assert Store("trials", None, tmp_path).place() == first
    assert Store("trials", second, tmp_path).place() == second
    assert not (tmp_path / "mlflow.db").exists()


def _open_and_record(root: Path, together: Barrier, number: int) -> None:
    together.wait(PATIENCE)
    store = Store("trials", None, root)
    run_id = store.create(Identity(f"{number}" * 32, "plain", None), {"number": number}, {})
    store.log_epochs(run_id, [(1, {"loss": float(number)})])
    store.client.set_terminated(run_id, "FINISHED")


def test_processes_that_open_a_fresh_store_at_once_all_succeed(tmp_path: Path) -> None:
    together = SPAWN.Barrier(4)
    processes = [
        SPAWN.Process(target=_open_and_record, args=(tmp_path, together, number))
        for number in range(4)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(PATIENCE)
    assert [process.exitcode for process in processes] == [0] * 4
    store = Store("trials", None, tmp_path)
    for number in range(4):
        run = store.find(Identity(f"{number}" * 32, "plain", None))
        assert run is not None
        assert run.data.params == {"number": str(number)}
        assert run.data.metrics == {"loss": number}


def test_a_deleted_experiment_is_named(tmp_path: Path, store: Store) -> None:
    store.client.delete_experiment(store.experiment_id)
    with pytest.raises(
        UserError, match=r"tracking\.experiment: 'trials' was deleted in mlflow\.db"
    ):
        Store("trials", None, tmp_path)


def test_a_path_with_a_space_in_it_works(tmp_path: Path) -> None:
    root, folder = tmp_path / "my work", tmp_path / "some files"
    root.mkdir()
    folder.mkdir()
    (folder / "a note.txt").write_text("kept\n", "utf-8")
    store = Store("trials", None, root)
    run_id = finished(store)
    store.log_folder(run_id, folder, "notes")
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
    run = run_of(store, store.create(WHO, {**params, "none": None}, {"color": "green"}))
    assert run.info.status == "RUNNING"
    assert run.info.run_name == "plain-012345"
    assert run.data.tags["color"] == "green"
    expected = {name: str(value) for name, value in params.items()}
    assert run.data.params == {**expected, "none": "None"}


def test_a_run_of_an_experiment_of_dvc_s_has_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Identity(FINGERPRINT, "plain").run_name == "plain-012345"
    monkeypatch.setenv("DVC_EXP_NAME", "brave-owl")
    assert Identity(FINGERPRINT, "plain").run_name == "brave-owl"


def test_find_gives_the_newest_run_that_finished(store: Store) -> None:
    assert store.find(WHO) is None
    finished(store)
    newest = finished(store)
    finished(store, Identity("f" * 32, "plain", None))
    store.create(WHO, {}, {})
    for status in ("FAILED", "KILLED"):
        store.client.set_terminated(store.create(WHO, {}, {}), status)
    found = store.find(WHO)
    assert found is not None
    assert found.info.run_id == newest


def test_find_with_an_experiment_s_name_gives_only_that_experiment_s(store: Store) -> None:
    own, other = (Identity(FINGERPRINT, "plain", name) for name in ("brave-owl", "shy-fox"))
    run_id = finished(store, own)
    newest = finished(store)
    assert store.find(other) is None
    found, any_of_them = store.find(own), store.find(WHO)
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


def test_an_epoch_has_one_point_at_its_step(store: Store) -> None:
    run_id = store.create(WHO, {}, {})
    epochs = [(epoch, {"loss": 1 / epoch, "mae": float(epoch)}) for epoch in range(1, 1201)]
    store.log_epochs(run_id, epochs)
    assert points(store, run_id, "loss") == [(epoch, 1 / epoch) for epoch in range(1, 1201)]
    assert points(store, run_id, "mae") == [(epoch, epoch) for epoch in range(1, 1201)]


def test_a_missing_value_has_no_point(store: Store) -> None:
    run_id = store.create(WHO, {}, {})
    gap, whole = {"loss": 2.0, "validation_loss": np.nan}, {"loss": 1.0, "validation_loss": 3.0}
    store.log_epochs(run_id, [(1, gap), (2, whole)])
    assert points(store, run_id, "loss") == [(1, 2.0), (2, 1.0)]
    assert points(store, run_id, "validation_loss") == [(2, 3.0)]


def test_a_metric_is_logged_again_only_if_it_changed(store: Store) -> None:
    run_id = store.create(WHO, {}, {})
    store.log_metrics(run_id, {"r2": 0.1, "mse": 2.0})
    store.log_metrics(run_id, {"r2": 0.1, "mse": 3.0, "mae": 4.0})
    assert points(store, run_id, "r2") == [(0, 0.1)]
    assert [value for _, value in points(store, run_id, "mse")] == [2.0, 3.0]
    assert run_of(store, run_id).data.metrics == {"r2": 0.1, "mse": 3.0, "mae": 4.0}


def test_tags_are_added_to_those_of_the_run(store: Store) -> None:
    run_id = store.create(WHO, {}, {"color": "green"})
    store.log_tags(run_id, {"shape": "round"})
    tags = run_of(store, run_id).data.tags
    assert (tags["color"], tags["shape"]) == ("green", "round")
    assert store.client.search_runs([store.experiment_id], "tags.shape = 'round'")


def test_a_data_set_says_where_it_came_from(store: Store) -> None:
    run_id = store.create(WHO, {}, {})
    store.log_data(run_id, "train", "data/prepared/train.parquet", "c0ffee" * 5 + "00", 7)
    inputs = run_of(store, run_id).inputs
    assert inputs is not None
    (data,) = inputs.dataset_inputs
    assert (data.dataset.name, data.dataset.digest) == ("train", "c0ffeec0")
    assert "data/prepared/train.parquet" in data.dataset.source
    assert data.dataset.profile == '{"num_rows": 7}'
    tags = {tag.key: tag.value for tag in data.tags}
    assert tags == {"mlflow.data.context": "train", "dvc.md5": "c0ffee" * 5 + "00"}


def test_each_file_of_a_table_is_a_data_set_whose_rows_may_be_unknown(store: Store) -> None:
    run_id = store.create(WHO, {}, {})
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
    run_id = store.create(WHO, {}, {})
    store.log_file(run_id, tmp_path / "profile.html", "data")
    (tmp_path / "back").mkdir()
    kept = store.client.download_artifacts(run_id, "data/profile.html", str(tmp_path / "back"))
    assert Path(kept).read_text("utf-8") == "<p>grün</p>\n"


def _begin_runs_and_vanish(root: Path) -> None:
    store = Store("trials", None, root)
    store.create(Identity(FINGERPRINT, "here", None), {}, {})
    with mock.patch.object(socket, "gethostname", return_value="elsewhere"):
        store.create(Identity(FINGERPRINT, "elsewhere", None), {}, {})


def test_runs_of_a_process_that_is_gone_are_marked_as_killed(tmp_path: Path, store: Store) -> None:
    living = store.create(Identity(FINGERPRINT, "living", None), {}, {})
    gone = SPAWN.Process(target=_begin_runs_and_vanish, args=(tmp_path,))
    gone.start()
    gone.join(PATIENCE)
    assert gone.exitcode == 0
    runs = {
        str(run.info.run_name).partition("-")[0]: run.info.run_id
        for run in store.client.search_runs([store.experiment_id])
    }
    assert {run_of(store, run_id).info.status for run_id in runs.values()} == {"RUNNING"}
    store.end_abandoned()
    assert run_of(store, runs["here"]).info.status == "KILLED"
    # Another machine's processes cannot be seen from here.
    assert run_of(store, runs["elsewhere"]).info.status == "RUNNING"
    assert run_of(store, living).info.status == "RUNNING"


CHILDREN = [
    Child(
        name="trial-0",
        params={"model": "mlp", "optimizer.learning_rate": 0.01, "none": None},
        tags={"sweep.trial": "0", "configuration": "{}"},
        metrics={"score": 1.5, "epochs": 700.0},
        curves={
            "loss": [1 / epoch for epoch in range(1, 701)],
            "mae": [float("inf"), -float("inf"), float("nan"), *[2.0] * 697],
        },
        status="FINISHED", began=1_700_000_000.0, ended=1_700_000_002.5,
    ),
    Child(
        name="trial-1", params={}, tags={}, metrics={"score": float("nan")},
        curves={"loss": [], "mae": [float("nan")], "big": [1e308]},
        status="FAILED", began=1_700_000_001.0, ended=1_700_000_003.0,
    ),
    Child(
        name="trial-2", params={"long": "x" * 7000}, tags={"long": "y" * 7000}, metrics={},
        curves={}, status="FINISHED", began=1_700_000_001.0, ended=1_700_000_003.0,
    ),
]  # fmt: skip


def read_back(store: Store, parent: str) -> dict[str, Any]:
    """All that the client tells of the runs below one, by name; their ids as ID."""
    runs = store.client.search_runs(
        [store.experiment_id],
        f"tags.`mlflow.parentRunId` = '{parent}' and attributes.start_time > 0",
        order_by=["metrics.loss DESC", "attributes.run_name ASC"],
    )
    found = {}
    for place, run in enumerate(runs):
        run_id = run.info.run_id
        histories = {
            key: [point.to_dictionary() for point in store.client.get_metric_history(run_id, key)]
            for key in ("loss", "mae", "big", "score", "epochs")
        }
        told = {"place": place, "run": run.to_dictionary(), "histories": histories}
        told |= {"alone": store.client.get_run(run_id).to_dictionary()}
        text = json.dumps(told, sort_keys=True)  # NaN is not itself, but its text is
        found[str(run.info.run_name)] = text.replace(run_id, "ID").replace(parent, "PARENT")
    return found


def opened(store: Store, study: str) -> str:
    return store.open_parent(study, study, {}, {})


@pytest.mark.filterwarnings("ignore:.*is truncated")
def test_runs_that_are_written_beneath_the_client_read_as_its_own(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_the_client, beneath = opened(store, "one"), opened(store, "two")
    for child in CHILDREN:
        store._log_child(by_the_client, child)
    monkeypatch.setattr(mlflow_store, "MOST_POINTS", 1000)
    store.log_children(beneath, CHILDREN)
    expected = read_back(store, by_the_client)
    assert set(expected) == {"trial-0", "trial-1", "trial-2"}
    assert read_back(store, beneath) == expected
    # What they are filed under can be searched, too, and deleted like any other.
    (best,) = store.client.search_runs(
        [store.experiment_id],
        "metrics.loss < 1 and params.model = 'mlp'",
        order_by=["attributes.start_time"],
        max_results=1,
    )
    store.client.delete_run(best.info.run_id)


def test_a_batch_of_runs_is_written_as_a_whole_or_not_at_all(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = opened(store, "one")
    spoilt = replace(CHILDREN[1], status="no such status")
    with pytest.raises(mlflow_store.TROUBLE):
        store.log_children(parent, [CHILDREN[0], spoilt])
    assert read_back(store, parent) == {}
    monkeypatch.setattr(mlflow_store, "MOST_POINTS", 1)
    with pytest.raises(mlflow_store.TROUBLE):
        store.log_children(parent, [CHILDREN[0], spoilt])
    assert set(read_back(store, parent)) == {"trial-0"}


def test_a_server_is_told_of_runs_by_the_client(store: Store) -> None:
    parent = opened(store, "one")
    server = mock.Mock(spec=MlflowClient)
    server._tracking_client = mock.Mock(spec=["store"])
    server._tracking_client.store = mock.Mock(spec=RestStore)
    store.client = server
    store.log_children(parent, CHILDREN)
    assert [call.args[3] for call in server.create_run.call_args_list] == [
        "trial-0", "trial-1", "trial-2",
    ]  # fmt: skip


def _log_children(root: Path, together: Barrier, parent: str, number: int) -> None:
    store = Store("trials", None, root)
    together.wait(PATIENCE)
    for batch in range(5):
        children = [
            replace(CHILDREN[0], name=f"{number}-{batch}-{place}", tags={}) for place in range(20)
        ]
        store.log_children(parent, children)


def test_processes_that_write_batches_at_once_all_succeed(tmp_path: Path, store: Store) -> None:
    parent = opened(store, "one")
    together = SPAWN.Barrier(2)
    processes = [
        SPAWN.Process(target=_log_children, args=(tmp_path, together, parent, number))
        for number in range(2)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(PATIENCE)
    assert [process.exitcode for process in processes] == [0, 0]
    runs = store.client.search_runs(
        [store.experiment_id], f"tags.`mlflow.parentRunId` = '{parent}'"
    )
    assert len(runs) == 2 * 5 * 20
    for run in runs[::40]:
        assert points(store, run.info.run_id, "loss") == [(i, 1 / i) for i in range(1, 701)]


@pyfunc_warnings
def test_a_model_that_is_not_there_is_named(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    uri = f"runs:/{finished(store)}/model"
    with pytest.raises(UserError, match=f"^{uri}: cannot be loaded from MLflow: "):
        mlflow_store.load_model(uri)


@pyfunc_warnings
def test_a_logged_model_takes_a_table_as_read_csv_gives_it(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.config.data import Kind, Reading, Violations
    from pipeline.config.training import KernelInitializer, Layer
    from pipeline.network import archive, dense, encoder

    # Loading puts the logged copy of the code on the path.
    monkeypatch.setattr(sys, "path", [*sys.path])
    numbers = {"a": Number(3.0, False, 3.0, 0.5), "b": Number(0.0, False, -20.0, 40.0)}
    encoding = Encoding(numbers, {}, {}, Target("y", mean=100.0, std=7.0))
    schema = Schema({name: Column(Kind.numeric) for name in numbers})
    added_up = Layer(units=1, kernel_initializer=KernelInitializer.constant, kernel_value=1.0)
    folder = tmp_path / "model"
    folder.mkdir()
    built = dense.build([added_up], 2, seed=1)
    whole = encoder.whole(encoder.layers(encoding), built, encoding.target)
    archive.save(whole, folder / "model.keras")
    Contract("y", schema, Reading(), Violations()).write(folder / "contract.json")
    encoding.write(folder / "encoding.json")
    run_id = finished(store)
    example = pd.DataFrame({"a": [1.5, 2.0], "b": [0.0, 1.0]})
    # A recorder must not import Keras for it.
    with (
        mlflow_store._any_type_is_meant(),
        mock.patch("mlflow.pyfunc.load_model", side_effect=AssertionError),
    ):
        store.log_model(run_id, folder, Path(pipeline.__file__).parent, example, ["keras"])
    assert run_of(store, run_id).info.status == "FINISHED"

    (tmp_path / "rows.csv").write_text("b,name,a\n-20,x,3\n60,y,4\n", "utf-8")
    loaded = mlflow.pyfunc.load_model(f"runs:/{run_id}/model")
    assert loaded.metadata.saved_input_example_info is not None
    answers = pd.DataFrame(loaded.predict(pd.read_csv(tmp_path / "rows.csv")))
    assert list(answers.columns) == ["predicted"]
    assert answers["predicted"].tolist() == pytest.approx([100.0, 128.0])
