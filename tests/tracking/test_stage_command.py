"""The seconds of a stage are known for the inputs that it had, and its last outputs are kept."""

import json
import os
import shutil
from pathlib import Path

import pytest
import yaml

from pipeline.runtime.errors import UserError
from pipeline.runtime.files import write_text
from pipeline.tracking.fingerprint import of_stage
from pipeline.tracking.stage_command import (
    alone,
    keep_outputs,
    note_seconds,
    noted_seconds,
    restore_outputs,
)


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working directory is a small project with one stage, fit."""
    monkeypatch.chdir(tmp_path)
    outs = ["fitted", {"report.txt": {"cache": False}}, {"log.txt": {"persist": True}}]
    fit = {"cmd": "python code.py", "deps": ["code.py"], "outs": outs}
    write_text(Path("dvc.yaml"), yaml.safe_dump({"stages": {"fit": fit}}))
    write_text(Path("code.py"), "print()\n")


def noted() -> float | None:
    return noted_seconds("fit", of_stage("fit").hash)


def test_seconds_are_those_noted_for_the_same_inputs() -> None:
    note_seconds("fit")
    content = json.loads(Path("data/timings/fit.json").read_text("utf-8"))
    assert noted() == content["seconds"] > 0


def test_seconds_are_unknown_once_the_inputs_changed() -> None:
    note_seconds("fit")
    write_text(Path("code.py"), "print(1)\n")
    assert noted() is None


@pytest.mark.parametrize("note", [None, "", "{"])
def test_seconds_are_unknown_without_a_note_that_can_be_read(note: str | None) -> None:
    if note is not None:
        write_text(Path("data/timings/fit.json"), note)
    assert noted() is None


def test_outputs_that_dvc_removes_are_those_of_the_last_end() -> None:
    for text in ("first", "second"):
        for name in ("fitted/a/b.txt", "report.txt", "log.txt"):
            write_text(Path(name), text)
        keep_outputs("fit")
    shutil.rmtree("fitted")
    Path("report.txt").unlink()
    assert restore_outputs("fit") == [Path("fitted"), Path("report.txt")]
    assert Path("fitted/a/b.txt").read_text("utf-8") == "second"
    # What takes their place changes nothing of what is kept.
    write_text(Path("report.txt"), "third")
    shutil.rmtree("fitted")
    assert restore_outputs("fit") == [Path("fitted")]
    assert Path("report.txt").read_text("utf-8") == "third"


def test_nothing_is_put_back_of_a_stage_that_has_not_ended_yet() -> None:
    keep_outputs("fit")
    assert restore_outputs("fit") == []
    assert [path.name for path in Path().iterdir() if path.name.startswith(".")] == []


def test_a_stage_that_another_process_runs_is_refused_until_that_ends() -> None:
    with alone("fit"):
        with alone("other"):
            pass
        with pytest.raises(UserError, match=f"process {os.getpid()} runs the stage fit here; .*"):
            alone("fit").__enter__()
    with alone("fit"):
        pass
