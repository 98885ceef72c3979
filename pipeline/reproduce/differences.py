"""What differs between a recorded run and its repetition, and what may be the cause."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.compose.schema import flatten
from pipeline.dataset.curves import CURVES
from pipeline.runtime.paths import COMPOSED, EVALUATION, HISTORY, METRICS, MODEL, REPORT
from pipeline.tracking.environment import machine
from pipeline.tracking.fingerprint import hash_files
from pipeline.tracking.provenance import all_packages
from pipeline.tracking.recorded_run import RecordedRun, Trial, parameters

MAX_NAMED = 8
# Networks that are trained as one model sum the same numbers in another order than alone.
GROUPED = 0.01


def of_results(run: RecordedRun, root: Path) -> list[str]:
    """What differs between the result of a run and that under root, a line each; none if all bits
    are the same."""
    metrics = flat_metrics(json.loads((root / METRICS).read_text("utf-8")))
    return [*_metrics(run.metrics, metrics), *_files(run.files, root)]


def of_trial(trial: Trial, metrics: Mapping[str, float], root: Path) -> tuple[list[str], float]:
    """The lines for a trial of a sweep, and the largest difference, relative to the value."""
    again = flat_metrics(json.loads((root / METRICS).read_text("utf-8")))
    # The file has as many digits as float32, in which MLflow has them too.
    losses, recorded = (
        np.array(values, np.float32).tolist()
        for values in (pd.read_csv(root / MODEL / HISTORY)["loss"], trial.losses)
    )
    pairs = {
        f"loss in epoch {epoch}": pair
        for epoch, pair in enumerate(zip(recorded, losses, strict=False), start=1)
    }
    if trial.state == "complete":
        part = next(
            one for one in ("cv", "validation", "train", "in_sample")
            if f"{one}_{trial.score}" in again
        )  # fmt: skip
        pairs["score"] = metrics["score"], again[f"{part}_{trial.score}"]
    differ = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
    largest = max((_relative(*pair) for pair in differ.values()), default=0.0)
    worst = sorted(differ, key=lambda name: -_relative(*differ[name]))
    return [_line(name, *differ[name]) for name in worst[:MAX_NAMED]], largest


def of_origins(run: RecordedRun, root: Path) -> Iterator[str]:
    """What differs between what a run was computed from and with, and what its repetition was."""
    packages = _differences(_versions(run.packages), _versions(all_packages().splitlines()))
    if packages:
        yield f"packages: {_listed(packages)}"
    now = machine()
    if run.machine is None:
        yield f"the machine of the run is not recorded; this one is a {now['processor']}"
    else:
        yield from (f"machine: {line}" for line in _differences(run.machine, now))
    configuration = parameters((root / COMPOSED).read_text("utf-8"))
    yield from (f"parameters: {line}" for line in _differences(run.configuration, configuration))
    read = run.inputs.get("evaluate", {})
    data = [
        path for path, md5 in read.items()
        if path.startswith("data/prepared/") and hash_files(root / path, root).get(path) != md5
    ]  # fmt: skip
    if data:
        yield f"data: {_listed(data)} differs, which the stage prepare writes"


def flat_metrics(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Those of data/metrics.json by their names in MLflow."""
    flat = {name.replace(".", "_"): value for name, value in flatten(metrics).items()}
    return {name: value for name, value in flat.items() if name not in CURVES}


def _metrics(before: Mapping[str, float], now: Mapping[str, float]) -> list[str]:
    differ = [name for name in now if before.get(name) != now[name]]
    lines = [_line(name, before.get(name, np.nan), now[name]) for name in differ]
    more = [f"and {len(lines) - MAX_NAMED} more metrics"] if len(lines) > MAX_NAMED else []
    return lines[:MAX_NAMED] + more


def _files(recorded: Path, root: Path) -> Iterator[str]:
    """Of the model folder and of the tables of the evaluation."""
    for folder, path in (("training", MODEL), ("evaluation", EVALUATION)):
        before = hash_files(recorded / folder, recorded / folder)
        now = hash_files(root / path, root / path)
        for name in sorted(before.keys() | now.keys()):
            if before.get(name) == now.get(name) or path / name == REPORT or name.endswith(".png"):
                continue
            if name not in before or name not in now:
                yield f"{path / name}: is only in the {'run' if name in before else 'repetition'}"
            else:
                much = _by_how_much(recorded / folder / name, root / path / name)
                yield f"{path / name}: has other values{much}"


def _by_how_much(before: Path, now: Path) -> str:
    """For arrays of weights."""
    if before.suffix != ".npz":
        return ""
    with np.load(before) as old, np.load(now) as new:
        if {name: old[name].shape for name in old} != {name: new[name].shape for name in new}:
            return ", and other shapes"
        largest = max(float(np.max(np.abs(old[name] - new[name]), initial=0)) for name in old)
    return f", which differ by at most {largest:.3g}"


def _versions(lines: list[str]) -> dict[str, str]:
    return dict(line.partition("==")[::2] for line in lines if "==" in line)


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    return [
        f"{name} is {_shown(now, name)}, was {_shown(before, name)}"
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name)
    ]


def _shown(values: Mapping[str, Any], name: str) -> str:
    return str(values[name]) or "none" if name in values else "missing"


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(names[:MAX_NAMED]) + more


def _line(name: str, before: float, now: float) -> str:
    return f"{name}: is {now!r}, was {before!r} ({_relative(before, now):.2g} of it)"


def _relative(before: float, now: float) -> float:
    return abs(now - before) / max(abs(before), 1e-12)
