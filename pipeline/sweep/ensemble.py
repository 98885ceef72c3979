"""Ensembles of networks: selected greedily, and combined into one Keras model."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.network.backend import keras

Vector = NDArray[np.float64]
MAX_MEMBERS = 50


def greedy(
    predictions: NDArray[np.float64], true: Vector, rounds: int = MAX_MEMBERS
) -> NDArray[np.int64]:
    """How often each network is in the ensemble, which predicts the mean.

    Starting from the best network, the one that lowers the mean's squared error the most is
    added in each round, a network several times if that helps; the best ensemble on the way is
    the result (Caruana et al., 2004, "Ensemble selection from libraries of models").

    Parameters
    ----------
    predictions
        Shape (networks, rows).
    true
        Shape (rows,).
    rounds
        The most members that an ensemble may have, each counted as often as it is in it.

    Returns
    -------
    Shape (networks,).
    """
    counts = np.zeros(len(predictions), np.int64)
    best, best_error = counts, np.inf
    total = np.zeros_like(true)
    for members in range(1, rounds + 1):
        errors = np.square((total + predictions) / members - true).mean(axis=1)
        chosen = int(errors.argmin())
        counts = counts.copy()
        counts[chosen] += 1
        total = total + predictions[chosen]
        # A gain within rounding does not pay for a larger ensemble.
        if errors[chosen] < best_error * (1 - 1e-9):
            best, best_error = counts, errors[chosen]
    return best


def combine(networks: Sequence[keras.Sequential], counts: Sequence[int]) -> keras.Model:
    """One model that predicts the mean of networks, weighted by counts.

    It shares their layers and weights; member_1 is the first network.
    """
    rows = keras.Input(networks[0].input_shape[1:], name="inputs")
    outputs = []
    for number, network in enumerate(networks, start=1):
        inputs = keras.Input(network.input_shape[1:], name=f"inputs_{number}")
        member = keras.Sequential([inputs, *network.layers], name=f"member_{number}")
        outputs.append(member(rows))
    shares = np.asarray(counts, np.float32) / np.sum(counts)
    mean = keras.layers.Dense(
        1, use_bias=False, trainable=False, name="mean",
        kernel_initializer=keras.initializers.Constant(shares[:, np.newaxis].tolist()),
    )  # fmt: skip
    joined = keras.layers.Concatenate(name="members")(outputs) if len(outputs) > 1 else outputs[0]
    return keras.Model(rows, mean(joined), name="ensemble")
