"""Results that one clone pushes come to another by a pull, as they are: nothing trains again."""

import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from mlflow import MlflowClient

from tests.clone import Clone

KEYS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "us-east-1"}


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    made = Clone(tmp_path_factory.mktemp("first") / "project")
    made.repro()
    return made


@pytest.fixture
def s3_server() -> Iterator[str]:
    """The address of an S3 server with a bucket named results."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            for _ in range(300):
                try:
                    requests.put(f"http://127.0.0.1:{port}/results", timeout=10).raise_for_status()
                    break
                except requests.ConnectionError:
                    time.sleep(0.1)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.kill()


def share(clone: Clone, other: Path, *configure: tuple[str, ...]) -> None:
    def dvc(root: Path, *arguments: str) -> str:
        return clone.run("dvc", "--cd", str(root), *arguments, environment=KEYS).stdout

    for arguments in configure:
        dvc(clone.root, "remote", *arguments)
    clone.commit("a remote")
    dvc(clone.root, "push")
    clone.git("clone", "--quiet", str(clone.root), str(other))
    dvc(other, "pull")
    # It records the run in the store of this clone.
    assert re.findall(r"Running stage '(\w+)'", dvc(other, "repro")) == ["evaluate"]
    for name in ("data/model/model.keras", "data/evaluation/predictions.csv"):
        assert (other / name).read_bytes() == (clone.root / name).read_bytes()
    (run,), (again,) = clone.runs(), clone.runs(f"sqlite:///{other}/mlflow.db")
    assert again.info.run_name == run.info.run_name
    for name in ("in_sample_rmse", "in_sample_mae", "in_sample_r2"):
        assert again.data.metrics[name] == run.data.metrics[name]
    points = clone.client().get_metric_history(run.info.run_id, "loss")
    others = MlflowClient(f"sqlite:///{other}/mlflow.db")
    assert len(others.get_metric_history(again.info.run_id, "loss")) == len(points) == 100


@pytest.mark.faults
def test_results_pushed_to_an_s3_server_are_complete_in_another_clone(
    clone: Clone, s3_server: str, tmp_path: Path
) -> None:
    share(
        clone, tmp_path / "other",
        ("add", "--default", "--force", "team", "s3://results/project"),
        ("modify", "team", "endpointurl", s3_server),
    )  # fmt: skip


@pytest.mark.faults
def test_results_pushed_to_a_folder_are_complete_in_another_clone(
    clone: Clone, tmp_path: Path
) -> None:
    folder = str(tmp_path / "remote")
    share(clone, tmp_path / "other", ("add", "--default", "--force", "team", folder))
