"""Sweeps by command in a clone: tracked, killed, continued, promoted and shared."""

import json
import re
import signal
import subprocess
import time
from contextlib import redirect_stdout
from io import StringIO

import optuna
import pandas as pd
import pytest
from mlflow.entities import Run

from pipeline.runtime.entry import run as run_command
from pipeline.sweep.command import forget_command, forget_parser, sweep_command, sweep_parser
from tests.clone import Clone
from tests.planted import MARK, PlantedClone
from tests.readme import commands

pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
TRIALS = 32


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> PlantedClone:
    """A clone after the README's sweep."""
    made = PlantedClone(tmp_path_factory.mktemp("sweeps") / "my project")
    (made.root / "printed.txt").write_text(sweep(made, *arguments("first")), "utf-8")
    return made


def arguments(name: str) -> list[str]:
    """Those of the README's command, for a sweep of that name and a short summary."""
    command = next(one for one in commands("python -m pipeline.sweep") if "promote" not in one)
    quick = ["sweep.parallel_trials=8", "sweep.seeds=2", "sweep.pruning.first_epoch=30"]
    return [*command[3:], f"sweep.name={name}", *quick]


def sweep(clone: Clone, *overrides: str) -> str:
    """Runs a sweep in this process; returns what it prints."""
    printed = StringIO()
    with clone.inside(), redirect_stdout(printed):
        run_command(sweep_command, sweep_parser(), overrides)
    return printed.getvalue()


def study(clone: Clone, name: str) -> optuna.Study:
    return optuna.load_study(study_name=name, storage=f"sqlite:///{clone.root / 'sweeps.db'}")


def parent(clone: Clone, name: str) -> Run:
    (found,) = (
        run for run in clone.runs() if run.data.tags.get("sweep.role") == "sweep"
        and run.data.tags["sweep.study"] == name
    )  # fmt: skip
    return found


def children(clone: Clone, name: str) -> list[Run]:
    run_id = parent(clone, name).info.run_id
    return [run for run in clone.runs() if run.data.tags.get("mlflow.parentRunId") == run_id]


def test_every_trial_is_a_run_with_its_curve_below_the_run_of_the_sweep(clone: Clone) -> None:
    whole = parent(clone, "first")
    assert whole.info.status == "FINISHED"
    assert whole.data.metrics["trials"] == TRIALS
    runs = children(clone, "first")
    assert sorted(int(run.data.tags["sweep.trial"]) for run in runs) == list(range(TRIALS))
    for run in runs:
        state, epochs = run.data.tags["sweep.state"], int(run.data.metrics["epochs"])
        assert run.info.status == ("FAILED" if state == "failed" else "FINISHED")
        assert ("diverged" in run.data.tags.get("failure", "")) == (state == "failed")
        if state != "failed":
            assert epochs in ({30, 60} if state == "pruned" else {100})
        points = clone.client().get_metric_history(run.info.run_id, "loss")
        assert [point.step for point in points] == list(range(1, epochs + 1))
        assert float(run.data.params["optimizer.learning_rate"]) > 0
        assert json.loads(run.data.tags["configuration"])["training.epochs"] == 100


def test_the_summary_is_printed_and_in_the_run(clone: Clone) -> None:
    printed = clone.read("printed.txt")
    assert re.search(r"best of 32 trials: trial \d+, train rmse [\d.e-]+: optimizer", printed)
    assert "other seeds, mean of 2: train rmse " in printed
    assert "tables and figures: data/sweeps/first/results/" in printed
    whole = parent(clone, "first")
    names = {item.path for item in clone.client().list_artifacts(whole.info.run_id, "sweep")}
    assert {"sweep/trials.csv", "sweep/winner.csv", "sweep/history.png"} <= names
    assert {
        "winner_train_rmse",
        "seeds_train_rmse_mean",
        "seeds_train_rmse_std",
        "optimism",
        "start_train_rmse",
        "least_squares_train_rmse",
    } <= set(whole.data.metrics)
    trials = pd.read_csv(clone.root / "data/sweeps/first/results/trials.csv")
    assert len(trials) == TRIALS
    best = trials[trials["state"] == "complete"]["score"].min()
    winner = pd.read_csv(clone.root / "data/sweeps/first/results/winner.csv").set_index("model")
    assert winner["train"]["winner"] == pytest.approx(best, rel=1e-3)
    # The experiment of the notebook, which this sweep varies, and the proportion in its data.
    assert winner["train"]["start"] == pytest.approx(0.1962, abs=1e-4)
    assert winner["train"]["least_squares"] == 0


def test_a_sweep_needs_no_stage_to_have_run(clone: Clone) -> None:
    composed = clone.root / "data/config.yaml"
    text = composed.read_text("utf-8")
    composed.unlink()
    assert "the summary has been written before" in sweep(clone, *arguments("first"))
    composed.write_text(text, "utf-8")


