"""Training from its first epoch to its last: one network, or many of one structure.

What an epoch is stands in epoch.py; here are the rows that it takes, who is still
trained, and what is told of it.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.dataset.curves import CURVES
from pipeline.dataset.rows import Array, Part, Stream, block_rows
from pipeline.network.backend import keras, tf
from pipeline.training.callbacks import Callbacks
from pipeline.training.cost import Cost
from pipeline.training.epoch import AS_LEARNED, FLAGS, METRICS, Group, Rows, State, Units, compiled
from pipeline.training.feed import blocks_of_chunks, chunks, held, longer, pieces
from pipeline.training.members import Member, own, starts
from pipeline.training.optimizers import number_of_slots
from pipeline.training.shuffle import Order, in_batches, order_of_rows

Values = NDArray[np.float64]
# Told of some epochs; may answer with the members to give up.
OnEpochs = Callable[[int, dict[str, Values]], Iterable[int] | None]
# How many activations of a layer the validation part may take at once.
MOST_ACTIVATIONS = 2**22


class DivergedError(Exception):
    """The loss is no longer a finite number, and no further epoch would make it one."""

    def __init__(self, epoch: int, loss: float) -> None:
        super().__init__(f"the loss became {loss} in epoch {epoch}")
        self.epoch = epoch
        self.loss = loss


@dataclass(frozen=True)
class Fitted:
    """What became of a member: its weights, in Member's form, and a row for each epoch.

    history has the columns epoch (from 1), loss and mae over the epoch's batches, each
    before its step, validation_loss and validation_mae after the epoch (missing values
    without a validation part), learning_rate at the epoch's start and kept, True for the
    epoch whose weights these are: the last one, or with stopping the best one by the
    validation loss (else the training loss); for none, where a Keras callback leaves
    weights that no epoch ended with, an average, say. The epoch in which a member
    diverged is not among them.
    """

    weights: list[Array]
    history: pd.DataFrame
    diverged: DivergedError | None


def fit(
    members: Sequence[Member],
    train: Part | Stream,
    validation: Part | Stream | None,
    *,
    activations: Sequence[str],
    loss: str,
    update: str,
    epochs: int,
    batch_size: int,
    shuffle: bool,
    xla: bool = False,
    pauses: Sequence[int] = (),
    units: Units = AS_LEARNED,
    on_epochs: OnEpochs | None = None,
    network: keras.Sequential | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> list[Fitted]:
    """Trains members, whose weights have the same shapes, each as if it were alone.

    activations has Keras's name for each layer; loss is a key of epoch.LOSSES, update
    one of updates.RULES. xla compiles the epochs with XLA. MAE
    values are in the target's own units, which units gives those of y. on_epochs is
    called now and then, and at each epoch of pauses, with the number of the first of the
    epochs since (from 1) and their curves, arrays of shape (epochs, members), NaN for
    whoever was not trained; the members that it returns, if any, are given up.

    callbacks are called at each epoch of a single member, as for network, whose Dense
    layers have its weights. The order of the rows follows from seed and epoch alone.
    Raises ValueError where members are of different shapes, where of train and validation
    one is a stream, or where a stream's members have different seeds: each would read the
    file in an order of its own.
    """
    shapes = {tuple(weight.shape for weight in member.weights) for member in members}
    if len(shapes) != 1:
        raise ValueError(f"members of {len(shapes)} structures cannot be one group")
    if isinstance(train, Stream) and shuffle and len({member.seed for member in members}) > 1:
        raise ValueError("a stream is read in one order; train members of other seeds apart")
    if validation is not None and len(validation) == 0:
        validation = None
    if validation is not None and type(validation) is not type(train):
        raise ValueError("train and validation are either both streams or both in memory")
    training = _Training(
        members, train, validation,
        activations=activations, loss=loss, update=update, epochs=epochs,
        batch_size=batch_size, shuffle=shuffle, xla=xla, pauses=pauses, units=units,
    )  # fmt: skip
    called = None
    if callbacks:
        if len(members) != 1 or network is None:
            raise ValueError("Keras callbacks need the one network that they are for")
        called = Callbacks(callbacks, network, update=update, loss=loss, epochs=epochs)
    told: list[Values] = []
    while training.going_on():
        first = training.epoch + 1
        values = training.advance(called)
        values[:, [CURVES.index("mae"), CURVES.index("validation_mae")]] *= (
            1.0 if units.log else units.std
        )
        told.append(values)
        given_up = None
        if on_epochs is not None:
            given_up = on_epochs(first, {name: values[:, i] for i, name in enumerate(CURVES)})
        training.leave(given_up or ())
    weights = training.finish(called)
    curves = np.moveaxis(np.concatenate(told), 2, 0)
    results = zip(weights, curves, training.kept, training.diverged, strict=True)
    return [_fitted(*result) for result in results]


class _Training:
    """A group on its way. Members that are done leave its tensors; places has the
    number of each one that is still in them."""

    def __init__(
        self, members: Sequence[Member], train: Part | Stream, validation: Part | Stream | None, *,
        activations: Sequence[str], loss: str, update: str, epochs: int,
        batch_size: int, shuffle: bool, xla: bool, pauses: Sequence[int], units: Units,
    ) -> None:  # fmt: skip
        self.members = members
        self.alone = len(members) == 1
        self.places = list(range(len(members)))
        self.train = train
        self.rows = len(train)
        self.block_rows = block_rows(members[0].weights[0].shape[0])
        self.batch_size = min(batch_size, self.rows)
        self.steps = -(-self.rows // self.batch_size)
        self.shuffle = shuffle
        self.epochs = epochs
        self.pauses = sorted({*pauses, epochs})
        self.epoch = 0
        self.kept = [0] * len(members)
        self.diverged: list[DivergedError | None] = [None] * len(members)
        self.weights: list[list[Array]] = [[] for _ in members]

        parameters = sum(weight.size for weight in members[0].weights)
        self.cost = Cost(parameters, self.rows, self.batch_size, epochs, len(members))
        self.xla = xla
        self.epochs_per_call = self.cost.epochs_per_call(xla=self.xla)

        stacked = own(members)
        start = [tf.constant(array) for array in starts(members)]
        slots = number_of_slots(update, stacked["settings"])
        none = np.zeros(() if self.alone else len(members), np.float32)
        self.group = Group(
            activations=tuple(activations),
            loss=loss,
            update=update,
            dropout=tuple(bool((rate > 0).any()) for rate in stacked["dropout"]),
            penalties=any(bool((side > 0).any()) for side in (*stacked["l1"], *stacked["l2"])),
            decay=bool((stacked["weight_decay"] > 0).any()),
            clipping=bool(np.isfinite([stacked["clipnorm"], stacked["clipvalue"]]).any()),
            stopping=any(member.stopping for member in members),
            padded=self.rows % self.batch_size > 0,
            xla=self.xla,
            alone=self.alone,
            own_orders=shuffle and len({member.seed for member in members}) > 1,
            units=units if units.log else None,
        )
        self.compiled = compiled(self.group)
        # Tensors, because NumPy arrays would be copied for each call anew.
        self.own = tf.nest.map_structure(tf.constant, stacked)
        self.state = State(
            weights=start,
            slots=[[tf.zeros_like(weight)] * slots for weight in start],
            best_weights=start if self.group.stopping else [],
            best=tf.constant(none + np.float32(math.inf)),
            waited=tf.constant(none.astype(np.int32)),
            training=tf.constant(none == 0),
        )
        self.held = None
        if isinstance(train, Part):
            self.held = held(train)
        self.validation: Rows | None = None
        self.validation_blocks: Iterable[Rows] = ()
        if validation is not None:
            widest = max(weight.shape[-1] for weight in members[0].weights)
            most = MOST_ACTIVATIONS // (widest * len(members))
            if isinstance(validation, Part):
                self.validation = chunks(validation, most)
            else:
                self.validation_blocks = blocks_of_chunks(validation, most)

    def going_on(self) -> bool:
        """Whether there is an epoch to go and somebody to train."""
        return self.epoch < self.epochs and bool(tf.reduce_any(self.state.training))

    def advance(self, called: Callbacks | None) -> Values:
        """Trains for some epochs; returns what they brought, (epochs, CURVES, members),
        NaN for whoever was not trained in them."""
        first = self.epoch
        pause = next(pause for pause in self.pauses if pause > first)
        number = min(self.epochs_per_call, pause - first)
        if called is not None or isinstance(self.train, Stream):
            number = 1
        rates = self._rates(first, number)
        if called is not None:
            rates = _with_rate(rates, called.begin(first, float(rates[0, 0])))
        told = self._from_disk(rates[0]) if self.held is None else self._from_memory(rates)
        self.epoch += len(told)
        values = self._read(first, told, rates)
        if called is not None:
            self._call_back(called, first, values[0, :, 0])
        return values

    def finish(self, called: Callbacks | None) -> list[list[Array]]:
        """Each member's weights in the end."""
        self._take_out(range(len(self.places)))
        if called is not None:
            self.weights[0], self.kept[0] = called.finish(self.weights[0])
        return self.weights

    def _from_memory(self, rates: Values) -> Array:
        number = len(rates)
        orders = np.stack([self._order(self.epoch + i) for i in range(number)])
        # Always as many slots, so that one compilation serves all calls.
        spare = self.epochs_per_call - number
        state, told, done = self.compiled.epochs(
            self.state, self.own, self.held, self.validation,
            orders=longer(orders, spare), rates=longer(rates, spare).astype(np.float32),
            first=np.int32(self.epoch * self.steps), number=np.int32(number),
        )  # fmt: skip
        self.state = state
        return np.asarray(told)[: int(done)]

    def _from_disk(self, rates: Values) -> Array:
        assert isinstance(self.train, Stream)
        reached = self.state.weights, self.state.slots, (tf.zeros_like(self.state.best),) * 2
        done = 0
        read = pieces(
            self.train, self.seeds[0], self.epoch, batch_size=self.batch_size, shuffle=self.shuffle
        )
        for x, y, order, count in read:
            weights, slots, sums = reached
            steps = int(count)
            window_rates = longer(rates[done : done + steps], len(order) - steps)
            reached = self.compiled.batches(
                self.state._replace(weights=weights, slots=slots), sums, self.own, Rows(x, y),
                order=order, rates=window_rates.astype(np.float32),
                first=np.int32(self.epoch * self.steps + done), steps=count,
            )  # fmt: skip
            done += steps
        validated = None
        for block in self.validation_blocks:
            sums = self.compiled.validate(reached[0], block, self.own)
            validated = (
                sums if validated is None else tf.nest.map_structure(tf.add, validated, sums)
            )
        self.state, told = self.compiled.end_epoch(
            self.state, reached, self.own, validated, count=np.float32(self.rows)
        )
        return np.asarray(told)[np.newaxis]

    @property
    def seeds(self) -> list[int]:
        """Of the orders of rows that there are."""
        seeds = sorted({self.members[place].seed for place in self.places})
        return seeds if self.shuffle else seeds[:1]

    def _order(self, epoch: int) -> Order:
        """(steps, batch), or (steps, members, batch) where members have orders of their own."""
        orders = {
            seed: in_batches(
                order_of_rows(self.rows, self.block_rows, seed, epoch, shuffle=self.shuffle),
                self.batch_size,
            )
            for seed in self.seeds
        }
        if not self.group.own_orders:
            return orders[self.seeds[0]]
        each = [orders[self.members[place].seed] for place in self.places]
        return np.stack(each, axis=1)

    def _rates(self, first: int, number: int) -> Values:
        """The learning rate of each step: (epochs, steps), and members if there are many."""
        steps = np.arange(first * self.steps, (first + number) * self.steps)
        each = [self.members[place].learning_rate(steps) for place in self.places]
        rates = each[0] if self.alone else np.stack(each, axis=-1)
        return rates.reshape((number, self.steps, *rates.shape[1:]))

    def _read(self, first: int, told: Array, rates: Values) -> Values:
        """The values of the epochs from first on; notes who diverged, and which epoch's
        weights are to be kept."""
        count = len(told)
        told = told.reshape((count, len(METRICS), -1))  # one network has no axis of members
        was_training, finite, better = (told[:, METRICS.index(name)] > 0 for name in FLAGS)
        trained = was_training & finite
        values = np.full((count, len(CURVES), len(self.members)), math.nan)
        rates = rates[:count, 0].reshape((count, -1))
        measured = np.concatenate([told[:, : len(CURVES) - 1], rates[:, np.newaxis]], axis=1)
        values[:, :, self.places] = np.where(trained[:, np.newaxis], measured, math.nan)
        for at, place in enumerate(self.places):
            kept = trained[:, at] & (better[:, at] if self.members[place].stopping else True)
            if kept.any():
                self.kept[place] = first + int(np.flatnonzero(kept)[-1]) + 1
            for lost in np.flatnonzero(was_training[:, at] & ~finite[:, at]):
                loss, validation_loss = told[lost, 0, at], told[lost, 2, at]
                seen = validation_loss if math.isfinite(loss) else loss
                self.diverged[place] = DivergedError(first + int(lost) + 1, float(seen))
        return values

    def _call_back(self, called: Callbacks, epoch: int, values: Values) -> None:
        logs = {
            name: float(value)
            for name, value in zip(CURVES, values, strict=True)
            if not math.isnan(value)
        }
        if not logs:
            return  # diverged
        after = called.end(epoch, logs, self._own_weights(0, self.state.weights))
        self.state = self.state._replace(
            weights=[tf.constant(np.atleast_2d(weight)) for weight in after],
            training=self.state.training & (not called.stopped),
        )

    def leave(self, given_up: Iterable[int]) -> None:
        """Members that are done or given up leave, if a smaller group is worth its
        compilation; else they stay behind untouched."""
        lost = set(given_up)
        if lost:
            still = np.array([place not in lost for place in self.places])
            still = still.reshape(self.state.training.shape)
            self.state = self.state._replace(training=self.state.training & still)
        training = np.atleast_1d(self.state.training)
        remaining = int(training.sum())
        if remaining == 0 or not replace(self.cost, members=len(training)).leaving_pays(
            remaining, self.epochs - self.epoch, xla=self.xla
        ):
            return
        self._take_out(np.flatnonzero(~training))
        staying = np.flatnonzero(training)
        self.places = [self.places[at] for at in staying]
        self.state, self.own = tf.nest.map_structure(
            lambda array: tf.gather(array, staying), (self.state, self.own)
        )

    def _take_out(self, positions: Iterable[int]) -> None:
        last = [np.asarray(array) for array in self.state.weights]
        kept = [np.asarray(array) for array in self.state.best_weights]
        for at in positions:
            place = self.places[at]
            source = last if self.members[place].stopping is None else kept
            self.weights[place] = self._own_weights(at, source)

    def _own_weights(self, at: int, source: Sequence[Any]) -> list[Array]:
        """Of the member at that position, in Member's form."""
        shapes = [weight.shape for weight in self.members[0].weights]
        arrays = (np.array(array if self.alone else array[at]) for array in source)
        return [array.reshape(shape) for array, shape in zip(arrays, shapes, strict=True)]


def _fitted(
    weights: list[Array], values: Values, kept: int, diverged: DivergedError | None
) -> Fitted:
    """values is (epochs, CURVES); the epochs that the member was not trained in are NaN."""
    trained = values[~np.isnan(values[:, 0])]
    epochs = np.arange(1, len(trained) + 1)
    curves = dict(zip(CURVES, trained.T, strict=True))
    # The loss is of before each step: the last step shows in the weights alone.
    if diverged is None and not all(np.isfinite(weight).all() for weight in weights):
        diverged = DivergedError(len(trained), math.nan)
    return Fitted(
        weights, pd.DataFrame({"epoch": epochs, **curves, "kept": epochs == kept}), diverged
    )


def _with_rate(rates: Values, rate: float) -> Values:
    """The rates of an epoch, or where its first is not rate, rate throughout."""
    return rates if rate == float(rates[0, 0]) else np.full(rates.shape, rate)
