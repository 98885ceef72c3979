"""The seconds of a stage are known for the inputs that it had."""

import json
from pathlib import Path

import pytest
import yaml

from pipeline.runtime.files import write_text
from pipeline.tracking.fingerprint import of_stage
from pipeline.tracking.stage_command import note_seconds, noted_seconds


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working directory is a small project with one stage, fit."""
    monkeypatch.chdir(tmp_path)
    fit = {"cmd": "python code.py", "deps": ["code.py"]}
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
