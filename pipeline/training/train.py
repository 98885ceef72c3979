"""Training networks as configured: one, or many of the same structure as a group."""

from collections.abc import Callable, Sequence

from pipeline.config.training import TrainingConfig, When
from pipeline.dataset.encoding import Encoding
from pipeline.dataset.rows import Part, Stream
from pipeline.network import dense, weights
from pipeline.network.backend import keras
from pipeline.runtime.errors import UserError
from pipeline.training.cost import Cost, check_memory
from pipeline.training.epoch import Units
from pipeline.training.fitting import Fitted, OnEpochs, fit
from pipeline.training.from_config import member


def train(
    configs: Sequence[TrainingConfig],
    encoding: Encoding,
    rows: Part | Stream,
    validation: Part | Stream,
    *,
    pauses: Sequence[int] = (),
    on_epochs: OnEpochs | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    announce: Callable[[str], None] = lambda _line: None,
) -> list[Fitted]:
    """Trains a network for each configuration, all in one group, each as if it were alone.

    Parameters
    ----------
    configs
        They have the layers' units and activations, the optimizer's name and all of `training`
        but its seed and early stopping in common; Member lists what may differ.
    encoding
        The one that rows and validation are encoded by.
    rows
        The training part: x of shape (rows, inputs) and y of shape (rows, 1), in memory or as a
        stream.
    validation
        The same for the validation part, which may have no rows.
    pauses, on_epochs, callbacks
        As in `fit`.
    announce
        Receives one line before training begins: its size, and whether XLA compiles it.

    Returns
    -------
    list of Fitted
        One for each configuration. A training that diverges does not raise; see `check_finite`.

    Raises
    ------
    UserError
        As `check_memory` does.
    ValueError
        As `fit` does.
    """
    config, inputs = configs[0], len(encoding.names)
    layers, training, target = config.model.layers, config.training, encoding.target
    check_memory(inputs, [layer.units for layer in layers])
    members = [
        member(
            dense.initial_weights(one.model.layers, inputs, one.training.seed),
            layers=one.model.layers, optimizer=one.optimizer, schedule=one.schedule,
            training=one.training, rows=len(rows),
        )
        for one in configs
    ]  # fmt: skip
    cost = Cost(
        parameters=sum(weight.size for weight in members[0].weights), rows=len(rows),
        batch_size=training.batch_size, epochs=training.epochs, members=len(members),
    )  # fmt: skip
    xla = training.xla.decided(useful=cost.xla_pays())
    forced, streaming = training.xla is not When.auto, isinstance(rows, Stream)
    announce(cost.summary(xla=xla, streaming=streaming, forced=forced))
    network = None
    if callbacks:
        network = dense.build(layers, inputs, training.seed)
        weights.assign(network, members[0].weights)
    return fit(
        members,
        rows,
        validation,
        activations=[layer.activation.value for layer in layers],
        loss=training.loss.value,
        update=config.optimizer.name,
        epochs=training.epochs,
        batch_size=training.batch_size,
        shuffle=training.shuffle,
        xla=xla,
        pauses=pauses,
        units=Units(target.log, target.mean, target.std),
        on_epochs=on_epochs,
        network=network,
        callbacks=callbacks,
    )


def check_finite(fitted: Fitted, config: TrainingConfig) -> None:
    """Raises UserError if the training diverged, with what to change in the configuration."""
    if fitted.diverged:
        raise UserError(
            f"training diverged: {fitted.diverged}; lower optimizer.learning_rate"
            f" (now {config.optimizer.learning_rate}) or set optimizer.clipnorm=1"
        )
