"""The user's errors and warnings."""

import json
from pathlib import Path

import pytest

from pipeline.runtime.errors import UserError, model_file_errors, warn


def read(path: Path) -> object:
    with model_file_errors(path):
        return json.loads(path.read_text("utf-8"))["columns"]


def test_a_missing_file_of_a_model_folder_is_named_with_what_writes_it(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        read(tmp_path / "contract.json")
    assert str(caught.value) == (
        f"{tmp_path}: holds no contract.json; the train stage writes a model folder"
    )


@pytest.mark.parametrize("text", ["", "{", "{}", "3"])
def test_a_damaged_file_of_a_model_folder_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "contract.json"
    path.write_text(text, "utf-8")
    with pytest.raises(UserError) as caught:
        read(path)
    assert str(caught.value) == f"{path}: is not what the train stage writes"


def test_a_warning_is_one_line_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    warn("not tracked")
    assert capsys.readouterr() == ("", "warning: not tracked\n")
