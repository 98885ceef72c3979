"""The default experiment, run by real `dvc repro` in a clone: the notebook's numbers,
the tracked run, and what re-runs after which edit. The tests share one clone, in
this order; each leaves it as it found it."""

import json
import signal
import subprocess
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from tests.clone import Clone
from tests.readme import commands

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
    made.repro()
    made.commit("first results")
    return made


@pytest.fixture(scope="module")
def run(clone: Clone) -> Run:
    (only,) = clone.runs()
    return only


def artifact(clone: Clone, run: Run, path: str) -> Path:
    return Path(clone.client().download_artifacts(run.info.run_id, path))


def test_the_notebooks_curves_come_out_to_the_printed_digit(clone: Clone, run: Run) -> None:
    loss, mae = (
        clone.client().get_metric_history(run.info.run_id, name) for name in ("loss", "mae")
    )
    assert [point.step for point in loss] == list(range(1, 101))
    assert [point.step for point in mae] == list(range(1, 101))
    printed = [(f"{a.value:.4f}", f"{b.value:.4f}") for a, b in zip(loss, mae, strict=True)]
    assert printed[:8] == CURVES


def test_the_notebooks_weights_come_out_to_the_printed_digit(clone: Clone, run: Run) -> None:
    table = pd.read_csv(artifact(clone, run, "training/weights.csv"))
    assert table["weight"].tolist() == ["kernel", "bias"]
    assert [str(np.float32(value)) for value in table["after"]] == ["3.9461584", "0.37086314"]
    assert [str(np.float32(value)) for value in table["before"]] == ["-0.5196631", "0.0"]
    arrays = np.load(artifact(clone, run, "training/weights_after.npz"))
    assert str(arrays["dense_1/kernel"][0, 0]) == "3.9461584"


def test_the_notebooks_tables_come_out_to_the_printed_digit(clone: Clone, run: Run) -> None:
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
        "evaluated_in_sample_rmse",
        "evaluated_in_sample_mae",
        "final_loss",
        "best_loss",
        "best_epoch",
    } <= set(metrics)
    assert not [name for name in metrics if "test" in name or "validation" in name]
    assert metrics["evaluated_optimum_excess_mse"] == pytest.approx(
        metrics["evaluated_in_sample_mse"]
    )
    assert all(metrics[f"seconds_{stage}"] > 0 for stage in ("prepare", "train", "evaluate"))
    assert run.inputs is not None
    inputs = {
        item.dataset.name: json.loads(item.dataset.source) for item in run.inputs.dataset_inputs
    }
    lock = clone.read("dvc.lock")
    assert inputs["train"]["md5"] in lock
    names = {
        f"{folder}/{path.name}"
        for folder in ("evaluation", "training", "provenance")
        for path in artifact(clone, run, folder).iterdir()
    }
    assert {
        "evaluation/learning_curves.png",
        "evaluation/predicted_against_true.png",
        "evaluation/residuals.png",
        "training/summary.txt",
        "training/weights_before.npz",
        "provenance/dvc.lock",
        "provenance/packages.txt",
        "provenance/config.yaml",
    } <= names


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


def test_the_readmes_predict_command_gives_the_notebooks_predictions(clone: Clone) -> None:
    (command,) = commands("python -m pipeline.predict")
    clone.run(*command)
    table = pd.read_csv(clone.root / "predictions.csv")
    assert [f"{value:.6f}" for value in table["predicted"]] == ["20.101656", "-11.467612"]


def test_nothing_runs_when_nothing_changed(clone: Clone) -> None:
    assert clone.repro() == []
    assert "up to date" in clone.dvc("status").stdout
    assert clone.git("status", "--porcelain") == ""


def test_a_forced_repetition_leaves_the_lock_byte_for_byte(clone: Clone) -> None:
    before = clone.read("dvc.lock")
    assert clone.repro("--force") == ["configure", "prepare", "train", "evaluate"]
    assert clone.read("dvc.lock") == before
    assert len(clone.runs()) == 2


def test_a_file_of_conf_that_is_not_in_use_re_runs_configure_alone(clone: Clone) -> None:
    with clone.edited("conf/optimizer/adam.yaml", "learning_rate: 0.001", "learning_rate: 0.5"):
        assert clone.repro() == ["configure"]
    assert clone.repro() == ["configure"]


def test_a_change_of_the_new_rows_does_not_train_again(clone: Clone) -> None:
    with clone.edited("data/raw/proportional_new.csv", "-3", "-4"):
        assert clone.repro() == ["prepare", "evaluate"]
    # The schema is no cached output, so going back prepares again; it takes a moment.
    assert clone.repro() == ["prepare", "evaluate"]


def test_a_changed_value_trains_again_and_going_back_restores(clone: Clone) -> None:
    trained = len(clone.runs())
    with clone.edited("params.yaml", "epochs: 100", "epochs: 3"):
        assert clone.repro() == ["configure", "train", "evaluate"]
        newest = clone.runs()[0]
        assert newest.data.metrics["epochs"] == 3
        assert newest.data.tags["git.dirty"] == "true"
        diff = artifact(clone, newest, "provenance/git.diff").read_text("utf-8")
        assert "+  epochs: 3" in diff
    # What was there before comes back from DVC's cache, and the model's run is found.
    assert clone.repro() == ["configure", "evaluate"]
    assert len(clone.runs()) == trained + 1


