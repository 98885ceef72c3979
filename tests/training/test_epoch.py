"""Dropout's masks follow from seed, time and layer alone, and losses are Keras's."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.config.training import Loss
from pipeline.network.backend import keras, tf
from pipeline.training.epoch import LOSSES, dropout, expand, mean, mix, select

Array = NDArray[np.float32]

ROWS, UNITS = 100, 120
ONES = tf.ones((ROWS, UNITS))


def seeds(*values: int) -> Any:
    """(1, 1), or (members, 1, 1) for many."""
    each = np.array(values, np.uint32).reshape(-1, 1, 1)
    return tf.constant(each[0] if len(values) == 1 else each)


def mask(rate: float = 0.5, seed: int = 3, time: int = 1, layer: int = 0) -> NDArray[np.bool_]:
    """Where a value is kept."""
    zeroed = dropout(ONES, rate, seeds(seed), time=tf.constant(time), layer=layer)
    return np.asarray(zeroed) > 0


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.9])
def test_dropout_zeroes_its_fraction_and_keeps_the_expectation(rate: float) -> None:
    zeroed = np.asarray(dropout(ONES, rate, seeds(3), time=tf.constant(1), layer=0))
    assert (zeroed == 0).mean() == pytest.approx(rate, abs=0.02)
    assert zeroed[zeroed > 0].tolist() == pytest.approx([1 / (1 - rate)] * (zeroed > 0).sum())
    assert zeroed.mean() == pytest.approx(1, abs=0.05)


def test_dropout_is_even_over_rows_and_units() -> None:
    kept = mask(0.5)
    # Seven standard deviations, of 100 or 120 draws each.
    assert np.abs(kept.mean(axis=0) - 0.5).max() < 0.35
    assert np.abs(kept.mean(axis=1) - 0.5).max() < 0.35


@pytest.mark.parametrize(
    "changed",
    [{"seed": 4}, {"seed": 2**32 - 1}, {"time": 2}, {"time": 10**6}, {"layer": 1}],
    ids=str,
)
def test_another_seed_time_or_layer_has_another_mask(changed: dict[str, int]) -> None:
    # Two independent masks agree in half of their values; the standard deviation is 0.0046.
    assert (mask() == mask(**changed)).mean() == pytest.approx(0.5, abs=0.03)


def test_neighbouring_seeds_and_times_do_not_share_masks() -> None:
    masks = {
        mask(seed=seed, time=time, layer=layer).tobytes()
        for seed in range(5)
        for time in range(5)
        for layer in range(5)
    }
    assert len(masks) == 125


def test_a_member_s_mask_does_not_depend_on_the_others() -> None:
    rates = [0.2, 0.5, 0.8]
    together = dropout(
        tf.stack([ONES] * 3),
        expand(tf.constant(rates)),
        seeds(3, 4, 5),
        time=tf.constant(7),
        layer=1,
    )
    for index, (rate, seed) in enumerate(zip(rates, (3, 4, 5), strict=True)):
        alone = dropout(ONES, tf.constant([[rate]]), seeds(seed), time=tf.constant(7), layer=1)
        np.testing.assert_array_equal(together[index], alone)


def test_a_larger_rate_zeroes_all_that_a_smaller_one_does() -> None:
    assert not (mask(0.6) & ~mask(0.3)).any()


@pytest.mark.parametrize("xla", [False, True], ids=["plain", "xla"])
def test_a_compiled_function_has_the_same_mask(*, xla: bool) -> None:
    drawn = tf.function(
        lambda time: dropout(ONES, 0.3, seeds(3), time=time, layer=2), jit_compile=xla
    )
    for time in (1, 2):
        expected = dropout(ONES, 0.3, seeds(3), time=tf.constant(time), layer=2)
        compiled = np.asarray(drawn(tf.constant(time)))
        np.testing.assert_array_equal(compiled > 0, np.asarray(expected) > 0)
        np.testing.assert_allclose(compiled, expected, rtol=1e-6)


def test_the_hash_has_no_collisions() -> None:
    random = np.random.default_rng(1).integers(0, 2**32, 100_000, dtype=np.uint32)
    numbers = np.unique(np.concatenate([np.arange(100_000, dtype=np.uint32), random, ~random]))
    assert len(np.unique(mix(tf.constant(numbers)))) == len(numbers)


def test_each_bit_of_a_hash_depends_on_each_bit_of_its_input() -> None:
    numbers = np.random.default_rng(1).integers(0, 2**32, 4096, dtype=np.uint32)
    before = np.asarray(mix(tf.constant(numbers)))
    bits = np.arange(32, dtype=np.uint32)
    for bit in bits:
        after = np.asarray(mix(tf.constant(numbers ^ (np.uint32(1) << bit))))
        flipped = (before ^ after)[:, np.newaxis] >> bits & 1
        assert np.abs(flipped.mean(axis=0) - 0.5).max() < 0.1


def test_each_loss_of_the_configuration_is_implemented() -> None:
    assert set(LOSSES) == {loss.value for loss in Loss}


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_that_of_keras(name: str) -> None:
    random = np.random.default_rng(1)
    y, predicted = (random.normal(0, 1.5, (50, 1)).astype(np.float32) for _ in range(2))
    ours = float(mean(LOSSES[name](y - predicted), None))
    theirs = float(np.mean(keras.losses.get(name)(y, predicted)))
    assert ours == pytest.approx(theirs, rel=1e-6)


def test_padding_rows_do_not_count() -> None:
    values = tf.constant([[1.0], [2.0], [6.0], [100.0]])
    counts = tf.constant([[1.0], [1.0], [1.0], [0.0]])
    assert float(mean(values, counts)) == 3.0
    assert float(mean(values[:3], None)) == 3.0


def test_each_member_has_its_own_mean() -> None:
    values = tf.constant([[[1.0], [3.0]], [[5.0], [9.0]]])
    assert np.asarray(mean(values, None)).tolist() == [2.0, 7.0]
    assert np.asarray(mean(values, tf.constant([[1.0], [0.0]]))).tolist() == [1.0, 5.0]


def test_only_the_chosen_members_have_new_weights() -> None:
    old = [tf.zeros((3, 2, 4)), tf.zeros((3, 1, 4))]
    new = [tf.ones((3, 2, 4)), tf.ones((3, 1, 4))]
    for array in select(tf.constant([True, False, True]), new, old):
        assert [float(member.min()) for member in np.asarray(array)] == [1, 0, 1]
        assert [float(member.max()) for member in np.asarray(array)] == [1, 0, 1]


@pytest.mark.parametrize("which", [True, False])
def test_a_single_network_has_new_or_old_weights(*, which: bool) -> None:
    (array,) = select(tf.constant(which), [tf.ones((2, 4))], [tf.zeros((2, 4))])
    assert np.asarray(array).tolist() == [[float(which)] * 4] * 2


def test_a_nan_does_not_reach_a_member_that_keeps_its_weights() -> None:
    new = [tf.constant([[[np.nan]], [[1.0]]])]
    (array,) = select(tf.constant([False, True]), new, [tf.zeros((2, 1, 1))])
    assert np.asarray(array).ravel().tolist() == [0.0, 1.0]
