"""Sweeps: trials a minute against the usual loop, quality on a real table, growth."""

import csv
import os
import resource
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd

from benchmarks.peers import BATCH, FEATURES, ROWS, UNITS, table
from benchmarks.race import clocked, show
from benchmarks.stages import cloned

RATE = "optimizer.learning_rate=tag(log, interval(1e-4, 1e-2))"
# A sweep and nothing else: every trial to its end, nothing trained twice.
PLAIN = [
    "sweep.sampler=random", "sweep.pruning.enabled=false", "sweep.seeds=0", "sweep.ensemble=0",
]  # fmt: skip


def sweep(clone: Path, *arguments: str) -> tuple[float, float]:
    """Seconds of the whole command, and the largest process's memory in MB."""
    command = [sys.executable, "-m", "pipeline.sweep", *arguments]
    seconds = clocked(lambda: subprocess.run(command, cwd=clone, check=True, capture_output=True))
    return seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def usual_loop(trials: int, epochs: int, layers: int, *, tracked: bool) -> float:
    """Seconds a trial of Optuna, keras.fit and MLflow's client, in this process."""
    import mlflow
    import optuna

    from pipeline.network.backend import keras

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    x, y = table() if layers else (np.array([[1], [3], [2], [10], [4], [7], [8]], np.float32),) * 2
    with tempfile.TemporaryDirectory() as folder:
        mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
        mlflow.set_experiment("loop")

        class Track(keras.callbacks.Callback):
            def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
                mlflow.log_metrics({name: float(value) for name, value in logs.items()}, epoch)

        def objective(trial: optuna.Trial) -> float:
            rate = trial.suggest_float("rate", 1e-4, 1e-2, log=True)
            dropout = trial.suggest_float("dropout", 0, 0.5) if layers else 0
            hidden = []
            for _ in range(layers):
                hidden += [keras.layers.Dense(UNITS, "relu"), keras.layers.Dropout(dropout)]
            built = keras.Sequential([keras.Input((x.shape[1],)), *hidden, keras.layers.Dense(1)])
            optimizer = keras.optimizers.AdamW(rate) if layers else keras.optimizers.SGD(rate)
            built.compile(optimizer=optimizer, loss="mse", metrics=["mae"])
            with mlflow.start_run():
                mlflow.log_params(trial.params)
                history = built.fit(
                    x, y, epochs=epochs, batch_size=BATCH, verbose=0,
                    callbacks=[Track()] if tracked else [],
                )  # fmt: skip
            return history.history["loss"][-1]

        study = optuna.create_study(storage=f"sqlite:///{folder}/study.db")
        study.optimize(objective, n_trials=1)
        return clocked(lambda: study.optimize(objective, n_trials=trials), trials)


FLOOR = {
    "Keras": "import keras",
    "MLflow": "from mlflow import MlflowClient;"
    " MlflowClient('sqlite:///mlflow.db').search_experiments()",
    "Optuna": "import hydra, optuna, pandas;"
    " optuna.create_study(storage='sqlite:///study.db', study_name='floor')",
}


def floor() -> float:
    """Seconds until three Pythons, side by side, have imported what a sweep needs and made
    their databases, without a trial."""
    with tempfile.TemporaryDirectory() as folder:

        def start_all() -> None:
            waiting = [
                subprocess.Popen(
                    [sys.executable, "-c", code], cwd=folder, stderr=subprocess.DEVNULL
                )
                for code in FLOOR.values()
            ]
            ended = [process.wait() for process in waiting]
            if any(ended):
                raise RuntimeError("an import failed")

        return clocked(start_all)


def notebook() -> None:
    """Many trials of the notebook's network, every curve tracked."""
    lines = []
    loop = usual_loop(6, 100, 0, tracked=True)
    start = median(floor() for _ in range(3))
    lines.append(
        ["256, if they took no time", start, 256 / start * 60, 60 / loop, loop * 256 / start, ""]
    )
    for trials in (256, 1024):
        with tempfile.TemporaryDirectory() as folder:
            seconds, _ = sweep(
                cloned(folder), RATE, f"sweep.trials={trials}", "sweep.parallel_trials=256", *PLAIN
            )
        goal = "1,500 a minute" if trials == 256 else ""
        lines.append(
            [
                f"{trials:,}",
                seconds,
                trials / seconds * 60,
                60 / loop,
                loop * trials / seconds,
                goal,
            ]
        )
    show(
        "A sweep of the notebook, 100 epochs, every curve in MLflow; start and imports included",
        ["trials", "seconds", "trials a minute", "Optuna + keras.fit + MLflow, a minute",
         "times as fast", "goal"],
        lines,
    )  # fmt: skip


