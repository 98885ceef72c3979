"""A training from its configuration is the one of its members, and XLA is decided once."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.config.training import (
    SGD,
    Activation,
    Adam,
    Constant,
    Cosine,
    EarlyStopping,
    Layer,
    Model,
    Training,
    TrainingConfig,
    When,
)
from pipeline.dataset.encoding import Encoding, Number, Target
from pipeline.dataset.rows import Part, Stream
from pipeline.network import dense
from pipeline.network.backend import keras
from pipeline.runtime.errors import UserError
from pipeline.training import fitting, from_config
from pipeline.training import train as module
from pipeline.training.fitting import DivergedError, Fitted
from pipeline.training.rows import of_parts
from pipeline.training.train import check_finite, train
from tests.rows import from_blocks

X = np.random.default_rng(1).normal(size=(12, 2)).astype(np.float32)
ROWS, VALIDATION = Part(X[:9], np.sin(X[:9, :1])), Part(X[9:], np.sin(X[9:, :1]))
NUMBERS = {name: Number(0.0, False) for name in ("a", "b")}
ENCODING = Encoding(NUMBERS, {}, {}, Target("y", mean=100.0, std=7.0))
LAYERS = [Layer(units=3, activation=Activation.tanh, dropout=0.2), Layer(units=1, l2=0.01)]


def config(rate: float = 0.01, **training: Any) -> TrainingConfig:
    defaults: dict[str, Any] = {"epochs": 2, "batch_size": 4, "seed": 3}
    return TrainingConfig(
        Model(LAYERS), Adam(learning_rate=rate), Cosine(), Training(**(defaults | training))
    )


def trained(one: TrainingConfig, rows: Part | Stream = ROWS, **given: Any) -> Fitted:
    validation = VALIDATION if isinstance(rows, Part) else from_blocks(VALIDATION, 2)
    ((fitted,),) = train([one], of_parts(rows, validation, ENCODING), **given)
    return fitted


def assert_equal(one: Fitted, other: Fitted) -> None:
    pd.testing.assert_frame_equal(one.history, other.history)
    for array, expected in zip(one.weights, other.weights, strict=True):
        np.testing.assert_array_equal(array, expected)


@pytest.mark.parametrize("log", [False, True])
def test_a_training_is_that_of_a_member_with_the_same_settings(*, log: bool) -> None:
    target = Target("y", log=log, mean=2.0, std=0.7)
    one = config(early_stopping=EarlyStopping(enabled=True, patience=1))
    encoding = replace(ENCODING, target=target)
    ((fitted,),) = train([one], of_parts(ROWS, VALIDATION, encoding))
    member = from_config.member(
        dense.initial_weights(LAYERS, 2, seed=3), layers=LAYERS, optimizer=one.optimizer,
        schedule=one.schedule, training=one.training, rows=9, target=target,
    )  # fmt: skip
    (expected,) = fitting.fit(
        [member], of_parts(ROWS, VALIDATION, encoding), activations=["tanh", "linear"],
        loss="mse", update="adam", epochs=2, batch_size=4, shuffle=True,
    )  # fmt: skip
    assert_equal(fitted, expected)


def test_several_configurations_are_trained_as_one_group() -> None:
    configs = [config(0.01), config(0.03, seed=4)]
    rows = of_parts(ROWS, VALIDATION, ENCODING)
    for one, (fitted,) in zip(configs, train(configs, rows), strict=True):
        alone = trained(one)
        pd.testing.assert_frame_equal(fitted.history, alone.history, rtol=1e-5)


def test_callbacks_see_the_network_of_the_configuration() -> None:
    shapes: list[Any] = []

    class Shape(keras.callbacks.Callback):  # type: ignore[misc] # Keras ships no types
        def on_train_begin(self, logs: Any = None) -> None:
            del logs
            shapes.append(self.model.layers[0].kernel.shape)

    watched = trained(config(), callbacks=[Shape()])
    assert shapes == [(2, 3)]
    pd.testing.assert_frame_equal(watched.history, trained(config()).history, rtol=1e-6)


@pytest.mark.parametrize(
    ("xla", "pays", "compiled", "reason"),
    [
        (When.always, False, True, "compiled by XLA, as set by training.xla"),
        (When.never, True, False, "without XLA, as set by training.xla"),
        (When.auto, True, True, "compiled by XLA, because compilation pays off"),
        (When.auto, False, False, "without XLA, because compilation would not pay off"),
    ],
)
def test_xla_is_decided_by_the_configuration_or_by_the_cost(
    monkeypatch: pytest.MonkeyPatch, *, xla: When, pays: bool, compiled: bool, reason: str
) -> None:
    monkeypatch.setattr("pipeline.training.cost.COMPILE_SECONDS", 0.0 if pays else 1e9)
    used: list[bool] = []

    def fit(*_: Any, **given: Any) -> list[Fitted]:
        used.append(given["xla"])
        return []

    monkeypatch.setattr(module, "fit", fit)
    announced: list[str] = []
    rows = of_parts(ROWS, VALIDATION, ENCODING)
    train([config(xla=xla)], rows, announce=announced.append)
    assert used == [compiled]
    assert announced == [f"training 13 parameters on 9 rows in batches of 4, {reason}"]


@pytest.mark.parametrize(("rows", "batch_size"), [(4000, 32), (4001, 128)])
def test_the_size_of_batches_may_follow_from_the_number_of_rows(rows: int, batch_size: int) -> None:
    part = Part(np.resize(X, (rows, 2)), np.resize(ROWS.y, (rows, 1)))
    chosen, given = (trained(config(epochs=1, batch_size=one), part) for one in (None, batch_size))
    assert_equal(chosen, given)


def test_rows_from_disk_are_announced() -> None:
    announced: list[str] = []
    trained(config(), from_blocks(ROWS, 3), announce=announced.append)
    assert announced[0].endswith("; rows from disk, window by window")


def test_a_training_ends_when_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    times, seen = iter([0.0, 59.0, 60.0, 60.0]), []
    lines: list[str] = []
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: next(times)))

    def note(first: int, _curves: Any) -> None:
        seen.append(first)

    fitted = trained(
        config(epochs=9), minutes=1, pauses=[2, 5], on_epochs=note, announce=lines.append
    )
    assert seen == [1, 3]
    assert len(fitted.history) == 5
    assert fitted.history["kept"].tolist() == [False] * 4 + [True]
    assert lines[-1] == (
        "stopped after 5 of 9 epochs, because training.minutes is 1; training.epochs=5 would end"
        " the schedule of the learning rate in that time"
    )
    # An end that comes with the last epoch is none.
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: 60.0))
    trained(config(epochs=5), minutes=1e-9, pauses=[5], announce=lines.append)
    assert len(lines) == 3


def test_a_diverged_training_is_an_error_with_a_remedy() -> None:
    one = TrainingConfig(
        Model([Layer(units=1)]), SGD(learning_rate=1e20), Constant(), Training(epochs=9)
    )
    fitted = trained(one)
    assert isinstance(fitted.diverged, DivergedError)
    with pytest.raises(UserError) as caught:
        check_finite([fitted], one)
    assert str(caught.value) == (
        f"training diverged: {fitted.diverged}; lower optimizer.learning_rate (now 1e+20)"
        " or set optimizer.clipnorm=1"
    )


def test_a_finite_training_is_no_error() -> None:
    check_finite([trained(config())], config())


@pytest.mark.parametrize(
    ("kept", "weights"),
    [
        ([False, True], ""),
        ([True, False], "; the weights are those of epoch 1"),
        ([False, False], "; the weights are those of a Keras callback"),
    ],
)
def test_the_summary_has_the_last_losses_and_the_source_of_the_weights(
    kept: list[bool], weights: str
) -> None:
    history = pd.DataFrame({"epoch": [1, 2], "loss": [2.0, 1 / 3], "mae": [3.0, 0.5], "kept": kept})
    summary = Fitted([], history, None).summary()
    assert summary == f"trained 2 epochs: loss 0.333333, mae 0.5{weights}"
