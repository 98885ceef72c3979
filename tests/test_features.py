"""What is fitted on the training part."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from pipeline import network
from pipeline.command import UserError
from pipeline.composing import compose
from pipeline.config import COMPOSED, Layer
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


def deviating(by: float) -> pd.DataFrame:
    """TRAIN with columns whose deviation is as given, but for b."""
    return TRAIN.assign(a=[-by, by], y=[-by, by])


@pytest.mark.parametrize(
    ("deviation", "said"),
    [(9e-7, "9e-07"), (1e-20, "1e-20"), (1.1e18, "1.1e+18"), (1e38, "1e+38")],
)
@pytest.mark.parametrize(("inputs", "name"), [(True, "a"), (False, "y")])
def test_a_column_that_float32_cannot_standardise_is_named(
    deviation: float, said: str, name: str, *, inputs: bool
) -> None:
    with pytest.raises(UserError) as caught:
        fit_schema(
            deviating(deviation),
            COLUMNS,
            standardize_inputs=inputs,
            standardize_target=not inputs,
        )
    assert str(caught.value) == (
        f"column {name!r} has a standard deviation of {said}, which float32"
        " cannot standardise; give the column in another unit"
    )


@pytest.mark.parametrize("deviation", [1.1e-6, 0.9e18])
def test_a_column_that_float32_can_just_standardise_is_standardised(deviation: float) -> None:
    schema = fit_schema(
        deviating(deviation), COLUMNS, standardize_inputs=True, standardize_target=True
    )
    assert schema.inputs == Scale([0.0, 6.0], [deviation, 4.0])
    assert schema.target == Scale([0.0], [deviation])


def test_a_column_that_is_not_standardised_may_deviate_as_it_likes() -> None:
    schema = fit_schema(
        deviating(1e-20), COLUMNS, standardize_inputs=False, standardize_target=False
    )
    assert schema == Schema(COLUMNS, None, None)


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


def test_training_arrays_standardise_inputs_and_target() -> None:
    x, y = training_arrays(TRAIN, fitted())
    assert x.tolist() == [[-1.0, -1.0], [1.0, 1.0]]
    assert y.tolist() == [[-1.0], [1.0]]
    assert {x.dtype, y.dtype} == {np.dtype("float32")}


def test_training_arrays_are_what_the_saved_network_makes_of_the_inputs() -> None:
    # Of a column far from 0, float32 keeps few digits: the same few in both.
    random = np.random.default_rng(1)
    table = pd.DataFrame(random.normal([3.0, 1e6], [1e-3, 1.0], (50, 2)), columns=["a", "b"])
    schema = fit_schema(
        table.assign(y=0.0), COLUMNS, standardize_inputs=True, standardize_target=False
    )
    x, _ = training_arrays(table.assign(y=0.0), schema)
    (standardise, *_) = network.build([Layer(units=1)], schema, seed=1).layers
    np.testing.assert_allclose(x, standardise(table.to_numpy(np.float32)), rtol=1e-6)


def test_training_arrays_leave_inputs_without_a_scale_in_their_units() -> None:
    x, _ = training_arrays(TRAIN, fitted(inputs=False))
    assert x.tolist() == [[1.0, 2.0], [3.0, 10.0]]


def test_training_arrays_leave_a_target_without_a_scale_in_its_units() -> None:
    _, y = training_arrays(TRAIN, fitted(target=False))
    assert y.tolist() == [[0.0], [6.0]]


def test_training_arrays_take_the_columns_of_the_schema_in_its_order() -> None:
    table = TRAIN[["y", "b", "a"]].assign(other="text")
    x, _ = training_arrays(table, fitted(inputs=False))
    assert x.tolist() == [[1.0, 2.0], [3.0, 10.0]]


def test_training_arrays_of_an_empty_part_keep_their_shapes() -> None:
    x, y = training_arrays(TRAIN.iloc[:0], fitted())
    assert (x.shape, y.shape) == ((0, 2), (0, 1))


def test_rounding_noise_is_no_spread_to_divide_by() -> None:
    table = pd.DataFrame({"x": [0.1] * 7})
    assert table["x"].std(ddof=0) > 0
    assert fit_scale(table).deviation == [1.0]
