"""`make ui` as a process."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import psutil
import pytest
import requests
from mlflow import MlflowClient

from tests.clone import Clone

EXPERIMENTS = "api/2.0/mlflow/experiments/search?max_results=1"


@pytest.mark.long
def test_the_pages_of_mlflow_are_for_this_machine_alone(tmp_path: Path) -> None:
    clone = Clone(tmp_path / "clone")
    MlflowClient(clone.store()).search_experiments()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    # There is an environment, though not in .venv of this clone.
    command = ["make", "--old-file=.venv/run.stamp", "ui", f"PORT={port}"]
    with subprocess.Popen(
        command, cwd=clone.root, env=clone.environment(), stdout=subprocess.DEVNULL,
        start_new_session=True,
    ) as made:  # fmt: skip
        try:
            address = f"http://127.0.0.1:{port}/{EXPERIMENTS}"
            answer = first_answer(address)
            listening = {
                one.laddr
                for process in psutil.Process(made.pid).children(recursive=True)
                for one in process.net_connections("inet")
                if one.status == psutil.CONN_LISTEN
            }
            foreign = {"Origin": "https://example.org"}
            read = requests.get(address, headers=foreign, timeout=60)
            write = requests.post(
                f"http://127.0.0.1:{port}/api/2.0/mlflow/experiments/create",
                json={"name": "theirs"}, headers=foreign, timeout=60,
            )  # fmt: skip
            renamed = requests.get(address, headers={"Host": "example.org"}, timeout=60)
        finally:
            os.killpg(made.pid, signal.SIGTERM)
    assert answer.status_code == 200
    assert listening == {("127.0.0.1", port)}
    assert (write.status_code, renamed.status_code) == (403, 403)
    # A browser then keeps the answer from the page of the other site.
    assert "Access-Control-Allow-Origin" not in read.headers


def first_answer(address: str) -> requests.Response:
    for _ in range(600):
        try:
            return requests.get(address, timeout=60)
        except requests.ConnectionError:
            time.sleep(0.1)
    raise AssertionError("it does not answer")
