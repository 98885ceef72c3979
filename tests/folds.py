"""A small table with folds, and a network for each, as if it were trained."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipeline.config.data import Kind
from pipeline.config.training import Activation, Layer
from pipeline.dataset.encoding import Encoding, Values
from pipeline.dataset.folds import Folds
from pipeline.network import dense
from pipeline.network.encoder import Encoder
from pipeline.network.model_folder import TrainedNetwork
from pipeline.preparation.encoding_fit import fit_encoding
from pipeline.schema.columns import Column, Schema
from tests.small import experiment

LAYERS = [Layer(units=3, activation=Activation.tanh), Layer(units=1)]
# Columns may be called as layers and files' columns are.
FEATURES = ["fold", "fold_1", "colour", "day"]
SCHEMA = Schema(
    {
        "fold": Column(Kind.numeric),
        "fold_1": Column(Kind.numeric, missing=True),
        "colour": Column(Kind.category, categories=["blue", "red"]),
        "day": Column(Kind.date),
        "y": Column(Kind.numeric),
    }
)
_RANDOM = np.random.default_rng(4)
# The first row alone has a missing value, an input of its own in the folds that it trains.
TABLE = pd.DataFrame(
    {
        "fold": _RANDOM.normal(50, 10, 12),
        "fold_1": [np.nan, *_RANDOM.normal(0.2, 0.1, 11)],
        "colour": ["red", "blue", "red"] * 4,
        "day": pd.to_datetime("2024-03-01") + pd.to_timedelta(np.arange(12) * 17, "D"),
        "y": _RANDOM.normal(100, 20, 12),
    },
    index=np.arange(12) * 2 + 5,
)


def encoding(rows: pd.DataFrame = TABLE) -> Encoding:
    return fit_encoding(rows, SCHEMA, FEATURES, experiment().data)


def of(held_out: Sequence[Sequence[int]], *, expanding: bool = False) -> Folds:
    """The folds of TABLE, each with the encoding of its training rows."""
    numbers = np.array(held_out, np.int32)
    folds = Folds(numbers, int(numbers.max()), expanding)
    encodings = [encoding(TABLE.iloc[one.train]) for one in folds]
    return Folds(numbers, folds.count, expanding, encodings)


THREE = of([[1], [2], [3]] * 4)
REPEATED = of([[1, 4], [1, 3], [2, 4], [2, 3]] * 3)
EXPANDING = of([[0]] * 4 + [[1]] * 4 + [[2]] * 4, expanding=True)


def history(epochs: int, kept: int, start: float = 4.0) -> pd.DataFrame:
    """A table of epochs, with a loss that halves in each of them."""
    numbers = np.arange(1, epochs + 1)
    loss = start / 2.0**numbers
    return pd.DataFrame(
        {
            "epoch": numbers, "loss": loss, "mae": loss / 2,
            "validation_loss": loss * 2, "validation_mae": loss, "learning_rate": 0.1,
            "kept": numbers == kept,
        }
    )  # fmt: skip


def network(encoding: Encoding, seed: int, epochs: int = 3) -> TrainedNetwork:
    initial = dense.initial_weights(LAYERS, len(encoding.names), seed)
    weights = [array + np.float32(0.25) for array in initial]
    return TrainedNetwork(
        Encoder(encoding), LAYERS, seed, weights, history(epochs, epochs - 1, start=seed)
    )


def networks(folds: Folds) -> list[TrainedNetwork]:
    """Of each fold; the later ones are trained for more epochs."""
    return [
        network(one, seed, epochs=seed + 1) for seed, one in enumerate(folds.encodings, start=1)
    ]


def predictions(trained: TrainedNetwork, table: pd.DataFrame = TABLE) -> Values:
    """Computed by hand from the weights and the encoder, in the target's units, (rows,)."""
    target = trained.encoder.encoding.target
    kernel_1, bias_1, kernel_2, bias_2 = (array.astype(float) for array in trained.weights)
    hidden = np.tanh(trained.encoder.x(table) @ kernel_1 + bias_1)
    return target.unscaled((hidden @ kernel_2 + bias_2)[:, 0])
