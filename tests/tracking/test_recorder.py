"""The recorder writes to MLflow what it is told, line by line, whatever ends its input."""

import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from mlflow.entities import Run

from pipeline.dataset.curves import CURVES
from pipeline.runtime.errors import UserError
from pipeline.tracking import recorder
from pipeline.tracking.identity import Identity
from pipeline.tracking.mlflow_store import Store
from pipeline.tracking.trial_files import Record, write_batch

WHO = Identity("0123456789abcdef" * 2, "plain", None)
EPOCHS = {"what": "epochs", "first": 1, "curves": {"loss": [2.0, 1.0], "mae": [1.0, 0.5]}}
FINISHED = {"what": "end", "status": "FINISHED", "reason": None}
KILLED = {"what": "end", "status": "KILLED", "reason": None}
FAILED = {"what": "end", "status": "FAILED", "reason": "no rows"}
TRIAL = Record(
    number=0, state="complete", score=1.5, epochs=1, reason=None, fingerprint="beef",
    values={"model": "mlp"}, configuration={}, began=1_700_000_000.0, ended=1_700_000_001.0,
    curves=np.ones((1, len(CURVES)), "f4"),
)  # fmt: skip


@pytest.fixture(autouse=True)
def store(tmp_path: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """The root's own store, whatever the shell that runs the test has set."""
    for name in ("MLFLOW_TRACKING_URI", "DVC_EXP_NAME"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    shutil.copy(empty_store, tmp_path)
    yield Store("trials", None)
    # MLflow keeps it for the process, and in its environment.
    mlflow.set_tracking_uri("")


def begin(**changed: Any) -> dict[str, Any]:
    usual = {"experiment": "trials", "uri": None, "params": {"training.epochs": 2}, "tags": {}}
    return {"what": "begin", "identity": asdict(WHO)} | usual | changed


def named(**changed: Any) -> dict[str, Any]:
    return {"what": "store", "experiment": "trials", "uri": None, "results": False} | changed


def sweep(**changed: Any) -> dict[str, Any]:
    usual = {"experiment": "trials", "uri": None, "params": {}, "tags": {"fingerprint": "c0ffee"}}
    return {"what": "sweep", "study": "spring", "name": "spring"} | usual | changed


def told(monkeypatch: pytest.MonkeyPatch, *messages: dict[str, Any]) -> None:
    """The recorder's work with those messages as its whole input."""
    lines = "".join(f"{json.dumps(message)}\n" for message in messages)
    monkeypatch.setattr(sys, "stdin", io.StringIO(lines))
    recorder.main()


def runs(store: Store) -> list[Run]:
    """The oldest first."""
    found = store.client.search_runs([store.experiment_id], order_by=["attributes.start_time ASC"])
    return list(found)


@pytest.mark.parametrize(
    ("last", "status"),
    [(FINISHED, "FINISHED"), (KILLED, "KILLED"), (FAILED, "FAILED"), (None, "KILLED")],
    ids=["finished", "killed", "failed", "gone"],
)
def test_a_run_ends_as_it_is_told_to_or_as_killed(
    store: Store, monkeypatch: pytest.MonkeyPatch, last: dict[str, Any] | None, status: str
) -> None:
    told(monkeypatch, begin(), EPOCHS, *([last] if last else []))
    (run,) = runs(store)
    assert run.info.status == status
    assert run.data.params == {"training.epochs": "2"}
    points = store.client.get_metric_history(run.info.run_id, "mae")
    assert [(point.step, point.value) for point in points] == [(1, 1.0), (2, 0.5)]
    assert run.data.tags.get("failure") == ("no rows" if status == "FAILED" else None)


def test_a_missing_value_has_no_point(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    gap = {"what": "epochs", "first": 1, "curves": {"loss": [2.0], "validation_loss": [np.nan]}}
    told(monkeypatch, begin(), gap, FINISHED)
    (run,) = runs(store)
    assert run.data.metrics == {"loss": 2.0}


def test_one_run_may_follow_another(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    told(monkeypatch, begin(), FAILED, begin(), EPOCHS, KILLED, begin(), EPOCHS, FINISHED)
    assert [run.info.status for run in runs(store)] == ["FAILED", "KILLED", "FINISHED"]


def test_without_a_message_nothing_happens(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    told(monkeypatch)
    assert runs(store) == []


def test_a_store_that_is_named_first_has_its_database_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mlflow.db").unlink()
    told(monkeypatch, named(uri="http://127.0.0.1:9"))
    assert not (tmp_path / "mlflow.db").exists()
    told(monkeypatch, named())
    assert (tmp_path / "mlflow.db").is_file()
    # What is wrong with a store is said once, of the run.
    capfd.readouterr()
    (tmp_path / "what?").mkdir()
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "what?"))
    told(monkeypatch, named())
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("changed", "needed"),
    [({}, "False"), ({"results": True}, "True"), ({"experiment": "new"}, "True")],
    ids=["curves", "results", "new experiment"],
)
def test_mlflow_is_imported_only_where_it_is_needed(changed: dict[str, Any], needed: str) -> None:
    store = named(**changed)
    messages = [store, begin(experiment=store["experiment"]), EPOCHS, FINISHED]
    code = """
import sys
from pipeline import recorder
recorder.main()
print("mlflow" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        input="".join(f"{json.dumps(message)}\n" for message in messages),
    )  # fmt: skip
    assert (done.stdout.strip(), done.stderr) == (needed, "")
    (run,) = runs(Store(store["experiment"], None))
    assert run.info.status == "FINISHED"
    assert run.data.metrics == {"loss": 1.0, "mae": 0.5}


@pytest.mark.parametrize(
    ("last", "status"),
    [(FINISHED, "FINISHED"), (KILLED, "KILLED"), (FAILED, "FAILED"), (None, "KILLED")],
    ids=["finished", "killed", "failed", "gone"],
)
def test_a_sweep_ends_as_it_is_told_to_or_as_killed(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    last: dict[str, Any] | None, status: str,
) -> None:  # fmt: skip
    batch = {"what": "trials", "path": str(write_batch(tmp_path, [TRIAL]))}
    told(monkeypatch, sweep(), batch, *([last] if last else []))
    by_name = {run.info.run_name: run for run in runs(store)}
    assert set(by_name) == {"spring", "trial-0"}
    assert by_name["spring"].info.status == status
    assert by_name["spring"].data.tags.get("failure") == ("no rows" if last is FAILED else None)
    assert by_name["trial-0"].info.status == "FINISHED"


@pytest.mark.parametrize(
    ("first", "mend"),
    [(begin, "`make track` records them"), (sweep, "the same command records them")],
)
def test_a_store_out_of_reach_costs_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    first: Callable[..., dict[str, Any]], mend: str,
) -> None:  # fmt: skip
    (tmp_path / "file").touch()
    batch = {"what": "trials", "path": str(write_batch(tmp_path, [TRIAL]))}
    told(
        monkeypatch,
        first(uri=f"sqlite:///{tmp_path}/file/mlflow.db"),
        EPOCHS if first is begin else batch,
        FINISHED,
    )
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("warning: not tracked: ")
    assert mend in line


@pytest.mark.parametrize("first", [begin(), sweep()], ids=["begin", "sweep"])
def test_a_deleted_experiment_is_the_user_s_to_mend(
    store: Store, monkeypatch: pytest.MonkeyPatch, first: dict[str, Any]
) -> None:
    store.client.delete_experiment(store.experiment_id)
    with pytest.raises(
        UserError, match=r"^tracking\.experiment: 'trials' was deleted in mlflow\.db"
    ):
        told(monkeypatch, first, FINISHED)
