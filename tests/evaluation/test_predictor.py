"""A saved model predicts tables as pandas reads them, in the target's units."""

import io
import json
import pickle
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.config.data import Kind, Policy, Reading, Violations
from pipeline.config.training import Layer
from pipeline.dataset.encoding import Category, Date, Encoding, Number, Target
from pipeline.evaluation import predictor as module
from pipeline.evaluation.predictor import Predictor
from pipeline.network import archive, dense, encoder
from pipeline.network.backend import keras
from pipeline.preparation.encoding_fit import EPOCH
from pipeline.runtime.errors import UserError
from pipeline.schema.columns import Column, Schema
from pipeline.schema.contract import Contract
from pipeline.schema.location import Location
from pipeline.schema.missing import mark_missing

MARCH = float((pd.Timestamp(2024, 3, 21) - EPOCH).days)
ENCODING = Encoding(
    {
        "a": Number(3.0, False, 3.0, 0.5),
        "b/c": Number(-20.0, True, -20.0, 40.0),
        "smokes": Number(0.0, False),
    },
    {"home town": Category(["Bonn", "Köln"], other=True)},
    {"seen": Date(MARCH, False, MARCH, 10.0, clock=False)},
    Target("y", mean=100.0, std=7.0),
)
# The inputs of year and week have a weight of 0.
WEIGHTS = {"a": 1, "b/c": 1, "smokes": 2, "b/c is missing": 3, "home town = (other)": 10,
           "home town = Bonn": 20, "home town = Köln": 30, "seen days": 1}  # fmt: skip
