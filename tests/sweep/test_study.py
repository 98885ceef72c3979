"""A study assigns each trial once, up to a limit, and continues where it was left."""

import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median
from threading import Barrier
from typing import Any

import pytest
from optuna.storages import RDBStorage
from optuna.trial import TrialState

from pipeline.compose.schema import Config, Sampler
from pipeline.runtime.errors import UserError
from pipeline.sweep import storage
from pipeline.sweep.space import Choice, Interval, Space
from pipeline.sweep.storage import Storage
from pipeline.sweep.study import Study, Trial
from pipeline.sweep.trial_result import TrialResult

# Optuna's quasi-random sampler is experimental in its interface.
pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")

AXES: dict[str, Choice | Interval] = {
    "training.batch_size": Choice(("8", "16")),
    "training.epochs": Interval(2, 4),
}
POINTS = [(size, epochs) for size in ("8", "16") for epochs in (2, 3, 4)]
RATE: dict[str, Choice | Interval] = {"optimizer.learning_rate": Interval(1e-4, 1e-1, log=True)}


def study(
    root: Path,
    axes: dict[str, Choice | Interval] = RATE,
    sampler: Sampler = Sampler.random,
    name: str = "spring",
    url: str | None = None,
    **changed: Any,
) -> Study:
    arguments: dict[str, Any] = {"inputs_hash": "c0ffee", "seed": 0} | changed
    return Study(
        name, url, Space(root, Config(), [], axes), sampler=sampler, root=root, **arguments
    )


def rate_as_score(trial: Trial) -> TrialResult:
    score = float(trial.values.get("optimizer.learning_rate", 0.5))
    return TrialResult("complete", score, 5, fingerprint=repr(trial.values))


def ask_all(
    one: Study,
    limit: int,
    result: Callable[[Trial], TrialResult] = rate_as_score,
    count: int = 4,
) -> list[Trial]:
    """All trials that the study assigns, count at a time, each reported at once."""
    asked: list[Trial] = []
    while batch := one.ask(count, limit):
        assert len(batch) <= count
        one.report({trial.number: result(trial) for trial in batch})
        asked += batch
    return asked


