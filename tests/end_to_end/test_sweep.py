"""Sweeps by command in a clone: tracked, killed and gone on with, promoted, joined.
The tests share one clone, in this order; each leaves the configuration as it found it."""

import json
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import optuna
import pandas as pd
import pytest
from mlflow.entities import Run
from optuna.trial import TrialState

from tests.clone import Clone
from tests.readme import commands, metrics

RATE = "optimizer.learning_rate=tag(log, interval(1e-4, 1e-2))"
# Enough to be cut short, and little to sum up.
LONG = (RATE, "sweep.parallel_trials=2", "training.epochs=20", "sweep.seeds=0", "sweep.ensemble=0")
OVER = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone after the README's sweep, which is called first."""
    made = Clone(tmp_path_factory.mktemp("sweeps") / "my project")
    command = next(one for one in commands("python -m pipeline.sweep") if "promote" not in one)
    said = made.run(*command, "sweep.name=first").stdout
    (made.root / "said.txt").write_text(said, "utf-8")
    return made


def sweep(clone: Clone, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    return clone.python("-m", "pipeline.sweep", *arguments, check=check)


def parent(clone: Clone, name: str) -> Run:
    (found,) = (
        run for run in clone.runs() if run.data.tags.get("sweep.role") == "sweep"
        and run.data.tags["sweep.study"] == name
    )  # fmt: skip
    return found


def children(clone: Clone, name: str) -> list[Run]:
    run_id = parent(clone, name).info.run_id
    return [run for run in clone.runs() if run.data.tags.get("mlflow.parentRunId") == run_id]


def study(clone: Clone, name: str) -> optuna.Study:
    return optuna.load_study(study_name=name, storage=f"sqlite:///{clone.root / 'sweeps.db'}")


@contextmanager
def started(clone: Clone, name: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A sweep of that name, once its first batch is written."""
    command = [clone.executable, "-m", "pipeline.sweep", f"sweep.name={name}", *arguments]
    with subprocess.Popen(
        command, cwd=clone.root, env=clone.environment(), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        # Where the tests run in the background, Ctrl-C would be ignored.
        preexec_fn=_heed_ctrl_c,  # noqa: PLW1509 - the child sets one signal and goes on
    ) as process:  # fmt: skip
        try:
            batches = clone.root / "data/sweeps" / name / "batches"
            for _ in range(900):
                if list(batches.glob("*.npz")) or process.poll() is not None:
                    break
                time.sleep(0.1)
            yield process
        finally:
            process.kill()


def _heed_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_every_trial_is_a_run_with_its_curve_below_the_run_of_the_sweep(clone: Clone) -> None:
    whole = parent(clone, "first")
    assert whole.info.status == "FINISHED"
    assert whole.data.metrics["trials"] == 32
    runs = children(clone, "first")
    assert {run.data.tags["sweep.trial"] for run in runs} == {str(i) for i in range(32)}
    for run in runs:
        state, epochs = run.data.tags["sweep.state"], int(run.data.metrics["epochs"])
        assert run.info.status == ("FAILED" if state == "failed" else "FINISHED")
        assert ("diverged" in run.data.tags.get("failure", "")) == (state == "failed")
        if state != "failed":
            assert epochs in ({10, 30, 90} if state == "pruned" else {100})
        points = clone.client().get_metric_history(run.info.run_id, "loss")
        assert [point.step for point in points] == list(range(1, epochs + 1))
        assert float(run.data.params["optimizer.learning_rate"]) > 0
        assert json.loads(run.data.tags["configuration"])["training.epochs"] == 100


def test_what_came_out_is_said_and_in_the_run(clone: Clone) -> None:
    said = clone.read("said.txt")
    assert re.search(r"best of 32 trials: trial \d+, train rmse [\d.e-]+: optimizer", said)
    assert "its values with 8 other seeds" in said
    assert "all trials and figures: data/sweeps/first/results/" in said
    whole = parent(clone, "first")
    names = {item.path for item in clone.client().list_artifacts(whole.info.run_id, "sweep")}
    assert {"sweep/trials.csv", "sweep/winner.csv", "sweep/history.png"} <= names
    told = {"winner_train", "seeds_train_mean", "optimism", "start_train", "least_squares_train"}
    assert told <= set(whole.data.metrics)
    trials = pd.read_csv(clone.root / "data/sweeps/first/results/trials.csv")
    assert len(trials) == 32
    best = trials[trials["state"] == "complete"]["score"].min()
    winner = pd.read_csv(clone.root / "data/sweeps/first/results/winner.csv").set_index("what")
    assert winner["train"]["winner"] == pytest.approx(best, rel=1e-3)
    # The notebook's experiment, which this sweep varies, and the proportion that it looks for.
    assert winner["train"]["start"] == pytest.approx(0.1962, abs=1e-4)
    assert winner["train"]["least_squares"] == 0


def test_the_metrics_of_a_sweep_are_documented(clone: Clone) -> None:
    documented = [*metrics("Metrics of a sweep"), *metrics("Metrics of a training")]
    logged = {
        name
        for run in (parent(clone, "first"), *children(clone, "first"))
        for name in run.data.metrics
    }
    assert {name for name in logged if not any(one.fullmatch(name) for one in documented)} == set()


def test_a_killed_sweep_goes_on_with_exactly_the_trials_that_were_asked_for(clone: Clone) -> None:
    asked = (*LONG, "sweep.trials=40")
    with started(clone, "killed", *asked) as process:
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=60)
    assert len(study(clone, "killed").trials) < 40
    sweep(clone, *asked, "sweep.name=killed")
    trials = study(clone, "killed").trials
    assert len(trials) == 40
    assert all(trial.state in OVER for trial in trials)
    runs = children(clone, "killed")
    assert sorted(int(run.data.tags["sweep.trial"]) for run in runs) == list(range(40))
    assert [run for run in clone.runs() if run.info.status == "RUNNING"] == []
    assert parent(clone, "killed").info.status == "FINISHED"


def test_ctrl_c_ends_with_a_summary(clone: Clone) -> None:
    with started(clone, "interrupted", *LONG, "sweep.trials=2000") as process:
        process.send_signal(signal.SIGINT)
        said, complaint = process.communicate(timeout=120)
    assert process.returncode == 130
    # Its first batch is written by then, but perhaps not yet told.
    assert re.search(r"best of \d+ trials: trial|of 0 trials that are over", said)
    assert "the same command goes on from here" in said
    assert complaint == "interrupted\n"
    assert parent(clone, "interrupted").info.status == "KILLED"


def test_the_winner_becomes_the_experiment_and_repro_gives_its_numbers(clone: Clone) -> None:
    before = clone.read("params.yaml")
    try:
        promote, repro = (
            next(command for command in commands("") if command[: len(words)] == words)
            for words in (["python", "-m", "pipeline.sweep", "promote"], ["dvc", "repro"])
        )
        done = clone.run(*promote, "--name", "first")
        assert "is the experiment in params.yaml now" in done.stdout
        stated = clone.read("params.yaml")
        assert "# Sums of float32 depend on the order of the rows" in stated
        assert "learning_rate" in stated
        clone.run(*repro)
        metrics = json.loads(clone.read("data/metrics.json"))
        winner = pd.read_csv(clone.root / "data/sweeps/first/results/winner.csv").set_index("what")
        assert metrics["in_sample"]["rmse"] == pytest.approx(winner["train"]["winner"], rel=1e-6)
    finally:
        (clone.root / "params.yaml").write_text(before, "utf-8")


@pytest.mark.long
def test_two_processes_on_one_database_share_the_trials(clone: Clone, postgresql: str) -> None:
    command = [
        clone.executable, "-m", "pipeline.sweep", *LONG, "sweep.name=joined", "sweep.trials=24",
        f"sweep.storage={postgresql}",
        # Longer than one process may begin after the other.
        "training.epochs=2000", "training.batch_size=1",
    ]  # fmt: skip
    processes = [
        subprocess.Popen(
            command, cwd=clone.root, env=clone.environment(), text=True, stdout=subprocess.PIPE
        )
        for _ in range(2)
    ]
    said = [process.communicate(timeout=180)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert any("all trials and figures" in one for one in said)
    trials = optuna.load_study(study_name="joined", storage=postgresql).trials
    assert [trial.number for trial in trials] == list(range(24))
    assert all(trial.state in OVER for trial in trials)
    workers = {trial.user_attrs["worker"] for trial in trials}
    assert len(workers) == 2
    runs = children(clone, "joined")
    assert sorted(int(run.data.tags["sweep.trial"]) for run in runs) == list(range(24))
