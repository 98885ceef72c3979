"""The loss, the step and the epoch of a group of networks.

A group is one model whose kernels have shape (members, inputs, units) and whose biases
(members, 1, units): a batched product trains all members in one step, and since they
share nothing but the rows, the result for each is the one of training it alone. A single
network has no leading axis: "…" below is (members,) or nothing.
"""

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

from pipeline.network.activation import activated
from pipeline.network.backend import tf
from pipeline.training.optimizers import RULES, clip, decay

Tensor = Any
Weights = list[Tensor]  # kernel (…, inputs, units) and bias (…, 1, units) of each layer in turn
Slots = list[list[Tensor]]
# See members.stack_hyperparameters. Besides, of each member's rows: count (...), their number, and
# steps (..., 1, 1), the number of batches.
PerMember = dict[str, Any]
# What an epoch reports of each member; the flags are 1 or 0.
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
    """What changes from epoch to epoch; best, waited and training have the shape of the leading
    axis. best is the lowest loss that is monitored, waited the number of epochs since."""

    weights: Weights
    slots: Slots
    best_weights: Weights
    best: Tensor
    waited: Tensor
    training: Tensor


class Rows(NamedTuple):
    """x (…, features) and y (…, 1); counts (…, 1) is 0 for padding rows and 1 for others, or
    None where there is no padding."""

    x: Tensor
    y: Tensor
    counts: Tensor = None


