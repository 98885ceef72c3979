"""The files of an experiment as Hydra reads them."""

import pytest

from tests.compose.folder import ROOT, composed, mistake, write_conf

DEFAULT = "conf/training/default.yaml"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("epochs: 010\n", "training.epochs must be a whole number, not '010'; write 10"),
        ("training: {epochs: 3}\n",
         "unknown key training.training; write the keys of training without it"),
        ("defaults: default\n", "defaults must be a list of options, such as [default]"),
        ("defaults: [null]\n", "defaults must be a list of options, such as [default]"),
        ("defaults: [default]\n", "its defaults lead back to itself; remove it from one of them"),
        ("# @author Ann B.\n", "a comment that begins with @ must be @package NAME"),
        ("- 3\n", "must be a mapping of keys to values"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_file_names_it(content: str, text: str) -> None:
    write_conf("training/default.yaml", content)
    assert mistake("conf: {training: default}") == f"{DEFAULT}: {text}"


def test_options_that_are_built_on_each_other_are_named() -> None:
    write_conf("training/default.yaml", "defaults: [other]\n")
    write_conf("training/other.yaml", "defaults: [default]\n")
    assert mistake("conf: {training: default}") == (
        f"{DEFAULT}: its defaults lead back to itself; remove it from one of them"
    )


def test_the_main_file_without_params_is_refused() -> None:
    text = (ROOT / "conf/config.yaml").read_text("utf-8")
    write_conf("config.yaml", text.replace("  - /params@_global_\n", ""))
    assert mistake("{}") == (
        "conf/config.yaml: params.yaml has no effect; add /params@_global_ to defaults"
    )


def test_an_option_without_a_schema_is_told_which_there_are() -> None:
    write_conf("schedule/constant.yaml", "")
    assert mistake("conf: {schedule: constant}") == (
        "conf/schedule/constant.yaml: its defaults must contain constant_schema or"
        " exponential_schema or cosine_schema"
    )


def test_an_option_may_set_another_group_by_its_header() -> None:
    write_conf("training/default.yaml", "# @package _global_\ntraining: {epochs: 3}\n")
    assert composed("conf: {training: default}").config.training.epochs == 3
