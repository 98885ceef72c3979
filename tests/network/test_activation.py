"""The output of a layer, with layer normalization and without."""

import numpy as np

from pipeline.network.activation import EPSILON, activated
from pipeline.network.backend import keras


def test_layer_normalization_is_keras_s_own() -> None:
    sums = np.random.default_rng(1).normal(2, 3, size=(4, 7, 5)).astype(np.float32)
    layer = keras.layers.LayerNormalization(epsilon=EPSILON, center=False, scale=False)
    ours = np.asarray(activated(sums, "tanh", normalized=True))
    np.testing.assert_allclose(ours, np.tanh(np.asarray(layer(sums))), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(np.arctanh(ours).std(axis=-1), 1, rtol=1e-4)
    plain = np.asarray(activated(sums, "tanh", normalized=False))
    np.testing.assert_array_equal(plain, np.asarray(keras.activations.tanh(sums)))
