"""Faults that really happen to a process."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from pipeline.training.checkpoints import Checkpoints
from tests.clone import ROOT, Clone

TRAIN = ("-m", "pipeline.stages.train")


@pytest.mark.long
def test_a_training_that_is_killed_again_and_again_ends_as_one_that_is_not(
    tmp_path_factory: pytest.TempPathFactory, repeats: int
) -> None:
    clone = Clone(tmp_path_factory.mktemp("faults") / "project")
    # Longer than until the last of the interruptions, each some seconds after the first checkpoint.
    epochs = 150_000 * (repeats + 1)
    clone.stage("configure", f"training.epochs={epochs}", "tracking=off")
    clone.stage("prepare")
    clone.python(*TRAIN)
    expected, history = weights(clone), clone.read("data/model/history.csv")
    moments = np.random.default_rng(3).uniform(5.5, 8, repeats)
    killed = [output_until_killed(clone, seconds) for seconds in moments]
    assert [("going on after epoch " in one) for one in killed] == [False] + [True] * (repeats - 1)
    assert "going on after epoch " in clone.python(*TRAIN).stdout
    assert weights(clone) == expected
    assert clone.read("data/model/history.csv") == history
    assert [*(clone.root / "data/.checkpoints").iterdir()] == []
    assert [*(clone.root / "data").glob(".model-*")] == []


@pytest.mark.long
def test_of_checkpoints_whose_writing_is_killed_the_last_whole_one_is_loaded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], repeats: int
) -> None:
    code = f"""
import itertools, numpy
from pathlib import Path
from pipeline.training.checkpoints import Checkpoints
saved = Checkpoints(Path({str(tmp_path)!r}), "a")
first = saved.load()
for epoch in itertools.count(1 if first is None else int(first["epoch"]) + 1):
    print(epoch, flush=True)
    saved.save(epoch, {{"epoch": numpy.array(epoch), "weights": numpy.full(10_000_000, epoch)}})
"""
    done = 0
    for moment in np.random.default_rng(5).uniform(0, 0.3, repeats):
        with subprocess.Popen(
            [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout
            while (begun := int(process.stdout.readline())) < done + 3:
                pass
            time.sleep(moment)
            process.kill()
            begun = max(begun, *map(int, process.stdout.read().split()), 0)
        last = Checkpoints(tmp_path, "a").load()
        assert last is not None
        done = int(last["epoch"])
        assert begun - 1 <= done <= begun
        assert (last["weights"] == done).all()
    assert "damaged" not in capsys.readouterr().err


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
        beside = clone.dvc("repro", check=False)
        assert beside.returncode
        assert re.search(rf"is busy, it is being blocked by:\s+\(PID {dvc.pid}\)", beside.stderr)
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


@pytest.mark.long
def test_a_full_disk_costs_neither_the_last_model_nor_the_next(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    clone = Clone(tmp_path_factory.mktemp("faults") / "project")
    # data/ on a small disk of its own, which ends with the shell that has mounted it.
    shell = ("unshare", "--map-root-user", "--mount", "sh", "-ec")
    mount = "cp -r data ../kept; mount -t tmpfs -o size=3M tmpfs data; cp -r ../kept/. data"
    if clone.run(*shell, "mount -t tmpfs tmpfs data", check=False).returncode:
        pytest.skip("this system does not let its users mount")
    stage = f"{clone.executable} -m pipeline.stages"
    configure = f"{stage}.configure tracking.uri=sqlite:///data/mlflow.db training.epochs"
    done = clone.run(
        *shell,
        f"""{mount}
        {configure}=100; {stage}.prepare; {stage}.train
        cp data/model/history.csv ../before.csv
        {configure}=90
        dd if=/dev/zero of=data/.filler bs=4k 2>/dev/null || true
        {stage}.train && exit 1
        cp data/model/history.csv ../full.csv
        {clone.executable} -m pipeline.predict data/raw/proportional.csv --output ../rows.csv
        rm data/.filler
        {stage}.train
        cp data/model/history.csv ../after.csv
        cp data/mlflow.db .""",
    )
    full = "error: data/model: No space left on device; free some space and run it again\n"
    assert done.stderr.count(full) == done.stderr.count("error: ") == 1
    assert "Traceback" not in done.stderr
    assert clone.read("../full.csv") == clone.read("../before.csv")
    assert len(clone.read("../rows.csv").splitlines()) == 1 + 7
    assert len(clone.read("../after.csv").splitlines()) == 1 + 90
    *_, first = clone.runs()
    last = clone.runs()[0]
    points = clone.client().get_metric_history(last.info.run_id, "loss")
    assert [len({point.step for point in points}), len(points)] == [90, 90]
    assert {first.info.status, last.info.status} == {"FINISHED"}
