"""An evaluation has the errors of each part, beside those of baselines."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.config.data import Kind, Reading, Violations
from pipeline.config.training import Activation, Layer
from pipeline.dataset.encoding import Encoding, Number, Target
from pipeline.dataset.prepared import GROUP
from pipeline.evaluation.evaluation import (
    NO_INTERVALS,
    Evaluation,
    evaluate,
    name_parts,
    prediction_table,
)
from pipeline.evaluation.metrics import Vector, error_intervals, metrics
from pipeline.evaluation.prediction_intervals import Intervals
from pipeline.evaluation.predictor import Predictor
from pipeline.network import dense, encoder
from pipeline.runtime.errors import UserError
from pipeline.schema.columns import Column, Schema
from pipeline.schema.contract import Contract

RANDOM = np.random.default_rng(1)
NUMBERS = {"a": Number(0.0, False, 3.0, 0.5), "b": Number(0.0, False, -20.0, 40.0)}
TARGET = Target("y", mean=100.0, std=7.0)
MLP = [Layer(units=3, activation=Activation.tanh), Layer(units=1)]
NEURON = [Layer(units=1)]


def part(rows: int) -> pd.DataFrame:
    a, b = RANDOM.normal(3, 0.5, rows), RANDOM.normal(-20, 40, rows)
    return pd.DataFrame({"a": a, "b": b, "y": 90 + 3 * a - 0.1 * b + RANDOM.normal(size=rows)})


PARTS = {"train": part(20), "validation": part(6), "test": part(5)}
ALONE = {"train": PARTS["train"], "validation": part(0), "test": part(0)}


class Untrained(Predictor):
    """A predictor with untrained layers, which needs no folder."""

    intervals: Intervals | None = None
    model_hash = "untrained"

    def __init__(
        self, layers: list[Layer], target: Target = TARGET, numbers: dict[str, Number] = NUMBERS
    ) -> None:
        self.encoding = Encoding(numbers, {}, {}, target)
        schema = Schema(dict.fromkeys(numbers, Column(Kind.numeric)))
        self.contract = Contract(target.name, schema, Reading(), Violations())
        network = dense.build(layers, len(self.encoding.names), seed=1)
        self.model = encoder.whole(encoder.layers(self.encoding), network, target)


def evaluated(
    predictor: Predictor,
    parts: dict[str, pd.DataFrame],
    block_rows: int = 100,
    recorded: Sequence[float] = (),
) -> Evaluation:
    tables = {
        name: [table[at : at + block_rows] for at in range(0, max(len(table), 1), block_rows)]
        for name, table in parts.items()
    }
    return evaluate(predictor, tables, baselines=baselines(parts), recorded=recorded)


def baselines(parts: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """A line, and the mean of the training part."""
    mean = parts["train"]["y"].mean()
    return {
        name: pd.DataFrame({"mean": mean, "least_squares": line(table)}, index=table.index)
        for name, table in parts.items()
        if len(table)
    }


def line(table: pd.DataFrame) -> Vector:
    """The predictions for a part of the least-squares solution for the training part."""
    train, x = (one[["a", "b"]].assign(one=1).to_numpy() for one in (PARTS["train"], table))
    predicted: Vector = x @ np.linalg.lstsq(train, PARTS["train"]["y"].to_numpy(), rcond=None)[0]
    return predicted


def least_squares_rmse(table: pd.DataFrame) -> float:
    return float(np.sqrt(np.mean((table["y"].to_numpy() - line(table)) ** 2)))


@pytest.mark.parametrize("block_rows", [100, 3], ids=["one block", "many blocks"])
def test_each_part_has_its_own_metrics_beside_the_errors_of_baselines(block_rows: int) -> None:
    predictor = Untrained(MLP)
    evaluation = evaluated(predictor, PARTS, block_rows)
    assert list(evaluation.metrics) == ["train", "validation", "test"]
    for name, table in PARTS.items():
        _, predicted = predictor.with_inputs(table)
        expected = metrics(table["y"].to_numpy(), predicted)
        if name != "train":
            mean = PARTS["train"]["y"].mean()
            expected["mean_rmse"] = np.sqrt(np.mean((table["y"].to_numpy() - mean) ** 2))
        expected["least_squares_rmse"] = least_squares_rmse(table)
        assert evaluation.metrics[name] == pytest.approx(expected, rel=1e-5)
        listed = evaluation.predictions[evaluation.predictions["part"] == name]
        assert listed["true"].tolist() == table["y"].tolist()
        assert listed["predicted"].to_numpy() == pytest.approx(predicted)
    assert evaluation.coefficients is None


def test_the_test_part_has_intervals_of_its_groups() -> None:
    test = part(60)
    predictor = Untrained(MLP)
    _, predicted = predictor.with_inputs(test)
    groups = np.arange(60) // 3
    for table, grouped in ((test, None), (test.assign(**{GROUP: groups}), groups)):
        found = evaluated(predictor, PARTS | {"test": table}, block_rows=25).metrics
        expected = error_intervals(test["y"].to_numpy(), predicted, grouped)
        assert len(expected) == 5
        assert found["test"] | expected == pytest.approx(found["test"])
        assert not set(expected) & set(found["train"])


def test_a_model_with_another_error_than_its_training_recorded_is_refused() -> None:
    predictor = Untrained(MLP)
    error = evaluated(predictor, PARTS).metrics["validation"]["mae"]
    evaluated(predictor, PARTS, recorded=[error * (1 + 1e-5)])
    with pytest.raises(UserError, match=r"^data/model: .* rows of validation, .* recorded"):
        evaluated(predictor, PARTS, recorded=[error * 1.01])


def test_the_model_is_compared_with_the_baselines_on_rows_that_are_held_out(
    tmp_path: Path,
) -> None:
    evaluation = evaluated(Untrained(MLP), PARTS | {"validation": part(12), "test": part(15)})
    assert {part: list(one) for part, one in evaluation.compared.items()} == {
        "validation": ["mean", "least_squares"], "test": ["mean", "least_squares"],
    }  # fmt: skip
    errors = evaluation.metrics["test"]
    improvement = evaluation.compared["test"]["least_squares"].estimate
    assert errors["rmse"] / errors["least_squares_rmse"] == pytest.approx(1 - improvement)
    evaluation.write(tmp_path)
    written = pd.read_csv(tmp_path / "baselines.csv", index_col=["part", "baseline"])
    assert written.loc[("test", "least_squares"), "improvement"] == pytest.approx(improvement)
    assert (tmp_path / "verdict.txt").read_text("utf-8") == f"{evaluation.verdict}\n"


@pytest.mark.parametrize("coverage", [0.5, 0.9])
def test_intervals_are_calibrated_by_the_validation_part_and_measured_on_the_test_part(
    tmp_path: Path, coverage: float
) -> None:
    parts = PARTS | {"validation": part(200), "test": part(300)}
    predictor = Untrained(MLP)
    tables = {name: [table] for name, table in parts.items()}
    evaluation = evaluate(predictor, tables, baselines=baselines(parts), coverage=coverage)
    assert predictor.intervals == evaluation.intervals
    assert evaluation.intervals is not None
    assert (evaluation.intervals.rows, evaluation.intervals.coverage) == (200, coverage)
    rows = evaluation.predictions[evaluation.predictions["part"] == "test"]
    within = (rows["lower"] <= rows["true"]) & (rows["true"] <= rows["upper"])
    errors = evaluation.metrics["test"]
    assert errors["nominal_coverage"] == coverage
    assert errors["coverage"] == within.mean() == pytest.approx(coverage, abs=0.1)
    assert errors["interval_width"] == pytest.approx((rows["upper"] - rows["lower"]).mean())
    evaluation.write(tmp_path)
    assert (tmp_path / "intervals.json").is_file()
    answers = predictor.predict_conformed(parts["test"])
    np.testing.assert_allclose(answers[["lower", "upper"]], rows[["lower", "upper"]], rtol=1e-6)


def test_without_rows_to_calibrate_by_there_are_no_intervals_which_is_said(tmp_path: Path) -> None:
    for parts in (ALONE, PARTS):
        evaluation = evaluated(Untrained(MLP), parts)
        assert evaluation.intervals is None
        assert evaluation.lines[-1] == NO_INTERVALS
        assert "lower" not in evaluation.predictions
        evaluation.write(tmp_path)
    assert not (tmp_path / "intervals.json").exists()


@pytest.mark.parametrize("part", ["train", "test"])
def test_baselines_of_other_rows_are_refused(part: str) -> None:
    tables, other = ({name: [table] for name, table in PARTS.items()}, baselines(PARTS))
    for wrong in (other | {part: other[part].iloc[1:]}, {"validation": other["validation"]}):
        with pytest.raises(UserError, match=r"^data/baselines/.*: has other rows .*; run dvc"):
            evaluate(Untrained(MLP), tables, baselines=wrong)


def test_without_other_parts_the_errors_are_in_sample() -> None:
    evaluation = evaluated(Untrained(MLP), ALONE)
    assert list(evaluation.metrics) == ["in_sample"]
    expected = least_squares_rmse(PARTS["train"])
    assert evaluation.metrics["in_sample"]["least_squares_rmse"] == pytest.approx(expected)
    assert set(evaluation.predictions["part"]) == {"in_sample"}
    assert "mean_rmse" not in evaluation.metrics["in_sample"]
    assert evaluation.verdict is None


@pytest.mark.parametrize("parts", [PARTS, ALONE], ids=["all parts", "in sample"])
def test_a_linear_neuron_has_coefficients_and_its_distance_from_the_optimum(
    parts: dict[str, pd.DataFrame],
) -> None:
    evaluation = evaluated(Untrained(NEURON), parts)
    table, predictions = PARTS["train"], evaluation.predictions.head(20)
    assert evaluation.coefficients is not None
    coefficients = evaluation.coefficients.set_index("weight")
    for name, error in (("network", None), ("least_squares", least_squares_rmse(table))):
        a, b, bias = coefficients[name]
        line = table["a"] * a + table["b"] * b + bias
        if error is None:
            assert line.to_numpy() == pytest.approx(predictions["predicted"].to_numpy(), rel=1e-5)
        else:
            assert np.sqrt(np.mean((table["y"] - line) ** 2)) == pytest.approx(error, rel=1e-5)
    trained = next(iter(evaluation.metrics.values()))
    optimum = least_squares_rmse(table) ** 2
    assert evaluation.metrics["optimum"] == pytest.approx(
        {"mse": optimum, "excess_mse": trained["mse"] - optimum}, rel=1e-5
    )
    assert trained["mse"] > optimum


def test_a_neuron_with_bins_has_no_coefficients() -> None:
    numbers = NUMBERS | {"a": replace(NUMBERS["a"], edges=[2.5, 3.0, 3.5])}
    evaluation = evaluated(Untrained(NEURON, numbers=numbers), PARTS)
    assert evaluation.coefficients is None
    assert "optimum" not in evaluation.metrics


def test_a_neuron_that_learns_a_logarithm_has_no_coefficients() -> None:
    evaluation = evaluated(Untrained(NEURON, Target("y", log=True, mean=4.0)), PARTS)
    assert evaluation.coefficients is None
    assert "optimum" not in evaluation.metrics


@pytest.mark.parametrize("other", ["validation", "test"])
def test_beside_another_part_the_training_part_keeps_its_name(other: str) -> None:
    assert list(name_parts(ALONE | {other: PARTS[other]})) == ["train", other]


def test_predictions_are_listed_by_their_row_in_the_raw_table() -> None:
    predictions = pd.DataFrame({"predicted": [1.5, 1], "true": [1, 2.0]}, index=[0, 4])
    assert prediction_table("test", predictions).to_dict("list") == {
        "part": ["test", "test"],
        "row": [1, 5],
        "true": [1.0, 2.0],
        "predicted": [1.5, 1.0],
        "residual": [-0.5, 1.0],
    }
