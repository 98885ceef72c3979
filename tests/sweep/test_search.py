"""Sweeps in this process: what they train, what they do not, what they print, and the commands
that begin and promote them."""

import errno
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest
from optuna.trial import TrialState

from pipeline.compose.experiment import compose
from pipeline.compose.schema import Config
from pipeline.dataset.encoding import Encoding
from pipeline.network.backend import keras
from pipeline.network.encoder import folds_of, inputs
from pipeline.preparation.preparation import Prepared
from pipeline.preparation.preparation import prepare as prepare_data
from pipeline.runtime.errors import UserError
from pipeline.stages import baselines, configure, evaluate, prepare, train
from pipeline.sweep import command, search, summary, trials
from pipeline.sweep.study import Study
from pipeline.sweep.tables import Tables
from pipeline.tracking.trial_files import Record, batches, read_batch, write_batch
from tests.imports import ROOT

# TensorFlow's variables do not take NumPy 2's copy argument, and Keras reads them so. Optuna's
# figures are experimental in their interface.
pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")

# Those of the experiment, 0.01, is not among them, and better.
RATE = "optimizer.learning_rate=0.001,0.002,0.003,0.004"
OUTSIDE = (
    "the starting point is not in the search space (optimizer.learning_rate), so it is not a"
    " trial, but the winner is compared with it"
)
# Seven values of which two are composed.
SEED = "training.seed=tag(int, interval(1, 7))"
QUICK = (
    "tracking=off", "training.epochs=20", "sweep.seeds=0", "sweep.ensemble=0",
    "sweep.parallel_trials=4", "sweep.pruning.enabled=false", "sweep.sampler=grid",
)  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository, as far as a sweep without tracking reads it."""
    copy = tmp_path_factory.mktemp("sweep")
    for folder in ("conf", "data/raw", "data/schema", "pipeline"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("data/config.yaml", "dvc.yaml", "params.yaml"):
        shutil.copy(ROOT / file, copy / file)
    return copy


@pytest.fixture(autouse=True)
def _inside(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(root)
    handler = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture(scope="module")
def four(root: Path) -> str:
    """What a sweep of four trials, named four, prints."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        printed: list[str] = []
        patch.setattr("builtins.print", lambda *line, **_: printed.append(" ".join(line)))
        sweep("four", RATE, "sweep.seeds=2")
    return "\n".join(printed)


def sweep(name: str, *overrides: str) -> None:
    command.sweep_command([*QUICK, f"sweep.name={name}", *overrides])


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int | str | None:
    """The exit status of the command with these arguments."""
    monkeypatch.setattr(sys, "argv", ["sweep", *arguments])
    with pytest.raises(SystemExit) as caught:
        command.main()
    return caught.value.code


def records(name: str) -> dict[int, Record]:
    """The trials that are written, by number; none is written twice."""
    listed = [one for path in batches(Path("data/sweeps") / name) for one in read_batch(path)]
    found = {record.number: record for record in listed}
    assert len(found) == len(listed)
    return found


def values(record: Record) -> tuple[str, ...]:
    """The values of the keys that vary."""
    return tuple(vars(record)["values"].values())


def leave_running_trials() -> None:
    """Assigns the trials that are running to a process of this machine that has ended."""
    ended = subprocess.Popen([sys.executable, "-S", "-c", ""])
    ended.wait()
    storage = optuna.storages.RDBStorage("sqlite:///sweeps.db")
    for study in storage.get_all_studies():
        for trial in storage.get_all_trials(study._study_id, states=[TrialState.RUNNING]):
            worker = f"{socket.gethostname()}/{ended.pid}/1700000000"
            storage.set_trial_user_attr(trial._trial_id, "worker", worker)


def failing(function: Callable[..., Any], error: BaseException, after: int) -> Callable[..., Any]:
    """The function, which raises error after that many calls."""
    left = iter(range(after))

    def called(*arguments: Any) -> Any:
        if next(left, None) is None:
            raise error
        return function(*arguments)

    return called


