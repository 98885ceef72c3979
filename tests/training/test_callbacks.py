"""Keras callbacks work although Keras does not run the training."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.config.training import (
    SGD,
    Activation,
    Adam,
    Constant,
    Exponential,
    Layer,
    Optimizer,
    Training,
)
from pipeline.dataset.encoding import Encoding
from pipeline.dataset.rows import Part
from pipeline.network import dense, weights
from pipeline.network.backend import keras
from pipeline.training import fitting, from_config
from pipeline.training.fitting import Fitted
from pipeline.training.members import AS_LEARNED, Member
from pipeline.training.rows import of_parts

LAYERS = [Layer(units=6, activation=Activation.tanh, dropout=0.2), Layer(units=1)]
EPOCHS = 6
PLAIN = SGD(learning_rate=0.05)


def rows(count: int, seed: int) -> Part:
    x = np.random.default_rng(seed).normal(size=(count, 2)).astype(np.float32)
    return Part(x, np.sin(3 * x[:, :1]) + x[:, 1:])


TRAIN, VALIDATION = rows(23, 1), rows(7, 2)


def member(built: keras.Sequential, optimizer: Optimizer, schedule: Any = None) -> Member:
    return from_config.member(
        weights.of(built),
        layers=LAYERS,
        optimizer=optimizer,
        schedule=schedule or Constant(),
        training=Training(batch_size=5, epochs=EPOCHS, seed=3),
        rows=len(TRAIN),
    )


def fit(
    *callbacks: keras.callbacks.Callback,
    optimizer: Optimizer = PLAIN,
    schedule: Any = None,
    validation: Part | None = VALIDATION,
) -> Fitted:
    built = dense.build(LAYERS, 2, seed=3)
    (fitted,) = fit_group(
        [member(built, optimizer, schedule)], built, callbacks, optimizer, validation
    )
    return fitted


def fit_group(
    members: list[Member],
    built: keras.Sequential | None,
    callbacks: Sequence[keras.callbacks.Callback],
    optimizer: Optimizer = PLAIN,
    validation: Part | None = VALIDATION,
) -> list[Fitted]:
    return fitting.fit(
        members,
        of_parts(TRAIN, validation, Encoding({}, {}, {}, AS_LEARNED)),
        activations=[layer.activation.value for layer in LAYERS],
        loss="mse",
        update=optimizer.name,
        epochs=EPOCHS,
        batch_size=5,
        shuffle=True,
        xla=False,
        network=built,
        callbacks=callbacks,
    )


def assert_same_weights(one: Sequence[weights.Array], other: Sequence[weights.Array]) -> None:
    for first, second in zip(one, other, strict=True):
        np.testing.assert_allclose(first, second, rtol=1e-5, atol=1e-6)


class Kept(keras.callbacks.Callback):  # type: ignore[misc] # Keras ships no types
    """Keeps the weights after each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.weights: list[list[weights.Array]] = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        del epoch, logs
        self.weights.append(weights.of(self.model))


@pytest.mark.parametrize("validated", [True, False], ids=["validation", "no validation"])
def test_a_callback_sees_every_epoch_under_keras_s_names(*, validated: bool) -> None:
    seen: list[tuple[int, dict[str, float]]] = []
    callback = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append((epoch, dict(logs)))
    )
    history = fit(callback, validation=VALIDATION if validated else None).history
    assert [epoch for epoch, _ in seen] == list(range(EPOCHS))
    names = {"loss": "loss", "mae": "mae"}
    if validated:
        names |= {"val_loss": "validation_loss", "val_mae": "validation_mae"}
    for epoch, logs in seen:
        assert set(logs) - {"learning_rate"} == set(names)
        for theirs, ours in names.items():
            assert logs[theirs] == history[ours][epoch]


def test_a_callback_is_called_at_the_beginning_and_the_end() -> None:
    calls: list[str] = []
    fit(
        keras.callbacks.LambdaCallback(
            on_train_begin=lambda _logs: calls.append("train"),
            on_train_end=lambda _logs: calls.append("trained"),
            on_epoch_begin=lambda epoch, _logs: calls.append(f"epoch {epoch}"),
            on_epoch_end=lambda epoch, _logs: calls.append(f"end {epoch}"),
        )
    )
    middle = [call for epoch in range(EPOCHS) for call in (f"epoch {epoch}", f"end {epoch}")]
    assert calls == ["train", *middle, "trained"]


@pytest.mark.parametrize("optimizer", [PLAIN, Adam(learning_rate=0.01)], ids=["sgd", "adam"])
def test_a_callback_that_does_nothing_changes_nothing(optimizer: Optimizer) -> None:
    schedule = Exponential(decay_epochs=1)
    without = fit(optimizer=optimizer, schedule=schedule)
    watched = fit(keras.callbacks.Callback(), optimizer=optimizer, schedule=schedule)
    pd.testing.assert_frame_equal(without.history, watched.history, rtol=1e-6)
    assert_same_weights(without.weights, watched.weights)


