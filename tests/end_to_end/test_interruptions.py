"""Ctrl-C and requests to terminate, and sweeps that are killed again and again."""

import os
import re
import shutil
import signal
import subprocess
import time

import numpy as np
import optuna
import pytest

from tests.clone import Clone

TRIALS = 24
SWEEP = (
    "-m", "pipeline.sweep", f"sweep.trials={TRIALS}", "sweep.parallel_trials=2",
    "optimizer.learning_rate=tag(log, interval(1e-4, 1e-2))", "training.epochs=1000",
    "sweep.seeds=0", "sweep.ensemble=0",
)  # fmt: skip


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone with a result, and then with a training that is long."""
    # What a shell starts in the background ignores Ctrl-C, and so would what that starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    made = Clone(tmp_path_factory.mktemp("interruptions") / "project")
    made.repro()
    text = made.read("params.yaml").replace("data: proportional", "data: diabetes")
    text = text.replace("epochs: 100", "epochs: 400_000\n  batch_size: 1")
    (made.root / "params.yaml").write_text(text, "utf-8")
    made.repro("baselines")
    return made


def interrupted(clone: Clone, number: int, *command: str) -> tuple[int, list[str], str]:
    """What a command prints on stderr that all of its processes are sent a signal, as a terminal
    sends Ctrl-C, once its run has points; with its exit status and the run."""
    printed = clone.root / "data/.printed"
    with (
        printed.open("w") as file,
        subprocess.Popen(
            [clone.executable, *command], cwd=clone.root, env=clone.environment(),
            stdout=subprocess.DEVNULL, stderr=file, start_new_session=True,
        ) as process,
    ):  # fmt: skip
        run = clone.wait_for_points()
        time.sleep(6)  # the first checkpoint is some seconds after the first epoch
        os.killpg(process.pid, number)
    return process.returncode, printed.read_text("utf-8").splitlines(), run


@pytest.mark.faults
def test_an_interrupted_training_is_killed_in_mlflow_and_keeps_its_checkpoint(
    clone: Clone, repeats: int
) -> None:
    cases = [
        (number, command)
        for number in (signal.SIGINT, signal.SIGTERM)
        for command in (("-m", "pipeline.stages.train"), ("-m", "dvc", "repro"))
    ]
    for repetition in range(max(repeats, len(cases))):
        number, command = cases[repetition % len(cases)]
        # Each time another training, which begins at the first epoch.
        text = re.sub(r"seed: \d+", f"seed: {100 + repetition}", clone.read("params.yaml"))
        (clone.root / "params.yaml").write_text(text, "utf-8")
        clone.stage("configure")
        status, lines, run = interrupted(clone, number, *command)
        assert status, (repetition, lines)
        # DVC's own lines, also of the last `dvc repro`, which was ended too.
        others = ("epoch ", "ERROR: failed to repro", "WARNING: Process ")
        lines = [one for one in lines if not one.startswith(others)]
        said = [one for one in lines if one != "data/model stays as it was"]
        assert said == (["interrupted"] if number == signal.SIGINT else [])
        assert clone.wait_for_end(run) == "KILLED"
        assert [*(clone.root / "data/.checkpoints").glob("*.npz")] != []
        shutil.rmtree(clone.root / "data/.checkpoints")


@pytest.mark.faults
def test_a_sweep_that_is_ended_early_has_exactly_the_trials_that_were_asked_for(
    clone: Clone, repeats: int
) -> None:
    signals = [signal.SIGKILL, signal.SIGTERM, signal.SIGINT]
    moments = np.random.default_rng(7).uniform(2, 12, max(repeats, len(signals)))
    for repetition, moment in enumerate(moments):
        number, name = signals[repetition % len(signals)], f"ended{repetition}"
        command = [*SWEEP, f"sweep.name={name}"]
        with subprocess.Popen(
            [clone.executable, *command], cwd=clone.root, env=clone.environment(), text=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
        ) as sweep:  # fmt: skip
            time.sleep(moment)
            os.killpg(sweep.pid, number)
            _, said = sweep.communicate()
        before = finished(clone, name)
        # It may have been as quick as that.
        assert sweep.returncode or len(before) == TRIALS
        assert "Traceback" not in said
        clone.python(*command)
        after = finished(clone, name)
        assert sorted(after) == list(range(TRIALS))
        assert {trial: after[trial] for trial in before} == before
        runs = [one for one in clone.runs() if one.data.tags.get("sweep.study") == name]
        trials = [one for one in runs if one.data.tags["sweep.role"] == "trial"]
        assert sorted(int(one.data.tags["sweep.trial"]) for one in trials) == list(range(TRIALS))
        assert len(runs) == TRIALS + 1
        assert {one.info.status for one in runs} == {"FINISHED"}


def finished(clone: Clone, name: str) -> dict[int, object]:
    """When each trial of a study that has a result has ended, by its number."""
    storage = f"sqlite:///{clone.root / 'sweeps.db'}"
    if not (clone.root / "sweeps.db").exists() or name not in optuna.get_all_study_names(storage):
        return {}
    trials = optuna.load_study(study_name=name, storage=storage).trials
    return {one.number: one.datetime_complete for one in trials if one.state.is_finished()}
