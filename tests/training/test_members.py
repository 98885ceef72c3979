"""Members are stacked along a leading axis, and one alone has none."""

import math
from typing import Any

import numpy as np
import pytest

from pipeline.training.members import NEVER, Member, Stopping, own, stack, starts


def member(scale: float = 1.0, **changed: Any) -> Member:
    shapes = [(2, 3), (3,), (3, 1), (1,)]
    usual: dict[str, Any] = {
        "weights": [np.full(shape, scale, np.float32) for shape in shapes],
        "dropout": [0.1 * scale, 0.0],
        "l1": [0.01 * scale, 0.02],
        "l2": [0.0, 0.03 * scale],
        "learning_rate": np.ones_like,
        "settings": {"momentum": 0.3 * scale, "nesterov": 0.0},
        "seed": int(scale),
    }
    return Member(**(usual | changed))


def test_arrays_of_one_stay_as_they_are_and_of_many_get_an_axis() -> None:
    array = np.arange(6).reshape(2, 3)
    assert stack([array]).shape == (2, 3)
    assert stack([array] * 4).shape == (4, 2, 3)
    assert stack([array] * 4, axis=1).shape == (2, 4, 3)


def test_every_weight_starts_with_two_axes() -> None:
    (kernel, bias, *last) = starts([member(2.0)])
    assert [kernel.shape, bias.shape] == [(2, 3), (1, 3)]
    assert [array.shape for array in last] == [(3, 1), (1, 1)]
    assert {array.dtype for array in (kernel, bias, *last)} == {np.dtype("float32")}


def test_the_members_start_each_with_its_own_weights() -> None:
    stacked = starts([member(scale) for scale in (1.0, 2.0, 3.0)])
    assert [array.shape for array in stacked] == [(3, 2, 3), (3, 1, 3), (3, 3, 1), (3, 1, 1)]
    for array in stacked:
        assert array[:, 0, 0].tolist() == [1.0, 2.0, 3.0]


def test_a_member_alone_has_no_axis_of_members() -> None:
    alone = own([member(2.0, clipnorm=0.5, weight_decay=0.1, stopping=Stopping(7, 0.5))])
    for name in ("clipnorm", "clipvalue", "weight_decay", "seed"):
        assert alone[name].shape == (1, 1)
    for name in ("dropout", "l1", "l2"):
        assert [layer.shape for layer in alone[name]] == [(1, 1), (1, 1)]
    assert {name: value.shape for name, value in alone["settings"].items()} == {
        "momentum": (1, 1),
        "nesterov": (1, 1),
    }
    assert (alone["patience"].shape, int(alone["patience"])) == ((), 7)
    assert (alone["min_delta"].shape, float(alone["min_delta"])) == ((), 0.5)


def test_each_member_has_its_own_along_the_leading_axis() -> None:
    stacked = own(
        [
            member(1.0, clipnorm=0.5, stopping=Stopping(7, 0.25)),
            member(2.0, clipvalue=0.25, weight_decay=0.125),
        ]
    )
    for name, expected in {
        "clipnorm": [0.5, math.inf],
        "clipvalue": [math.inf, 0.25],
        "weight_decay": [0.0, 0.125],
        "seed": [1, 2],
    }.items():
        assert stacked[name].shape == (2, 1, 1)
        assert stacked[name].ravel().tolist() == expected
    for name, layers in {
        "dropout": [[0.1, 0.2], [0.0, 0.0]],
        "l1": [[0.01, 0.02], [0.02, 0.02]],
        "l2": [[0.0, 0.0], [0.03, 0.06]],
    }.items():
        for array, numbers in zip(stacked[name], layers, strict=True):
            assert array.shape == (2, 1, 1)
            assert array.ravel().tolist() == pytest.approx(numbers)
    assert stacked["settings"]["momentum"].ravel().tolist() == pytest.approx([0.3, 0.6])
    assert stacked["patience"].tolist() == [7, NEVER]
    assert stacked["min_delta"].tolist() == [0.25, 0.0]


@pytest.mark.parametrize("name", ["beta_1", "beta_2", "rho"])
def test_what_is_left_of_one_keeps_its_digits(name: str) -> None:
    settings = own([member(settings={name: 0.999})])["settings"]
    assert settings[f"one_minus_{name}"].tolist() == [[np.float32(1 - 0.999)]]
    # In float32 it would be off in the fifth digit.
    assert np.float32(1) - settings[name] != settings[f"one_minus_{name}"]


def test_the_greatest_seed_of_the_configuration_is_kept_whole() -> None:
    assert int(own([member(seed=2**32 - 1)])["seed"][0, 0]) == 2**32 - 1
