"""A study hands out trials up to a limit, each once, and goes on where it was left."""

import csv
import datetime as dt
import json
import multiprocessing
from collections.abc import Callable
from multiprocessing.synchronize import Barrier
from pathlib import Path
from statistics import median
from typing import Any

import matplotlib as mpl
import optuna
import pytest
from optuna.trial import TrialState, create_trial

from pipeline.compose.schema import Sampler
from pipeline.runtime.errors import UserError
from pipeline.sweep.space import Choice, Interval, Space, Values
from pipeline.sweep.study import Study, Told, Trial, _now

mpl.use("agg")

# What is experimental about them is their interface.
pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")

SPAWN = multiprocessing.get_context("spawn")
PATIENCE = 120
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
    **changed: Any,
) -> Study:
    usual: dict[str, Any] = {"storage": None, "made_of": "c0ffee", "seed": 0}
    given = usual | changed
    return Study(
        name, given.pop("storage"), Space(root, [], axes), sampler=sampler, root=root, **given
    )


def fingerprint(values: Values) -> str:
    return repr(sorted(values.items()))


def score(values: Values) -> float:
    return float(values.get("optimizer.learning_rate", 0.5))


def ask_all(
    one: Study, limit: int, told: Callable[[Trial], Told] | None = None, together: int = 4
) -> list[Trial]:
    """Everything that the study asks for, told of as it comes."""
    asked: list[Trial] = []
    while batch := one.ask(together, limit, fingerprint):
        assert len(batch) <= together
        for trial in batch:
            outcome = told(trial) if told else Told("complete", score(trial.values), 5)
            one.tell({trial.number: outcome})
        asked += batch
    return asked


