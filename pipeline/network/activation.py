"""From the weighted sums of a layer to its output, for one network or many."""

from typing import Any

from pipeline.network.backend import keras, tf

# Of layer normalization.
EPSILON = 1e-5


def activated(x: Any, activation: str, *, normalized: bool) -> Any:
    """A layer's output from its weighted sums (..., units), after layer normalization if it has
    that: Ba, Kiros and Hinton (2016), "Layer normalization", without scale and offset, which the
    next layer's weights make up for."""
    if normalized:
        centred = x - tf.reduce_mean(x, axis=-1, keepdims=True)
        variance = tf.reduce_mean(tf.square(centred), axis=-1, keepdims=True)
        x = centred * tf.math.rsqrt(variance + EPSILON)
    return keras.activations.get(activation)(x)
