"""The documented experiments of DVC's that test_pipeline.py leaves out, in a clone."""

import pytest

from tests.clone import Clone
from tests.readme import commands

PAGE = "docs/experiments.md"
LEARNING_RATE = "+optimizer.learning_rate=0.02"
SINGLE = [command for command in commands("dvc exp run", PAGE) if "--queue" not in command]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return Clone(tmp_path_factory.mktemp("experiments") / "project")


@pytest.mark.long
def test_every_experiment_of_the_page_is_a_run_with_its_value(clone: Clone) -> None:
    for command in SINGLE:
        if "conf.data=diabetes" not in command:
            clone.git("checkout", "--", ".")
            clone.run(*command)
    runs = {run.info.run_name: run.data.params for run in clone.runs()}
    assert clone.experiments() == set(runs)
    assert {params["optimizer.learning_rate"] for params in runs.values()} == {"0.02"}


@pytest.mark.long
def test_queued_experiments_end_as_complete_runs_of_their_names(clone: Clone) -> None:
    clone.git("checkout", "--", ".")
    known = {run.info.run_name for run in clone.runs()}
    queue, start, status = (
        next(command for command in commands("dvc", PAGE) if words <= set(command))
        for words in ({"run", "--queue"}, {"queue", "start"}, {"queue", "status"})
    )
    clone.run(*queue)
    # What ran before under another name: its results come from DVC's cache.
    clone.dvc("exp", "run", "--queue", "--name", "again", "-S", LEARNING_RATE)
    clone.run(*start)
    queued = clone.wait_for_queue(status, 4)
    new = [run for run in clone.runs() if run.info.run_name not in known]
    assert {run.info.run_name for run in new} == queued
    assert "again" in queued
    for run in new:
        assert run.info.status == "FINISHED"
        epochs = int(run.data.params["training.epochs"])
        points = clone.client().get_metric_history(run.info.run_id, "loss")
        assert [point.step for point in points] == list(range(1, epochs + 1))
        folders = {item.path for item in clone.client().list_artifacts(run.info.run_id)}
        assert {"evaluation", "training", "provenance"} <= folders
