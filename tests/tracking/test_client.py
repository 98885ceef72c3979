"""A run is recorded by a separate process, and ends as the work does, whatever ends that."""

import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest
from mlflow.entities import Run

from pipeline.compose.schema import Config
from pipeline.tracking.client import NICENESS, Recorder
from pipeline.tracking.identity import Identity
from pipeline.tracking.store import Store

WHO = Identity("0123456789abcdef" * 2, "plain", None)
ROOT = Path(__file__).parents[2]
PATIENCE = 120
# Is killed while its run is open.
ENDLESS = """\
import sys, time
import numpy as np
from pipeline.compose.schema import Config
from pipeline.tracking.client import Recorder
from pipeline.tracking.identity import Identity

config = Config()
config.tracking.uri = sys.argv[1]
with Recorder(config) as recorder:
    with recorder.training(config, Identity("0123456789abcdef", "plain", None)):
        for epoch in range(1, 10_000):
            recorder.epochs(epoch, {"loss": np.ones(1)})
            time.sleep(0.1)
"""


@pytest.fixture(autouse=True)
def store(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Where the recorder writes, whatever the shell that runs the test has set."""
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    return store


def config(store: Store) -> Config:
    made = Config()
    made.tracking.experiment, made.tracking.uri = "trials", store.uri
    return made


def runs(store: Store) -> list[Run]:
    """The oldest first."""
    found = store.client.search_runs([store.experiment_id], order_by=["attributes.start_time ASC"])
    return list(found)


def points(store: Store, run: Run, name: str) -> list[tuple[int, float]]:
    history = store.client.get_metric_history(run.info.run_id, name)
    return [(point.step, point.value) for point in history]


def test_a_run_ends_as_its_block_does(store: Store) -> None:
    error = ValueError("no rows")

    def work() -> None:
        with Recorder(config(store)) as recorder:
            assert recorder._process is not None
            niceness = psutil.Process(recorder._process.pid).nice()
            assert niceness == min(os.getpriority(os.PRIO_PROCESS, 0) + NICENESS, 19)
            with recorder.training(config(store), WHO):
                recorder.epochs(1, {"loss": np.array([3.0, 2.0])})
                recorder.epochs(3, {"loss": np.array([1.0])})
            with suppress(KeyboardInterrupt), recorder.training(config(store), WHO):
                recorder.epochs(1, {"loss": np.array([4.0])})
                raise KeyboardInterrupt
            with recorder.sweep("spring", "spring", {"sweep.trials": 3}, "c0ffee"):
                raise error

    with pytest.raises(ValueError, match="no rows") as caught:
        work()
    assert caught.value is error
    finished, killed, failed = runs(store)
    assert [run.info.status for run in (finished, killed, failed)] == [
        "FINISHED", "KILLED", "FAILED",
    ]  # fmt: skip
    assert points(store, finished, "loss") == [(1, 3.0), (2, 2.0), (3, 1.0)]
    assert finished.data.params["training.epochs"] == "100"
    assert finished.data.tags["fingerprint"] == WHO.fingerprint
    assert points(store, killed, "loss") == [(1, 4.0)]
    assert failed.data.tags["failure"] == "no rows"
    assert failed.data.params == {"sweep.trials": "3"}


@pytest.mark.long
def test_a_process_that_is_killed_leaves_a_killed_run(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wait_for(status: str) -> None:
        """Until the only run has that status."""
        deadline = time.monotonic() + PATIENCE
        while [run.info.status for run in runs(store)] != [status]:
            assert time.monotonic() < deadline, f"no run became {status}"
            time.sleep(0.1)

    monkeypatch.setattr(store, "experiment_id", store.client.create_experiment("dense-regression"))
    with subprocess.Popen([sys.executable, "-c", ENDLESS, store.uri], cwd=ROOT) as process:
        try:
            wait_for("RUNNING")
        finally:
            process.kill()
    # By the recorder: nobody looks for abandoned runs here.
    wait_for("KILLED")


def test_without_tracking_there_is_no_process(
    store: Store, capfd: pytest.CaptureFixture[str]
) -> None:
    off = config(store)
    off.tracking.enabled = False
    with Recorder(off) as recorder, recorder.training(off, WHO):
        recorder.epochs(1, {"loss": np.ones(1)})
        assert recorder._process is None
    assert runs(store) == []
    assert capfd.readouterr() == ("", "")


def test_a_recorder_that_ends_with_an_error_ends_the_work_with_its_status(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As a recorder does whose experiment is deleted.
    failing = tmp_path / "python"
    failing.write_text("#!/bin/sh\nread line\nexit 3\n", "utf-8")
    failing.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(failing))

    def work(epochs: int) -> None:
        with Recorder(config(store)) as recorder, recorder.training(config(store), WHO):
            for epoch in range(epochs):
                recorder.epochs(1 + epoch, {"loss": np.ones(1)})
                time.sleep(0.1)

    for epochs in (0, 100):  # seen at the end, or as soon as a message cannot be sent
        with pytest.raises(SystemExit) as ended:
            work(epochs)
        assert ended.value.code == 3