def test_every_point_of_a_grid_is_trained(four: str) -> None:
    found = records("four")
    assert sorted(found) == [0, 1, 2, 3]
    assert {record.state for record in found.values()} == {"complete"}
    assert all(record.curves.shape == (20, 5) for record in found.values())
    assert four


def test_the_summary_is_printed_and_written(four: str) -> None:
    number = r"[\d.e-]+"
    expected = rf"""{re.escape(OUTSIDE)}
best of 4 trials: trial (\d), train rmse {number}: optimizer.\w+=0.00\d
training other seeds of the winner, and what it is compared with
writing the figures and models
winner \(trial \1\), trained alone: train rmse {number}; {number} in the sweep
other seeds, mean of 2: train rmse {number}; selection bias \(optimism\) on train: -?{number}
starting point: train rmse {number}
linear least squares: train rmse 0
gradient boosting: train rmse {number}
on train, the winner is no better than the starting point \(-{number} to {number} %\)
on train, the winner is much worse than linear least squares
on train, the winner is better than gradient boosting by {number} % \({number} to {number} %\)
model of the winner: data/sweeps/four/model
params.yaml can stay as it is
tables and figures: data/sweeps/four/results/"""
    assert re.fullmatch(expected, four), four
    folder = Path("data/sweeps/four")
    winner = pd.read_csv(folder / "results/winner.csv").set_index("model")
    seeds = [name for name in winner.index if name.startswith("seed ")]
    assert list(winner.index) == [
        "winner", "start", "least_squares", "gradient_boosting", *seeds,
    ]  # fmt: skip
    assert len(seeds) == 2
    best = min(record.score or np.inf for record in records("four").values())
    assert winner["train"]["winner"] == pytest.approx(best, rel=1e-3)
    table = pd.read_csv(folder / "results/trials.csv")
    assert table["score"].tolist() == sorted(table["score"])
    assert (folder / "model/model.keras").is_file()
    assert not (folder / "ensemble").exists()


@pytest.mark.usefixtures("four")
def test_the_same_command_again_trains_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    sweep("four", RATE, "sweep.seeds=2")
    assert len(records("four")) == 4
    printed = capsys.readouterr().out
    assert "sweep four: 4 trials have finished before" in printed
    assert "the summary has been written before: data/sweeps/four/results/" in printed


@pytest.mark.usefixtures("four")
def test_a_trial_of_another_sweep_is_not_trained_again() -> None:
    sweep("five", f"{RATE},0.005")
    known, found = records("four"), records("five")
    by_rate = {values(record): record for record in found.values()}
    assert by_rate[("0.005",)].reason is None
    for record in known.values():
        again = by_rate[values(record)]
        assert (again.reason, again.score) == ("trained before: result reused", record.score)
        assert len(again.curves) == record.epochs
        np.testing.assert_array_equal(again.curves, record.curves)


@pytest.mark.usefixtures("four")
def test_the_stages_reproduce_the_winner_that_is_promoted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    params = Path("params.yaml")
    before = params.read_text("utf-8")
    try:
        best = json.loads(Path("data/sweeps/four/winner.json").read_text("utf-8"))
        arguments = ["promote", "--name", "four", "--trial", str(best["trial"])]
        monkeypatch.setattr(sys, "argv", ["sweep", *arguments])
        command.main()
        rate = dict(one.split("=") for one in best["overrides"])["optimizer.learning_rate"]
        assert capsys.readouterr().out == (
            f"params.yaml now has the values of trial {best['trial']} of the sweep four:\n"
            f"  training.epochs: 20\n  optimizer.learning_rate: {rate}\n"
            "to train and evaluate it: dvc repro\n"
        )
        assert before.splitlines()[0] in params.read_text("utf-8")
        params.write_text(params.read_text("utf-8") + "tracking: {enabled: false}\n", "utf-8")
        for stage in (configure, prepare, baselines, train, evaluate):
            stage.main()
        metrics = json.loads(Path("data/metrics.json").read_text("utf-8"))
        winner = pd.read_csv("data/sweeps/four/results/winner.csv").set_index("model")
        assert metrics["in_sample"]["rmse"] == pytest.approx(winner["train"]["winner"], rel=1e-6)
    finally:
        params.write_text(before, "utf-8")


