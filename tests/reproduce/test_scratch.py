"""A clone has the code, the changes and the data that a run had."""

import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.reproduce.scratch import Scratch
from pipeline.runtime.errors import UserError
from pipeline.tracking.provenance import recordable

STAGES = (
    "stages:\n  prepare:\n    cmd: python\n    deps: [data/raw, code.py]\n    outs: [data/new]\n"
)
ROWS = b"x,y\n1,2\n"
MD5 = hashlib.md5(ROWS, usedforsecurity=False).hexdigest()
INPUTS = {"prepare": {"data/raw/rows.csv": MD5}}


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=A Tester", "-c", "user.email=tester@example.org"]
    command = ["git", *identity, *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture(params=["", "project"])
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A committed project, whose data are not committed; also below the root of a repository."""
    root = tmp_path / "repository" / str(request.param)
    (root / "data/raw").mkdir(parents=True)
    (root / ".dvc").mkdir()
    (root / ".dvc/config").touch()
    (root / "dvc.yaml").write_text(STAGES, "utf-8")
    (root / "code.py").write_text("one = 1\n", "utf-8")
    (root / ".gitignore").write_text("/data/raw\n", "utf-8")
    git(tmp_path / "repository", "init", "--quiet")
    git(root, "add", ".")
    git(root, "commit", "--quiet", "--message", "project")
    return root


@pytest.fixture
def scratch(project: Path, tmp_path: Path) -> Scratch:
    return Scratch(project, tmp_path / "clone")


def head(project: Path) -> str:
    return git(project, "rev-parse", "HEAD").strip()


def mistake(call: Callable[[], None]) -> str:
    with pytest.raises(UserError) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_commit_and_what_differed_from_it_are_back(project: Path, scratch: Scratch) -> None:
    commit = head(project)
    (project / "code.py").write_text("one = 1\ntwo = 2\n", "utf-8")
    diff = git(project, "diff", "HEAD", "--relative")
    git(project, "commit", "--quiet", "--all", "--message", "later")
    scratch.check_out(commit, diff)
    assert (scratch.root / "code.py").read_text("utf-8") == "one = 1\ntwo = 2\n"
    assert head(scratch.root) == commit


def test_a_commit_that_is_gone_is_named(scratch: Scratch) -> None:
    assert mistake(lambda: scratch.check_out("c0ffee" + "0" * 34, "")) == (
        "the commit c0ffee000000 is not in this repository; `git fetch --all` gets it, if another"
        " one still has it"
    )


@pytest.mark.parametrize(
    ("diff", "reason"),
    [
        ("+password = 's3cret'\n", "what looks like a secret is replaced by ***"),
        ("+" + "x" * 1_000_000, "cut after 1000000 of 1000001 characters"),
    ],
)
def test_changes_that_were_not_recorded_as_a_whole_are_not_applied(
    diff: str, reason: str, project: Path, scratch: Scratch
) -> None:
    text = mistake(lambda: scratch.check_out(head(project), recordable(diff)))
    assert f"are not complete: {reason}; only runs of committed code can be repeated then" in text


def test_changes_that_do_not_apply_are_named(project: Path, scratch: Scratch) -> None:
    diff = "--- a/code.py\n+++ b/code.py\n@@ -1 +1 @@\n-three = 3\n+four = 4\n"
    text = mistake(lambda: scratch.check_out(head(project), diff))
    assert "cannot be applied: Git: error: patch failed: " in text


def test_data_come_from_the_working_tree_or_the_cache_by_their_hash(
    project: Path, scratch: Scratch
) -> None:
    scratch.check_out(head(project), "")
    (project / "data/raw/rows.csv").write_bytes(b"others")
    assert mistake(lambda: scratch.restore(INPUTS)) == (
        "files that the run read are in none of the commit, the working tree, DVC's cache and a"
        f" remote: data/raw/rows.csv ({MD5}); restore them with these MD5s, and run the command"
        " again"
    )
    cached = project / ".dvc/cache/files/md5" / MD5[:2] / MD5[2:]
    cached.parent.mkdir(parents=True)
    cached.write_bytes(ROWS)
    scratch.restore(INPUTS)
    assert (scratch.root / "data/raw/rows.csv").read_bytes() == ROWS
    cached.unlink()
    (scratch.root / "data/raw/rows.csv").unlink()
    (project / "data/raw/rows.csv").write_bytes(ROWS)
    # What a stage writes is not restored, but computed.
    scratch.restore(INPUTS | {"train": {"data/new/rows.parquet": "0"}})
    assert (scratch.root / "data/raw/rows.csv").read_bytes() == ROWS


@pytest.mark.long  # four commands of DVC
def test_data_come_from_a_remote(project: Path, scratch: Scratch, tmp_path: Path) -> None:
    def dvc(*arguments: str) -> None:
        command = [sys.executable, "-m", "dvc", *arguments]
        subprocess.run(command, cwd=project, check=True, capture_output=True)

    (project / ".gitignore").unlink()
    (project / "data/raw/rows.csv").write_bytes(ROWS)
    dvc("add", "data/raw/rows.csv")
    # With what a user keeps out of Git, such as a password.
    dvc("remote", "add", "--default", "disk", str(tmp_path / "remote"))
    dvc("config", "--local", "remote.disk.url", str(tmp_path / "remote"))
    git(project, "add", ".")
    git(project, "commit", "--quiet", "--message", "data")
    dvc("push")
    (project / "data/raw/rows.csv").unlink()
    (project / ".dvc/cache").rename(tmp_path / "lost")
    scratch.check_out(head(project), "")
    scratch.restore(INPUTS)
    assert (scratch.root / "data/raw/rows.csv").read_bytes() == ROWS
