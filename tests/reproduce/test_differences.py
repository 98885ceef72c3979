"""Every bit that differs between a run and its repetition is named, and what may be the cause."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.reproduce import differences
from pipeline.tracking.environment import machine
from pipeline.tracking.fingerprint import hash_files
from pipeline.tracking.provenance import all_packages
from pipeline.tracking.recorded_run import RecordedRun, Trial


@pytest.fixture
def run(tmp_path: Path) -> RecordedRun:
    """A run whose repetition, at tmp_path/clone, has the same bits."""
    for folder, names in (
        ("run", ("training", "evaluation")),
        ("clone/data", ("model", "evaluation")),
    ):
        model, evaluation = (tmp_path / folder / name for name in names)
        model.mkdir(parents=True)
        evaluation.mkdir()
        np.savez(model / "weights_after.npz", kernel=np.ones((2, 3), np.float32))
        (model / "history.csv").write_text("epoch,loss\n1,0.100000001\n2,0.2\n")
        (evaluation / "predictions.csv").write_text("true,predicted\n1,2\n")
    data = tmp_path / "clone/data"
    (data / "metrics.json").write_text(json.dumps({"test": {"rmse": 1.5}, "cv": {"rmse": 2.5}}))
    (data / "config.yaml").write_text("training: {epochs: 2}\n")
    (data / "prepared").mkdir()
    (data / "prepared/train.parquet").write_text("rows")
    root = tmp_path / "clone"
    return RecordedRun(
        "houses", "c0ffee", "", {"evaluate": hash_files(data / "prepared", root)},
        all_packages().splitlines(), machine(), {"training.epochs": 2},
        {"test_rmse": 1.5, "cv_rmse": 2.5, "seconds_train": 3.0}, tmp_path / "run", None,
    )  # fmt: skip


def test_the_same_bits_are_the_same(run: RecordedRun, tmp_path: Path) -> None:
    assert differences.of_results(run, tmp_path / "clone") == []
    assert list(differences.of_origins(run, tmp_path / "clone")) == []


def test_each_difference_of_the_results_is_named(run: RecordedRun, tmp_path: Path) -> None:
    weights = np.ones((2, 3), np.float32)
    weights[1, 1] += np.float32(2**-20)
    np.savez(tmp_path / "clone/data/model/weights_after.npz", kernel=weights)
    (tmp_path / "clone/data/evaluation/slices.csv").touch()
    changed = replace(run, metrics=run.metrics | {"test_rmse": math.nextafter(1.5, 2)})
    assert differences.of_results(changed, tmp_path / "clone") == [
        "test_rmse: is 1.5, was 1.5000000000000002 (1.5e-16 of it)",
        "data/model/weights_after.npz: has other values, which differ by at most 9.54e-07",
        "data/evaluation/slices.csv: is only in the repetition",
    ]


def test_what_differs_of_its_origin_is_named(run: RecordedRun, tmp_path: Path) -> None:
    (tmp_path / "clone/data/prepared/train.parquet").write_text("other rows")
    changed = replace(
        run,
        packages=[*run.packages, "no-such-package==1.0"],
        machine=machine() | {"processor": "another"},
        configuration={"training.epochs": 3},
    )
    assert list(differences.of_origins(changed, tmp_path / "clone")) == [
        "packages: no-such-package is missing, was 1.0",
        f"machine: processor is {machine()['processor']}, was another",
        "parameters: training.epochs is 2, was 3",
        "data: data/prepared/train.parquet differs, which the stage prepare writes",
    ]
    (earlier, *_) = differences.of_origins(replace(run, machine=None), tmp_path / "clone")
    assert earlier.startswith("the machine of the run is not recorded; this one is a ")


@pytest.mark.parametrize(
    ("losses", "score", "differs", "largest"),
    [
        ([float(np.float32(0.1)), float(np.float32(0.2))], 2.5, [], 0.0),
        # Of one that was pruned there are fewer epochs.
        ([0.1], 2.5, [], 0.0),
        ([0.1, 0.2], 2.0, ["score: is 2.5, was 2.0 (0.25 of it)"], 0.25),
        (
            [0.1, 0.4],
            2.5,
            ["loss in epoch 2: is 0.20000000298023224, was 0.4000000059604645 (0.5 of it)"],
            0.5,
        ),
    ],
)
def test_a_trial_is_compared_by_its_score_and_its_losses(
    losses: list[float], score: float, differs: list[str], largest: float, run: RecordedRun
) -> None:
    trial = Trial([], "rmse", "complete", losses)
    root = run.files.parent / "clone"
    found, difference = differences.of_trial(trial, {"score": score}, root)
    assert found == differs
    assert difference == pytest.approx(largest)
