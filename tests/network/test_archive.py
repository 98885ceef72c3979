"""A saved model has the same bytes for the same content, and is loaded by Keras alone."""

import re
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.config.training import Activation, BiasInitializer, Layer
from pipeline.dataset.encoding import Category, Date, Encoding, Number, Target
from pipeline.network import archive, dense, encoder
from pipeline.network.backend import keras

SCALED = Target("y", mean=100.0, std=7.0)
LOG = replace(SCALED, log=True, mean=2.0, std=0.3)
# A column of each kind, and of each scale.
OF_EACH_KIND = Encoding(
    {
        "a": Number(3.0, False, 3.0, 0.5),
        "b": Number(0.0, True, quantiles=[-20.0, 0.0, 30.0], levels=[-1.0, 0.0, 1.0]),
        "c": Number(1.0, False, 2.0, 0.7, smooth_clip=True),
        "d": Number(1.0, True, 2.0, 0.7, edges=[0.0, 0.1, 4.0]),
    },
    {"colour": Category(["blue", "red"], other=True)},
    {"day": Date(19_000.0, False, 19_000.0, 300.0, clock=False)},
    SCALED,
)
INPUTS = len(OF_EACH_KIND.names)
DEEP = [
    Layer(units=5, activation=Activation.relu, dropout=0.4, l1=0.01, l2=0.02),
    Layer(units=3, activation=Activation.tanh, bias_initializer=BiasInitializer.ones),
    Layer(units=1),
]


def test_a_model_is_always_saved_as_the_same_bytes(tmp_path: Path) -> None:
    contents = []
    for name in ("first", "again", "rebuilt"):
        if name != "again":
            built = dense.build(DEEP, INPUTS, seed=1)
            model = encoder.whole(encoder.layers(OF_EACH_KIND), built, SCALED)
        archive.save(model, tmp_path / f"{name}.keras")
        contents.append((tmp_path / f"{name}.keras").read_bytes())
    assert contents[0] == contents[1]
    assert contents[0] == contents[2]
    assert len(list(tmp_path.iterdir())) == 3


def test_an_archive_has_no_date(tmp_path: Path) -> None:
    # Networks saved within one second would have equal bytes even with a date.
    archive.save(dense.build(DEEP, 2, seed=1), tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as saved:
        assert {entry.date_time for entry in saved.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        for entry in saved.infolist():
            assert not re.search(rb"20\d\d-\d\d-\d\d", saved.read(entry))


def test_different_networks_have_different_bytes(tmp_path: Path) -> None:
    for seed in (1, 2):
        archive.save(dense.build(DEEP, 2, seed), tmp_path / f"{seed}.keras")
    assert (tmp_path / "1.keras").read_bytes() != (tmp_path / "2.keras").read_bytes()


def test_keras_loads_a_saved_model_in_safe_mode(tmp_path: Path) -> None:
    built = dense.build(DEEP, INPUTS, seed=1)
    model = encoder.whole(encoder.layers(OF_EACH_KIND), built, LOG)
    archive.save(model, tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    table = pd.DataFrame(
        {
            "a": [3.0, 3.7, -1.0],
            "b": [-20.0, 25.0, np.nan],
            "c": [1e30, 2.0, 1.0],
            "d": [0.05, 5.0, np.nan],
            "colour": ["red", "green", "blue"],
            "day": pd.to_datetime(["2021-03-04", "2022-12-31", "1999-01-01"]),
        }
    )
    columns = encoder.inputs(table, OF_EACH_KIND)
    np.testing.assert_array_equal(loaded(columns), model(columns))


def test_saving_keeps_the_names_of_columns_and_layers(tmp_path: Path) -> None:
    columns = ["input_layer_7", "cast_2", "subtract", "column cast_1"]
    encoding = Encoding({name: Number(0.0, True) for name in columns}, {}, {}, SCALED)
    built = dense.build(DEEP, 8, seed=1)
    archive.save(encoder.whole(encoder.layers(encoding), built, SCALED), tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert [one.name for one in loaded.inputs] == columns
    assert [layer.name for layer in loaded.get_layer("network").layers] == [
        "dense_1", "dropout_1", "dense_2", "dense_3",
    ]  # fmt: skip


def test_the_summary_has_the_parameters_of_each_layer() -> None:
    text = archive.summary(dense.build(DEEP, 2, seed=1))
    assert "Total params: 37" in text
    for name in ("dense_1", "dropout_1", "dense_2", "dense_3"):
        assert name in text
