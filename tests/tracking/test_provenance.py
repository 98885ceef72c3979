"""The commit, what differs from it, and the packages of a result."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.runtime.files import write_text
from pipeline.tracking import provenance


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working directory is a small project."""
    monkeypatch.chdir(tmp_path)
    write_text(Path("dvc.yaml"), "stages: {}\n")
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


def diff_lines() -> list[str]:
    """The lines of the diff, where all is known."""
    changes = provenance.git_changes()
    assert changes.unknown is None
    assert changes.commit == git("rev-parse", "HEAD").strip()
    return changes.diff.splitlines()


@pytest.mark.usefixtures("repository")
def test_without_changes_there_is_no_diff() -> None:
    changes = provenance.git_changes()
    assert (changes.diff, changes.other_files, changes.unknown) == ("", {}, None)
    assert changes.dirty == "false"


@pytest.mark.usefixtures("repository")
def test_the_diff_has_changed_staged_deleted_and_new_files() -> None:
    write_text(Path("code.py"), "changed\n")
    write_text(Path("other.txt"), "staged\n")
    git("add", "other.txt")
    Path("raw/a.csv").unlink()
    write_text(Path("conf/data/Größe.yaml"), "brand new\n")
    lines = diff_lines()
    for line in ("+changed", "-print()", "+staged", "-other", "-1", "+brand new"):
        assert line in lines
    assert provenance.git_changes().dirty == "true"


@pytest.mark.parametrize(
    "setting",
    ["color.ui=always", "diff.noprefix=true", "diff.external=false", "diff.mnemonicPrefix=true"],
)
@pytest.mark.usefixtures("repository")
def test_the_diff_brings_the_commit_to_what_is_there(setting: str) -> None:
    git("config", *setting.split("="))
    write_text(Path("code.py"), "changed\n")
    write_text(Path("pipeline/new.py"), "brand new\n")
    diff = provenance.git_changes().diff
    git("stash", "--include-untracked", "--quiet")
    assert not Path("pipeline/new.py").exists()
    subprocess.run(["git", "apply"], input=f"{diff}\n", text=True, check=True)
    assert Path("code.py").read_text("utf-8") == "changed\n"
    assert Path("pipeline/new.py").read_text("utf-8") == "brand new\n"


@pytest.mark.usefixtures("repository")
def test_the_diff_has_files_that_are_not_in_utf_8() -> None:
    Path("other.txt").write_bytes("grün\n".encode("latin-1"))
    lines = diff_lines()
    assert "+++ b/other.txt" in lines
    assert "+gr\N{REPLACEMENT CHARACTER}n" in lines


@pytest.mark.parametrize("name", ["notes.txt", ".env", "conf/.env", "Größe 1.csv", "raw/b.csv"])
@pytest.mark.usefixtures("repository")
def test_a_new_file_that_is_no_code_is_listed_by_its_hash(name: str) -> None:
    write_text(Path(name), "DB_PASSWORD=hunter2\n")
    changes = provenance.git_changes()
    assert changes.diff == ""
    assert changes.other_files == {name: "034841861c1f6bc48ab63ed4b9bc7a10"}
    assert changes.dirty == "true"


@pytest.mark.usefixtures("repository")
def test_a_changed_file_of_keys_is_listed_by_its_hash_and_not_shown() -> None:
    for name in (".env", "deep/server.key"):
        write_text(Path(name), "before\n")
    git("add", "--all")
    git("commit", "--quiet", "--message", "B")
    for name in (".env", "deep/server.key"):
        write_text(Path(name), "after\n")
    changes = provenance.git_changes()
    assert changes.diff == ""
    assert set(changes.other_files) == {".env", "deep/server.key"}


@pytest.mark.usefixtures("repository")
def test_the_diff_shows_no_secret_and_says_that_it_is_not_complete() -> None:
    write_text(Path("code.py"), "connect('postgresql://ann:hunter2@db/runs')\n")
    write_text(Path("conf/deploy.yaml"), "api_key: hunter2hunter2\nunits: 3\n")
    lines = diff_lines()
    assert lines[0] == "# Not complete: what looks like a secret is replaced by ***"
    assert "+connect('postgresql://ann:***@db/runs')" in lines
    assert "+units: 3" in lines
    assert not any("hunter2" in line for line in lines)


@pytest.mark.usefixtures("repository")
def test_a_long_diff_is_cut_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "MAX_DIFF_CHARACTERS", 10)
    write_text(Path("code.py"), "changed\n")
    first, second = diff_lines()
    assert first.startswith("# Not complete: cut after 10 of ")
    assert second == "diff --git"


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
    assert provenance.git_changes().dirty == "false"
    write_text(Path("data/schema/x.yaml"), "brand new\n")
    headers = [line for line in diff_lines() if line.startswith("diff ")]
    assert headers == ["diff --git a/data/schema/x.yaml b/data/schema/x.yaml"]


