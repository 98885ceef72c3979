"""Training: the notebook, an epoch of a middling table, many members, many rows."""

import subprocess
import sys
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.memory import grown
from benchmarks.peers import BATCH, FEATURES, RATE, ROWS, UNITS, table
from benchmarks.race import Peer, clocked, race, ratio, show
from pipeline.config.training import (
    SGD,
    Activation,
    Adam,
    Constant,
    KernelInitializer,
    Layer,
    Optimizer,
    Training,
)
from pipeline.dataset.encoding import Encoding
from pipeline.dataset.rows import Part
from pipeline.network import dense, weights
from pipeline.network.backend import keras
from pipeline.training import epoch, fitting, from_config
from pipeline.training.members import AS_LEARNED
from pipeline.training.rows import of_parts

ENCODING = Encoding({}, {}, {}, AS_LEARNED)
MLP = [
    Layer(units=UNITS, activation=Activation.relu),
    Layer(units=UNITS, activation=Activation.relu),
    Layer(units=1),
]
NEURON = [Layer(units=1, kernel_initializer=KernelInitializer.constant, kernel_value=-0.5196631)]


def fit(
    layers: list[Layer], optimizer: Optimizer, rows: Part, *, epochs: int, members: int = 1
) -> None:
    """As the train stage does it; what differs between members is their rate."""
    training = Training(epochs=epochs, batch_size=BATCH, seed=34)
    first = weights.of(dense.build(layers, rows.x.shape[1], training.seed))
    rates = np.geomspace(0.3, 1.0, members) * optimizer.learning_rate
    group = [
        from_config.member(
            first, layers=layers, optimizer=type(optimizer)(learning_rate=float(rate)),
            schedule=Constant(), training=training, rows=len(rows),
        )
        for rate in rates
    ]  # fmt: skip
    fitting.fit(
        group, of_parts(rows, None, ENCODING),
        activations=[layer.activation.value for layer in layers], loss="mse",
        update=optimizer.name, epochs=epochs, batch_size=BATCH, shuffle=True,
        xla=layers is not NEURON,
    )  # fmt: skip


def keras_network(layers: list[Layer], features: int, optimizer: str) -> keras.Sequential:
    dense = [keras.layers.Dense(layer.units, layer.activation.value) for layer in layers]
    built = keras.Sequential([keras.Input((features,)), *dense])
    built.compile(optimizer=optimizer, loss="mse", metrics=["mae"])
    return built


def notebook() -> None:
    """Seven rows, 100 epochs, everything from building the network on."""
    x = np.array([[1], [3], [2], [10], [4], [7], [8]], np.float32)
    rows = Part(x, 4 * x)

    def ours() -> float:
        epoch.compiled.cache_clear()  # each training of a new process has to compile
        return clocked(lambda: fit(NEURON, SGD(learning_rate=0.01), rows, epochs=100))

    def theirs() -> float:
        return clocked(
            lambda: keras_network(NEURON, 1, "sgd").fit(
                rows.x, rows.y, epochs=100, batch_size=BATCH, verbose=0
            )
        )

    ours()
    seconds = race({"ours": ours, "keras.fit": theirs})
    show(
        "The notebook: 7 rows, 100 epochs, compilation included",
        ["", "seconds", "times ours", "goal"],
        [
            ["this pipeline", median(seconds["ours"]), 1.0, ""],
            ["keras.fit", median(seconds["keras.fit"]),
             ratio(seconds["ours"], seconds["keras.fit"]), "at least 10"],
        ],
    )  # fmt: skip