def test_the_network_has_the_weights_of_each_epoch() -> None:
    kept = Kept()
    losses: list[float] = []
    measured = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda _epoch, _logs: losses.append(
            float(np.square(VALIDATION.y - kept.model(VALIDATION.x)).mean())
        )
    )
    fitted = fit(kept, measured)
    assert losses == pytest.approx(fitted.history["validation_loss"].tolist(), rel=1e-5)
    assert_same_weights(kept.weights[-1], fitted.weights)


def test_early_stopping_stops_and_restores_the_best_weights() -> None:
    kept = Kept()
    # No epoch improves by 100, so that the first one remains the best.
    stopping = keras.callbacks.EarlyStopping(
        monitor="val_loss", patience=2, min_delta=100.0, restore_best_weights=True
    )
    fitted = fit(kept, stopping)
    assert len(fitted.history) == len(kept.weights) == 3
    assert_same_weights(fitted.weights, kept.weights[0])
    assert not np.allclose(fitted.weights[0], kept.weights[-1][0])
    assert fitted.history["kept"].tolist() == [True, False, False]


def test_early_stopping_without_restoring_keeps_the_last_weights() -> None:
    kept = Kept()
    fitted = fit(kept, keras.callbacks.EarlyStopping(patience=1, min_delta=100.0))
    assert fitted.history["kept"].tolist() == [False, True]
    assert_same_weights(fitted.weights, kept.weights[-1])


def test_a_plateau_reduces_the_learning_rate_from_the_next_epoch_on() -> None:
    plateau = keras.callbacks.ReduceLROnPlateau(
        monitor="loss", factor=0.5, patience=1, min_delta=100.0, cooldown=0
    )
    rates = fit(plateau).history["learning_rate"].tolist()
    # The first epoch remains the best, and the rate is halved after each further one.
    assert rates == pytest.approx([0.05, 0.05, 0.025, 0.0125, 0.00625, 0.003125], rel=1e-6)


def test_a_keras_scheduler_sets_the_learning_rate() -> None:
    scheduler = keras.callbacks.LearningRateScheduler(lambda epoch, _rate: 0.1 / (epoch + 1))
    history = fit(scheduler).history
    expected = [0.1 / (epoch + 1) for epoch in range(EPOCHS)]
    assert history["learning_rate"].tolist() == pytest.approx(expected, rel=1e-6)


def test_a_scheduler_receives_the_current_learning_rate() -> None:
    scheduler = keras.callbacks.LearningRateScheduler(lambda _epoch, rate: rate * 0.5)
    rates = fit(scheduler).history["learning_rate"].tolist()
    assert rates == pytest.approx([0.05 * 0.5**epoch for epoch in range(1, EPOCHS + 1)], rel=1e-6)


def test_a_learning_rate_that_a_callback_sets_is_trained_with() -> None:
    scheduler = keras.callbacks.LearningRateScheduler(lambda _epoch, _rate: 0.02)
    scheduled = fit(scheduler)
    configured = fit(optimizer=SGD(learning_rate=0.02))
    pd.testing.assert_frame_equal(scheduled.history, configured.history, rtol=1e-5)
    assert_same_weights(scheduled.weights, configured.weights)


@pytest.mark.parametrize("optimizer", [PLAIN, Adam(learning_rate=0.01)], ids=["sgd", "adam"])
def test_a_checkpoint_has_the_weights_of_its_epoch(tmp_path: Path, optimizer: Optimizer) -> None:
    kept = Kept()
    checkpoint = keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}.keras")
    fit(kept, checkpoint, optimizer=optimizer)
    for epoch in (1, EPOCHS):
        loaded = keras.saving.load_model(tmp_path / f"{epoch}.keras")
        assert_same_weights(weights.of(loaded), kept.weights[epoch - 1])


def test_training_continues_from_weights_that_a_callback_sets() -> None:
    built = dense.build(LAYERS, 2, seed=3)
    before = weights.of(built)
    back = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda _epoch, _logs: weights.assign(built, before)
    )
    (fitted,) = fit_group([member(built, PLAIN)], built, [back])
    assert_same_weights(fitted.weights, before)
    assert not fitted.history["kept"].any()
    # Every epoch starts from the same weights, so that none reaches the loss of later ones.
    reset, continued = (one.history["validation_loss"][2:] for one in (fitted, fit()))
    assert (reset > continued + 0.2).all()


def test_callbacks_of_several_members_are_refused() -> None:
    built = dense.build(LAYERS, 2, seed=3)
    with pytest.raises(ValueError, match="need the one network that they are for"):
        fit_group([member(built, PLAIN)] * 2, built, [keras.callbacks.Callback()])


def test_callbacks_without_a_network_are_refused() -> None:
    built = dense.build(LAYERS, 2, seed=3)
    with pytest.raises(ValueError, match="need the one network that they are for"):
        fit_group([member(built, PLAIN)], None, [keras.callbacks.Callback()])
