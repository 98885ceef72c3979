"""Training is ordinary Keras training, only faster, and says when it goes wrong."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import fitting, network, optimizers
from pipeline.backend import keras
from pipeline.config import (
    OPTIMIZERS,
    SGD,
    Activation,
    Adam,
    AdamW,
    Constant,
    Exponential,
    KernelInitializer,
    Layer,
    Loss,
    Optimizer,
    RMSprop,
    Schedule,
)
from pipeline.features import Scale, Schema
from pipeline.fitting import DivergedError, Part, Stopping
from pipeline.tables import Columns

# TensorFlow's variables do not take NumPy 2's copy argument, and Keras reads them so.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

ONE = Schema(Columns(["x"], "y"), None, None)
TWO = Schema(Columns(["a", "b"], "y"), Scale([0.2, -0.1], [1.5, 0.5]), None)
# The notebook's neuron.
NEURON = Layer(
    units=1, kernel_initializer=KernelInitializer.constant, kernel_value=-0.5196631
)  # fmt: skip
X = np.array([[1], [3], [2], [10], [4], [7], [8]], np.float32)
FOUR_X = Part(X, 4 * X)
MLP = [Layer(units=6, activation=Activation.tanh), Layer(units=1)]
# 23 rows in batches of 5: the last batch has 3.
BATCH = 5
STEPS = 5


def rows(count: int, seed: int) -> Part:
    x = np.random.default_rng(seed).normal(size=(count, 2)).astype(np.float32)
    return Part(x, np.sin(3 * x[:, :1]) + x[:, 1:])


TRAIN, VALIDATION = rows(23, 1), rows(7, 2)


def neuron(kernel: float = -0.5196631) -> keras.Sequential:
    return network.build([replace(NEURON, kernel_value=kernel)], ONE, seed=1)


def build(
    optimizer: Optimizer, schedule: Schedule | None = None, *, steps: int = 1, epochs: int = 1
) -> keras.optimizers.Optimizer:
    return optimizers.build(optimizer, schedule or Constant(), steps_per_epoch=steps, epochs=epochs)


def fit(
    trained: keras.Sequential,
    train: Part = FOUR_X,
    validation: Part | None = None,
    **changed: Any,
) -> pd.DataFrame:
    """fitting.fit as the notebook would call it, but for what is changed."""
    usual: dict[str, Any] = {
        "loss": "mse",
        "optimizer": build(SGD(learning_rate=0.01)),
        "epochs": 4,
        "batch_size": 32,
        "shuffle": True,
        "seed": 34,
        "stopping": None,
    }
    return fitting.fit(trained, train, validation, **(usual | changed))


def mlp_table(layers: list[Layer] | None = None, **changed: Any) -> pd.DataFrame:
    trained = network.build(layers or MLP, TWO, seed=1)
    return fit(trained, TRAIN, VALIDATION, **({"batch_size": BATCH} | changed))


def mse(trained: keras.Sequential, part: Part) -> float:
    return float(np.square(trained.predict(part.x, verbose=0) - part.y).mean())


def assert_equals_keras(optimizer: Optimizer, loss: str, layers: list[Layer]) -> None:
    ours, theirs = (network.build(layers, TWO, seed=1) for _ in range(2))
    table = fit(
        ours,
        TRAIN,
        VALIDATION,
        loss=loss,
        optimizer=build(optimizer),
        batch_size=BATCH,
        shuffle=False,
    )
    theirs.compile(optimizer=build(optimizer), loss=loss, metrics=["mae"])
    expected = theirs.fit(
        TRAIN.x,
        TRAIN.y,
        validation_data=(VALIDATION.x, VALIDATION.y),
        epochs=4,
        batch_size=BATCH,
        shuffle=False,
        verbose=0,
    ).history
    for name in ("loss", "mae"):
        np.testing.assert_allclose(table[name], expected[name], rtol=1e-5)
        np.testing.assert_allclose(table[f"validation_{name}"], expected[f"val_{name}"], rtol=1e-5)
    for name, array in network.weights(theirs).items():
        np.testing.assert_allclose(network.weights(ours)[name], array, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "optimizer",
    [
        SGD(learning_rate=0.05, momentum=0.9, nesterov=True),
        Adam(learning_rate=0.01),
        AdamW(learning_rate=0.01, weight_decay=0.1),
        RMSprop(learning_rate=0.01),
        SGD(learning_rate=0.05, clipnorm=0.5),
    ],
    ids=[*OPTIMIZERS, "clipped"],
)
def test_training_equals_keras_s_own_for_each_optimizer(optimizer: Optimizer) -> None:
    assert_equals_keras(optimizer, "mse", MLP)


@pytest.mark.parametrize("loss", Loss)
def test_training_equals_keras_s_own_for_each_loss(loss: Loss) -> None:
    assert_equals_keras(SGD(learning_rate=0.05), loss.value, MLP)


def test_training_equals_keras_s_own_with_dropout_and_penalties() -> None:
    layers = [replace(MLP[0], dropout=0.3, l1=0.02, l2=0.05), MLP[1]]
    assert_equals_keras(SGD(learning_rate=0.05), "mse", layers)


def test_an_epoch_takes_the_rows_in_its_order() -> None:
    ours, theirs = (network.build(MLP, TWO, seed=1) for _ in range(2))
    table = fit(ours, TRAIN, batch_size=BATCH, seed=3, epochs=2)
    theirs.compile(optimizer=build(SGD(learning_rate=0.01)), loss="mse")
    for epoch in range(2):
        order = fitting.order_of_rows(23, 3, epoch, shuffle=True)
        expected = theirs.fit(
            TRAIN.x[order], TRAIN.y[order], batch_size=BATCH, shuffle=False, verbose=0
        ).history
        assert table["loss"][epoch] == pytest.approx(expected["loss"][0], rel=1e-5)


def test_the_notebook_s_numbers_come_out_to_the_last_digit() -> None:
    trained = neuron()
    table = fit(trained, epochs=100)
    printed = [f"{row.loss:.4f} {row.mae:.4f}" for row in table.head(8).itertuples()]
    assert printed == [
        "709.1211 22.5983",
        "60.2346 6.4567",
        "5.2110 1.7894",
        "0.5441 0.5726",
        "0.1473 0.3529",
        "0.1125 0.3035",
        "0.1085 0.2880",
        "0.1070 0.2824",
    ]
    reached = network.weights(trained)
    assert str(reached["dense_1/kernel"][0, 0]) == "3.9461584"
    assert str(reached["dense_1/bias"][0]) == "0.37086314"
    predicted = trained.predict(np.array([[5], [-3]], np.float32), verbose=0)[:, 0]
    assert [f"{value:.6f}" for value in predicted] == ["20.101656", "-11.467612"]


@pytest.mark.parametrize("epochs", [1, 3])
def test_epochs_count_from_one_to_the_last_which_is_kept(epochs: int) -> None:
    table = fit(neuron(), epochs=epochs)
    assert table["epoch"].tolist() == list(range(1, epochs + 1))
    assert table["kept"].tolist() == [False] * (epochs - 1) + [True]


def test_without_validation_its_columns_are_missing_values() -> None:
    table = fit(neuron())
    assert table[["validation_loss", "validation_mae"]].isna().all(axis=None)
    assert table[["loss", "mae", "learning_rate"]].notna().all(axis=None)


def test_the_mae_is_in_the_target_s_units_and_the_loss_is_not() -> None:
    plain, scaled = mlp_table(), mlp_table(mae_unit=7.0)
    for name in ("mae", "validation_mae"):
        np.testing.assert_allclose(scaled[name], 7 * plain[name], rtol=1e-12)
    others = plain.columns.drop(["mae", "validation_mae"])
    pd.testing.assert_frame_equal(scaled[others], plain[others])


def test_the_same_seed_gives_the_same_table_and_another_seed_another() -> None:
    first, same, other = (mlp_table(seed=seed) for seed in (5, 5, 6))
    pd.testing.assert_frame_equal(first, same)
    assert (first["loss"] != other["loss"]).all()


def test_more_epochs_do_not_change_the_earlier_ones() -> None:
    few, more = mlp_table(epochs=2), mlp_table(epochs=4)
    pd.testing.assert_frame_equal(few.drop(columns="kept"), more.drop(columns="kept").head(2))


@given(rows=st.integers(1, 200), seed=st.integers(0, 2**32 - 1), epoch=st.integers(0, 10_000))
def test_an_order_is_a_permutation_that_follows_from_seed_and_epoch(
    rows: int, seed: int, epoch: int
) -> None:
    order = fitting.order_of_rows(rows, seed, epoch, shuffle=True)
    assert sorted(order.tolist()) == list(range(rows))
    np.testing.assert_array_equal(order, fitting.order_of_rows(rows, seed, epoch, shuffle=True))


def test_every_epoch_has_an_order_of_its_own() -> None:
    orders = [tuple(fitting.order_of_rows(50, 1, epoch, shuffle=True)) for epoch in range(20)]
    assert len(set(orders)) == 20


def test_without_shuffling_the_order_is_the_table_s() -> None:
    assert fitting.order_of_rows(5, 1, 3, shuffle=False).tolist() == [0, 1, 2, 3, 4]


def test_early_stopping_keeps_the_best_weights_by_the_validation_loss() -> None:
    # On its way from -0.5 to 4 the kernel passes 2, which validation likes best.
    trained, validation = neuron(), Part(X, 2 * X)
    slow = build(SGD(learning_rate=0.001))
    table = fit(
        trained, validation=validation, optimizer=slow, epochs=100, stopping=Stopping(3, 0.0)
    )
    best = int(table["validation_loss"].argmin())
    assert 0 < best < len(table) - 1
    assert table["loss"].is_monotonic_decreasing
    assert len(table) == best + 1 + 3
    assert table.index[table["kept"]].tolist() == [best]
    assert mse(trained, validation) == pytest.approx(table["validation_loss"][best], rel=1e-5)


def test_without_validation_early_stopping_goes_by_the_training_loss() -> None:
    growing = {"optimizer": build(SGD(learning_rate=0.035)), "epochs": 50}
    trained, once = neuron(), neuron()
    table = fit(trained, stopping=Stopping(2, 0.0), **growing)
    assert table["loss"].is_monotonic_increasing
    assert table["kept"].tolist() == [True, False, False]
    fit(once, optimizer=build(SGD(learning_rate=0.035)), epochs=1)
    assert mse(trained, FOUR_X) == mse(once, FOUR_X)


def test_early_stopping_keeps_the_best_epoch_even_where_the_epochs_run_out() -> None:
    trained, validation = neuron(), Part(X, 2 * X)
    slow = build(SGD(learning_rate=0.001))
    table = fit(
        trained, validation=validation, optimizer=slow, epochs=20, stopping=Stopping(50, 0.0)
    )
    best = int(table["validation_loss"].argmin())
    assert len(table) == 20
    assert table.index[table["kept"]].tolist() == [best]
    assert best < 19
    assert mse(trained, validation) == pytest.approx(table["validation_loss"][best], rel=1e-5)


@pytest.mark.parametrize(("min_delta", "epochs", "kept"), [(0.0, 10, 10), (10.0, 5, 3)])
def test_an_improvement_by_less_than_min_delta_is_none(
    min_delta: float, epochs: int, kept: int
) -> None:
    # The losses are 709, 60, 5.2, 0.5, 0.1, ...; only the first three gain 10.
    table = fit(neuron(), epochs=10, stopping=Stopping(2, min_delta))
    assert len(table) == epochs
    assert table["epoch"][table["kept"]].tolist() == [kept]


@pytest.mark.parametrize("batch_size", [32, 2])
def test_a_diverging_run_names_the_epoch(batch_size: int) -> None:
    seen: list[int] = []
    with pytest.raises(DivergedError) as caught:
        fit(
            neuron(),
            optimizer=build(SGD(learning_rate=1000.0)),
            epochs=100,
            batch_size=batch_size,
            on_epoch=lambda epoch, _values: seen.append(epoch),
        )
    error = caught.value
    assert not math.isfinite(error.loss)
    assert seen == list(range(1, error.epoch))
    assert str(error) == f"the loss became {error.loss} in epoch {error.epoch}"
    assert error.epoch == (5 if batch_size == 32 else 2)


@pytest.mark.parametrize("x", [1e30, math.nan], ids=["too large", "not a number"])
def test_a_validation_loss_that_is_not_finite_is_a_divergence(x: float) -> None:
    bad = Part(np.array([[x]], np.float32), np.array([[0]], np.float32))
    seen: list[int] = []
    with pytest.raises(DivergedError) as caught:
        fit(neuron(), validation=bad, on_epoch=lambda epoch, _values: seen.append(epoch))
    assert not math.isfinite(caught.value.loss)
    assert (caught.value.epoch, seen) == (1, [])


def test_weights_that_are_not_finite_after_the_last_step_are_a_divergence() -> None:
    # The loss of the only epoch is of before the step that spoils the weights.
    seen: list[float] = []
    trained = neuron()
    with pytest.raises(DivergedError) as caught:
        fit(
            trained,
            optimizer=build(SGD(learning_rate=1e38)),
            epochs=1,
            on_epoch=lambda _epoch, values: seen.append(values["loss"]),
        )
    assert seen == [pytest.approx(709.1211)]
    assert not np.isfinite(network.weights(trained)["dense_1/kernel"]).any()
    assert caught.value.epoch == 1


def test_each_epoch_is_told_the_values_of_its_row() -> None:
    told: list[dict[str, float]] = []

    def on_epoch(epoch: int, values: dict[str, float]) -> None:
        told.append({"epoch": epoch, **values})

    table = mlp_table(mae_unit=7.0, on_epoch=on_epoch)
    assert told == table.drop(columns="kept").to_dict("records")


def test_callbacks_of_keras_see_every_epoch() -> None:
    seen: list[int] = []
    callback = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, _logs: seen.append(epoch))
    fit(neuron(), callbacks=[callback])
    assert seen == [0, 1, 2, 3]


@pytest.mark.parametrize("changed", [{"dropout": 0.5}, {"l2": 0.1}, {"l1": 0.1}])
def test_dropout_and_penalties_change_the_loss(changed: dict[str, float]) -> None:
    layers = [replace(MLP[0], **changed), MLP[1]]  # type: ignore[arg-type] # any float field
    assert not np.isclose(mlp_table(layers)["loss"], mlp_table()["loss"], rtol=1e-3).any()


def test_a_penalty_is_part_of_the_validation_loss_and_dropout_is_not() -> None:
    frozen = {"optimizer": build(SGD(learning_rate=1e-30)), "epochs": 1}
    plain = mlp_table(**frozen)
    for changed in (replace(MLP[0], dropout=0.5), replace(MLP[0], l2=0.1)):
        frozen["optimizer"] = build(SGD(learning_rate=1e-30))
        table = mlp_table([changed, MLP[1]], **frozen)
        same = table["validation_loss"][0] == pytest.approx(plain["validation_loss"][0], rel=1e-6)
        assert same == (changed.dropout > 0)
        assert table["validation_mae"][0] == pytest.approx(plain["validation_mae"][0], rel=1e-6)


def test_the_learning_rate_of_each_epoch_is_the_schedule_s() -> None:
    schedule = Exponential(decay_rate=0.5, decay_epochs=2)
    optimizer = build(Adam(learning_rate=0.01), schedule, steps=STEPS, epochs=4)
    table = mlp_table(optimizer=optimizer)
    expected = [0.01 * 0.5 ** (epoch / 2) for epoch in range(4)]
    assert table["learning_rate"].tolist() == pytest.approx(expected, rel=1e-6)


def test_a_constant_learning_rate_is_written_as_it_was_configured() -> None:
    assert fit(neuron(), epochs=2)["learning_rate"].tolist() == [0.01, 0.01]