@pytest.mark.usefixtures("four")
def test_a_winner_that_is_no_better_is_promoted_by_its_number_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = Path("params.yaml").read_text("utf-8")
    best = json.loads(Path("data/sweeps/four/winner.json").read_text("utf-8"))
    assert run(monkeypatch, "promote", "--name", "four") == 1
    assert capsys.readouterr().err == (
        f"error: {best['compared_with_start']}; params.yaml is left as it is; to write the"
        " winner's values all the same: python -m pipeline.sweep promote --name four --trial"
        f" {best['trial']}\n"
    )
    assert Path("params.yaml").read_text("utf-8") == before


def test_the_starting_point_is_the_first_trial_and_is_not_pruned(
    capsys: pytest.CaptureFixture[str],
) -> None:
    sweep(
        "started", "optimizer.learning_rate=interval(1e-6, 0.011)", "sweep.sampler=random",
        "sweep.trials=9", "sweep.parallel_trials=9", "training.seed=5",
        "sweep.pruning.enabled=true", "sweep.pruning.first_epoch=1", "sweep.pruning.factor=9",
    )  # fmt: skip
    found = records("started")
    assert sorted(found) == list(range(9))
    assert vars(found[0])["values"] == {"optimizer.learning_rate": 0.01}
    assert found[0].state == "complete"
    assert [record.state for record in found.values()].count("pruned") == 7
    assert "not in the search space" not in capsys.readouterr().out


@pytest.fixture(scope="module")
def encodings(root: Path) -> str:
    """The name of a sweep whose trials encode the same rows in other ways."""
    name = "encodings"
    random = np.random.default_rng(10)
    x, z = random.uniform(0, 6, (2, 48)).round(3)
    table = pd.DataFrame({"x": x, "z": z, "y": x / 3 - z / 4 + random.normal(0, 0.3, 48)})
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        table.to_csv("data/raw/noisy.csv", index=False)
        sweep(
            name, "data=table", "data.path=data/raw/noisy.csv", "data.target=y",
            "data.split.folds=2", "training=tabular", "model=mlp", "optimizer=adam",
            "optimizer.learning_rate=0.01", "sweep.ensemble=4", "data.bins=2,4",
            "data.scale_inputs=standardize,piecewise",
        )  # fmt: skip
    return name


KEYS = ("data.bins", "data.scale_inputs")


def prepared_as(values: Mapping[str, str]) -> tuple[Config, Prepared]:
    """The experiment of a trial of that sweep, prepared by itself."""
    fixed = json.loads(Path("data/sweeps/encodings/winner.json").read_text("utf-8"))["fixed"]
    config = compose(Path(), [*fixed, *(f"{key}={value}" for key, value in values.items())]).config
    return config, prepare_data(config.data)


def test_a_trial_has_the_score_of_its_encoding_alone(encodings: str) -> None:
    found = records(encodings)
    assert len({record.fingerprint for record in found.values()}) == 4
    for record in found.values():
        assert (record.state, record.reason) == ("complete", None)
        config, data = prepared_as(dict(zip(KEYS, values(record), strict=True)))
        (alone,) = trials.train_all([config], Tables(data, config), config.sweep.score)
        assert record.score == pytest.approx(alone.result.score, rel=1e-3)
        configured = tuple(str(record.configuration[key]) for key in KEYS)
        assert configured == values(record)
    scores = {values(record): record.score for record in found.values()}
    assert scores["2", "piecewise"] != scores["4", "piecewise"]
    assert scores["2", "standardize"] == pytest.approx(scores["4", "standardize"], rel=1e-6)


