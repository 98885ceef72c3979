"""Training is ordinary Keras training, only faster, for one network and for many, and
says when it goes wrong."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.config.training import (
    OPTIMIZERS,
    SGD,
    Activation,
    Adam,
    AdamW,
    Constant,
    Cosine,
    EarlyStopping,
    Exponential,
    KernelInitializer,
    Layer,
    Loss,
    Optimizer,
    RMSprop,
    Schedule,
    Training,
)
from pipeline.dataset.curves import CURVES
from pipeline.dataset.rows import Part, Stream
from pipeline.network import dense, weights
from pipeline.network.backend import keras, tf
from pipeline.training import fitting, from_config
from pipeline.training.epoch import Units, dropped
from pipeline.training.fitting import Fitted
from pipeline.training.members import Member
from pipeline.training.shuffle import order_of_rows
from tests.peers import keras_optimizer
from tests.small import from_blocks, small_windows

# TensorFlow's variables do not take NumPy 2's copy argument, and Keras reads them so.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

NEURON = [
    Layer(units=1, kernel_initializer=KernelInitializer.constant, kernel_value=-0.5196631)
]  # fmt: skip
X = np.array([[1], [3], [2], [10], [4], [7], [8]], np.float32)
FOUR_X = Part(X, 4 * X)
MLP = [Layer(units=6, activation=Activation.tanh), Layer(units=1)]
# 23 rows in batches of 5: the last batch has 3.
BATCH, STEPS, EPOCHS = 5, 5, 4
PRINTED = [
    "709.1211 22.5983",
    "60.2346 6.4567",
    "5.2110 1.7894",
    "0.5441 0.5726",
    "0.1473 0.3529",
    "0.1125 0.3035",
    "0.1085 0.2880",
    "0.1070 0.2824",
]
EACH: dict[str, Optimizer] = {
    "sgd": SGD(learning_rate=0.05, momentum=0.9, nesterov=True),
    "adam": Adam(learning_rate=0.01),
    "adamw": AdamW(learning_rate=0.01, weight_decay=0.1),
    "rmsprop": RMSprop(learning_rate=0.01, momentum=0.5),
    "plain": SGD(learning_rate=0.05),
    "rmsprop without momentum": RMSprop(learning_rate=0.01),
    "clipnorm": SGD(learning_rate=0.05, clipnorm=0.5),
    "clipvalue": Adam(learning_rate=0.01, clipvalue=0.1),
}


def rows(count: int, seed: int) -> Part:
    x = np.random.default_rng(seed).normal(size=(count, 2)).astype(np.float32)
    return Part(x, np.sin(3 * x[:, :1]) + x[:, 1:])


TRAIN, VALIDATION = rows(23, 1), rows(7, 2)


def member(
    layers: list[Layer],
    optimizer: Optimizer,
    schedule: Schedule | None = None,
    train: Part = TRAIN,
    **training: Any,
) -> Member:
    """As the configuration would have it; the initial weights are of the training's seed."""
    usual: dict[str, Any] = {"batch_size": BATCH, "epochs": EPOCHS, "seed": 3}
    how = Training(**(usual | training))
    return from_config.member(
        weights.of(dense.build(layers, train.x.shape[1], how.seed)),
        layers=layers,
        optimizer=optimizer,
        schedule=schedule or Constant(),
        training=how,
        rows=len(train),
    )


def fit_all(
    group: Sequence[Member],
    layers: list[Layer],
    optimizer: Optimizer,
    train: Part | Stream = TRAIN,
    validation: Part | Stream | None = VALIDATION,
    **changed: Any,
) -> list[Fitted]:
    usual: dict[str, Any] = {
        "activations": [layer.activation.value for layer in layers],
        "loss": "mse",
        "update": optimizer.name,
        "epochs": EPOCHS,
        "batch_size": BATCH,
        "shuffle": True,
    }
    return fitting.fit(group, train, validation, **(usual | changed))


def fit_mlp(
    optimizer: Optimizer, layers: list[Layer] = MLP, seed: int = 3, **changed: Any
) -> Fitted:
    (fitted,) = fit_all([member(layers, optimizer, seed=seed)], layers, optimizer, **changed)
    return fitted