def test_the_winner_is_promoted(clone: Clone) -> None:
    """That the stages reproduce it is shown in tests/sweep/test_search.py."""
    promote = next(one for one in commands("python -m pipeline.sweep") if "promote" in one)
    printed = clone.run(*promote, "--name", "first").stdout
    assert re.search(r"params.yaml now has the values of trial \d+ of the sweep first:", printed)
    params = clone.read("params.yaml")
    assert "learning_rate" in params
    assert {line for line in clone.git("show", "HEAD:params.yaml").splitlines() if "#" in line} <= {
        *params.splitlines()
    }


def test_a_sweep_of_another_table_is_not_promoted(clone: Clone) -> None:
    params = clone.read("params.yaml")
    (clone.root / "params.yaml").write_text(f"{params}\ndata: {{target: other}}\n", "utf-8")
    done = clone.run("python", "-m", "pipeline.sweep", "promote", check=False)
    (clone.root / "params.yaml").write_text(params, "utf-8")
    assert done.returncode == 1
    assert done.stderr == (
        "error: data/sweeps/first/winner.json: the sweep ran with data.target: y, but params.yaml"
        " has other; name another sweep with --name, or change params.yaml\n"
    )


@pytest.mark.long
def test_two_processes_on_one_database_share_the_trials(clone: Clone, postgresql: str) -> None:
    command = [
        clone.executable, "-m", "pipeline.sweep", "sweep.name=joined", "sweep.trials=24",
        "optimizer.learning_rate=tag(log, interval(1e-4, 1e-2))", "sweep.parallel_trials=2",
        "sweep.seeds=0", "sweep.ensemble=0",
        # Longer than one process may begin after the other.
        "training.epochs=2000", "training.batch_size=1",
    ]  # fmt: skip
    # The server trusts whatever password.
    url = postgresql.replace("tester@", f"tester:{MARK}@")
    environment = clone.environment() | {"SWEEP_STORAGE": url}
    processes = [
        subprocess.Popen(
            command, cwd=clone.root, env=environment, text=True, stdout=subprocess.PIPE
        )
        for _ in range(2)
    ]
    printed = [process.communicate(timeout=180)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert any("tables and figures" in one for one in printed)
    trials = optuna.load_study(study_name="joined", storage=postgresql).trials
    assert [trial.number for trial in trials] == list(range(24))
    assert all(trial.state.is_finished() for trial in trials)
    workers = {trial.user_attrs["worker"] for trial in trials}
    assert len(workers) == 2
    runs = children(clone, "joined")
    assert sorted(int(run.data.tags["sweep.trial"]) for run in runs) == list(range(24))


@pytest.mark.long
def test_a_killed_sweep_continues_with_exactly_the_missing_trials(clone: Clone) -> None:
    command = ["python", "-m", "pipeline.sweep", *arguments("killed"), "training.seed=35"]
    with subprocess.Popen(command, cwd=clone.root, env=clone.environment()) as process:
        batches = clone.root / "data/sweeps/killed/batches"
        for _ in range(900):
            if list(batches.glob("*.npz")) or process.poll() is not None:
                break
            time.sleep(0.1)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert 0 < len(study(clone, "killed").trials) < TRIALS
    assert "trials have finished before" in sweep(clone, *command[3:])
    trials = study(clone, "killed").trials
    assert [trial.number for trial in trials] == list(range(TRIALS))
    assert all(trial.state.is_finished() for trial in trials)
    assert [run for run in clone.runs() if run.info.status == "RUNNING"] == []
    assert len(children(clone, "killed")) == TRIALS


def test_no_secret_is_in_what_the_sweeps_have_printed_and_written(clone: PlantedClone) -> None:
    diffs = [path.read_text("utf-8") for path in clone.root.glob("mlruns/**/provenance/git.diff")]
    assert any("# api_key: ***" in diff for diff in diffs)
    assert clone.leaks() == []


def test_a_sweep_is_forgotten(clone: Clone) -> None:
    """The last test: the others are about this sweep."""
    files = {path for path in clone.root.rglob("mlruns/**/*") if path.is_file()}
    assert files
    printed = StringIO()
    with clone.inside(), redirect_stdout(printed):
        run_command(forget_command, forget_parser(), ["first"])
    assert f"deleted: its runs ({TRIALS + 1}) and models (" in printed.getvalue()
    assert f"deleted: its study ({TRIALS} trials)\n" in printed.getvalue()
    assert [run for run in clone.runs() if run.data.tags.get("sweep.study") == "first"] == []
    assert not (clone.root / "data/sweeps/first").exists()
    assert "first" not in optuna.get_all_study_names(f"sqlite:///{clone.root / 'sweeps.db'}")
