"""The numbers of a run, and the raw files that it lists."""

import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipeline.tracking import fingerprint, training_run
from pipeline.tracking.fingerprint import Fingerprint
from pipeline.tracking.identity import of_training
from pipeline.tracking.store import Store
from pipeline.tracking.training_run import (
    Outcome,
    comparable,
    complete,
    curve_metrics,
    part_metrics,
    raw_files,
)
from tests.small import experiment


def history(
    loss: list[float], validation: list[float] | None = None, *, kept: int | None = None
) -> pd.DataFrame:
    """fit's table; an MAE is a tenth of the loss beside it."""
    losses = pd.Series(loss)
    validations = pd.Series(validation or [math.nan] * len(loss))
    epochs = pd.Series(range(1, len(loss) + 1))
    return pd.DataFrame(
        {
            "epoch": epochs,
            "loss": losses,
            "mae": losses / 10,
            "validation_loss": validations,
            "validation_mae": validations / 10,
            "learning_rate": 0.01,
            "kept": epochs == (len(loss) if kept is None else kept),
        }
    )


def test_without_validation_the_best_epoch_has_the_lowest_training_loss() -> None:
    metrics = curve_metrics(history([5.0, 1.0, 2.0, 3.0]))
    assert metrics == {
        "final_loss": 3.0,
        "final_mae": pytest.approx(0.3),
        "best_loss": 1.0,
        "best_mae": pytest.approx(0.1),
        "best_epoch": 2.0,
        "epochs": 4.0,
        "model_epoch": 4.0,
    }


def test_with_validation_the_best_epoch_has_the_lowest_validation_loss() -> None:
    metrics = curve_metrics(history([5.0, 4.0, 3.0, 2.0], [9.0, 8.0, 6.0, 7.0]))
    assert metrics == {
        "final_loss": 2.0,
        "final_mae": pytest.approx(0.2),
        "final_validation_loss": 7.0,
        "final_validation_mae": pytest.approx(0.7),
        "best_loss": 3.0,
        "best_mae": pytest.approx(0.3),
        "best_validation_loss": 6.0,
        "best_validation_mae": pytest.approx(0.6),
        "best_epoch": 3.0,
        "epochs": 4.0,
        "model_epoch": 4.0,
    }


def test_the_model_s_epoch_is_the_one_that_was_kept() -> None:
    # min_delta can keep an epoch that is not quite the best.
    metrics = curve_metrics(history([3.0, 2.0, 1.9], [3.0, 2.0, 1.9], kept=2))
    assert (metrics["model_epoch"], metrics["best_epoch"], metrics["epochs"]) == (2.0, 3.0, 3.0)


def test_weights_of_no_epoch_have_none() -> None:
    # What a callback leaves may be an average of several.
    metrics = curve_metrics(history([3.0, 2.0, 1.9], kept=0))
    assert "model_epoch" not in metrics
    assert metrics["final_loss"] == 1.9


def test_of_equal_epochs_the_first_is_the_best() -> None:
    assert curve_metrics(history([2.0, 1.0, 1.0]))["best_epoch"] == 2.0


def test_a_single_epoch_is_the_last_and_the_best() -> None:
    metrics = curve_metrics(history([2.0], [3.0]))
    assert metrics["final_validation_loss"] == metrics["best_validation_loss"] == 3.0
    assert metrics["model_epoch"] == metrics["best_epoch"] == metrics["epochs"] == 1.0


def test_with_folds_the_numbers_are_the_means_over_the_best_and_last_epochs_of_each() -> None:
    # The mean curve ends with the lower fold alone.
    one, other = history([5.0, 4.0], [9.0, 8.0], kept=1), history([3.0, 2.0, 1.0], [1.0, 2.0, 3.0])
    network = history([7.0], kept=1)
    folds = pd.concat([one.assign(fold=1), other.assign(fold=2), network.assign(fold=None)])
    mean = folds.groupby("epoch", as_index=False).mean(numeric_only=True).assign(kept=False)
    assert curve_metrics(mean, folds) == pytest.approx(
        {
            "final_loss": 2.5,
            "final_mae": 0.25,
            "final_validation_loss": 5.5,
            "final_validation_mae": 0.55,
            "best_loss": 3.5,
            "best_mae": 0.35,
            "best_validation_loss": 4.5,
            "best_validation_mae": 0.45,
            "best_epoch": 1.5,
            "epochs": 2.5,
        }
    )
    refitted = mean.assign(kept=mean["epoch"] == 2)
    assert curve_metrics(refitted, folds)["model_epoch"] == 2.0


def test_metrics_are_plain_numbers() -> None:
    assert {type(value) for value in curve_metrics(history([2.0], [3.0])).values()} == {float}


def test_a_missing_loss_is_never_the_best() -> None:
    metrics = curve_metrics(history([5.0, 4.0, 3.0], [2.0, math.nan, 1.0]))
    assert metrics["best_epoch"] == 3.0


