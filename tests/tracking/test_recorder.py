"""The recorder writes to MLflow what it is sent, whatever ends its input."""

import json
import runpy
import shutil
import socket
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mlflow
import numpy as np
import pytest
from mlflow.entities import Run

from pipeline.dataset.curves import CURVES
from pipeline.tracking import location, recorder, recording
from pipeline.tracking.identity import Identity
from pipeline.tracking.recorder import read, record
from pipeline.tracking.store import Store
from pipeline.tracking.trial_files import Record, write_batch

Message = dict[str, Any]
WHO = Identity("0123456789abcdef" * 2, "plain", None)
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


def opening(uri: str | None = None, remedy: str = "`make track`") -> Message:
    return {"what": "store", "experiment": "trials", "uri": uri, "remedy": remedy}


def begin() -> Message:
    params = {"training.epochs": 2}
    return {"what": "begin", "identity": asdict(WHO), "params": params, "tags": {"color": "red"}}


def epochs(first: int = 1) -> Message:
    curves = {"loss": [2.0, 1.0], "mae": [1.0, 0.5], "validation_loss": [np.nan, np.nan]}
    return {"what": "epochs", "first": first, "curves": curves}


def sweep() -> Message:
    tags = {"fingerprint": "c0ffee"}
    return {"what": "sweep", "study": "spring", "name": "spring", "params": {}, "tags": tags}


def batch(folder: Path) -> Message:
    return {"what": "trials", "path": str(write_batch(folder, [TRIAL]))}


def end(status: str, reason: str | None = None) -> Message:
    return {"what": "end", "status": status, "reason": reason}


def runs(store: Store) -> list[Run]:
    """The oldest first."""
    found = store.client.search_runs([store.experiment_id], order_by=["attributes.start_time ASC"])
    return list(found)


def points(store: Store, run: Run, name: str) -> list[tuple[int, float]]:
    history = store.client.get_metric_history(run.info.run_id, name)
    return [(point.step, point.value) for point in history]


def test_a_run_ends_with_the_status_that_is_sent_or_as_killed(store: Store) -> None:
    record(
        [
            opening(),
            *(begin(), epochs(), epochs(3), end("FINISHED")),
            *(begin(), epochs(), end("FAILED", "no rows")),
            *(begin(), epochs(), end("KILLED")),
            *(begin(), epochs()),  # and the input ends
        ]
    )
    found = runs(store)
    assert [run.info.status for run in found] == ["FINISHED", "FAILED", "KILLED", "KILLED"]
    assert [run.data.tags.get("failure") for run in found] == [None, "no rows", None, None]
    for run in found:
        assert run.info.run_name == "plain-012345"
        assert run.data.params == {"training.epochs": "2"}
        assert run.data.tags["color"] == "red"
        assert run.data.tags["fingerprint"] == WHO.fingerprint
        assert points(store, run, "mae")[:2] == [(1, 1.0), (2, 0.5)]
        assert points(store, run, "validation_loss") == []
    assert points(store, found[0], "loss") == [(1, 2.0), (2, 1.0), (3, 2.0), (4, 1.0)]


def test_the_command_refuses_arguments(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["recorder", "training.epochs=3"])
    monkeypatch.delitem(sys.modules, recorder.__name__)
    with pytest.raises(SystemExit) as caught:
        runpy.run_module(recorder.__name__, run_name="__main__")
    assert caught.value.code == 2
    assert capsys.readouterr().err == (
        "error: unrecognized arguments: training.epochs=3; see --help\n"
    )


def test_without_a_run_nothing_is_written(store: Store) -> None:
    record([])
    record([opening()])
    assert runs(store) == []


def test_the_store_is_opened_with_the_first_message(store: Store) -> None:
    def messages() -> Iterator[Message]:
        yield opening() | {"experiment": "new"}
        assert store.client.get_experiment_by_name("new") is not None

    record(messages())


def test_half_a_message_is_that_of_a_sender_that_was_killed(store: Store) -> None:
    lines = [json.dumps(message) + "\n" for message in (opening(), begin(), epochs())]
    record(read([*lines, lines[-1][:20]]))
    (run,) = runs(store)
    assert run.info.status == "KILLED"
    assert points(store, run, "loss") == [(1, 2.0), (2, 1.0)]


def test_points_can_be_seen_while_the_run_is_open(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "FLUSH_SECONDS", -1.0)

    def messages() -> Iterator[Message]:
        yield from (opening(), begin(), epochs())
        (run,) = runs(store)
        assert run.info.status == "RUNNING"
        assert points(store, run, "loss") == [(1, 2.0), (2, 1.0)]
        yield end("FINISHED")

    record(messages())
    (run,) = runs(store)
    assert points(store, run, "loss") == [(1, 2.0), (2, 1.0)]


