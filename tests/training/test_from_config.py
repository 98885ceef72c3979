"""Every key of the configuration that is about training reaches the member."""

from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from pipeline.config.training import (
    OPTIMIZERS,
    SCHEDULES,
    SGD,
    Adam,
    AdamW,
    Constant,
    Cosine,
    EarlyStopping,
    Exponential,
    Layer,
    Optimizer,
    Schedule,
    Training,
)
from pipeline.training import from_config
from pipeline.training.members import Member, Stopping
from tests.peers import keras_schedule

# For each field, a value that is not its default.
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
# 23 rows in batches of 5: the last batch has 3.
ROWS, BATCH, STEPS, EPOCHS = 23, 5, 5, 20
LAYERS = [Layer(units=2, dropout=0.3, l1=0.1), Layer(units=3, l2=0.2), Layer(units=1)]


def member(
    optimizer: Optimizer | None = None, schedule: Schedule | None = None, **training: Any
) -> Member:
    defaults: dict[str, Any] = {"batch_size": BATCH, "epochs": EPOCHS}
    return from_config.member(
        [],
        layers=LAYERS,
        optimizer=optimizer or SGD(learning_rate=0.1),
        schedule=schedule or Constant(),
        training=Training(**(defaults | training)),
        rows=ROWS,
    )


def value_of(key: str, one: Member) -> Any:
    """The member's value for a key of the optimizer."""
    if key == "learning_rate":
        return one.learning_rate(np.array([0]))[0]
    return one.hyperparameters[key] if key in one.hyperparameters else getattr(one, key)


def keys(kinds: dict[str, type[Optimizer]] | dict[str, type[Schedule]]) -> list[tuple[str, str]]:
    return [
        (name, item.name)
        for name, kind in kinds.items()
        for item in fields(kind)
        if item.name != "name"
    ]


@pytest.mark.parametrize(("name", "key"), keys(OPTIMIZERS))
def test_every_key_of_an_optimizer_reaches_the_member(name: str, key: str) -> None:
    common: dict[str, Any] = {"learning_rate": 0.01}
    default = OPTIMIZERS[name](**common)
    other = OPTIMIZERS[name](**(common | {key: OTHERS[key]}))
    for configured in (default, other):
        assert value_of(key, member(configured)) == getattr(configured, key)
    assert getattr(default, key) != getattr(other, key)


def test_only_adamw_decays_weights_beside_the_loss() -> None:
    for name, kind in OPTIMIZERS.items():
        decay = member(kind(learning_rate=0.1)).weight_decay
        assert decay == (AdamW(learning_rate=0.1).weight_decay if name == "adamw" else 0.0)


def test_adamw_has_the_hyperparameters_of_adam() -> None:
    assert from_config.hyperparameters(AdamW(learning_rate=0.1)) == from_config.hyperparameters(
        Adam(learning_rate=0.1)
    )


@pytest.mark.parametrize(("name", "key"), keys(SCHEDULES))
def test_every_key_of_a_schedule_changes_the_rate(name: str, key: str) -> None:
    last = np.array([EPOCHS * STEPS])
    default, other = (
        float(member(schedule=schedule).learning_rate(last)[0])
        for schedule in (SCHEDULES[name](), SCHEDULES[name](**{key: OTHERS[key]}))
    )
    assert default != pytest.approx(other, rel=1e-3)


@pytest.mark.parametrize(
    "schedule",
    [
        Constant(),
        Exponential(),
        Exponential(decay_rate=0.2, decay_epochs=4),
        Cosine(),
        Cosine(final_fraction=0.3),
    ],
    ids=str,
)
def test_the_rates_are_those_of_keras_s_schedule(schedule: Schedule) -> None:
    # With some steps after the last epoch.
    steps = np.arange(EPOCHS * STEPS + 10)
    theirs = keras_schedule(0.1, schedule, STEPS, EPOCHS)
    expected = [float(theirs(step)) if callable(theirs) else theirs for step in steps]
    ours = member(schedule=schedule).learning_rate(steps)
    np.testing.assert_allclose(ours, expected, rtol=1e-6, atol=1e-8)


def test_every_schedule_of_the_configuration_is_compared_with_keras() -> None:
    for name, kind in SCHEDULES.items():
        assert callable(keras_schedule(0.1, kind(), STEPS, EPOCHS)) == (name != "constant")


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_follows_a_schedule(name: str) -> None:
    halved = Exponential(decay_rate=0.5, decay_epochs=1)
    one = member(OPTIMIZERS[name](learning_rate=0.1), halved)
    assert one.learning_rate(np.array([0, STEPS, 2 * STEPS])) == pytest.approx([0.1, 0.05, 0.025])


def test_a_constant_rate_is_exactly_the_configured_one() -> None:
    one = member(SGD(learning_rate=0.03))
    assert one.learning_rate(np.array([0, 7, 10**6])).tolist() == [0.03] * 3


def test_stopping_reaches_the_member_where_it_is_enabled() -> None:
    stopping = EarlyStopping(enabled=True, patience=7, min_delta=0.5)
    assert member(early_stopping=stopping).stopping == Stopping(7, 0.5)
    stopping.enabled = False
    assert member(early_stopping=stopping).stopping is None


def test_dropout_and_penalties_of_each_layer_reach_the_member() -> None:
    one = member()
    assert list(one.dropout) == [0.3, 0.0, 0.0]
    assert list(one.l1) == [0.1, 0.0, 0.0]
    assert list(one.l2) == [0.0, 0.2, 0.0]


@pytest.mark.parametrize("seed", [0, 5, 2**32 - 1])
def test_the_seed_reaches_the_member(seed: int) -> None:
    assert member(seed=seed).seed == seed
