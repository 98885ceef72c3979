"""A model folder takes tables as people have them and answers in the target's units."""

import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline import network
from pipeline.backend import keras
from pipeline.command import UserError
from pipeline.config import KernelInitializer, Layer
from pipeline.features import Scale, Schema
from pipeline.serving import Predictor
from pipeline.tables import Columns

# TensorFlow's variables do not take NumPy 2's copy argument, and Keras reads them so.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SCHEMA = Schema(Columns(["a", "b"], "y"), Scale([3.0, -20.0], [0.5, 40.0]), Scale([100.0], [7.0]))
TABLE = pd.DataFrame({"a": [3.0, 3.5, 0.0], "b": [-20.0, 60.0, 0.0]})
ADDED_UP = Layer(units=1, kernel_initializer=KernelInitializer.constant, kernel_value=1.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that adds its two standardised columns up."""
    folder = tmp_path_factory.mktemp("model")
    built = network.in_target_units(network.build([ADDED_UP], SCHEMA, seed=1), SCHEMA)
    network.save(built, folder / "model.keras")
    SCHEMA.write(folder / "schema.json")
    return folder


@pytest.fixture(scope="module")
def predictor(folder: Path) -> Predictor:
    return Predictor(folder)


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    """A model folder to spoil."""
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def damage(folder: Path) -> str:
    """What a Predictor says of a damaged folder; one line."""
    with pytest.raises(UserError) as caught:
        Predictor(folder)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_predictions_are_in_the_target_s_units(predictor: Predictor) -> None:
    answers = predictor.predict(TABLE)
    assert list(answers.columns) == ["predicted"]
    assert answers["predicted"].tolist() == pytest.approx([100.0, 121.0, 61.5])


def test_columns_may_stand_in_any_order_among_others(predictor: Predictor) -> None:
    table = TABLE.assign(name=["x", "y", "z"])[["b", "name", "a"]]
    pd.testing.assert_frame_equal(predictor.predict(table), predictor.predict(TABLE))


def test_whole_numbers_are_numbers(predictor: Predictor) -> None:
    table = pd.DataFrame({"a": [3, 4], "b": [-20, 60]})
    assert {str(kind) for kind in table.dtypes} == {"int64"}
    pd.testing.assert_frame_equal(predictor.predict(table), predictor.predict(table.astype(float)))


def test_the_index_is_the_table_s(predictor: Predictor) -> None:
    table = TABLE.set_axis(["third", "first", "first"])
    answers = predictor.predict(table)
    assert list(answers.index) == ["third", "first", "first"]
    assert answers["predicted"].tolist() == predictor.predict(TABLE)["predicted"].tolist()


def test_no_rows_have_no_predictions(predictor: Predictor) -> None:
    answers = predictor.predict(TABLE.iloc[:0])
    assert list(answers.columns) == ["predicted"]
    assert answers.empty
    assert answers.dtypes.equals(predictor.predict(TABLE).dtypes)


def test_a_row_s_prediction_does_not_depend_on_the_rows_beside_it(predictor: Predictor) -> None:
    # More rows than are predicted at once.
    many = pd.concat([TABLE] * 2000, ignore_index=True)
    expected = np.tile(predictor.predict(TABLE)["predicted"].to_numpy(), 2000)
    np.testing.assert_array_equal(predictor.predict(many)["predicted"].to_numpy(), expected)


def test_a_missing_column_is_named(predictor: Predictor) -> None:
    with pytest.raises(UserError, match=r"^rows\.csv: has no column 'b', which the model reads$"):
        predictor.predict(TABLE[["a"]], "rows.csv")


@pytest.mark.parametrize(
    ("cell", "reason"),
    [("many", "is 'many', not a finite number"), (None, "is missing"), ("inf", "not a finite")],
)
def test_a_cell_that_is_no_number_is_named(
    predictor: Predictor, cell: str | None, reason: str
) -> None:
    table = pd.DataFrame({"a": [1, 2, 3], "b": ["1", cell, "3"]})
    with pytest.raises(
        UserError, match=f"row 2 below the header, column 'b': the value .*{reason}"
    ):
        predictor.predict(table)


@pytest.mark.parametrize("name", ["model.keras", "schema.json"])
def test_a_missing_file_is_named(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(UserError, match=f"holds no {name}; the train stage writes"):
        Predictor(copy)


def test_a_file_that_is_no_model_is_named(copy: Path) -> None:
    (copy / "model.keras").write_text("not a model\n", "utf-8")
    assert damage(copy) == f"{copy / 'model.keras'}: is not a Keras model"


@pytest.mark.parametrize("name", ["config.json", "model.weights.h5"])
def test_a_model_that_lacks_a_part_is_named_with_what_it_lacks(copy: Path, name: str) -> None:
    model = copy / "model.keras"
    with zipfile.ZipFile(model) as archive:
        rest = {part: archive.read(part) for part in archive.namelist() if part != name}
    with zipfile.ZipFile(model, "w") as archive:
        for part, content in rest.items():
            archive.writestr(part, content)
    message = damage(copy)
    assert message.startswith(f"{model}: cannot be loaded by Keras: ")
    assert name in message


@pytest.mark.parametrize("name", ["config.json", "model.weights.h5"])
def test_a_model_with_a_flipped_byte_is_named_with_the_part(copy: Path, name: str) -> None:
    model = copy / "model.keras"
    content = bytearray(model.read_bytes())
    with zipfile.ZipFile(model) as archive:
        place = content.index(archive.read(name)) + 100
    content[place] ^= 0xFF
    model.write_bytes(content)
    assert damage(copy) == f"{model}: cannot be loaded by Keras: Bad CRC-32 for file {name!r}"


def test_a_model_that_was_cut_short_is_named(copy: Path) -> None:
    content = (copy / "model.keras").read_bytes()
    (copy / "model.keras").write_bytes(content[: len(content) // 2])
    assert damage(copy) == f"{copy / 'model.keras'}: is not a Keras model"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"{}",
        b"[]",
        b"null",
        b"\xff",
        b'{"columns": null, "inputs": null, "target": null}',
        b'{"columns": {"features": ["a", "b"]}, "inputs": null, "target": null}',
        b'{"columns": {"features": ["a", "b"], "target": "y"}, "inputs": 3, "target": null}',
    ],
)
def test_a_schema_that_cannot_be_read_is_named(copy: Path, content: bytes) -> None:
    (copy / "schema.json").write_bytes(content)
    assert damage(copy) == f"{copy / 'schema.json'}: is not what the train stage writes"


def test_a_model_that_would_run_code_is_refused(copy: Path) -> None:
    harmful = keras.Sequential([keras.Input((2,)), keras.layers.Lambda(lambda x: x * 2)])
    harmful.save(copy / "model.keras")
    with pytest.raises(UserError, match=r"model\.keras: cannot be loaded by Keras: .*Lambda"):
        Predictor(copy)


def test_a_schema_of_another_training_is_refused(copy: Path) -> None:
    Schema(Columns(["a"], "y"), None, None).write(copy / "schema.json")
    assert "model.keras reads 2 columns, but schema.json names 1" in damage(copy)
