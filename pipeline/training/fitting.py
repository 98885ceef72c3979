"""Training from the first epoch to the last: one network, or many of the same structure.

epoch.py computes an epoch. This module gives it the rows, keeps track of the members that
are still trained, and reports the curves.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.dataset.curves import CURVES
from pipeline.dataset.rows import Array, Part, Stream, TrainingRows, block_rows
from pipeline.network.backend import keras, tf
from pipeline.training.callbacks import Callbacks
from pipeline.training.checkpoints import Checkpoints
from pipeline.training.cost import Cost
from pipeline.training.epoch import FLAGS, METRICS, Group, Rows, State, compiled
from pipeline.training.feed import blocks_of_chunks, chunks, in_memory, padded, pieces
from pipeline.training.members import Member, stack, stack_hyperparameters, stack_weights
from pipeline.training.optimizers import number_of_slots
from pipeline.training.shuffle import Order, in_batches, order_of_rows

Values = NDArray[np.float64]
OnEpochs = Callable[[int, dict[str, Values]], Iterable[int] | None]
# Of a layer, which validation computes at once.
MAX_ACTIVATIONS = 2**22


class DivergedError(Exception):
    """The loss is not finite any more, from which no further epoch recovers."""

    def __init__(self, epoch: int, loss: float) -> None:
        super().__init__(f"the loss became {loss} in epoch {epoch}")
        self.epoch = epoch
        self.loss = loss


@dataclass(frozen=True)
class Fitted:
    """A trained member.

    Attributes
    ----------
    weights
        Kernel (inputs, units) and bias (units,) of each layer in turn.
    history
        A row for each epoch but one that diverged: epoch (from 1), loss and mae over the
        epoch's batches, each before its step, validation_loss and validation_mae after the
        epoch (missing values without a validation part), learning_rate at the start of the
        epoch, and kept, True for the epoch that ended with these weights. With early stopping
        that is the best one by the validation loss (or the training loss without a validation
        part), otherwise the last. It is none where a Keras callback sets other weights, such as
        an average.
    diverged
        Why training stopped before its end, or None.
    """

    weights: list[Array]
    history: pd.DataFrame
    diverged: DivergedError | None

    def summary(self) -> str:
        """One line: the epochs, the last loss and MAE, and which weights were kept."""
        last = self.history.iloc[-1]
        line = f"trained {len(self.history)} epochs: loss {last.loss:.6g}, mae {last.mae:.6g}"
        if last.kept:
            return line
        kept = self.history["epoch"][self.history["kept"]]
        source = f"epoch {kept.iloc[0]}" if len(kept) else "a Keras callback"
        return f"{line}; the weights are those of {source}"


def summary(folds: Sequence[Fitted]) -> str:
    """One line about a network, or about those of all folds."""
    if len(folds) == 1:
        return folds[0].summary()
    counts = sorted({len(one.history) for one in folds})
    epochs = " to ".join(map(str, counts[:: len(counts) - 1] if counts[1:] else counts))
    monitored = [one.history.loc[one.history["kept"], "validation_loss"].mean() for one in folds]
    return (
        f"trained {len(folds)} networks for {epochs} epochs: mean validation loss"
        f" {np.mean(monitored):.6g}, from {min(monitored):.6g} to {max(monitored):.6g}"
    )


def fit(
    members: Sequence[Member],
    rows: TrainingRows,
    *,
    activations: Sequence[str],
    normalized: Sequence[bool] | None = None,
    loss: str,
    update: str,
    epochs: int,
    batch_size: int,
    shuffle: bool,
    xla: bool = False,
    pauses: Sequence[int] = (),
    on_epochs: OnEpochs | None = None,
    network: keras.Sequential | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    checkpoints: Checkpoints | None = None,
) -> list[Fitted]:
    """Trains a group of members, each as if it were trained alone.

    The order of the rows follows from seed and epoch alone.

    Parameters
    ----------
    members
        Networks whose weights have the same shapes.
    rows
        What they are trained on, and validated on after each epoch.
    activations
        Keras's name of each layer's activation.
    normalized
        Whether each layer has layer normalization; None is for none.
    loss
        A key of epoch.LOSSES.
    update
        A key of optimizers.RULES.
    epochs, batch_size, shuffle
        As in keras.Model.fit.
    xla
        Whether XLA compiles the epochs.
    pauses
        Epochs (from 1) after which on_epochs is called in any case.
    on_epochs
        Called after every few epochs with the number of the first of them (from 1) and their
        curves by name, each of shape (epochs, members), NaN where a member was not trained.
        May return the positions of members to stop.
    network
        For callbacks: a network whose Dense layers have the weights of the only member.
    callbacks
        Keras callbacks, called at each epoch of a single member.
    checkpoints
        From which the same training goes on, as if it had not been interrupted, and to which it is
        saved from time to time. on_epochs receives all of its curves again.

    Returns
    -------
    list of Fitted
        One for each member, in their order.

    Raises
    ------
    ValueError
        If the weights of the members have different shapes; if only some of them share their
        early stopping with others; if some folds have rows for
        validation and others have none; if members that would read a shuffled stream have
        different seeds, and so different orders; if there are callbacks but several members or
        no network.
    """
    _check_group(members, rows, shuffle=shuffle)
    training = _Training(
        members, rows,
        activations=activations, normalized=normalized or [False] * len(activations),
        loss=loss, update=update, epochs=epochs,
        batch_size=batch_size, shuffle=shuffle, xla=xla, pauses=pauses,
    )  # fmt: skip
    keras_callbacks = None
    if callbacks:
        if len(members) != 1 or network is None:
            raise ValueError("Keras callbacks need the one network that they are for")
        keras_callbacks = Callbacks(callbacks, network, update=update, loss=loss, epochs=epochs)
    reported: list[Values] = []
    # Of a logarithm, the absolute errors are in the target's units already.
    stds = np.array([1.0 if one.target.log else one.target.std for one in members])
    if checkpoints and (saved := checkpoints.load()):
        reported.append(saved.pop("curves"))
        training.restore(saved)
        if on_epochs is not None:
            on_epochs(1, {name: reported[0][:, i] for i, name in enumerate(CURVES)})
    while training.has_work():
        first = training.epoch + 1
        values = training.advance(keras_callbacks)
        values[:, [CURVES.index("mae"), CURVES.index("validation_mae")]] *= stds
        reported.append(values)
        if on_epochs is not None:
            stopped = on_epochs(first, {name: values[:, i] for i, name in enumerate(CURVES)})
            training.stop(stopped or ())
        training.drop_finished()
        if checkpoints and checkpoints.due():
            curves = {"curves": np.concatenate(reported)}
            checkpoints.save(training.epoch, training.snapshot() | curves)
    weights = training.finish(keras_callbacks)
    by_member = np.moveaxis(np.concatenate(reported), 2, 0)
    results = zip(weights, by_member, training.kept, training.diverged, strict=True)
    return [_fitted(*result) for result in results]


def _check_group(members: Sequence[Member], rows: TrainingRows, *, shuffle: bool) -> None:
    """Raises ValueError if they cannot be trained together; see `fit`."""
    shapes = {tuple(weight.shape for weight in member.weights) for member in members}
    if len(shapes) != 1:
        raise ValueError(f"members of {len(shapes)} structures cannot be one group")
    seeds = {member.seed for member in members}
    if isinstance(rows.rows, Stream) and shuffle and len(seeds) > 1:
        raise ValueError("a stream is read in one order; train members of other seeds separately")
    if len({member.stopping.shared for member in members if member.stopping}) > 1:
        raise ValueError("either all configurations stop their members together or none does")
    if rows.validated and not all(len(fold.validation) for fold in rows.folds):
        raise ValueError("either all folds have rows for validation or none has")


class _Training:
    """The state of a group in training. active has the positions among members of those that
    are in the tensors; members that have finished are dropped from them."""

    def __init__(
        self, members: Sequence[Member], rows: TrainingRows, *,
        activations: Sequence[str], normalized: Sequence[bool], loss: str, update: str, epochs: int,
        batch_size: int, shuffle: bool, xla: bool, pauses: Sequence[int],
    ) -> None:  # fmt: skip
        self.members = members
        self.single = len(members) == 1
        self.active = list(range(len(members)))
        self.rows = rows
        # Of the training rows of each member: their number, and that of their batches.
        counts = np.array([rows.counts[member.fold] for member in members])
        self.batch_size = min(batch_size, int(counts.max()))
        self.steps = -(-counts // self.batch_size)
        self.block_rows = block_rows(members[0].weights[0].shape[0])
        self.shuffle = shuffle
        self.epochs = epochs
        self.pauses = sorted({*pauses, epochs})
        self.epoch = 0
        self.kept = [0] * len(members)
        self.diverged: list[DivergedError | None] = [None] * len(members)
        self.weights: list[list[Array]] = [[] for _ in members]

        parameters = sum(weight.size for weight in members[0].weights)
        self.cost = Cost(parameters, int(counts.max()), self.batch_size, epochs, len(members))
        self.xla = xla
        self.epochs_per_call = self.cost.epochs_per_call(xla=self.xla)

        stacked = stack_hyperparameters(members)
        start = [tf.constant(array) for array in stack_weights(members)]
        slots = number_of_slots(update, stacked["hyperparameters"])
        none = np.zeros(() if self.single else len(members), np.float32)
        self.group = Group(
            activations=tuple(activations),
            normalized=tuple(normalized),
            loss=loss,
            update=update,
            dropout=tuple(bool((rate > 0).any()) for rate in stacked["dropout"]),
            penalties=any(bool((side > 0).any()) for side in (*stacked["l1"], *stacked["l2"])),
            decay=bool((stacked["weight_decay"] > 0).any()),
            clipping=bool(np.isfinite([stacked["clipnorm"], stacked["clipvalue"]]).any()),
            stopping=any(member.stopping for member in members),
            shared=self._shared(),
            padded=bool((counts != self.steps.max() * self.batch_size).any()),
            uneven=len(set(self.steps)) > 1,
            log=members[0].target.log,
            xla=self.xla,
            single=self.single,
            order_per_member=len({self._kind_of_order(index) for index in self.active}) > 1,
            validation_per_member=rows.validated and len({member.fold for member in members}) > 1,
        )
        self.compiled = compiled(self.group)
        stacked["count"] = stack([np.float32(count) for count in counts])
        stacked["steps"] = stack([np.full((1, 1), steps, np.int32) for steps in self.steps])
        # Tensors, because every call would copy NumPy arrays.
        self.per_member = tf.nest.map_structure(tf.constant, stacked)
        self.state = State(
            weights=start,
            slots=[[tf.zeros_like(weight)] * slots for weight in start],
            best_weights=start if self.group.stopping else [],
            best=tf.constant(none + np.float32(math.inf)),
            waited=tf.constant(none.astype(np.int32)),
            training=tf.constant(none == 0),
        )
        self.in_memory = in_memory(rows.rows) if isinstance(rows.rows, Part) else None
        self.validation: Any = None
        self.validation_blocks: Iterable[Any] = ()
        if rows.validated:
            widest = max(max(weight.shape) for weight in members[0].weights)
            max_rows = MAX_ACTIVATIONS // (widest * len(members))
            if rows.validation is None:
                folds = [member.fold for member in members]
                each = self.group.validation_per_member
                used = folds if each else folds[:1]
                order = chunks([rows.folds[fold].validation for fold in used], max_rows)
                self.validation = tf.constant(order if each else order[:, 0])
            else:
                self.validation_blocks = blocks_of_chunks(rows.validation, max_rows)

    def has_work(self) -> bool:
        """Whether epochs remain, and a member to train in them."""
        return self.epoch < self.epochs and bool(tf.reduce_any(self.state.training))

    def advance(self, callbacks: Callbacks | None) -> Values:
        """Trains for some epochs; returns their curves, (epochs, CURVES, members), NaN where a
        member was not trained."""
        first = self.epoch
        pause = next(pause for pause in self.pauses if pause > first)
        number = min(self.epochs_per_call, pause - first)
        if callbacks is not None or self.in_memory is None:
            number = 1
        rates = self._rates(first, number)
        if callbacks is not None:
            rates = _with_rate(rates, callbacks.begin(first, float(rates[0, 0])))
        in_memory = self.in_memory is not None
        metrics = self._from_memory(rates) if in_memory else self._from_disk(rates[0])
        self.epoch += len(metrics)
        values = self._record(first, metrics, rates)
        if callbacks is not None:
            self._call_back(callbacks, first, values[0, :, 0])
        return values

    def finish(self, callbacks: Callbacks | None) -> list[list[Array]]:
        """The final weights of each member."""
        self._collect(range(len(self.active)))
        if callbacks is not None:
            self.weights[0], self.kept[0] = callbacks.finish(self.weights[0])
        return self.weights

    def _from_memory(self, rates: Values) -> Array:
        number = len(rates)
        orders = np.stack([self._order(self.epoch + i) for i in range(number)])
        # Always of the same length, so that all calls need a single compilation.
        missing = self.epochs_per_call - number
        state, metrics, done = self.compiled.epochs(
            self.state, self.per_member, self.in_memory, self.validation,
            orders=padded(orders, missing), rates=padded(rates, missing).astype(np.float32),
            first=np.int32(self.epoch), number=np.int32(number),
        )  # fmt: skip
        self.state = state
        return np.asarray(metrics)[: int(done)]

    def _from_disk(self, rates: Values) -> Array:
        stream = self.rows.rows
        assert isinstance(stream, Stream)
        trained = self.state.weights, self.state.slots, (tf.zeros_like(self.state.best),) * 2
        done = 0
        read = pieces(
            stream, self.members[self.active[0]].seed, self.epoch,
            batch_size=self.batch_size, shuffle=self.shuffle,
        )  # fmt: skip
        for x, y, order, count in read:
            weights, slots, sums = trained
            steps = int(count)
            window_rates = padded(rates[done : done + steps], len(order) - steps)
            trained = self.compiled.batches(
                self.state._replace(weights=weights, slots=slots), sums, self.per_member,
                Rows(x, y),
                order=order, rates=window_rates.astype(np.float32),
                first=np.int32(self.epoch * self.steps[0] + done), steps=count,
            )  # fmt: skip
            done += steps
        validated = None
        for x, y, order in self.validation_blocks:
            sums = self.compiled.validate(trained[0], Rows(x, y), order, self.per_member)
            validated = (
                sums if validated is None else tf.nest.map_structure(tf.add, validated, sums)
            )
        self.state, metrics = self.compiled.end_epoch(
            self.state, trained, self.per_member, validated
        )
        return np.asarray(metrics)[np.newaxis]

    def _shared(self) -> int:
        """The number of configurations if members of the same one stop together."""
        numbers = {member.configuration for member in self.members}
        together = any(member.stopping and member.stopping.shared for member in self.members)
        return len(numbers) if together and len(numbers) < len(self.members) else 0

    def _kind_of_order(self, index: int) -> tuple[int, int]:
        """Members of the same seed and fold have the same order of rows."""
        member = self.members[index]
        return member.seed if self.shuffle else 0, member.fold

    def _order(self, epoch: int) -> Order:
        """(steps, batch), or (steps, members, batch) where the order differs between members."""
        kinds = [self._kind_of_order(index) for index in self.active]
        orders = {}
        for seed, fold in set(kinds):
            rows = self.rows.folds[fold].train
            order = order_of_rows(len(rows), self.block_rows, seed, epoch, shuffle=self.shuffle)
            orders[seed, fold] = in_batches(rows[order], self.batch_size, int(self.steps.max()))
        if not self.group.order_per_member:
            return orders[kinds[0]]
        return np.stack([orders[kind] for kind in kinds], axis=1)

    def _rates(self, first: int, number: int) -> Values:
        """The learning rate of each step, (epochs, steps) or (epochs, steps, members); 0 for
        steps that a member does not have."""
        longest = self.steps.max()
        each = []
        for index in self.active:
            count = self.steps[index]
            steps = np.arange(first * count, (first + number) * count)
            rates = self.members[index].learning_rate(steps).reshape(number, count)
            each.append(np.pad(rates, [(0, 0), (0, longest - count)]))
        return each[0] if self.single else np.stack(each, axis=-1)

    def _record(self, first: int, metrics: Array, rates: Values) -> Values:
        """The curves of the epochs from first on; notes which members diverged, and the epoch
        whose weights are kept."""
        count = len(metrics)
        metrics = metrics.reshape((count, len(METRICS), -1))  # one network has no member axis
        was_training, finite, better = (metrics[:, METRICS.index(name)] > 0 for name in FLAGS)
        trained = was_training & finite
        values = np.full((count, len(CURVES), len(self.members)), math.nan)
        rates = rates[:count, 0].reshape((count, -1))
        measured = np.concatenate([metrics[:, : len(CURVES) - 1], rates[:, np.newaxis]], axis=1)
        values[:, :, self.active] = np.where(trained[:, np.newaxis], measured, math.nan)
        for position, index in enumerate(self.active):
            kept = trained[:, position]
            if self.members[index].stopping:
                kept = kept & better[:, position]
            if kept.any():
                self.kept[index] = first + int(np.flatnonzero(kept)[-1]) + 1
            for lost in np.flatnonzero(was_training[:, position] & ~finite[:, position]):
                loss, validation_loss = metrics[lost, 0, position], metrics[lost, 2, position]
                reported = validation_loss if math.isfinite(loss) else loss
                self.diverged[index] = DivergedError(first + int(lost) + 1, float(reported))
        return values

    def _call_back(self, callbacks: Callbacks, epoch: int, values: Values) -> None:
        logs = {
            name: float(value)
            for name, value in zip(CURVES, values, strict=True)
            if not math.isnan(value)
        }
        if not logs:
            return  # diverged
        after = callbacks.end(epoch, logs, self._weights_of(0, self.state.weights))
        self.state = self.state._replace(
            weights=[tf.constant(np.atleast_2d(weight)) for weight in after],
            training=self.state.training & (not callbacks.stopped),
        )

    def stop(self, members: Iterable[int]) -> None:
        """No longer trains the members at these positions."""
        stopped = set(members)
        if stopped:
            others = np.array([index not in stopped for index in self.active])
            training = self.state.training & others.reshape(self.state.training.shape)
            self.state = self.state._replace(training=training)

    def drop_finished(self) -> None:
        """Removes the members that are no longer trained from the tensors, where a smaller
        group is worth its compilation; otherwise they remain there unchanged."""
        training = np.atleast_1d(self.state.training)
        remaining = int(training.sum())
        if remaining == 0 or not replace(self.cost, members=len(training)).shrinking_pays(
            remaining, self.epochs - self.epoch, xla=self.xla
        ):
            return
        self._collect(np.flatnonzero(~training))
        self._reduce(np.flatnonzero(training))

    def _reduce(self, staying: NDArray[np.intp]) -> None:
        """Removes all but the members at these positions from the tensors."""
        self.active = [self.active[position] for position in staying]
        self.state, self.per_member = tf.nest.map_structure(
            lambda array: tf.gather(array, staying), (self.state, self.per_member)
        )
        if self.group.validation_per_member:
            self.validation = tf.gather(self.validation, staying, axis=1)

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """All that changes from epoch to epoch, for `restore`."""
        state = {f"state_{i}": np.asarray(one) for i, one in enumerate(tf.nest.flatten(self.state))}
        collected = {
            f"weights_{index}_{i}": weight
            for index, weights in enumerate(self.weights)
            for i, weight in enumerate(weights)
        }
        diverged = [(one.epoch, one.loss) if one else (0, 0.0) for one in self.diverged]
        return state | collected | {
            "epoch": np.array(self.epoch), "active": np.array(self.active),
            "kept": np.array(self.kept), "diverged": np.array(diverged),
        }  # fmt: skip

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Goes on from a snapshot of the same training."""
        if len(arrays["active"]) < len(self.active):
            self._reduce(arrays["active"])
        number = len(tf.nest.flatten(self.state))
        self.state = tf.nest.pack_sequence_as(
            self.state, [tf.constant(arrays[f"state_{i}"]) for i in range(number)]
        )
        self.epoch, self.kept = int(arrays["epoch"]), arrays["kept"].tolist()
        self.diverged = [
            DivergedError(int(epoch), float(loss)) if epoch else None
            for epoch, loss in arrays["diverged"]
        ]
        for index in set(range(len(self.members))) - set(self.active):
            layers = range(len(self.members[0].weights))
            self.weights[index] = [arrays[f"weights_{index}_{i}"] for i in layers]

    def _collect(self, positions: Iterable[int]) -> None:
        """Keeps the final weights of the members at these positions of the tensors."""
        last = [np.asarray(array) for array in self.state.weights]
        best = [np.asarray(array) for array in self.state.best_weights]
        for position in positions:
            index = self.active[position]
            final = last if self.members[index].stopping is None else best
            self.weights[index] = self._weights_of(position, final)

    def _weights_of(self, position: int, stacked: Sequence[Any]) -> list[Array]:
        """The weights of one member, in the shapes that they have in Member."""
        shapes = [weight.shape for weight in self.members[0].weights]
        arrays = (np.array(array if self.single else array[position]) for array in stacked)
        return [array.reshape(shape) for array, shape in zip(arrays, shapes, strict=True)]


def _fitted(
    weights: list[Array], values: Values, kept: int, diverged: DivergedError | None
) -> Fitted:
    """values has shape (epochs, CURVES), NaN for epochs in which the member was not trained."""
    trained = values[~np.isnan(values[:, 0])]
    epochs = np.arange(1, len(trained) + 1)
    curves = dict(zip(CURVES, trained.T, strict=True))
    # Losses are those before each step: the effect of the last step is in the weights alone.
    if diverged is None and not all(np.isfinite(weight).all() for weight in weights):
        diverged = DivergedError(len(trained), math.nan)
    return Fitted(
        weights, pd.DataFrame({"epoch": epochs, **curves, "kept": epochs == kept}), diverged
    )


def _with_rate(rates: Values, rate: float) -> Values:
    """The rates of an epoch; rate for all of its steps if the first one differs from it."""
    return rates if rate == float(rates[0, 0]) else np.full(rates.shape, rate)