def test_keras_alone_predicts_what_an_ensemble_of_encodings_reports(encodings: str) -> None:
    folder = Path("data/sweeps") / encodings
    errors = (
        pd.read_csv(folder / "results/winner.csv")
        .set_index("model")
        .filter(like="ensemble", axis=0)
    )
    model = keras.saving.load_model(folder / "ensemble/model.keras", compile=False, safe_mode=True)
    ways = {layer.name for fold in folds_of(model) for layer in fold.layers}
    assert {"encoding_1", "encoding_2"} <= ways
    _, data = prepared_as({})
    for part in ("train", "test"):
        predicted = np.asarray(model(inputs(data.parts[part], data.encoding)))[:, 0]
        rmse = np.sqrt(np.square(data.parts[part]["y"] - predicted).mean())
        assert errors[part].item() == pytest.approx(rmse, rel=1e-5)


def test_the_encoding_of_the_winner_is_promoted(encodings: str) -> None:
    params = Path("params.yaml")
    before = params.read_text("utf-8")
    folder = Path("data/sweeps") / encodings
    best = json.loads((folder / "winner.json").read_text("utf-8"))
    try:
        params.write_text("data: {path: data/raw/noisy.csv, target: y}\n", "utf-8")
        command.promote_command(encodings, best["trial"])
        data = prepare_data(compose(Path()).config.data)
    finally:
        params.write_text(before, "utf-8")
    assert data.encoding == Encoding.read(folder / "model/encoding.json")


