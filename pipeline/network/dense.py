"""A Dense network from its configuration."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.config.training import BiasInitializer, KernelInitializer, Layer
from pipeline.dataset.encoding import Target
from pipeline.network.activation import EPSILON
from pipeline.network.backend import keras

Array = NDArray[np.float32]


def build(layers: Sequence[Layer], inputs: int, seed: int) -> keras.Sequential:
    """Builds the network that is trained.

    Parameters
    ----------
    layers
        Configuration of the Dense layers, first to last.
    inputs
        Number of columns of the encoded rows.
    seed
        Of the initial weights and of dropout.

    Returns
    -------
    keras.Sequential
        Not compiled; from encoded rows (rows, inputs) to the target as it is learned, (rows, 1).
    """
    stack: list[keras.layers.Layer] = [keras.Input((inputs,), name="inputs")]
    for number, layer in enumerate(layers, start=1):
        stack.append(
            keras.layers.Dense(
                layer.units,
                activation=None if layer.layer_normalization else layer.activation.value,
                kernel_initializer=_initializer(layer, _seed(seed, number, 0)),
                bias_initializer=layer.bias_initializer.value,
                kernel_regularizer=_regularizer(layer),
                name=f"dense_{number}",
            )
        )
        if layer.layer_normalization:
            stack += [
                keras.layers.LayerNormalization(
                    epsilon=EPSILON, center=False, scale=False, name=f"normalization_{number}"
                ),
                keras.layers.Activation(layer.activation.value, name=f"activation_{number}"),
            ]
        if layer.dropout > 0:
            stack.append(
                keras.layers.Dropout(
                    layer.dropout, seed=_seed(seed, number, 1), name=f"dropout_{number}"
                )
            )
    return keras.Sequential(stack, name="network")


def initial_weights(layers: Sequence[Layer], inputs: int, seed: int) -> list[Array]:
    """Kernel (inputs, units) and bias (units,) of each layer in turn, equal to those of `build`
    but without building a network."""
    initializations = tuple(
        _Initialization(
            layer.units, layer.kernel_initializer, layer.kernel_value, layer.bias_initializer
        )
        for layer in layers
    )
    return _initial_weights(initializations, inputs, seed)


class _Initialization(NamedTuple):
    """The fields of Layer that its initial weights depend on: the key of a cache."""

    units: int
    kernel_initializer: KernelInitializer
    kernel_value: float | None
    bias_initializer: BiasInitializer


@lru_cache(maxsize=1024)
def _initial_weights(
    initializations: tuple[_Initialization, ...], inputs: int, seed: int
) -> list[Array]:
    arrays = []
    for number, initialization in enumerate(initializations, start=1):
        layer = Layer(**initialization._asdict())
        kernel = _initializer(layer, _seed(seed, number, 0))((inputs, layer.units))
        bias = keras.initializers.get(layer.bias_initializer.value)((layer.units,))
        arrays += [np.asarray(kernel), np.asarray(bias)]
        inputs = layer.units
    return arrays


def by_hand(network: keras.Sequential, row: Array) -> float:
    """The prediction for one encoded row (inputs,), computed layer by layer as
    activation(x @ kernel + bias), with layer normalization before the activation if there is
    any."""
    x = row.astype(np.float64)
    for layer in network.layers:
        if isinstance(layer, keras.layers.Dense):
            x = np.array(layer.activation(x @ np.array(layer.kernel) + np.array(layer.bias)))
        elif isinstance(layer, keras.layers.LayerNormalization):
            x = (x - x.mean()) / np.sqrt(x.var() + EPSILON)
        elif isinstance(layer, keras.layers.Activation):
            x = np.array(layer.activation(x))
    return float(x[0])


def line(network: keras.Sequential) -> tuple[NDArray[np.float64], float] | None:
    """Kernel (inputs,) and bias of a network with a single linear neuron; None for any
    other network."""
    dense = [layer for layer in network.layers if isinstance(layer, keras.layers.Dense)]
    if len(dense) != 1 or dense[0].activation is not keras.activations.linear:
        return None
    return np.array(dense[0].kernel, np.float64)[:, 0], float(np.array(dense[0].bias)[0])


def first_prediction(network: keras.Sequential, row: Array, target: Target) -> dict[str, float]:
    """The network's prediction for one encoded row (inputs,), the same computed by hand, and
    their difference, in the target's units. Raises RuntimeError if they differ by more than
    float32 rounding: then the layers are not as configured."""
    predicted = float(np.asarray(network(row[np.newaxis]))[0, 0])
    expected = by_hand(network, row)
    if not np.isclose(predicted, expected, rtol=1e-4, atol=1e-5 * float(np.abs(row).max() + 1)):
        raise RuntimeError(f"the untrained network predicts {predicted}, by hand {expected}")
    expected, predicted = target.unscaled(np.array([expected, predicted]))
    return {"by_hand": expected, "predicted": predicted, "difference": predicted - expected}


def _seed(seed: int, layer: int, use: int) -> int:
    # Independent of the seeds of other layers, and of those that the next seed gives.
    return int(np.random.SeedSequence([seed, layer, use]).generate_state(1)[0]) >> 1


def _initializer(layer: Layer, seed: int) -> keras.initializers.Initializer:
    if layer.kernel_initializer is KernelInitializer.constant:
        return keras.initializers.Constant(layer.kernel_value)
    if layer.kernel_initializer is KernelInitializer.zeros:
        return keras.initializers.Zeros()
    random = {
        KernelInitializer.glorot_uniform: keras.initializers.GlorotUniform,
        KernelInitializer.glorot_normal: keras.initializers.GlorotNormal,
        KernelInitializer.he_uniform: keras.initializers.HeUniform,
        KernelInitializer.he_normal: keras.initializers.HeNormal,
        KernelInitializer.lecun_uniform: keras.initializers.LecunUniform,
        KernelInitializer.lecun_normal: keras.initializers.LecunNormal,
    }
    return random[layer.kernel_initializer](seed=seed)


def _regularizer(layer: Layer) -> keras.regularizers.Regularizer | None:
    if layer.l1 == 0 and layer.l2 == 0:
        return None
    return keras.regularizers.L1L2(l1=layer.l1, l2=layer.l2)
