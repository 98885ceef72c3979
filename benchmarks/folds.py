"""Cross-validation: the networks of all folds in one training, against libraries that train one
after another, and what more folds cost."""

import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from statistics import median

import numpy as np
import pandas as pd
from sklearn.model_selection import cross_val_predict
from sklearn.neural_network import MLPRegressor

from benchmarks.memory import grown
from benchmarks.peers import BATCH, FEATURES, RATE, UNITS
from benchmarks.race import Timed, clocked, race, ratio, show
from benchmarks.training import MLP, keras_network
from pipeline.config.data import Data, Split
from pipeline.config.training import Adam, Constant, Model, Training, TrainingConfig, When
from pipeline.dataset.rows import TrainingRows
from pipeline.network.encoder import Encoder
from pipeline.preparation.preparation import Prepared, prepare
from pipeline.sweep.trials import predict_block
from pipeline.training import epoch
from pipeline.training.rows import of_folds, of_parts
from pipeline.training.train import train


def prepared(rows: int, folds: int) -> Prepared:
    """A table in so many folds or, if that is 0, with a fifth of the rows for validation."""
    random = np.random.default_rng(0)
    table = pd.DataFrame(random.normal(size=(rows, FEATURES))).add_prefix("x")
    table["y"] = np.sin(table["x0"]) + table["x1"] * table["x2"]
    split = Split(folds=folds) if folds else Split(validation=0.2)
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/table.parquet"
        table.to_parquet(path)
        return prepare(Data(path=path, target="y", split=split))


def encoded(data: Prepared) -> TrainingRows:
    if data.folds.count:
        return of_folds(data.parts["train"], data.folds)
    parts = {name: Encoder(data.encoding).part(part) for name, part in data.parts.items()}
    return of_parts(parts["train"], parts["validation"], data.encoding)


def config(epochs: int, xla: When = When.auto) -> TrainingConfig:
    training = Training(epochs=epochs, batch_size=BATCH, xla=xla)
    return TrainingConfig(Model(MLP), Adam(learning_rate=RATE), Constant(), training)


def ours(data: Prepared, epochs: int) -> np.ndarray:
    epoch.compiled.cache_clear()  # each training of a new process has to compile
    table, predicted = data.parts["train"], np.zeros(len(data.parts["train"]))
    (fitted,) = train([config(epochs)], encoded(data))
    for one, encoding, fold in zip(fitted, data.folds.encodings, data.folds, strict=True):
        learned = predict_block(one.weights, MLP, Encoder(encoding).x(table.iloc[fold.validation]))
        predicted[fold.validation] = encoding.target.unscaled(learned)
    return predicted


def keras_fit(data: Prepared, epochs: int) -> np.ndarray:
    x, y = arrays(data)
    predicted = np.zeros(len(y))
    for fold in data.folds:
        network = keras_network(MLP, FEATURES, "adam")
        held_out = x[fold.validation], y[fold.validation]
        network.fit(
            x[fold.train], y[fold.train], validation_data=held_out, epochs=epochs,
            batch_size=BATCH, verbose=0,
        )  # fmt: skip
        predicted[fold.validation] = network.predict(held_out[0], verbose=0)[:, 0]
    return predicted


def scikit_learn(data: Prepared, epochs: int) -> np.ndarray:
    network = MLPRegressor(
        hidden_layer_sizes=(UNITS, UNITS), batch_size=BATCH, alpha=0.0, learning_rate_init=RATE,
        max_iter=epochs, n_iter_no_change=epochs,
    )  # fmt: skip
    splits = [(fold.train, fold.validation) for fold in data.folds]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it would train for more epochs
        return cross_val_predict(network, *arrays(data), cv=splits)


def arrays(data: Prepared) -> tuple[np.ndarray, np.ndarray]:
    """Features and target, which are of such a scale already."""
    table = data.parts["train"]
    return table.drop(columns="y").to_numpy(np.float32), table["y"].to_numpy()


def cross_validation(rows: int = 2000, epochs: int = 50, rounds: int = 3) -> None:
    """From a prepared table to predictions of all its rows, each by the network that was not
    trained on it."""
    lines = [line for folds in (5, 10) for line in compared(rows, folds, epochs, rounds)]
    show(
        f"Cross-validation: {rows:,} × {FEATURES} rows, {UNITS}-{UNITS}, {epochs} epochs, batches"
        f" of {BATCH}, Adam; compilation included",
        ["folds", "", "seconds", "times ours", "RMSE of held-out rows"],
        lines,
    )


def compared(rows: int, folds: int, epochs: int, rounds: int) -> list[list[object]]:
    data = prepared(rows, folds)
    true = data.parts["train"]["y"]
    errors = {}

    def timed(name: str, predict: Callable[[Prepared, int], np.ndarray]) -> Timed:
        def once() -> None:
            errors[name] = float(np.sqrt(np.mean((predict(data, epochs) - true) ** 2)))

        return lambda: clocked(once)

    runners = {
        "this pipeline": ours,
        "keras.fit": keras_fit,
        "scikit-learn's cross_val_predict": scikit_learn,
    }
    ours(data, 1)
    keras_fit(data, 1)
    seconds = race({name: timed(name, predict) for name, predict in runners.items()}, rounds)
    return [
        [folds, name, median(times), ratio(seconds["this pipeline"], times), errors[name]]
        for name, times in seconds.items()
    ]


def cost(sizes: tuple[int, ...] = (1000, 10_000, 100_000)) -> None:
    """Time and memory with the number of folds, each in a process of its own."""
    lines = []
    for rows in sizes:
        alone = None
        for folds in (0, 5, 10):
            code = f"from benchmarks.folds import on_rows; on_rows({rows}, {folds})"
            done = subprocess.run(
                [sys.executable, "-c", code], capture_output=True, text=True, check=True
            )
            seconds, memory = (float(word) for word in done.stdout.split())
            alone = alone or seconds
            lines.append([f"{rows:,}", folds or "none", seconds, seconds / alone, memory])
    show(
        f"Folds: {FEATURES} features, {UNITS}-{UNITS}, batches of {BATCH}, Adam, XLA",
        ["rows", "folds", "seconds an epoch of all networks", "times without folds",
         "memory beside the table, MB"],
        lines,
    )  # fmt: skip


def on_rows(rows: int, folds: int) -> None:
    """Prints seconds and MB of a line of cost."""
    data = prepared(rows, folds)
    epochs = max(3, 10**6 // rows)
    settings = [config(epochs, When.always)]
    memory = grown(lambda: train(settings, encoded(data)))
    again = encoded(data)
    print(clocked(lambda: train(settings, again), epochs), memory)
