"""A result in words: the verdict, the looks at the test rows, the training."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pipeline.config.data import SplitBy
from pipeline.config.training import (
    Activation,
    AdamW,
    Cosine,
    EarlyStopping,
    Exponential,
    Layer,
    Training,
)
from pipeline.dataset.folds import Folds
from pipeline.reporting import words
from pipeline.reporting.looks import Looks
from tests.reporting.made import ERRORS, HELD_OUT, TEST, baselines, config, result

RELU = Layer(units=8, activation=Activation.relu)
FOLDS = Folds(np.array([[1], [2], [1], [2]], np.int32), 2)
CV = {"metrics": {"train": ERRORS, "cv": HELD_OUT, "test": TEST}, "folds": FOLDS,
      "rows": {"train": 142, "cv": 142, "test": 1}}  # fmt: skip


def test_the_verdict_names_the_best_baseline_where_all_are_beaten() -> None:
    assert words.verdict(result()) == (
        "The model predicts y with a typical error (RMSE) of 2 (1.6 to 2.5) for 40 test rows"
        " used for nothing else: better than ridge regression, the best of the baselines, by"
        " 9.0 % (1.0 to 17.0 %)."
    )
    assert words.test_verdict(result()) is None


def test_the_verdict_names_the_simplest_baseline_that_is_not_beaten() -> None:
    even = baselines(("cv", "mean", 0.2, 0.1, 0.3), ("cv", "ridge", 0.01, -0.02, 0.04),
                     ("test", "mean", -0.5, -0.9, -0.1))  # fmt: skip
    made = result(tables={"baselines": even}, **CV)
    assert words.verdict(made).endswith(
        "for 142 rows, each by networks that were not trained on it: no better than ridge"
        " regression (-2.0 to 4.0 %)."
    )
    assert words.test_verdict(made) == (
        "For 1 test row used for nothing else, its RMSE is 2 (1.6 to 2.5): worse than"
        " the mean by 50.0 % (10.0 to 90.0 %)."
    )


def test_without_a_comparison_the_verdict_says_what_is_not_known() -> None:
    few = result(tables={}, metrics={"train": ERRORS, "validation": ERRORS},
                 rows={"train": 60, "validation": 5})  # fmt: skip
    assert words.verdict(few).endswith(
        "(RMSE) of 2 for 5 validation rows that it was not trained on, too few to say how sure"
        " that is or to compare it with baselines."
    )
    grouped = replace(few, config=config(by=SplitBy.group, column="day"))
    assert "not trained on, of too few groups to say how sure" in words.verdict(grouped)
    none = result(tables={}, metrics={"in_sample": ERRORS, "optimum": {"mse": 1.0}},
                  rows={"in_sample": 7})  # fmt: skip
    assert words.verdict(none) == (
        "The model predicts y with a typical error (RMSE) of 2 for 7 rows that it was trained on;"
        " how well it predicts other rows is not known, as none were held out."
    )


def test_the_coverage_is_beside_what_chance_allows() -> None:
    # By numpy: of 40 rows with intervals from 30 others, 95 % of the fractions.
    random = np.random.default_rng(0)
    scores, others = random.uniform(size=(2, 4000, 40))
    ends = np.sort(others[:, :30], axis=1)[:, 27]
    low = np.quantile((scores <= ends[:, np.newaxis]).mean(axis=1), 0.025)
    text = words.coverage(result())
    assert text is not None
    assert text.startswith("The true value is within the 90 % interval for 87.5 % of the 40 test")
    said = float(text.split("right, ")[1].split()[0])
    assert said == pytest.approx(100 * low, abs=4)
    assert words.coverage(result(metrics={"train": ERRORS, "test": HELD_OUT})) is None


@pytest.mark.parametrize(
    ("looks", "text"),
    [
        ("tracking is off", "evaluated on these test rows is not known: tracking is off."),
        (
            Looks([2.0], 1, "mlflow.db"),
            "the first result in mlflow.db evaluated on these 40 test rows, so",
        ),
        (Looks([2.0, 1.0], 1, "s"), "The error of this result is not the lowest."),
    ],
)
def test_the_looks_are_counted(looks: Looks | str, text: str) -> None:
    assert text in words.looks(result(), looks)


def test_the_lowest_of_several_test_errors_has_its_bias_and_a_remedy() -> None:
    assert words.looks(result(), Looks([3.0, 2.0, 2.5], 2, "s")) == (
        "This is result 2 of 3 in s evaluated on these 40 test rows. Their test RMSEs are 2 to 3."
        " The lowest of several test errors is partly luck: if the results are equally good, it is"
        " too low by up to 0.2174. The error of this result is the lowest: data.split.seed=1 sets"
        " other rows aside, by which no result was chosen."
    )


def test_where_no_seed_chooses_the_rows_new_ones_are_the_remedy() -> None:
    by_time = result(config=config(by=SplitBy.time, column="day"))
    assert "new rows would be a test by which no result was chosen" in words.looks(
        by_time, Looks([3.0, 2.0], 2, "s")
    )
    assert words.split(by_time) == "by day: the latest rows are for test"


def test_without_test_rows_there_are_no_looks() -> None:
    none = result(metrics={"in_sample": ERRORS}, rows={"in_sample": 7})
    assert words.looks(none, "there are none") == "No rows were set aside for test."


@pytest.mark.parametrize(
    ("layers", "text"),
    [
        ([Layer(units=1)], "one linear neuron"),
        ([Layer(units=1, activation=Activation.softplus)], "one neuron (softplus)"),
        ([RELU, RELU, Layer(units=1)], "a dense network; hidden layers: 2 of 8 units (relu)"),
        (
            [Layer(units=8, dropout=0.1), Layer(units=4, layer_normalization=True), Layer(units=1)],
            "hidden layers: 8 units (linear, dropout 0.1), 4 units (linear, layer normalization)",
        ),
    ],
)
def test_a_network_is_described_by_its_layers(layers: list[Layer], text: str) -> None:
    assert words.network(layers).endswith(text)


def test_the_training_is_described_by_its_configuration() -> None:
    stopping = EarlyStopping(enabled=True, patience=20)
    made = replace(
        config(), optimizer=AdamW(learning_rate=0.003), schedule=Cosine(final_fraction=0.1),
        training=Training(epochs=400, early_stopping=stopping),
    )  # fmt: skip
    assert words.optimizer(made) == (
        "AdamW, learning rate 0.003, falling along a cosine to 0.1 times that, weight decay 0.004"
    )
    assert words.optimizer(replace(config(), schedule=Exponential())) == (
        "stochastic gradient descent, learning rate 0.05, times 0.5 every 50 epochs"
    )
    assert words.epochs(result(config=made)) == (
        "6 of at most 400; stopped 20 epochs after the best one; the weights are those of epoch 4"
    )
    assert words.epochs(result(config=made, epochs=400, kept=None)) == "400 of at most 400"
    assert words.folds(result()) == "none"
    in_folds = words.folds(result(config=made, **CV))
    assert in_folds == "2, with a network each; the model is the mean of their networks"


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "Prediction intervals promise their coverage for all rows together"),
        ({"figures": {"importance": b""}}, "Importance says what the model uses"),
        ({**CV, "config": replace(config(), training=Training(
            early_stopping=EarlyStopping(enabled=True)))}, "has kept its best epoch on the rows"),
    ],
)  # fmt: skip
def test_the_limits_are_those_of_the_result(fields: dict[str, Any], text: str) -> None:
    assert text in " ".join(words.limits(result(**fields)))
    assert text not in " ".join(words.limits(result(calibrated_with=None)))
