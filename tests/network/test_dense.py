"""A Dense network is built as configured, and computes what its layers say."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.config.training import Activation, BiasInitializer, KernelInitializer, Layer
from pipeline.dataset.encoding import Encoding, Number, Target
from pipeline.network import dense, encoder, weights
from pipeline.network.backend import keras

Array = NDArray[np.float32]

PLAIN = Target("y")
SCALED = Target("y", mean=100.0, std=7.0)
LOG = replace(SCALED, log=True, mean=2.0, std=0.3)
TARGETS = pytest.mark.parametrize("target", [PLAIN, SCALED, LOG], ids=["plain", "scaled", "log"])
NUMBERS = {"a": Number(3.0, False, 3.0, 0.5), "b": Number(0.0, False, -20.0, 40.0)}
ROWS = np.array([[3.0, -20.0], [3.7, 25.0], [-1.0, 4.5], [0.0, 0.0]], np.float32)
DEEP = [
    Layer(units=5, activation=Activation.relu, dropout=0.4, l1=0.01, l2=0.02),
    Layer(
        units=3,
        activation=Activation.tanh,
        bias_initializer=BiasInitializer.ones,
        layer_normalization=True,
    ),
    Layer(units=1),
]


def ones(units: int = 1) -> Layer:
    """A linear layer that sums its inputs."""
    return Layer(units=units, kernel_initializer=KernelInitializer.constant, kernel_value=1.0)


def answers(built: keras.Sequential, rows: Array = ROWS) -> Array:
    return np.asarray(built.predict(rows, verbose=0))[:, 0]


def whole(built: keras.Sequential, target: Target) -> keras.Model:
    """The model that is saved for the columns a and b."""
    encoding = Encoding(NUMBERS, {}, {}, target)
    return encoder.whole(encoder.layers(encoding), built, target)


def answers_of_whole(model: keras.Model, rows: Array = ROWS) -> NDArray[np.float64]:
    return np.asarray(model([rows[:, :1], rows[:, 1:]]))[:, 0]


def encoded(rows: Array = ROWS) -> Array:
    return ((rows - [3.0, -20.0]) / [0.5, 40.0]).astype(np.float32)


def test_each_layer_has_its_units_in_order() -> None:
    built = dense.build(DEEP, 2, seed=1)
    assert [layer.units for layer in weights.dense_layers(built)] == [5, 3, 1]
    assert built.input_shape == (None, 2)
    assert built.output_shape == (None, 1)


@pytest.mark.parametrize("activation", Activation)
def test_a_layer_has_its_activation(activation: Activation) -> None:
    built = dense.build([replace(ones(), activation=activation)], 2, seed=1)
    expected = keras.activations.get(activation.value)(ROWS.sum(axis=1))
    np.testing.assert_allclose(answers(built), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "initializer", [kind for kind in KernelInitializer if kind is not KernelInitializer.constant]
)
def test_a_kernel_is_initialised_as_configured(initializer: KernelInitializer) -> None:
    layers = [Layer(units=100, kernel_initializer=initializer), Layer(units=1)]
    kernel = weights.by_name(dense.build(layers, 300, seed=1))["dense_1/kernel"]
    initialize = keras.initializers.get(initializer.value)
    expected = np.asarray(initialize((300, 100)))
    # The standard deviation identifies the scale, the maximum the distribution.
    assert kernel.std() == pytest.approx(expected.std(), rel=0.05)
    assert np.abs(kernel).max() == pytest.approx(np.abs(expected).max(), rel=0.1)


def test_a_constant_kernel_has_its_value_everywhere() -> None:
    layer = replace(ones(3), kernel_value=-0.5196631)
    kernel = weights.by_name(dense.build([layer, ones()], 2, seed=1))["dense_1/kernel"]
    np.testing.assert_array_equal(kernel, np.full((2, 3), np.float32(-0.5196631)))


@pytest.mark.parametrize(
    ("initializer", "value"), [(BiasInitializer.zeros, 0.0), (BiasInitializer.ones, 1.0)]
)
def test_a_bias_is_initialised_as_configured(initializer: BiasInitializer, value: float) -> None:
    built = dense.build([Layer(units=1, bias_initializer=initializer)], 2, seed=1)
    assert weights.by_name(built)["dense_1/bias"].tolist() == [value]


def test_penalties_are_those_of_l1_and_l2() -> None:
    built = dense.build([Layer(units=4, l1=0.3), Layer(units=1, l2=0.7)], 2, seed=1)
    arrays = weights.by_name(built)
    expected = 0.3 * np.abs(arrays["dense_1/kernel"]).sum()
    expected += 0.7 * np.square(arrays["dense_2/kernel"]).sum()
    assert float(sum(built.losses)) == pytest.approx(expected, rel=1e-6)


def test_without_l1_and_l2_nothing_is_penalised() -> None:
    assert dense.build([Layer(units=4), Layer(units=1)], 2, seed=1).losses == []


def test_dropout_zeroes_its_fraction_in_training_and_nothing_in_predictions() -> None:
    layers = [Layer(units=2000, dropout=0.3), ones()]
    built = dense.build(layers, 2, seed=1)
    hidden = keras.Sequential([keras.Input((2,)), *built.layers[:-1]])
    zeroed = np.asarray(hidden(ROWS[:1], training=True)) == 0
    assert zeroed.mean() == pytest.approx(0.3, abs=0.05)
    assert not (np.asarray(hidden(ROWS[:1], training=False)) == 0).any()


def test_the_same_seed_gives_the_same_weights_and_another_seed_others() -> None:
    first, same, other = (weights.by_name(dense.build(DEEP, 2, seed)) for seed in (7, 7, 8))
    for name, array in first.items():
        np.testing.assert_array_equal(array, same[name])
        if name.endswith("kernel"):
            assert not np.isin(array, other[name]).any()


def test_the_same_seed_gives_the_same_dropout_and_another_seed_another() -> None:
    layers = [replace(ones(200), dropout=0.5), ones()]
    draws = []
    for seed in (7, 7, 8):
        built = dense.build(layers, 2, seed)
        draws.append([float(built(ROWS[1:2], training=True)[0, 0]) for _ in range(4)])
    assert draws[0] == draws[1]
    assert draws[0] != draws[2]
    assert len(set(draws[0])) > 1


def test_layers_of_the_same_shape_have_different_initial_weights() -> None:
    layers = [Layer(units=2), Layer(units=2), Layer(units=1)]
    arrays = weights.by_name(dense.build(layers, 2, seed=7))
    assert not np.isin(arrays["dense_1/kernel"], arrays["dense_2/kernel"]).any()


def test_the_largest_seed_is_accepted() -> None:
    built = dense.build(DEEP, 2, seed=2**32 - 1)
    assert np.isfinite(np.asarray(built(ROWS, training=True))).all()


def test_inputs_are_standardised_inside_the_saved_model() -> None:
    model = whole(dense.build([ones()], 2, seed=1), PLAIN)
    np.testing.assert_allclose(answers_of_whole(model), encoded().sum(axis=1), rtol=1e-5)


def test_predictions_are_in_the_target_s_units() -> None:
    built = dense.build(DEEP, 2, seed=1)
    learned = answers(built, encoded()).astype(np.float64)
    in_units = answers_of_whole(whole(built, SCALED))
    np.testing.assert_allclose(in_units, 100 + 7 * learned, rtol=1e-5)
    in_units = answers_of_whole(whole(built, LOG))
    np.testing.assert_allclose(in_units, np.exp(2 + 0.3 * learned), rtol=1e-5)


def test_a_target_that_is_not_standardised_is_predicted_as_learned() -> None:
    built = dense.build(DEEP, 2, seed=1)
    in_units = answers_of_whole(whole(built, PLAIN))
    np.testing.assert_array_equal(in_units, np.asarray(built(encoded()))[:, 0])


@pytest.mark.parametrize("depth", [1, 2, 4])
@pytest.mark.parametrize("activation", Activation)
def test_by_hand_is_what_keras_predicts(activation: Activation, depth: int) -> None:
    hidden = Layer(units=6, activation=activation, bias_initializer=BiasInitializer.ones)
    layers = [*[hidden] * (depth - 1), Layer(units=1, activation=activation)]
    built = dense.build(layers, 2, seed=depth)
    for scale in (1e-3, 1.0, 1e4):
        rows = (ROWS * scale).astype(np.float32)
        predicted = np.asarray(built(rows))[:, 0]
        expected = [dense.by_hand(built, row) for row in rows]
        np.testing.assert_allclose(predicted, expected, rtol=1e-4, atol=1e-5 * max(scale, 1))


@TARGETS
def test_the_first_prediction_equals_the_one_by_hand(target: Target) -> None:
    built = dense.build(DEEP, 2, seed=1)
    first = dense.first_prediction(built, encoded()[1], target)
    expected = answers_of_whole(whole(built, target))[1]
    assert first["predicted"] == pytest.approx(expected, rel=1e-6)
    assert first["by_hand"] == pytest.approx(first["predicted"], rel=1e-4)
    assert first["difference"] == first["predicted"] - first["by_hand"]


def test_a_network_that_is_not_as_configured_is_refused() -> None:
    built = dense.build([ones()], 2, seed=1)
    tampered = keras.Sequential([*built.layers, keras.layers.ReLU()])
    with pytest.raises(RuntimeError, match=r"predicts 0\.0, by hand -17\.0"):
        dense.first_prediction(tampered, ROWS[0], PLAIN)


def test_the_line_of_a_linear_neuron_gives_its_predictions() -> None:
    neuron = Layer(units=1, bias_initializer=BiasInitializer.ones)
    built = dense.build([neuron], 2, seed=1)
    found = dense.line(built)
    assert found is not None
    kernel, bias = found
    assert kernel.shape == (2,)
    np.testing.assert_allclose(ROWS @ kernel + bias, answers(built), rtol=1e-5)


@pytest.mark.parametrize(
    "layers",
    [DEEP, [Layer(units=1), Layer(units=1)], [Layer(units=1, activation=Activation.relu)]],
    ids=["deep", "two linear layers", "relu"],
)
def test_any_other_network_has_no_line(layers: list[Layer]) -> None:
    assert dense.line(dense.build(layers, 2, seed=1)) is None


def test_layers_and_consecutive_seeds_have_independent_weights() -> None:
    layers = [Layer(units=2), Layer(units=2), Layer(units=2), Layer(units=1)]
    kernels = [
        array.tobytes()
        for seed in (0, 1, 2)
        for name, array in weights.by_name(dense.build(layers, 2, seed)).items()
        if name.endswith("kernel") and array.shape == (2, 2)
    ]
    assert len(set(kernels)) == len(kernels) > 6


def test_initial_weights_are_those_of_the_network_that_is_built() -> None:
    arrays = dense.initial_weights(DEEP, 2, seed=7)
    for array, expected in zip(arrays, weights.of(dense.build(DEEP, 2, seed=7)), strict=True):
        np.testing.assert_array_equal(array, expected)
