"""Runs of trainings while they last, and what is left of them when things go wrong."""

from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow.entities import Run

from pipeline.runtime.errors import UserError
from pipeline.tracking import live, sqlite_runs
from pipeline.tracking.identity import Identity
from pipeline.tracking.live import Runs, Trouble, live_run
from pipeline.tracking.mlflow_store import TROUBLE, Store
from pipeline.tracking.sqlite_runs import SqliteRuns

WHO = Identity("0123456789abcdef" * 2, "plain", None)
Writer = tuple[Callable[[], Runs], Trouble]


@pytest.fixture(params=["client", "rows"])
def writer(request: pytest.FixtureRequest, tmp_path: Path, store: Store) -> Writer:
    """Both that write runs."""
    if request.param == "client":
        return lambda: store, TROUBLE
    rows = SqliteRuns.opened(tmp_path / "mlflow.db", "trials")
    assert rows is not None
    return lambda: rows, sqlite_runs.TROUBLE


def only_run(store: Store) -> Run:
    (run,) = store.client.search_runs([store.experiment_id])
    return run


def points(store: Store, run_id: str, name: str) -> list[tuple[int, float]]:
    return [(point.step, point.value) for point in store.client.get_metric_history(run_id, name)]


def test_a_block_that_ends_is_a_finished_run(store: Store, writer: Writer) -> None:
    with live_run(*writer, WHO, {"epochs": 2}, {}) as run:
        run.log_epoch(1, {"loss": 2.0})
        run.log_epoch(2, {"loss": 1.0})
    tracked = only_run(store)
    assert tracked.info.status == "FINISHED"
    assert tracked.data.params == {"epochs": "2"}
    assert points(store, tracked.info.run_id, "loss") == [(1, 2.0), (2, 1.0)]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ValueError(), "FAILED"),
        (UserError(), "FAILED"),
        (KeyboardInterrupt(), "KILLED"),
        (SystemExit(143), "KILLED"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_a_block_that_is_cut_short_keeps_its_points(
    store: Store, writer: Writer, error: BaseException, status: str
) -> None:
    def block() -> None:
        with live_run(*writer, WHO, {}, {}) as run:
            run.log_epoch(1, {"loss": 2.0})
            raise error

    with pytest.raises(type(error)) as caught:
        block()
    assert caught.value is error
    tracked = only_run(store)
    assert tracked.info.status == status
    assert points(store, tracked.info.run_id, "loss") == [(1, 2.0)]


def test_a_run_that_fails_says_why(store: Store, writer: Writer) -> None:
    with pytest.raises(ValueError, match="no rows"), live_run(*writer, WHO, {}, {}):
        raise ValueError("no rows")
    assert only_run(store).data.tags["failure"] == "no rows"


def test_points_can_be_seen_while_the_block_runs(
    store: Store, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "FLUSH_SECONDS", -1.0)
    with live_run(*writer, WHO, {}, {}) as run:
        run.log_epoch(1, {"loss": 2.0})
        tracked = only_run(store)
        assert tracked.info.status == "RUNNING"
        assert points(store, tracked.info.run_id, "loss") == [(1, 2.0)]
    assert points(store, tracked.info.run_id, "loss") == [(1, 2.0)]


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


@pytest.mark.parametrize("place", [no_server, no_folder, no_database, no_store])
def test_a_store_out_of_reach_costs_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], place: Callable[[Path], str]
) -> None:
    uri, done = place(tmp_path), []
    with live_run(lambda: Store("trials", uri, tmp_path), TROUBLE, WHO, {}, {}) as run:
        for epoch in (1, 2):
            run.log_epoch(epoch, {"loss": 1.0})
            done.append(epoch)
    out, err = capfd.readouterr()
    assert done == [1, 2]
    assert out == ""
    assert len(err.splitlines()) == 1
    assert err.startswith("warning: not tracked: ")
    assert "`make track` records them" in err


def test_a_run_that_vanishes_while_it_is_trained_costs_one_line(
    store: Store, writer: Writer, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "FLUSH_SECONDS", -1.0)
    with live_run(*writer, WHO, {}, {}) as run:
        run.log_epoch(1, {"loss": 2.0})
        store.client.delete_run(only_run(store).info.run_id)
        run.log_epoch(2, {"loss": 1.0})
        run.log_epoch(3, {"loss": 0.5})
    err = capfd.readouterr().err
    assert len(err.splitlines()) == 1
    assert err.startswith("warning: not tracked: ")


def test_an_unreachable_store_does_not_hide_the_block_s_own_error(tmp_path: Path) -> None:
    uri = no_folder(tmp_path)
    with (
        pytest.raises(ValueError, match="the block's"),
        live_run(lambda: Store("trials", uri, tmp_path), TROUBLE, WHO, {}, {}),
    ):
        raise ValueError("the block's")
