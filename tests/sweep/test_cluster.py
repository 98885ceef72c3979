"""Sweeps on Ray: the same scores as without it, whatever happens to a node or to the driver."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest
import ray

from benchmarks.cluster import STORE_BYTES, nodes
from pipeline.runtime.errors import UserError
from pipeline.sweep import cluster
from tests.clone import Clone

# What is not reached.
NOTHING: Any = None
SWEEP = (
    "-m", "pipeline.sweep", "optimizer.learning_rate=0.002,0.004,0.006,0.008", "model=mlp",
    "optimizer=adam", "sweep.sampler=grid", "sweep.trials=4", "sweep.parallel_trials=2",
    "sweep.seeds=0", "sweep.ensemble=0", "tracking=off",
)  # fmt: skip


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return Clone(tmp_path_factory.mktemp("sweeps") / "project")


@pytest.fixture
def two_nodes() -> Iterator[Any]:
    with nodes(2) as made:
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
def test_groups_of_a_lost_node_are_trained_on_another(clone: Clone, two_nodes: Any) -> None:
    with started(clone, "lost", 60_000) as sweep:
        time.sleep(5)
        two_nodes.remove_node(next(iter(two_nodes.worker_nodes)), allow_graceful=False)
        assert sweep.wait(300) == 0
    assert len(scores(clone, "lost")) == 4


@pytest.mark.faults
@pytest.mark.usefixtures("two_nodes")
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
    rows: Any = np.arange(2 * STORE_BYTES // 8)
    monkeypatch.setattr(cluster, "CUDA", True)
    with nodes(1, gpus=1), cluster.connected("auto", rows, NOTHING) as train:
        workers: Any = train.__self__  # type: ignore[attr-defined] # a method
        assert workers.count == 1  # for each GPU
        assert (ray.get(workers._rows)[0] == rows).all()
    monkeypatch.setenv("RAY_local_fs_capacity_threshold", "0.001")  # as if the disk was full
    with (
        nodes(0),
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