class Group(NamedTuple):
    """What a compiled function depends on: all that the members have in common, and which
    optional computations at least one of them needs."""

    activations: tuple[str, ...]
    # Whether each layer has layer normalization.
    normalized: tuple[bool, ...]
    loss: str
    update: str
    dropout: tuple[bool, ...]
    penalties: bool
    decay: bool
    clipping: bool
    stopping: bool
    # How many configurations have members that stop together; 0 if each stops by itself.
    shared: int
    padded: bool
    # Whether the numbers of batches differ.
    uneven: bool
    # Whether the logarithm of the target is learned; otherwise MAE is scaled when it is reported.
    log: bool
    xla: bool
    # These change the number of axes, which needs another function.
    single: bool
    order_per_member: bool
    validation_per_member: bool

    def predict(
        self, weights: Weights, x: Tensor, per_member: PerMember, time: Tensor | None
    ) -> Tensor:
        """Predictions (…, rows, 1) for x (rows, features); each time has its own dropout
        masks, and None is without dropout."""
        for layer, name in enumerate(self.activations):
            kernel, bias = weights[2 * layer : 2 * layer + 2]
            x = activated(x @ kernel + bias, name, normalized=self.normalized[layer])
            if time is not None and self.dropout[layer]:
                x = dropout(
                    x, per_member["dropout"][layer], per_member["seed"], time=time, layer=layer
                )
        return x

    def absolute(self, y: Tensor, predicted: Tensor, per_member: PerMember) -> Tensor:
        """The absolute errors that MAE is the mean of."""
        if not self.log:
            return tf.abs(y - predicted)
        mean, std = per_member["target_mean"], per_member["target_std"]
        return tf.abs(tf.exp(y * std + mean) - tf.exp(predicted * std + mean))

    def penalty(self, weights: Weights, per_member: PerMember) -> Tensor:
        """The L1 and L2 penalties of the kernels, as Keras adds them to the loss."""
        if not self.penalties:
            return 0.0
        terms = (
            tf.reduce_sum(l1 * tf.abs(kernel) + l2 * tf.square(kernel), axis=[-2, -1])
            for kernel, l1, l2 in zip(weights[::2], per_member["l1"], per_member["l2"], strict=True)
        )
        return tf.add_n(list(terms))

    def step(
        self,
        weights: Weights,
        slots: Slots,
        batch: Rows,
        per_member: PerMember,
        *,
        rate: Tensor,
        time: Tensor,
    ) -> tuple[Weights, Slots, Tensor, Tensor]:
        """Trains on one batch: weights and slots after the step, loss and MAE before it."""
        with tf.GradientTape() as tape:
            tape.watch(weights)
            predicted = self.predict(weights, batch.x, per_member, time)
            loss = mean(LOSSES[self.loss](batch.y - predicted), batch.counts) + self.penalty(
                weights, per_member
            )
        # The gradient of the sum over the members: a weight affects the loss of its member alone.
        gradients = tape.gradient(loss, weights)
        if self.clipping:
            gradients = [
                clip(one, per_member["clipnorm"], per_member["clipvalue"]) for one in gradients
            ]
        if self.decay:
            weights = [decay(weight, rate, per_member["weight_decay"]) for weight in weights]
        rule = RULES[self.update].update
        hyperparameters, time = per_member["hyperparameters"], tf.cast(time, tf.float32)
        stepped = [
            rule(*one, rate=rate, time=time, hyperparameters=hyperparameters)
            for one in zip(weights, gradients, slots, strict=True)
        ]
        weights, slots = [weight for weight, _ in stepped], [kept for _, kept in stepped]
        absolute = self.absolute(batch.y, predicted, per_member)
        return weights, slots, loss, mean(absolute, batch.counts)

    def batches(
        self, state: State, sums: Any, per_member: PerMember, rows: Rows, *,
        order: Tensor, rates: Tensor, first: Tensor, steps: Tensor,
    ) -> tuple[Weights, Slots, Any]:  # fmt: skip
        """A step for each batch of order, (steps, …, batch), with its rate. sums are those of
        loss and MAE over the rows so far; first is the number of steps before, () or (…, 1, 1)."""

        def body(i: Tensor, weights: Weights, slots: Slots, losses: Tensor, maes: Tensor) -> Any:
            batch, size = gather(rows, order[i], padded=self.padded)
            before = weights, slots
            weights, slots, loss, mae = self.step(
                weights, slots, batch, per_member, rate=expand(rates[i]), time=first + i + 1
            )
            if self.uneven:  # a batch of padding alone is no step
                weights = select(size > 0, weights, before[0])
                slots = [select(size > 0, *pair) for pair in zip(slots, before[1], strict=True)]
            return i + 1, weights, slots, losses + size * loss, maes + size * mae

        def condition(i: Tensor, _weights: Any, _slots: Any, losses: Tensor, _maes: Any) -> Tensor:
            finite = tf.math.is_finite(losses)
            return (i < steps) & tf.reduce_any(finite & state.training)

        start = (tf.constant(0), state.weights, state.slots, *sums)
        _, weights, slots, losses, maes = tf.while_loop(condition, body, start)
        return weights, slots, (losses, maes)

    def validate(
        self, weights: Weights, rows: Rows, order: Tensor, per_member: PerMember
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Sums of loss and MAE over the rows at the positions of order, (chunks, …, rows), where
        -1 is padding; and the number of rows."""

        def body(i: Tensor, losses: Tensor, maes: Tensor) -> Any:
            chunk, _ = gather(rows, order[i], padded=True)
            predicted = self.predict(weights, chunk.x, per_member, time=None)
            errors = LOSSES[self.loss](chunk.y - predicted)
            loss, mae = (
                tf.reduce_sum(values * chunk.counts, axis=[-2, -1])
                for values in (errors, self.absolute(chunk.y, predicted, per_member))
            )
            return i + 1, losses + loss, maes + mae

        none = tf.zeros_like(weights[0][..., 0, 0])
        start = (tf.constant(0), none, none)
        _, losses, maes = tf.while_loop(lambda i, *_: i < tf.shape(order)[0], body, start)
        return losses, maes, tf.reduce_sum(tf.cast(order >= 0, tf.float32), axis=[0, -1])

    def end_epoch(
        self, state: State, trained: Any, per_member: PerMember, validation: Any
    ) -> tuple[State, Tensor]:
        """The state after an epoch, and its metrics (METRICS, …). trained is what `batches`
        returns for the whole epoch, validation what `validate` returns for all validation rows,
        or None."""
        weights, slots, sums = trained
        loss, mae = (total / per_member["count"] for total in sums)
        missing = tf.fill(tf.shape(loss), math.nan)
        validated, monitored, rows = (missing, missing), loss, per_member["count"]
        if validation is not None:
            losses, maes, rows = validation
            monitored = losses / rows + self.penalty(weights, per_member)
            validated = monitored, maes / rows
        finite = tf.math.is_finite(loss) & tf.math.is_finite(monitored)
        # A member that has finished keeps its weights until it is dropped.
        weights = select(state.training, weights, state.weights)
        training, better = state.training & finite, state.training & finite
        best, best_weights, waited = state.best, state.best_weights, state.waited
        if self.stopping:
            if self.shared:
                monitored = self.shared_mean(monitored, rows, per_member["configuration"])
            better &= monitored < best - per_member["min_delta"]
            best = tf.where(better, monitored, best)
            best_weights = select(better, weights, best_weights)
            waited = tf.where(better, 0, waited + 1)
            training &= waited < per_member["patience"]
        flags = (tf.cast(flag, tf.float32) for flag in (state.training, finite, better))
        metrics = tf.stack([loss, mae, *validated, *flags])
        return State(weights, slots, best_weights, best, waited, training), metrics

    def shared_mean(self, values: Tensor, rows: Tensor, configuration: Tensor) -> Tensor:
        """The mean over the rows of all members of the same configuration, for each of them."""
        total, count = (
            tf.math.unsorted_segment_sum(one, configuration, self.shared)
            for one in (values * rows, rows * tf.ones_like(values))
        )
        return tf.gather(total / count, configuration)

    def epochs(
        self, state: State, per_member: PerMember, rows: Rows, validation: Tensor | None, *,
        orders: Tensor, rates: Tensor, first: Tensor, number: Tensor,
    ) -> tuple[State, Tensor, Tensor]:  # fmt: skip
        """Trains for number epochs, or fewer if every member finishes before: the state after
        them, the metrics of each, and how many there were. orders and rates have an entry for
        each epoch, and may have more; first is the number of epochs before. validation is the
        order of `validate`, or None."""
        none = tf.zeros_like(state.best)

        def body(epoch: Tensor, state: State, metrics: Any) -> Any:
            trained = self.batches(
                state, (none, none), per_member, rows,
                order=orders[epoch], rates=rates[epoch],
                first=(first + epoch) * per_member["steps"], steps=tf.shape(rates)[1],
            )  # fmt: skip
            validated = (
                None
                if validation is None
                else self.validate(trained[0], rows, validation, per_member)
            )
            state, values = self.end_epoch(state, trained, per_member, validated)
            return epoch + 1, state, metrics.write(epoch, values)

        def condition(epoch: Tensor, state: State, _metrics: Any) -> Tensor:
            return (epoch < number) & tf.reduce_any(state.training)

        metrics = tf.TensorArray(
            tf.float32, tf.shape(rates)[0], element_shape=(len(METRICS), *state.best.shape)
        )
        start = (tf.constant(0), state, metrics)
        done, state, metrics = tf.while_loop(condition, body, start)
        return state, metrics.stack(), done


class Compiled(NamedTuple):
    """Methods of a group, each as one compiled function."""

    epochs: Callable[..., Any]
    batches: Callable[..., Any]
    validate: Callable[..., Any]
    end_epoch: Callable[..., Any]


@lru_cache(maxsize=64)
def compiled(group: Group) -> Compiled:
    """The functions of a group, which TensorFlow traces once for each shape of its arguments."""

    def function(method: Callable[..., Any]) -> Callable[..., Any]:
        traced: Callable[..., Any] = tf.function(
            method, autograph=False, jit_compile=group.xla, reduce_retracing=not group.xla
        )
        return traced

    return Compiled(
        epochs=function(group.epochs),
        batches=function(group.batches),
        validate=function(group.validate),
        end_epoch=function(group.end_epoch),
    )


def gather(rows: Rows, order: Tensor, *, padded: bool) -> tuple[Rows, Tensor]:
    """The rows at the positions of order, where -1 is padding, and their number."""
    if not padded:
        size = tf.cast(tf.shape(order)[-1], tf.float32)
        return Rows(tf.gather(rows.x, order), tf.gather(rows.y, order)), size
    counts = tf.cast(order >= 0, tf.float32)[..., tf.newaxis]
    order = tf.maximum(order, 0)
    batch = Rows(tf.gather(rows.x, order), tf.gather(rows.y, order), counts)
    return batch, tf.reduce_sum(counts, axis=[-2, -1])


def mean(values: Tensor, counts: Tensor | None) -> Tensor:
    """The mean over the rows of values (…, rows, 1) that are not padding; 0 if there are none."""
    if counts is None:
        return tf.reduce_mean(values, axis=[-2, -1])
    number = tf.maximum(tf.reduce_sum(counts, axis=[-2, -1]), 1)
    return tf.reduce_sum(values * counts, axis=[-2, -1]) / number


def expand(values: Tensor) -> Tensor:
    """(…) as (…, 1, 1), which broadcasts over the axes of a weight."""
    return values[..., tf.newaxis, tf.newaxis]


def select(which: Tensor, new: Weights, old: Weights) -> Weights:
    """new for the members where which is true, old for the others."""
    return [tf.where(expand(which), *pair) for pair in zip(new, old, strict=True)]


def dropout(x: Tensor, rate: Tensor, seed: Tensor, *, time: Tensor, layer: int) -> Tensor:
    """Srivastava et al. (2014), "Dropout": 0 with probability rate, else x / (1 - rate).
    The mask follows from seed, time, layer and position alone, so that it does not depend on
    the other members of the group."""
    shape = tf.shape(x)[-2:]
    positions = tf.reshape(tf.range(shape[0] * shape[1]), shape)
    drawn = mix(seed)
    for number in (time, tf.constant(layer), positions):
        drawn = mix(drawn + tf.cast(number, tf.uint32))
    # A float32 represents 24 bits exactly.
    kept = tf.cast(tf.bitwise.right_shift(drawn, tf.constant(8, tf.uint32)), tf.float32)
    return tf.where(kept / 2.0**24 >= rate, x / (1 - rate), 0.0)


def mix(value: Tensor) -> Tensor:
    """A hash from uint32 to uint32: Wellons (2018), "Prospecting for hash functions",
    lowbias32. TensorFlow's stateless generators take a single seed per call, and draw other
    numbers under XLA."""
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B), (16, 1)):
        shifted = tf.bitwise.right_shift(value, tf.constant(shift, tf.uint32))
        value = tf.bitwise.bitwise_xor(value, shifted) * tf.constant(factor, tf.uint32)
    return value
