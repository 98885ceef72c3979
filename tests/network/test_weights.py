"""The weights of a network: as arrays, by name, as a table and as a file."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.config.training import Activation, Layer
from pipeline.network import dense, weights
from pipeline.network.backend import keras

DEEP = [
    Layer(units=5, activation=Activation.relu, dropout=0.4, l1=0.01, l2=0.02),
    Layer(units=3, activation=Activation.tanh),
    Layer(units=1),
]
NAMES = [f"dense_{number}/{kind}" for number in (1, 2, 3) for kind in ("kernel", "bias")]


def built(seed: int = 1) -> keras.Sequential:
    """A network that also has a layer without weights."""
    return dense.build(DEEP, 2, seed)


def test_weights_are_kernel_and_bias_of_each_dense_layer_in_turn() -> None:
    arrays = weights.of(built())
    assert [array.shape for array in arrays] == [(2, 5), (5,), (5, 3), (3,), (3, 1), (1,)]
    assert {array.dtype for array in arrays} == {np.dtype("float32")}


def test_assigned_weights_are_those_of_the_network() -> None:
    given = [array + 0.5 for array in weights.of(built())]
    other = built(seed=2)
    weights.assign(other, given)
    for array, expected in zip(weights.of(other), given, strict=True):
        np.testing.assert_array_equal(array, expected)


def test_a_network_with_the_weights_of_another_predicts_the_same() -> None:
    one, other = built(seed=1), built(seed=2)
    rows = np.array([[3.0, -20.0], [3.7, 25.0]], np.float32)
    assert not np.allclose(one(rows), other(rows))
    weights.assign(other, weights.of(one))
    np.testing.assert_array_equal(other(rows), one(rows))


def test_weights_are_a_copy() -> None:
    one = built()
    before = weights.of(one)
    copies = [array.copy() for array in before]
    weights.assign(one, [array + 1 for array in before])
    for array, copy in zip(before, copies, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_weights_of_another_depth_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        weights.assign(built(), weights.of(built())[:4])


def test_names_have_the_layer_and_the_kind_of_weight() -> None:
    arrays = weights.by_name(built())
    assert list(arrays) == NAMES
    for array, expected in zip(arrays.values(), weights.of(built()), strict=True):
        np.testing.assert_array_equal(array, expected)


def test_a_small_network_s_table_has_a_row_for_each_weight() -> None:
    before = weights.by_name(built())
    after = {name: array + 1 for name, array in before.items()}
    table = weights.table(before, after)
    assert len(table) == 2 * 5 + 5 + 5 * 3 + 3 + 3 * 1 + 1
    np.testing.assert_allclose(table["after"] - table["before"], 1, rtol=1e-5)
    chosen = table[(table["layer"] == "dense_2") & (table["weight"] == "kernel")]
    for row in chosen.itertuples():
        expected = before["dense_2/kernel"][int(str(row.input)) - 1, int(str(row.unit)) - 1]
        assert row.before == expected
    biases = table[(table["layer"] == "dense_1") & (table["weight"] == "bias")]
    assert biases["input"].isna().all()
    assert biases["unit"].tolist() == [1, 2, 3, 4, 5]


def test_a_large_network_s_table_has_a_row_for_each_array() -> None:
    layers = [Layer(units=40), Layer(units=40), Layer(units=1)]
    before = weights.by_name(dense.build(layers, 2, seed=1))
    after = {name: 2 * array + 1 for name, array in before.items()}
    table = weights.table(before, after)
    assert list(table["layer"] + "/" + table["weight"]) == list(before)
    row = table.iloc[2]
    assert row["shape"] == "40 x 40"
    assert row["mean_before"] == pytest.approx(before["dense_2/kernel"].mean())
    assert row["mean_after"] == pytest.approx(after["dense_2/kernel"].mean())
    assert row["std_before"] == pytest.approx(before["dense_2/kernel"].std())
    assert row["std_after"] == pytest.approx(2 * row["std_before"], rel=1e-5)


def test_the_table_of_folds_has_a_row_for_each_weight_only_if_they_are_few_together() -> None:
    few = {f"fold_{fold}/dense_1/bias": np.zeros(400, np.float32) for fold in (1, 2)}
    table = weights.table(few, few)
    assert table["fold"].tolist() == ["1"] * 400 + ["2"] * 400
    many = few | {"fold_3/dense_1/bias": np.zeros(400, np.float32)}
    table = weights.table(many, many)
    assert table[["fold", "layer", "shape"]].to_numpy().tolist() == [
        [fold, "dense_1", "400"] for fold in ("1", "2", "3")
    ]


def test_saved_weights_are_read_by_numpy(tmp_path: Path) -> None:
    arrays = weights.by_name(built())
    weights.save(arrays, tmp_path / "weights.npz")
    with np.load(tmp_path / "weights.npz", allow_pickle=False) as read:
        assert list(read) == list(arrays)
        for name, array in arrays.items():
            np.testing.assert_array_equal(read[name], array)
            assert read[name].dtype == np.float32


def test_one_set_of_weights_is_always_saved_as_the_same_bytes(tmp_path: Path) -> None:
    for name in ("first", "again"):
        weights.save(weights.by_name(built()), tmp_path / name)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "again").read_bytes()
