"""A run is recorded by a separate process, and ends as the work does, whatever ends that."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest
from mlflow.entities import Run

from pipeline.compose.schema import Config
from pipeline.tracking import client
from pipeline.tracking.client import NICENESS, Recorder
from pipeline.tracking.identity import Identity
from pipeline.tracking.store import Store

WHO = Identity("0123456789abcdef" * 2, "plain", None)
ROOT = Path(__file__).parents[2]
WAIT = 120
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
        deadline = time.monotonic() + WAIT
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


@pytest.fixture
def substitute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Lets a shell script be what is started as the recorder."""

    def install(script: str) -> None:
        executable = tmp_path / "python"
        executable.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
        executable.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(executable))

    return install


def work(store: Store, epochs: int) -> None:
    """Trains, with more to record than a pipe takes."""
    with Recorder(config(store)) as recorder, recorder.training(config(store), WHO):
        for epoch in range(epochs):
            recorder.epochs(1 + epoch, {"loss": np.ones(1000)})
            time.sleep(0.01)


@pytest.mark.parametrize(
    ("script", "how"),
    [
        ("read line; exit 3", "ended with status 3"),
        ("read line; kill -KILL $$", "was killed, perhaps for want of memory"),
    ],
)
def test_a_recorder_that_ends_before_the_work_costs_one_line(
    store: Store,
    substitute: Callable[[str], None],
    capfd: pytest.CaptureFixture[str],
    script: str,
    how: str,
) -> None:
    substitute(script)
    for epochs in (0, 40):  # seen at the end, or as soon as a message cannot be sent
        work(store, epochs)
        assert capfd.readouterr().err == (
            f"warning: not tracked: the process that records in MLflow {how}; the results are in"
            " data/, and `make track` records them\n"
        )


def test_a_recorder_that_cannot_start_costs_one_line(
    store: Store, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    work(store, 1)
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(
        "warning: not tracked: the process that records in MLflow cannot start: "
    )


def test_a_recorder_that_hangs_is_not_waited_for(
    store: Store,
    substitute: Callable[[str], None],
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client, "PATIENCE", 0.3)
    substitute("kill -STOP $$")
    work(store, 40)
    assert capfd.readouterr().err == (
        "warning: not tracked: the store has not answered for 0.3 s; the results are in data/, and"
        " `make track` records them\n"
    )


def test_who_interrupts_the_work_does_not_wait_for_a_recorder_that_does_not_keep_up(
    store: Store,
    substitute: Callable[[str], None],
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client, "INTERRUPTED_SECONDS", 0.3)
    substitute("kill -STOP $$")
    with (
        suppress(KeyboardInterrupt),
        Recorder(config(store)) as recorder,
        recorder.training(config(store), WHO),
    ):
        process = recorder._process
        recorder.epochs(1, {"loss": np.ones(100_000)})
        raise KeyboardInterrupt
    assert process is not None
    assert process.poll() is None
    process.kill()
    process.wait()
    assert capfd.readouterr().err == ""


def test_a_recorder_that_does_not_keep_up_is_given_up(
    store: Store,
    substitute: Callable[[str], None],
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client, "MAX_UNSENT", 10_000)
    substitute("kill -STOP $$")
    work(store, 40)
    (line,) = capfd.readouterr().err.splitlines()
    assert "the process that records in MLflow does not respond" in line


def test_the_run_of_a_killed_recorder_is_ended_by_the_next(store: Store) -> None:
    with Recorder(config(store)) as recorder, recorder.training(config(store), WHO):
        recorder.epochs(1, {"loss": np.ones(1)})
        deadline = time.monotonic() + WAIT
        while not runs(store):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert recorder._process is not None
        recorder._process.kill()
    assert [run.info.status for run in runs(store)] == ["RUNNING"]
    Store("trials", None).end_abandoned()
    assert [run.info.status for run in runs(store)] == ["KILLED"]
