"""The loss, the step and the epoch of a group of networks.

A group is one model whose kernels have shape (members, inputs, units) and whose biases
(members, 1, units): a batched product trains all members in one step, and since they
share nothing but the rows, each gets what it would have got alone. One network is the
same without the leading axis: "…" below is (members,) or nothing.
"""

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

from pipeline.network.backend import keras, tf
from pipeline.training.optimizers import RULES, clipped, decayed

Tensor = Any
Weights = list[Tensor]  # kernel (…, inputs, units) and bias (…, 1, units) of each layer in turn
Slots = list[list[Tensor]]
Own = dict[str, Any]  # what the members have for themselves; see fitting
# What an epoch tells of each member, and which of it is yes (1) or no (0).
FLAGS = ("was_training", "finite", "better")
METRICS = ("loss", "mae", "validation_loss", "validation_mae", *FLAGS)
LOSSES: dict[str, Callable[[Tensor], Tensor]] = {
    "mse": tf.square,
    "mae": tf.abs,
    # Huber (1964) with delta 1.
    "huber": lambda error: tf.where(
        tf.abs(error) <= 1, 0.5 * tf.square(error), tf.abs(error) - 0.5
    ),
}


class State(NamedTuple):
    """Where a training stands; best, waited and training have the shape of the leading axis."""

    weights: Weights
    slots: Slots
    best_weights: Weights
    best: Tensor
    waited: Tensor
    training: Tensor


class Rows(NamedTuple):
    """x (…, features) and y (…, 1); counts (…, 1) is 0 for what only fills up a batch or
    chunk, or None where nothing does."""

    x: Tensor
    y: Tensor
    counts: Tensor = None


class Units(NamedTuple):
    """The target's own units: y * std + mean, or the exponential of that."""

    log: bool = False
    mean: float = 0.0
    std: float = 1.0


AS_LEARNED = Units()


