"""The fingerprint of a stage changes with everything that its result depends on."""

import hashlib
import os
import re
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import yaml

from pipeline.runtime.files import write_text
from pipeline.runtime.paths import REPORT
from pipeline.tracking.fingerprint import Fingerprint, hash_files, of_stage

MODEL = {"units": 3, "rate": 0.1}


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working directory is a small project with one stage, fit."""
    monkeypatch.chdir(tmp_path)
    write_stage()
    write_config(model=MODEL, tracking={"uri": None})
    write_text(Path("code.py"), "print()\n")
    write_text(Path("raw/a.csv"), "x\n1\n")
    write_text(Path("raw/deep/b.csv"), "x\n2\n")
    write_text(Path("other.txt"), "other\n")


def write_stage(cmd: str = "python code.py", deps: tuple[str, ...] = ("code.py", "raw")) -> None:
    fit = {"cmd": cmd, "deps": list(deps), "params": [{"config.yaml": ["model"]}]}
    write_text(Path("dvc.yaml"), yaml.safe_dump({"stages": {"fit": fit}}))


def write_config(**sections: Any) -> None:
    write_text(Path("config.yaml"), yaml.safe_dump(sections))


def fingerprint() -> Fingerprint:
    return of_stage("fit")


def test_a_fingerprint_says_what_it_was_taken_of() -> None:
    found = fingerprint()
    assert set(found.inputs) == {"code.py", "raw/a.csv", "raw/deep/b.csv"}
    assert found.sections == {"model": MODEL}
    assert re.fullmatch("[0-9a-f]{32}", found.hash)


def test_the_hash_of_an_input_is_the_md5_of_its_content() -> None:
    content = bytes(range(256)) * 5000
    Path("raw/a.csv").write_bytes(content)
    assert (
        fingerprint().inputs["raw/a.csv"] == hashlib.md5(content, usedforsecurity=False).hexdigest()
    )


def test_a_fingerprint_changes_with_the_content_of_an_input() -> None:
    before = fingerprint().hash
    write_text(Path("raw/deep/b.csv"), "x\n3\n")
    assert fingerprint().hash != before


def test_a_fingerprint_changes_with_the_name_of_an_input() -> None:
    before = fingerprint().hash
    Path("raw/a.csv").rename("raw/c.csv")
    assert fingerprint().hash != before


def test_a_fingerprint_changes_with_a_new_file_in_a_folder() -> None:
    before = fingerprint().hash
    write_text(Path("raw/new.csv"), "")
    assert fingerprint().hash != before


def test_a_fingerprint_changes_with_a_value_of_a_section() -> None:
    before = fingerprint().hash
    write_config(model={**MODEL, "rate": 0.2}, tracking={"uri": None})
    assert fingerprint().hash != before


def test_a_fingerprint_changes_with_the_command() -> None:
    before = fingerprint().hash
    write_stage(cmd="python -O code.py")
    assert fingerprint().hash != before


def test_a_fingerprint_does_not_change_with_what_the_stage_does_not_read() -> None:
    before = fingerprint()
    write_config(tracking={"uri": "sqlite:///other.db"}, model=MODEL, new={})
    write_text(Path("other.txt"), "changed\n")
    write_text(Path("raw/__pycache__/a.pyc"), "compiled\n")
    assert fingerprint() == before


def test_a_fingerprint_does_not_change_with_the_order_in_which_things_are_stated() -> None:
    before = fingerprint().hash
    write_stage(deps=("raw", "code.py"))
    write_config(model=dict(reversed(MODEL.items())))
    assert fingerprint().hash == before


def test_a_fingerprint_is_the_same_from_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = fingerprint()
    monkeypatch.chdir(tmp_path / "raw")
    assert of_stage("fit", tmp_path) == before


def test_a_single_file_is_hashed_under_its_own_path() -> None:
    assert hash_files(Path("code.py")) == {
        "code.py": hashlib.md5(b"print()\n", usedforsecurity=False).hexdigest()
    }


def test_byte_code_is_left_out_as_dvcignore_has_it() -> None:
    ignored = [
        line
        for line in (Path(__file__).parents[2] / ".dvcignore").read_text("utf-8").splitlines()
        if not line.startswith("#")
    ]
    # The last one is no dependency of any stage.
    assert ignored == ["__pycache__/", "*.pyc", f"/{REPORT}"]
    for name in ("code.pyc", "deep/code.pyc", "__pycache__/any.txt", "deep/__pycache__/any.txt"):
        write_text(Path("raw") / name, "compiled\n")
    write_text(Path("raw/pyc"), "no byte code\n")
    assert set(hash_files(Path("raw"))) == {"raw/a.csv", "raw/deep/b.csv", "raw/pyc"}


def test_a_file_is_read_once_until_it_changes() -> None:
    with mock.patch("hashlib.file_digest", wraps=hashlib.file_digest) as digest:
        before = hash_files(Path("raw"))
        assert digest.call_count == 2
        assert hash_files(Path("raw")) == before
        assert hash_files(Path("raw/a.csv"))["raw/a.csv"] == before["raw/a.csv"]
        assert digest.call_count == 2
        # As long as before and with the same time, but another file.
        times = Path("raw/a.csv").stat()
        write_text(Path("raw/a.csv"), "x\n9\n")
        os.utime("raw/a.csv", ns=(times.st_atime_ns, times.st_mtime_ns))
        assert hash_files(Path("raw"))["raw/a.csv"] != before["raw/a.csv"]
        assert digest.call_count == 3
