"""Training on a prepared part, from memory and from its file."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.config.training import Adam, Constant, Layer, Training
from pipeline.dataset import prepared
from pipeline.dataset.encoding import Category, Date, Encoding, Number, Target
from pipeline.network.encoder import Encoder
from pipeline.training import from_config
from pipeline.training.fitting import fit
from pipeline.training.rows import of_parts
from tests.rows import ROWS, small_windows, table

ENCODING = Encoding(
    {"b": Number(3.0, False, 3.0, 0.5), "a": Number(0.0, True, -20.0, 40.0)},
    {"town": Category(["Bonn", "Köln"], other=True)},
    {"seen": Date(19_000.0, True, 19_000.0, 300.0, clock=False)},
    Target("y", mean=100.0, std=7.0),
)
BLOCK = 5


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder(ENCODING)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    small_windows(monkeypatch, BLOCK, 2)
    prepared.write(table(), tmp_path / "train.parquet", inputs=3)
    return tmp_path / "train.parquet"


def test_the_rows_are_encoded(path: Path, encoder: Encoder) -> None:
    part = prepared.read(path, encoder.part)
    np.testing.assert_array_equal(part.x, encoder.x(table()))
    np.testing.assert_allclose(part.x[:, 0], (table()["b"] - 3) / 0.5, rtol=1e-6)
    np.testing.assert_allclose(part.y, (table()[["y"]].to_numpy() - 100) / 7, rtol=1e-6)
    assert part.x.shape == (ROWS, len(ENCODING.names))
    assert {part.x.dtype, part.y.dtype} == {np.dtype("float32")}


def test_training_from_the_file_gives_the_numbers_of_training_from_memory(
    path: Path, encoder: Encoder
) -> None:
    layers = [Layer(units=1)]
    member = from_config.member(
        [np.full((len(ENCODING.names), 1), 0.1, np.float32), np.zeros(1, np.float32)],
        layers=layers, optimizer=Adam(learning_rate=0.1), schedule=Constant(),
        training=Training(batch_size=4), rows=ROWS,
    )  # fmt: skip
    memory, disk = (
        fit(
            [member], of_parts(rows, rows, ENCODING), activations=["linear"], loss="mse",
            update="adam", epochs=3, batch_size=4, shuffle=True,
        )[0].history
        for rows in (prepared.read(path, encoder.part), prepared.stream(path, encoder.part))
    )  # fmt: skip
    pd.testing.assert_frame_equal(memory, disk, rtol=1e-6)
    assert memory["loss"].is_monotonic_decreasing
