"""Batches of trials are written as Optuna would write them one by one."""

import datetime as dt
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial

from pipeline.sweep.storage import Storage
from pipeline.sweep.trial_result import TrialResult

DISTRIBUTIONS = {
    "rate": FloatDistribution(1e-4, 1e-1, log=True),
    "epochs": IntDistribution(2, 4),
    "size": CategoricalDistribution(("8", "16")),
}
POINTS: list[dict[str, Any]] = [
    {"rate": 10.0**-power, "epochs": power, "size": size}
    for power, size in ((2, "8"), (3, "16"), (4, "8"), (2, "16"), (3, "8"))
]
RESULTS = {
    0: TrialResult("complete", 1.5, 9),
    1: TrialResult("pruned", 2.5, 3, "pruned"),
    2: TrialResult("failed", None, 2, "diverged"),
    3: TrialResult("failed", 1.0, 2, "has a score, and failed all the same"),
}


def stored(url: str, name: str) -> list[dict[str, Any]]:
    """All that a study's database has about its trials but times, user attributes and ids."""
    kept = (
        "number", "state", "values", "params", "distributions", "intermediate_values",
        "system_attrs",
    )  # fmt: skip
    trials = optuna.load_study(storage=url, study_name=name).trials
    return [{key: getattr(trial, key) for key in kept} for trial in trials]


def test_the_database_holds_what_optuna_would_have_written(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/sweeps.db"
    storage = Storage(url, tmp_path / "lock")
    ours = storage.study("ours", {})
    storage.begin_trials("ours", POINTS[:2], DISTRIBUTIONS, first=0, worker="one")
    storage.begin_trials("ours", POINTS[2:], DISTRIBUTIONS, first=2, worker="one")
    storage.end_trials("ours", RESULTS)
    theirs = optuna.create_study(storage=url, study_name="theirs")
    for number, point in enumerate(POINTS):
        running = create_trial(state=TrialState.RUNNING, params=point, distributions=DISTRIBUTIONS)
        theirs.add_trial(running)
        result = RESULTS.get(number)
        if result is None:
            continue
        if result.state == "complete":
            theirs.tell(number, result.score)
        elif result.state == "pruned":
            assert result.score is not None
            running_trial = optuna.Trial(theirs, theirs.trials[number]._trial_id)
            running_trial.report(result.score, result.epochs)
            theirs.tell(running_trial, state=TrialState.PRUNED)
        else:
            theirs.tell(number, state=TrialState.FAIL)
    assert stored(url, "ours") == stored(url, "theirs")
    for trial in ours.trials:
        assert trial.datetime_start is not None
        now = dt.datetime.now(tz=trial.datetime_start.tzinfo)
        assert abs(now - trial.datetime_start) < dt.timedelta(minutes=5)
        assert (trial.datetime_complete is not None) == trial.state.is_finished()


def test_a_study_keeps_the_attributes_that_it_was_created_with(tmp_path: Path) -> None:
    storage = Storage(f"sqlite:///{tmp_path}/sweeps.db", tmp_path / "lock")
    for value in (1, 2):
        assert storage.study("one", {"version": value}).user_attrs == {"version": 1}
    assert [study.study_name for study in storage.studies()] == ["one"]
