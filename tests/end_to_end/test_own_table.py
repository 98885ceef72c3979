"""A table of one's own: two settings, and the stages in a clone, in this process."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

import pipeline
from pipeline import predict
from pipeline.dataset.encoding import Encoding
from pipeline.network.backend import keras, tf
from pipeline.runtime.entry import run
from pipeline.runtime.errors import UserError
from pipeline.stages import baselines, evaluate, prepare, train
from tests.clone import Clone

ROWS = 120
PATH = "data/raw/houses.csv"
PARAMS = f"data:\n  path: {PATH}\n  target: price\n"


def houses() -> pd.DataFrame:
    """Semicolons and decimal commas come with to_csv; gaps, categories and dates are here."""
    random = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "area m²": random.normal(90, 25, ROWS).clip(25).round(1),
            "rooms": random.integers(1, 7, ROWS),
            "town": random.choice(["Bonn", "Köln"], ROWS),
            "balcony": random.choice(["true", "false"], ROWS),
            "sold": pd.Timestamp(2023, 1, 1) + pd.to_timedelta(random.integers(0, 700, ROWS), "D"),
            "street": [f"Street {number}" for number in range(ROWS)],
        }
    )
    table["price"] = (3000 * table["area m²"] + 20_000 * (table["town"] == "Köln")).round(2)
    table["price"] += random.normal(0, 5000, ROWS).round(2)
    table.loc[[3, 50, 71], "rooms"] = np.nan
    table["sold"] = table["sold"].dt.strftime("%d.%m.%Y")
    return table


def write(table: pd.DataFrame, path: Path) -> None:
    table.to_csv(path, sep=";", decimal=",", na_rep="?", index=False)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """The stages, one after the other, on the table."""
    made = Clone(tmp_path_factory.mktemp("own") / "a table")
    write(houses(), made.root / PATH)
    (made.root / "params.yaml").write_text(PARAMS, "utf-8")
    made.stage("configure", "tracking=off")
    with made.inside():
        for stage in (prepare, baselines, train, evaluate):
            stage.main()
    return made


def rows_of_test_part(clone: Clone) -> pd.DataFrame:
    """The predictions of the test part."""
    evaluated = pd.read_csv(clone.root / "data/evaluation/predictions.csv")
    return evaluated[evaluated["part"] == "test"]


def refused(clone: Clone) -> list[str]:
    """The lines of the error that the prepare stage ends with."""
    with clone.inside(), pytest.raises(UserError) as raised:
        prepare.main()
    return str(raised.value).splitlines()


@contextmanager
def in_its_place(clone: Clone, table: pd.DataFrame) -> Iterator[None]:
    """Another table, and what is prepared of it, for the length of the block."""
    shutil.copytree(clone.root / "data/prepared", clone.root / "kept")
    write(table, clone.root / PATH)
    try:
        yield
    finally:
        write(houses(), clone.root / PATH)
        shutil.rmtree(clone.root / "data/prepared")
        (clone.root / "kept").rename(clone.root / "data/prepared")


def test_two_settings_are_enough_for_a_network(clone: Clone) -> None:
    metrics = json.loads(clone.read("data/metrics.json"))
    assert set(metrics) == {"train", "cv", "test"}
    assert metrics["test"]["r2"] > 0.9


def test_in_python_the_same_table_gives_the_same_numbers(
    clone: Clone,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    frame = houses().set_axis([f"house {number}" for number in range(ROWS)])
    before = frame.copy(deep=True)
    result = pipeline.train(frame, "price")
    pd.testing.assert_frame_equal(frame, before)
    assert list(tmp_path.iterdir()) == []
    printed = capsys.readouterr()
    assert printed.err.splitlines() == [f"warning: {line}" for line in result.warnings]
    assert printed.out == ""
    assert result.metrics == json.loads(clone.read("data/metrics.json"))
    assert [result.verdict] == clone.read("data/evaluation/verdict.txt").splitlines()
    assert repr(result).splitlines()[-1] in result.evaluation.lines
    for name in ("model.keras", "history.csv"):
        assert result.files[name] == (clone.root / "data/model" / name).read_bytes()
    figures = (clone.root / "data/evaluation").glob("*.png")
    assert result.figures == {path.stem: path.read_bytes() for path in figures}
    test = result.predictions.query("part == 'test'")
    np.testing.assert_array_equal(test["true"], frame.loc[test.index, "price"])

    result.save(tmp_path / "kept")
    answers = pipeline.load(tmp_path / "kept").predict(frame)
    assert list(answers) == ["predicted", "lower", "upper", "flags"]
    np.testing.assert_allclose(answers.loc[test.index, "lower"], test["lower"], rtol=1e-6)
    assert answers.loc["house 50", "flags"] == "rooms is imputed"
    for model in (result.predictor, pipeline.load(clone.root / "data/model")):
        pd.testing.assert_frame_equal(model.predict(frame), answers)


def test_each_column_is_accounted_for(clone: Clone) -> None:
    profile = pd.read_csv(clone.root / "data/prepared/profile.csv")
    done = dict(zip(profile["column"], profile["used_as"].astype(str), strict=True))
    assert done["street"].startswith("left out: ")
    assert "where missing, with a missing indicator" in done["rooms"]
    assert "Bonn, Köln" in done["town"]
    assert done["price"].startswith("target: ")
    clone.stage("configure", "tracking=off", "data.lint.identifier=error")
    (line,) = refused(clone)
    clone.stage("configure", "tracking=off")
    assert "column 'street': " in line
    assert "data.leave_out=[street]" in line


def test_keras_alone_predicts_raw_rows_as_the_evaluation_did(clone: Clone) -> None:
    model = keras.saving.load_model(clone.root / "data/model/model.keras", safe_mode=True)
    rows = houses().assign(balcony=houses()["balcony"] == "true")
    rows["sold"] = pd.to_datetime(rows["sold"], format="%d.%m.%Y").dt.strftime("%Y-%m-%d")
    columns = {name: tf.constant(rows[name]) for name in reversed(list(rows.columns))}
    predicted = model.predict(columns | {"another": tf.zeros(ROWS)}, verbose=0)[:, 0]
    evaluated = rows_of_test_part(clone)
    np.testing.assert_allclose(predicted[evaluated["row"] - 1], evaluated["predicted"], rtol=1e-5)


def test_predict_takes_rows_as_the_table_has_them(
    clone: Clone, capsys: pytest.CaptureFixture[str]
) -> None:
    with clone.inside():
        run(predict.main, predict.command_parser(), [PATH])
    assert f"predicted {ROWS} rows" in capsys.readouterr().out
    predicted = pd.read_csv(clone.root / "predictions.csv")["predicted"]
    evaluated = rows_of_test_part(clone)
    np.testing.assert_allclose(predicted[evaluated["row"] - 1], evaluated["predicted"], rtol=1e-6)


def test_new_values_of_the_test_part_move_no_statistic_and_train_nothing(clone: Clone) -> None:
    prepared = clone.root / "data/prepared"
    # What the train stage depends on, as dvc.yaml has it.
    files = (
        "contract.json", "encoding.json", "folds.json", "train.parquet", "validation.parquet"
    )  # fmt: skip
    before = {name: (prepared / name).read_bytes() for name in files}
    test_rows = (prepared / "test.parquet").read_bytes()
    table = houses()
    table.loc[rows_of_test_part(clone)["row"] - 1, "area m²"] += 0.5
    with in_its_place(clone, table), clone.inside():
        prepare.main()
        assert {name: (prepared / name).read_bytes() for name in files} == before
        assert (prepared / "test.parquet").read_bytes() != test_rows


def test_the_schema_is_there_to_be_edited_and_is_enforced(clone: Clone) -> None:
    path = clone.root / "data/schema/houses.csv.yaml"
    text = path.read_text("utf-8")
    schema = yaml.safe_load(text)
    assert schema["columns"]["sold"]["format"] == "%d.%m.%Y"
    assert schema["columns"]["town"]["categories"] == ["Bonn", "Köln"]
    schema["columns"]["rooms"]["kind"] = "date"
    path.write_text(yaml.safe_dump(schema), "utf-8")
    (line,) = refused(clone)
    path.write_text(text, "utf-8")
    assert "column 'rooms': " in line
    assert (clone.root / "data/prepared/train.parquet").is_file()


def test_a_planted_leak_is_one_line_and_a_way_out(clone: Clone) -> None:
    with in_its_place(clone, houses().assign(cents=lambda rows: rows["price"] * 100)):
        (line,) = refused(clone)
    assert "column 'cents': " in line
    assert "is a copy of the target" in line
    assert "data.lint.accept=[target_copy:cents]" in line


def test_the_encoding_reads_back(clone: Clone) -> None:
    encoding = Encoding.read(clone.root / "data/prepared/encoding.json")
    assert "street" not in encoding.columns
    assert encoding.target.name == "price"


def test_errors_that_chose_the_epochs_are_said_to_be_too_low(
    clone: Clone, capsys: pytest.CaptureFixture[str]
) -> None:
    clone.stage("configure", "tracking=off", "training.early_stopping.shared=false")
    with clone.inside():
        evaluate.main()
    assert "cv: the network of each fold has kept its best epoch" in capsys.readouterr().err
    clone.stage("configure", "tracking=off")
    with clone.inside():
        evaluate.main()
    assert "too low" not in capsys.readouterr().err


def test_one_network_may_be_trained_on_the_rows_of_all_folds(
    clone: Clone, capsys: pytest.CaptureFixture[str]
) -> None:
    clone.stage("configure", "tracking=off", "training.final=refit", "training.epochs=3")
    with clone.inside():
        train.main()
        assert "the model is a network trained on all rows for " in capsys.readouterr().out
        evaluate.main()
    folds = keras.saving.load_model(clone.root / "data/model/folds.keras", safe_mode=True)
    assert {f"fold_{number}" for number in range(1, 6)} <= {one.name for one in folds.layers}
    assert "cv" in json.loads(clone.read("data/metrics.json"))
