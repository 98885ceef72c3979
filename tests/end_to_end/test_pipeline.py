"""The default experiment by real `dvc repro`, and another by `dvc exp run`, in a clone: the
notebook's numbers, the tracked runs, predictions, and the way back. The tests share one
clone, in this order."""

import importlib.util
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
import yaml
from mlflow import MlflowClient
from mlflow.entities import Run
from sklearn.datasets import load_diabetes

from pipeline import predict, track
from pipeline.network.backend import keras
from pipeline.runtime.entry import run as run_command
from pipeline.runtime.errors import UserError
from pipeline.stages import train
from tests.clone import Clone
from tests.readme import blocks, commands, metrics, shape

PAGE = "docs/experiments.md"
# Loss and MAE of epochs 1 to 8, as the notebook printed them.
CURVES = [
    ("709.1211", "22.5983"),
    ("60.2346", "6.4567"),
    ("5.2110", "1.7894"),
    ("0.5441", "0.5726"),
    ("0.1473", "0.3529"),
    ("0.1125", "0.3035"),
    ("0.1085", "0.2880"),
    ("0.1070", "0.2824"),
]
PREDICTED = [
    "4.317021",
    "12.209338",
    "8.263180",
    "39.832451",
    "16.155497",
    "27.993971",
    "31.940130",
]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone in a folder with a space in its name, after its first `dvc repro`."""
    made = Clone(tmp_path_factory.mktemp("a folder") / "my project")
    printed = made.run("dvc", "repro").stdout
    made.commit("first results")
    (made.root / "data/timings/printed.txt").write_text(printed, "utf-8")
    return made


@pytest.fixture(scope="module")
def run(clone: Clone) -> Run:
    (only,) = clone.runs()
    return only


@contextmanager
def untracked(clone: Clone) -> Iterator[None]:
    """The configuration without tracking, for the length of the block."""
    clone.stage("configure", "tracking=off")
    try:
        yield
    finally:
        clone.stage("configure")


def artifact(clone: Clone, run: Run, path: str) -> Path:
    return Path(clone.client().download_artifacts(run.info.run_id, path))


def test_the_notebooks_curves_are_those_it_printed(clone: Clone, run: Run) -> None:
    loss, mae = (
        clone.client().get_metric_history(run.info.run_id, name) for name in ("loss", "mae")
    )
    assert [point.step for point in loss] == list(range(1, 101))
    assert [point.step for point in mae] == list(range(1, 101))
    printed = [(f"{a.value:.4f}", f"{b.value:.4f}") for a, b in zip(loss, mae, strict=True)]
    assert printed[:8] == CURVES


def test_the_notebooks_weights_are_those_it_printed(clone: Clone, run: Run) -> None:
    table = pd.read_csv(artifact(clone, run, "training/weights.csv"))
    assert table["weight"].tolist() == ["kernel", "bias"]
    assert [str(np.float32(value)) for value in table["after"]] == ["3.9461584", "0.37086314"]
    assert [str(np.float32(value)) for value in table["before"]] == ["-0.5196631", "0.0"]
    arrays = np.load(artifact(clone, run, "training/weights_after.npz"))
    assert str(arrays["dense_1/kernel"][0, 0]) == "3.9461584"


def test_the_notebooks_tables_are_those_it_printed(clone: Clone, run: Run) -> None:
    table = pd.read_csv(artifact(clone, run, "evaluation/predictions.csv"))
    assert table["true"].tolist() == [4, 12, 8, 40, 16, 28, 32]
    assert [f"{value:.6f}" for value in table["predicted"]] == PREDICTED
    new = pd.read_csv(artifact(clone, run, "evaluation/new_predictions.csv"))
    assert new["X"].tolist() == [5, -3]
    assert [f"{value:.6f}" for value in new["predicted"]] == ["20.101656", "-11.467612"]


def test_the_untrained_neuron_is_x_times_kernel_plus_bias(clone: Clone, run: Run) -> None:
    first = pd.read_csv(artifact(clone, run, "training/first_prediction.csv")).iloc[0]
    assert first["X"] * -0.5196631 == pytest.approx(first["by_hand"])
    assert first["predicted"] == pytest.approx(first["by_hand"])


def test_the_run_holds_everything_that_the_result_was_made_of(clone: Clone, run: Run) -> None:
    assert run.info.status == "FINISHED"
    params, tags, metrics = run.data.params, run.data.tags, run.data.metrics
    assert params["training.epochs"] == "100"
    assert params["optimizer.learning_rate"] == "0.01"
    assert params["model.layers.0.kernel_value"] == "-0.5196631"
    assert tags["git.dirty"] == "false"
    assert tags["version.keras"]
    assert {
        "in_sample_rmse",
        "in_sample_mae",
        "final_loss",
        "best_loss",
        "best_epoch",
    } <= set(metrics)
    assert not [name for name in metrics if "test" in name or "validation" in name]
    assert metrics["optimum_excess_mse"] == pytest.approx(metrics["in_sample_mse"])
    assert all(
        metrics[f"seconds_{stage}"] > 0 for stage in ("prepare", "baselines", "train", "evaluate")
    )
    assert run.inputs is not None
    inputs = {
        item.dataset.name: json.loads(item.dataset.source) for item in run.inputs.dataset_inputs
    }
    lock = clone.read("dvc.lock")
    assert inputs["train"]["md5"] in lock
    names = {
        f"{folder}/{path.name}"
        for folder in ("evaluation", "training", "provenance", "data")
        for path in artifact(clone, run, folder).iterdir()
    }
    assert {
        "data/profile.csv",
        "data/profile.html",
        "evaluation/learning_curves.png",
        "evaluation/report.html",
        "evaluation/predicted_against_true.png",
        "evaluation/residuals.png",
        "training/summary.txt",
        "training/weights_before.npz",
        "provenance/dvc.lock",
        "provenance/packages.txt",
        "provenance/config.yaml",
    } <= names


def test_the_run_begins_with_the_verdict_and_links_the_report(clone: Clone, run: Run) -> None:
    verdict, link = run.data.tags["mlflow.note.content"].splitlines()[:3:2]
    assert verdict.startswith("The model predicts y with a typical error (RMSE) of 0.1962 for 7")
    (path,) = re.findall(r"^\[Report of this result\]\(#/experiments/\d+/runs/(.*)\)$", link)
    assert path == f"{run.info.run_id}/artifacts/evaluation/report.html"
    report = artifact(clone, run, "evaluation/report.html").read_text("utf-8")
    assert verdict in report
    assert str(run.info.run_name) in report
    # DVC neither hashes nor keeps what differs where the result does not.
    assert report == clone.read("data/evaluation/report.html")
    (output,) = (
        one for one in yaml.safe_load(clone.read("dvc.lock"))["stages"]["evaluate"]["outs"]
        if one["path"] == "data/evaluation"
    )  # fmt: skip
    assert output["nfiles"] == len(list((clone.root / "data/evaluation").iterdir())) - 1


# MLflow's remark on columns that any type will do for (see tracking.log_model).
@pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType:UserWarning")
def test_the_tracked_model_predicts_what_the_evaluation_did(clone: Clone, run: Run) -> None:
    mlflow.set_tracking_uri(clone.store())
    try:
        model = mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/model")
    finally:
        mlflow.set_tracking_uri("")  # MLflow keeps it for the process, in its environment
    rows = pd.read_csv(clone.root / "data/raw/proportional.csv")
    predicted = pd.DataFrame(model.predict(rows))["predicted"]
    assert [f"{value:.6f}" for value in predicted] == PREDICTED


def test_the_documented_predict_command_gives_the_notebooks_predictions(clone: Clone) -> None:
    command = commands("python -m pipeline.predict", "docs/predict.md")[0]
    with clone.inside():
        run_command(predict.main, predict.command_parser(), command[3:])
    table = pd.read_csv(clone.root / "predictions.csv")
    assert [f"{value:.6f}" for value in table["predicted"]] == ["20.101656", "-11.467612"]


def test_nothing_runs_when_nothing_changed(clone: Clone) -> None:
    assert clone.repro() == []
    assert "up to date" in clone.dvc("status").stdout
    assert clone.git("status", "--porcelain") == ""


@pytest.fixture(scope="module")
def experiment(clone: Clone, run: Run) -> Run:
    """The run of the documented experiment on another table, whose results the clone then has."""
    (command,) = (one for one in commands("dvc exp run", PAGE) if "conf.data=diabetes" in one)
    clone.run(*command)
    (made,) = (one for one in clone.runs() if one.info.run_id != run.info.run_id)
    return made


@pytest.mark.usefixtures("experiment")
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


def test_the_run_of_a_split_table_has_validation_curves(clone: Clone, experiment: Run) -> None:
    assert experiment.data.params["conf.data"] == "diabetes"
    assert "validation_rmse" in experiment.data.metrics
    assert "test_rmse" in experiment.data.metrics
    for name in ("loss", "mae", "validation_loss", "validation_mae", "learning_rate"):
        assert len(clone.client().get_metric_history(experiment.info.run_id, name)) == 100
    assert experiment.data.tags["git.dirty"] == "true"
    report = clone.read("data/evaluation/report.html")
    assert "This is the first result in mlflow.db evaluated on these 88 test rows, so" in report
    diff = artifact(clone, experiment, "provenance/git.diff").read_text("utf-8")
    assert "data: diabetes" in diff


def test_dvc_compares_the_experiment_with_its_origin(clone: Clone, experiment: Run) -> None:
    said = {
        " ".join(command): clone.run(*command).stdout
        for start in ("dvc metrics", "dvc params", "dvc plots", "dvc exp show")
        for command in commands(start, PAGE)
    }
    assert "conf.data" in said["dvc params diff"]
    assert "in_sample.rmse" in said["dvc metrics diff"]
    assert "test.rmse" in said["dvc metrics diff"]
    page = clone.read("dvc_plots/index.html")
    for title in (
        "Loss by epoch", "Mean absolute error by epoch", "Predicted against true",
        "Importance of columns", "Partial dependence",
    ):  # fmt: skip
        assert title in page
    (show,) = commands("dvc exp show", PAGE)
    shown = pd.read_csv(StringIO(clone.run(*show, "--csv").stdout))
    columns = [column.split(":")[-1] for column in shown.columns]
    for value in ("conf.data", "model.layers", "test.rmse"):
        assert columns.count(value) == 1
    # A run has the name of its experiment.
    assert set(shown["Experiment"].dropna()) - {"main"} == {experiment.info.run_name}


@pytest.mark.usefixtures("experiment")
def test_the_metrics_of_both_runs_are_those_that_are_documented(clone: Clone) -> None:
    documented = metrics("Metrics of a training")
    logged = {name for run in clone.runs() for name in run.data.metrics}
    assert {name for name in logged if not any(one.fullmatch(name) for one in documented)} == set()
    assert [one.pattern for one in documented if not any(map(one.fullmatch, logged))] == []


def test_predict_answers_for_a_model_folder_and_for_a_tracked_model(
    clone: Clone, experiment: Run
) -> None:
    table = load_diabetes(as_frame=True, scaled=False).frame
    rows = table[table.columns[::-1]].assign(note="ignored")
    rows.to_csv(clone.root / "rows.csv", index=False)
    evaluated = pd.read_csv(clone.root / "data/evaluation/predictions.csv").set_index("row")
    expected = evaluated["predicted"].sort_index().to_numpy()
    for model in ("data/model", f"runs:/{experiment.info.run_id}/model"):
        with clone.inside():
            run_command(predict.main, predict.command_parser(), ["rows.csv", "--model", model])
        answered = pd.read_csv(clone.root / "predictions.csv")
        assert answered["predicted"].to_numpy() == pytest.approx(expected, rel=1e-5)
        assert list(answered.columns) == [*rows.columns, "predicted", "lower", "upper", "flags"]
        for end in ("lower", "upper"):
            written = evaluated[end].sort_index().to_numpy()
            assert answered[end].to_numpy() == pytest.approx(written, rel=1e-5)
    (clone.root / "rows.csv").unlink()


@pytest.mark.usefixtures("experiment")
def test_a_missing_column_is_named_and_nothing_is_written(clone: Clone) -> None:
    (clone.root / "few.csv").write_text("age,sex\n1,2\n", "utf-8")
    done = clone.python("-m", "pipeline.predict", "few.csv", "--output", "none.csv", check=False)
    assert done.returncode == 1
    assert done.stderr == (
        "error: few.csv: has no column 'bmi', which the model reads; it has age, sex\n"
    )
    assert not (clone.root / "none.csv").exists()
    (clone.root / "few.csv").unlink()


@pytest.mark.usefixtures("experiment")
def test_going_back_restores_the_model_without_training(clone: Clone) -> None:
    clone.git("checkout", "--", ".")
    clone.git("clean", "--force", "--quiet", "data/schema")  # that of the other table
    assert clone.repro("train") == ["prepare"]
    weights = pd.read_csv(clone.root / "data/model/weights.csv")
    assert [str(np.float32(value)) for value in weights["after"]] == ["3.9461584", "0.37086314"]
    clone.dvc("checkout", "--force")


def test_a_keras_callback_has_its_place_in_the_train_stage(
    clone: Clone, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where docs/configuration.md says; here a schedule, and weights that no epoch had."""
    file = clone.root / "edited_train.py"
    code = clone.read("pipeline/stages/train.py")
    assert "callbacks=[]," in code
    file.write_text(code.replace("callbacks=[],", "callbacks=CALLBACKS,"), "utf-8")
    callbacks: list[Any] = [
        keras.callbacks.LearningRateScheduler(lambda epoch, _rate: 0.01 / (epoch + 1)),
        keras.callbacks.LambdaCallback(),
    ]
    callbacks[1].on_train_end = lambda _logs: callbacks[1].model.set_weights(
        [0 * array + 2 for array in callbacks[1].model.get_weights()]
    )
    spec = importlib.util.spec_from_file_location("edited_train", file)
    assert spec is not None
    assert spec.loader is not None
    edited: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(edited)
    edited.CALLBACKS = callbacks
    with clone.inside(), untracked(clone):
        edited.main()
    file.unlink()
    assert "the weights are those of a Keras callback" in capsys.readouterr().out
    rates = pd.read_csv(clone.root / "data/model/history.csv")["learning_rate"]
    assert rates.head(3).tolist() == pytest.approx([0.01, 0.005, 0.01 / 3])
    saved = np.load(clone.root / "data/model/weights_after.npz")
    assert [array.item() for array in saved.values()] == [2.0, 2.0]
    clone.dvc("checkout", "--force")