def mistake(call: Callable[[], Any]) -> str:
    with pytest.raises(UserError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    return message


def _ask_and_vanish(root: Path, sampler: Sampler) -> None:
    one = study(root, AXES, sampler)
    first, *_ = one.ask(4, 6, fingerprint)
    one.tell({first.number: Told("complete", 1.0, 2)})


def leave_trials(root: Path, sampler: Sampler) -> None:
    """Four trials of which one is told and three are left by a process that is gone."""
    gone = SPAWN.Process(target=_ask_and_vanish, args=(root, sampler))
    gone.start()
    gone.join(PATIENCE)
    assert gone.exitcode == 0


@pytest.mark.parametrize("sampler", [sampler for sampler in Sampler if sampler is not Sampler.grid])
def test_a_sampler_gives_as_many_trials_as_there_may_be(tmp_path: Path, sampler: Sampler) -> None:
    one = study(tmp_path, sampler=sampler)
    asked = ask_all(one, 10)
    assert [trial.number for trial in asked] == list(range(10))
    rates = {trial.values["optimizer.learning_rate"] for trial in asked}
    assert len(rates) == 10
    assert all(1e-4 <= rate <= 1e-1 for rate in rates)
    assert one.over() == 10
    assert one.ask(4, 10, fingerprint) == []


@pytest.mark.parametrize("sampler", Sampler)
def test_a_sampler_keeps_to_the_axes(tmp_path: Path, sampler: Sampler) -> None:
    asked = ask_all(study(tmp_path, AXES, sampler), 6)
    assert all(tuple(trial.values.values()) in POINTS for trial in asked)
    assert {type(trial.values["training.epochs"]) for trial in asked} == {int}


def test_a_grid_gives_each_point_once_and_then_no_more(tmp_path: Path) -> None:
    one = study(tmp_path, AXES, Sampler.grid)
    asked = ask_all(one, 100)
    assert sorted(tuple(trial.values.values()) for trial in asked) == sorted(POINTS)


def test_a_grid_ends_at_the_limit_and_goes_on_with_the_rest(tmp_path: Path) -> None:
    first = ask_all(study(tmp_path, AXES, Sampler.grid), 4)
    assert len(first) == 4
    rest = ask_all(study(tmp_path, AXES, Sampler.grid), 100)
    points = [tuple(trial.values.values()) for trial in first + rest]
    assert sorted(points) == sorted(POINTS)


def test_a_grid_begins_in_a_study_of_another_sampler(tmp_path: Path) -> None:
    first = ask_all(study(tmp_path, AXES), 2)
    rest = ask_all(study(tmp_path, AXES, Sampler.grid), 100)
    points = {tuple(trial.values.values()) for trial in first + rest}
    assert points == set(POINTS)
    assert not {repr(trial.values) for trial in first} & {repr(trial.values) for trial in rest}


def test_tpe_learns_from_what_it_was_told(tmp_path: Path) -> None:
    one = study(tmp_path, sampler=Sampler.tpe)
    asked = ask_all(one, 40, together=2)
    rates = [trial.values["optimizer.learning_rate"] for trial in asked]
    assert median(rates[30:]) < median(rates[:10])


@pytest.mark.parametrize("sampler", [Sampler.random, Sampler.quasi_random])
def test_a_seed_draws_the_same_points(tmp_path: Path, sampler: Sampler) -> None:
    one, same, other = (
        [
            trial.values
            for trial in ask_all(study(tmp_path, sampler=sampler, name=name, seed=seed), 4)
        ]
        for name, seed in (("one", 1), ("same", 1), ("other", 2))
    )
    assert one == same != other


@pytest.mark.parametrize("sampler", Sampler)
def test_going_on_gives_just_what_is_missing(tmp_path: Path, sampler: Sampler) -> None:
    axes = AXES if sampler is Sampler.grid else RATE
    first = ask_all(study(tmp_path, axes, sampler), 2, together=2)
    again = study(tmp_path, axes, sampler)
    assert again.over() == 2
    rest = ask_all(again, 6)
    assert [trial.number for trial in first + rest] == list(range(6))
    assert len({repr(trial.values) for trial in first + rest}) == 6
    assert study(tmp_path, axes, sampler).ask(4, 6, fingerprint) == []


def test_a_quasi_random_sequence_goes_on_as_if_it_had_not_stopped(tmp_path: Path) -> None:
    whole = ask_all(study(tmp_path, sampler=Sampler.quasi_random, name="whole"), 8)
    parts = [
        trial
        for limit in (3, 8)
        for trial in ask_all(study(tmp_path, sampler=Sampler.quasi_random), limit)
    ]
    assert [trial.values for trial in parts] == [trial.values for trial in whole]


@pytest.mark.parametrize("sampler", Sampler)
def test_what_a_process_left_is_handed_out_again(tmp_path: Path, sampler: Sampler) -> None:
    leave_trials(tmp_path, sampler)
    one = study(tmp_path, AXES, sampler)
    left = {trial.number: trial.params for trial in one.trials()}
    assert one.at_work() == 0
    asked = one.ask(2, 6, fingerprint)
    assert {trial.number: trial.values for trial in asked} == {n: left[n] for n in (1, 2)}
    # They are this process's now, and no other gets them.
    assert one.at_work() == 2
    rest = one.ask(4, 6, fingerprint)
    assert [trial.number for trial in rest] == [3, 4, 5]
    assert one.ask(4, 6, fingerprint) == []
    for trial in asked + rest:
        one.tell({trial.number: Told("complete", 2.0, 2)})
    assert one.over() == 6


def test_a_trial_of_this_process_is_not_handed_out_to_another_study_of_it(tmp_path: Path) -> None:
    one, other = study(tmp_path), study(tmp_path)
    first, second = one.ask(2, 4, fingerprint), other.ask(4, 4, fingerprint)
    assert [trial.number for trial in first + second] == [0, 1, 2, 3]
    assert one.at_work() == other.at_work() == 4


def _join(root: Path, url: str, begin: Barrier) -> None:
    begin.wait(PATIENCE)
    one = study(root, sampler=Sampler.tpe, storage=url)
    numbers = [trial.number for trial in ask_all(one, 24, together=2)]
    (root / "numbers.json").write_text(json.dumps(numbers), "utf-8")


def test_machines_on_one_database_share_the_trials(tmp_path: Path, postgresql: str) -> None:
    # Each in a folder of its own: nothing is shared but the database.
    folders = [tmp_path / name for name in ("one", "two", "three")]
    begin = SPAWN.Barrier(len(folders))
    machines = [SPAWN.Process(target=_join, args=(folder, postgresql, begin)) for folder in folders]
    for folder, machine in zip(folders, machines, strict=True):
        folder.mkdir()
        machine.start()
    for machine in machines:
        machine.join(PATIENCE)
    assert [machine.exitcode for machine in machines] == [0, 0, 0]
    asked = [json.loads((folder / "numbers.json").read_text("utf-8")) for folder in folders]
    assert sorted(number for each in asked for number in each) == list(range(24))
    joined = study(tmp_path, storage=postgresql)
    assert (joined.over(), len(joined.trials())) == (24, 24)


def test_a_trial_is_told_as_it_ended(tmp_path: Path) -> None:
    outcomes = [
        Told("complete", 1.5, 9),
        Told("pruned", 2.5, 3, "pruned"),
        Told("failed", None, 2, "diverged: the loss became nan in epoch 3"),
    ]
    one = study(tmp_path)
    asked = one.ask(3, 3, fingerprint)
    for trial, outcome in zip(asked, outcomes, strict=True):
        one.tell({trial.number: outcome})
    for same in (one, study(tmp_path)):
        assert same.told() == {
            trial.number: (trial.values, outcome)
            for trial, outcome in zip(asked, outcomes, strict=True)
        }
        states = [trial.state for trial in same.trials()]
        assert states == [TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL]


def _stored(root: Path, name: str) -> list[dict[str, Any]]:
    """All that a study's database says of its trials, but for times, names and ids."""
    trials = optuna.load_study(storage=f"sqlite:///{root}/sweeps.db", study_name=name).trials
    kept = (
        "number", "state", "values", "params", "distributions", "intermediate_values",
        "system_attrs",
    )  # fmt: skip
    return [{key: getattr(trial, key) for key in kept} for trial in trials]


def test_the_database_holds_what_optuna_would_have_written(tmp_path: Path) -> None:
    outcomes = [
        Told("complete", 1.5, 9),
        Told("pruned", 2.5, 3, "pruned"),
        Told("failed", None, 2, "diverged"),
        Told("failed", 1.0, 2, "has a score, and failed all the same"),
    ]
    one = study(tmp_path, RATE | AXES)
    asked = one.ask(5, 5, fingerprint)
    one.tell({trial.number: told for trial, told in zip(asked, outcomes, strict=False)})
    theirs = optuna.create_study(storage=f"sqlite:///{tmp_path}/sweeps.db", study_name="theirs")
    for trial, told in zip(asked, [*outcomes, None], strict=True):
        distributions = one.trials()[trial.number].distributions
        theirs.add_trial(
            create_trial(state=TrialState.RUNNING, params=trial.values, distributions=distributions)
        )
        if told is None:
            continue
        if told.state == "complete":
            theirs.tell(trial.number, told.score)
        elif told.state == "pruned":
            trial_id = theirs.trials[trial.number]._trial_id
            assert told.score is not None
            theirs._storage.set_trial_intermediate_value(trial_id, told.epochs, told.score)
            theirs.tell(trial.number, state=TrialState.PRUNED)
        else:
            theirs.tell(trial.number, state=TrialState.FAIL)
    assert _stored(tmp_path, "spring") == _stored(tmp_path, "theirs")
    for ours in one.trials():
        assert ours.datetime_start is not None
        assert abs(_now() - ours.datetime_start) < dt.timedelta(minutes=5)
        assert (ours.datetime_complete is not None) == ours.state.is_finished()


def test_who_is_told_twice_keeps_the_first(tmp_path: Path) -> None:
    one = study(tmp_path)
    (trial,) = one.ask(1, 1, fingerprint)
    one.tell({trial.number: Told("complete", 1.0, 5)})
    one.tell({trial.number: Told("failed", None, 0, "later")})
    assert one.told()[0][1] == Told("complete", 1.0, 5)


def test_the_table_has_the_best_trial_first(tmp_path: Path) -> None:
    one = study(tmp_path)
    assert one.table().empty
    scores = {0: 3.0, 1: 1.0, 2: None, 3: 2.0}

    def told(trial: Trial) -> Told:
        number = scores[trial.number]
        if number is None:
            return Told("failed", None, 1, "no luck")
        return Told("complete", number, 5)

    asked = ask_all(one, 4, told)
    table = one.table()
    assert list(table["trial"]) == [1, 3, 0, 2]
    assert list(table["state"]) == ["complete"] * 3 + ["failed"]
    assert table["reason"].iloc[-1] == "no luck"
    rates = {trial.number: trial.values["optimizer.learning_rate"] for trial in asked}
    assert list(table["optimizer.learning_rate"]) == [rates[number] for number in table["trial"]]


@pytest.mark.parametrize("sampler", Sampler)
def test_complete_trials_are_known_to_every_study_of_the_database(
    tmp_path: Path, sampler: Sampler
) -> None:
    def told(trial: Trial) -> Told:
        if trial.number == 1:
            return Told("pruned", 3.0, 2, "pruned")
        return Told("complete", float(trial.number), 5)

    asked = ask_all(study(tmp_path, AXES, sampler), 4, told)
    known = study(tmp_path, AXES, name="autumn").known()
    expected = {
        fingerprint(trial.values): told(trial) for trial in asked if told(trial).state == "complete"
    }
    assert known == expected


def test_a_name_belongs_to_one_space(tmp_path: Path) -> None:
    study(tmp_path)
    said = mistake(lambda: study(tmp_path, made_of="another"))
    assert said == (
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


@pytest.mark.parametrize("place", [no_folder, no_database, no_server, no_url])
def test_a_database_out_of_reach_is_named(tmp_path: Path, place: Callable[[Path], str]) -> None:
    url = place(tmp_path)
    said = mistake(lambda: study(tmp_path, storage=url))
    assert said.startswith(f"sweep.storage: {url}: cannot be used: ")


def test_a_grid_over_an_interval_creates_no_study(tmp_path: Path) -> None:
    for _ in range(2):
        said = mistake(lambda: study(tmp_path, sampler=Sampler.grid))
        assert said.startswith("optimizer.learning_rate is an interval, of which a grid has no end")
    assert len(ask_all(study(tmp_path), 2)) == 2


def test_the_figures_are_of_the_trials(tmp_path: Path) -> None:
    one = study(tmp_path, RATE | AXES)
    folder = tmp_path / "few"
    folder.mkdir()
    ask_all(one, 2)
    one.draw(folder)
    assert {path.name for path in folder.iterdir()} == {"history.png"}
    ask_all(one, 12)
    one.draw(tmp_path)
    with (tmp_path / "importance.csv").open(encoding="utf-8") as lines:
        shares = {row["key"]: float(row["importance"]) for row in csv.DictReader(lines)}
    assert max(shares, key=shares.__getitem__) == "optimizer.learning_rate"
    assert sum(shares.values()) == pytest.approx(1)
    for name in ("history", "parallel_coordinates", "importance"):
        assert (tmp_path / f"{name}.png").stat().st_size > 5000