def fit_neuron(
    optimizer: Optimizer | None = None,
    validation: Part | None = None,
    early_stopping: EarlyStopping | None = None,
    **changed: Any,
) -> Fitted:
    """As the notebook would, but for what is changed."""
    optimizer = optimizer or SGD(learning_rate=0.01)
    stopping = early_stopping or EarlyStopping()
    one = member(NEURON, optimizer, train=FOUR_X, seed=34, early_stopping=stopping)
    usual: dict[str, Any] = {"batch_size": 32}
    (fitted,) = fit_all([one], NEURON, optimizer, FOUR_X, validation, **(usual | changed))
    return fitted


def mse(fitted: Fitted, part: Part) -> float:
    kernel, bias = fitted.weights
    return float(np.square(part.x @ kernel + bias - part.y).mean())


def assert_same(one: Fitted, other: Fitted, rtol: float = 1e-5) -> None:
    pd.testing.assert_frame_equal(one.history, other.history, rtol=rtol, atol=1e-7)
    for first, second in zip(one.weights, other.weights, strict=True):
        np.testing.assert_allclose(first, second, rtol=1e-4, atol=1e-6)


def assert_equals_keras(
    optimizer: Optimizer, loss: str, layers: list[Layer], schedule: Schedule | None = None
) -> None:
    one = member(layers, optimizer, schedule)
    (ours,) = fit_all([one], layers, optimizer, loss=loss, shuffle=False)
    theirs = dense.build(layers, 2, seed=3)
    built = keras_optimizer(optimizer, schedule or Constant(), STEPS, EPOCHS)
    theirs.compile(optimizer=built, loss=loss, metrics=["mae"])
    expected = theirs.fit(
        TRAIN.x,
        TRAIN.y,
        validation_data=(VALIDATION.x, VALIDATION.y),
        epochs=EPOCHS,
        batch_size=BATCH,
        shuffle=False,
        verbose=0,
    ).history
    table = ours.history
    for name in ("loss", "mae"):
        np.testing.assert_allclose(table[name], expected[name], rtol=1e-5)
        np.testing.assert_allclose(table[f"validation_{name}"], expected[f"val_{name}"], rtol=1e-5)
    for one_weight, other in zip(ours.weights, weights.of(theirs), strict=True):
        np.testing.assert_allclose(one_weight, other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", EACH)
def test_training_equals_keras_s_own_for_each_optimizer(name: str) -> None:
    assert_equals_keras(EACH[name], "mse", MLP)


def test_each_optimizer_of_the_configuration_is_compared() -> None:
    assert set(OPTIMIZERS) <= set(EACH)


@pytest.mark.parametrize("loss", Loss)
def test_training_equals_keras_s_own_for_each_loss(loss: Loss) -> None:
    assert_equals_keras(EACH["plain"], loss.value, MLP)


@pytest.mark.parametrize("schedule", [Exponential(decay_epochs=2), Cosine(final_fraction=0.1)])
def test_training_equals_keras_s_own_for_each_schedule(schedule: Schedule) -> None:
    assert_equals_keras(EACH["adamw"], "mse", MLP, schedule)


@pytest.mark.parametrize("activation", Activation)
def test_training_equals_keras_s_own_for_each_activation(activation: Activation) -> None:
    assert_equals_keras(EACH["plain"], "mse", [replace(MLP[0], activation=activation), MLP[1]])


def test_training_equals_keras_s_own_with_penalties() -> None:
    layers = [replace(MLP[0], l1=0.02, l2=0.05), replace(MLP[1], l2=0.01)]
    assert_equals_keras(EACH["plain"], "mse", layers)


class OurDropout(keras.layers.Layer):  # type: ignore[misc] # Keras ships no types
    """A Dropout layer of Keras's that draws the mask as fitting does."""

    def __init__(self, rate: float, seed: int, layer: int) -> None:
        super().__init__()
        self._drawn = {"rate": rate, "seed": tf.constant([[seed]], tf.uint32), "layer": layer}
        self._time = tf.Variable(0)

    def call(self, x: Any, training: bool = False) -> Any:  # noqa: FBT001, FBT002 - Keras's own
        if not training:
            return x
        self._time.assign_add(1)
        return dropped(x, time=self._time.read_value(), **self._drawn)


def test_training_with_dropout_is_keras_s_own_with_the_same_masks() -> None:
    layers = [replace(MLP[0], dropout=0.3), MLP[1]]
    (ours,) = fit_all([member(layers, EACH["plain"])], layers, EACH["plain"], shuffle=False)
    built = dense.build(layers, 2, seed=3)
    theirs = keras.Sequential(
        [
            keras.Input((2,)),
            *(
                OurDropout(0.3, seed=3, layer=0) if layer.name.startswith("dropout") else layer
                for layer in built.layers
            ),
        ]
    )
    theirs.compile(optimizer=keras.optimizers.SGD(0.05), loss="mse", metrics=["mae"])
    expected = theirs.fit(
        TRAIN.x, TRAIN.y, epochs=EPOCHS, batch_size=BATCH, shuffle=False, verbose=0
    ).history
    np.testing.assert_allclose(ours.history["loss"], expected["loss"], rtol=1e-5)
    np.testing.assert_allclose(ours.history["mae"], expected["mae"], rtol=1e-5)


def test_an_epoch_takes_the_rows_in_its_order() -> None:
    ours = fit_mlp(EACH["plain"], epochs=2)
    theirs = dense.build(MLP, 2, seed=3)
    theirs.compile(optimizer=keras.optimizers.SGD(0.05), loss="mse")
    for epoch in range(2):
        order = order_of_rows(23, 8192, 3, epoch, shuffle=True)
        expected = theirs.fit(
            TRAIN.x[order], TRAIN.y[order], batch_size=BATCH, shuffle=False, verbose=0
        ).history
        assert ours.history["loss"][epoch] == pytest.approx(expected["loss"][0], rel=1e-5)


def assert_is_the_notebook(fitted: Fitted) -> None:
    head = fitted.history.head(8)
    printed = [f"{row.loss:.4f} {row.mae:.4f}" for row in head.itertuples()]
    assert printed == PRINTED
    kernel, bias = fitted.weights
    assert (str(kernel[0, 0]), str(bias[0])) == ("3.9461584", "0.37086314")
    predicted = np.array([[5], [-3]], np.float32) @ kernel + bias
    assert [f"{value:.6f}" for value in predicted[:, 0]] == ["20.101656", "-11.467612"]


def test_the_notebook_s_numbers_come_out_to_the_last_digit() -> None:
    assert_is_the_notebook(fit_neuron(epochs=100))


def test_the_notebook_s_numbers_come_out_among_others_too() -> None:
    rates = [0.01, 0.003, 0.02, 0.01]
    optimizers = [SGD(learning_rate=rate, momentum=0.1 * (rate > 0.01)) for rate in rates]
    group = [member(NEURON, one, train=FOUR_X, seed=34) for one in optimizers]
    fitted = fit_all(group, NEURON, optimizers[0], FOUR_X, None, epochs=100, batch_size=32)
    assert_is_the_notebook(fitted[0])
    assert_is_the_notebook(fitted[3])
    assert not np.isclose(fitted[1].weights[0], fitted[0].weights[0])


def varied(name: str) -> tuple[list[list[Layer]], list[Optimizer]]:
    """Four members of one structure that differ in all in which they may."""
    optimizer = EACH[name]
    layers = [
        [replace(MLP[0], dropout=dropout, l1=l1), replace(MLP[1], l2=l2)]
        for dropout, l1, l2 in (
            (0.0, 0.0, 0.0),
            (0.3, 0.0, 0.02),
            (0.5, 0.01, 0.0),
            (0.0, 0.1, 0.1),
        )
    ]
    changed: list[dict[str, Any]] = [
        {},
        {"learning_rate": 0.02},
        {"clipnorm": 0.3},
        {"clipvalue": 0.2},
    ]
    if hasattr(optimizer, "momentum") and name in ("sgd", "rmsprop"):
        changed[1]["momentum"] = 0.3
    if hasattr(optimizer, "nesterov") and name == "sgd":
        changed[2]["nesterov"] = False
    if hasattr(optimizer, "beta_1"):
        changed[2] |= {"beta_1": 0.8, "beta_2": 0.99, "epsilon": 1e-3}
    if hasattr(optimizer, "weight_decay"):
        changed[3]["weight_decay"] = 0.3
    if hasattr(optimizer, "rho"):
        changed[3]["rho"] = 0.7
    cleared = {"clipnorm": None, "clipvalue": None}
    return layers, [replace(optimizer, **(cleared | change)) for change in changed]


@pytest.mark.parametrize("xla", [False, True], ids=["plain", "xla"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_member_is_trained_as_if_it_were_alone(name: str, *, xla: bool) -> None:
    layers, optimizers = varied(name)
    schedules = [Constant(), Cosine(), Exponential(decay_epochs=1), Constant()]
    stopping = [
        EarlyStopping(enabled=enabled, patience=2) for enabled in (True, False, True, False)
    ]
    group = [
        member(how, optimizer, schedule, seed=seed, epochs=8, early_stopping=stop)
        for how, optimizer, schedule, seed, stop in zip(
            layers, optimizers, schedules, (3, 4, 3, 5), stopping, strict=True
        )
    ]
    together = fit_all(group, MLP, optimizers[0], epochs=8, xla=xla)
    for one, fitted in zip(group, together, strict=True):
        (alone,) = fit_all([one], MLP, optimizers[0], epochs=8, xla=xla)
        assert_same(fitted, alone)


def test_compiling_changes_rounding_alone() -> None:
    layers = [replace(MLP[0], dropout=0.3), MLP[1]]
    plain, compiled = (fit_mlp(EACH["adam"], layers, xla=xla) for xla in (False, True))
    assert_same(plain, compiled)


def test_a_member_that_diverges_touches_no_other() -> None:
    optimizers = [SGD(learning_rate=rate) for rate in (0.01, 1000.0, 0.02)]
    group = [member(NEURON, one, train=FOUR_X, seed=34) for one in optimizers]
    fitted = fit_all(group, NEURON, optimizers[0], FOUR_X, None, epochs=30, batch_size=32)
    alone = [
        fit_all([one], NEURON, optimizers[0], FOUR_X, None, epochs=30, batch_size=32)[0]
        for one in group
    ]
    for one, other in zip(fitted, alone, strict=True):
        assert_same(one, other)
    error = fitted[1].diverged
    assert error is not None
    assert len(fitted[1].history) == error.epoch - 1 == 4
    assert [one.diverged is None for one in fitted] == [True, False, True]


@pytest.mark.parametrize("xla", [False, True], ids=["plain", "xla"])
def test_who_is_done_leaves_the_tensor(monkeypatch: pytest.MonkeyPatch, *, xla: bool) -> None:
    monkeypatch.setattr("pipeline.training.cost.COMPILE_SECONDS", 0.0)
    monkeypatch.setattr("pipeline.training.cost.MOST_EPOCHS_PER_CALL", 2)
    sizes: list[int] = []
    leave = fitting._Training.leave

    def noted(training: fitting._Training, given_up: Iterable[int]) -> None:
        leave(training, given_up)
        sizes.append(len(training.places))

    monkeypatch.setattr(fitting._Training, "leave", noted)
    patience = [EarlyStopping(enabled=True, patience=count) for count in (1, 50, 1, 3)]
    # A rate of nothing: the first epoch is the best, and the rest are in vain.
    still = SGD(learning_rate=1e-30)
    group = [member(MLP, still, early_stopping=one, epochs=12) for one in patience]
    fitted = fit_all(group, MLP, still, epochs=12, xla=xla)
    assert [len(one.history) for one in fitted] == [2, 12, 2, 4]
    assert sizes == [2, 1, 1, 1, 1, 1]


@pytest.mark.parametrize("xla", [False, True], ids=["plain", "xla"])
def test_who_is_given_up_stops_and_the_others_go_on(*, xla: bool) -> None:
    seen: list[int] = []

    def give_up(first: int, curves: dict[str, Any]) -> list[int]:
        seen.append(first + len(curves["loss"]) - 1)
        return [0, 2] if seen[-1] == 3 else []

    group = [member(MLP, Adam(learning_rate=rate), epochs=6) for rate in (0.01, 0.02, 0.03)]
    changed: dict[str, Any] = {"epochs": 6, "xla": xla}
    fitted = fit_all(group, MLP, EACH["adam"], pauses=[3], on_epochs=give_up, **changed)
    whole = fit_all(group, MLP, EACH["adam"], **changed)
    assert 3 in seen
    assert [len(one.history) for one in fitted] == [3, 6, 3]
    assert_same(fitted[1], whole[1])
    columns = ["loss", "validation_loss"]
    for place in (0, 2):
        np.testing.assert_allclose(
            fitted[place].history[columns], whole[place].history[columns].head(3), rtol=1e-5
        )


def test_members_of_other_shapes_are_no_group() -> None:
    other = [replace(MLP[0], units=7), MLP[1]]
    group = [member(layers, EACH["plain"]) for layers in (MLP, other)]
    with pytest.raises(ValueError, match="2 structures cannot be one group"):
        fit_all(group, MLP, EACH["plain"])


@pytest.mark.parametrize("xla", [False, True], ids=["plain", "xla"])
@pytest.mark.parametrize("count", [23, 40, 101])
def test_rows_from_disk_give_the_same_numbers(
    monkeypatch: pytest.MonkeyPatch, count: int, *, xla: bool
) -> None:
    small_windows(monkeypatch, 8, 3)
    part = rows(count, 5)
    layers = [replace(MLP[0], dropout=0.2), MLP[1]]
    group = [
        member(layers, Adam(learning_rate=rate), Cosine(), train=part) for rate in (0.01, 0.03)
    ]
    memory, disk = (
        fit_all(group, layers, EACH["adam"], train, validation, xla=xla)
        for train, validation in (
            (part, VALIDATION),
            (from_blocks(part, 8), from_blocks(VALIDATION, 3)),
        )
    )
    for one, other in zip(memory, disk, strict=True):
        assert_same(one, other, rtol=1e-6)


def test_a_stream_has_one_order_for_all() -> None:
    group = [member(MLP, EACH["plain"], seed=seed) for seed in (1, 2)]
    with pytest.raises(ValueError, match="one order"):
        fit_all(group, MLP, EACH["plain"], from_blocks(TRAIN, 8), None)


@pytest.mark.parametrize("streamed", ["train", "validation"])
def test_of_two_parts_both_are_streams_or_neither(streamed: str) -> None:
    both: dict[str, Part | Stream] = {"train": TRAIN, "validation": VALIDATION}
    both[streamed] = from_blocks(TRAIN, 8)
    with pytest.raises(ValueError, match="both streams or both in memory"):
        fit_all([member(MLP, EACH["plain"])], MLP, EACH["plain"], **both)


@pytest.mark.parametrize("epochs", [1, 3])
def test_epochs_count_from_one_to_the_last_which_is_kept(epochs: int) -> None:
    table = fit_neuron(epochs=epochs).history
    assert table["epoch"].tolist() == list(range(1, epochs + 1))
    assert table["kept"].tolist() == [False] * (epochs - 1) + [True]


def test_without_validation_its_columns_are_missing_values() -> None:
    table = fit_neuron().history
    assert table[["validation_loss", "validation_mae"]].isna().all(axis=None)
    assert table[["loss", "mae", "learning_rate"]].notna().all(axis=None)


def test_validation_in_chunks_is_validation_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = fit_mlp(EACH["plain"])
    monkeypatch.setattr(fitting, "MOST_ACTIVATIONS", 12)
    assert_same(whole, fit_mlp(EACH["plain"]))


def test_the_mae_is_in_the_target_s_units_and_the_loss_is_not() -> None:
    plain, scaled = (
        fit_mlp(EACH["plain"]).history,
        fit_mlp(EACH["plain"], units=Units(mean=3.0, std=7.0)).history,
    )
    for name in ("mae", "validation_mae"):
        np.testing.assert_allclose(scaled[name], 7 * plain[name], rtol=1e-12)
    others = plain.columns.drop(["mae", "validation_mae"])
    pd.testing.assert_frame_equal(scaled[others], plain[others])


def predicted(weights_of: Sequence[Any], x: Any) -> Any:
    """What MLP answers with these weights, in float64."""
    first, first_bias, last, last_bias = (array.astype(np.float64) for array in weights_of)
    return np.tanh(x.astype(np.float64) @ first + first_bias) @ last + last_bias


@pytest.mark.parametrize("xla", [False, True], ids=["plain", "xla"])
@pytest.mark.parametrize("members", [1, 3])
def test_the_mae_of_a_logarithm_is_that_of_the_target(members: int, *, xla: bool) -> None:
    rates = [0.05, 0.02, 0.1][:members]
    group = [
        member(MLP, SGD(learning_rate=rate), seed=seed, epochs=3)
        for rate, seed in zip(rates, (3, 4, 5), strict=False)
    ]
    units = Units(log=True, mean=2.0, std=0.7)
    changed: dict[str, Any] = {"epochs": 3, "xla": xla}
    fitted = fit_all(group, MLP, EACH["plain"], units=units, **changed)
    learned = fit_all(group, MLP, EACH["plain"], **changed)

    def own(y: Any) -> Any:
        return np.exp(2 + 0.7 * y.astype(np.float64))

    for place, (one, plain) in enumerate(zip(fitted, learned, strict=True)):
        # Validation is of the weights after an epoch, training of those before each batch.
        truth, answers = own(VALIDATION.y), own(predicted(one.weights, VALIDATION.x))
        assert one.history["validation_mae"].iloc[-1] == pytest.approx(
            np.abs(truth - answers).mean(), rel=1e-5
        )
        # What is minimised is in the units that are learned, and so is the loss.
        others = one.history.columns.drop(["mae", "validation_mae"])
        pd.testing.assert_frame_equal(one.history[others], plain.history[others], rtol=1e-6)
        for array, other in zip(one.weights, plain.weights, strict=True):
            np.testing.assert_allclose(array, other, rtol=1e-5, atol=1e-7)
        # In one batch, the first epoch's is of the initial weights.
        (whole,) = fit_all(
            [group[place]], MLP, EACH["plain"], units=units, xla=xla, epochs=1, batch_size=23
        )
        truth, answers = own(TRAIN.y), own(predicted(group[place].weights, TRAIN.x))
        assert whole.history["mae"][0] == pytest.approx(np.abs(truth - answers).mean(), rel=1e-5)


@pytest.mark.parametrize("members", [1, 2])
def test_the_mae_of_a_logarithm_is_the_mean_over_batches_of_any_size(members: int) -> None:
    units = Units(log=True, mean=-1.0, std=0.5)
    # A rate of nothing: all batches, the last of which is smaller, have the initial weights.
    still = SGD(learning_rate=1e-30)
    group = [member(MLP, still, seed=seed, epochs=2) for seed in (3, 4)[:members]]
    fitted = fit_all(group, MLP, still, units=units, epochs=2)
    for one, start in zip(fitted, group, strict=True):
        for part, name in ((TRAIN, "mae"), (VALIDATION, "validation_mae")):
            truth, answers = (
                np.exp(-1 + 0.5 * y.astype(np.float64))
                for y in (part.y, predicted(start.weights, part.x))
            )
            expected = np.abs(truth - answers).mean()
            np.testing.assert_allclose(one.history[name], expected, rtol=1e-5)


def test_the_same_seed_gives_the_same_table_and_another_seed_another() -> None:
    first, same, other = (fit_mlp(EACH["plain"], seed=seed).history for seed in (5, 5, 6))
    pd.testing.assert_frame_equal(first, same)
    assert (first["loss"] != other["loss"]).all()


def test_more_epochs_do_not_change_the_earlier_ones() -> None:
    few, more = (fit_mlp(EACH["plain"], epochs=epochs).history for epochs in (2, 4))
    pd.testing.assert_frame_equal(few.drop(columns="kept"), more.drop(columns="kept").head(2))


def stopping(patience: int, min_delta: float = 0.0) -> EarlyStopping:
    return EarlyStopping(enabled=True, patience=patience, min_delta=min_delta)


def test_early_stopping_keeps_the_best_weights_by_the_validation_loss() -> None:
    # On its way from -0.5 to 4 the kernel passes 2, which validation likes best.
    validation = Part(X, 2 * X)
    fitted = fit_neuron(SGD(learning_rate=0.001), validation, stopping(3), epochs=100)
    table = fitted.history
    best = int(table["validation_loss"].argmin())
    assert 0 < best < len(table) - 1
    assert table["loss"].is_monotonic_decreasing
    assert len(table) == best + 1 + 3
    assert table.index[table["kept"]].tolist() == [best]
    assert mse(fitted, validation) == pytest.approx(table["validation_loss"][best], rel=1e-5)


def test_without_validation_early_stopping_goes_by_the_training_loss() -> None:
    fitted = fit_neuron(SGD(learning_rate=0.035), None, stopping(2), epochs=50)
    table = fitted.history
    assert (len(table), table["epoch"][table["kept"]].tolist()) == (3, [1])
    once = fit_neuron(SGD(learning_rate=0.035), epochs=1)
    assert mse(fitted, FOUR_X) == mse(once, FOUR_X)


def test_early_stopping_keeps_the_best_epoch_even_where_the_epochs_run_out() -> None:
    validation = Part(X, 2 * X)
    fitted = fit_neuron(SGD(learning_rate=0.001), validation, stopping(50), epochs=20)
    table = fitted.history
    best = int(table["validation_loss"].argmin())
    assert len(table) == 20
    assert table.index[table["kept"]].tolist() == [best]
    assert best < 19
    assert mse(fitted, validation) == pytest.approx(table["validation_loss"][best], rel=1e-5)


@pytest.mark.parametrize(("min_delta", "epochs", "kept"), [(0.0, 10, 10), (10.0, 5, 3)])
def test_an_improvement_by_less_than_min_delta_is_none(
    min_delta: float, epochs: int, kept: int
) -> None:
    # The losses are 709, 60, 5.2, 0.5, 0.1, ...; only the first three gain 10.
    table = fit_neuron(early_stopping=stopping(2, min_delta), epochs=10).history
    assert len(table) == epochs
    assert table["epoch"][table["kept"]].tolist() == [kept]


@pytest.mark.parametrize("batch_size", [32, 2])
def test_a_diverging_run_names_the_epoch(batch_size: int) -> None:
    error = fit_neuron(SGD(learning_rate=1000.0), epochs=100, batch_size=batch_size).diverged
    assert error is not None
    assert not math.isfinite(error.loss)
    assert str(error) == f"the loss became {error.loss} in epoch {error.epoch}"
    assert error.epoch == (5 if batch_size == 32 else 2)


@pytest.mark.parametrize("x", [1e30, math.nan], ids=["too large", "not a number"])
def test_a_validation_loss_that_is_not_finite_is_a_divergence(x: float) -> None:
    bad = Part(np.array([[x]], np.float32), np.array([[0]], np.float32))
    fitted = fit_neuron(validation=bad)
    assert fitted.diverged is not None
    assert not math.isfinite(fitted.diverged.loss)
    assert (fitted.diverged.epoch, len(fitted.history)) == (1, 0)


def test_weights_that_are_not_finite_after_the_last_step_are_a_divergence() -> None:
    # The loss of the only epoch is of before the step that spoils the weights.
    fitted = fit_neuron(SGD(learning_rate=1e38), epochs=1)
    assert fitted.history["loss"].tolist() == [pytest.approx(709.1211)]
    assert not np.isfinite(fitted.weights[0]).any()
    assert fitted.diverged is not None
    assert fitted.diverged.epoch == 1


def test_the_curves_are_told_as_they_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.training.cost.MOST_EPOCHS_PER_CALL", 3)
    told: list[tuple[int, dict[str, Any]]] = []
    fitted = fit_mlp(
        EACH["plain"],
        on_epochs=lambda first, curves: told.append((first, curves)),
        units=Units(mean=3.0, std=7.0),
    )
    assert [(first, curves["loss"].shape) for first, curves in told] == [(1, (3, 1)), (4, (1, 1))]
    for name in CURVES:
        values = np.concatenate([curves[name][:, 0] for _, curves in told])
        assert values.tolist() == fitted.history[name].tolist()


def test_the_learning_rate_of_each_epoch_is_the_schedule_s() -> None:
    schedule = Exponential(decay_rate=0.5, decay_epochs=2)
    optimizer = Adam(learning_rate=0.01)
    (fitted,) = fit_all([member(MLP, optimizer, schedule)], MLP, optimizer)
    expected = [0.01 * 0.5 ** (epoch / 2) for epoch in range(4)]
    assert fitted.history["learning_rate"].tolist() == pytest.approx(expected, rel=1e-6)


def test_a_constant_learning_rate_is_written_as_it_was_configured() -> None:
    assert fit_neuron(epochs=2).history["learning_rate"].tolist() == [0.01, 0.01]