def an_epoch(peers: Path) -> None:
    """Seconds an epoch, compilation aside, against everybody."""
    rows = Part(*table())
    count = 20
    adam = Adam(learning_rate=RATE)
    theirs = keras_network(MLP, FEATURES, "adam")

    def keras_fit() -> float:
        return clocked(lambda: theirs.fit(rows.x, rows.y, epochs=4, batch_size=BATCH, verbose=0), 4)

    fit(MLP, adam, rows, epochs=count)
    keras_fit()
    others = {name: Peer(peers, name) for name in ("jax", "pytorch", "scikit-learn")}
    runners = {
        "this pipeline": lambda: clocked(lambda: fit(MLP, adam, rows, epochs=count), count),
        "jax": lambda: others["jax"].epoch(count),
        "keras.fit": keras_fit,
        "pytorch": lambda: others["pytorch"].epoch(2),
        "scikit-learn": lambda: others["scikit-learn"].epoch(2),
    }
    seconds = race(runners)
    for peer in others.values():
        peer.close()
    goals = {"jax": "at least 0.91", "keras.fit": "at least 20"}
    show(
        f"An epoch: {ROWS:,} × {FEATURES} rows, {UNITS}-{UNITS}, batches of {BATCH}, Adam",
        ["", "seconds", "times ours", "goal"],
        [
            [name, median(times), ratio(seconds["this pipeline"], times),
             "" if name == "this pipeline" else goals.get(name, "at least 6")]
            for name, times in seconds.items()
        ],
    )  # fmt: skip


def members() -> None:
    """The same work for many networks at once, against keras.fit one after another."""
    rows = Part(*table())
    adam = Adam(learning_rate=RATE)
    theirs = keras_network(MLP, FEATURES, "adam")
    theirs.fit(rows.x, rows.y, batch_size=BATCH, verbose=0)
    lines = []
    for count in (1, 8, 32, 128, 512):
        epochs = max(1, 32 // count)
        fit(MLP, adam, rows, epochs=epochs, members=count)

        def ours(epochs: int = epochs, count: int = count) -> float:
            work = epochs * count
            return clocked(lambda: fit(MLP, adam, rows, epochs=epochs, members=count), work)

        def keras_fit() -> float:
            return clocked(
                lambda: theirs.fit(rows.x, rows.y, epochs=4, batch_size=BATCH, verbose=0), 4
            )

        seconds = race({"ours": ours, "keras.fit": keras_fit}, rounds=3)
        times = ratio(seconds["ours"], seconds["keras.fit"])
        goal = "at least 60" if count == 32 else ""
        lines.append([count, median(seconds["ours"]), median(seconds["keras.fit"]), times, goal])
    show(
        "Members: the same work, seconds per member and epoch",
        ["members", "this pipeline", "keras.fit", "times as fast", "goal"],
        lines,
    )


def rows_and_memory() -> None:
    """Time and memory with the number of rows, each in a process of its own."""
    lines = []
    for count in (10_000, 100_000, 1_000_000):
        code = f"from benchmarks.training import on_rows; on_rows({count})"
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        lines.append([f"{count:,}", *(float(word) for word in done.stdout.split())])
    show(
        f"Rows: {FEATURES} features, {UNITS}-{UNITS}, batches of 256, Adam, XLA",
        ["rows", "table, MB", "seconds an epoch", "µs a row", "memory beside it, MB"],
        lines,
    )


def on_rows(count: int) -> None:
    """Prints one line of rows_and_memory."""
    x = np.random.default_rng(0).normal(size=(count, FEATURES)).astype(np.float32)
    part = Part(x, np.sin(x[:, :1]))
    first = weights.of(dense.build(MLP, FEATURES, 1))

    def train(epochs: int) -> None:
        training = Training(epochs=epochs, batch_size=256)
        member = from_config.member(
            first, layers=MLP, optimizer=Adam(learning_rate=RATE), schedule=Constant(),
            training=training, rows=count,
        )  # fmt: skip
        fitting.fit(
            [member], of_parts(part, None, ENCODING), activations=["relu", "relu", "linear"],
            loss="mse", update="adam", epochs=epochs, batch_size=256, shuffle=True, xla=True,
        )  # fmt: skip

    memory = grown(lambda: train(3))
    seconds = clocked(lambda: train(3), 3)
    megabytes = (part.x.nbytes + part.y.nbytes) / 2**20
    print(megabytes, seconds, seconds / count * 1e6, memory)
