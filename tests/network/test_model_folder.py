"""The folder of a trained model has the model, and what happened in its training."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.config.training import Activation, Layer
from pipeline.dataset.encoding import Encoding, Number, Target, Values
from pipeline.network import dense, model_folder, weights
from pipeline.network.backend import keras
from pipeline.network.encoder import Encoder, inputs

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
    model_folder.write(
        folder, Encoder(ENCODING), LAYERS, SEED,
        trained=AFTER, history=history, row=TABLE.head(1),
    )  # fmt: skip
    return folder


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


def test_the_same_training_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    again = write(tmp_path / "again")
    files = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    assert files == {path.relative_to(again) for path in again.rglob("*") if path.is_file()}
    for file in files:
        assert (folder / file).read_bytes() == (again / file).read_bytes(), file
