"""A table of one's own: two settings, and a real `dvc repro` in a clone."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from pipeline.dataset.encoding import Encoding
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
    """The pipeline after its first run on the table."""
    made = Clone(tmp_path_factory.mktemp("own") / "a table")
    write(houses(), made.root / PATH)
    (made.root / "params.yaml").write_text(PARAMS, "utf-8")
    (made.root / "data/said.txt").write_text(made.dvc("repro").stderr, "utf-8")
    made.commit("the table")
    return made


def test_two_settings_bring_a_network(clone: Clone) -> None:
    metrics = json.loads(clone.read("data/metrics.json"))
    assert set(metrics) == {"train", "validation", "test"}
    assert metrics["test"]["r2"] > 0.9


def test_each_column_is_accounted_for(clone: Clone) -> None:
    profile = pd.read_csv(clone.root / "data/prepared/profile.csv")
    done = dict(zip(profile["column"], profile["done"].astype(str), strict=True))
    assert done["street"].startswith("left out: ")
    assert "where missing, and whether it is" in done["rooms"]
    assert "Bonn, Köln" in done["town"]
    assert "the target" in done["price"]
    assert "column 'street': tells the rows apart" in clone.read("data/said.txt")
    (run,) = clone.runs()
    pages = [file.path for file in clone.client().list_artifacts(run.info.run_id, "data")]
    assert pages == ["data/profile.csv", "data/profile.html"]


def test_keras_alone_predicts_raw_rows_as_the_evaluation_did(clone: Clone) -> None:
    from pipeline.network.backend import keras, tf

    model = keras.saving.load_model(clone.root / "data/model/model.keras", safe_mode=True)
    rows = houses().assign(balcony=houses()["balcony"] == "true")
    rows["sold"] = pd.to_datetime(rows["sold"], format="%d.%m.%Y").dt.strftime("%Y-%m-%d")
    columns = {name: tf.constant(rows[name]) for name in reversed(list(rows.columns))}
    predicted = model.predict(columns | {"another": tf.zeros(ROWS)}, verbose=0)[:, 0]
    evaluated = pd.read_csv(clone.root / "data/evaluation/predictions.csv")
    np.testing.assert_allclose(predicted[evaluated["row"] - 1], evaluated["predicted"], rtol=1e-5)


def test_predict_takes_rows_as_the_table_has_them(clone: Clone) -> None:
    done = clone.python("-m", "pipeline.predict", PATH)
    assert f"predicted {ROWS} rows" in done.stdout
    predicted = pd.read_csv(clone.root / "predictions.csv")["predicted"]
    evaluated = pd.read_csv(clone.root / "data/evaluation/predictions.csv")
    np.testing.assert_allclose(predicted[evaluated["row"] - 1], evaluated["predicted"], rtol=1e-6)


def test_new_values_of_the_test_part_move_no_statistic_and_train_nothing(clone: Clone) -> None:
    before = clone.read("data/prepared/encoding.json")
    evaluated = pd.read_csv(clone.root / "data/evaluation/predictions.csv")
    tested = evaluated["row"][evaluated["part"] == "test"] - 1
    table = houses()
    table.loc[tested, "area m²"] += 0.5
    write(table, clone.root / PATH)
    try:
        assert clone.repro() == ["prepare", "evaluate"]
        assert clone.read("data/prepared/encoding.json") == before
    finally:
        write(houses(), clone.root / PATH)
        clone.dvc("checkout")


def test_the_schema_is_there_to_be_edited_and_is_enforced(clone: Clone) -> None:
    path = clone.root / "data/schema/houses.csv.yaml"
    schema = yaml.safe_load(path.read_text("utf-8"))
    assert schema["columns"]["sold"]["format"] == "%d.%m.%Y"
    assert schema["columns"]["town"]["categories"] == ["Bonn", "Köln"]
    text = path.read_text("utf-8")
    schema["columns"]["rooms"]["kind"] = "date"
    path.write_text(yaml.safe_dump(schema), "utf-8")
    done = clone.dvc("repro", check=False)
    path.write_text(text, "utf-8")
    assert done.returncode
    assert "column 'rooms': " in done.stderr
    assert "Traceback" not in done.stderr
    assert (clone.root / "data/model/model.keras").is_file()
    clone.dvc("checkout")


def test_a_planted_leak_is_one_line_and_a_way_out(clone: Clone) -> None:
    table = houses().assign(cents=lambda rows: rows["price"] * 100)
    write(table, clone.root / PATH)
    done = clone.dvc("repro", check=False)
    write(houses(), clone.root / PATH)
    assert done.returncode
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert "column 'cents': all but equals the target" in line
    assert "data.lint.accept=[target_copy:cents]" in line
    clone.dvc("checkout")


def test_the_encoding_reads_back(clone: Clone) -> None:
    encoding = Encoding.read(clone.root / "data/prepared/encoding.json")
    assert "street" not in encoding.columns
    assert encoding.target.name == "price"
