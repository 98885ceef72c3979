"""The types of values."""

from typing import Any

import pytest

from pipeline.compose.values import type_of, typed
from pipeline.config.training import Loss
from pipeline.runtime.errors import UserError


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("data.target", "007", "007"),
        ("data.split.column", "null", "null"),
        ("training.epochs", "1_000", 1000),
        ("training.epochs", "0x10", 16),
        ("training.epochs", "+5", 5),
        ("data.split.test", "1e-3", 0.001),
        ("data.split.test", ".5", 0.5),
        ("training.shuffle", "off", False),
        ("training.shuffle", "Yes", True),
        ("training.shuffle", "0", False),
        ("training.loss", "mae", "mae"),
        ("optimizer.momentum", "0.9", 0.9),
        ("data.kinds.2016", "category", "category"),
        ("data.date_formats.when", "%d.%m.%Y", "%d.%m.%Y"),
        ("data.date_formats", {"when": ["%Y", "%H"]}, {"when": ["%Y", "%H"]}),
        ("sweep.minutes", None, None),
        ("training.epochs", "${training.batch_size}", "${training.batch_size}"),
        ("data.target", "???", "???"),
        ("data.leave_out", ["No", "1.10"], ["No", "1.10"]),
        ("model.layers", [{"units": "3"}], [{"units": 3}]),
        ("model.layers.0.units", "3", 3),
        ("model", {"layers": [None]}, {"layers": [{}]}),
        ("data", {"leave_out": None, "kinds": None, "split": None, "features": None},
         {"leave_out": [], "kinds": {}, "split": {}, "features": None}),
        ("", {"training": None, "data": {"target": "1.0"}},
         {"training": {}, "data": {"target": "1.0"}}),
    ],
)  # fmt: skip
def test_a_text_becomes_a_value_of_its_keys_type(key: str, text: Any, value: Any) -> None:
    result = typed(text, key, "file")
    assert result == value
    assert type(result) is type(value)


def test_a_negative_zero_is_zero() -> None:
    assert str(typed("-0.0", "data.split.test", "file")) == "0.0"


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("training.epochs", "1:30"),
        ("training.epochs", "010"),
        ("training.epochs", "9" * 5000),
        ("training.epochs", str(2**63)),
        ("training.epochs", "true"),
        ("data.split.test", ".inf"),
        ("data.split.test", "1:30.5"),
        ("training.shuffle", "2"),
        ("training.shuffle", "1.0"),
        ("training.loss", "MSE"),
        ("data.target", None),
        ("data.target", ["y"]),
        ("data.leave_out", "x"),
        ("data.kinds", ["x"]),
        ("training", "3"),
        ("training", []),
        ("training.epoch", "3"),
        ("training.epochs.x", "3"),
        ("model.layers.x", "3"),
        ("data.kinds", {"a": "${oc.env:HOME}"}),
        ("data.target", "${oc.env:HOME}"),
        ("data.target", "${now:%Y}"),
        ("data.target", "${"),
    ],
)
def test_a_text_that_another_type_would_need_is_refused(key: str, text: Any) -> None:
    with pytest.raises(UserError, match=r"^file: "):
        typed(text, key, "file")


def test_the_type_of_a_key_is_that_of_the_schema() -> None:
    assert type_of("training.loss") is Loss
    assert type_of("model.layers.0.units") is int
    assert type_of("training.epoch") is None