class Group(NamedTuple):
    """What a compiled function is made for: all that the members share, and which of
    the things that they may have any of them has."""

    activations: tuple[str, ...]
    loss: str
    update: str
    dropout: tuple[bool, ...]
    penalties: bool
    decay: bool
    clipping: bool
    stopping: bool
    padded: bool
    xla: bool
    # These change the number of axes, and so take a function of their own.
    alone: bool
    own_orders: bool
    # Of a target that is learned as its logarithm; else MAE is scaled when it is told.
    units: Units | None = None

    def predict(self, weights: Weights, x: Tensor, own: Own, time: Tensor | None) -> Tensor:
        """x of shape (rows, features) to (…, rows, 1); dropout is drawn anew for each
        time, and time None is without it."""
        for layer, name in enumerate(self.activations):
            kernel, bias = weights[2 * layer : 2 * layer + 2]
            x = keras.activations.get(name)(x @ kernel + bias)
            if time is not None and self.dropout[layer]:
                x = dropped(x, own["dropout"][layer], own["seed"], time=time, layer=layer)
        return x

    def absolute(self, y: Tensor, predicted: Tensor) -> Tensor:
        """What MAE is the mean of."""
        if self.units is None:
            return tf.abs(y - predicted)
        own = (tf.exp(z * self.units.std + self.units.mean) for z in (y, predicted))
        return tf.abs(tf.subtract(*own))

    def penalty(self, weights: Weights, own: Own) -> Tensor:
        """L1 and L2 of the kernels, as Keras adds them to the loss."""
        if not self.penalties:
            return 0.0
        terms = (
            tf.reduce_sum(l1 * tf.abs(kernel) + l2 * tf.square(kernel), axis=[-2, -1])
            for kernel, l1, l2 in zip(weights[::2], own["l1"], own["l2"], strict=True)
        )
        return tf.add_n(list(terms))

    def step(
        self, weights: Weights, slots: Slots, batch: Rows, own: Own, *, rate: Tensor, time: Tensor
    ) -> tuple[Weights, Slots, Tensor, Tensor]:
        """One batch: the weights after it, and loss and MAE before it."""
        with tf.GradientTape() as tape:
            tape.watch(weights)
            predicted = self.predict(weights, batch.x, own, time)
            loss = mean(LOSSES[self.loss](batch.y - predicted), batch.counts) + self.penalty(
                weights, own
            )
        # The gradient of the members' sum: each weight is in its own member's loss alone.
        gradients = tape.gradient(loss, weights)
        if self.clipping:
            gradients = [clipped(one, own["clipnorm"], own["clipvalue"]) for one in gradients]
        if self.decay:
            weights = [decayed(weight, rate, own["weight_decay"]) for weight in weights]
        update = RULES[self.update].update
        stepped = [
            update(*one, rate=rate, time=tf.cast(time, tf.float32), own=own["settings"])
            for one in zip(weights, gradients, slots, strict=True)
        ]
        weights, slots = [weight for weight, _ in stepped], [kept for _, kept in stepped]
        return weights, slots, loss, mean(self.absolute(batch.y, predicted), batch.counts)

    def batches(
        self, state: State, sums: Any, own: Own, rows: Rows, *,
        order: Tensor, rates: Tensor, first: Tensor, steps: Tensor,
    ) -> tuple[Weights, Slots, Any]:  # fmt: skip
        """A step for each batch of order, (steps, …, batch), with its rate. sums are of
        loss and MAE over the rows so far; first counts the steps before."""

        def one(i: Tensor, weights: Weights, slots: Slots, losses: Tensor, maes: Tensor) -> Any:
            batch, size = self.take(rows, order[i])
            weights, slots, loss, mae = self.step(
                weights, slots, batch, own, rate=wide(rates[i]), time=first + i + 1
            )
            return i + 1, weights, slots, losses + size * loss, maes + size * mae

        def going_on(i: Tensor, _weights: Any, _slots: Any, losses: Tensor, _maes: Any) -> Tensor:
            finite = tf.math.is_finite(losses)
            return (i < steps) & tf.reduce_any(finite & state.training)

        start = (tf.constant(0), state.weights, state.slots, *sums)
        _, weights, slots, losses, maes = tf.while_loop(going_on, one, start)
        return weights, slots, (losses, maes)

    def take(self, rows: Rows, order: Tensor) -> tuple[Rows, Tensor]:
        """The rows of that order, where -1 is none, and how many they are."""
        if not self.padded:
            size = tf.cast(tf.shape(order)[-1], tf.float32)
            return Rows(tf.gather(rows.x, order), tf.gather(rows.y, order)), size
        counts = tf.cast(order >= 0, tf.float32)[..., tf.newaxis]
        order = tf.maximum(order, 0)
        batch = Rows(tf.gather(rows.x, order), tf.gather(rows.y, order), counts)
        return batch, tf.reduce_sum(counts, axis=[-2, -1])

    def validate(self, weights: Weights, chunks: Rows, own: Own) -> tuple[Tensor, Tensor, Tensor]:
        """Sums of loss and MAE over chunks, (chunks, rows, ...), and of how many rows."""

        def one(i: Tensor, losses: Tensor, maes: Tensor) -> Any:
            y, predicted = chunks.y[i], self.predict(weights, chunks.x[i], own, time=None)
            loss, mae = (
                tf.reduce_sum(values * chunks.counts[i], axis=[-2, -1])
                for values in (LOSSES[self.loss](y - predicted), self.absolute(y, predicted))
            )
            return i + 1, losses + loss, maes + mae

        none = tf.zeros_like(weights[0][..., 0, 0])
        start = (tf.constant(0), none, none)
        _, losses, maes = tf.while_loop(lambda i, *_: i < tf.shape(chunks.x)[0], one, start)
        return losses, maes, tf.reduce_sum(chunks.counts)

    def end_epoch(
        self, state: State, reached: Any, own: Own, validation: Any, *, count: Tensor
    ) -> tuple[State, Tensor]:
        """The state after an epoch over count rows that reached weights, slots and sums,
        and METRICS, (METRICS, …). validation is what `validate` gives of all its rows, or None."""
        weights, slots, sums = reached
        loss, mae = (total / count for total in sums)
        missing = tf.fill(tf.shape(loss), math.nan)
        validated, monitored = (missing, missing), loss
        if validation is not None:
            losses, maes, rows = validation
            monitored = losses / rows + self.penalty(weights, own)
            validated = monitored, maes / rows
        finite = tf.math.is_finite(loss) & tf.math.is_finite(monitored)
        # Whoever is done stays as it was, until it leaves.
        weights = moved(state.training, weights, state.weights)
        training, better = state.training & finite, state.training & finite
        best, best_weights, waited = state.best, state.best_weights, state.waited
        if self.stopping:
            better &= monitored < best - own["min_delta"]
            best = tf.where(better, monitored, best)
            best_weights = moved(better, weights, best_weights)
            waited = tf.where(better, 0, waited + 1)
            training &= waited < own["patience"]
        flags = (tf.cast(flag, tf.float32) for flag in (state.training, finite, better))
        told = tf.stack([loss, mae, *validated, *flags])
        return State(weights, slots, best_weights, best, waited, training), told

    def epochs(
        self, state: State, own: Own, rows: Rows, validation: Rows | None, *,
        orders: Tensor, rates: Tensor, first: Tensor, number: Tensor,
    ) -> tuple[State, Tensor, Tensor]:  # fmt: skip
        """number epochs, or fewer if nobody is left to train: the state after them, METRICS
        of each, and how many they were. orders and rates have an epoch for each entry,
        and may have more of them; first counts the steps before."""
        steps, count = tf.shape(rates)[1], tf.cast(tf.shape(rows.x)[0], tf.float32)
        none = tf.zeros_like(state.best)

        def one(epoch: Tensor, state: State, told: Any) -> Any:
            reached = self.batches(
                state, (none, none), own, rows,
                order=orders[epoch], rates=rates[epoch], first=first + epoch * steps, steps=steps,
            )  # fmt: skip
            validated = None if validation is None else self.validate(reached[0], validation, own)
            state, values = self.end_epoch(state, reached, own, validated, count=count)
            return epoch + 1, state, told.write(epoch, values)

        def going_on(epoch: Tensor, state: State, _told: Any) -> Tensor:
            return (epoch < number) & tf.reduce_any(state.training)

        told = tf.TensorArray(
            tf.float32, tf.shape(rates)[0], element_shape=(len(METRICS), *state.best.shape)
        )
        done, state, told = tf.while_loop(going_on, one, (tf.constant(0), state, told))
        return state, told.stack(), done


