"""Keras's optimizer for a configuration, to compare training with."""

from typing import Any

from pipeline.config.training import (
    SGD,
    Adam,
    AdamW,
    Cosine,
    Exponential,
    Optimizer,
    RMSprop,
    Schedule,
)
from pipeline.network.backend import keras


def keras_schedule(rate: float, schedule: Schedule, steps: int, epochs: int) -> Any:
    """rate, or Keras's schedule that starts from it."""
    schedules = keras.optimizers.schedules
    match schedule:
        case Exponential():
            return schedules.ExponentialDecay(
                rate, decay_steps=schedule.decay_epochs * steps, decay_rate=schedule.decay_rate
            )
        case Cosine():
            return schedules.CosineDecay(
                rate, decay_steps=epochs * steps, alpha=schedule.final_fraction
            )
    return rate


def keras_optimizer(
    optimizer: Optimizer, schedule: Schedule, steps: int, epochs: int
) -> keras.optimizers.Optimizer:
    """Keras's optimizer of that name."""
    classes = {
        SGD: keras.optimizers.SGD,
        Adam: keras.optimizers.Adam,
        AdamW: keras.optimizers.AdamW,
        RMSprop: keras.optimizers.RMSprop,
    }
    values = dict(vars(optimizer))
    del values["name"]
    values["learning_rate"] = keras_schedule(optimizer.learning_rate, schedule, steps, epochs)
    return classes[type(optimizer)](**values)
