"""The update rules of Keras's optimizers, for one network or many.

A weight has two axes and, in a group of networks, a leading axis of members. Learning rates
and hyperparameters are arrays of shape (1, 1), or (members, 1, 1) in a group, which broadcast:
each member has its own values. The rules are pure functions: they take the running averages
that they need ("slots") and return the new ones.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.network.backend import tf

Tensor = Any
Hyperparameters = Mapping[str, Tensor]  # by Keras's names


def sgd(
    weight: Tensor,
    gradient: Tensor,
    slots: list[Tensor],
    *,
    rate: Tensor,
    time: Tensor,
    hyperparameters: Hyperparameters,
) -> tuple[Tensor, list[Tensor]]:
    """Gradient descent; with a slot, momentum as in Sutskever et al. (2013), "On the
    importance of initialization and momentum in deep learning"."""
    del time
    if not slots:
        return weight - rate * gradient, []
    velocity = hyperparameters["momentum"] * slots[0] - rate * gradient
    ahead = hyperparameters["momentum"] * velocity - rate * gradient
    return weight + tf.where(hyperparameters["nesterov"] > 0, ahead, velocity), [velocity]


def adam(
    weight: Tensor,
    gradient: Tensor,
    slots: list[Tensor],
    *,
    rate: Tensor,
    time: Tensor,
    hyperparameters: Hyperparameters,
) -> tuple[Tensor, list[Tensor]]:
    """Kingma and Ba (2015), "Adam", in the form before its section 2.1, as in Keras:
    epsilon is added to the uncorrected root. time is the number of the step, from 1."""
    mean, square = slots
    mean += (gradient - mean) * hyperparameters["one_minus_beta_1"]
    square += (tf.square(gradient) - square) * hyperparameters["one_minus_beta_2"]
    corrected = (
        rate
        * tf.sqrt(1 - hyperparameters["beta_2"] ** time)
        / (1 - hyperparameters["beta_1"] ** time)
    )
    return weight - mean * corrected / (tf.sqrt(square) + hyperparameters["epsilon"]), [
        mean,
        square,
    ]


def rmsprop(
    weight: Tensor,
    gradient: Tensor,
    slots: list[Tensor],
    *,
    rate: Tensor,
    time: Tensor,
    hyperparameters: Hyperparameters,
) -> tuple[Tensor, list[Tensor]]:
    """Tieleman and Hinton (2012), lecture 6.5; a second slot adds momentum."""
    del time
    square = hyperparameters["rho"] * slots[0] + hyperparameters["one_minus_rho"] * tf.square(
        gradient
    )
    increment = rate * gradient / tf.sqrt(square + hyperparameters["epsilon"])
    if len(slots) == 1:
        return weight - increment, [square]
    velocity = hyperparameters["momentum"] * slots[1] + increment
    return weight - velocity, [square, velocity]


@dataclass(frozen=True)
class Rule:
    """An update, and the number of slots that it needs for each weight, besides momentum's."""

    update: Callable[..., tuple[Tensor, list[Tensor]]]
    slots: int


RULES = {
    "sgd": Rule(sgd, 0),
    "adam": Rule(adam, 2),
    "adamw": Rule(adam, 2),
    "rmsprop": Rule(rmsprop, 1),
}


def number_of_slots(rule: str, hyperparameters: Mapping[str, NDArray[np.float32]]) -> int:
    """The number of slots for each weight; momentum has one if any member uses it."""
    momentum = hyperparameters.get("momentum")
    return RULES[rule].slots + int(momentum is not None and bool((momentum > 0).any()))


def decay(weight: Tensor, rate: Tensor, weight_decay: Tensor) -> Tensor:
    """Loshchilov and Hutter (2019), "Decoupled weight decay regularization": before the
    step, and of every weight, biases included, as in Keras."""
    return weight - weight * weight_decay * rate


def clip(gradient: Tensor, norm: Tensor, value: Tensor) -> Tensor:
    """gradient scaled to a Euclidean norm of at most norm, its elements clipped to -value to
    value; infinity is without bound."""
    length = tf.sqrt(tf.reduce_sum(tf.square(gradient), axis=[-2, -1], keepdims=True))
    shortened = tf.where(length > norm, gradient * (norm / length), gradient)
    return tf.clip_by_value(shortened, -value, value)