def mistake(call: Callable[[], Any]) -> str:
    with pytest.raises(UserError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database without studies, to be copied: Optuna creates one in half a second."""
    root = tmp_path_factory.mktemp("empty")
    Storage(f"sqlite:///{root}/sweeps.db", root / "lock")
    return root / "sweeps.db"


@pytest.fixture(autouse=True)
def _copy(tmp_path: Path, empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWEEP_STORAGE", "")
    # Optuna takes longer to compare the version of a database than a test to use it.
    monkeypatch.setattr(storage, "RDBStorage", partial(RDBStorage, skip_compatibility_check=True))
    shutil.copy(empty, tmp_path)


@pytest.fixture(scope="module")
def gone() -> str:
    """The worker name of a process of this machine that has ended."""
    ended = subprocess.Popen([sys.executable, "-S", "-c", ""])
    ended.wait()
    return f"{socket.gethostname()}/{ended.pid}/1700000000"


@pytest.mark.parametrize("sampler", [sampler for sampler in Sampler if sampler is not Sampler.grid])
def test_a_sampler_gives_trials_up_to_the_limit(tmp_path: Path, sampler: Sampler) -> None:
    one = study(tmp_path, sampler=sampler)
    asked = ask_all(one, 10)
    assert [trial.number for trial in asked] == list(range(10))
    rates = {trial.values["optimizer.learning_rate"] for trial in asked}
    assert len(rates) == 10
    assert all(1e-4 <= rate <= 1e-1 for rate in rates)
    assert one.finished() == 10
    assert one.ask(4, 10) == []


@pytest.mark.parametrize("sampler", Sampler)
def test_a_sampler_stays_within_the_axes(tmp_path: Path, sampler: Sampler) -> None:
    asked = ask_all(study(tmp_path, AXES, sampler), 6)
    assert all(tuple(trial.values.values()) in POINTS for trial in asked)
    assert {type(trial.values["training.epochs"]) for trial in asked} == {int}


def test_a_grid_gives_each_point_once(tmp_path: Path) -> None:
    one = study(tmp_path, AXES, Sampler.grid)
    asked = ask_all(one, 100)
    assert sorted(tuple(trial.values.values()) for trial in asked) == sorted(POINTS)


def test_a_grid_ends_at_the_limit_and_continues_with_the_rest(tmp_path: Path) -> None:
    first = ask_all(study(tmp_path, AXES, Sampler.grid), 4)
    assert len(first) == 4
    rest = ask_all(study(tmp_path, AXES, Sampler.grid), 100)
    points = [tuple(trial.values.values()) for trial in first + rest]
    assert sorted(points) == sorted(POINTS)


def test_a_grid_leaves_out_the_points_of_another_sampler(tmp_path: Path) -> None:
    first = ask_all(study(tmp_path, AXES), 2)
    rest = ask_all(study(tmp_path, AXES, Sampler.grid), 100)
    points = {tuple(trial.values.values()) for trial in first + rest}
    assert points == set(POINTS)
    assert not {repr(trial.values) for trial in first} & {repr(trial.values) for trial in rest}


@pytest.mark.parametrize("sampler", Sampler)
def test_the_first_trial_is_the_starting_point(tmp_path: Path, sampler: Sampler) -> None:
    start = {"training.batch_size": "16", "training.epochs": 3}
    one, other = (study(tmp_path, AXES, sampler, start=start) for _ in range(2))
    assert one.ask(1, 5) == [Trial(0, start)]
    asked = other.ask(2, 5) + ask_all(study(tmp_path, AXES, sampler, start=start), 5)
    assert [trial.number for trial in asked] == [1, 2, 3, 4]
    if sampler is Sampler.grid:
        assert start not in [trial.values for trial in asked]


@pytest.mark.parametrize("sampler", [Sampler.random, Sampler.quasi_random, Sampler.tpe])
def test_workers_that_begin_together_do_not_draw_the_same_points(
    tmp_path: Path, sampler: Sampler
) -> None:
    one, other = (study(tmp_path, sampler=sampler) for _ in range(2))
    asked = one.ask(3, 12) + other.ask(3, 12) + one.ask(3, 12) + other.ask(3, 12)
    assert len({repr(trial.values) for trial in asked}) == 12


@pytest.mark.parametrize("reported_by", ["the same process", "another process"])
def test_tpe_learns_from_results(tmp_path: Path, reported_by: str) -> None:
    one = study(tmp_path, sampler=Sampler.tpe)
    if reported_by == "another process":
        ask_all(study(tmp_path), 15)
    asked = ask_all(one, 40, count=2)
    rates = [trial.values["optimizer.learning_rate"] for trial in asked]
    assert median(rates[-10:]) < 1e-3


@pytest.mark.parametrize("sampler", [Sampler.random, Sampler.quasi_random])
def test_a_seed_gives_the_same_points(tmp_path: Path, sampler: Sampler) -> None:
    one, same, other = (
        [
            trial.values
            for trial in ask_all(study(tmp_path, sampler=sampler, name=name, seed=seed), 4)
        ]
        for name, seed in (("one", 1), ("same", 1), ("other", 2))
    )
    assert one == same != other


@pytest.mark.parametrize("sampler", Sampler)
def test_a_continued_study_gives_only_what_is_missing(tmp_path: Path, sampler: Sampler) -> None:
    axes = AXES if sampler is Sampler.grid else RATE
    first = ask_all(study(tmp_path, axes, sampler), 2, count=2)
    again = study(tmp_path, axes, sampler)
    assert again.finished() == 2
    rest = ask_all(again, 6)
    assert [trial.number for trial in first + rest] == list(range(6))
    assert len({repr(trial.values) for trial in first + rest}) == 6
    assert study(tmp_path, axes, sampler).ask(4, 6) == []


def test_a_quasi_random_sequence_continues_as_if_it_had_not_stopped(tmp_path: Path) -> None:
    whole = ask_all(study(tmp_path, sampler=Sampler.quasi_random, name="whole"), 8)
    parts = [
        trial
        for limit in (3, 8)
        for trial in ask_all(study(tmp_path, sampler=Sampler.quasi_random), limit)
    ]
    assert [trial.values for trial in parts] == [trial.values for trial in whole]


@pytest.mark.parametrize("sampler", Sampler)
def test_trials_of_a_process_that_has_ended_are_assigned_again(
    tmp_path: Path, sampler: Sampler, gone: str
) -> None:
    left = study(tmp_path, AXES, sampler, worker=gone)
    first, second, third, fourth = left.ask(4, 6)
    left.report({first.number: TrialResult("complete", 1.0, 2)})
    one = study(tmp_path, AXES, sampler)
    assert one.running() == 0
    assert one.ask(2, 6) == [second, third]
    # They are this process's now, and no other study gets them.
    assert one.running() == 2
    rest = study(tmp_path, AXES, sampler).ask(4, 6)
    assert rest[0] == fourth
    assert [trial.number for trial in rest] == [3, 4, 5]
    assert one.ask(4, 6) == []
    one.report({number: TrialResult("complete", 2.0, 2) for number in range(1, 6)})
    assert one.finished() == 6


@pytest.mark.parametrize("worker", [None, "another-machine/1/1700000000"])
def test_trials_that_a_process_is_training_are_not_assigned_again(
    tmp_path: Path, worker: str | None
) -> None:
    one, other = study(tmp_path, worker=worker), study(tmp_path)
    first, second = one.ask(2, 4), other.ask(4, 4)
    assert [trial.number for trial in first + second] == [0, 1, 2, 3]
    assert one.running() == other.running() == 4


def test_machines_on_one_database_share_the_trials(tmp_path: Path, postgresql: str) -> None:
    # Each has a folder of its own, so that they share nothing but the database.
    folders = [tmp_path / name for name in ("one", "two", "three")]
    begin = Barrier(len(folders))

    def join(folder: Path) -> list[int]:
        folder.mkdir()
        begin.wait(60)
        one = study(folder, sampler=Sampler.tpe, url=postgresql)
        return [trial.number for trial in ask_all(one, 24, count=2)]

    with ThreadPoolExecutor(len(folders)) as machines:
        asked = list(machines.map(join, folders))
    assert sorted(number for each in asked for number in each) == list(range(24))
    assert all(asked)
    joined = study(tmp_path, url=postgresql)
    assert (joined.finished(), len(joined.trials())) == (24, 24)


def test_results_are_read_as_they_were_reported(tmp_path: Path) -> None:
    results = [
        TrialResult("complete", 1.5, 9, fingerprint="abc"),
        TrialResult("pruned", 2.5, 3, "pruned"),
        TrialResult("failed", None, 2, "diverged: the loss became nan in epoch 3"),
    ]
    one = study(tmp_path)
    asked = one.ask(3, 3)
    one.report({trial.number: result for trial, result in zip(asked, results, strict=True)})
    for same in (one, study(tmp_path)):
        assert same.results() == {
            trial.number: (trial.values, result)
            for trial, result in zip(asked, results, strict=True)
        }
        states = [trial.state for trial in same.trials()]
        assert states == [TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL]


def test_a_trial_that_is_reported_twice_keeps_its_first_result(tmp_path: Path) -> None:
    one = study(tmp_path)
    (trial,) = one.ask(1, 1)
    one.report({trial.number: TrialResult("complete", 1.0, 5)})
    one.report({trial.number: TrialResult("failed", None, 0, "later")})
    assert one.results()[0][1] == TrialResult("complete", 1.0, 5)


def test_the_best_trial_is_first(tmp_path: Path) -> None:
    one = study(tmp_path)
    assert one.table().empty
    results = {
        0: TrialResult("complete", 3.0, 5),
        1: TrialResult("complete", 1.0, 5),
        2: TrialResult("failed", None, 1, "diverged"),
        3: TrialResult("complete", 2.0, 5),
        4: TrialResult("pruned", 0.5, 1, "pruned"),
    }
    asked = ask_all(one, 5, lambda trial: results[trial.number])
    assert [number for number, *_ in one.ranking()] == [1, 3, 0]
    assert one.pruned_ahead() == [(4, asked[4].values)]
    table = one.table()
    assert list(table["trial"]) == [4, 1, 3, 0, 2]
    assert list(table["state"]) == ["pruned", *["complete"] * 3, "failed"]
    assert table["reason"].iloc[-1] == "diverged"
    rates = {trial.number: trial.values["optimizer.learning_rate"] for trial in asked}
    assert list(table["optimizer.learning_rate"]) == [rates[number] for number in table["trial"]]


@pytest.mark.parametrize("sampler", Sampler)
def test_complete_results_are_known_to_every_study_of_the_database(
    tmp_path: Path, sampler: Sampler
) -> None:
    def result(trial: Trial) -> TrialResult:
        if trial.number == 1:
            return TrialResult("pruned", 3.0, 2, "pruned", "1")
        return TrialResult("complete", float(trial.number), 5, fingerprint=str(trial.number))

    asked = ask_all(study(tmp_path, AXES, sampler), 4, result)
    known = study(tmp_path, AXES, name="autumn").complete_results()
    assert known == {str(trial.number): result(trial) for trial in asked if trial.number != 1}


def test_a_name_belongs_to_one_space(tmp_path: Path) -> None:
    study(tmp_path)
    assert mistake(lambda: study(tmp_path, inputs_hash="another")) == (
        f"sweep.name: the study 'spring' in sqlite:///{tmp_path}/sweeps.db belongs to another"
        " space, experiment or version of the code; choose another name"
    )


def no_folder(root: Path) -> str:
    return f"sqlite:///{root}/none/sweeps.db"


def no_database(root: Path) -> str:
    (root / "junk.db").write_text("no database\n" * 1000, "utf-8")
    return f"sqlite:///{root}/junk.db"


def no_server(_root: Path) -> str:
    return "postgresql://127.0.0.1:1/none"


def no_url(_root: Path) -> str:
    return "sweeps.db"


@pytest.mark.parametrize("broken", [no_folder, no_database, no_server, no_url])
def test_a_database_that_cannot_be_used_is_named(
    tmp_path: Path, broken: Callable[[Path], str]
) -> None:
    url = broken(tmp_path)
    message = mistake(lambda: study(tmp_path, url=url))
    assert message.startswith(f"sweep.storage: {url}: cannot be used: ")


def test_the_environment_names_the_database_unless_the_configuration_does(
    tmp_path: Path, empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("first", "second"):
        shutil.copy(empty, tmp_path / f"{name}.db")
    monkeypatch.setenv("SWEEP_STORAGE", f"sqlite:///{tmp_path}/first.db")
    assert len(ask_all(study(tmp_path), 2)) == 2
    assert study(tmp_path, url=f"sqlite:///{tmp_path}/second.db").trials() == []
    monkeypatch.setenv("SWEEP_STORAGE", "junk")
    assert mistake(lambda: study(tmp_path)).startswith("SWEEP_STORAGE: junk: cannot be used: ")


def test_a_grid_over_an_interval_creates_no_study(tmp_path: Path) -> None:
    for _ in range(2):
        message = mistake(lambda: study(tmp_path, sampler=Sampler.grid))
        assert message.startswith("optimizer.learning_rate is an interval, which has no finite")
    assert len(ask_all(study(tmp_path), 2)) == 2
