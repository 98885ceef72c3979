"""The report of the current result, with what a store has and without one."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.compose.schema import Config
from pipeline.runtime.errors import UserError
from pipeline.runtime.paths import METRICS, REPORT
from pipeline.tracking import report
from pipeline.tracking.fingerprint import TEST_ROWS
from pipeline.tracking.looks import test_rows as hash_test_rows
from pipeline.tracking.report import write_current, write_report
from pipeline.tracking.store import Store
from tests.pages.parsed import Page
from tests.reporting import made

LOOKS = "evaluated on these 10 test rows"


@pytest.fixture
def config(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """A result in the working directory, beside the store, and no fingerprint to compute."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(report, "project_root", lambda: tmp_path)
    monkeypatch.setattr(report, "of_stage", lambda _stage: SimpleNamespace(hash="c0ffee"))
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    result = made.write()
    result.tracking.experiment = "trials"
    assert store.uri == f"sqlite:///{tmp_path}/mlflow.db"
    return result


def words() -> str:
    return Page(REPORT.read_text("utf-8")).words()


def test_the_report_counts_what_the_store_has_and_names_the_run(
    config: Config, store: Store
) -> None:
    rows = hash_test_rows(config)
    assert rows is not None
    for name, error in (("other", 1.0), ("c0ffee", 2.0)):
        run_id = store.create_run(f"run of {name}", {}, {"fingerprint": name, TEST_ROWS: rows})
        store.log_metrics(run_id, {"test_rmse": error, "test_mae": error})
        store.end(run_id, "FINISHED")
    write_current(config)
    assert f"This is result 2 of 2 in mlflow.db {LOOKS}" in words()
    assert "The run run of c0ffee in MLflow" in words()


def test_without_tracking_or_a_store_the_report_says_that_looks_are_not_known(
    config: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.tracking.enabled = False
    write_current(config)
    assert "is not known: tracking is off (tracking.enabled)." in words()
    config.tracking.enabled = True
    (tmp_path / "mlflow.db").unlink()
    write_current(config)
    assert "there is no mlflow.db yet; `make track` records this result." in words()
    assert not (tmp_path / "mlflow.db").exists()
    assert capsys.readouterr().err == ""


def test_a_store_out_of_reach_is_one_warning_and_no_secret(
    config: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    config.tracking.uri = "http://me:hunter2@127.0.0.1:1"
    write_current(config)
    (line,) = capsys.readouterr().err.splitlines()
    start = "how many results were evaluated on the test rows is not known: tracking.uri=http://"
    assert line.startswith(f"warning: {start}")
    assert line.endswith("; `make report` counts them again")
    assert "is not known: tracking.uri=http://" in words()
    assert "hunter2" not in line + words()


def test_a_report_that_cannot_be_written_leaves_the_one_before(config: Config) -> None:
    assert write_report(config, "c0ffee", "why").startswith("The model predicts y with")
    before = REPORT.read_text("utf-8")
    METRICS.write_text("{", "utf-8")
    with pytest.raises(UserError, match=r"^data/metrics\.json: is damaged"):
        write_report(config, "c0ffee", "why")
    assert REPORT.read_text("utf-8") == before
