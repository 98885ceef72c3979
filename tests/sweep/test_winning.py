"""What comes out of a sweep: its winner as a model, and how much of its lead is luck."""

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
from pipeline.sweep import trials, winning
from pipeline.sweep.trials import Outcome, Table
from pipeline.sweep.winning import Result
from tests.small import MLP, experiment, held, learning_the_logarithm, prepared, small_windows

# TensorFlow's variables do not take NumPy 2's copy argument, and Keras reads them so.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

PREPARED = prepared()
PARTS = ["train", "validation", "test"]
CONFIG = experiment(SGD(learning_rate=0.1))
LINEAR = experiment(SGD(learning_rate=0.1), MLP[1:])
WILD = experiment(SGD(learning_rate=1e20))


@pytest.fixture(scope="module")
def rows() -> Table:
    return trials.table(PREPARED)


@pytest.fixture(scope="module")
def outcome(rows: Table) -> Outcome:
    (only,) = winning.train_all([CONFIG], rows, Score.rmse)
    return only


def test_each_is_trained_in_its_place_whatever_its_structure(rows: Table, outcome: Outcome) -> None:
    outcomes = winning.train_all([LINEAR, CONFIG, WILD, LINEAR], rows, Score.rmse)
    assert [len(one.weights) for one in outcomes] == [2, 4, 0, 2]
    assert outcomes[1].score == pytest.approx(outcome.score, rel=1e-4)
    assert outcomes[0].score == outcomes[3].score
    assert outcomes[2].state == "failed"


def test_errors_are_of_each_part_that_has_rows(rows: Table, outcome: Outcome) -> None:
    reached = winning.errors(winning.predictions(outcome, CONFIG, rows), rows, Score.rmse)
    assert list(reached) == PARTS
    assert reached["validation"] == pytest.approx(outcome.score)
    whole = trials.table(prepared(validation=0, test=0))
    (one,) = winning.train_all([CONFIG], whole, Score.rmse)
    alone = winning.errors(winning.predictions(one, CONFIG, whole), whole, Score.rmse)
    assert alone == {"train": pytest.approx(one.score)}


def test_other_seeds_are_those_after_the_winner_s_own(rows: Table) -> None:
    results = winning.with_other_seeds(CONFIG, rows, Sweep(seeds=3))
    assert [one.what for one in results] == ["seed 4", "seed 5", "seed 6"]
    assert len({one.errors["validation"] for one in results}) == 3
    (fourth,) = winning.train_all([trials.with_seed(CONFIG, 4)], rows, Score.rmse)
    assert results[0].errors["validation"] == pytest.approx(fourth.score, rel=1e-4)


def test_a_seed_with_which_it_diverges_is_left_out(rows: Table) -> None:
    assert winning.with_other_seeds(WILD, rows, Sweep(seeds=2)) == []
    assert winning.with_other_seeds(CONFIG, rows, Sweep(seeds=0)) == []


def test_the_last_seed_that_there_is_has_others_too(rows: Table) -> None:
    results = winning.with_other_seeds(trials.with_seed(CONFIG, 2**32 - 1), rows, Sweep(seeds=2))
    assert [one.what for one in results] == ["seed 0", "seed 1"]


def candidates() -> list[Config]:
    return [
        experiment(SGD(learning_rate=rate), layers, seed=seed, epochs=20)
        for rate, layers, seed in ((0.1, MLP, 3), (0.1, MLP, 4), (0.05, MLP, 5), (0.1, MLP[1:], 6))
    ]


def test_an_ensemble_beats_the_best_of_its_networks_or_there_is_none(rows: Table) -> None:
    outcomes = winning.train_all(candidates(), rows, Score.rmse)
    model, joined = winning.best_ensemble(candidates(), rows, Score.rmse)
    assert model is not None
    assert joined is not None
    assert joined.errors["validation"] < min(one.score or np.inf for one in outcomes)
    in_units = encoder.whole(rows.encoder.model, model, rows.target)
    for part in PARTS:
        table = PREPARED.parts[part]
        predicted = np.asarray(in_units(encoder.inputs(table, PREPARED.encoding)))[:, 0]
        rmse = np.sqrt(np.square(table["y"] - predicted).mean())
        assert joined.errors[part] == pytest.approx(rmse, rel=1e-4)


