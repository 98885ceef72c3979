"""A folder with conf/ and params.yaml: the working directory of these tests."""

import shutil
from functools import cache
from pathlib import Path

import pytest

from pipeline.compose.experiment import Composed, compose
from pipeline.compose.schema import GROUPS
from pipeline.compose.sources import CONF, PARAMS
from pipeline.runtime.errors import UserError

ROOT = Path(__file__).parents[2]
OPTIONS = sorted((path.parent.name, path.stem) for path in (ROOT / CONF).glob("*/*.yaml"))


def copy_experiment(folder: Path) -> None:
    """Copies conf/ and params.yaml. Options of data/ without a path and a target are given one."""
    shutil.copytree(ROOT / CONF, folder / CONF)
    shutil.copy(ROOT / PARAMS, folder)
    for option in (folder / CONF / "data").iterdir():
        text = option.read_text("utf-8").replace("path: ???", "path: data/raw/own.csv")
        option.write_text(text.replace("target: ???", "target: own"), "utf-8")


@cache
def option_composed(index: int) -> Composed:
    """The experiment with the option of that index in each group, counted from 0 again where a
    group has fewer: composing each option by itself would take most of the time of the tests."""
    options = {group: [option for of, option in OPTIONS if of == group] for group in GROUPS}
    chosen = {group: names[index % len(names)] for group, names in options.items()}
    return composed("{}", *(f"{group}={option}" for group, option in chosen.items()))


def write_params(text: str) -> None:
    Path(PARAMS).write_text(text, "utf-8")


def write_conf(file: str, text: str) -> None:
    (Path(CONF) / file).write_text(text, "utf-8")


def composed(params: str, *overrides: str) -> Composed:
    write_params(params)
    return compose(Path(), overrides)


def mistake(params: str, *overrides: str) -> str:
    """The error of compose; a single mistake is one line."""
    write_params(params)
    with pytest.raises(UserError) as caught:
        compose(Path(), overrides)
    message = str(caught.value)
    assert "\n" not in message
    return message
