"""Training gives the numbers of keras.Model.fit, for one network and for a group of many, and
reports divergence."""

import math
from collections.abc import Sequence
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
from pipeline.dataset.encoding import Encoding, Target
from pipeline.dataset.rows import Part, Stream
from pipeline.network import dense, weights
from pipeline.network.backend import keras, tf
from pipeline.training import fitting, from_config
from pipeline.training.epoch import Compiled, Group, State, compiled, dropout
from pipeline.training.fitting import Fitted
from pipeline.training.members import AS_LEARNED, Member
from pipeline.training.rows import of_parts
from pipeline.training.shuffle import order_of_rows
from tests.peers import keras_optimizer
from tests.rows import from_blocks, small_windows

NEURON = [
    Layer(units=1, kernel_initializer=KernelInitializer.constant, kernel_value=-0.5196631)
]  # fmt: skip
X = np.array([[1], [3], [2], [10], [4], [7], [8]], np.float32)
FOUR_X = Part(X, 4 * X)
ENCODING = Encoding({}, {}, {}, AS_LEARNED)
MLP = [Layer(units=6, activation=Activation.tanh), Layer(units=1)]
NORMALIZED = [replace(MLP[0], layer_normalization=True), MLP[1]]
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
    """As configured; the initial weights follow from the training's seed."""
    defaults: dict[str, Any] = {"batch_size": BATCH, "epochs": EPOCHS, "seed": 3}
    how = Training(**(defaults | training))
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
    *,
    target: Target = AS_LEARNED,
    **changed: Any,
) -> list[Fitted]:
    defaults: dict[str, Any] = {
        "activations": [layer.activation.value for layer in layers],
        "normalized": [layer.layer_normalization for layer in layers],
        "loss": "mse",
        "update": optimizer.name,
        "epochs": EPOCHS,
        "batch_size": BATCH,
        "shuffle": True,
    }
    group = [replace(one, target=target) for one in group]
    rows = of_parts(train, validation, ENCODING)
    return fitting.fit(group, rows, **(defaults | changed))


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
    """As in the notebook, except for what is given."""
    optimizer = optimizer or SGD(learning_rate=0.01)
    stopping = early_stopping or EarlyStopping()
    one = member(NEURON, optimizer, train=FOUR_X, seed=34, early_stopping=stopping)
    defaults: dict[str, Any] = {"batch_size": 32}
    (fitted,) = fit_all([one], NEURON, optimizer, FOUR_X, validation, **(defaults | changed))
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
    epochs = 2
    one = member(layers, optimizer, schedule, epochs=epochs)
    (ours,) = fit_all([one], layers, optimizer, loss=loss, shuffle=False, epochs=epochs)
    theirs = dense.build(layers, 2, seed=3)
    built = keras_optimizer(optimizer, schedule or Constant(), STEPS, epochs)
    # A few steps take less time than tracing a function for them.
    theirs.compile(optimizer=built, loss=loss, metrics=["mae"], run_eagerly=True)
    expected = theirs.fit(
        TRAIN.x,
        TRAIN.y,
        validation_data=(VALIDATION.x, VALIDATION.y),
        epochs=epochs,
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


@pytest.mark.parametrize("schedule", [Exponential(decay_epochs=1), Cosine(final_fraction=0.1)])
def test_training_equals_keras_s_own_for_each_schedule(schedule: Schedule) -> None:
    assert_equals_keras(EACH["adamw"], "mse", MLP, schedule)


def test_training_equals_keras_s_own_for_all_activations() -> None:
    hidden = [Layer(units=6, activation=activation) for activation in Activation]
    assert_equals_keras(EACH["plain"], "mse", [*hidden, Layer(units=1)])


def test_training_equals_keras_s_own_with_layer_normalization() -> None:
    wider = Layer(units=9, activation=Activation.silu, layer_normalization=True)
    assert_equals_keras(EACH["adamw"], "mse", [wider, *NORMALIZED])


def test_training_equals_keras_s_own_with_penalties() -> None:
    layers = [replace(MLP[0], l1=0.02, l2=0.05), replace(MLP[1], l2=0.01)]
    assert_equals_keras(EACH["plain"], "mse", layers)


class OurDropout(keras.layers.Layer):  # type: ignore[misc] # Keras ships no types
    """A Dropout layer with the masks of `epoch.dropout`."""

    def __init__(self, rate: float, seed: int, layer: int) -> None:
        super().__init__()
        self._drawn = {"rate": rate, "seed": tf.constant([[seed]], tf.uint32), "layer": layer}
        self._time = tf.Variable(0)

    def call(self, x: Any, training: bool = False) -> Any:  # noqa: FBT001, FBT002 - Keras's own
        if not training:
            return x
        self._time.assign_add(1)
        return dropout(x, time=self._time.read_value(), **self._drawn)


def test_training_equals_keras_s_own_with_the_same_dropout_masks() -> None:
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
    theirs.compile(
        optimizer=keras.optimizers.SGD(0.05), loss="mse", metrics=["mae"], run_eagerly=True
    )
    expected = theirs.fit(
        TRAIN.x, TRAIN.y, epochs=EPOCHS, batch_size=BATCH, shuffle=False, verbose=0
    ).history
    np.testing.assert_allclose(ours.history["loss"], expected["loss"], rtol=1e-5)
    np.testing.assert_allclose(ours.history["mae"], expected["mae"], rtol=1e-5)


def test_an_epoch_uses_the_rows_in_its_order() -> None:
    ours = fit_mlp(EACH["plain"], epochs=2)
    theirs = dense.build(MLP, 2, seed=3)
    theirs.compile(optimizer=keras.optimizers.SGD(0.05), loss="mse", run_eagerly=True)
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


def test_the_notebook_s_numbers_are_reproduced_to_the_last_digit() -> None:
    assert_is_the_notebook(fit_neuron(epochs=100))


def test_the_notebook_s_numbers_are_reproduced_in_a_group() -> None:
    rates = [0.01, 0.003, 0.02, 0.01]
    optimizers = [SGD(learning_rate=rate, momentum=0.1 * (rate > 0.01)) for rate in rates]
    group = [member(NEURON, one, train=FOUR_X, seed=34) for one in optimizers]
    fitted = fit_all(group, NEURON, optimizers[0], FOUR_X, None, epochs=100, batch_size=32)
    assert_is_the_notebook(fitted[0])
    assert_is_the_notebook(fitted[3])
    assert not np.isclose(fitted[1].weights[0], fitted[0].weights[0])


def varied(name: str) -> list[Member]:
    """Three members that differ in all that members may differ in: one without any of the
    optional computations, and two with all of them but other values."""
    optimizer = replace(EACH[name], clipnorm=None, clipvalue=None)
    changed: list[dict[str, Any]] = [
        {"learning_rate": 0.02, "clipnorm": 0.3},
        {"clipvalue": 0.2},
    ]
    others = {
        "sgd": [{"momentum": 0.3}, {"momentum": 0.5, "nesterov": False}],
        "adam": [{"beta_1": 0.8, "beta_2": 0.99}, {"epsilon": 1e-3}],
        "adamw": [{"beta_1": 0.8, "beta_2": 0.99}, {"epsilon": 1e-3, "weight_decay": 0.3}],
        "rmsprop": [{"momentum": 0.3}, {"momentum": 0.7, "rho": 0.7}],
    }[name]
    optimizers = [
        replace(optimizer, **(one | other)) for one, other in zip(changed, others, strict=True)
    ]
    layers = [
        [replace(MLP[0], dropout=0.3, l1=0.01), replace(MLP[1], l2=0.02)],
        [replace(MLP[0], dropout=0.5, l1=0.1), replace(MLP[1], l2=0.1)],
    ]
    stopping = [EarlyStopping(enabled=True, patience=patience) for patience in (1, 2)]
    return [
        member(MLP, optimizer, Cosine(), seed=5),
        member(layers[0], optimizers[0], Exponential(decay_epochs=1), early_stopping=stopping[0]),
        member(layers[1], optimizers[1], early_stopping=stopping[1], seed=4),
    ]


@pytest.mark.parametrize(
    ("name", "layers"), [*((name, MLP) for name in OPTIMIZERS), ("adamw", NORMALIZED)]
)
def test_a_member_is_trained_as_if_it_were_alone(name: str, layers: list[Layer]) -> None:
    group = varied(name)
    together = fit_all(group, layers, EACH[name])
    for one, fitted in zip(group, together, strict=True):
        (alone,) = fit_all([one], layers, EACH[name])
        assert_same(fitted, alone)


@pytest.mark.parametrize(("name", "members"), [("adamw", 1), ("adamw", 3), ("rmsprop", 3)])
def test_xla_changes_rounding_alone(name: str, members: int) -> None:
    # adamw has all that adam has, rmsprop the momentum of sgd.
    group = varied(name)[-members:]
    target = Target("y", log=True, mean=2.0, std=0.7)
    plain, under_xla = (
        fit_all(group, MLP, EACH[name], target=target, xla=xla) for xla in (False, True)
    )
    for one, other in zip(plain, under_xla, strict=True):
        assert_same(one, other)


def test_a_member_that_diverges_does_not_affect_others() -> None:
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


@pytest.mark.parametrize(
    ("xla", "compile_seconds", "sizes"),
    [(False, 2.0, [3, 1, 1]), (True, 0.0, [3, 1, 1]), (True, 2.0, [3, 3, 3])],
    ids=["plain", "xla, where it pays", "xla, where it does not pay"],
)
def test_finished_members_cost_no_further_computation(
    monkeypatch: pytest.MonkeyPatch, *, xla: bool, compile_seconds: float, sizes: list[int]
) -> None:
    monkeypatch.setattr("pipeline.training.cost.COMPILE_SECONDS", compile_seconds)
    monkeypatch.setattr("pipeline.training.cost.MAX_EPOCHS_PER_CALL", 3)
    computed: list[int] = []

    def noted(group: Group) -> Compiled:
        functions = compiled(group)

        def epochs(state: State, *args: Any, **changed: Any) -> Any:
            computed.append(int(tf.size(state.training)))
            return functions.epochs(state, *args, **changed)

        return functions._replace(epochs=epochs)

    monkeypatch.setattr(fitting, "compiled", noted)
    # With this learning rate no epoch is better than the first.
    still = SGD(learning_rate=1e-30)
    group = [
        member(MLP, still, early_stopping=stopping(patience), epochs=8) for patience in (1, 50, 2)
    ]
    fitted = fit_all(group, MLP, still, epochs=8, xla=xla)
    assert [len(one.history) for one in fitted] == [2, 8, 3]
    assert computed == sizes


def test_members_that_the_callback_returns_stop_and_the_others_continue() -> None:
    reported: list[int] = []

    def stop(first: int, curves: dict[str, Any]) -> list[int]:
        reported.append(first + len(curves["loss"]) - 1)
        return [0, 2] if reported[-1] == 3 else []

    group = [member(MLP, Adam(learning_rate=rate), epochs=6) for rate in (0.01, 0.02, 0.03)]
    fitted = fit_all(group, MLP, EACH["adam"], pauses=[3], on_epochs=stop, epochs=6)
    whole = fit_all(group, MLP, EACH["adam"], epochs=6)
    assert reported == [3, 6]
    assert [len(one.history) for one in fitted] == [3, 6, 3]
    assert_same(fitted[1], whole[1])
    columns = ["loss", "validation_loss"]
    for index in (0, 2):
        np.testing.assert_allclose(
            fitted[index].history[columns], whole[index].history[columns].head(3), rtol=1e-5
        )


def test_a_stopped_member_has_the_weights_of_its_last_epoch() -> None:
    group = [member(MLP, Adam(learning_rate=rate)) for rate in (0.01, 0.02)]
    fitted = fit_all(group, MLP, EACH["adam"], pauses=[2], on_epochs=lambda _first, _curves: [0])
    (short,) = fit_all(group[:1], MLP, EACH["adam"], epochs=2)
    assert_same(fitted[0], short)


def test_members_of_different_shapes_are_refused() -> None:
    other = [replace(MLP[0], units=7), MLP[1]]
    group = [member(layers, EACH["plain"]) for layers in (MLP, other)]
    with pytest.raises(ValueError, match="2 structures cannot be one group"):
        fit_all(group, MLP, EACH["plain"])


@pytest.mark.parametrize(
    ("count", "xla"),
    [(23, False), (40, False), (101, False), (101, True)],
    ids=["one window", "whole batches", "several windows", "several windows, xla"],
)
def test_rows_from_disk_give_the_same_numbers(
    monkeypatch: pytest.MonkeyPatch, count: int, *, xla: bool
) -> None:
    small_windows(monkeypatch, 8, 3)
    part = rows(count, 5)
    layers = [replace(MLP[0], dropout=0.2), MLP[1]]
    group = [
        member(layers, Adam(learning_rate=rate), Cosine(), train=part, epochs=2)
        for rate in (0.01, 0.03)
    ]
    memory, disk = (
        fit_all(group, layers, EACH["adam"], train, validation, xla=xla, epochs=2)
        for train, validation in (
            (part, VALIDATION),
            (from_blocks(part, 8), from_blocks(VALIDATION, 3)),
        )
    )
    for one, other in zip(memory, disk, strict=True):
        assert_same(one, other, rtol=1e-6)


def test_members_of_different_seeds_cannot_share_a_stream() -> None:
    group = [member(MLP, EACH["plain"], seed=seed) for seed in (1, 2)]
    with pytest.raises(ValueError, match="one order"):
        fit_all(group, MLP, EACH["plain"], from_blocks(TRAIN, 8), None)


@pytest.mark.parametrize("streamed", ["train", "validation"])
def test_a_stream_beside_a_part_in_memory_is_refused(streamed: str) -> None:
    both: dict[str, Part | Stream] = {"train": TRAIN, "validation": VALIDATION}
    both[streamed] = from_blocks(TRAIN, 8)
    with pytest.raises(ValueError, match="both streams or both in memory"):
        of_parts(both["train"], both["validation"], ENCODING)


@pytest.mark.parametrize("epochs", [1, 3])
def test_epochs_count_from_one_to_the_last_which_is_kept(epochs: int) -> None:
    table = fit_neuron(epochs=epochs).history
    assert table["epoch"].tolist() == list(range(1, epochs + 1))
    assert table["kept"].tolist() == [False] * (epochs - 1) + [True]


def test_without_validation_its_columns_are_missing_values() -> None:
    table = fit_neuron().history
    assert table[["validation_loss", "validation_mae"]].isna().all(axis=None)
    assert table[["loss", "mae", "learning_rate"]].notna().all(axis=None)


def test_validation_in_chunks_gives_the_same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = fit_mlp(EACH["plain"])
    monkeypatch.setattr(fitting, "MAX_ACTIVATIONS", 12)
    assert_same(whole, fit_mlp(EACH["plain"]))


def test_the_mae_is_in_the_target_s_units_and_the_loss_is_not() -> None:
    plain, scaled = (
        fit_mlp(EACH["plain"]).history,
        fit_mlp(EACH["plain"], target=Target("y", mean=3.0, std=7.0)).history,
    )
    for name in ("mae", "validation_mae"):
        np.testing.assert_allclose(scaled[name], 7 * plain[name], rtol=1e-12)
    others = plain.columns.drop(["mae", "validation_mae"])
    pd.testing.assert_frame_equal(scaled[others], plain[others])


def predicted(weights_of: Sequence[Any], x: Any) -> Any:
    """Predictions of MLP with these weights, in float64."""
    first, first_bias, last, last_bias = (array.astype(np.float64) for array in weights_of)
    return np.tanh(x.astype(np.float64) @ first + first_bias) @ last + last_bias


@pytest.mark.parametrize("members", [1, 3])
def test_the_mae_of_a_logarithm_is_that_of_the_target(members: int) -> None:
    rates = [0.05, 0.02, 0.1][:members]
    group = [
        member(MLP, SGD(learning_rate=rate), seed=seed, epochs=3)
        for rate, seed in zip(rates, (3, 4, 5), strict=False)
    ]
    target = Target("y", log=True, mean=2.0, std=0.7)
    fitted = fit_all(group, MLP, EACH["plain"], target=target, epochs=3)
    learned = fit_all(group, MLP, EACH["plain"], epochs=3)

    def in_units(y: Any) -> Any:
        return np.exp(2 + 0.7 * y.astype(np.float64))

    for index, (one, plain) in enumerate(zip(fitted, learned, strict=True)):
        # Validation is of the weights after an epoch, training of those before each batch.
        true, answers = in_units(VALIDATION.y), in_units(predicted(one.weights, VALIDATION.x))
        assert one.history["validation_mae"].iloc[-1] == pytest.approx(
            np.abs(true - answers).mean(), rel=1e-5
        )
        # The loss is in the units that the network learns.
        others = one.history.columns.drop(["mae", "validation_mae"])
        pd.testing.assert_frame_equal(one.history[others], plain.history[others], rtol=1e-6)
        for array, other in zip(one.weights, plain.weights, strict=True):
            np.testing.assert_allclose(array, other, rtol=1e-5, atol=1e-7)
        # In one batch, the first epoch's is of the initial weights.
        (whole,) = fit_all(
            [group[index]], MLP, EACH["plain"], target=target, epochs=1, batch_size=23
        )
        true, answers = in_units(TRAIN.y), in_units(predicted(group[index].weights, TRAIN.x))
        assert whole.history["mae"][0] == pytest.approx(np.abs(true - answers).mean(), rel=1e-5)


@pytest.mark.parametrize("members", [1, 2])
def test_the_mae_of_a_logarithm_is_the_mean_over_batches_of_any_size(members: int) -> None:
    target = Target("y", log=True, mean=-1.0, std=0.5)
    # With this learning rate all batches, also the smaller last one, see the initial weights.
    still = SGD(learning_rate=1e-30)
    group = [member(MLP, still, seed=seed, epochs=2) for seed in (3, 4)[:members]]
    fitted = fit_all(group, MLP, still, target=target, epochs=2)
    for one, start in zip(fitted, group, strict=True):
        for part, name in ((TRAIN, "mae"), (VALIDATION, "validation_mae")):
            true, answers = (
                np.exp(-1 + 0.5 * y.astype(np.float64))
                for y in (part.y, predicted(start.weights, part.x))
            )
            expected = np.abs(true - answers).mean()
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
    # From -0.5 to 4, the kernel passes 2, where the validation loss is 0.
    validation = Part(X, 2 * X)
    fitted = fit_neuron(SGD(learning_rate=0.001), validation, stopping(3), epochs=100)
    table = fitted.history
    best = int(table["validation_loss"].argmin())
    assert 0 < best < len(table) - 1
    assert table["loss"].is_monotonic_decreasing
    assert len(table) == best + 1 + 3
    assert table.index[table["kept"]].tolist() == [best]
    assert mse(fitted, validation) == pytest.approx(table["validation_loss"][best], rel=1e-5)


def test_without_validation_early_stopping_uses_the_training_loss() -> None:
    fitted = fit_neuron(SGD(learning_rate=0.035), None, stopping(2), epochs=50)
    table = fitted.history
    assert (len(table), table["epoch"][table["kept"]].tolist()) == (3, [1])
    once = fit_neuron(SGD(learning_rate=0.035), epochs=1)
    assert mse(fitted, FOUR_X) == mse(once, FOUR_X)


def test_the_best_epoch_is_kept_even_if_training_does_not_stop_early() -> None:
    validation = Part(X, 2 * X)
    fitted = fit_neuron(SGD(learning_rate=0.001), validation, stopping(50), epochs=20)
    table = fitted.history
    best = int(table["validation_loss"].argmin())
    assert len(table) == 20
    assert table.index[table["kept"]].tolist() == [best]
    assert best < 19
    assert mse(fitted, validation) == pytest.approx(table["validation_loss"][best], rel=1e-5)


@pytest.mark.parametrize(("min_delta", "epochs", "kept"), [(0.0, 10, 10), (10.0, 5, 3)])
def test_an_improvement_by_less_than_min_delta_does_not_count(
    min_delta: float, epochs: int, kept: int
) -> None:
    # The losses are 709, 60, 5.2, 0.5, 0.1, ...; only the first three improve by 10.
    table = fit_neuron(early_stopping=stopping(2, min_delta), epochs=10).history
    assert len(table) == epochs
    assert table["epoch"][table["kept"]].tolist() == [kept]


@pytest.mark.parametrize("batch_size", [32, 2])
def test_divergence_is_reported_with_its_epoch(batch_size: int) -> None:
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
    # The loss is the one before the step that makes the weights infinite.
    fitted = fit_neuron(SGD(learning_rate=1e38), epochs=1)
    assert fitted.history["loss"].tolist() == [pytest.approx(709.1211)]
    assert not np.isfinite(fitted.weights[0]).any()
    assert fitted.diverged is not None
    assert fitted.diverged.epoch == 1


def test_the_curves_are_reported_during_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.training.cost.MAX_EPOCHS_PER_CALL", 3)
    reported: list[tuple[int, dict[str, Any]]] = []
    fitted = fit_mlp(
        EACH["plain"],
        on_epochs=lambda first, curves: reported.append((first, curves)),
        target=Target("y", mean=3.0, std=7.0),
    )
    assert [(first, curves["loss"].shape) for first, curves in reported] == [
        (1, (3, 1)),
        (4, (1, 1)),
    ]
    for name in CURVES:
        values = np.concatenate([curves[name][:, 0] for _, curves in reported])
        assert values.tolist() == fitted.history[name].tolist()


def test_the_learning_rate_of_each_epoch_is_the_schedule_s() -> None:
    schedule = Exponential(decay_rate=0.5, decay_epochs=2)
    optimizer = Adam(learning_rate=0.01)
    (fitted,) = fit_all([member(MLP, optimizer, schedule)], MLP, optimizer)
    expected = [0.01 * 0.5 ** (epoch / 2) for epoch in range(4)]
    assert fitted.history["learning_rate"].tolist() == pytest.approx(expected, rel=1e-6)


def test_a_constant_learning_rate_is_exactly_the_configured_one() -> None:
    assert fit_neuron(epochs=2).history["learning_rate"].tolist() == [0.01, 0.01]
