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
from pipeline.sweep import trials, winner
from pipeline.sweep.comparison import Evaluation
from pipeline.sweep.tables import Table, Tables, table
from pipeline.sweep.trials import TrainedTrial
from pipeline.sweep.winner import Contender, Ensemble
from tests.small import MLP, experiment, prepared

PREPARED = prepared()
PARTS = ["train", "validation", "test"]
CONFIG = experiment(SGD(learning_rate=0.1))
TABLES = Tables(PREPARED, CONFIG)
DIVERGING = experiment(SGD(learning_rate=1e20))
# The ensemble of these is better than each of them.
CANDIDATES = [
    experiment(SGD(learning_rate=rate), layers, epochs=20)
    for rate, layers in ((0.1, MLP), (0.05, MLP), (0.1, MLP[1:]))
]


@pytest.fixture(scope="module")
def rows() -> Table:
    return TABLES.of(CONFIG)


@pytest.fixture(scope="module")
def trained() -> TrainedTrial:
    (only,) = trials.train_all([CONFIG], TABLES, Score.rmse)
    return only


@pytest.fixture(scope="module")
def combined() -> Ensemble:
    found = winner.best_ensemble(contenders(CANDIDATES), TABLES, Score.rmse)
    assert found is not None
    return found


def contenders(configs: Sequence[Config], tables: Tables = TABLES) -> list[Contender]:
    """Those that do not diverge, the best one first."""
    made = [
        Contender(number, one, one.result.score, winner.predictions(one, tables.of(one.config)))
        for number, one in enumerate(trials.train_all(configs, tables, Score.rmse))
        if one.result.score is not None
    ]
    return sorted(made, key=lambda one: one.score)


def seeds_of(config: Config, count: int) -> list[Evaluation]:
    rows = TABLES.of(config)
    trained = winner.train_seeds(config, TABLES, Sweep(seeds=count))
    return [winner.evaluate_seed(one, rows, Score.rmse) for one in trained]


def errors(trained: TrainedTrial, rows: Table, score: Score = Score.rmse) -> dict[str, float]:
    return winner.errors(winner.predictions(trained, rows), rows, score)


def test_errors_are_of_each_part_that_has_rows(rows: Table, trained: TrainedTrial) -> None:
    found = errors(trained, rows)
    assert list(found) == PARTS
    assert found["validation"] == pytest.approx(trained.result.score)
    whole = Tables(prepared(validation=0, test=0), CONFIG)
    (one,) = trials.train_all([CONFIG], whole, Score.rmse)
    assert errors(one, whole.of(CONFIG)) == {"train": pytest.approx(one.result.score)}


def test_other_seeds_follow_that_of_the_winner() -> None:
    evaluations = seeds_of(CONFIG, 3)
    assert [one.model for one in evaluations] == ["seed 4", "seed 5", "seed 6"]
    assert len({one.errors["validation"] for one in evaluations}) == 3
    (fourth,) = trials.train_all([trials.with_seed(CONFIG, 4)], TABLES, Score.rmse)
    assert evaluations[0].errors["validation"] == pytest.approx(fourth.result.score, rel=1e-4)


def test_a_seed_that_diverges_is_left_out() -> None:
    assert seeds_of(DIVERGING, 2) == []
    assert seeds_of(CONFIG, 0) == []


def test_the_largest_seed_is_followed_by_0() -> None:
    largest = trials.with_seed(CONFIG, 2**32 - 1)
    evaluations = seeds_of(largest, 2)
    assert [one.model for one in evaluations] == ["seed 0", "seed 1"]


def test_an_ensemble_is_better_than_each_of_its_networks(rows: Table, combined: Ensemble) -> None:
    alone = [one.result.score or np.inf for one in trials.train_all(CANDIDATES, TABLES, Score.rmse)]
    found = winner.errors(combined.predicted, rows, Score.rmse)
    assert found["validation"] < min(alone)
    for part in PARTS:
        table = PREPARED.parts[part]
        predicted = np.asarray(combined.model(encoder.inputs(table, PREPARED.encoding)))[:, 0]
        rmse = np.sqrt(np.square(table["y"] - predicted).mean())
        assert found[part] == pytest.approx(rmse, rel=1e-4)