def test_an_encoding_that_the_table_does_not_allow_is_refused_before_the_first_trial(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    table = Path("data/raw/negative.csv")
    table.write_text("x,y\n" + "".join(f"{i},{i * 7 % 20 - 9.5}\n" for i in range(20)), "utf-8")
    arguments = ("data=table", f"data.path={table}", "data.target=y", "data.split.folds=0")
    overrides = [*QUICK, *arguments, "data.scale_target=standardize,log", "sweep.name=negative"]
    assert run(monkeypatch, *overrides) == 1
    assert capfd.readouterr().err.splitlines()[-1] == (
        "error: data.scale_target=log: data/raw/negative.csv, column 'y': -9.5 has no logarithm;"
        " leave log out of the search space"
    )
    assert records("negative") == {}


def test_trials_that_were_pruned_ahead_of_the_best_one_are_trained_to_their_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def reversed_order(scores: Any, active: Any, _factor: int) -> list[int]:
        return [index for index in active if scores[index] < max(scores[one] for one in active)]

    monkeypatch.setattr(trials, "worst", reversed_order)
    sweep(
        "ahead", "optimizer.learning_rate=0.002,0.003,0.004", "training.seed=6",
        "sweep.pruning.enabled=true", "sweep.pruning.first_epoch=15", "sweep.pruning.factor=2",
    )  # fmt: skip
    states = {values(record)[0]: record for record in records("ahead").values()}
    assert {rate: record.state for rate, record in states.items()} == {
        "0.002": "complete", "0.003": "pruned", "0.004": "pruned",
    }  # fmt: skip
    printed = capsys.readouterr().out
    number = states["0.004"].number
    assert "ahead of the best complete one: 2, now trained to their end\n" in printed
    assert f"winner (trial {number}), trained alone" in printed
    table = pd.read_csv("data/sweeps/ahead/results/trials.csv").set_index("trial")
    winner = pd.read_csv("data/sweeps/ahead/results/winner.csv").set_index("model")
    at_end = table["score_at_end"]
    assert at_end[number] == at_end.min() == pytest.approx(winner["train"]["winner"], rel=1e-3)
    assert at_end[number] < table["score"][number]
    assert at_end[states["0.002"].number] == table["score"][states["0.002"].number]


def test_trials_that_diverge_or_contradict_themselves_do_not_end_the_sweep(
    capsys: pytest.CaptureFixture[str],
) -> None:
    space = ("optimizer.learning_rate=0.0015,1000", "optimizer.momentum=0.0,0.5")
    sweep("mixed", *space, "optimizer.nesterov=true,false")
    reasons = {
        values(record): (record.state, record.reason or "") for record in records("mixed").values()
    }
    for momentum, nesterov in (("0.0", "False"), ("0.5", "False"), ("0.5", "True")):
        assert reasons["0.0015", momentum, nesterov] == ("complete", "")
        state, reason = reasons["1000", momentum, nesterov]
        assert state == "failed"
        assert "diverged: the loss became" in reason
    for rate in ("0.0015", "1000"):
        contradiction = "optimizer: nesterov needs a momentum above 0"
        assert reasons[rate, "0.0", "True"] == ("failed", contradiction)
    assert "best of 8 trials: trial " in capsys.readouterr().out


@pytest.mark.parametrize("error", [MemoryError(), MemoryError("no room")])
def test_a_group_that_does_not_fit_into_memory_fails(
    error: MemoryError, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def too_large(*_arguments: Any, **_options: Any) -> None:
        raise error

    monkeypatch.setattr(trials, "train_group", too_large)
    name = f"large{len(str(error))}"
    sweep(name, SEED, f"training.epochs={4 + len(str(error))}")
    reasons = {record.reason for record in records(name).values()}
    assert reasons == {str(error) or "MemoryError"}
    assert capsys.readouterr().err == (
        f"warning: no trial has a score; data/sweeps/{name}/results/trials.csv lists the reasons\n"
    )


def test_an_interrupted_sweep_loses_nothing_and_is_continued(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "stopped"
    arguments = (*QUICK, f"sweep.name={name}", SEED, "training.epochs=6", "sweep.parallel_trials=2")
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "a.npz")
    with monkeypatch.context() as disk:
        disk.setattr(search, "write_batch", failing(write_batch, full, after=1))
        assert run(disk, *arguments) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"error: the sweep stopped: .*No space left on device.*continues.*", line)
    assert len(records(name)) == 2
    leave_running_trials()
    with monkeypatch.context() as pressed:
        # As Ctrl-C does.
        pressed.setattr(search, "write_batch", failing(write_batch, KeyboardInterrupt(), after=1))
        assert run(pressed, *arguments) == 130
    printed = capsys.readouterr()
    assert re.search(r"best of 4 trials: trial \d, train rmse ", printed.out)
    assert printed.out.endswith("interrupted; the same command continues the sweep\n")
    assert printed.err == "interrupted\n"
    assert len(records(name)) == 4
    leave_running_trials()
    with monkeypatch.context() as crash:
        crash.setattr(Study, "report", failing(Study.report, SystemExit(1), after=0))
        assert run(crash, *arguments) == 1
    assert len(records(name)) == 6
    leave_running_trials()
    command.sweep_command(arguments)
    assert sorted(records(name)) == list(range(7))
    assert "best of 7 trials: " in capsys.readouterr().out


def test_a_sweep_whose_time_is_over_before_a_trial_has_ended_goes_on_with_more() -> None:
    with pytest.raises(UserError, match=r"finished within sweep\.minutes=1e-09; the same"):
        sweep("late", SEED, "sweep.minutes=1e-9", "sweep.trials=2")
    assert records("late") == {}
    sweep("late", SEED, "sweep.trials=3")
    assert len(records("late")) == 3


@pytest.mark.parametrize(
    ("seconds_left", "seconds", "expected"),
    [
        (np.inf, 0, 16),
        (np.inf, 5, 16),
        (600, 0, 1),  # the first one, whose time is not known
        (600, 5, 16),
        (600, 50, 3),
        (120, 50, 1),
        (50, 50, 1),
        (49, 50, 0),
        (0, 0, 0),
        (-1, 5, 0),
    ],
)
def test_with_a_time_limit_only_trials_that_end_in_time_are_trained(
    seconds_left: float, seconds: float, expected: int
) -> None:
    assert search.batch_size(16, seconds_left, seconds) == expected


def test_trials_are_not_trained_again_for_the_summary(monkeypatch: pytest.MonkeyPatch) -> None:
    again: list[Config] = []
    train_all = trials.train_all

    def counted(configs: Sequence[Config], *arguments: Any) -> list[trials.TrainedTrial]:
        again.extend(configs)
        return train_all(configs, *arguments)

    monkeypatch.setattr(summary, "train_all", counted)
    sweep("kept", RATE, "training.seed=9", "sweep.parallel_trials=2")
    assert again == []
    # Another process has none of their networks.
    shutil.rmtree("data/sweeps/kept/results")
    Path("data/sweeps/kept/summary.json").unlink()
    sweep("kept", RATE, "training.seed=9", "sweep.parallel_trials=2")
    assert len(again) == 4


def test_trials_are_not_begun_when_time_is_over(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seconds = iter((0, 1, 101))
    clock = [next(seconds)]
    train_group = trials.train_group

    def trained(*arguments: Any, **options: Any) -> list[trials.TrainedTrial]:
        one = train_group(*arguments, **options)
        clock[0] = next(seconds, clock[0])
        return one

    monkeypatch.setattr(command, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    monkeypatch.setattr(trials, "train_group", trained)
    sweep("cut", "training.batch_size=2,3,4", "sweep.minutes=1")
    found = [records("cut")[number] for number in range(3)]
    assert [(one.state, one.epochs, one.reason) for one in found] == [
        ("complete", 20, None), ("complete", 20, None), ("pruned", 0, "out of time"),
    ]  # fmt: skip
    assert found[2].score is None
    printed = capsys.readouterr().out
    assert "no further trial ends within sweep.minutes=1\nbest of 3 trials: trial " in printed
    assert len(pd.read_csv("data/sweeps/cut/results/trials.csv")) == 3


def test_while_another_worker_trains_the_summary_waits(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Study, "running", lambda _study: 1)
    sweep("shared", SEED, "training.epochs=5")
    assert "other workers are still training; the last worker writes" in capsys.readouterr().out
    assert not Path("data/sweeps/shared/results").exists()


@pytest.mark.usefixtures("four")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the space is empty"),
        (["optimizer.rate=1,2"], "unknown key optimizer.rate"),
        ([RATE, "sweep.trials=0"], "sweep.trials is 0, but must be at least 1"),
        (["optimizer.learning_rate=interval(1, 0.1)"], "not above its start"),
        (["optimizer.learning_rate=0.1,much"], "optimizer.learning_rate"),
        (["tracking=off", "training.seed=1,2", "sweep.name=four"], "belongs to another space"),
        (
            ["tracking=off", RATE, "sweep.storage=sqlite:////dev/null/sweeps.db"],
            "cannot be used",
        ),
        ([RATE, "sweep.name=a/b"], "sweep.name: 'a/b'"),
        (["promote", "--name", "none"], "no such sweep has finished"),
        (["promote", "--name", "four", "--trial", "77"], "has no trial 77"),
    ],
)
def test_a_mistake_is_one_line(
    arguments: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert run(monkeypatch, *arguments) == 1
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert message in line


@pytest.mark.parametrize("arguments", [["--tirals=3"], ["promote", "--nmae", "four"]])
def test_an_unknown_option_is_one_line(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, *arguments) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("error: unrecognized arguments: ")


@pytest.mark.parametrize(
    ("arguments", "usage"),
    [
        (["--help"], "usage: python -m pipeline.sweep [-h] [KEY=VALUES ...]\n"),
        (["promote", "--help"], "usage: python -m pipeline.sweep promote [-h] [--name NAME]"),
    ],
)
def test_help_shows_the_usage(
    arguments: list[str],
    usage: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(monkeypatch, *arguments) == 0
    assert capsys.readouterr().out.startswith(usage)
