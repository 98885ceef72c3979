"""Dropout's masks follow from seed, time and layer alone, and losses are Keras's."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.config.training import Loss
from pipeline.network.backend import keras, tf
from pipeline.training.epoch import LOSSES, dropped, mean, mixed, moved, wide

Array = NDArray[np.float32]

ROWS, UNITS = 100, 120
ONES = tf.ones((ROWS, UNITS))


def seeds(*values: int) -> Any:
    """(1, 1), or (members, 1, 1) for many."""
    each = np.array(values, np.uint32).reshape(-1, 1, 1)
    return tf.constant(each[0] if len(values) == 1 else each)


def mask(rate: float = 0.5, seed: int = 3, time: int = 1, layer: int = 0) -> NDArray[np.bool_]:
    """Where something is left."""
    blanked = dropped(ONES, rate, seeds(seed), time=tf.constant(time), layer=layer)
    return np.asarray(blanked) > 0


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.9])
def test_dropout_blanks_its_fraction_and_keeps_the_expectation(rate: float) -> None:
    blanked = np.asarray(dropped(ONES, rate, seeds(3), time=tf.constant(1), layer=0))
    assert (blanked == 0).mean() == pytest.approx(rate, abs=0.02)
    assert blanked[blanked > 0].tolist() == pytest.approx([1 / (1 - rate)] * (blanked > 0).sum())
    assert blanked.mean() == pytest.approx(1, abs=0.05)


def test_dropout_is_even_over_rows_and_units() -> None:
    kept = mask(0.5)
    # Seven standard deviations, of 100 or 120 draws each.
    assert np.abs(kept.mean(axis=0) - 0.5).max() < 0.35
    assert np.abs(kept.mean(axis=1) - 0.5).max() < 0.35


def test_the_same_seed_time_and_layer_have_the_same_mask() -> None:
    np.testing.assert_array_equal(mask(), mask())


@pytest.mark.parametrize(
    "changed",
    [{"seed": 4}, {"seed": 2**32 - 1}, {"time": 2}, {"time": 10**6}, {"layer": 1}],
    ids=str,
)
def test_another_seed_time_or_layer_has_a_mask_of_its_own(changed: dict[str, int]) -> None:
    # Two independent masks agree in half of their places; the standard deviation is 0.0046.
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
    together = dropped(
        tf.stack([ONES] * 3),
        wide(tf.constant(rates)),
        seeds(3, 4, 5),
        time=tf.constant(7),
        layer=1,
    )
    for place, (rate, seed) in enumerate(zip(rates, (3, 4, 5), strict=True)):
        alone = dropped(ONES, tf.constant([[rate]]), seeds(seed), time=tf.constant(7), layer=1)
        np.testing.assert_array_equal(together[place], alone)


def test_a_greater_rate_blanks_what_a_smaller_one_does_and_more() -> None:
    assert not (mask(0.6) & ~mask(0.3)).any()


@pytest.mark.parametrize("xla", [False, True], ids=["plain", "xla"])
def test_compiled_dropout_draws_the_same_mask(*, xla: bool) -> None:
    drawn = tf.function(
        lambda time: dropped(ONES, 0.3, seeds(3), time=time, layer=2), jit_compile=xla
    )
    for time in (1, 2):
        expected = dropped(ONES, 0.3, seeds(3), time=tf.constant(time), layer=2)
        compiled = np.asarray(drawn(tf.constant(time)))
        np.testing.assert_array_equal(compiled > 0, np.asarray(expected) > 0)
        np.testing.assert_allclose(compiled, expected, rtol=1e-6)


def test_mixing_maps_no_two_numbers_to_one() -> None:
    random = np.random.default_rng(1).integers(0, 2**32, 100_000, dtype=np.uint32)
    numbers = np.unique(np.concatenate([np.arange(100_000, dtype=np.uint32), random, ~random]))
    assert len(np.unique(mixed(tf.constant(numbers)))) == len(numbers)


def test_each_bit_of_a_mixed_number_hangs_on_each_bit_of_what_was_mixed() -> None:
    numbers = np.random.default_rng(1).integers(0, 2**32, 4096, dtype=np.uint32)
    before = np.asarray(mixed(tf.constant(numbers)))
    places = np.arange(32, dtype=np.uint32)
    for place in places:
        after = np.asarray(mixed(tf.constant(numbers ^ (np.uint32(1) << place))))
        flipped = (before ^ after)[:, np.newaxis] >> places & 1
        assert np.abs(flipped.mean(axis=0) - 0.5).max() < 0.1


def test_each_loss_of_the_configuration_is_there() -> None:
    assert set(LOSSES) == {loss.value for loss in Loss}


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_keras_s_own(name: str) -> None:
    random = np.random.default_rng(1)
    y, predicted = (random.normal(0, 1.5, (50, 1)).astype(np.float32) for _ in range(2))
    ours = float(mean(LOSSES[name](y - predicted), None))
    theirs = float(np.mean(keras.losses.get(name)(y, predicted)))
    assert ours == pytest.approx(theirs, rel=1e-6)


def test_rows_that_fill_up_a_batch_do_not_count() -> None:
    values = tf.constant([[1.0], [2.0], [6.0], [100.0]])
    counts = tf.constant([[1.0], [1.0], [1.0], [0.0]])
    assert float(mean(values, counts)) == 3.0
    assert float(mean(values[:3], None)) == 3.0


def test_a_mean_is_each_member_s_own() -> None:
    values = tf.constant([[[1.0], [3.0]], [[5.0], [9.0]]])
    assert np.asarray(mean(values, None)).tolist() == [2.0, 7.0]
    assert np.asarray(mean(values, tf.constant([[1.0], [0.0]]))).tolist() == [1.0, 5.0]


def test_only_the_members_that_are_named_move() -> None:
    old = [tf.zeros((3, 2, 4)), tf.zeros((3, 1, 4))]
    new = [tf.ones((3, 2, 4)), tf.ones((3, 1, 4))]
    for array in moved(tf.constant([True, False, True]), new, old):
        assert [float(member.min()) for member in np.asarray(array)] == [1, 0, 1]
        assert [float(member.max()) for member in np.asarray(array)] == [1, 0, 1]


@pytest.mark.parametrize("which", [True, False])
def test_a_network_alone_moves_or_stays(*, which: bool) -> None:
    (array,) = moved(tf.constant(which), [tf.ones((2, 4))], [tf.zeros((2, 4))])
    assert np.asarray(array).tolist() == [[float(which)] * 4] * 2


def test_what_is_not_a_number_does_not_reach_a_member_that_stays() -> None:
    new = [tf.constant([[[np.nan]], [[1.0]]])]
    (array,) = moved(tf.constant([False, True]), new, [tf.zeros((2, 1, 1))])
    assert np.asarray(array).ravel().tolist() == [0.0, 1.0]
