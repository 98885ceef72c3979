"""How a step changes a weight: the rules of Keras's optimizers, for one network or many.

Every weight has two axes; in a group of networks a leading axis counts the members.
Settings and rates are arrays of shape (1, 1), or (members, 1, 1) in a group, and
broadcast, so that each member has its own. The rules are pure: the running averages
that they need ("slots") are handed in and out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.network.backend import tf

Tensor = Any
Settings = Mapping[str, Tensor]


def sgd(
    weight: Tensor,
    gradient: Tensor,
    slots: list[Tensor],
    *,
    rate: Tensor,
    time: Tensor,
    own: Settings,
) -> tuple[Tensor, list[Tensor]]:
    """Gradient descent; with a slot, momentum as in Sutskever et al. (2013), "On the
    importance of initialization and momentum in deep learning"."""
    del time
    if not slots:
        return weight - rate * gradient, []
    velocity = own["momentum"] * slots[0] - rate * gradient
    ahead = own["momentum"] * velocity - rate * gradient
    return weight + tf.where(own["nesterov"] > 0, ahead, velocity), [velocity]


def adam(
    weight: Tensor,
    gradient: Tensor,
    slots: list[Tensor],
    *,
    rate: Tensor,
    time: Tensor,
    own: Settings,
) -> tuple[Tensor, list[Tensor]]:
    """Kingma and Ba (2015), "Adam", in the form before its section 2.1, as in Keras:
    epsilon is added to the uncorrected root. time counts steps from 1."""
    mean, square = slots
    mean += (gradient - mean) * own["one_minus_beta_1"]
    square += (tf.square(gradient) - square) * own["one_minus_beta_2"]
    corrected = rate * tf.sqrt(1 - own["beta_2"] ** time) / (1 - own["beta_1"] ** time)
    return weight - mean * corrected / (tf.sqrt(square) + own["epsilon"]), [mean, square]


def rmsprop(
    weight: Tensor,
    gradient: Tensor,
    slots: list[Tensor],
    *,
    rate: Tensor,
    time: Tensor,
    own: Settings,
) -> tuple[Tensor, list[Tensor]]:
    """Tieleman and Hinton (2012), lecture 6.5; a second slot adds momentum."""
    del time
    square = own["rho"] * slots[0] + own["one_minus_rho"] * tf.square(gradient)
    increment = rate * gradient / tf.sqrt(square + own["epsilon"])
    if len(slots) == 1:
        return weight - increment, [square]
    velocity = own["momentum"] * slots[1] + increment
    return weight - velocity, [square, velocity]


@dataclass(frozen=True)
class Rule:
    """An update, and how many slots for each weight it needs, besides one for momentum."""

    update: Callable[..., tuple[Tensor, list[Tensor]]]
    slots: int


RULES = {
    "sgd": Rule(sgd, 0),
    "adam": Rule(adam, 2),
    "adamw": Rule(adam, 2),
    "rmsprop": Rule(rmsprop, 1),
}


def number_of_slots(rule: str, settings: Mapping[str, NDArray[np.float32]]) -> int:
    """How many arrays like each weight the rule keeps; none for a momentum that no
    member has."""
    momentum = settings.get("momentum")
    return RULES[rule].slots + int(momentum is not None and bool((momentum > 0).any()))


def decayed(weight: Tensor, rate: Tensor, weight_decay: Tensor) -> Tensor:
    """Loshchilov and Hutter (2019), "Decoupled weight decay regularization": before the
    step, and from every weight, biases included, as Keras does."""
    return weight - weight * weight_decay * rate


def clipped(gradient: Tensor, norm: Tensor, value: Tensor) -> Tensor:
    """gradient with a length of norm at most, and elements within value; infinity
    leaves it as it is."""
    length = tf.sqrt(tf.reduce_sum(tf.square(gradient), axis=[-2, -1], keepdims=True))
    shortened = tf.where(length > norm, gradient * (norm / length), gradient)
    return tf.clip_by_value(shortened, -value, value)
