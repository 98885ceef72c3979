"""DVC's experiments, the second table, and predictions by command, in a clone."""

import json
from io import StringIO

import pandas as pd
import pytest
from sklearn.datasets import load_diabetes

from pipeline import predict
from pipeline.runtime.entry import run as run_command
from tests.clone import Clone
from tests.readme import commands

PAGE = "docs/experiments.md"


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone after the page's experiments but for the queue; diabetes is the last."""
    made = Clone(tmp_path_factory.mktemp("experiments") / "project")
    typed = [command for command in commands("dvc exp run", PAGE) if "--queue" not in command]
    for command in sorted(typed, key=lambda command: "conf.data=diabetes" in command):
        made.run(*command)
        if "conf.data=diabetes" not in command:
            made.git("checkout", "--", ".")
    return made


def test_diabetes_is_measured_on_the_parts_in_the_targets_units(clone: Clone) -> None:
    metrics = json.loads(clone.read("data/metrics.json"))
    assert list(metrics) == ["train", "validation", "test"]
    predictions = pd.read_csv(clone.root / "data/evaluation/predictions.csv")
    true = load_diabetes(as_frame=True, scaled=False).frame["target"]
    assert sorted(predictions["row"]) == list(range(1, 443))
    assert (true.iloc[predictions["row"] - 1].to_numpy() == predictions["true"]).all()
    for part, rows in predictions.groupby("part"):
        rmse = float((rows["residual"] ** 2).mean() ** 0.5)
        assert metrics[str(part)]["rmse"] == pytest.approx(rmse, rel=1e-6)
    spread = float(true.std())
    assert metrics["test"]["rmse"] < 0.85 * spread


def test_the_run_of_a_split_table_has_validation_curves(clone: Clone) -> None:
    run = clone.runs()[0]
    assert run.data.params["conf.data"] == "diabetes"
    assert "validation_rmse" in run.data.metrics
    assert "test_rmse" in run.data.metrics
    for name in ("loss", "mae", "validation_loss", "validation_mae", "learning_rate"):
        assert len(clone.client().get_metric_history(run.info.run_id, name)) == 100


def test_dvc_compares_the_experiment_with_its_origin(clone: Clone) -> None:
    said = {
        " ".join(command): clone.run(*command).stdout
        for start in ("dvc metrics", "dvc params", "dvc plots", "dvc exp show")
        for command in commands(start, PAGE)
    }
    assert "conf.data" in said["dvc params diff"]
    assert "in_sample.rmse" in said["dvc metrics diff"]
    assert "test.rmse" in said["dvc metrics diff"]
    page = clone.read("dvc_plots/index.html")
    for title in ("Loss by epoch", "Mean absolute error by epoch", "Predicted against true"):
        assert title in page
    (show,) = commands("dvc exp show", PAGE)
    columns = clone.run(*show, "--csv").stdout.splitlines()[0].split(",")
    for value in ("training.epochs", "optimizer.learning_rate", "model.layers", "test.rmse"):
        assert len([column for column in columns if column.split(":")[-1] == value]) == 1


def test_each_experiment_is_a_run_of_its_name(clone: Clone) -> None:
    shown = pd.read_csv(StringIO(clone.dvc("exp", "show", "--csv").stdout))
    names = set(shown["Experiment"].dropna()) - {"main"}
    runs = {run.info.run_name: run for run in clone.runs()}
    assert names == set(runs)
    rates = {run.data.params["optimizer.learning_rate"] for run in runs.values()}
    assert rates == {"0.01", "0.02"}


def test_predict_answers_for_a_model_folder_and_for_a_tracked_model(
    clone: Clone,
) -> None:
    table = load_diabetes(as_frame=True, scaled=False).frame
    rows = table[table.columns[::-1]].assign(note="ignored")
    rows.to_csv(clone.root / "rows.csv", index=False)
    evaluated = pd.read_csv(clone.root / "data/evaluation/predictions.csv").set_index("row")
    expected = evaluated["predicted"].sort_index().to_numpy()
    for model in ("data/model", f"runs:/{clone.runs()[0].info.run_id}/model"):
        with clone.inside():
            run_command(predict.main, predict.command_parser(), ["rows.csv", "--model", model])
        answered = pd.read_csv(clone.root / "predictions.csv")
        assert answered["predicted"].to_numpy() == pytest.approx(expected, rel=1e-5)
        assert list(answered.columns) == [*rows.columns, "predicted"]


def test_a_missing_column_is_named_and_nothing_is_written(clone: Clone) -> None:
    (clone.root / "few.csv").write_text("age,sex\n1,2\n", "utf-8")
    done = clone.python("-m", "pipeline.predict", "few.csv", "--output", "none.csv", check=False)
    assert done.returncode == 1
    assert done.stderr == (
        "error: few.csv: has no column 'bmi', which the model reads; it has age, sex\n"
    )
    assert not (clone.root / "none.csv").exists()


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
    clone.dvc("exp", "run", "--queue", "--name", "again", "-S", "training.epochs=50")
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
