"""The folder of a trained model has the model, and what happened in its training."""

import json
import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.config.training import Activation, Layer
from pipeline.dataset.encoding import Encoding, Number, Target, Values
from pipeline.network import dense, model_folder, weights
from pipeline.network.backend import keras
from pipeline.network.encoder import Encoder, folds_of, inputs
from pipeline.network.model_folder import TrainedNetwork
from tests import folds

ENCODING = Encoding(
    {"a": Number(0.0, False, 3.0, 0.5), "b": Number(0.0, True, -20.0, 40.0)},
    {},
    {},
    Target("y", mean=100.0, std=7.0),
)
TABLE = pd.DataFrame({"a": [3.5, 2.0], "b": [np.nan, 20.0], "y": [90.0, 110.0]})
LAYERS = [Layer(units=2, activation=Activation.tanh), Layer(units=1)]
SEED = 5
HISTORY = pd.DataFrame(
    {
        "epoch": [1, 2],
        "loss": [4.0, 2.0],
        "mae": [2.0, 1.5],
        "validation_loss": [np.nan] * 2,
        "validation_mae": [np.nan] * 2,
        "learning_rate": [0.1] * 2,
        "kept": [False, True],
    }
)
BEFORE = dense.initial_weights(LAYERS, len(ENCODING.names), SEED)
AFTER = [array + 0.25 for array in BEFORE]


def write(folder: Path, history: pd.DataFrame = HISTORY) -> Path:
    folder.mkdir()
    network = TrainedNetwork(Encoder(ENCODING), LAYERS, SEED, AFTER, history)
    model_folder.write(folder, network, encoding=ENCODING, row=TABLE.head(1))
    return folder


def write_folds(folder: Path, networks: list[TrainedNetwork], *, refit: bool = False) -> Path:
    folder.mkdir()
    network = folds.network(folds.encoding(), seed=9) if refit else None
    model_folder.write(
        folder, network, networks, encoding=folds.encoding(), row=folds.TABLE.head(1)
    )
    return folder


@pytest.fixture(scope="module")
def networks() -> list[TrainedNetwork]:
    return folds.networks(folds.THREE)


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory, networks: list[TrainedNetwork]) -> Path:
    return write_folds(tmp_path_factory.mktemp("folders") / "bag", networks)


@pytest.fixture(scope="module")
def refitted(tmp_path_factory: pytest.TempPathFactory, networks: list[TrainedNetwork]) -> Path:
    return write_folds(tmp_path_factory.mktemp("folders") / "refit", networks, refit=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("folders") / "model")


def predicted(arrays: list[weights.Array]) -> Values:
    """The predictions for TABLE of a network with these weights, in units of y."""
    network = dense.build(LAYERS, len(ENCODING.names), seed=0)
    weights.assign(network, arrays)
    learned = np.asarray(network(Encoder(ENCODING).x(TABLE)))[:, 0]
    return ENCODING.target.unscaled(learned)


def test_the_model_predicts_with_the_trained_weights(folder: Path) -> None:
    model = keras.saving.load_model(folder / "model.keras", safe_mode=True)
    np.testing.assert_allclose(
        np.asarray(model(inputs(TABLE, ENCODING)))[:, 0], predicted(AFTER), rtol=1e-6
    )
    assert Encoding.read(folder / "encoding.json") == ENCODING
    assert "Total params: 11" in (folder / "summary.txt").read_text("utf-8")


def test_the_first_prediction_is_the_untrained_network_s_for_the_raw_row(folder: Path) -> None:
    (first,) = pd.read_csv(folder / "first_prediction.csv").to_dict("records")
    assert list(first) == ["a", "b", "by_hand", "predicted", "difference"]
    assert first["a"] == 3.5
    assert np.isnan(first["b"])
    expected = predicted(BEFORE)[0]
    assert (first["by_hand"], first["predicted"]) == pytest.approx((expected, expected), rel=1e-5)


