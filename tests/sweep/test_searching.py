"""The sweep at work, in this process: what is trained, what is not, what is said."""

import errno
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.runtime import entry
from pipeline.runtime.errors import UserError
from pipeline.sweep import command, searching
from pipeline.sweep.study import Study
from pipeline.tracking.trial_files import Record, batches, read_batch, write_batch
from tests.clone import Clone

# TensorFlow's variables do not take NumPy 2's copy argument, and Keras reads them so.
# What is experimental about Optuna's figures is their interface.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning"),
]

RATE = "optimizer.learning_rate=0.001,0.002,0.003,0.004"
QUICK = (
    "tracking=off", "training.epochs=20", "sweep.seeds=2", "sweep.parallel_trials=4",
    "sweep.pruning.enabled=false",
)  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Clone(tmp_path_factory.mktemp("search") / "project").root


@pytest.fixture(autouse=True)
def inside(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)


def search(*arguments: str) -> None:
    command.sweep_command([*QUICK, *arguments])


def records(name: str) -> dict[int, Record]:
    """The trials that are written down, by number; none is there twice."""
    listed = [one for path in batches(Path("data/sweeps") / name) for one in read_batch(path)]
    found = {record.number: record for record in listed}
    assert len(found) == len(listed)
    return found


def test_every_point_of_a_grid_is_trained_and_summed_up(capsys: pytest.CaptureFixture[str]) -> None:
    search(RATE, "sweep.sampler=grid", "sweep.name=four")
    found = records("four")
    assert sorted(found) == [0, 1, 2, 3]
    assert {record.state for record in found.values()} == {"complete"}
    assert all(record.curves.shape == (20, 5) for record in found.values())
    said = capsys.readouterr().out
    assert "best of 4 trials: trial" in said
    assert "its values with 2 other seeds" in said
    assert " of train is luck (optimism)" in said
    assert "the experiment it began from: train " in said
    assert "the least-squares line: train 0\n" in said
    for name in ("results/trials.csv", "results/winner.csv", "model/model.keras", "winner.json"):
        assert (Path("data/sweeps/four") / name).is_file()


def test_the_same_command_again_trains_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    search(RATE, "sweep.sampler=grid", "sweep.name=four")
    assert len(records("four")) == 4
    said = capsys.readouterr().out
    assert "4 trials are there already" in said
    assert "summed up before: data/sweeps/four/results/" in said


def test_a_trial_that_is_known_from_another_sweep_is_not_trained_again() -> None:
    search(f"{RATE},0.005", "sweep.sampler=grid", "sweep.name=five")
    known, found = records("four"), records("five")
    by_rate = {record.values["optimizer.learning_rate"]: record for record in found.values()}
    assert by_rate["0.005"].reason is None
    for record in known.values():
        again = by_rate[record.values["optimizer.learning_rate"]]
        assert (again.reason, again.score) == ("known: not trained again", record.score)
        assert len(again.curves) == record.epochs
        np.testing.assert_array_equal(again.curves, record.curves)


def test_trials_that_diverge_or_contradict_themselves_do_not_end_the_sweep(
    capsys: pytest.CaptureFixture[str],
) -> None:
    space = ("optimizer.learning_rate=0.0015,1000", "optimizer.momentum=0.0,0.5")
    search(*space, "optimizer.nesterov=true,false", "sweep.sampler=grid", "sweep.name=bad")
    reasons = {
        tuple(record.values.values()): (record.state, record.reason or "")
        for record in records("bad").values()
    }
    for momentum, nesterov in (("0.0", "False"), ("0.5", "False"), ("0.5", "True")):
        assert reasons["0.0015", momentum, nesterov] == ("complete", "")
        state, reason = reasons["1000", momentum, nesterov]
        assert state == "failed"
        assert "diverged: the loss became" in reason
    for rate in ("0.0015", "1000"):
        contradiction = "optimizer: nesterov needs a momentum above 0"
        assert reasons[rate, "0.0", "True"] == ("failed", contradiction)
    assert "best of 8 trials" in capsys.readouterr().out


def test_a_sweep_without_a_score_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    search("optimizer.learning_rate=1000,2000", "sweep.sampler=grid", "sweep.name=hopeless")
    assert "no trial came to a score" in capsys.readouterr().err


def test_what_the_files_know_is_told_to_the_study(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if it had been killed between the two."""
    with monkeypatch.context() as cut:
        cut.setattr(Study, "tell", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            search(RATE, "sweep.sampler=grid", "sweep.name=cut", "training.seed=5")
    assert len(records("cut")) == 4
    search(RATE, "sweep.sampler=grid", "sweep.name=cut", "training.seed=5")
    assert len(records("cut")) == 4


def test_a_full_disk_ends_in_one_line_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    space = (
        RATE,
        "sweep.sampler=grid",
        "sweep.name=full",
        "training.seed=6",
        "sweep.parallel_trials=2",
    )
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "a.npz")
    written: list[Path] = []

    def write_once(*arguments: Any) -> Path:
        if written:
            raise full
        written.append(write_batch(*arguments))
        return written[0]

    with monkeypatch.context() as cut:
        cut.setattr(searching, "write_batch", write_once)
        with pytest.raises(UserError, match="No space left on device"):
            command.sweep_command([*QUICK, *space])
    assert len(records("full")) == 2
    # What was asked for and lost is this process's own, which is alive.
    monkeypatch.setattr("pipeline.tracking.processes.own", lambda: "elsewhere/0/0")
    monkeypatch.setattr(
        "pipeline.sweep.study._abandoned", lambda trial: trial.state.name == "RUNNING"
    )
    command.sweep_command([*QUICK, *space])
    assert sorted(records("full")) == [0, 1, 2, 3]


def test_a_sweep_out_of_time_stops_asking_and_sums_up(capsys: pytest.CaptureFixture[str]) -> None:
    search(RATE, "sweep.minutes=1e-9", "sweep.name=late", "sweep.trials=1000")
    assert records("late") == {}
    assert "no trial came to a score" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the space is empty"),
        (["optimizer.rate=1,2"], "unknown key optimizer.rate"),
        ([RATE, "sweep.trials=0"], "sweep.trials is 0, but must be at least 1"),
        (["optimizer.learning_rate=interval(1, 0.1)"], "not above its start"),
        (["optimizer.learning_rate=0.1,much"], "optimizer.learning_rate"),
        (["training.seed=1,2", "sweep.name=four"], "belongs to another space"),
        ([RATE, "sweep.storage=sqlite:////dev/null/sweeps.db"], "cannot be used"),
        ([RATE, "sweep.name=a/b"], "sweep.name: 'a/b'"),
        (["promote", "--name", "none"], "no such sweep has ended"),
        (["promote", "--name", "four", "--trial", "77"], "has no trial 77"),
    ],
)
def test_a_mistake_is_one_line(
    arguments: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["sweep", *arguments])
    with pytest.raises(SystemExit) as caught:
        entry.run(command.main)
    assert caught.value.code == 1
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert message in line
