"""The winner of a sweep as a model, its selection bias, and what it is compared with."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.compose.schema import Config, Score, Sweep
from pipeline.config.training import SGD, When
from pipeline.evaluation.predictor import Predictor
from pipeline.network import dense, encoder
from pipeline.network.backend import keras
from pipeline.sweep import trials, winner
from pipeline.sweep.trials import Table, TrainedTrial
from pipeline.sweep.winner import Evaluation, WinnerEvaluation
from tests.small import MLP, experiment, in_memory, prepared, with_log_target

PREPARED = prepared()
PARTS = ["train", "validation", "test"]
CONFIG = experiment(SGD(learning_rate=0.1))
DIVERGING = experiment(SGD(learning_rate=1e20))
# The ensemble of these is better than each of them.
CANDIDATES = [
    experiment(SGD(learning_rate=rate), layers, epochs=20)
    for rate, layers in ((0.1, MLP), (0.05, MLP), (0.1, MLP[1:]))
]


@pytest.fixture(scope="module")
def rows() -> Table:
    return trials.table(PREPARED)


@pytest.fixture(scope="module")
def trained(rows: Table) -> TrainedTrial:
    (only,) = trials.train_all([CONFIG], rows, Score.rmse)
    return only


@pytest.fixture(scope="module")
def combined(rows: Table) -> tuple[keras.Model, Evaluation]:
    model, evaluation = winner.best_ensemble(CANDIDATES, rows, Score.rmse)
    assert isinstance(model, keras.Model)
    assert evaluation is not None
    return model, evaluation


def evaluated(trained: TrainedTrial, seeds: Sequence[Evaluation] = ()) -> WinnerEvaluation:
    """A winner that is compared with some numbers."""
    return WinnerEvaluation(
        config=CONFIG,
        trained=trained,
        winner=Evaluation("winner", {"train": 1.0, "validation": 2.0}),
        scored_part="validation",
        score=Score.mae,
        seeds=list(seeds),
        candidates=4,
        ensemble=Evaluation("ensemble of 3", {"train": 0.5, "validation": 1.5}),
        ensemble_model=None,
        start=None,
        least_squares=Evaluation("least_squares", {"train": 6.0, "validation": 7.0}),
    )


def test_errors_are_of_each_part_that_has_rows(rows: Table, trained: TrainedTrial) -> None:
    errors = winner.errors(trained, CONFIG, rows, Score.rmse)
    assert list(errors) == PARTS
    assert errors["validation"] == pytest.approx(trained.result.score)
    whole = trials.table(prepared(validation=0, test=0))
    (one,) = trials.train_all([CONFIG], whole, Score.rmse)
    expected = {"train": pytest.approx(one.result.score)}
    assert winner.errors(one, CONFIG, whole, Score.rmse) == expected


def test_other_seeds_follow_that_of_the_winner(rows: Table) -> None:
    evaluations = winner.evaluate_seeds(CONFIG, rows, Sweep(seeds=3))
    assert [one.model for one in evaluations] == ["seed 4", "seed 5", "seed 6"]
    assert len({one.errors["validation"] for one in evaluations}) == 3
    (fourth,) = trials.train_all([trials.with_seed(CONFIG, 4)], rows, Score.rmse)
    assert evaluations[0].errors["validation"] == pytest.approx(fourth.result.score, rel=1e-4)


def test_a_seed_that_diverges_is_left_out(rows: Table) -> None:
    assert winner.evaluate_seeds(DIVERGING, rows, Sweep(seeds=2)) == []
    assert winner.evaluate_seeds(CONFIG, rows, Sweep(seeds=0)) == []


def test_the_largest_seed_is_followed_by_0(rows: Table) -> None:
    largest = trials.with_seed(CONFIG, 2**32 - 1)
    evaluations = winner.evaluate_seeds(largest, rows, Sweep(seeds=2))
    assert [one.model for one in evaluations] == ["seed 0", "seed 1"]


def test_an_ensemble_is_better_than_each_of_its_networks(
    rows: Table, combined: tuple[keras.Model, Evaluation]
) -> None:
    model, evaluation = combined
    alone = [one.result.score or np.inf for one in trials.train_all(CANDIDATES, rows, Score.rmse)]
    assert evaluation.errors["validation"] < min(alone)
    in_units = encoder.whole(rows.encoder.model, model, rows.target)
    for part in PARTS:
        table = PREPARED.parts[part]
        predicted = np.asarray(in_units(encoder.inputs(table, PREPARED.encoding)))[:, 0]
        rmse = np.sqrt(np.square(table["y"] - predicted).mean())
        assert evaluation.errors[part] == pytest.approx(rmse, rel=1e-4)


@pytest.mark.parametrize("configs", [[], [CONFIG], [CONFIG, CONFIG], [CONFIG, DIVERGING]])
def test_there_is_no_ensemble_of_a_single_network(rows: Table, configs: Sequence[Config]) -> None:
    assert winner.best_ensemble(configs, rows, Score.rmse) == (None, None)


def test_there_is_no_ensemble_of_networks_that_diverge(rows: Table) -> None:
    assert winner.best_ensemble([DIVERGING, DIVERGING], rows, Score.rmse) == (None, None)


def test_there_is_no_ensemble_without_a_validation_part() -> None:
    whole = trials.table(prepared(validation=0))
    assert winner.best_ensemble(CANDIDATES, whole, Score.rmse) == (None, None)


def test_streamed_rows_give_the_same_errors(
    monkeypatch: pytest.MonkeyPatch, rows: Table, trained: TrainedTrial
) -> None:
    monkeypatch.setattr("pipeline.dataset.rows.MAX_BLOCK_ROWS", 8)
    streamed = trials.table(PREPARED, When.always)
    errors = winner.errors(trained, CONFIG, streamed, Score.mae)
    assert errors == pytest.approx(winner.errors(trained, CONFIG, rows, Score.mae), rel=1e-5)


@pytest.mark.parametrize("log", [False, True], ids=["plain", "log"])
@pytest.mark.parametrize("score", Score)
def test_least_squares_is_computed_in_the_units_of_the_target(
    monkeypatch: pytest.MonkeyPatch, score: Score, *, log: bool
) -> None:
    monkeypatch.setattr("pipeline.dataset.rows.MAX_BLOCK_ROWS", 8)
    data = with_log_target(PREPARED) if log else PREPARED
    true = {name: part["y"].to_numpy() for name, part in data.parts.items()}
    columns = {
        name: np.column_stack([part[["a", "b"]], np.ones(len(part))])
        for name, part in data.parts.items()
    }
    line = np.linalg.lstsq(columns["train"], true["train"])[0]
    for when in (When.never, When.always):
        evaluation = winner.evaluate_least_squares(trials.table(data, when), score)
        assert list(evaluation.errors) == PARTS
        for part in PARTS:
            residual = true[part] - columns[part] @ line
            rmse, mae = np.sqrt(np.square(residual).mean()), np.abs(residual).mean()
            expected = {Score.rmse: rmse, Score.mae: mae}[score]
            assert evaluation.errors[part] == pytest.approx(expected, rel=1e-5)


def test_the_winner_is_compared_with_the_experiment_that_the_sweep_varies(rows: Table) -> None:
    sweep = Sweep(seeds=0)
    evaluation = winner.evaluate_winner(CONFIG, [], CANDIDATES[1], rows, sweep)
    expected = winner.evaluate_start(CANDIDATES[1], rows, Score.rmse)
    assert evaluation.start == expected
    assert expected is not None
    assert expected.model == "start"
    assert expected.errors != evaluation.winner.errors
    diverging = winner.evaluate_winner(CONFIG, [], DIVERGING, rows, sweep)
    assert diverging.start is None
    assert diverging.winner == evaluation.winner


def test_a_winner_that_cannot_be_repeated_is_an_error(rows: Table) -> None:
    with pytest.raises(RuntimeError, match=r"cannot be repeated: diverged"):
        winner.evaluate_winner(DIVERGING, [], CONFIG, rows, Sweep())


def test_the_folder_of_the_winner_is_what_train_writes(
    tmp_path: Path, rows: Table, trained: TrainedTrial
) -> None:
    table = PREPARED.parts["train"][["a", "b"]]
    winner.write_model(tmp_path / "model", CONFIG, trained, rows, PREPARED)
    predictor = Predictor(tmp_path / "model")
    assert (predictor.contract, predictor.encoding) == (PREPARED.contract, PREPARED.encoding)
    network = winner.network(CONFIG, trained, rows)
    scaled = network.predict(in_memory(rows.parts["train"]).x, verbose=0)[:, 0]
    predicted = predictor.predict(table)["predicted"].to_numpy()
    assert predicted == pytest.approx(scaled * rows.target.std + rows.target.mean, rel=1e-5)
    rmse = np.sqrt(np.square(PREPARED.parts["train"]["y"] - predicted).mean())
    errors = winner.errors(trained, CONFIG, rows, Score.rmse)
    assert errors["train"] == pytest.approx(rmse, rel=1e-4)
    first = pd.read_csv(tmp_path / "model" / "first_prediction.csv")
    assert first[["a", "b"]].iloc[0].tolist() == pytest.approx(table.iloc[0].tolist())
    assert list(first.columns) == ["a", "b", "by_hand", "predicted", "difference"]
    initial = dense.initial_weights(MLP, 2, 3)
    for name, expected in (("before", initial), ("after", trained.weights)):
        with np.load(tmp_path / "model" / f"weights_{name}.npz") as saved:
            for array, other in zip(saved.values(), expected, strict=True):
                np.testing.assert_array_equal(array, other)
    history = pd.read_csv(tmp_path / "model" / "history.csv")
    np.testing.assert_allclose(history["loss"], trained.history["loss"], rtol=1e-6)


def test_the_folder_of_the_ensemble_predicts(
    tmp_path: Path, rows: Table, combined: tuple[keras.Model, Evaluation]
) -> None:
    model, _ = combined
    winner.write_ensemble(tmp_path / "ensemble", model, rows, PREPARED)
    scaled = model.predict(in_memory(rows.parts["test"]).x, verbose=0)[:, 0]
    table = PREPARED.parts["test"][["a", "b"]]
    predicted = Predictor(tmp_path / "ensemble").predict(table)["predicted"].to_numpy()
    assert predicted == pytest.approx(scaled * rows.target.std + rows.target.mean, rel=1e-5)


def test_the_table_has_a_row_for_each_model(trained: TrainedTrial) -> None:
    table = evaluated(trained, [Evaluation("seed 4", {"train": 3.0})]).table()
    assert list(table.columns) == ["model", "train", "validation"]
    assert table["model"].tolist() == ["winner", "ensemble of 3", "least_squares", "seed 4"]
    assert table["train"].tolist() == [1.0, 0.5, 6.0, 3.0]


def test_the_metrics_include_the_selection_bias(trained: TrainedTrial) -> None:
    seeds = [
        Evaluation("seed 4", {"train": 1.0, "validation": 2.0}),
        Evaluation("seed 5", {"train": 3.0, "validation": 4.0}),
    ]
    without_seeds = {
        "winner_train_mae": 1.0,
        "winner_validation_mae": 2.0,
        "ensemble_train_mae": 0.5,
        "ensemble_validation_mae": 1.5,
        "least_squares_train_mae": 6.0,
        "least_squares_validation_mae": 7.0,
    }
    assert evaluated(trained).metrics() == without_seeds
    assert evaluated(trained, seeds).metrics() == without_seeds | {
        "seeds_train_mae_mean": 2.0,
        "seeds_train_mae_std": 1.0,
        "seeds_validation_mae_mean": 3.0,
        "seeds_validation_mae_std": 1.0,
        "optimism": 1.0,
    }
    started = replace(evaluated(trained), start=Evaluation("start", {"train": 9.0}))
    assert started.metrics() == without_seeds | {"start_train_mae": 9.0}