def test_weights_are_kept_from_before_and_after_training(folder: Path) -> None:
    table = pd.read_csv(folder / "weights.csv")
    np.testing.assert_allclose(table["after"] - table["before"], 0.25, rtol=1e-5)
    for name, arrays in (("before", BEFORE), ("after", AFTER)):
        with np.load(folder / f"weights_{name}.npz", allow_pickle=False) as saved:
            assert list(saved) == [
                "dense_1/kernel", "dense_1/bias", "dense_2/kernel", "dense_2/bias",
            ]  # fmt: skip
            for array, expected in zip(saved.values(), arrays, strict=True):
                np.testing.assert_array_equal(array, expected)


def test_the_history_is_a_table_and_the_curves_of_each_part_have_no_missing_values(
    folder: Path, tmp_path: Path
) -> None:
    history = pd.read_csv(folder / "history.csv")
    pd.testing.assert_frame_equal(history, HISTORY, check_dtype=False)
    curves = pd.read_csv(folder / "curves" / "train.csv")
    pd.testing.assert_frame_equal(curves, HISTORY[["epoch", "loss", "mae"]], check_dtype=False)
    assert pd.read_csv(folder / "curves" / "validation.csv").empty

    validated = HISTORY.assign(validation_loss=[5.0, 3.0], validation_mae=[2.5, 1.0])
    curves = pd.read_csv(write(tmp_path / "model", validated) / "curves" / "validation.csv")
    assert curves.to_dict("list") == {"epoch": [1, 2], "loss": [5.0, 3.0], "mae": [2.5, 1.0]}


def of_all(networks: list[TrainedNetwork]) -> Values:
    """The mean of the networks' predictions for folds.TABLE, by hand."""
    return np.asarray(np.mean([folds.predictions(one) for one in networks], axis=0))


def test_the_model_of_folds_is_their_mean_for_keras_alone_in_another_process(
    bag: Path, networks: list[TrainedNetwork]
) -> None:
    # A row that a fold trains has an input that the encodings of other folds have not.
    assert len({len(one.encoder.encoding.names) for one in networks}) == 2
    columns = {
        "fold": folds.TABLE["fold"].tolist(),
        "fold_1_": folds.TABLE["fold_1"].fillna(math.nan).tolist(),
        "colour": folds.TABLE["colour"].tolist(),
        "day": folds.TABLE["day"].dt.strftime("%Y-%m-%d").tolist(),
    }
    program = f"""
import json, sys, keras, tensorflow as tf
model = keras.saving.load_model({str(bag / "model.keras")!r}, safe_mode=True)
columns = {{name: tf.constant(cells) for name, cells in json.load(sys.stdin).items()}}
print(model.predict_on_batch(columns).tolist())
"""
    printed = subprocess.run(
        [sys.executable, "-c", program], input=json.dumps(columns), capture_output=True,
        text=True, check=True, cwd=bag, env={**os.environ, "KERAS_BACKEND": "tensorflow"},
    ).stdout  # fmt: skip
    answered = np.array(json.loads(printed))
    np.testing.assert_allclose(answered[:, 0], of_all(networks), rtol=1e-5)


def test_a_network_trained_on_all_rows_is_the_model_and_the_folds_are_beside_it(
    refitted: Path, networks: list[TrainedNetwork]
) -> None:
    columns = inputs(folds.TABLE, folds.encoding())
    whole = [folds.network(folds.encoding(), seed=9)]
    for file, expected in (("model.keras", whole), ("folds.keras", networks)):
        model = keras.saving.load_model(refitted / file, safe_mode=True)
        answered = np.asarray(model(columns))[:, 0]
        np.testing.assert_allclose(answered, of_all(expected), rtol=1e-5)
        assert len(folds_of(model)) == (3 if file == "folds.keras" else 0)


def test_the_encoding_beside_folds_is_that_of_all_rows(bag: Path, refitted: Path) -> None:
    assert Encoding.read(bag / "encoding.json") == folds.encoding()
    assert Encoding.read(refitted / "encoding.json") == folds.encoding()
    assert not (bag / "folds.keras").exists()


