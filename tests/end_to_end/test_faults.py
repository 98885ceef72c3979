"""Faults that really happen to a process. REPEATS is how often, for `make test-faults`."""

import os
import signal
import subprocess
import time

import numpy as np
import pytest

from tests.clone import Clone

REPEATS = int(os.environ.get("REPEATS", "1"))
TRAIN = ("-m", "pipeline.stages.train")


# Longer than until the last of the interruptions, each some seconds after the first checkpoint.
EPOCHS = 150_000 * (REPEATS + 1)


@pytest.mark.long
def test_a_training_that_is_killed_again_and_again_ends_as_one_that_is_not(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    clone = Clone(tmp_path_factory.mktemp("faults") / "project")
    clone.stage("configure", f"training.epochs={EPOCHS}", "tracking=off")
    clone.stage("prepare")
    clone.python(*TRAIN)
    expected, history = weights(clone), clone.read("data/model/history.csv")
    moments = np.random.default_rng(3).uniform(5.5, 8, REPEATS)
    killed = [output_until_killed(clone, seconds) for seconds in moments]
    assert [("going on after epoch " in one) for one in killed] == [False] + [True] * (REPEATS - 1)
    assert "going on after epoch " in clone.python(*TRAIN).stdout
    assert weights(clone) == expected
    assert clone.read("data/model/history.csv") == history
    assert [*(clone.root / "data/.checkpoints").iterdir()] == []
    assert [*(clone.root / "data").glob(".model-*")] == []


@pytest.mark.long
def test_a_stage_whose_dvc_was_killed_is_not_run_a_second_time_beside_it(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    clone = Clone(tmp_path_factory.mktemp("faults") / "project")
    text = clone.read("params.yaml").replace("epochs: 100", "epochs: 40_000_000")
    (clone.root / "params.yaml").write_text(text)
    with subprocess.Popen(
        [clone.executable, "-m", "dvc", "repro"], cwd=clone.root, stdout=subprocess.PIPE, text=True,
        env=clone.environment() | {"PYTHONUNBUFFERED": "1"},
    ) as dvc:  # fmt: skip
        assert dvc.stdout
        assert any(line.startswith("training ") for line in dvc.stdout)
        dvc.kill()
        dvc.wait()
        stage = int(clone.read("data/.last/train.lock"))
        try:
            again = clone.dvc("repro", check=False)
        finally:
            os.kill(stage, signal.SIGTERM)
    assert again.returncode
    assert f"error: process {stage} runs the stage train here; " in again.stderr


def weights(clone: Clone) -> dict[str, bytes]:
    with np.load(clone.root / "data/model/weights_after.npz") as arrays:
        return {name: array.tobytes() for name, array in arrays.items()}


def output_until_killed(clone: Clone, seconds: float) -> str:
    """What the train stage prints until it is killed, so many seconds after training began."""
    process = subprocess.Popen(
        [clone.executable, "-u", *TRAIN], cwd=clone.root, env=clone.environment(),
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        assert process.stdout
        begun = process.stdout.readline()
        time.sleep(seconds)
        process.kill()
        return begun + process.stdout.read()
