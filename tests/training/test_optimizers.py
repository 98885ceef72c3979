"""The update rules are those of Keras's optimizers, for one network and for many."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.config.training import (
    OPTIMIZERS,
    SGD,
    Adam,
    AdamW,
    Constant,
    Layer,
    Optimizer,
    RMSprop,
    Training,
)
from pipeline.network.backend import keras, tf
from pipeline.training import from_config
from pipeline.training.members import stack_hyperparameters
from pipeline.training.optimizers import RULES, clip, decay, number_of_slots
from tests.peers import keras_optimizer

Array = NDArray[np.float32]

EACH: dict[str, Optimizer] = {
    "sgd": SGD(learning_rate=0.05),
    "momentum": SGD(learning_rate=0.05, momentum=0.9),
    "nesterov": SGD(learning_rate=0.05, momentum=0.9, nesterov=True),
    "adam": Adam(learning_rate=0.01),
    "adam with other hyperparameters": Adam(
        learning_rate=0.01, beta_1=0.5, beta_2=0.8, epsilon=0.1
    ),
    "adamw": AdamW(learning_rate=0.01, weight_decay=0.3),
    "rmsprop": RMSprop(learning_rate=0.01),
    "rmsprop with momentum": RMSprop(learning_rate=0.01, rho=0.6, momentum=0.5, epsilon=1e-3),
    "clipnorm": SGD(learning_rate=0.05, clipnorm=0.5),
    "clipvalue": Adam(learning_rate=0.01, clipvalue=0.1),
}
WEIGHT = np.random.default_rng(1).normal(size=(2, 3)).astype(np.float32)
GRADIENTS = np.random.default_rng(2).normal(size=(4, 2, 3)).astype(np.float32)


def by_the_rule(optimizers: Sequence[Optimizer]) -> list[Array]:
    """The weight after each step; for several optimizers, a member for each."""
    members = [
        from_config.member(
            [],
            layers=[Layer(units=1)],
            optimizer=one,
            schedule=Constant(),
            training=Training(),
            rows=1,
        )
        for one in optimizers
    ]
    stacked = stack_hyperparameters(members)
    single = len(members) == 1
    rates = np.array([one.learning_rate for one in optimizers], np.float32).reshape(-1, 1, 1)
    rate = tf.constant(rates[0] if single else rates)
    weight = tf.constant(WEIGHT if single else np.stack([WEIGHT] * len(members)))
    slots = [tf.zeros_like(weight)] * number_of_slots(
        optimizers[0].name, stacked["hyperparameters"]
    )
    steps = []
    for time, gradient in enumerate(GRADIENTS, start=1):
        shortened = clip(
            tf.broadcast_to(gradient, weight.shape), stacked["clipnorm"], stacked["clipvalue"]
        )
        weight, slots = RULES[optimizers[0].name].update(
            decay(weight, rate, stacked["weight_decay"]),
            shortened,
            slots,
            rate=rate,
            time=tf.constant(time, tf.float32),
            hyperparameters=stacked["hyperparameters"],
        )
        steps.append(np.asarray(weight))
    return steps


def by_keras(optimizer: Optimizer) -> list[Array]:
    variable = keras.Variable(WEIGHT)
    theirs = keras_optimizer(optimizer, Constant(), 1, 1)
    steps = []
    for gradient in GRADIENTS:
        theirs.apply([tf.constant(gradient)], [variable])
        steps.append(np.array(variable))
    return steps


@pytest.mark.parametrize("name", EACH)
def test_a_rule_takes_the_steps_of_keras_s_optimizer(name: str) -> None:
    for ours, theirs in zip(by_the_rule([EACH[name]]), by_keras(EACH[name]), strict=True):
        assert ours.shape == (2, 3)
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "optimizers",
    [
        [
            SGD(learning_rate=0.05),
            SGD(learning_rate=0.02, momentum=0.5),
            SGD(learning_rate=0.03, momentum=0.9, nesterov=True, clipnorm=0.5),
        ],
        [
            Adam(learning_rate=0.01),
            Adam(learning_rate=0.02, beta_1=0.5, beta_2=0.9),
            Adam(learning_rate=0.01, epsilon=0.1, clipvalue=0.2),
        ],
        [
            AdamW(learning_rate=0.01),
            AdamW(learning_rate=0.01, weight_decay=0.0),
            AdamW(learning_rate=0.03, weight_decay=0.5, beta_1=0.8),
        ],
        [
            RMSprop(learning_rate=0.01),
            RMSprop(learning_rate=0.02, rho=0.5, epsilon=1e-3),
            RMSprop(learning_rate=0.01, momentum=0.7, clipnorm=1.0),
        ],
    ],
    ids=list(OPTIMIZERS),
)
def test_each_member_is_updated_with_its_own_hyperparameters(optimizers: list[Optimizer]) -> None:
    together = by_the_rule(optimizers)
    for index, one in enumerate(optimizers):
        for ours, theirs in zip(together, by_keras(one), strict=True):
            np.testing.assert_allclose(ours[index], theirs, rtol=1e-5, atol=1e-6)


def test_each_optimizer_of_the_configuration_has_a_rule() -> None:
    assert set(RULES) == set(OPTIMIZERS) == {one.name for one in EACH.values()}


@pytest.mark.parametrize(
    ("optimizer", "slots"),
    [
        (EACH["sgd"], 0),
        (EACH["momentum"], 1),
        (EACH["adam"], 2),
        (EACH["adamw"], 2),
        (EACH["rmsprop"], 1),
        (EACH["rmsprop with momentum"], 2),
    ],
    ids=lambda value: value.name if isinstance(value, Optimizer) else str(value),
)
def test_a_rule_keeps_no_more_than_it_needs(optimizer: Optimizer, slots: int) -> None:
    hyperparameters = {
        name: np.full((1, 1), value, np.float32)
        for name, value in from_config.hyperparameters(optimizer).items()
    }
    assert number_of_slots(optimizer.name, hyperparameters) == slots


def test_momentum_of_a_single_member_is_kept_for_all() -> None:
    momentum = np.array([0.0, 0.0, 0.5], np.float32).reshape(3, 1, 1)
    assert number_of_slots("sgd", {"momentum": momentum}) == 1
    assert number_of_slots("sgd", {"momentum": np.zeros_like(momentum)}) == 0


def clipped(gradient: Array, norm: float, value: float) -> Array:
    return np.asarray(clip(tf.constant(gradient), np.float32(norm), np.float32(value)))


@pytest.mark.parametrize(
    ("norm", "value", "left"),
    [
        (np.inf, 0.5, [0.5, -0.5]),
        (np.inf, 3.5, [3.0, -3.5]),
        (1.0, np.inf, [0.6, -0.8]),
        (5.0, np.inf, [3.0, -4.0]),
        (np.inf, np.inf, [3.0, -4.0]),
    ],
)
def test_a_gradient_is_clipped(norm: float, value: float, left: list[float]) -> None:
    gradient = np.array([[3.0, -4.0]], np.float32)
    assert clipped(gradient, norm, value).tolist() == [pytest.approx(left)]


def test_a_gradient_without_bounds_is_not_changed_at_all() -> None:
    np.testing.assert_array_equal(clipped(GRADIENTS, np.inf, np.inf), GRADIENTS)


def test_a_gradient_of_zero_stays_zero() -> None:
    assert clipped(np.zeros((1, 2), np.float32), 1.0, 1.0).tolist() == [[0.0, 0.0]]


def test_each_member_is_clipped_by_its_own_bounds() -> None:
    gradients = tf.constant([[[3.0, -4.0]]] * 3)
    norm = tf.constant([1.0, np.inf, np.inf], shape=(3, 1, 1))
    value = tf.constant([np.inf, 0.5, np.inf], shape=(3, 1, 1))
    expected = np.array([[[0.6, -0.8]], [[0.5, -0.5]], [[3.0, -4.0]]])
    np.testing.assert_allclose(clip(gradients, norm, value), expected, rtol=1e-6)


def test_weights_decay_in_proportion_to_the_learning_rate() -> None:
    assert decay(np.array([[2.0, -4.0]]), 0.1, 0.5).tolist() == [pytest.approx([1.9, -3.8])]
    np.testing.assert_array_equal(decay(WEIGHT, 0.1, 0.0), WEIGHT)


def test_a_learning_rate_of_zero_changes_no_weight() -> None:
    for optimizer in EACH.values():
        last = by_the_rule([replace(optimizer, learning_rate=0.0)])[-1]
        np.testing.assert_array_equal(last, WEIGHT)
