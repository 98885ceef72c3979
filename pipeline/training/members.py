"""The members of a group: what each has for itself, and all of it stacked as one."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.dataset.rows import Array

Rates = Callable[[NDArray[np.int64]], NDArray[np.float64]]
NEVER = 2**31 - 1


@dataclass(frozen=True)
class Stopping:
    """Stop after patience epochs in a row without an improvement by min_delta."""

    patience: int
    min_delta: float


@dataclass(frozen=True)
class Member:
    """A network before training, and all in which it may differ from others of its group.

    weights holds kernel (inputs, units) and bias (units,) of each layer in turn;
    dropout, l1 and l2 have a number for each layer. learning_rate gives the rates of
    the steps that it is handed, which count from 0; settings are those of the update
    rule, by Keras's names. seed decides on the order of the rows and on dropout.
    """

    weights: Sequence[Array]
    dropout: Sequence[float]
    l1: Sequence[float]
    l2: Sequence[float]
    learning_rate: Rates
    settings: dict[str, float]
    seed: int
    clipnorm: float | None = None
    clipvalue: float | None = None
    weight_decay: float = 0.0
    stopping: Stopping | None = None


def stack(arrays: Sequence[Any], axis: int = 0) -> Any:
    """The members' arrays along a leading axis (or another); one member has none."""
    return np.asarray(arrays[0]) if len(arrays) == 1 else np.stack(arrays, axis=axis)


def starts(members: Sequence[Member]) -> list[Array]:
    """Kernel (…, inputs, units) and bias (…, 1, units) of each layer in turn."""
    return [
        stack([np.atleast_2d(weight) for weight in layer])
        for layer in zip(*(member.weights for member in members), strict=True)
    ]


def own(members: Sequence[Member]) -> dict[str, Any]:
    """What the members have for themselves, in the shapes that the step computes with."""

    def wide(values: Iterable[float | None]) -> Array:
        """(1, 1), or (members, 1, 1) for many; None is without bound."""
        numbers = [math.inf if value is None else value for value in values]
        stacked: Array = stack([np.full((1, 1), number, np.float32) for number in numbers])
        return stacked

    def layers(values: Iterable[Sequence[float]]) -> list[Array]:
        return [wide(layer) for layer in zip(*values, strict=True)]

    settings = {name: [one.settings[name] for one in members] for name in members[0].settings}
    # In float64, because float32 keeps few digits of what is left of 0.999.
    settings |= {
        f"one_minus_{name}": [1 - value for value in values]
        for name, values in settings.items()
        if name in ("beta_1", "beta_2", "rho")
    }
    stopping = [one.stopping or Stopping(NEVER, 0.0) for one in members]
    return {
        "dropout": layers(one.dropout for one in members),
        "l1": layers(one.l1 for one in members),
        "l2": layers(one.l2 for one in members),
        "settings": {name: wide(values) for name, values in settings.items()},
        "clipnorm": wide(one.clipnorm for one in members),
        "clipvalue": wide(one.clipvalue for one in members),
        "weight_decay": wide(one.weight_decay for one in members),
        "seed": stack([np.full((1, 1), one.seed, np.uint32) for one in members]),
        "patience": stack([np.int32(one.patience) for one in stopping]),
        "min_delta": stack([np.float32(one.min_delta) for one in stopping]),
    }