def test_a_keras_callback_of_ones_own_has_its_place(clone: Clone) -> None:
    """Where docs/configuration.md says; here a schedule, and weights that no epoch had."""
    train = "pipeline/stages/train.py"
    imported = "    from pipeline.work import Work\n"
    own = """callbacks=[
                keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.01 / (epoch + 1)),
                keras.callbacks.LambdaCallback(
                    on_train_end=lambda logs: trained.set_weights(
                        [0 * array + 2 for array in trained.get_weights()]
                    )
                ),
            ]"""
    with (
        clone.edited(train, "callbacks=[]", own),
        clone.edited(train, imported, f"{imported}    from pipeline.backend import keras\n"),
    ):
        said = clone.python("-m", "pipeline.stages.train").stdout
    assert "the weights are of no epoch, but a callback's" in said
    rates = pd.read_csv(clone.root / "data/model/history.csv")["learning_rate"]
    assert rates.head(3).tolist() == pytest.approx([0.01, 0.005, 0.01 / 3])
    saved = np.load(clone.root / "data/model/weights_after.npz")
    assert [array.item() for array in saved.values()] == [2.0, 2.0]
    clone.dvc("checkout", "--force")


def test_an_empty_store_is_filled_from_the_files(clone: Clone, run: Run) -> None:
    (clone.root / "data/tracked.json").unlink()
    store = f"sqlite:///{clone.root / 'empty.db'}"
    assert clone.repro(MLFLOW_TRACKING_URI=store) == ["evaluate"]
    (again,) = clone.runs(store)
    assert again.info.status == "FINISHED"
    assert again.data.tags["recreated_from"] == "data/model/ and data/evaluation/"
    assert again.data.params == run.data.params
    points = MlflowClient(store).get_metric_history(again.info.run_id, "loss")
    assert [point.step for point in points] == list(range(1, 101))
    rmse = "evaluated_in_sample_rmse"
    assert again.data.metrics[rmse] == run.data.metrics[rmse]
    (clone.root / "empty.db").unlink()


def test_a_deleted_store_is_made_again_by_track_which_says_so(clone: Clone) -> None:
    kept = (clone.root / "mlflow.db").rename(clone.root / "kept.db")
    done = clone.python("-m", "pipeline.track")
    kept.replace(clone.root / "mlflow.db")
    assert "re-created from data/model/ and data/evaluation/" in done.stdout
    assert "make ui" in done.stdout


def test_track_leaves_a_complete_run_as_it_is(clone: Clone) -> None:
    before = len(clone.runs())
    assert "re-created" not in clone.python("-m", "pipeline.track").stdout
    assert len(clone.runs()) == before


def test_a_misspelt_key_is_one_line_and_changes_nothing(clone: Clone) -> None:
    before = clone.read("data/config.yaml")
    with clone.edited("params.yaml", "epochs: 100", "epoch: 100"):
        done = clone.python("-m", "pipeline.stages.configure", check=False)
    assert done.returncode == 1
    assert done.stderr == "error: params.yaml: unknown key training.epoch; did you mean epochs?\n"
    assert clone.read("data/config.yaml") == before


def test_a_cell_that_is_no_number_is_named(clone: Clone) -> None:
    with clone.edited("data/raw/proportional.csv", "3,12", "3,twelve"):
        done = clone.python("-m", "pipeline.stages.prepare", check=False)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    for word in ("data/raw/proportional.csv", "row 2", "'y'", "'twelve'"):
        assert word in done.stderr
    assert clone.git("status", "--porcelain") == ""


def test_divergence_fails_with_a_hint_and_keeps_the_curve(clone: Clone) -> None:
    model = (clone.root / "data/model/model.keras").read_bytes()
    clone.python("-m", "pipeline.stages.configure", "optimizer.learning_rate=10")
    done = clone.python("-m", "pipeline.stages.train", check=False)
    clone.python("-m", "pipeline.stages.configure")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "the loss became inf in epoch" in line
    assert "lower optimizer.learning_rate" in line
    failed = clone.runs()[0]
    assert failed.info.status == "FAILED"
    epoch = int(line.split("in epoch ")[1].split(";")[0])
    points = clone.client().get_metric_history(failed.info.run_id, "loss")
    assert [point.step for point in points] == list(range(1, epoch))
    assert (clone.root / "data/model/model.keras").read_bytes() == model


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_killed_run_is_marked_so(clone: Clone, number: signal.Signals) -> None:
    clone.python("-m", "pipeline.stages.configure", "training.epochs=1000000")
    command = [clone.executable, "-m", "pipeline.stages.train"]
    with subprocess.Popen(command, cwd=clone.root, env=clone.environment()) as process:
        try:
            running = clone.wait_for_points()
            process.send_signal(number)
            process.wait(timeout=60)
        finally:
            process.kill()
    clone.python("-m", "pipeline.stages.configure")
    clone.python("-m", "pipeline.track")  # whoever comes next finds the dead
    assert MlflowClient(clone.store()).get_run(running).info.status == "KILLED"
