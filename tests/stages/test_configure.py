"""The configure stage: its warnings, its errors, its output."""

from pathlib import Path

import pytest
import yaml

from pipeline.compose.schema import GROUPS, read_config
from pipeline.runtime.errors import UserError
from pipeline.runtime.paths import COMPOSED
from pipeline.stages import configure
from tests.compose.folder import copy_experiment, write_params


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy_experiment(tmp_path)
    monkeypatch.chdir(tmp_path)


def test_a_warning_is_one_line_and_the_configuration_is_written(
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_params("conf: {data: proportional}\ndata: {path: cars.csv, target: mpg}\n")
    configure.main()
    out, err = capsys.readouterr()
    (line,) = err.splitlines()
    assert line.startswith("warning: data.path is cars.csv, but conf.data=proportional is for ")
    assert out == ""
    assert read_config().data.path == "cars.csv"


def test_the_configuration_is_written_in_the_order_of_the_groups_and_without_a_word(
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_params("conf: {data: proportional}\n")
    configure.main(["training.epochs=3"])
    assert capsys.readouterr() == ("", "")
    text = COMPOSED.read_text("utf-8")
    assert list(yaml.safe_load(text)) == ["conf", *GROUPS]
    assert text.startswith("# Written by the configure stage")
    assert read_config().training.epochs == 3


def test_a_mistake_writes_nothing() -> None:
    write_params("training: {epoch: 3}\n")
    with pytest.raises(UserError, match=r"^params\.yaml: unknown key training\.epoch; did you"):
        configure.main()
    assert not COMPOSED.exists()