@pytest.mark.parametrize("configs", [[], [CONFIG], [CONFIG, CONFIG], [WILD, WILD], [CONFIG, WILD]])
def test_what_cannot_be_better_is_no_ensemble(rows: Table, configs: Sequence[Config]) -> None:
    assert winning.best_ensemble(configs, rows, Score.rmse) == (None, None)


def test_without_a_validation_part_there_is_no_ensemble() -> None:
    whole = trials.table(prepared(validation=0))
    assert winning.best_ensemble(candidates(), whole, Score.rmse) == (None, None)


def test_rows_that_stream_make_the_same_winner_and_ensemble(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    small_windows(monkeypatch, rows=4, blocks=2)
    made = []
    for when in (When.always, When.never):
        rows = trials.table(PREPARED, when)
        model, joined = winning.best_ensemble(candidates(), rows, Score.mae)
        assert model is not None
        assert joined is not None
        made.append([joined, *winning.with_other_seeds(CONFIG, rows, Sweep(seeds=1))])
    for result, other in zip(*made, strict=True):
        assert result.what == other.what
        assert result.errors == pytest.approx(other.errors, rel=1e-5)


@pytest.mark.parametrize("log", [False, True], ids=["plain", "log"])
@pytest.mark.parametrize("score", Score)
def test_the_line_is_that_of_least_squares_in_the_target_s_units(
    monkeypatch: pytest.MonkeyPatch, score: Score, *, log: bool
) -> None:
    monkeypatch.setattr("pipeline.dataset.rows.MOST_BLOCK_ROWS", 8)
    made = learning_the_logarithm(PREPARED) if log else PREPARED
    true = {name: part["y"].to_numpy() for name, part in made.parts.items()}
    columns = {
        name: np.column_stack([part[["a", "b"]], np.ones(len(part))])
        for name, part in made.parts.items()
    }
    line = np.linalg.lstsq(columns["train"], true["train"])[0]
    for when in (When.never, When.always):
        result = winning.least_squares(trials.table(made, when), score)
        assert list(result.errors) == PARTS
        for part in PARTS:
            residual = true[part] - columns[part] @ line
            rmse, mae = np.sqrt(np.square(residual).mean()), np.abs(residual).mean()
            expected = {Score.rmse: rmse, Score.mae: mae}[score]
            assert result.errors[part] == pytest.approx(expected, rel=1e-5)


def test_a_sweep_begins_from_the_experiment_as_it_stands(rows: Table, outcome: Outcome) -> None:
    begun = winning.start(CONFIG, rows, Score.rmse)
    assert begun is not None
    assert (begun.what, begun.errors["validation"]) == ("start", outcome.score)
    assert winning.start(WILD, rows, Score.rmse) is None


def test_the_built_network_is_the_trained_one(rows: Table, outcome: Outcome) -> None:
    built = winning.built(CONFIG, outcome, rows)
    part = PREPARED.parts["test"]
    learned = built.predict(held(rows.parts["test"]).x, verbose=0)[:, 0]
    predicted = learned * rows.target.std + rows.target.mean
    rmse = np.sqrt(np.square(part["y"] - predicted).mean())
    reached = winning.errors(winning.predictions(outcome, CONFIG, rows), rows, Score.rmse)
    assert reached["test"] == pytest.approx(rmse, rel=1e-4)


def test_the_winner_s_folder_is_what_train_writes(
    tmp_path: Path, rows: Table, outcome: Outcome
) -> None:
    table = PREPARED.parts["train"][["a", "b"]]
    winning.write_model(tmp_path / "model", CONFIG, outcome, rows, PREPARED)
    predictor = Predictor(tmp_path / "model")
    assert (predictor.contract, predictor.encoding) == (PREPARED.contract, PREPARED.encoding)
    learned = winning.built(CONFIG, outcome, rows).predict(held(rows.parts["train"]).x, verbose=0)
    expected = learned[:, 0] * rows.target.std + rows.target.mean
    answers = predictor.predict(table)["predicted"].to_numpy()
    assert answers == pytest.approx(expected, rel=1e-5)
    first = pd.read_csv(tmp_path / "model" / "first_prediction.csv")
    assert first[["a", "b"]].iloc[0].tolist() == pytest.approx(table.iloc[0].tolist())
    assert list(first.columns) == ["a", "b", "by_hand", "predicted", "difference"]
    with np.load(tmp_path / "model" / "weights_before.npz") as before:
        begun = dense.initial_weights(MLP, 2, 3)
        for array, other in zip(before.values(), begun, strict=True):
            np.testing.assert_array_equal(array, other)
    with np.load(tmp_path / "model" / "weights_after.npz") as after:
        for array, other in zip(after.values(), outcome.weights, strict=True):
            np.testing.assert_array_equal(array, other)
    history = pd.read_csv(tmp_path / "model" / "history.csv")
    np.testing.assert_allclose(history["loss"], outcome.history["loss"], rtol=1e-6)


def test_the_ensemble_s_folder_serves(tmp_path: Path, rows: Table) -> None:
    model, _ = winning.best_ensemble(candidates(), rows, Score.rmse)
    assert isinstance(model, keras.Model)
    winning.write_ensemble(tmp_path / "ensemble", model, rows, PREPARED)
    table = PREPARED.parts["test"][["a", "b"]]
    learned = model.predict(held(rows.parts["test"]).x, verbose=0)[:, 0]
    expected = learned * rows.target.std + rows.target.mean
    answers = Predictor(tmp_path / "ensemble").predict(table)["predicted"].to_numpy()
    assert answers == pytest.approx(expected, rel=1e-5)


def test_the_table_has_a_row_for_each_result() -> None:
    results = [Result("winner", {"train": 1.0, "test": 2.0}), Result("seed 4", {"train": 3.0})]
    table = winning.table(results)
    assert list(table.columns) == ["what", "train", "test"]
    assert table["what"].tolist() == ["winner", "seed 4"]
    assert table["train"].tolist() == [1.0, 3.0]


def test_the_summary_says_how_much_of_the_lead_was_luck() -> None:
    results = [
        Result("winner", {"train": 1.0, "validation": 2.0}),
        Result("ensemble of 3", {"train": 0.5, "validation": 1.5}),
        Result("least_squares", {"train": 6.0, "validation": 7.0}),
    ]
    seeds = [
        Result("seed 4", {"train": 1.0, "validation": 2.0}),
        Result("seed 5", {"train": 3.0, "validation": 4.0}),
    ]
    assert winning.summary(results, seeds, "validation") == {
        "winner_train": 1.0,
        "winner_validation": 2.0,
        "ensemble_train": 0.5,
        "ensemble_validation": 1.5,
        "least_squares_train": 6.0,
        "least_squares_validation": 7.0,
        "seeds_train_mean": 2.0,
        "seeds_train_std": 1.0,
        "seeds_validation_mean": 3.0,
        "seeds_validation_std": 1.0,
        "optimism": 1.0,
    }


def test_without_other_seeds_nothing_is_said_of_luck() -> None:
    numbers = winning.summary([Result("winner", {"train": 1.0})], [], "train")
    assert numbers == {"winner_train": 1.0}


def test_repeating_the_winner_changes_nothing(rows: Table, outcome: Outcome) -> None:
    (again,) = winning.train_all([replace(CONFIG)], rows, Score.rmse)
    assert again.score == outcome.score
    for array, other in zip(again.weights, outcome.weights, strict=True):
        np.testing.assert_array_equal(array, other)