@pytest.mark.usefixtures("repository")
def test_the_diff_leaves_out_ignored_files() -> None:
    write_text(Path(".git/info/exclude"), "*.log\n")
    write_text(Path("a.log"), "log\n")
    assert provenance.git_changes().dirty == "false"


def test_the_diff_leaves_the_index_as_it_was(repository: Path) -> None:
    write_text(Path("code.py"), "staged\n")
    git("add", "code.py")
    write_text(Path("code.py"), "changed\n")
    write_text(Path("pipeline/new.py"), "brand new\n")
    status, index = git("status", "--porcelain"), (repository / ".git/index").read_bytes()
    assert provenance.git_changes().diff
    assert (repository / ".git/index").read_bytes() == index
    assert git("status", "--porcelain") == status


@pytest.mark.usefixtures("repository")
def test_a_detached_head_a_worktree_and_a_shallow_clone_have_commit_and_diff(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git("checkout", "--quiet", "--detach")
    git("worktree", "add", "--quiet", "beside")
    git("clone", "--quiet", "--depth", "1", f"file://{tmp_path}", "shallow")
    for folder in ("beside", "shallow"):
        monkeypatch.chdir(tmp_path / folder)
        write_text(Path("code.py"), "changed\n")
        assert "+changed" in diff_lines()


def test_a_project_in_a_folder_of_a_repository_has_its_own_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repository: Path
) -> None:
    write_text(Path("inner/dvc.yaml"), "stages: {}\n")
    git("add", "--all")
    git("commit", "--quiet", "--message", "B")
    write_text(repository / "code.py", "changed\n")
    write_text(repository / "new.txt", "brand new\n")
    monkeypatch.chdir(tmp_path / "inner")
    assert provenance.git_changes().dirty == "false"
    write_text(Path("dvc.yaml"), "stages: {a: {}}\n")
    assert "diff --git a/dvc.yaml b/dvc.yaml" in diff_lines()


# What Git cannot say


def no_commit(_monkeypatch: pytest.MonkeyPatch) -> None:
    git("update-ref", "-d", "HEAD")


def no_repository(_monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".git").rename("no-git")


def no_git(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")


def another_project(_monkeypatch: pytest.MonkeyPatch) -> None:
    git("rm", "--quiet", "--cached", "dvc.yaml")
    git("commit", "--quiet", "--message", "B")


def another_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    # As Git's own tests have it: nobody else's folder is at hand.
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")


def no_folder_of_a_submodule(_monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".git").rename("no-git")
    write_text(Path(".git"), "gitdir: ../.git/modules/project\n")


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (no_commit, "the Git repository has no commit yet; `git commit` makes one"),
        (no_repository, "this folder is in no Git repository; `git init` makes one"),
        (no_git, "Git cannot be started (No such file or directory); install it"),
        (another_project, "the commit has no dvc.yaml, so it is not of this project; commit it"),
        (another_owner, "git config --global --add safe.directory "),
        (no_folder_of_a_submodule, "Git: fatal: not a git repository: "),
    ],
)
@pytest.mark.usefixtures("repository")
def test_what_git_cannot_say_is_unknown_and_never_unchanged(
    monkeypatch: pytest.MonkeyPatch, broken: Callable[[pytest.MonkeyPatch], None], reason: str
) -> None:
    write_text(Path("code.py"), "changed\n")
    broken(monkeypatch)
    changes = provenance.git_changes()
    assert (changes.commit, changes.dirty) == (None, "unknown")
    assert reason in (changes.unknown or "")
    tags = provenance.run_tags()
    assert tags["git.unknown"] == changes.unknown
    assert "mlflow.source.git.commit" not in tags


@pytest.mark.usefixtures("repository")
def test_a_commit_whose_changes_cannot_be_found_out_is_known() -> None:
    blob = git("rev-parse", "HEAD:code.py").strip()
    write_text(Path("code.py"), "changed\n")
    Path(f".git/objects/{blob[:2]}/{blob[2:]}").unlink()
    changes = provenance.git_changes()
    assert changes.commit == git("rev-parse", "HEAD").strip()
    assert changes.dirty == "unknown"


def test_the_reason_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    provenance.warn_unknown("Git says no")
    assert capsys.readouterr().err == (
        "warning: the run's commit, or what differs from it, is unknown: Git says no\n"
    )


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