def medium_arguments(clone: Path) -> list[str]:
    """A sweep of a medium table, which is written to the clone."""
    x, y = table()
    frame = pd.DataFrame(x, columns=[f"x{i}" for i in range(FEATURES)]).assign(y=y[:, 0])
    frame.to_csv(clone / "data/raw/medium.csv", index=False)
    (clone / "conf/data/medium.yaml").write_text(
        "path: data/raw/medium.csv\ntarget: y\nfeatures: null\nnew_rows: null\n"
        "scale_inputs: none\nscale_target: none\n"
        "split: {validation: 0.0, test: 0.0, seed: 0}\n"
    )
    return [
        "data=medium", "model=mlp", "optimizer=adamw",
        "optimizer.learning_rate=tag(log, interval(1e-4, 1e-2))",
        "optimizer.weight_decay=tag(log, interval(1e-4, 1e-1))",
        "model.layers.0.dropout=interval(0.01, 0.5)",
        "model.layers.1.dropout=interval(0.01, 0.5)",
        f"training.batch_size={BATCH}", "training.epochs=50", *PLAIN,
    ]  # fmt: skip


def medium() -> None:
    """64 trials of 50 epochs on a medium table."""
    with tempfile.TemporaryDirectory() as folder:
        clone = cloned(folder)
        seconds, _ = sweep(clone, *medium_arguments(clone), "sweep.trials=64")
    epochs = 2
    loop = usual_loop(2, epochs, 2, tracked=False) * 50 / epochs
    show(
        f"64 trials of 50 epochs, {ROWS:,} × {FEATURES} rows, {UNITS}-{UNITS};"
        " rate, dropout and decay vary",
        ["", "seconds a trial", "times as fast", "goal"],
        [
            ["this pipeline, start included", seconds / 64, loop * 64 / seconds, "at least 50"],
            ["Optuna + keras.fit (2 trials of 2 epochs)", loop, 1.0, ""],
        ],
    )


def quality() -> None:
    """RMSE on a real table's test part, and what each took."""
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.linear_model import RidgeCV

    from pipeline.compose.experiment import compose
    from pipeline.preparation.preparation import prepare

    lines = []
    with tempfile.TemporaryDirectory() as folder:
        clone = cloned(folder)
        base = ["data=diabetes", "model=mlp", "optimizer=adamw", "training=early_stopping"]
        seconds, _ = sweep(clone, *base, "sweep=mlp", "sweep.name=quality", "training.seed=0")
        with (clone / "data/sweeps/quality/results/winner.csv").open() as file:
            results = {row["model"].split()[0]: row for row in csv.DictReader(file)}
        default = compose(clone, [*base, "training.seed=0"]).config
        data = prepare(default.data)
    begun = time.perf_counter()
    from pipeline.sweep import trials, winner
    from pipeline.sweep.tables import Tables

    tables = Tables(data, default)
    (alone,) = trials.train_all([default], tables, default.sweep.score)
    took = time.perf_counter() - begun
    rows = tables.of(default)
    errors = winner.errors(winner.predictions(alone, rows), rows, default.sweep.score)
    lines.append(["the default, 64-64", errors["validation"], errors["test"], took])
    for name in ("winner", "ensemble"):
        if name in results:
            row = results[name]
            lines.append(
                [f"the sweep's {name}", float(row["validation"]), float(row["test"]), seconds]
            )
    names = data.encoding.columns
    centre, spread = data.parts["train"][names].mean(), data.parts["train"][names].std()
    scaled = {name: (part[names] - centre) / spread for name, part in data.parts.items()}
    true = {name: part[data.contract.target] for name, part in data.parts.items()}
    for name, model in {
        "ridge": RidgeCV(np.geomspace(1e-3, 1e3, 25)),
        "gradient boosting": HistGradientBoostingRegressor(random_state=0),
    }.items():
        took = clocked(partial(model.fit, scaled["train"], true["train"]))
        reached = {
            part: float(np.sqrt(np.square(model.predict(scaled[part]) - true[part]).mean()))
            for part in ("validation", "test")
        }
        lines.append([name, reached["validation"], reached["test"], took])
    show(
        "Quality: diabetes, RMSE; the best is chosen by the validation part",
        ["", "validation", "test", "seconds"],
        lines,
    )


def growth() -> None:
    """Time and memory with the number of trials."""
    lines = []
    most = int(os.environ.get("MOST_TRIALS", "10000"))
    for trials in (10, 100, 1000, 10_000):
        if trials > most:
            break
        code = (
            "from benchmarks.sweeps import *\n"
            "with tempfile.TemporaryDirectory() as folder:\n"
            f"    print(*sweep(cloned(folder), RATE, 'sweep.trials={trials}', "
            "'sweep.parallel_trials=256', *PLAIN))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        seconds, memory = map(float, done.stdout.split())
        lines.append([f"{trials:,}", seconds, seconds / trials * 1000, memory])
    show(
        "Growth: trials of the notebook, 100 epochs, tracked",
        ["trials", "seconds", "ms a trial", "memory of the largest process, MB"],
        lines,
    )
