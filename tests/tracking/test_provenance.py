"""The commit, what differs from it, and the packages of a result."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.runtime.files import write_text
from pipeline.tracking import provenance


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working directory is a small project."""
    monkeypatch.chdir(tmp_path)
    write_text(Path("code.py"), "print()\n")
    write_text(Path("raw/a.csv"), "x\n1\n")
    write_text(Path("other.txt"), "other\n")


# Git


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project in a Git repository with one commit."""
    # Neither the settings of whoever runs this nor a repository around it matter.
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "A")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "a@example.org")
    git("init", "--quiet")
    git("add", "--all")
    git("commit", "--quiet", "--message", "A")
    return tmp_path


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout


@pytest.mark.usefixtures("repository")
def test_the_commit_is_the_one_that_is_checked_out() -> None:
    assert provenance.git_commit() == git("rev-parse", "HEAD").strip()


@pytest.mark.usefixtures("repository")
def test_without_changes_there_is_no_diff() -> None:
    assert provenance.git_diff() is None


@pytest.mark.usefixtures("repository")
def test_the_diff_has_changed_staged_deleted_and_new_files() -> None:
    write_text(Path("code.py"), "changed\n")
    write_text(Path("other.txt"), "staged\n")
    git("add", "other.txt")
    Path("raw/a.csv").unlink()
    write_text(Path("new/Größe.txt"), "brand new\n")
    diff = provenance.git_diff()
    assert diff is not None
    lines = diff.splitlines()
    for line in ("+changed", "-print()", "+staged", "-other", "-1", "+brand new"):
        assert line in lines


@pytest.mark.usefixtures("repository")
def test_the_diff_brings_the_commit_to_what_is_there() -> None:
    write_text(Path("code.py"), "changed\n")
    write_text(Path("new.txt"), "brand new\n")
    diff = provenance.git_diff()
    git("stash", "--include-untracked", "--quiet")
    assert not Path("new.txt").exists()
    subprocess.run(["git", "apply"], input=f"{diff}\n", text=True, check=True)
    assert Path("code.py").read_text("utf-8") == "changed\n"
    assert Path("new.txt").read_text("utf-8") == "brand new\n"


@pytest.mark.usefixtures("repository")
def test_the_diff_has_files_that_are_not_in_utf_8() -> None:
    Path("new.csv").write_bytes("grün\n".encode("latin-1"))
    diff = provenance.git_diff()
    assert diff is not None
    assert "+++ b/new.csv" in diff.splitlines()
    assert "+gr\N{REPLACEMENT CHARACTER}n" in diff.splitlines()


@pytest.mark.parametrize("committed", [False, True], ids=["new", "changed"])
@pytest.mark.usefixtures("repository")
def test_the_diff_leaves_out_what_the_stages_write_themselves(*, committed: bool) -> None:
    derived = ["dvc.lock", "data/config.yaml", "data/metrics.json"]
    for file in derived:
        write_text(Path(file), "before\n")
    if committed:
        git("add", "--all")
        git("commit", "--quiet", "--message", "B")
    for file in derived:
        write_text(Path(file), "after\n")
    assert provenance.git_diff() is None
    write_text(Path("data/notes.txt"), "brand new\n")
    diff = provenance.git_diff()
    assert diff is not None
    headers = [line for line in diff.splitlines() if line.startswith("diff ")]
    assert headers == ["diff --git a/data/notes.txt b/data/notes.txt"]


@pytest.mark.usefixtures("repository")
def test_the_diff_leaves_out_ignored_files() -> None:
    write_text(Path(".git/info/exclude"), "*.log\n")
    write_text(Path("a.log"), "log\n")
    assert provenance.git_diff() is None


def test_the_diff_leaves_the_index_as_it_was(repository: Path) -> None:
    write_text(Path("code.py"), "staged\n")
    git("add", "code.py")
    write_text(Path("code.py"), "changed\n")
    write_text(Path("new.txt"), "brand new\n")
    status, index = git("status", "--porcelain"), (repository / ".git/index").read_bytes()
    assert provenance.git_diff() is not None
    assert (repository / ".git/index").read_bytes() == index
    assert git("status", "--porcelain") == status


def test_a_repository_without_a_commit_has_neither_commit_nor_diff(repository: Path) -> None:
    git("update-ref", "-d", "HEAD")
    write_text(repository / "new.txt", "brand new\n")
    assert provenance.git_commit() is None
    assert provenance.git_diff() is None


def test_outside_a_repository_there_is_neither_commit_nor_diff(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / ".git").rename(repository / "no-git")
    assert provenance.git_commit() is None
    assert provenance.git_diff() is None
    monkeypatch.setenv("PATH", "")
    assert provenance.git_commit() is None


# Packages


def test_the_named_packages_are_those_that_are_installed() -> None:
    versions = provenance.packages()
    assert versions["python"] == ".".join(map(str, sys.version_info[:3]))
    assert {"keras", "tensorflow", "numpy", "mlflow"} <= set(versions)
    lines = provenance.all_packages().splitlines()
    for name in set(versions) - {"python"}:
        assert f"{name}=={versions[name]}" in lines


def test_all_packages_are_one_requirement_a_line() -> None:
    lines = provenance.all_packages().splitlines()
    assert all(re.fullmatch(r"[\w.-]+==\S+", line) for line in lines)
    names = [line.partition("==")[0].lower() for line in lines]
    assert names == sorted(names)
