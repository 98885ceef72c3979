"""Ensembles of networks: selected greedily, and combined into one Keras model."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.network.backend import keras
from pipeline.network.encoder import columns_like, mean_of, whole
from pipeline.network.model_folder import TrainedNetwork

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


def model(members: Sequence[Sequence[TrainedNetwork]], counts: Sequence[int]) -> keras.Model:
    """One model that predicts, from columns, the mean of members in the units of the target.

    Parameters
    ----------
    members
        Of each member, its network of each fold, or its only one. Their encodings may differ.
    counts
        How often each member counts.
    """
    folds = list(zip(*members, strict=True))
    if len(folds) == 1:
        return _weighted_mean(folds[0], counts, "model")
    return mean_of(
        [_weighted_mean(fold, counts, f"fold_{number}") for number, fold in enumerate(folds, 1)]
    )


def _weighted_mean(
    networks: Sequence[TrainedNetwork], counts: Sequence[int], name: str
) -> keras.Model:
    """From columns to the weighted mean of networks, of which those of the same encoding share its
    layers."""
    groups: list[list[int]] = []
    for index, one in enumerate(networks):
        encoding = one.encoder.encoding
        same = (group for group in groups if networks[group[0]].encoder.encoding == encoding)
        group = next(same, None)
        groups.append([index]) if group is None else group.append(index)
    parts = []
    for number, group in enumerate(groups, start=1):
        first = networks[group[0]].encoder
        each = side_by_side([networks[index].trained() for index in group])
        parts.append(whole(first.model, each, first.encoding.target, f"encoding_{number}"))
    columns = columns_like(parts[0], {"members", "mean", *(part.name for part in parts)})
    outputs = [part(columns) for part in parts]
    # In float64 as the target's units, of which float32 has too few digits.
    joined = (
        keras.layers.Concatenate(dtype="float64", name="members")(outputs)
        if len(outputs) > 1
        else outputs[0]
    )
    shares = np.asarray(counts, np.float64)[[index for group in groups for index in group]]
    mean = keras.layers.Dense(
        1, use_bias=False, trainable=False, dtype="float64", name="mean",
        kernel_initializer=keras.initializers.Constant(
            (shares / shares.sum())[:, np.newaxis].tolist()
        ),
    )  # fmt: skip
    return keras.Model(columns, mean(joined), name=name)


def side_by_side(networks: Sequence[keras.Sequential]) -> keras.Model:
    """One model of encoded rows that predicts what each of networks predicts, (rows, networks). It
    shares their layers and weights; member_1 is the first network."""
    rows = keras.Input(networks[0].input_shape[1:], name="inputs")
    outputs = []
    for number, network in enumerate(networks, start=1):
        inputs = keras.Input(network.input_shape[1:], name=f"inputs_{number}")
        member = keras.Sequential([inputs, *network.layers], name=f"member_{number}")
        outputs.append(member(rows))
    joined = keras.layers.Concatenate(name="members")(outputs) if len(outputs) > 1 else outputs[0]
    return keras.Model(rows, joined, name="networks")