CONTRACT = Contract(
    "y",
    Schema(
        {
            "a": Column(Kind.numeric, min=-5.0, max=5.0),
            "b/c": Column(Kind.numeric, missing=True),
            "smokes": Column(Kind.boolean),
            "home town": Column(Kind.category, missing=True, categories=["Bonn", "Köln"]),
            "seen": Column(Kind.date),
        }
    ),
    reading=Reading(missing=["", "?", "-99"]),
    policies=Violations(),
)
CSV = """a,b/c,smokes,home town,seen
3,-20,false,Bonn,2024-03-21
3.5,60,true,Köln,2024-03-31
0,?,false,,2024-03-11
"""
TABLE = pd.read_csv(io.StringIO(CSV))
PREDICTED = [240.0, 352.0, 142.0]
REMEDY = "; fix it, or set data.violations.{}=warn in params.yaml and run dvc repro"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose predictions are easily computed by hand."""
    folder = tmp_path_factory.mktemp("model")
    built = dense.build([Layer(units=1)], len(ENCODING.names), seed=1)
    kernel = np.array([[WEIGHTS.get(name, 0)] for name in ENCODING.names], np.float32)
    built.set_weights([kernel, np.zeros(1, np.float32)])
    whole = encoder.whole(encoder.layers(ENCODING), built, ENCODING.target)
    archive.save(whole, folder / "model.keras")
    CONTRACT.write(folder / "contract.json")
    ENCODING.write(folder / "encoding.json")
    return folder


@pytest.fixture(scope="module")
def predictor(folder: Path) -> Predictor:
    return Predictor(folder)


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    """A copy of the model folder to damage."""
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


@contextmanager
def changed_parts(model: Path) -> Iterator[dict[str, Any]]:
    """The parts of a .keras file by name, to change in the block."""
    with zipfile.ZipFile(model) as before:
        parts: dict[str, Any] = {name: before.read(name) for name in before.namelist()}
    yield parts
    with zipfile.ZipFile(model, "w", zipfile.ZIP_DEFLATED) as after:
        for name, content in parts.items():
            after.writestr(name, content)


def damage(folder: Path) -> str:
    """The one-line error for a damaged folder."""
    with pytest.raises(UserError) as caught:
        Predictor(folder)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_predictions_are_in_the_target_s_units(predictor: Predictor) -> None:
    assert {str(kind) for kind in TABLE.dtypes} == {"float64", "str", "bool"}
    predictions = predictor.predict(TABLE)
    assert list(predictions.columns) == ["predicted", "flags"]
    assert predictions["predicted"].tolist() == pytest.approx(PREDICTED)
    assert predictions["flags"].tolist() == ["", "", "b/c is imputed"]


def test_conformed_rows_have_the_same_predictions(predictor: Predictor) -> None:
    marked = mark_missing(TABLE, CONTRACT.reading.missing)
    rows, warnings = CONTRACT.validate(marked, lambda position: Location("rows.csv", position))
    pd.testing.assert_frame_equal(predictor.answer(rows), predictor.predict(TABLE))
    numbers = predictor.predict_conformed(rows)
    pd.testing.assert_frame_equal(numbers, predictor.answer(rows)[["predicted"]])
    assert warnings == []


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("a", pd.Series([3, 3.5, 0], dtype="Float64")),
        ("a", np.array(["3", 3.5, 0], object)),
        ("b/c", [-20, 60, None]),
        ("b/c", np.array([-20, "60", ""], object)),
        ("b/c", pd.Series([-20, 60, None], dtype="Int64")),
        ("b/c", [-20, 60, -99]),
        ("b/c", [-20.0, 60.0, -99.0]),
        ("b/c", np.array([-20, 60, "-99"], object)),
        ("smokes", [0, 1, 0]),
        ("smokes", [0.0, 1.0, 0.0]),
        ("smokes", ["False", "TRUE", "false"]),
        ("smokes", np.array([False, True, "false"], object)),
        ("home town", np.array(["Bonn", "Köln", np.nan], object)),
        ("home town", ["Bonn", "Köln", "?"]),
        ("home town", pd.Categorical(["Bonn", "Köln", None])),
        ("seen", pd.to_datetime(TABLE["seen"])),
        ("seen", pd.to_datetime(TABLE["seen"], utc=True)),
        ("seen", pd.to_datetime(TABLE["seen"]).dt.date),
        ("seen", ["2024-03-21", "2024-03-31T00:00:00", "2024-03-11 00:00"]),
    ],
)
def test_a_column_may_have_any_type_with_the_same_values(
    predictor: Predictor, name: str, cells: Any
) -> None:
    predictions = predictor.predict(TABLE.assign(**{name: cells}))
    assert predictions["predicted"].tolist() == pytest.approx(PREDICTED)


def test_blanks_around_names_and_cells_are_ignored_as_in_training(predictor: Predictor) -> None:
    padded = TABLE.astype({"smokes": "str"}).assign(a=["3 ", " 3.5", "0"])
    padded["home town"] = " " + padded["home town"] + "\t"
    padded = padded.rename(columns=lambda name: f" {name} ")
    pd.testing.assert_frame_equal(predictor.predict(padded), predictor.predict(TABLE))


def test_two_columns_of_one_name_apart_from_blanks_are_refused(predictor: Predictor) -> None:
    table = TABLE.assign(**{"a ": 1.0})
    with pytest.raises(UserError) as caught:
        predictor.predict(table, "rows.csv")
    assert str(caught.value) == (
        "rows.csv: has the column 'a' more than once, apart from blanks; rename or remove one"
    )


def test_numbers_may_be_text_in_the_notation_of_their_column(copy: Path) -> None:
    columns = dict(CONTRACT.schema.columns)
    columns["b/c"] = replace(columns["b/c"], decimal=",", thousands=".", unit="%")
    replace(CONTRACT, schema=Schema(columns)).write(copy / "contract.json")
    predictor = Predictor(copy)
    written: list[Any] = [["-20,0 %", "60%", "?"], [-20.0, 60.0, None]]
    for cells in written:
        predicted = predictor.predict(TABLE.assign(**{"b/c": cells}))["predicted"]
        assert predicted.tolist() == pytest.approx(PREDICTED)
    with pytest.raises(UserError, match=r"row 2 below the header, column 'b/c': '6.0%' is not a"):
        predictor.predict(TABLE.assign(**{"b/c": ["-20%", "6.0%", "?"]}))


def test_columns_may_be_in_any_order_among_others(predictor: Predictor) -> None:
    table = TABLE.assign(name=["x", "y", "z"], y=None)
    table = table[["name", *TABLE.columns[::-1], "y"]]
    pd.testing.assert_frame_equal(predictor.predict(table), predictor.predict(TABLE))


def test_the_index_is_the_table_s(predictor: Predictor) -> None:
    table = TABLE.set_axis(["third", "first", "first"])
    predictions = predictor.predict(table)
    assert list(predictions.index) == ["third", "first", "first"]
    assert predictions["predicted"].tolist() == predictor.predict(TABLE)["predicted"].tolist()


def test_no_rows_have_no_predictions(predictor: Predictor) -> None:
    predictions = predictor.predict(TABLE.iloc[:0])
    assert list(predictions.columns) == ["predicted", "flags"]
    assert predictions.empty
    assert predictions.dtypes.equals(predictor.predict(TABLE).dtypes)


def test_the_prediction_of_a_row_does_not_depend_on_others(predictor: Predictor) -> None:
    # More rows than are predicted at once.
    many = pd.concat([TABLE] * 2000, ignore_index=True)
    expected = np.tile(predictor.predict(TABLE)["predicted"].to_numpy(), 2000)
    np.testing.assert_array_equal(predictor.predict(many)["predicted"].to_numpy(), expected)


@pytest.mark.parametrize("rows", [3, 0])
def test_a_missing_column_is_reported_with_the_file(predictor: Predictor, rows: int) -> None:
    with pytest.raises(UserError) as caught:
        predictor.predict(TABLE[["a", "seen"]].head(rows), "rows.csv")
    assert (
        str(caught.value) == "rows.csv: has no column 'b/c', which the model reads; it has a, seen"
    )


@pytest.mark.parametrize(
    ("name", "cell", "reason"),
    [
        ("b/c", "many", "'many' is not a finite float32 number; fix it"),
        ("b/c", "inf", "'inf' is not a finite float32 number; fix it"),
        ("a", 1e39, "'1e+39' is not a finite float32 number; fix it"),
        ("a", None, "the value is missing" + REMEDY.format("missing_value")),
        ("smokes", "perhaps", "'perhaps' is neither true nor false; fix it"),
        ("smokes", 2, "'2' is neither true nor false; fix it"),
        ("seen", "soon", "'soon' is not a date of the format ISO8601; fix it"),
    ],
)
def test_an_invalid_cell_is_reported_with_its_location(
    predictor: Predictor, name: str, cell: Any, reason: str
) -> None:
    table = TABLE.astype(object)
    table.loc[1, name] = cell
    with pytest.raises(UserError) as caught:
        predictor.predict(table, "rows.csv")
    location = f"rows.csv, row 2 below the header, column {name!r}: "
    assert str(caught.value) == location + reason


def test_a_row_of_a_table_with_labels_is_reported_with_its_label(predictor: Predictor) -> None:
    table = TABLE.set_index(pd.Index(["x", "y", "z"])).assign(a=["1", "?", "3"])
    with pytest.raises(UserError, match=r"^the table, row 'y', column 'a': the value is missing"):
        predictor.predict(table)


def test_mlflow_loads_a_predictor(folder: Path) -> None:
    assert module._load_pyfunc(str(folder)).contract == CONTRACT


VIOLATIONS = [
    (
        {"home town": ["Bonn", "Ulm", "Trier"]},
        "unseen_category",
        (
            "row 2 below the header, column 'home town': the value 'Ulm' is not one of the"
            " categories, and 1 more (data.violations.unseen_category)"
        ),
    ),
    (
        {"a": [0, 1, 9]},
        "out_of_range",
        (
            "row 3 below the header, column 'a': the value '9.0' is not within -5.0 to 5.0"
            " (data.violations.out_of_range)"
        ),
    ),
]


@pytest.mark.parametrize("policy", Policy)
@pytest.mark.parametrize(("columns", "kind", "expected"), VIOLATIONS)
def test_the_policy_decides_about_violations(
    copy: Path, capsys: pytest.CaptureFixture[str], *,
    policy: Policy, columns: dict[str, Any], kind: str, expected: str,
) -> None:  # fmt: skip
    policies = Violations()
    setattr(policies, kind, policy)
    replace(CONTRACT, policies=policies).write(copy / "contract.json")
    predictor = Predictor(copy)
    table = TABLE.assign(**columns)
    if policy is Policy.error:
        with pytest.raises(UserError) as caught:
            predictor.predict(table, "rows.csv")
        error = expected.replace(f" (data.violations.{kind})", "")
        assert str(caught.value) == f"rows.csv, {error}{REMEDY.format(kind)}"
    else:
        assert len(predictor.predict(table, "rows.csv")) == 3
        printed = f"warning: rows.csv, {expected}\n" if policy is Policy.warn else ""
        assert capsys.readouterr() == ("", printed)


@pytest.mark.parametrize("name", ["model.keras", "contract.json", "encoding.json"])
def test_a_missing_file_is_reported(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(UserError, match=f"holds no {name}; the train stage writes"):
        Predictor(copy)


def test_a_file_that_is_not_a_model_is_reported(copy: Path) -> None:
    (copy / "model.keras").write_text("not a model\n", "utf-8")
    assert damage(copy) == f"{copy / 'model.keras'}: is not a Keras model"


@pytest.mark.parametrize("name", ["config.json", "model.weights.h5"])
def test_a_missing_part_of_a_model_is_reported(copy: Path, name: str) -> None:
    model = copy / "model.keras"
    with changed_parts(model) as parts:
        del parts[name]
    message = damage(copy)
    assert message.startswith(f"{model}: cannot be loaded by Keras: ")
    assert name in message


@pytest.mark.parametrize("name", ["config.json", "model.weights.h5"])
def test_a_damaged_part_of_a_model_is_reported(copy: Path, name: str) -> None:
    model = copy / "model.keras"
    content = bytearray(model.read_bytes())
    with zipfile.ZipFile(model) as archive:
        position = content.index(archive.read(name)) + 100
    content[position] ^= 0xFF
    model.write_bytes(content)
    assert damage(copy) == f"{model}: cannot be loaded by Keras: Bad CRC-32 for file {name!r}"


def test_a_truncated_model_is_reported(copy: Path) -> None:
    content = (copy / "model.keras").read_bytes()
    (copy / "model.keras").write_bytes(content[: len(content) // 2])
    assert damage(copy) == f"{copy / 'model.keras'}: is not a Keras model"


@pytest.mark.parametrize("name", ["contract.json", "encoding.json"])
@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"{}", b"[]", b"null", b"\xff",
        b'{"target": "y", "missing": [], "violations": {}, "columns": {}}',
        b'{"target": "y", "reading": {}, "violations": null, "columns": {}}',
        b'{"target": "y", "reading": {}, "violations": {"size": "warn"}, "columns": {}}',
        b'{"target": "y", "reading": {}, "violations": {"out_of_range": 1}, "columns": {}}',
        b'{"target": "y", "reading": [], "violations": {}, "columns": {}}',
        b'{"target": "y", "reading": null, "violations": {}, "columns": {}}',
        b'{"target": "y", "reading": {"size": "warn"}, "violations": {}, "columns": {}}',
        b'{"numbers": null, "categories": {}, "dates": {}, "target": {"name": "y"}}',
        b'{"numbers": {"a": {"fill": 0}}, "categories": {}, "dates": {}, "target": {"name": "y"}}',
        b'{"numbers": {}, "categories": {}, "dates": {}, "target": null}',
    ],
)  # fmt: skip
def test_an_invalid_contract_or_encoding_is_reported(copy: Path, name: str, content: bytes) -> None:
    (copy / name).write_bytes(content)
    assert damage(copy) == f"{copy / name}: is not what the train stage writes"


def test_a_contract_without_a_kind_is_reported_with_the_column(copy: Path) -> None:
    plain = json.loads((copy / "contract.json").read_text("utf-8"))
    plain["columns"]["a"] = {}
    (copy / "contract.json").write_text(json.dumps(plain), "utf-8")
    assert damage(copy).startswith(f"{copy / 'contract.json'}, column 'a': has no kind; ")


CODE = "import pathlib; pathlib.Path('canary').touch()"
LAYER: dict[str, Any] = {
    "module": "keras.layers",
    "class_name": "Lambda",
    "registered_name": None,
    "config": {},
}


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({}, "keras.layers.Lambda"),
        ({"class_name": "TFSMLayer", "config": {"filepath": "saved"}}, "keras.layers.TFSMLayer"),
        ({"class_name": "TorchModuleWrapper"}, "keras.layers.TorchModuleWrapper"),
        ({"module": "os", "class_name": "system"}, "os.system"),
        ({"module": "stranger", "class_name": "L", "registered_name": "x>L"}, "stranger.L"),
        ({"module": "builtins", "class_name": "function", "config": "exec"}, "builtins.function"),
        ({"module": "keras.utils", "class_name": "get_file"}, "keras.utils.get_file"),
        (
            {"module": "keras.config", "class_name": "enable_unsafe_deserialization"},
            "keras.config.",
        ),
    ],
)
def test_a_model_that_names_what_may_run_code_is_refused(
    copy: Path, monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any], named: str
) -> None:
    """Whether it is a layer or, as an activation, inside one."""
    monkeypatch.chdir(copy)
    monkeypatch.syspath_prepend(copy)
    (copy / "stranger.py").write_text(CODE, "utf-8")
    for inside in (False, True):
        with changed_parts(copy / "model.keras") as parts:
            config = json.loads(parts["config.json"])
            layers = config["config"]["layers"]
            found = {**LAYER, **changed}
            layers[-1] = {**layers[-1], "config": {"activation": found}} if inside else found
            parts["config.json"] = json.dumps(config)
        message = damage(copy)
        assert message.startswith(f"{copy / 'model.keras'}: names {named}")
        assert message.endswith(
            ", which may run any code, so it is not loaded; use a model that `dvc repro` has"
            " trained"
        )
    assert not (copy / "canary").exists()


def test_a_lambda_layer_as_keras_saves_it_is_refused(copy: Path) -> None:
    harmful = keras.Sequential([keras.Input((2,)), keras.layers.Lambda(lambda x: x * 2)])
    harmful.save(copy / "model.keras")
    assert "model.keras: names keras.layers.Lambda, which may run any code" in damage(copy)
    archive.save(harmful, copy / "folds.keras")
    (copy / "model.keras").unlink()
    with pytest.raises(UserError, match=r"folds\.keras: names keras\.layers\.Lambda"):
        module._load(copy / "folds.keras")


@pytest.mark.parametrize("name", ["../canary", "/canary", "assets/../../canary", "..\\canary"])
def test_an_entry_that_leads_out_of_a_model_is_refused(copy: Path, name: str) -> None:
    with changed_parts(copy / "model.keras") as parts:
        parts[name] = "x"
    assert (
        f"model.keras: has the entry {name!r}, which points outside the file, so it is not"
        in damage(copy)
    )
    assert not (copy.parent / "canary").exists()


def test_an_entry_that_is_far_larger_than_its_model_is_refused(copy: Path) -> None:
    with changed_parts(copy / "model.keras") as parts:
        parts["config.json"] = " " * 100_000_000
    assert "has the entry 'config.json' of 100000000 bytes, so it is not loaded" in damage(copy)


@pytest.mark.parametrize("name", ["model.keras", "config.json", "model.weights.h5"])
def test_a_pickle_is_never_read(copy: Path, name: str) -> None:
    class Harmful:
        def __reduce__(self) -> Any:
            return exec, (CODE.replace("canary", str(copy / "canary")),)

    if name == "model.keras":
        (copy / name).write_bytes(pickle.dumps(Harmful()))
    else:
        with changed_parts(copy / "model.keras") as parts:
            parts[name] = pickle.dumps(Harmful())
    assert re.search(
        "model.keras: (is not a Keras model|cannot be loaded by Keras: )", damage(copy)
    )
    assert not (copy / "canary").exists()


def test_a_layer_that_the_user_has_registered_is_loaded(copy: Path) -> None:
    @keras.saving.register_keras_serializable("own")
    class Same(keras.layers.Layer):  # type: ignore[misc] # Keras ships no types
        def call(self, x: Any) -> Any:
            return x

    whole = module._load(copy / "model.keras")
    output = Same(dtype="float64")(whole.output)
    archive.save(keras.Model(whole.inputs, output), copy / "model.keras")
    assert Predictor(copy).predict(TABLE)["predicted"].tolist() == pytest.approx(PREDICTED)


def test_an_encoding_of_another_training_is_refused(copy: Path) -> None:
    Encoding({"a": Number(0.0, False)}, {}, {}, Target("y")).write(copy / "encoding.json")
    assert (
        "model.keras reads 5 columns, but encoding.json has 1; they are from different"
        in damage(copy)
    )
