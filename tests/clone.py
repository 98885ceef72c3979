"""A clone of this repository as it stands, uncommitted work included."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

import pandas as pd
from dvc.repo import Repo
from mlflow import MlflowClient
from mlflow.entities import Run

ROOT = Path(__file__).parents[1]
# None of these may reach into a test from the shell that starts it.
HIDDEN = re.compile(r"^(DVC_|MLFLOW_|GIT_|SWEEP_|PYTHONPATH$)")


class Clone:
    """The files of the repository in a new Git repository at root."""

    executable = sys.executable

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True)
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            check=True,
        )
        for name in filter(None, listed.stdout.decode().split("\0")):
            if (ROOT / name).is_file():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, root / name)
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("config", "user.name", "A Tester")
        self.git("config", "user.email", "tester@example.org")
        self.commit("as cloned")

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not HIDDEN.match(name)}
        return kept | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"}

    def run(
        self, *command: str, check: bool = True, environment: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command,
            cwd=self.root,
            env=self.environment() | (environment or {}),
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"{command} failed:\n{done.stdout}\n{done.stderr}")
        return done

    def git(self, *arguments: str) -> str:
        return self.run("git", *arguments).stdout

    def commit(self, message: str) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)

    def dvc(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.run(sys.executable, "-m", "dvc", *arguments, check=check)

    def python(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.run(sys.executable, *arguments, check=check)

    @contextmanager
    def inside(self) -> Iterator[None]:
        """For commands of the pipeline in this process, which has imported Keras already:
        the clone is the working directory, and the project that runs are recorded for."""
        before = Path.cwd()
        hidden = {name: os.environ.pop(name) for name in list(os.environ) if HIDDEN.match(name)}
        os.environ["DVC_ROOT"] = str(self.root)
        os.chdir(self.root)
        try:
            yield
        finally:
            os.chdir(before)
            del os.environ["DVC_ROOT"]
            os.environ.update(hidden)

    def changed(self) -> set[str]:
        """The stages that `dvc status` names: their code, data or values are not those of
        dvc.lock."""
        with self.inside(), Repo() as repo:
            return set(repo.status())

    def accept(self) -> None:
        """Lets dvc.lock say that the results are those of the code, data and values as they
        are now, as `dvc commit --force` does."""
        with self.inside(), Repo() as repo:
            repo.commit(force=True)

    def stage(self, name: str, *arguments: str) -> str:
        """Runs a stage as the command that it is, without DVC; returns what it prints."""
        return self.python("-m", f"pipeline.stages.{name}", *arguments).stdout

    def repro(self, *arguments: str, **environment: str) -> list[str]:
        """Runs `dvc repro` and returns the stages that really ran, in order."""
        done = self.run(sys.executable, "-m", "dvc", "repro", *arguments, environment=environment)
        return re.findall(r"Running stage '(\w+)'", done.stdout)

    def read(self, path: str) -> str:
        return (self.root / path).read_text("utf-8")

    @contextmanager
    def edited(self, path: str, old: str, new: str) -> Iterator[None]:
        """The file with old replaced by new, for the length of the block."""
        text = self.read(path)
        assert old in text
        (self.root / path).write_text(text.replace(old, new), "utf-8")
        try:
            yield
        finally:
            (self.root / path).write_text(text, "utf-8")

    def store(self) -> str:
        return f"sqlite:///{self.root / 'mlflow.db'}"

    def client(self) -> MlflowClient:
        return MlflowClient(self.store())

    def runs(self, store: str | None = None) -> list[Run]:
        """All runs of the default experiment, the newest first."""
        client = MlflowClient(store or self.store())
        experiment = client.get_experiment_by_name("dense-regression")
        assert experiment is not None
        return list(client.search_runs([experiment.experiment_id]))

    def experiments(self) -> set[str]:
        """The names that DVC has for its experiments."""
        shown = pd.read_csv(StringIO(self.dvc("exp", "show", "--csv").stdout))
        return set(shown["Experiment"].dropna()) - {"main"}

    def wait_for_points(self) -> str:
        """The id of the running run, once it has points of its curve."""
        for _ in range(600):
            for run in self.runs():
                if run.info.status == "RUNNING" and "loss" in run.data.metrics:
                    return str(run.info.run_id)
            time.sleep(0.1)
        raise AssertionError("no run has begun")

    def wait_for_end(self, run: str) -> str:
        """The status of a run once it is over: the recorder of a killed process first writes
        what was sent to it."""
        status = ""
        for _ in range(600):
            status = str(self.client().get_run(run).info.status)
            if status != "RUNNING":
                break
            time.sleep(0.1)
        return status

    def wait_for_queue(self, command: list[str], count: int) -> set[str]:
        """The names of the queued experiments, once count of them have succeeded."""
        status = ""
        for _ in range(600):
            status = self.run(*command).stdout
            if "Failed" in status:
                break
            done = re.findall(r"^\w+ +(\S+) .* Success$", status, re.MULTILINE)
            if len(done) == count:
                return set(done)
            time.sleep(1)
        raise AssertionError(f"the queue did not end well:\n{status}")