@pytest.mark.parametrize(
    ("last", "status"),
    [
        (end("FINISHED"), "FINISHED"),
        (end("KILLED"), "KILLED"),
        (end("FAILED", "no rows"), "FAILED"),
        (None, "KILLED"),
    ],
    ids=["finished", "killed", "failed", "gone"],
)
def test_a_sweep_ends_with_the_status_that_is_sent_or_as_killed(
    store: Store, tmp_path: Path, last: Message | None, status: str
) -> None:
    reason = last and last["reason"]
    record([opening(), sweep(), batch(tmp_path), *([dict(last)] if last else [])])
    by_name = {run.info.run_name: run for run in runs(store)}
    assert set(by_name) == {"spring", "trial-0"}
    assert by_name["spring"].info.status == status
    assert by_name["spring"].data.tags.get("failure") == reason
    assert by_name["trial-0"].info.status == "FINISHED"


def no_server(_root: Path) -> str:
    return "http://127.0.0.1:9"


def no_folder(root: Path) -> str:
    (root / "file").touch()
    return f"sqlite:///{root / 'file' / 'mlflow.db'}"


def no_database(root: Path) -> str:
    (root / "junk.db").write_text("no database\n" * 1000, "utf-8")
    return f"sqlite:///{root / 'junk.db'}"


def no_store(_root: Path) -> str:
    return "nonsense://somewhere"


@pytest.mark.parametrize("missing", [no_server, no_folder, no_database, no_store])
def test_a_store_out_of_reach_costs_one_line_and_all_messages_are_read(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], missing: Callable[[Path], str]
) -> None:
    uri = missing(tmp_path)
    capfd.readouterr()
    waiting = iter([opening(uri), begin(), epochs(), end("FINISHED"), begin(), end("FINISHED")])
    record(waiting)
    assert list(waiting) == []
    out, err = capfd.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    assert line.startswith("warning: not tracked: ")
    assert line.endswith("`make track` records them once the store can be reached")


def test_a_silent_server_costs_one_line_and_no_import_of_mlflow(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(location, "ANSWER_SECONDS", 0.1)
    monkeypatch.setitem(sys.modules, "pipeline.tracking.recording", None)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        record([opening(uri), begin(), epochs()])
    assert capfd.readouterr().err == (
        f"warning: not tracked: tracking.uri={uri}: the server does not answer; the results are in"
        " data/, and `make track` records them once the store can be reached\n"
    )


def test_a_server_that_falls_silent_is_sent_nothing_more(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class OneAnswer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    sent: list[str] = []
    handled = SimpleNamespace(begin=lambda **_: sent.append("begin"))
    monkeypatch.setitem(
        sys.modules, "pipeline.tracking.recording", SimpleNamespace(Recording=lambda *_: handled)
    )
    monkeypatch.setattr(location, "ANSWER_SECONDS", 0.5)
    monkeypatch.setattr(recorder, "CHECK_SECONDS", -1.0)
    with HTTPServer(("127.0.0.1", 0), OneAnswer) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()  # one
        record([opening(f"http://127.0.0.1:{server.server_port}"), begin()])
    (line,) = capfd.readouterr().err.splitlines()
    assert "the server does not answer" in line
    assert sent == []


def test_a_database_that_cannot_be_written_costs_one_line(
    store: Store, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as database:
        # Permissions do not hold for everybody who runs this.
        database.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON runs BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
        database.commit()
    record([opening(), begin(), epochs()])
    assert runs(store) == []
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("warning: not tracked: mlflow.db: ")
    assert WHO.fingerprint not in line


def test_the_sender_names_the_remedy(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    record([opening(no_folder(tmp_path), "the same command"), sweep(), batch(tmp_path)])
    (line,) = capfd.readouterr().err.splitlines()
    assert line.endswith("the same command records them once the store can be reached")


def test_a_run_that_vanishes_while_it_is_open_costs_one_line(
    store: Store, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "FLUSH_SECONDS", -1.0)

    def messages() -> Iterator[Message]:
        yield from (opening(), begin(), epochs())
        (run,) = runs(store)
        store.client.delete_run(run.info.run_id)
        yield from (epochs(3), epochs(5), end("FINISHED"))

    record(messages())
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("warning: not tracked: ")


def test_a_deleted_experiment_costs_one_line_that_says_what_to_do(
    store: Store, capfd: pytest.CaptureFixture[str]
) -> None:
    store.client.delete_experiment(store.experiment_id)
    record([opening(), begin(), epochs()])
    assert capfd.readouterr().err == (
        "warning: not tracked: tracking.experiment: 'trials' was deleted in mlflow.db; restore it"
        " there or choose another name; the results are in data/, and `make track` records them"
        " then\n"
    )


def test_an_mlflow_that_cannot_be_imported_costs_one_line(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pipeline.tracking.recording", None)
    waiting = iter([opening(), begin()])
    record(waiting)
    assert list(waiting) == []
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("warning: not tracked: mlflow.db: ModuleNotFoundError: ")


def test_a_message_that_nobody_expects_costs_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    record([opening(), {"what": "nothing"}])
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("warning: not tracked: mlflow.db: AttributeError: ")
    assert "'nothing'; the results are in data/" in line