def test_track_prints_what_the_readme_shows_and_records_a_result_that_a_store_misses(
    clone: Clone, run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = len(clone.runs())
    store = f"sqlite:///{clone.root / 'empty.db'}"
    with clone.inside():
        track.main()
        complete = capsys.readouterr().out
        monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
        track.main()
        missed = capsys.readouterr().out
    printed = clone.read("data/timings/printed.txt") + complete
    shown = blocks("text")[0]
    assert [line for line in shape(shown) if line not in shape(printed)] == []
    # The notebook's numbers are the same everywhere.
    numbers = [line for line in shown.splitlines() if "in-sample" in line]
    assert [line for line in numbers if line not in printed] == []
    assert "re-created" not in complete
    assert "re-created from data/model/ and data/evaluation/" in missed
    assert len(clone.runs()) == before
    (again,) = clone.runs(store)
    assert again.info.status == "FINISHED"
    assert again.data.tags["recreated_from"] == "data/model/ and data/evaluation/"
    assert again.data.params == run.data.params
    points = MlflowClient(store).get_metric_history(again.info.run_id, "loss")
    assert [point.step for point in points] == list(range(1, 101))
    assert again.data.metrics["in_sample_rmse"] == run.data.metrics["in_sample_rmse"]
    (clone.root / "empty.db").unlink()


def test_a_misspelt_key_is_one_line_and_changes_nothing(clone: Clone) -> None:
    before = clone.read("data/config.yaml")
    with clone.edited("params.yaml", "epochs: 100", "epoch: 100"):
        done = clone.python("-m", "pipeline.stages.configure", check=False)
    assert done.returncode == 1
    assert done.stderr == "error: params.yaml: unknown key training.epoch; did you mean epochs?\n"
    assert clone.read("data/config.yaml") == before


def test_a_cell_that_is_no_number_is_named_and_what_there_was_is_kept(clone: Clone) -> None:
    profile = clone.read("data/prepared/profile.html")
    with clone.edited("data/raw/proportional.csv", "3,12", "3,twelve"):
        done = clone.run(sys.executable, "-m", "dvc", "repro", check=False)
    assert done.returncode != 0
    error, kept, of_dvc = done.stderr.splitlines()
    for word in ("data/raw/proportional.csv", "row 2", "'y'", "'twelve'"):
        assert word in error
    assert kept == "data/prepared stays as it was"
    assert of_dvc.startswith("ERROR: failed to reproduce 'prepare'")
    assert clone.read("data/prepared/profile.html") == profile
    assert clone.git("status", "--porcelain") == ""


def test_divergence_fails_with_a_hint_and_keeps_the_curve(clone: Clone) -> None:
    model = (clone.root / "data/model/model.keras").read_bytes()
    clone.stage("configure", "optimizer.learning_rate=10")
    with clone.inside(), pytest.raises(UserError) as raised:
        train.main()
    clone.stage("configure")
    (line,) = str(raised.value).splitlines()
    assert "the loss became inf in epoch" in line
    assert "lower optimizer.learning_rate" in line
    failed = clone.runs()[0]
    assert failed.info.status == "FAILED"
    assert failed.data.tags["failure"] == line
    epoch = int(line.split("in epoch ")[1].split(";")[0])
    points = clone.client().get_metric_history(failed.info.run_id, "loss")
    assert [point.step for point in points] == list(range(1, epoch))
    assert (clone.root / "data/model/model.keras").read_bytes() == model


@pytest.mark.long
def test_a_forced_repetition_leaves_the_lock_byte_for_byte(clone: Clone) -> None:
    before, runs = clone.git("show", "HEAD:dvc.lock"), len(clone.runs())
    assert clone.repro("--force") == [
        "configure", "prepare", "baselines", "train", "evaluate",
    ]  # fmt: skip
    assert clone.read("dvc.lock") == before
    assert clone.git("status", "--porcelain") == ""
    assert len(clone.runs()) == runs + 1


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_killed_run_is_marked_so(clone: Clone, number: signal.Signals) -> None:
    clone.stage("configure", "training.epochs=1000000")
    command = [clone.executable, "-m", "pipeline.stages.train"]
    with subprocess.Popen(command, cwd=clone.root, env=clone.environment()) as process:
        try:
            running = clone.wait_for_points()
            process.send_signal(number)
            process.wait(timeout=60)
        finally:
            process.kill()
    clone.stage("configure")
    clone.python("-m", "pipeline.track")  # the next command finds what is left of it
    assert clone.wait_for_end(running) == "KILLED"
