"""Sweeps on Ray: the same scores as without it, whatever happens to a node or to the driver."""

import signal
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pandas as pd
import psutil
import pytest
from ray.cluster_utils import Cluster

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
def nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A cluster of a head without cores, and two nodes of one core."""
    monkeypatch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    made: Any = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    for _ in range(2):
        made.add_node(num_cpus=1)
    monkeypatch.setenv("RAY_ADDRESS", made.address)
    yield made
    made.shutdown()


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


def test_a_cluster_that_does_not_answer_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    message = r"RAY_ADDRESS=127.0.0.1:9: no cluster answers: Connection refused; start one"
    with pytest.raises(UserError, match=message), cluster.connected("auto", NOTHING, NOTHING):
        pass


def test_a_worker_with_other_code_is_refused() -> None:
    for what in ("Python", "tensorflow", "the code of pipeline/"):
        expected = cluster.versions() | {what: "7"}
        with pytest.raises(UserError, match=f"a worker on .* has {what} .*, and the sweep 7; make"):
            cluster._train("name", NOTHING, NOTHING, 0.0, expected)
