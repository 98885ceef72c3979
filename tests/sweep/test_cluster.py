"""Sweeps on Ray: the same scores as without it, whatever happens to a node or to the driver."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest
from ray.cluster_utils import Cluster

from pipeline.runtime.errors import UserError
from pipeline.sweep import cluster
from tests.clone import Clone

# What is not reached.
NOTHING: Any = None
# Bytes; the smallest that Ray takes.
STORE = {"object_store_memory": 80 * 2**20}
SWEEP = (
    "-m", "pipeline.sweep", "optimizer.learning_rate=0.002,0.004,0.006,0.008", "model=mlp",
    "optimizer=adam", "sweep.sampler=grid", "sweep.trials=4", "sweep.parallel_trials=2",
    "sweep.seeds=0", "sweep.ensemble=0", "tracking=off",
)  # fmt: skip


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return Clone(tmp_path_factory.mktemp("sweeps") / "project")


@contextmanager
def started_cluster(environment: pytest.MonkeyPatch, *nodes: dict[str, int]) -> Iterator[Cluster]:
    """A cluster of a head without cores, and nodes of one core."""
    environment.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    environment.setenv("RAY_USAGE_STATS_ENABLED", "0")
    made: Any = Cluster(initialize_head=True, head_node_args={"num_cpus": 0} | STORE)
    for node in nodes:
        made.add_node(num_cpus=1, **STORE, **node)
    environment.setenv("RAY_ADDRESS", made.address)
    yield made
    made.shutdown()


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    with started_cluster(monkeypatch, {}, {}) as made:
        yield made


def scores(clone: Clone, name: str) -> list[float]:
    table = pd.read_csv(clone.root / f"data/sweeps/{name}/results/trials.csv")
    assert set(table["state"]) == {"complete"}
    return [float(score) for score in table.sort_values("trial")["score"]]


def started(clone: Clone, name: str, epochs: int) -> subprocess.Popen[bytes]:
    """A sweep on the cluster, whose workers have begun to train."""
    options = (f"sweep.name={name}", "sweep.cluster=auto", f"training.epochs={epochs}")
    sweep = subprocess.Popen(
        [clone.executable, *SWEEP, *options], cwd=clone.root, env=clone.environment()
    )
    for _ in range(600):
        if sum("ray::_train" in " ".join(one.info["cmdline"] or []) for one in
               psutil.process_iter(["cmdline"])) == 2:  # fmt: skip
            return sweep
        time.sleep(0.1)
    raise AssertionError("no worker has begun")


@pytest.mark.long
def test_the_scores_are_those_without_ray_and_no_process_is_left(clone: Clone) -> None:
    for name, where in (("plain", "null"), ("ray", "local")):
        clone.python(*SWEEP, "training.epochs=9", f"sweep.name={name}", f"sweep.cluster={where}")
    assert scores(clone, "ray") == scores(clone, "plain")
    names = {one.info["name"] for one in psutil.process_iter(["name"])}
    assert not names & {"raylet", "gcs_server"}


@pytest.mark.faults
def test_groups_of_a_lost_node_are_trained_on_another(clone: Clone, nodes: Cluster) -> None:
    with started(clone, "lost", 60_000) as sweep:
        time.sleep(5)
        nodes.remove_node(next(iter(nodes.worker_nodes)), allow_graceful=False)
        assert sweep.wait(300) == 0
    assert len(scores(clone, "lost")) == 4


@pytest.mark.faults
@pytest.mark.usefixtures("nodes")
def test_the_same_command_continues_after_the_driver_was_killed(clone: Clone) -> None:
    with started(clone, "killed", 20_000) as sweep:
        sweep.send_signal(signal.SIGKILL)
    clone.python(
        *SWEEP, "sweep.name=killed", "sweep.cluster=auto", "training.epochs=20000",
    )  # fmt: skip
    assert len(scores(clone, "killed")) == 4


@pytest.mark.faults
def test_rows_that_are_larger_than_the_object_store_are_on_its_disk_if_that_has_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows: Any = np.ones(2 * STORE["object_store_memory"] // 8)
    monkeypatch.setattr(cluster, "CUDA", True)
    with (
        started_cluster(monkeypatch, {"num_gpus": 1}),
        cluster.connected("auto", rows, NOTHING) as train,
    ):
        method: Any = train
        assert method.__self__.count == 1  # for each GPU
    monkeypatch.setenv("RAY_local_fs_capacity_threshold", "0.001")  # as if the disk was full
    with (
        started_cluster(monkeypatch),
        pytest.raises(UserError, match="nor its disk has room"),
        cluster.connected("auto", rows, NOTHING),
    ):
        pass


def test_a_cluster_that_does_not_answer_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    message = r"RAY_ADDRESS=127.0.0.1:9: no cluster answers: Connection refused; start one"
    with pytest.raises(UserError, match=message), cluster.connected("auto", NOTHING, NOTHING):
        pass


def test_without_the_packages_the_command_that_installs_them_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    message = "sweep.cluster=local: Ray is not installed; `make repro EXTRAS=ray` installs it"
    with (
        pytest.raises(UserError, match=f"^{message}$"),
        cluster.connected("local", NOTHING, NOTHING),
    ):
        pass


def test_a_worker_with_other_code_is_refused() -> None:
    for what in ("Python", "tensorflow", "the code of pipeline/"):
        expected = cluster.versions() | {what: "7"}
        with pytest.raises(UserError, match=f"a worker on .* has {what} .*, and the sweep 7; make"):
            cluster._train("name", NOTHING, NOTHING, 0.0, expected)
