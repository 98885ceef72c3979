"""Training a network: an epoch is one compiled call under ordinary Keras fit.

Keras starts a data iterator and a Python loop anew for each epoch, which takes
longer than the arithmetic of a small table. Here the rows stay in memory as
tensors, and one call of one compiled function runs all batches of an epoch.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.backend import keras, tf

Array = NDArray[np.float32]
OnEpoch = Callable[[int, dict[str, float]], None]


@dataclass(frozen=True)
class Part:
    """x of shape (rows, features) and y of shape (rows, 1), as training sees them."""

    x: Array
    y: Array


@dataclass(frozen=True)
class Stopping:
    """Stop after patience epochs in a row without an improvement by min_delta."""

    patience: int
    min_delta: float


class DivergedError(Exception):
    """The loss is no longer a finite number, and no further epoch would make it one."""

    def __init__(self, epoch: int, loss: float) -> None:
        super().__init__(f"the loss became {loss} in epoch {epoch}")
        self.epoch = epoch
        self.loss = loss


class EpochPerCall(keras.Sequential):
    """A Sequential whose training step runs one whole epoch over rows in memory."""

    def hold(self, train: Part, validation: Part | None, batch_size: int) -> None:
        """The rows that the next fit goes over."""
        self._train = tf.constant(train.x), tf.constant(train.y)
        self._validation = None
        if validation is not None:
            self._validation = tf.constant(validation.x), tf.constant(validation.y)
        self._batch_size = batch_size

    def make_train_function(self, force: bool = False) -> None:  # noqa: FBT001, FBT002 - Keras's own
        """Called by fit. The function that it sets takes the order of an epoch's
        rows from the iterator and returns the epoch's mean loss and MAE."""
        del force
        x, y = self._train

        @tf.function
        def run_epoch(orders: Iterator[Any]) -> dict[str, Any]:
            order = next(orders)
            for start in tf.range(0, tf.size(order), self._batch_size):
                rows = order[start : start + self._batch_size]
                logs = self.train_step((tf.gather(x, rows), tf.gather(y, rows)))
                if not tf.math.is_finite(logs["loss"]):
                    break
            return {**self.get_metrics_result(), **self._validate()}

        self.train_function = run_epoch

    def _validate(self) -> dict[str, Any]:
        if self._validation is None:
            return {}
        x, y = self._validation
        predicted = self(x, training=False)
        return {
            "validation_loss": self.compute_loss(x=x, y=y, y_pred=predicted, training=False),
            "validation_mae": tf.reduce_mean(tf.abs(y - predicted)),
        }


def fit(
    network: keras.Sequential,
    train: Part,
    validation: Part | None,
    *,
    loss: str,
    optimizer: keras.optimizers.Optimizer,
    epochs: int,
    batch_size: int,
    shuffle: bool,
    seed: int,
    stopping: Stopping | None,
    mae_unit: float = 1.0,
    on_epoch: OnEpoch | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> pd.DataFrame:
    """Trains network in place and returns a row for each epoch.

    Columns: epoch (from 1), loss and mae over the epoch's batches as Keras reports
    them (each before its step), learning_rate at the epoch's start and, where
    there is a validation part, validation_loss and validation_mae after the epoch;
    without one these two are missing values. MAE columns are multiplied by
    mae_unit, the target's units in one unit of y. on_epoch is called with each row.
    kept is True for the epoch whose weights network has in the end: the last one,
    or with stopping the best one by the validation loss (else the training loss).

    The order of the rows follows from seed and epoch alone. Raises DivergedError
    in the first epoch whose loss, or validation loss, is NaN or infinite.
    """
    runner = EpochPerCall([keras.Input(network.input_shape[1:]), *network.layers])
    runner.compile(optimizer=optimizer, loss=loss, metrics=["mae"])
    runner.hold(train, validation, batch_size)
    history = _History(mae_unit, on_epoch)
    stop = []
    if stopping is not None:
        stop.append(
            keras.callbacks.EarlyStopping(
                monitor=monitored(has_validation=validation is not None),
                patience=stopping.patience,
                min_delta=stopping.min_delta,
                mode="min",
                restore_best_weights=True,
            )
        )
    rows = len(train.x)
    orders = tf.data.Dataset.from_generator(
        lambda: (order_of_rows(rows, seed, epoch, shuffle=shuffle) for epoch in range(epochs)),
        output_signature=tf.TensorSpec((rows,), tf.int32),
    )
    runner.fit(
        orders,
        epochs=epochs,
        steps_per_epoch=1,
        shuffle=False,  # the orders are shuffled already
        verbose=0,
        callbacks=[history, *stop, *callbacks],
    )
    table = history.table()
    # The loss is of before each step: the last step shows in the weights alone.
    if not all(np.isfinite(array).all() for array in runner.get_weights()):
        raise DivergedError(len(table), math.nan)
    kept = stop[0].best_epoch + 1 if stop else len(table)
    return table.assign(kept=table["epoch"] == kept)


def order_of_rows(rows: int, seed: int, epoch: int, *, shuffle: bool) -> NDArray[np.int32]:
    """In which order an epoch (from 0) takes the rows: a permutation of 0 to rows - 1."""
    if not shuffle:
        return np.arange(rows, dtype=np.int32)
    return np.random.default_rng([seed, epoch]).permutation(rows).astype(np.int32)


def monitored(*, has_validation: bool) -> str:
    """The quantity by which the best epoch is chosen."""
    return "validation_loss" if has_validation else "loss"


class _History(keras.callbacks.Callback):
    """Collects the rows of fit's table; raises DivergedError."""

    def __init__(self, mae_unit: float, on_epoch: OnEpoch | None) -> None:
        super().__init__()
        self._mae_unit = mae_unit
        self._on_epoch = on_epoch
        self._rows: list[dict[str, float]] = []
        self._learning_rate = math.nan

    def on_epoch_begin(self, _epoch: int, _logs: dict[str, Any] | None = None) -> None:
        # A float32: seven digits are all it has.
        self._learning_rate = float(f"{float(self.model.optimizer.learning_rate):.7g}")

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        values = {name: float(value) for name, value in (logs or {}).items()}
        for name in ("loss", "validation_loss"):
            if not math.isfinite(values.get(name, 0.0)):
                raise DivergedError(epoch + 1, values[name])
        for name in values:
            if name.endswith("mae"):
                values[name] *= self._mae_unit
        values["learning_rate"] = self._learning_rate
        self._rows.append({"epoch": epoch + 1, **values})
        if self._on_epoch is not None:
            self._on_epoch(epoch + 1, values)

    def table(self) -> pd.DataFrame:
        columns = ["epoch", "loss", "mae", "validation_loss", "validation_mae", "learning_rate"]
        return pd.DataFrame(self._rows, columns=columns)
