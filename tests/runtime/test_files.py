"""Outputs are written completely or not at all."""

import os
import subprocess
from pathlib import Path

import pytest

from pipeline.runtime.files import whole_directory, whole_file, write_text

ENDINGS = pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])


def write_half_a_directory(target: Path, error: type[BaseException]) -> None:
    with whole_directory(target) as draft:
        (draft / "a.txt").write_text("new", "utf-8")
        raise error


def write_half_a_file(target: Path, error: type[BaseException]) -> None:
    with whole_file(target) as draft:
        draft.write_text("new", "utf-8")
        raise error


def content(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text("utf-8")
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A folder written by an earlier run."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "a.txt").write_text("old", "utf-8")
    (folder / "b.txt").write_text("old", "utf-8")
    return folder


def test_a_directory_replaces_the_old_one(old: Path) -> None:
    with whole_directory(old) as draft:
        (draft / "sub").mkdir()
        (draft / "sub" / "a.txt").write_text("new", "utf-8")
    assert content(old.parent) == {"model/sub/a.txt": "new"}


def test_a_directory_stays_as_it_was_until_the_block_ends(old: Path) -> None:
    with whole_directory(old) as draft:
        (draft / "a.txt").write_text("new", "utf-8")
        assert content(old) == {"a.txt": "old", "b.txt": "old"}


@ENDINGS
def test_a_directory_stays_as_it_was_when_the_block_raises(
    old: Path, error: type[BaseException]
) -> None:
    with pytest.raises(error):
        write_half_a_directory(old, error)
    assert content(old) == {"a.txt": "old", "b.txt": "old"}
    assert list(old.parent.iterdir()) == [old]


def test_a_block_that_raises_leaves_no_directory(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="half"), whole_directory(tmp_path / "data" / "model"):
        raise ValueError("half")
    assert list((tmp_path / "data").iterdir()) == []


def test_a_directory_gets_its_parents_and_is_readable_by_others(tmp_path: Path) -> None:
    target = tmp_path / "data" / "deep" / "model"
    with whole_directory(target):
        pass
    assert target.stat().st_mode & 0o777 == 0o755


def test_a_file_replaces_the_old_one(old: Path) -> None:
    with whole_file(old / "a.txt") as draft:
        draft.write_text("new", "utf-8")
        assert content(old)["a.txt"] == "old"
    assert content(old) == {"a.txt": "new", "b.txt": "old"}


@ENDINGS
def test_a_file_stays_as_it_was_when_the_block_raises(
    old: Path, error: type[BaseException]
) -> None:
    with pytest.raises(error):
        write_half_a_file(old / "a.txt", error)
    assert content(old) == {"a.txt": "old", "b.txt": "old"}


def test_a_block_that_raises_before_it_writes_shows_its_own_error(old: Path) -> None:
    with pytest.raises(ValueError, match="early"), whole_file(old / "a.txt"):
        raise ValueError("early")
    assert content(old) == {"a.txt": "old", "b.txt": "old"}


def test_text_is_written_as_utf_8_below_new_folders(tmp_path: Path) -> None:
    write_text(tmp_path / "data" / "note.txt", "Größe\n")
    assert (tmp_path / "data" / "note.txt").read_bytes() == "Größe\n".encode()


def test_text_that_cannot_be_encoded_leaves_the_old_text(old: Path) -> None:
    with pytest.raises(UnicodeEncodeError):
        write_text(old / "a.txt", "new \ud800")
    assert content(old) == {"a.txt": "old", "b.txt": "old"}


def test_what_killed_processes_have_left_is_removed(tmp_path: Path) -> None:
    with subprocess.Popen(["true"]) as dead:
        dead.wait()
    left = [tmp_path / f".model-{dead.pid}-x7_a", tmp_path / f".model-{os.getppid()}-x"]
    for folder in left:
        (folder / "new").mkdir(parents=True)
    (tmp_path / f".metrics.json-{dead.pid}").write_text("{")
    (tmp_path / f".model-other-{dead.pid}").write_text("of the user")
    with whole_directory(tmp_path / "model"):
        pass
    write_text(tmp_path / "metrics.json", "{}")
    names = {".model-other-" + str(dead.pid), left[1].name, "model", "metrics.json"}
    assert {path.name for path in tmp_path.iterdir()} == names
