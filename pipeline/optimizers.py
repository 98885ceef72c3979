"""A Keras optimizer from its configuration."""

from typing import Any

from pipeline.backend import keras
from pipeline.config import SGD, Adam, AdamW, Cosine, Exponential, Optimizer, RMSprop, Schedule


def build(
    optimizer: Optimizer, schedule: Schedule, *, steps_per_epoch: int, epochs: int
) -> keras.optimizers.Optimizer:
    """The optimizer with its learning rate, constant or scheduled.

    Schedules are configured in epochs; Keras counts steps (batches).
    """
    rate = learning_rate(optimizer.learning_rate, schedule, steps_per_epoch, epochs)
    shared: dict[str, Any] = {
        "learning_rate": rate,
        "clipnorm": optimizer.clipnorm,
        "clipvalue": optimizer.clipvalue,
    }
    match optimizer:
        case SGD():
            return keras.optimizers.SGD(
                momentum=optimizer.momentum, nesterov=optimizer.nesterov, **shared
            )
        case Adam():
            betas = {"beta_1": optimizer.beta_1, "beta_2": optimizer.beta_2}
            if isinstance(optimizer, AdamW):
                return keras.optimizers.AdamW(
                    weight_decay=optimizer.weight_decay,
                    epsilon=optimizer.epsilon,
                    **betas,
                    **shared,
                )
            return keras.optimizers.Adam(epsilon=optimizer.epsilon, **betas, **shared)
        case RMSprop():
            return keras.optimizers.RMSprop(
                rho=optimizer.rho,
                momentum=optimizer.momentum,
                epsilon=optimizer.epsilon,
                **shared,
            )
    raise TypeError(f"no Keras optimizer for {type(optimizer).__name__}")


def learning_rate(
    rate: float, schedule: Schedule, steps_per_epoch: int, epochs: int
) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """rate itself, or Keras's schedule that starts from it."""
    match schedule:
        case Exponential():
            return keras.optimizers.schedules.ExponentialDecay(
                rate,
                decay_steps=schedule.decay_epochs * steps_per_epoch,
                decay_rate=schedule.decay_rate,
            )
        case Cosine():
            return keras.optimizers.schedules.CosineDecay(
                rate, decay_steps=epochs * steps_per_epoch, alpha=schedule.final_fraction
            )
    return rate
