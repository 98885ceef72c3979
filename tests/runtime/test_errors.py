"""The user's errors and warnings, and what the machine refuses."""

import errno
import json
import os
from pathlib import Path

import pytest

from pipeline.runtime.errors import (
    REMEDIES,
    UserError,
    made_again,
    read_errors,
    refusal,
    warn,
    write_errors,
)


def read(path: Path) -> object:
    with read_errors(path):
        return json.loads(path.read_text("utf-8"))["columns"]


def message(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        read(path)
    return str(caught.value)


def test_a_missing_file_of_a_model_folder_is_named_with_what_writes_it(tmp_path: Path) -> None:
    assert message(tmp_path / "contract.json") == (
        f"{tmp_path}: holds no contract.json; the train stage writes a model folder"
    )


DAMAGED = pytest.mark.parametrize("content", [b"", b"{", b"{}", b"3", b"[]", b"\xff"])


@DAMAGED
def test_a_damaged_file_of_a_model_folder_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "contract.json"
    path.write_bytes(content)
    assert message(path) == f"{path}: is not what the train stage writes"


STAGES = pytest.mark.parametrize(
    ("path", "stage"),
    [
        ("data/config.yaml", "configure"),
        ("data/prepared/encoding.json", "prepare"),
        ("data/model/curves/train.csv", "train"),
        ("data/evaluation/predictions.csv", "evaluate"),
        ("data/metrics.json", "evaluate"),
    ],
)


@STAGES
def test_a_missing_file_of_a_stage_is_named_with_the_command_that_makes_it(
    path: str, stage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert message(Path(path)) == f"{path}: no such file; `dvc repro {stage}` makes it again"


@STAGES
@DAMAGED
def test_a_damaged_file_of_a_stage_is_named_with_the_command_that_makes_it(
    path: str, stage: str, content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(path).parent.mkdir(parents=True)
    Path(path).write_bytes(content)
    assert message(Path(path)) == f"{path}: is damaged; `dvc repro {stage}` makes it again"


def test_no_command_makes_a_file_that_is_no_stages() -> None:
    assert made_again(Path("elsewhere/model.keras")) == ""


@pytest.mark.parametrize("number", REMEDIES)
def test_what_the_machine_refuses_is_one_line_with_what_to_do(number: int) -> None:
    with pytest.raises(UserError) as caught, write_errors(Path("data/model")):
        raise OSError(number, os.strerror(number), "/some/draft")
    assert str(caught.value) == f"data/model: {os.strerror(number)}; {REMEDIES[number]}"


@pytest.mark.parametrize(
    "error",
    [
        # As h5py, Arrow and HDF5's own clean-up state it.
        OSError("Unable to write (errno = 28, error message = 'No space left on device')"),
        OSError("[Errno 28] Error writing bytes to file. Detail: No space left on device"),
        RuntimeError("Can't close file (error message = 'No space left on device')"),
    ],
)
def test_what_only_the_text_of_an_error_states_is_found_too(error: Exception) -> None:
    full = "No space left on device; free some space and run it again"
    assert str(refusal(error, "a")) == f"a: {full}"


def test_the_path_is_that_of_the_error_unless_another_is_known() -> None:
    error = PermissionError(errno.EACCES, "Permission denied", "conf/config.yaml")
    assert str(refusal(error)).startswith("conf/config.yaml: Permission denied; ")
    assert str(refusal(OSError(errno.EMFILE, "..."))).startswith("Too many open files; ")
    assert str(refusal(MemoryError())).startswith("Cannot allocate memory; ")


@pytest.mark.parametrize("error", [ValueError("x"), FileNotFoundError(errno.ENOENT, "x", "y")])
def test_an_error_of_the_code_stays_what_it_is(error: Exception) -> None:
    assert refusal(error) is None
    with pytest.raises(type(error)) as caught, write_errors(Path("data/model")):
        raise error
    assert caught.value is error


def test_an_error_of_the_user_passes_as_it_is() -> None:
    with pytest.raises(UserError, match="its own"), write_errors(Path("data/model")):
        raise UserError("its own")
    with pytest.raises(UserError, match="its own"), read_errors(Path("data/model/a")):
        raise UserError("its own")


def test_a_warning_is_one_line_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    warn("not tracked")
    assert capsys.readouterr() == ("", "warning: not tracked\n")


def test_a_notebook_shows_the_text_alone() -> None:
    shown = UserError("rows.csv: a\nrows.csv: b, from https://ann:s3cret@host")._render_traceback_()
    assert shown == ["error: rows.csv: a", "error: rows.csv: b, from https://***@host"]