@pytest.mark.parametrize("configs", [[], [CONFIG], [CONFIG, CONFIG], [CONFIG, DIVERGING]])
def test_there_is_no_ensemble_of_a_single_network(configs: Sequence[Config]) -> None:
    assert winner.best_ensemble(contenders(configs), TABLES, Score.rmse) is None


def test_there_is_no_ensemble_without_a_validation_part() -> None:
    whole = Tables(prepared(validation=0), CONFIG)
    candidates = contenders(CANDIDATES, whole)
    assert winner.best_ensemble(candidates, whole, Score.rmse) is None


def test_streamed_rows_give_the_same_errors(
    monkeypatch: pytest.MonkeyPatch, rows: Table, trained: TrainedTrial
) -> None:
    monkeypatch.setattr("pipeline.dataset.rows.MAX_BLOCK_ROWS", 8)
    streamed = table(PREPARED, When.always)
    found = errors(trained, streamed, Score.mae)
    assert found == pytest.approx(errors(trained, rows, Score.mae), rel=1e-5)


def test_the_winner_is_compared_with_the_experiment_that_the_sweep_varies(rows: Table) -> None:
    sweep = Sweep(seeds=0)
    best = contenders([CONFIG])
    evaluation = winner.evaluate_winner(best, CANDIDATES[1], TABLES, sweep, baselines={}).comparison
    (begun,) = contenders([CANDIDATES[1]])
    assert evaluation.start is not None
    assert evaluation.start.model == "start"
    assert evaluation.start.errors == errors(begun.trained, rows)
    assert list(evaluation.start.improvements) == ["validation", "test"]
    for part, compared in evaluation.start.improvements.items():
        ratio = evaluation.winner.errors[part] / evaluation.start.errors[part]
        assert compared.estimate == pytest.approx(1 - ratio)
        assert compared.low < compared.estimate < compared.high
    assert not evaluation.is_start
    kept = winner.evaluate_winner(
        best, CANDIDATES[1], TABLES, sweep, baselines={}, begun=begun.trained
    ).comparison
    assert kept == evaluation
    diverging = winner.evaluate_winner(best, DIVERGING, TABLES, sweep, baselines={}).comparison
    assert diverging.start is None
    assert diverging.beats_start
    assert diverging.winner == evaluation.winner


def test_the_winner_is_compared_with_the_ensemble_on_rows_that_selected_neither() -> None:
    best = contenders(CANDIDATES)
    sweep = Sweep(seeds=0, ensemble=3)
    found = winner.evaluate_winner(best, CONFIG, TABLES, sweep, baselines={}).comparison
    assert found.ensemble is not None
    assert found.ensemble.model.startswith("ensemble of ")
    (compared,) = found.ensemble.improvements.values()
    ratio = found.winner.errors["test"] / found.ensemble.errors["test"]
    assert compared.estimate == pytest.approx(1 - ratio)
    assert found.metrics()["improvement_over_ensemble_test"] == compared.estimate


def test_other_seeds_of_the_winner_may_be_in_the_ensemble() -> None:
    best = contenders([experiment(SGD(learning_rate=0.3))])
    sweep = Sweep(seeds=6, ensemble=1)
    found = winner.evaluate_winner(best, CONFIG, TABLES, sweep, baselines={}).comparison
    assert found.ensemble is not None
    seeds = [one.errors["validation"] for one in found.seeds]
    assert found.ensemble.errors["validation"] < min(best[0].score, *seeds)
    none = replace(sweep, ensemble=0)
    again = winner.evaluate_winner(best, CONFIG, TABLES, none, baselines={}).comparison
    assert again == replace(found, ensemble=None, candidates=0)


def test_a_starting_point_that_wins_is_no_better_than_itself() -> None:
    best = contenders([CONFIG, CANDIDATES[1]])
    start = best[0].trained.config
    evaluation = winner.evaluate_winner(
        best, start, TABLES, Sweep(seeds=0), baselines={}
    ).comparison
    assert evaluation.is_start
    assert not evaluation.beats_start