class Compiled(NamedTuple):
    """Methods of a group, each as one compiled function."""

    epochs: Callable[..., Any]
    batches: Callable[..., Any]
    validate: Callable[..., Any]
    end_epoch: Callable[..., Any]


@lru_cache(maxsize=64)
def compiled(group: Group) -> Compiled:
    """Compiled once for each group and for each size of what they are called with."""

    def function(method: Callable[..., Any]) -> Callable[..., Any]:
        made: Callable[..., Any] = tf.function(
            method, autograph=False, jit_compile=group.xla, reduce_retracing=not group.xla
        )
        return made

    return Compiled(
        epochs=function(group.epochs),
        batches=function(group.batches),
        validate=function(group.validate),
        end_epoch=function(group.end_epoch),
    )


def mean(values: Tensor, counts: Tensor | None) -> Tensor:
    """Over the rows of (…, rows, 1) that count."""
    if counts is None:
        return tf.reduce_mean(values, axis=[-2, -1])
    return tf.reduce_sum(values * counts, axis=[-2, -1]) / tf.reduce_sum(counts, axis=[-2, -1])


def wide(values: Tensor) -> Tensor:
    """(…) to (…, 1, 1), which broadcasts over the axes of a weight."""
    return values[..., tf.newaxis, tf.newaxis]


def moved(which: Tensor, new: Weights, old: Weights) -> Weights:
    """new for the members that which names, old for the others."""
    return [tf.where(wide(which), *pair) for pair in zip(new, old, strict=True)]


def dropped(x: Tensor, rate: Tensor, seed: Tensor, *, time: Tensor, layer: int) -> Tensor:
    """Srivastava et al. (2014), "Dropout": 0 with probability rate, else x / (1 - rate).
    Which ones follows from seed, time, layer and place alone, so that a member's mask
    does not depend on who is trained beside it."""
    shape = tf.shape(x)[-2:]
    places = tf.reshape(tf.range(shape[0] * shape[1]), shape)
    drawn = mixed(seed)
    for number in (time, tf.constant(layer), places):
        drawn = mixed(drawn + tf.cast(number, tf.uint32))
    # 24 bits are what a float32 holds exactly.
    kept = tf.cast(tf.bitwise.right_shift(drawn, tf.constant(8, tf.uint32)), tf.float32)
    return tf.where(kept / 2.0**24 >= rate, x / (1 - rate), 0.0)


def mixed(value: Tensor) -> Tensor:
    """uint32 to uint32, so that each bit of the result hangs on each bit of value: Wellons
    (2018), "Prospecting for hash functions", lowbias32. TensorFlow's own stateless
    generators take one seed for a call, and draw other numbers under XLA."""
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B), (16, 1)):
        shifted = tf.bitwise.right_shift(value, tf.constant(shift, tf.uint32))
        value = tf.bitwise.bitwise_xor(value, shifted) * tf.constant(factor, tf.uint32)
    return value
