"""What is fitted on the training part."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from pipeline.command import UserError
from pipeline.composing import compose
from pipeline.config import COMPOSED
from pipeline.features import Scale, Schema, fit_scale, fit_schema, training_arrays
from pipeline.files import write_text
from pipeline.stages import prepare
from pipeline.tables import Columns

ROOT = Path(__file__).parents[1]
COLUMNS = Columns(["a", "b"], "y")
TRAIN = pd.DataFrame({"a": [1.0, 3.0], "b": [2.0, 10.0], "y": [0.0, 6.0]})


def fitted(*, inputs: bool = True, target: bool = True) -> Schema:
    return fit_schema(TRAIN, COLUMNS, standardize_inputs=inputs, standardize_target=target)


def test_a_scale_is_the_mean_and_the_deviation_of_the_population() -> None:
    schema = fitted()
    assert schema.columns == COLUMNS
    assert schema.inputs == Scale([2.0, 6.0], [1.0, 4.0])
    assert schema.target == Scale([3.0], [3.0])


@pytest.mark.parametrize(("inputs", "target"), [(True, False), (False, True), (False, False)])
def test_a_side_that_is_left_as_it_is_has_no_scale(*, inputs: bool, target: bool) -> None:
    schema = fitted(inputs=inputs, target=target)
    assert (schema.inputs is not None, schema.target is not None) == (inputs, target)


def test_a_constant_column_is_only_centred() -> None:
    train = TRAIN.assign(a=5.0)
    schema = fit_schema(train, COLUMNS, standardize_inputs=True, standardize_target=False)
    assert schema.inputs == Scale([5.0, 6.0], [1.0, 4.0])


@pytest.fixture
def prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[pd.DataFrame], Schema]:
    """Runs the prepare stage on a table, half of whose rows are set aside."""
    monkeypatch.chdir(ROOT)
    overrides = ["data.path=data/raw/t.csv", "data.target=y", "data.features=null"]
    overrides += ["data.new_rows=null", "data.split.validation=0.25", "data.split.test=0.25"]
    overrides += ["data.standardize_inputs=true", "data.standardize_target=true"]
    composed = yaml.safe_dump(compose(Path(), overrides))
    monkeypatch.chdir(tmp_path)
    write_text(Path(COMPOSED), composed)

    def prepare_table(table: pd.DataFrame) -> Schema:
        write_text(Path("data/raw/t.csv"), table.to_csv(index=False))
        prepare.main()
        return Schema.read(Path("data/prepared/schema.json"))

    return prepare_table


def test_the_statistics_are_those_of_the_training_part_and_of_no_other(
    prepared: Callable[[pd.DataFrame], Schema],
) -> None:
    table = pd.DataFrame({"a": [1, 2, 4, 8, 16, 32, 64, 128], "y": [3, 1, 4, 1, 5, 9, 2, 6]})
    schema = prepared(table)
    train = pd.read_parquet("data/prepared/train.parquet")
    assert len(train) == 4
    assert schema.inputs is not None
    assert schema.target is not None
    assert schema.inputs.mean == pytest.approx([train["a"].mean()])
    assert schema.inputs.deviation == pytest.approx([np.std(train["a"])])
    assert schema.target.mean == pytest.approx([train["y"].mean()])
    assert schema.target.deviation == pytest.approx([np.std(train["y"])])

    others = table.index.difference(train.index)
    table.loc[others] = 1_000_000
    assert prepared(table) == schema
    table.loc[train.index] += 1
    assert prepared(table) != schema


def test_a_schema_is_read_as_it_was_written(tmp_path: Path) -> None:
    schema = Schema(
        Columns(["Größe", "价格", 'a "b", c'], "Δy"), Scale([0.1, 1e-9, 3], [1, 2, 3]), None
    )
    schema.write(tmp_path / "schema.json")
    assert Schema.read(tmp_path / "schema.json") == schema


def test_a_schema_can_be_read_by_a_person(tmp_path: Path) -> None:
    Schema(Columns(["Größe"], "y"), None, None).write(tmp_path / "schema.json")
    assert "Größe" in (tmp_path / "schema.json").read_text("utf-8")


def test_training_arrays_standardise_the_target_and_leave_the_inputs_in_their_units() -> None:
    x, y = training_arrays(TRAIN, fitted())
    assert x.tolist() == [[1.0, 2.0], [3.0, 10.0]]
    assert y.tolist() == [[-1.0], [1.0]]
    assert {x.dtype, y.dtype} == {np.dtype("float32")}


def test_training_arrays_leave_a_target_without_a_scale_in_its_units() -> None:
    _, y = training_arrays(TRAIN, fitted(target=False))
    assert y.tolist() == [[0.0], [6.0]]


def test_training_arrays_take_the_columns_of_the_schema_in_its_order() -> None:
    x, _ = training_arrays(TRAIN[["y", "b", "a"]].assign(other="text"), fitted())
    assert x.tolist() == [[1.0, 2.0], [3.0, 10.0]]


def test_training_arrays_of_an_empty_part_keep_their_shapes() -> None:
    x, y = training_arrays(TRAIN.iloc[:0], fitted())
    assert (x.shape, y.shape) == ((0, 2), (0, 1))


def test_rounding_noise_is_no_spread_to_divide_by() -> None:
    table = pd.DataFrame({"x": [0.1] * 7})
    assert table["x"].std(ddof=0) > 0
    assert fit_scale(table).deviation == [1.0]


@pytest.mark.parametrize("unit", [1e-9, 1e20])
def test_a_spread_that_float32_cannot_standardise_is_named(unit: float) -> None:
    table = pd.DataFrame({"tiny": [unit, 2 * unit], "y": [1.0, 2.0]})
    columns = Columns(["tiny"], "y")
    with pytest.raises(UserError, match="column 'tiny' has a standard deviation of"):
        fit_schema(table, columns, standardize_inputs=True, standardize_target=False)
    fit_schema(table, columns, standardize_inputs=False, standardize_target=False)
