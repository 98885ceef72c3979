"""Several networks as one: chosen greedily, saved as an ordinary Keras model."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.network.backend import keras

Vector = NDArray[np.float64]
ROUNDS = 50


def greedy(
    predictions: NDArray[np.float64], true: Vector, rounds: int = ROUNDS
) -> NDArray[np.int64]:
    """How often each network is taken into the mean: predictions of shape (networks,
    rows), true of shape (rows,).

    Caruana et al. (2004), "Ensemble selection from libraries of models": whoever makes
    the mean's squared error least is added, again and again, the same one too; the best
    mean on the way counts. Alone, the first taken is the best single network.
    """
    counts = np.zeros(len(predictions), np.int64)
    best, best_error = counts, np.inf
    total = np.zeros_like(true)
    for taken in range(1, rounds + 1):
        errors = np.square((total + predictions) / taken - true).mean(axis=1)
        chosen = int(errors.argmin())
        counts = counts.copy()
        counts[chosen] += 1
        total = total + predictions[chosen]
        # Not for a gain that is rounding: a smaller ensemble is the better one then.
        if errors[chosen] < best_error * (1 - 1e-9):
            best, best_error = counts, errors[chosen]
    return best


def combined(networks: Sequence[keras.Sequential], counts: Sequence[int]) -> keras.Model:
    """One model that predicts the mean of the networks, each as often as counts says.

    The networks keep their layers and weights; their names get the place before them.
    """
    rows = keras.Input(networks[0].input_shape[1:], name="inputs")
    outputs = []
    for place, network in enumerate(networks, start=1):
        inputs = keras.Input(network.input_shape[1:], name=f"inputs_{place}")
        member = keras.Sequential([inputs, *network.layers], name=f"member_{place}")
        outputs.append(member(rows))
    shares = np.asarray(counts, np.float32) / np.sum(counts)
    mean = keras.layers.Dense(
        1, use_bias=False, trainable=False, name="mean",
        kernel_initializer=keras.initializers.Constant(shares[:, np.newaxis].tolist()),
    )  # fmt: skip
    joined = keras.layers.Concatenate(name="members")(outputs) if len(outputs) > 1 else outputs[0]
    return keras.Model(rows, mean(joined), name="ensemble")
