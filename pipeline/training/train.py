"""Training networks from their configurations: one, or many of one structure as one."""

from collections.abc import Callable, Sequence

from pipeline.config.training import TrainingConfig, When
from pipeline.dataset.encoding import Encoding
from pipeline.dataset.rows import Part, Stream
from pipeline.network import dense, weights
from pipeline.network.backend import keras
from pipeline.runtime.errors import UserError
from pipeline.training.cost import Cost
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
    """Trains a network for each configuration, all of one group, each as if it were alone.

    The configurations have the layers' sizes and activations, optimizer, loss, epochs,
    batch size, shuffling and XLA in common; see Member for what they may differ in. rows
    and validation are encoded by encoding. pauses, on_epochs and callbacks are those of
    `fit`. announce receives one line on how the training goes about it, before it begins.
    """
    config, inputs = configs[0], len(encoding.names)
    layers, training, target = config.model.layers, config.training, encoding.target
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
    announce(cost.described(xla=xla, streaming=streaming, forced=forced))
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
    """Raises UserError for a training that has diverged, with what to change."""
    if fitted.diverged:
        raise UserError(
            f"training diverged: {fitted.diverged}; lower optimizer.learning_rate"
            f" (now {config.optimizer.learning_rate}) or set optimizer.clipnorm=1"
        )


def described(fitted: Fitted) -> str:
    """One line on what a training ended with, and whose weights were kept."""
    history = fitted.history
    last = history.iloc[-1]
    line = f"trained {len(history)} epochs: loss {last.loss:.6g}, mae {last.mae:.6g}"
    if last.kept:
        return line
    kept = history["epoch"][history["kept"]]
    return f"{line}; the weights are " + (
        f"those of epoch {kept.iloc[0]}" if len(kept) else "of no epoch, but a callback's"
    )
