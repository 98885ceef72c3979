"""A run is recorded by a process of its own, and ends as the work does, whatever ends that."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from mlflow.entities import Run

from pipeline.compose.schema import Config
from pipeline.tracking.client import Recorder
from pipeline.tracking.identity import Identity
from pipeline.tracking.mlflow_store import Store
from tests.small import experiment

WHO = Identity("0123456789abcdef" * 2, "plain", None)
ROOT = Path(__file__).parents[2]
PATIENCE = 120
# Is killed while its run is going on.
ENDLESS = """\
import sys, time
import numpy as np
from pipeline.identity import Identity
from pipeline.recording import Recorder
from tests.small import experiment

config = experiment()
config.tracking.uri = sys.argv[1]
with Recorder(config, results=False) as recorder:
    work = recorder.run(config, Identity("0123456789abcdef", "plain", None))
    if sys.argv[2] == "sweep":
        work = recorder.sweep("spring", "spring", {}, "c0ffee")
    with work:
        for epoch in range(1, 10_000):
            if sys.argv[2] == "run":
                recorder.epochs(epoch, {"loss": np.ones(1)})
            time.sleep(0.1)
"""


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that all tests of this module share."""
    root = tmp_path_factory.mktemp("store")
    Store("dense-regression", f"sqlite:///{root}/mlflow.db", root)
    return root / "mlflow.db"


@pytest.fixture(autouse=True)
def store(database: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """Where the recorder writes, whatever the shell that runs the test has set."""
    for name in ("MLFLOW_TRACKING_URI", "DVC_EXP_NAME"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("DVC_ROOT", str(database.parent))
    one = Store("dense-regression", None)
    yield one
    for run in runs(one):
        one.client.delete_run(run.info.run_id)


def config(database: Path) -> Config:
    made = experiment()
    made.tracking.uri = f"sqlite:///{database}"
    return made


def runs(store: Store) -> list[Run]:
    """The oldest first."""
    found = store.client.search_runs([store.experiment_id], order_by=["attributes.start_time ASC"])
    return list(found)


def points(store: Store, run: Run, name: str) -> list[tuple[int, float]]:
    history = store.client.get_metric_history(run.info.run_id, name)
    return [(point.step, point.value) for point in history]


def test_a_run_ends_as_its_block_does(store: Store, database: Path) -> None:
    with Recorder(config(database), results=False) as recorder:
        with recorder.run(config(database), WHO):
            recorder.epochs(1, {"loss": np.array([3.0, 2.0])})
            recorder.epochs(3, {"loss": np.array([1.0])})
        for error in (ValueError("no rows"), KeyboardInterrupt()):
            with suppress(type(error)), recorder.run(config(database), WHO):
                recorder.epochs(1, {"loss": np.array([4.0])})
                raise error
    finished, failed, killed = runs(store)
    assert [run.info.status for run in (finished, failed, killed)] == [
        "FINISHED", "FAILED", "KILLED",
    ]  # fmt: skip
    assert points(store, finished, "loss") == [(1, 3.0), (2, 2.0), (3, 1.0)]
    assert finished.data.params["training.epochs"] == "6"
    assert finished.data.tags["fingerprint"] == WHO.fingerprint
    assert failed.data.tags["failure"] == "no rows"
    assert points(store, failed, "loss") == points(store, killed, "loss") == [(1, 4.0)]


def test_an_error_is_raised_as_it_was_and_is_the_run_s_end(store: Store, database: Path) -> None:
    error = ValueError("no rows")
    with (
        pytest.raises(ValueError, match="no rows") as caught,
        Recorder(config(database), results=False) as recorder,
        recorder.sweep("spring", "spring", {"sweep.trials": 3}, "c0ffee"),
    ):
        raise error
    assert caught.value is error
    (run,) = runs(store)
    assert (run.info.status, run.data.tags["failure"]) == ("FAILED", "no rows")
    assert run.data.params == {"sweep.trials": "3"}


def wait_for(store: Store, status: str, seconds: float) -> Run:
    """The only run, once it has that status."""
    for _ in range(int(seconds * 10)):
        found = runs(store)
        if [run.info.status for run in found] == [status]:
            return found[0]
        time.sleep(0.1)
    raise AssertionError(f"no run became {status}: {[run.info.status for run in runs(store)]}")


@pytest.mark.parametrize("kind", ["run", "sweep"])
def test_a_process_that_is_killed_leaves_a_killed_run(
    store: Store, database: Path, kind: str
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", ENDLESS, f"sqlite:///{database}", kind], cwd=ROOT
    ) as process:
        try:
            wait_for(store, "RUNNING", PATIENCE)
        finally:
            process.kill()
    # By the recorder, and not by whoever comes next and looks for abandoned runs.
    wait_for(store, "KILLED", 20)


def test_without_tracking_there_is_no_process(
    store: Store, database: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    off = config(database)
    off.tracking.enabled = False
    with Recorder(off, results=True) as recorder, recorder.run(off, WHO):
        recorder.epochs(1, {"loss": np.ones(1)})
        assert recorder._process is None
    assert runs(store) == []
    assert capfd.readouterr() == ("", "")


def test_a_store_out_of_reach_costs_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    nowhere = config(tmp_path / "file" / "mlflow.db")
    done = False
    with Recorder(nowhere, results=False) as recorder, recorder.run(nowhere, WHO):
        recorder.epochs(1, {"loss": np.ones(1)})
        done = True
    assert done
    out, err = capfd.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    assert line.startswith("warning: not tracked: ")
    assert "`make track` records them" in line


def test_a_deleted_experiment_ends_the_work_with_an_error(
    store: Store, database: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    gone = config(database)
    gone.tracking.experiment = "gone"
    experiment_id = store.client.create_experiment("gone")
    store.client.delete_experiment(experiment_id)
    with (
        pytest.raises(SystemExit) as ended,
        Recorder(gone, results=False) as recorder,
        recorder.run(gone, WHO),
    ):
        recorder.epochs(1, {"loss": np.ones(1)})
    assert ended.value.code == 1
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("error: tracking.experiment: 'gone' was deleted in mlflow.db")
