"""Training networks as configured: one, or many of the same structure as a group."""

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np

from pipeline.config.training import EarlyStopping, TrainingConfig, When
from pipeline.dataset.rows import Array, Stream, TrainingRows
from pipeline.network import dense, weights
from pipeline.network.backend import keras
from pipeline.runtime.errors import UserError
from pipeline.training.checkpoints import Checkpoints
from pipeline.training.cost import Cost, check_memory
from pipeline.training.fitting import Fitted, OnEpochs, Values, fit
from pipeline.training.from_config import member
from pipeline.training.members import Member


def train(
    configs: Sequence[TrainingConfig],
    rows: TrainingRows,
    *,
    epochs: int | None = None,
    minutes: float | None = None,
    pauses: Sequence[int] = (),
    on_epochs: OnEpochs | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    checkpoints: Checkpoints | None = None,
    announce: Callable[[str], None] = lambda _line: None,
) -> list[list[Fitted]]:
    """Trains a network for each configuration and fold, all in one group, each as if it were
    alone; see `of_repeat` for its seed.

    Parameters
    ----------
    configs
        They have the layers' units and activations, the optimizer's name and all of `training`
        but its seed and early stopping in common; Member lists what may differ.
    rows
        What they are trained and validated on.
    epochs
        How many of the configured epochs; None is all.
    minutes
        After which training ends, at the end of an epoch; None is without limit.
    pauses, on_epochs, callbacks, checkpoints
        As in `fit`, whose members are the folds of the first configuration, then those of the
        next.
    announce
        Receives one line before training begins: its size, and whether XLA compiles it; and one
        after it if the time was over before its end.

    Returns
    -------
    list of list of Fitted
        For each configuration, one for each fold. A training that diverges does not raise; see
        `check_finite`.

    Raises
    ------
    UserError
        As `check_memory` does.
    ValueError
        As `fit` does.
    """
    batch_size = configs[0].training.rows_per_batch(max(rows.counts))
    configs = [
        replace(one, training=replace(one.training, batch_size=batch_size)) for one in configs
    ]
    config = configs[0]
    layers, training = config.model.layers, config.training
    inputs = [len(encoding.names) for encoding in rows.encodings]
    check_memory(max(inputs), [layer.units for layer in layers])
    folds = range(len(rows.encodings))
    members = [
        _member(one, rows, number, fold, max(inputs))
        for number, one in enumerate(configs)
        for fold in folds
    ]
    cost = Cost(
        parameters=sum(weight.size for weight in members[0].weights), rows=max(rows.counts),
        batch_size=batch_size, epochs=training.epochs, members=len(members),
    )  # fmt: skip
    xla = training.xla.decided(useful=cost.xla_pays())
    forced, streaming = training.xla is not When.auto, isinstance(rows.rows, Stream)
    announce(cost.summary(xla=xla, streaming=streaming, forced=forced))
    epochs, ends = epochs or training.epochs, time.monotonic() + 60 * (minutes or math.inf)

    def until_end(first: int, curves: dict[str, Values]) -> Iterable[int] | None:
        stopped = on_epochs(first, curves) if on_epochs else None
        return range(len(members)) if time.monotonic() >= ends else stopped

    network = None
    if callbacks:
        network = dense.build(layers, inputs[0], training.seed)
        weights.assign(network, members[0].weights)
    fitted = fit(
        members,
        rows,
        activations=[layer.activation.value for layer in layers],
        normalized=[layer.layer_normalization for layer in layers],
        loss=training.loss.value,
        update=config.optimizer.name,
        epochs=epochs,
        batch_size=batch_size,
        shuffle=training.shuffle,
        xla=xla,
        pauses=pauses,
        on_epochs=until_end,
        network=network,
        callbacks=callbacks,
        # What Keras callbacks keep is not saved.
        checkpoints=None if callbacks else checkpoints,
    )
    done = max((len(one.history) for one in fitted), default=0)
    if time.monotonic() >= ends and done < epochs:
        announce(
            f"stopped after {done} of {epochs} epochs, because training.minutes is {minutes:g};"
            f" training.epochs={done} would end the schedule of the learning rate in that time"
        )
    cut = [
        replace(one, weights=_cut(one.weights, inputs[position % len(folds)]))
        for position, one in enumerate(fitted)
    ]
    return [cut[start : start + len(folds)] for start in range(0, len(cut), len(folds))]


def refit(config: TrainingConfig, folds: Sequence[Fitted], rows: TrainingRows) -> Fitted:
    """A network trained on the rows of all folds, for the median of the epochs that the folds'
    networks have kept."""
    kept = [one.history.loc[one.history["kept"], "epoch"].iloc[0] for one in folds]
    training = replace(config.training, early_stopping=EarlyStopping(enabled=False))
    epochs = round(float(np.median(kept)))
    ((fitted,),) = train([replace(config, training=training)], rows, epochs=epochs)
    return fitted


def _member(
    config: TrainingConfig, rows: TrainingRows, number: int, fold: int, inputs: int
) -> Member:
    """The network of a fold; inputs that other folds have in addition are zeros, and so are its
    weights for them, which training does not change."""
    layers, encoding = config.model.layers, rows.encodings[fold]
    training = of_repeat(config, rows.folds[fold].repeat if rows.folds else 0).training
    kernel, *others = dense.initial_weights(layers, len(encoding.names), training.seed)
    kernel = np.pad(kernel, [(0, inputs - len(kernel)), (0, 0)])
    return member(
        [kernel, *others], layers=layers, optimizer=config.optimizer, schedule=config.schedule,
        training=training, rows=rows.counts[fold], configuration=number, fold=fold,
        target=encoding.target,
    )  # fmt: skip


def of_repeat(config: TrainingConfig, repeat: int) -> TrainingConfig:
    """The same with the seed of a repeat of cross-validation, from 0."""
    seed = (config.training.seed + repeat) % 2**32
    return replace(config, training=replace(config.training, seed=seed))


def _cut(arrays: Sequence[Array], inputs: int) -> list[Array]:
    """The weights without those for further inputs."""
    kernel, *others = arrays
    return [kernel[:inputs], *others]


def check_finite(fitted: Sequence[Fitted], config: TrainingConfig) -> None:
    """Raises UserError if a training diverged, with what to change in the configuration."""
    for number, one in enumerate(fitted, start=1):
        if one.diverged:
            where = f" in fold {number} of {len(fitted)}" if len(fitted) > 1 else ""
            raise UserError(
                f"training diverged{where}: {one.diverged}; lower optimizer.learning_rate"
                f" (now {config.optimizer.learning_rate}) or set optimizer.clipnorm=1"
            )
