"""Members are stacked along a leading axis; a single member has none."""

import math
from typing import Any

import numpy as np
import pytest

from pipeline.training.members import (
    NEVER,
    Member,
    Stopping,
    stack,
    stack_hyperparameters,
    stack_weights,
)


def member(scale: float = 1.0, **changed: Any) -> Member:
    shapes = [(2, 3), (3,), (3, 1), (1,)]
    defaults: dict[str, Any] = {
        "weights": [np.full(shape, scale, np.float32) for shape in shapes],
        "dropout": [0.1 * scale, 0.0],
        "l1": [0.01 * scale, 0.02],
        "l2": [0.0, 0.03 * scale],
        "learning_rate": np.ones_like,
        "hyperparameters": {"momentum": 0.3 * scale, "nesterov": 0.0},
        "seed": int(scale),
    }
    return Member(**(defaults | changed))


def test_arrays_of_several_members_have_another_axis() -> None:
    array = np.arange(6).reshape(2, 3)
    assert stack([array]).shape == (2, 3)
    assert stack([array] * 4).shape == (4, 2, 3)
    assert stack([array] * 4, axis=1).shape == (2, 4, 3)


def test_every_weight_has_two_axes() -> None:
    (kernel, bias, *last) = stack_weights([member(2.0)])
    assert [kernel.shape, bias.shape] == [(2, 3), (1, 3)]
    assert [array.shape for array in last] == [(3, 1), (1, 1)]
    assert {array.dtype for array in (kernel, bias, *last)} == {np.dtype("float32")}


def test_each_member_has_its_own_weights() -> None:
    stacked = stack_weights([member(scale) for scale in (1.0, 2.0, 3.0)])
    assert [array.shape for array in stacked] == [(3, 2, 3), (3, 1, 3), (3, 3, 1), (3, 1, 1)]
    for array in stacked:
        assert array[:, 0, 0].tolist() == [1.0, 2.0, 3.0]


def test_a_single_member_has_no_axis_of_members() -> None:
    single = stack_hyperparameters(
        [member(2.0, clipnorm=0.5, weight_decay=0.1, stopping=Stopping(7, 0.5))]
    )
    for name in ("clipnorm", "clipvalue", "weight_decay", "seed"):
        assert single[name].shape == (1, 1)
    for name in ("dropout", "l1", "l2"):
        assert [layer.shape for layer in single[name]] == [(1, 1), (1, 1)]
    assert {name: value.shape for name, value in single["hyperparameters"].items()} == {
        "momentum": (1, 1),
        "nesterov": (1, 1),
    }
    assert (single["patience"].shape, int(single["patience"])) == ((), 7)
    assert (single["min_delta"].shape, float(single["min_delta"])) == ((), 0.5)


def test_each_member_has_its_own_hyperparameters_along_the_leading_axis() -> None:
    stacked = stack_hyperparameters(
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
    assert stacked["hyperparameters"]["momentum"].ravel().tolist() == pytest.approx([0.3, 0.6])
    assert stacked["patience"].tolist() == [7, NEVER]
    assert stacked["min_delta"].tolist() == [0.25, 0.0]


@pytest.mark.parametrize("name", ["beta_1", "beta_2", "rho"])
def test_one_minus_a_decay_rate_keeps_its_digits(name: str) -> None:
    stacked = stack_hyperparameters([member(hyperparameters={name: 0.999})])["hyperparameters"]
    assert stacked[f"one_minus_{name}"].tolist() == [[np.float32(1 - 0.999)]]
    # In float32 the fifth digit would be wrong.
    assert np.float32(1) - stacked[name] != stacked[f"one_minus_{name}"]


def test_the_largest_seed_is_stacked_exactly() -> None:
    assert int(stack_hyperparameters([member(seed=2**32 - 1)])["seed"][0, 0]) == 2**32 - 1
