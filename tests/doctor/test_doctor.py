"""The doctor says in one line what is wrong with an environment, and how to fix it."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from pipeline.doctor import files, python, repository, stores
from pipeline.doctor.findings import Finding
from pipeline.tracking.environment import warn_of_changing
from pipeline.tracking.processes import this_process
from tests.clone import HIDDEN
from tests.imports import ROOT

Check = Callable[[Path], Iterator[Finding]]


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in filter(HIDDEN.match, [*os.environ]):
        monkeypatch.delenv(name)


def said(check: Check, root: Path) -> str:
    return "\n".join(f"{one.status}: {one.text}" for one in check(root))


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """The tables of an mlflow.db that the doctor reads."""
    file = tmp_path / "mlflow.db"
    for table in (
        "alembic_version (version_num)",
        "experiments (name, artifact_location, lifecycle_stage)",
        "runs (run_uuid, status, lifecycle_stage)",
        "tags (run_uuid, key, value)",
    ):
        execute(file, f"CREATE TABLE {table}")
    _, newest = stores._schemas()
    execute(file, "INSERT INTO alembic_version VALUES (?)", newest)
    location = f"file://{tmp_path}/mlruns"
    execute(file, "INSERT INTO experiments VALUES ('trials', ?, 'active')", location)
    return file


def execute(file: Path, statement: str, *values: str) -> None:
    with closing(sqlite3.connect(file)) as database, database:
        database.execute(statement, values)


def test_a_sound_environment_is_ok(tmp_path: Path, store: Path) -> None:
    # Locks of another version of Python, as of a test matrix, are those of make.
    assert said(python.packages, ROOT).startswith("ok: all ")
    assert (
        said(python.variables, ROOT) == "ok: no variable changes results, or sends them elsewhere"
    )
    assert said(repository.git, ROOT).startswith("ok: commit ")
    assert said(stores.runs, tmp_path) == f"ok: {store}"
    assert said(stores.sweeps, tmp_path) == f"ok: {tmp_path}/sweeps.db: there is none yet"
    assert said(files.disk, tmp_path).startswith("ok: ")
    assert said(files.leftovers, tmp_path) == "ok: no drafts or checkpoints of killed processes"


def test_it_starts_without_any_package() -> None:
    # Without the site-packages: as where the installation was interrupted.
    done = subprocess.run(
        [sys.executable, "-S", "-m", "pipeline.doctor"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == ""
    assert "wrong  packages: cannot be checked: No module named 'pip'; `make repro` installs" in (
        done.stdout
    )
    assert "ok     disk: " in done.stdout


def test_another_python_than_that_of_the_project_is_named(tmp_path: Path) -> None:
    assert "is not that of .venv" in said(python.version, tmp_path)


def test_packages_that_are_not_those_of_the_lock_are_named(tmp_path: Path) -> None:
    (tmp_path / "requirements").mkdir()
    (tmp_path / python.LOCK).write_text(
        "numpy==1.0 \\\n    --hash=sha256:00\n    # via\nno-such-package==2.0 \\\n"
        "pywin32==312 ; sys_platform == 'win32' \\\n",
        "utf-8",
    )
    text = said(python.packages, tmp_path)
    assert text.startswith("wrong: numpy is ")
    assert ", not 1.0, no-such-package is missing; `rm -f .venv/run.stamp && make" in text


def test_variables_that_change_results_or_where_they_go_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", "http://elsewhere")
    text = said(python.variables, tmp_path)
    assert "wrong: ONEDNN_MAX_CPU_ISA is set and changes the instructions" in text
    assert "note: MLFLOW_REGISTRY_URI=http://elsewhere; unless it is meant for" in text
    warn_of_changing()
    assert capsys.readouterr().err.startswith("warning: ONEDNN_MAX_CPU_ISA is set and changes")


def test_a_git_that_refuses_the_folder_is_quoted_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    text = said(repository.git, ROOT)
    assert text.startswith("wrong: Git: fatal: detected dubious ownership")
    assert "git config --global --add safe.directory" in text


def test_a_remote_that_is_not_there_and_outputs_that_are_in_no_cache_are_named(
    tmp_path: Path,
) -> None:
    assert said(repository.dvc, tmp_path).endswith(
        ": has no .dvc; run the doctor in the project's own folder"
    )
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").write_text("['remote \"disk\"']\n url = ../away\n", "utf-8")
    outs = [{"path": "data/model", "md5": "00ff.dir"}, {"path": "data/metrics.json", "md5": "0f"}]
    (tmp_path / "dvc.lock").write_text(yaml.safe_dump({"stages": {"train": {"outs": outs}}}))
    lines = said(repository.dvc, tmp_path).splitlines()
    assert lines[0].endswith("/.dvc/cache: has not data/model of dvc.lock; `dvc repro` computes"
                             " them, `dvc pull` fetches them")  # fmt: skip
    assert lines[1].startswith(
        f"wrong: the remote disk is {tmp_path}/away, which is no folder; mount or create it, or"
    )


def test_a_store_of_another_version_of_mlflow_is_named(tmp_path: Path, store: Path) -> None:
    execute(store, "UPDATE alembic_version SET version_num = '451aebb31d03'")
    assert "of an older version of MLflow; `mlflow db upgrade" in said(stores.runs, tmp_path)
    execute(store, "UPDATE alembic_version SET version_num = 'from the future'")
    assert "of a newer version of MLflow; install that one" in said(stores.runs, tmp_path)


def test_runs_whose_process_is_gone_are_counted(tmp_path: Path, store: Path) -> None:
    machine = this_process().partition("/")[0]
    for run, process in (("1", f"{machine}/999999999/0"), ("2", this_process()), ("3", "far/1/0")):
        execute(store, "INSERT INTO runs VALUES (?, 'RUNNING', 'active')", run)
        execute(store, "INSERT INTO tags VALUES (?, 'process', ?)", run, process)
    assert said(stores.runs, tmp_path).startswith(f"note: {store}: 1 runs are marked as RUNNING")


def test_a_database_that_was_moved_is_named(tmp_path: Path, store: Path) -> None:
    execute(store, "UPDATE experiments SET artifact_location = 'file:///before/mlruns'")
    text = said(stores.runs, tmp_path)
    assert text.startswith(f"note: {store}: was moved or copied from /before, where the artifacts")
    # As the next command names it.
    execute(store, "UPDATE experiments SET name = 'trials of /before (1)'")
    assert said(stores.runs, tmp_path) == f"ok: {store}"


def test_a_database_that_cannot_be_used_is_named(tmp_path: Path, store: Path) -> None:
    with closing(sqlite3.connect(store, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        text = said(stores.runs, tmp_path)
        assert text == f"wrong: {store}: database is locked; wait for the process that writes to it"
    store.write_text("no database, but a text of some length\n" * 100)
    assert "file is not a database; move it away" in said(stores.runs, tmp_path)


def test_a_server_that_does_not_answer_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert said(stores.runs, tmp_path) == (
        "wrong: MLFLOW_TRACKING_URI=http://127.0.0.1:9: 127.0.0.1:9 cannot be reached (Connection"
        " refused); start the server, or set another one"
    )


def test_what_killed_processes_left_is_named(tmp_path: Path) -> None:
    (tmp_path / "data/.checkpoints").mkdir(parents=True)
    (tmp_path / "data/.checkpoints/one.npz").write_bytes(b"0" * 2_000_000)
    (tmp_path / f"data/.model-{2**30}-abc").mkdir()
    (tmp_path / f"data/.model-{os.getpid()}-abc").mkdir()
    assert said(files.leftovers, tmp_path) == (
        f"note: a killed process left data/.model-{2**30}-abc; delete it, or run the same command"
        f" again\nnote: {tmp_path}/data/.checkpoints: 1 checkpoints of trainings, 2 MB; the same"
        " training goes on from them; if you do not repeat it: rm -r data/.checkpoints"
    )
