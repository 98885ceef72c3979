"""The members of a group, and their weights and hyperparameters stacked into arrays."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.dataset.encoding import Target
from pipeline.dataset.rows import Array

Rates = Callable[[NDArray[np.int64]], NDArray[np.float64]]
NEVER = 2**31 - 1
AS_LEARNED = Target("")


@dataclass(frozen=True)
class Stopping:
    """Stop after patience epochs in a row without an improvement by min_delta; shared, of the mean
    over the members of the same configuration."""

    patience: int
    min_delta: float
    shared: bool = False


@dataclass(frozen=True)
class Member:
    """A network before training, with all that may differ between the members of a group.

    Parameters
    ----------
    weights
        Kernel (inputs, units) and bias (units,) of each layer in turn.
    dropout, l1, l2
        A number for each layer.
    learning_rate
        From the numbers of steps, (steps,) from 0, to their learning rates, (steps,).
    hyperparameters
        Those of the update rule, by Keras's names.
    seed
        Of the order of the rows and of dropout.
    clipnorm, clipvalue
        Bounds of the gradient, as in Keras; None is without bound.
    weight_decay
        Decoupled from the loss, as of AdamW.
    stopping
        Early stopping, or None to train for all epochs.
    configuration, fold
        Their positions: among the configurations of the group, and of its rows among the folds.
    target
        How its target is scaled; MAE is reported in the target's units.
    """

    weights: Sequence[Array]
    dropout: Sequence[float]
    l1: Sequence[float]
    l2: Sequence[float]
    learning_rate: Rates
    hyperparameters: dict[str, float]
    seed: int
    clipnorm: float | None = None
    clipvalue: float | None = None
    weight_decay: float = 0.0
    stopping: Stopping | None = None
    configuration: int = 0
    fold: int = 0
    target: Target = AS_LEARNED


def stack(arrays: Sequence[Any], axis: int = 0) -> Any:
    """The members' arrays along a new axis; the array itself for a single member."""
    return np.asarray(arrays[0]) if len(arrays) == 1 else np.stack(arrays, axis=axis)


def stack_weights(members: Sequence[Member]) -> list[Array]:
    """Kernel (…, inputs, units) and bias (…, 1, units) of each layer in turn, where … is
    (members,), or nothing for a single member."""
    return [
        stack([np.atleast_2d(weight) for weight in layer])
        for layer in zip(*(member.weights for member in members), strict=True)
    ]


def stack_hyperparameters(members: Sequence[Member]) -> dict[str, Any]:
    """All else that may differ between the members but their learning rates, in the shapes
    that a step computes with."""

    def broadcastable(values: Iterable[float | None]) -> Array:
        """(members, 1, 1), or (1, 1) for a single member; None is without bound."""
        numbers = [math.inf if value is None else value for value in values]
        stacked: Array = stack([np.full((1, 1), number, np.float32) for number in numbers])
        return stacked

    def layers(values: Iterable[Sequence[float]]) -> list[Array]:
        return [broadcastable(layer) for layer in zip(*values, strict=True)]

    hyperparameters = {
        name: [one.hyperparameters[name] for one in members] for name in members[0].hyperparameters
    }
    # In float64, because 1 - 0.999 has few correct digits in float32.
    hyperparameters |= {
        f"one_minus_{name}": [1 - value for value in values]
        for name, values in hyperparameters.items()
        if name in ("beta_1", "beta_2", "rho")
    }
    stopping = [one.stopping or Stopping(NEVER, 0.0) for one in members]
    return {
        "dropout": layers(one.dropout for one in members),
        "l1": layers(one.l1 for one in members),
        "l2": layers(one.l2 for one in members),
        "hyperparameters": {
            name: broadcastable(values) for name, values in hyperparameters.items()
        },
        "clipnorm": broadcastable(one.clipnorm for one in members),
        "clipvalue": broadcastable(one.clipvalue for one in members),
        "weight_decay": broadcastable(one.weight_decay for one in members),
        "seed": stack([np.full((1, 1), one.seed, np.uint32) for one in members]),
        "target_mean": broadcastable(one.target.mean for one in members),
        "target_std": broadcastable(one.target.std for one in members),
        "patience": stack([np.int32(one.patience) for one in stopping]),
        "min_delta": stack([np.float32(one.min_delta) for one in stopping]),
        "configuration": stack([np.int32(one.configuration) for one in members]),
    }
