"""Runs of trials are written many at a time, and are those that the client would write."""

import json
import multiprocessing
from dataclasses import replace
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from mlflow import MlflowClient
from mlflow.store.tracking.rest_store import RestStore

from pipeline.tracking import trial_runs
from pipeline.tracking.identity import Identity
from pipeline.tracking.store import STORE_ERRORS, Store, points
from pipeline.tracking.trial_runs import TrialRun, log_by_client, log_trial_runs

SPAWN = multiprocessing.get_context("spawn")
PATIENCE = 120
pytestmark = pytest.mark.usefixtures("own_environment")

RUNS = [
    TrialRun(
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
    TrialRun(
        name="trial-1", params={}, tags={}, metrics={"score": float("nan")},
        curves={"loss": [], "mae": [float("nan")], "big": [1e308]},
        status="FAILED", began=1_700_000_001.0, ended=1_700_000_003.0,
    ),
    TrialRun(
        name="trial-2", params={"long": "x" * 7000}, tags={"long": "y" * 7000}, metrics={},
        curves={}, status="FINISHED", began=1_700_000_001.0, ended=1_700_000_003.0,
    ),
]  # fmt: skip


def read_back(store: Store, parent: str) -> dict[str, Any]:
    """All that the client reports of the runs below one, by name; their ids as ID."""
    runs = store.client.search_runs(
        [store.experiment_id],
        f"tags.`mlflow.parentRunId` = '{parent}' and attributes.start_time > 0",
        order_by=["metrics.loss DESC", "attributes.run_name ASC"],
    )
    found = {}
    for position, run in enumerate(runs):
        run_id = run.info.run_id
        histories = {
            key: [point.to_dictionary() for point in store.client.get_metric_history(run_id, key)]
            for key in ("loss", "mae", "big", "score", "epochs")
        }
        reported = {"position": position, "run": run.to_dictionary(), "histories": histories}
        reported |= {"alone": store.client.get_run(run_id).to_dictionary()}
        text = json.dumps(reported, sort_keys=True)  # NaN is not itself, but its text is
        found[str(run.info.run_name)] = text.replace(run_id, "ID").replace(parent, "PARENT")
    return found


def opened(store: Store, study: str) -> str:
    return store.create_run(study, {}, {})


@pytest.mark.filterwarnings("ignore:.*is truncated")
def test_rows_are_read_as_the_runs_that_the_client_writes(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_the_client, as_rows = opened(store, "one"), opened(store, "two")
    for run in RUNS:
        log_by_client(store, by_the_client, run)
    monkeypatch.setattr(trial_runs, "MAX_POINTS", 1000)
    log_trial_runs(store, as_rows, RUNS)
    expected = read_back(store, by_the_client)
    assert set(expected) == {"trial-0", "trial-1", "trial-2"}
    assert read_back(store, as_rows) == expected
    # They can be searched, and deleted, like any other.
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
    spoilt = replace(RUNS[1], status="no such status")
    with pytest.raises(STORE_ERRORS):
        log_trial_runs(store, parent, [RUNS[0], spoilt])
    assert read_back(store, parent) == {}
    monkeypatch.setattr(trial_runs, "MAX_POINTS", 1)
    with pytest.raises(STORE_ERRORS):
        log_trial_runs(store, parent, [RUNS[0], spoilt])
    assert set(read_back(store, parent)) == {"trial-0"}


def test_a_server_gets_its_runs_through_the_client(store: Store) -> None:
    parent = opened(store, "one")
    server = mock.Mock(spec=MlflowClient)
    server._tracking_client = mock.Mock(spec=["store"])
    server._tracking_client.store = mock.Mock(spec=RestStore)
    store.client = server
    log_trial_runs(store, parent, RUNS)
    assert [call.args[3] for call in server.create_run.call_args_list] == [
        "trial-0", "trial-1", "trial-2",
    ]  # fmt: skip


def _open_and_write(root: Path, together: Barrier, number: int) -> None:
    together.wait(PATIENCE)
    store = Store("trials", None, root)
    who = Identity(f"{number}" * 32, "plain", None)
    parent = store.create_run(who.run_name, {"number": number}, who.tags)
    together.wait(PATIENCE)
    for batch in range(3):
        runs = [replace(RUNS[0], name=f"{number}-{batch}-{i}", tags={}) for i in range(5)]
        log_trial_runs(store, parent, runs)
        store.log_points(parent, points({"loss": [float(batch)]}, first=batch))
    store.end(parent, "FINISHED")


@pytest.mark.long
def test_processes_that_create_a_store_and_write_batches_at_once_all_succeed(
    tmp_path: Path,
) -> None:
    together = SPAWN.Barrier(2)
    other = SPAWN.Process(target=_open_and_write, args=(tmp_path, together, 1))
    other.start()
    _open_and_write(tmp_path, together, 0)
    other.join(PATIENCE)
    assert other.exitcode == 0
    assert (tmp_path / "mlflow.db").is_file()
    assert not list(tmp_path.glob(".*.new"))
    store = Store("trials", None, tmp_path)
    assert store.name == "mlflow.db"
    assert store.client.get_experiment(store.experiment_id).name == "trials"
    for number in range(2):
        parent = store.find(Identity(f"{number}" * 32, "plain", None))
        assert parent is not None
        assert parent.data.params == {"number": str(number)}
        assert parent.data.metrics == {"loss": 2.0}
        runs = store.client.search_runs(
            [store.experiment_id], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'"
        )
        assert len(runs) == 3 * 5
        history = store.client.get_metric_history(runs[0].info.run_id, "loss")
        assert [(point.step, point.value) for point in history] == [
            (epoch, 1 / epoch) for epoch in range(1, 701)
        ]