def test_baselines_are_compared_by_their_predictions(rows: Table) -> None:
    exact = dict(rows.true)
    mean = {part: np.full_like(true, true.mean()) for part, true in rows.true.items()}
    best = contenders([CONFIG])
    evaluation = winner.evaluate_winner(
        best, CONFIG, TABLES, Sweep(seeds=0), baselines={"exact": exact, "mean": mean}
    ).comparison
    better, worse = evaluation.baselines
    assert better.errors == dict.fromkeys(PARTS, 0.0)
    assert better.improvements["validation"].high == -np.inf
    assert worse.improvements["validation"].low > 0


def test_a_winner_that_was_trained_alone_is_not_trained_again(rows: Table) -> None:
    (alone,) = contenders([CONFIG])
    grouped, other = contenders([CONFIG, experiment(SGD(learning_rate=1e-6))])
    start = alone.trained
    saved = [
        winner.evaluate_winner(
            best, CONFIG, TABLES, Sweep(seeds=0), baselines={}, begun=start
        ).saved
        for best in ([alone], [grouped, other])
    ]
    assert (alone.trained.alone, grouped.trained.alone) == (True, False)
    for part in rows.true:
        np.testing.assert_array_equal(saved[0].predicted[part], saved[1].predicted[part])


def test_a_winner_that_cannot_be_repeated_is_an_error() -> None:
    (best,) = contenders([CONFIG])
    broken = replace(best, trained=replace(best.trained, config=DIVERGING, alone=False))
    with pytest.raises(RuntimeError, match=r"cannot be repeated: diverged"):
        winner.evaluate_winner([broken], CONFIG, TABLES, Sweep(), baselines={})


def test_the_folder_of_the_winner_is_what_train_writes(
    tmp_path: Path, rows: Table, trained: TrainedTrial
) -> None:
    table = PREPARED.parts["train"][["a", "b"]]
    winner.write_model(tmp_path / "model", winner.saved(trained, rows))
    predictor = Predictor(tmp_path / "model")
    assert (predictor.contract, predictor.encoding) == (PREPARED.contract, PREPARED.encoding)
    predicted = predictor.predict(table)["predicted"].to_numpy()
    expected = winner.predictions(trained, rows)["train"]
    assert predicted == pytest.approx(expected, rel=1e-5)
    rmse = np.sqrt(np.square(PREPARED.parts["train"]["y"] - predicted).mean())
    assert errors(trained, rows)["train"] == pytest.approx(rmse, rel=1e-4)
    first = pd.read_csv(tmp_path / "model" / "first_prediction.csv")
    assert first[["a", "b"]].iloc[0].tolist() == pytest.approx(table.iloc[0].tolist())
    assert list(first.columns) == ["a", "b", "by_hand", "predicted", "difference"]
    initial = dense.initial_weights(MLP, 2, 3)
    for name, arrays in (("before", initial), ("after", trained.weights[0])):
        with np.load(tmp_path / "model" / f"weights_{name}.npz") as saved:
            for array, other in zip(saved.values(), arrays, strict=True):
                np.testing.assert_array_equal(array, other)
    history = pd.read_csv(tmp_path / "model" / "history.csv")
    np.testing.assert_allclose(history["loss"], trained.networks[0].history["loss"], rtol=1e-6)


def test_the_folder_of_the_ensemble_predicts(
    tmp_path: Path, rows: Table, combined: Ensemble
) -> None:
    winner.write_ensemble(tmp_path / "ensemble", combined.model, PREPARED)
    table = PREPARED.parts["test"][["a", "b"]]
    predicted = Predictor(tmp_path / "ensemble").predict(table)["predicted"].to_numpy()
    rmse = np.sqrt(np.square(rows.true["test"] - predicted).mean())
    expected = winner.errors(combined.predicted, rows, Score.rmse)
    assert rmse == pytest.approx(expected["test"], rel=1e-4)
