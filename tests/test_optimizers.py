"""Every key of an optimizer or a schedule reaches Keras."""

import math
from dataclasses import fields
from typing import Any

import pytest

from pipeline import optimizers
from pipeline.backend import keras
from pipeline.config import (
    OPTIMIZERS,
    SCHEDULES,
    SGD,
    Constant,
    Cosine,
    Exponential,
    Optimizer,
    Schedule,
)

CLASSES = {
    "sgd": keras.optimizers.SGD,
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
    "rmsprop": keras.optimizers.RMSprop,
}
# A value for each field that is none of its defaults.
OTHERS: dict[str, Any] = {
    "learning_rate": 0.5,
    "clipnorm": 2.0,
    "clipvalue": 3.0,
    "momentum": 0.8,
    "nesterov": True,
    "beta_1": 0.7,
    "beta_2": 0.6,
    "epsilon": 1e-3,
    "rho": 0.55,
    "weight_decay": 0.25,
    "decay_rate": 0.125,
    "decay_epochs": 3,
    "final_fraction": 0.75,
}
STEPS, EPOCHS = 5, 20


def built(optimizer: Optimizer, schedule: Schedule | None = None) -> keras.optimizers.Optimizer:
    return optimizers.build(optimizer, schedule or Constant(), steps_per_epoch=STEPS, epochs=EPOCHS)


def rate_at(epoch: int, schedule: Schedule, rate: float = 0.1) -> float:
    """The learning rate that a step of that epoch, from 0, begins with."""
    optimizer = built(SGD(learning_rate=rate), schedule)
    optimizer.iterations.assign(epoch * STEPS)
    return float(optimizer.learning_rate)


def keys(kinds: dict[str, type[Optimizer]] | dict[str, type[Schedule]]) -> list[tuple[str, str]]:
    return [
        (name, item.name)
        for name, kind in kinds.items()
        for item in fields(kind)
        if item.name != "name"
    ]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_name_becomes_the_optimizer_of_keras(name: str) -> None:
    assert type(built(OPTIMIZERS[name](learning_rate=0.01))) is CLASSES[name]


@pytest.mark.parametrize(("name", "key"), keys(OPTIMIZERS))
def test_every_key_of_an_optimizer_reaches_keras(name: str, key: str) -> None:
    common: dict[str, Any] = {
        "learning_rate": 0.01,
        **({"momentum": 0.5} if key == "nesterov" else {}),
    }
    default = OPTIMIZERS[name](**common)
    other = OPTIMIZERS[name](**{**common, key: OTHERS[key]})
    for configured in (default, other):
        value, reached = getattr(configured, key), getattr(built(configured), key)
        if key == "learning_rate":
            reached = float(reached)
        assert reached == (pytest.approx(value) if isinstance(value, float) else value)
    assert getattr(default, key) != getattr(other, key)


def test_an_optimizer_that_keras_lacks_is_named() -> None:
    with pytest.raises(TypeError, match="no Keras optimizer for Optimizer"):
        built(Optimizer(name="other", learning_rate=0.01))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_follows_a_schedule(name: str) -> None:
    optimizer = built(OPTIMIZERS[name](learning_rate=0.1), Exponential(decay_epochs=1))
    optimizer.iterations.assign(2 * STEPS)
    assert float(optimizer.learning_rate) == pytest.approx(0.1 * 0.5**2)


@pytest.mark.parametrize(("name", "key"), keys(SCHEDULES))
def test_every_key_of_a_schedule_changes_the_rate(name: str, key: str) -> None:
    default, other = SCHEDULES[name](), SCHEDULES[name](**{key: OTHERS[key]})
    assert rate_at(EPOCHS, default) != pytest.approx(rate_at(EPOCHS, other), rel=1e-3)


@pytest.mark.parametrize("epoch", [0, 1, 7, EPOCHS])
def test_a_constant_rate_stays(epoch: int) -> None:
    assert rate_at(epoch, Constant(), rate=0.03) == pytest.approx(0.03)


@pytest.mark.parametrize("epoch", [0, 1, 4, 7, EPOCHS])
def test_an_exponential_rate_is_multiplied_every_few_epochs(epoch: int) -> None:
    schedule = Exponential(decay_rate=0.2, decay_epochs=4)
    assert rate_at(epoch, schedule) == pytest.approx(0.1 * 0.2 ** (epoch / 4))


@pytest.mark.parametrize("epoch", [0, 1, 10, 19, EPOCHS])
@pytest.mark.parametrize("final", [0.0, 0.3])
def test_a_cosine_rate_falls_to_its_final_fraction(epoch: int, final: float) -> None:
    expected = 0.1 * (final + (1 - final) * (1 + math.cos(math.pi * epoch / EPOCHS)) / 2)
    reached = rate_at(epoch, Cosine(final_fraction=final))
    assert reached == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize(
    ("configured", "step"),
    [
        (SGD(learning_rate=1.0, clipvalue=0.5), [0.5, 0.5]),
        (SGD(learning_rate=1.0, clipnorm=1.0), [0.6, 0.8]),
        (SGD(learning_rate=1.0), [3.0, 4.0]),
    ],
    ids=["clipvalue", "clipnorm", "neither"],
)
def test_a_gradient_is_clipped(configured: SGD, step: list[float]) -> None:
    variable = keras.Variable([0.0, 0.0])
    built(configured).apply([keras.ops.array([3.0, 4.0])], [variable])
    assert keras.ops.convert_to_numpy(-variable).tolist() == pytest.approx(step)