def test_metrics_of_a_part_are_named_part_and_metric_unless_a_curve_has_that_name() -> None:
    values = {"mse": 4.0, "rmse": 2.0, "mae": 1.0}
    metrics = {"validation": values, "test": values, "optimum": {"excess_mse": 0.5}}
    assert part_metrics(metrics) == {
        "validation_mse": 4.0,
        "validation_rmse": 2.0,
        "test_mse": 4.0,
        "test_rmse": 2.0,
        "test_mae": 1.0,
        "optimum_excess_mse": 0.5,
    }


def test_a_run_that_is_complete_stays_as_it_is_and_known_fingerprints_are_not_taken_again(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # without any of the files that fingerprints are taken of
    monkeypatch.setattr("pipeline.tracking.looks.test_rows", lambda _config: None)
    reported: list[tuple[Any, ...]] = []
    monkeypatch.setattr(training_run, "write_report", lambda *given, **_: reported.append(given))
    known = {
        "train": Fingerprint("0123456789abcdef", {}, {}),
        "evaluate": Fingerprint("fedcba9876543210", {}, {}),
    }
    config = experiment()
    who = of_training(config, known["train"].hash)
    run_id = store.create_run(who.run_name, {}, who.tags)
    store.log_tags(run_id, {"fingerprint.evaluate": known["evaluate"].hash})
    store.end(run_id, "FINISHED")
    before = store.client.get_run(run_id).to_dictionary()
    assert complete(config, store, known) == Outcome(who.run_name, "mlflow.db", recreated=False)
    assert store.client.get_run(run_id).to_dictionary() == before
    # The store may have other results since.
    assert reported == [(config, who.fingerprint, "there are none")]


@pytest.mark.parametrize(
    ("content", "keys", "measure", "rows"),
    [
        (
            "column,values,rows,rmse\ntown,NA,3,1.5\nage,007,4,2\n", ["column", "values"], "rmse",
            [("town: NA", 1.5, 3), ("age: 007", 2.0, 4)],
        ),
        ("slice,rows,rmse\n", ["slice"], "rmse", []),
    ],
)  # fmt: skip
def test_tables_to_compare_have_the_name_of_a_row_and_the_measure_first(
    tmp_path: Path, content: str, keys: list[str], measure: str, rows: list[tuple[Any, ...]]
) -> None:
    (tmp_path / "table.csv").write_text(content, "utf-8")
    found = comparable(tmp_path / "table.csv", keys, measure)
    assert list(found.columns) == ["name", measure, "rows"]
    assert list(found.itertuples(index=False, name=None)) == rows
    missing = comparable(tmp_path / "none.csv", keys, measure)
    assert list(missing.columns) == ["name", measure]
    assert missing.empty


@pytest.fixture
def raw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with tables in data/raw/."""
    monkeypatch.chdir(tmp_path)
    for name in ("one.csv", "parts/1.csv", "parts/2.csv", "parts/.keep", "parts/old/3.csv"):
        path = tmp_path / "data/raw" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("a,y\n1,2\n", "utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("path", "files"),
    [
        ("data/raw/one.csv", ["one.csv"]),
        ("./data/raw//one.csv", ["one.csv"]),
        ("data/raw/parts", ["parts/1.csv", "parts/2.csv"]),
        ("data/raw/parts/", ["parts/1.csv", "parts/2.csv"]),
        ("data/raw/*.csv", ["one.csv"]),
        ("data/raw/parts/[2-9].csv", ["parts/2.csv"]),
        ("data/raw/**/*.csv", ["one.csv", "parts/1.csv", "parts/2.csv", "parts/old/3.csv"]),
    ],
)
def test_the_files_of_a_table_are_those_that_are_read_under_their_names_in_provenance(
    raw: Path, path: str, files: list[str]
) -> None:
    found = raw_files(path)
    assert found == [f"data/raw/{file}" for file in files]
    assert set(found) <= set(fingerprint.hash_files(raw / "data/raw", raw))
    assert raw_files(str(raw / path)) == found


@pytest.mark.usefixtures("raw")
@pytest.mark.parametrize("path", [None, "sklearn:diabetes", "data/raw/none/*.csv", "data"])
def test_what_is_no_table_of_files_has_none(path: str | None) -> None:
    assert raw_files(path) == []


@pytest.mark.usefixtures("raw")
def test_a_table_that_is_no_longer_there_is_none_of_the_inputs() -> None:
    inputs = fingerprint.hash_files(Path("data/raw"))
    assert not set(raw_files("data/raw/gone.csv")) & set(inputs)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("price in EUR (2024)", "price in EUR (2024)"),
        ("<img src=x onerror=alert(1)>", "&lt;img src=x onerror=alert(1)&gt;"),
        ("![a](http://example.org)", r"!\[a](http://example.org)"),
        (r"\[a](b)", r"\\\[a](b)"),
    ],
)
def test_a_name_is_neither_markup_nor_a_link_in_the_note_of_a_run(name: str, shown: str) -> None:
    assert training_run.as_markdown(name) == shown
