"""From the configuration of an experiment to a member of a group."""

from collections.abc import Sequence
from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from pipeline.config.training import (
    AdamW,
    Cosine,
    Exponential,
    Layer,
    Optimizer,
    Schedule,
    Training,
)
from pipeline.dataset.encoding import Target
from pipeline.dataset.rows import Array
from pipeline.training.members import AS_LEARNED, Member, Rates, Stopping

# Every optimizer has these; weight decay comes before the update rule.
COMMON = {item.name for item in fields(Optimizer)} | {"weight_decay"}


def hyperparameters(optimizer: Optimizer) -> dict[str, float]:
    """Those of the optimizer's update rule, by Keras's names."""
    names = (item.name for item in fields(optimizer) if item.name not in COMMON)
    return {name: float(getattr(optimizer, name)) for name in names}


def rates(rate: float, schedule: Schedule, steps_per_epoch: int, epochs: int) -> Rates:
    """From the numbers of steps, from 0, to their learning rates.

    Schedules are configured in epochs. Exponential: rate * decay_rate ** (step /
    decay_steps). Cosine: Loshchilov and Hutter (2017), "SGDR: Stochastic gradient descent
    with warm restarts", without restarts.
    """

    def factor(steps: NDArray[np.int64]) -> NDArray[np.float64]:
        match schedule:
            case Exponential():
                decays = steps / (schedule.decay_epochs * steps_per_epoch)
                return np.asarray(schedule.decay_rate**decays)
            case Cosine():
                done = np.minimum(steps / (epochs * steps_per_epoch), 1)
                final = schedule.final_fraction
                return np.asarray(final + (1 - final) * (1 + np.cos(np.pi * done)) / 2)
        return np.ones(len(steps))

    return lambda steps: rate * factor(steps)


def member(
    weights: Sequence[Array],
    *,
    layers: Sequence[Layer],
    optimizer: Optimizer,
    schedule: Schedule,
    training: Training,
    rows: int,
    configuration: int = 0,
    fold: int = 0,
    target: Target = AS_LEARNED,
) -> Member:
    """A member with these initial weights (see weights.of), to be trained on that many rows."""
    stopping = training.early_stopping
    steps = -(-rows // training.rows_per_batch(rows))
    return Member(
        weights=weights,
        dropout=[layer.dropout for layer in layers],
        l1=[layer.l1 for layer in layers],
        l2=[layer.l2 for layer in layers],
        learning_rate=rates(optimizer.learning_rate, schedule, steps, training.epochs),
        hyperparameters=hyperparameters(optimizer),
        seed=training.seed,
        clipnorm=optimizer.clipnorm,
        clipvalue=optimizer.clipvalue,
        weight_decay=optimizer.weight_decay if isinstance(optimizer, AdamW) else 0.0,
        stopping=(
            Stopping(stopping.patience, stopping.min_delta, stopping.shared)
            if stopping.enabled
            else None
        ),
        configuration=configuration,
        fold=fold,
        target=target,
    )