def test_the_weights_of_folds_are_named_by_fold_and_layer(
    refitted: Path, networks: list[TrainedNetwork]
) -> None:
    table = pd.read_csv(refitted / "weights.csv")
    assert list(table.columns) == ["fold", "layer", "weight", "input", "unit", "before", "after"]
    with np.load(refitted / "weights_after.npz", allow_pickle=False) as saved:
        for number, network in enumerate(networks, start=1):
            kernel = network.weights[0]
            np.testing.assert_array_equal(saved[f"fold_{number}/dense_1/kernel"], kernel)
            rows = table[(table["fold"] == number) & (table["layer"] == "dense_1")]
            listed = rows.loc[rows["weight"] == "kernel", "after"].to_numpy()
            np.testing.assert_allclose(listed, kernel.ravel(), rtol=1e-6)
        assert len(saved) == 4 * 4
        whole = table[table["fold"].isna() & (table["weight"] == "kernel")]
        kernels = [saved["dense_1/kernel"].ravel(), saved["dense_2/kernel"].ravel()]
        np.testing.assert_allclose(whole["after"], np.concatenate(kernels), rtol=1e-6)


def test_each_fold_has_a_first_prediction(bag: Path, networks: list[TrainedNetwork]) -> None:
    table = pd.read_csv(bag / "first_prediction.csv")
    assert table["fold"].tolist() == [1, 2, 3]
    for network, predicted in zip(networks, table["predicted"], strict=True):
        layers, width = network.layers, len(network.encoder.encoding.names)
        untrained = replace(network, weights=dense.initial_weights(layers, width, network.seed))
        assert predicted == pytest.approx(folds.predictions(untrained)[0], rel=1e-5)


def test_the_history_of_folds_is_their_mean_in_each_epoch(bag: Path, refitted: Path) -> None:
    # Of 2, 3 and 4 epochs, with losses of 1/2, 2/2 and 3/2 in the first.
    each = pd.read_csv(bag / "folds.csv")
    assert each.groupby("fold").size().to_dict() == {1: 2, 2: 3, 3: 4}
    assert each.loc[each["kept"], ["fold", "epoch"]].to_numpy().tolist() == [[1, 1], [2, 2], [3, 3]]
    history = pd.read_csv(bag / "history.csv")
    assert list(history.columns) == list(HISTORY.columns)
    assert history["epoch"].tolist() == [1, 2, 3, 4]
    losses = [(0.5 + 1 + 1.5) / 3, (0.25 + 0.5 + 0.75) / 3, (0.25 + 0.375) / 2, 0.1875]
    assert history["loss"].tolist() == pytest.approx(losses)
    assert history["validation_loss"].tolist() == pytest.approx([2 * loss for loss in losses])
    assert not history["kept"].any()
    # The epochs of a network of all rows are among them, and the one that it kept.
    kept = pd.read_csv(refitted / "history.csv")
    pd.testing.assert_frame_equal(kept.drop(columns="kept"), history.drop(columns="kept"))
    assert kept["kept"].tolist() == [False, True, False, False]
    each = pd.read_csv(refitted / "folds.csv")
    assert each.loc[each["fold"].isna(), "epoch"].tolist() == [1, 2, 3]


def test_the_same_training_gives_the_same_bytes(
    folder: Path, bag: Path, tmp_path: Path, networks: list[TrainedNetwork]
) -> None:
    assert_equal(folder, write(tmp_path / "again"))
    assert_equal(bag, write_folds(tmp_path / "bag", networks))
    assert_equal(bag, write_folds(tmp_path / "anew", folds.networks(folds.THREE)))


def assert_equal(folder: Path, again: Path) -> None:
    files = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    assert files == {path.relative_to(again) for path in again.rglob("*") if path.is_file()}
    for file in files:
        assert (folder / file).read_bytes() == (again / file).read_bytes(), file
