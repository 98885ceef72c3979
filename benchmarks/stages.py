"""The whole pipeline: seconds for each stage, what of it is imports, what tracking costs."""

import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks.race import clocked, race, ratio, show

ROOT = Path(__file__).parents[1]
IMPORTS = {
    "configure": "hydra, omegaconf, yaml",
    "prepare": "pandas, pyarrow.parquet",
    "baselines": "pandas, pyarrow.parquet, sklearn.compose, sklearn.ensemble, sklearn.linear_model",
    "train": "pandas, keras",
    "evaluate": "pandas, keras, matplotlib.pyplot",
}
DIABETES = ("--set-param", "conf.data=diabetes", "--set-param", "conf.model=mlp")


def cloned(folder: str) -> Path:
    """The last commit, in a folder of its own."""
    clone = Path(folder) / "project"
    subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
    return clone


def call(clone: Path, *command: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=clone, capture_output=True, text=True, check=True,
        env=os.environ | environment,
    )  # fmt: skip
    return done.stdout


def imports(names: str) -> None:
    """A Python that imports these and ends."""
    command = [sys.executable, "-c", f"import {names}"]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)


def pipeline() -> None:
    """Each stage as a process of its own, in turn with its imports alone, and all of
    them under DVC."""
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        clone = cloned(folder)
        call(clone, "dvc", "repro")
        total = {"stage": 0.0, "imports": 0.0}
        for stage, imported in IMPORTS.items():
            runners = {
                "stage": partial(call, clone, f"pipeline.stages.{stage}"),
                "imports": partial(imports, imported),
            }
            timed = {name: partial(clocked, runner) for name, runner in runners.items()}
            seconds = race(timed, rounds=3)
            row = {name: median(times) for name, times in seconds.items()}
            lines.append([stage, row["stage"], row["imports"], row["stage"] - row["imports"]])
            total = {name: total[name] + row[name] for name in total}
        whole = median(
            race({"dvc": lambda: clocked(lambda: call(clone, "dvc", "repro", "--force"))}, 3)["dvc"]
        )
    lines.append(
        ["all stages", total["stage"], total["imports"], total["stage"] - total["imports"]]
    )
    lines.append(["dvc repro --force", whole, total["imports"], whole - total["imports"]])
    show(
        "The default experiment, seconds",
        ["", "whole", "imports alone", "the rest"],
        lines,
    )


def tracking() -> None:
    """The train stage with MLflow and without it."""
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        clone = cloned(folder)
        for name, overrides in {
            "the notebook, 100 epochs": [],
            "diabetes, 64-64, 200 epochs": [
                "data=diabetes", "model=mlp", "optimizer=adam", "training.epochs=200",
            ],
        }.items():  # fmt: skip
            call(clone, "pipeline.stages.configure", *overrides)
            call(clone, "pipeline.stages.prepare")

            def train(state: str, overrides: list[str] = overrides) -> float:
                call(clone, "pipeline.stages.configure", *overrides, f"tracking={state}")
                return clocked(lambda: call(clone, "pipeline.stages.train"))

            train("mlflow")
            seconds = race({"without": lambda: train("off"), "with": lambda: train("mlflow")}, 9)
            percent = (ratio(seconds["without"], seconds["with"]) - 1) * 100
            lines.append([name, *(median(times) for times in seconds.values()), f"{percent:.1f} %"])
    show(
        "Tracking: the train stage, seconds, imports included",
        ["", "without MLflow", "with MLflow", "more"],
        lines,
    )
