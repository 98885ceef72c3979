"""A real tracking server that dies, comes back, is not there or does not answer."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from mlflow import MlflowClient
from mlflow.entities import Run

from tests.clone import HIDDEN, Clone

TRAIN = ("-m", "pipeline.stages.train")
EPOCHS = 1500
CURVES = ("loss", "mae", "validation_loss", "validation_mae", "learning_rate")


class Server:
    """MLflow's server with a database in a folder, as a process."""

    def __init__(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        self.uri, self._folder = f"http://127.0.0.1:{self._port}", folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        kept = {name: value for name, value in os.environ.items() if not HIDDEN.match(name)}
        quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    sys.executable, "-m", "mlflow", "server", "--workers", "1",
                    "--backend-store-uri", f"sqlite:///{self._folder}/server.db",
                    "--artifacts-destination", str(self._folder / "artifacts"),
                    "--host", "127.0.0.1", "--port", str(self._port),
                ],
                env=kept | quiet, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        for _ in range(600):
            try:
                requests.get(f"{self.uri}/health", timeout=5)
            except requests.ConnectionError:
                time.sleep(0.1)
            else:
                return
        raise AssertionError((self._folder / "log").read_text("utf-8"))

    def kill(self) -> None:
        """Ends it and its workers at once."""
        if self._process is not None:
            os.killpg(self._process.pid, 9)
            self._process.wait()
            self._process = None

    def fall_silent(self) -> None:
        """It takes connections from now on, and does not answer."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGSTOP)

    def answer(self) -> None:
        """It answers again."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGCONT)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path)
    made.start()
    yield made
    made.kill()


@pytest.mark.long
def test_a_server_that_dies_or_falls_silent_during_a_training_has_every_point_once(
    tmp_path: Path, server: Server, repeats: int
) -> None:
    clone = Clone(tmp_path / "project")
    for number in range(repeats):
        clone.stage(
            "configure", f"tracking.uri={server.uri}", "conf.data=diabetes",
            f"training.epochs={EPOCHS}", "training.batch_size=1", f"training.seed={number}",
        )  # fmt: skip
        for stage in ("prepare", "baselines"):
            clone.stage(stage)
        with subprocess.Popen(
            [clone.executable, *TRAIN], cwd=clone.root, env=clone.environment(),
            stderr=subprocess.PIPE, text=True,
        ) as training:  # fmt: skip
            assert training.stderr
            begun = wait_for_points(server)
            silent = number % 2 == 1
            server.fall_silent() if silent else server.kill()
            assert training.poll() is None
            if not silent:
                server.start()
            said = training.stderr.read()
        if silent:
            server.answer()
        assert training.returncode == 0
        # A server that is back before the next request was never away.
        lost = said.splitlines()
        assert len(lost) in ([1] if silent else [0, 1])
        assert all(
            one.startswith(f"warning: not tracked: tracking.uri={server.uri}: ") for one in lost
        )
        clone.stage("evaluate")
        client = MlflowClient(server.uri)
        statuses = {run.info.run_id: run.info.status for run in runs(client)}
        assert statuses[begun] == ("KILLED" if lost else "FINISHED")
        assert [*statuses.values()].count("FINISHED") == number + 1
        # The newest one.
        finished = runs(client)[0]
        assert finished.info.status == "FINISHED"
        for curve in CURVES:
            points = client.get_metric_history(finished.info.run_id, curve)
            assert [point.step for point in points] == list(range(1, EPOCHS + 1))
        # What is complete is not recorded again.
        assert clone.python("-m", "pipeline.track").stderr == ""
        assert len(runs(client)) == len(statuses)


def runs(client: MlflowClient) -> list[Run]:
    """The newest first."""
    experiment = client.get_experiment_by_name("dense-regression")
    return list(client.search_runs([experiment.experiment_id])) if experiment else []


def wait_for_points(server: Server) -> str:
    """The id of the running run, once it has points of its curve."""
    client = MlflowClient(server.uri)
    for _ in range(600):
        for run in runs(client):
            if run.info.status == "RUNNING" and "loss" in run.data.metrics:
                return str(run.info.run_id)
        time.sleep(0.1)
    raise AssertionError("no run has begun")


@pytest.mark.faults
def test_a_server_that_is_not_there_or_silent_costs_a_line_until_it_can_be_reached(
    tmp_path: Path, server: Server
) -> None:
    clone = Clone(tmp_path / "project")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        nowhere = "http://127.0.0.1:9"
        for uri in (nowhere, f"http://127.0.0.1:{silent.getsockname()[1]}"):
            clone.stage("configure", f"tracking.uri={uri}")
            for stage in ("prepare", "baselines"):
                clone.stage(stage)
            for stage in ("train", "evaluate"):
                done = clone.python("-m", f"pipeline.stages.{stage}")
                (line,) = done.stderr.splitlines()
                assert line == (
                    f"warning: not tracked: tracking.uri={uri}: the server does not answer; the"
                    " results are in data/, and `make track` records them once the store can be"
                    " reached"
                )
            assert clone.python("-m", "pipeline.track", check=False).returncode == 1
    clone.stage("configure", f"tracking.uri={server.uri}")
    assert clone.python("-m", "pipeline.track").stderr == ""
    client = MlflowClient(server.uri)
    (run,) = runs(client)
    assert run.info.status == "FINISHED"
    points = client.get_metric_history(run.info.run_id, "loss")
    assert [point.step for point in points] == list(range(1, 101))
