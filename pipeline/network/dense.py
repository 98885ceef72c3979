"""A Dense network from its configuration."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.config.training import BiasInitializer, KernelInitializer, Layer
from pipeline.dataset.encoding import Target
from pipeline.network.backend import keras

Array = NDArray[np.float32]


def build(layers: Sequence[Layer], inputs: int, seed: int) -> keras.Sequential:
    """The network that is trained: rows of inputs, shape (rows, inputs), to the target as
    it is learned, shape (rows, 1). Initial weights and dropout follow from seed."""
    stack: list[keras.layers.Layer] = [keras.Input((inputs,), name="inputs")]
    for number, layer in enumerate(layers, start=1):
        stack.append(
            keras.layers.Dense(
                layer.units,
                activation=layer.activation.value,
                kernel_initializer=_initializer(layer, _seed(seed, number, 0)),
                bias_initializer=layer.bias_initializer.value,
                kernel_regularizer=_regularizer(layer),
                name=f"dense_{number}",
            )
        )
        if layer.dropout > 0:
            stack.append(
                keras.layers.Dropout(
                    layer.dropout, seed=_seed(seed, number, 1), name=f"dropout_{number}"
                )
            )
    return keras.Sequential(stack, name="network")


def initial_weights(layers: Sequence[Layer], inputs: int, seed: int) -> list[Array]:
    """Kernel and bias of each layer in turn, as those of `build` begin, without a network.
    They are computed once for all layers that differ in nothing of it."""
    starts = tuple(
        _Start(layer.units, layer.kernel_initializer, layer.kernel_value, layer.bias_initializer)
        for layer in layers
    )
    return _initial_weights(starts, inputs, seed)


class _Start(NamedTuple):
    """What a layer's initial weights depend on; its fields are those of Layer."""

    units: int
    kernel_initializer: KernelInitializer
    kernel_value: float | None
    bias_initializer: BiasInitializer


@lru_cache(maxsize=1024)
def _initial_weights(starts: tuple[_Start, ...], inputs: int, seed: int) -> list[Array]:
    arrays = []
    for number, start in enumerate(starts, start=1):
        layer = Layer(**start._asdict())
        kernel = _initializer(layer, _seed(seed, number, 0))((inputs, layer.units))
        bias = keras.initializers.get(layer.bias_initializer.value)((layer.units,))
        arrays += [np.asarray(kernel), np.asarray(bias)]
        inputs = layer.units
    return arrays


def by_hand(network: keras.Sequential, row: Array) -> float:
    """What the network should answer for one row of inputs, shape (inputs,):
    activation(x @ kernel + bias) layer by layer."""
    x = row.astype(np.float64)
    for layer in network.layers:
        if isinstance(layer, keras.layers.Dense):
            x = np.array(layer.activation(x @ np.array(layer.kernel) + np.array(layer.bias)))
    return float(x[0])


def line(network: keras.Sequential) -> tuple[NDArray[np.float64], float] | None:
    """Kernel, shape (inputs,), and bias of a network that is one linear neuron; None for
    any other."""
    dense = [layer for layer in network.layers if isinstance(layer, keras.layers.Dense)]
    if len(dense) != 1 or dense[0].activation is not keras.activations.linear:
        return None
    return np.array(dense[0].kernel, np.float64)[:, 0], float(np.array(dense[0].bias)[0])


def first_prediction(network: keras.Sequential, row: Array, target: Target) -> dict[str, float]:
    """What network predicts for one row of inputs, shape (inputs,), beside
    x @ kernel + bias by hand, both in the target's units. Raises RuntimeError where they
    differ by more than float32 allows: then the layers are not what the configuration says."""
    predicted = float(network.predict(row[np.newaxis], verbose=0)[0, 0])
    expected = by_hand(network, row)
    if not np.isclose(predicted, expected, rtol=1e-4, atol=1e-5 * float(np.abs(row).max() + 1)):
        raise RuntimeError(f"the untrained network predicts {predicted}, by hand {expected}")
    hand, answer = target.unscaled(np.array([expected, predicted]))
    return {"by_hand": hand, "predicted": answer, "difference": answer - hand}


def _seed(seed: int, layer: int, use: int) -> int:
    # Independent of every other layer's, and of the next seed's.
    return int(np.random.SeedSequence([seed, layer, use]).generate_state(1)[0]) >> 1


def _initializer(layer: Layer, seed: int) -> keras.initializers.Initializer:
    if layer.kernel_initializer is KernelInitializer.constant:
        return keras.initializers.Constant(layer.kernel_value)
    if layer.kernel_initializer is KernelInitializer.zeros:
        return keras.initializers.Zeros()
    known = {
        KernelInitializer.glorot_uniform: keras.initializers.GlorotUniform,
        KernelInitializer.glorot_normal: keras.initializers.GlorotNormal,
        KernelInitializer.he_uniform: keras.initializers.HeUniform,
        KernelInitializer.he_normal: keras.initializers.HeNormal,
        KernelInitializer.lecun_uniform: keras.initializers.LecunUniform,
        KernelInitializer.lecun_normal: keras.initializers.LecunNormal,
    }
    return known[layer.kernel_initializer](seed=seed)


def _regularizer(layer: Layer) -> keras.regularizers.Regularizer | None:
    if layer.l1 == 0 and layer.l2 == 0:
        return None
    return keras.regularizers.L1L2(l1=layer.l1, l2=layer.l2)
